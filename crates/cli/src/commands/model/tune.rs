//! `kolmo model tune`.

use kolmo::network::{self, TuneOptions};

use super::{Session, augment, data_options};
use crate::args::model::ModelTune;
use crate::commands::done;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelTune) -> Result<u8, Failure> {
    let usual = TuneOptions::default();
    let options = TuneOptions {
        data: data_options(session, &what.images),
        teacher: what.teacher.clone(),
        epochs: what.passes.epochs.unwrap_or(usual.epochs),
        batch: what.passes.batch,
        learning_rate: what.passes.lr.unwrap_or(usual.learning_rate),
        augment: augment(&what.passes.augment),
        force: session.global.force,
        limits: session.limits(),
        stop: session.interrupt.stop.clone(),
    };
    let summary = {
        let mut watcher = session.watch();
        network::tune(&what.archive, &what.images.data, &what.output, &options, &mut watcher).map_err(Failure::about(&what.archive))?
    };
    session.result("model_tune_summary", &summary, |paint| render::model::tune(&summary, paint));
    Ok(done())
}
