//! `kolmo model …`: one file a command, each around one call of the library.

mod compress;
mod eval;
mod expand;
mod train;
mod tune;
mod verify;

use kolmo::network::{Augment, DataOptions, Normalisation};

use super::Session;
use crate::args::model::{Change, Images, Model};
use crate::exit::Failure;

pub(super) fn run(session: &Session<'_>, what: &Model) -> Result<u8, Failure> {
    match what {
        Model::Train(what) => train::run(session, what),
        Model::Compress(what) => compress::run(session, what),
        Model::Expand(what) => expand::run(session, what),
        Model::Verify(what) => verify::run(session, what),
        Model::Tune(what) => tune::run(session, what),
        Model::Eval(what) => eval::run(session, what),
    }
}

fn data_options(session: &Session<'_>, images: &Images) -> DataOptions {
    let normalisation = (!images.mean.is_empty()).then(|| Normalisation { mean: images.mean.clone(), deviation: images.std.clone() });
    DataOptions { size: images.size, normalisation, seed: session.global.seed, threads: session.global.threads }
}

fn augment(changes: &[Change]) -> Augment {
    Augment { flip: changes.contains(&Change::Flip), shift: changes.contains(&Change::Shift) }
}
