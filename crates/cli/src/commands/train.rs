//! `kolmo train`.

use super::{Session, done, output_or_beside};
use crate::args::Train;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &Train) -> Result<u8, Failure> {
    let output = output_or_beside(what.output.as_ref(), &what.input, "kprog")?;
    let options = session.compress_options(Some(&what.learning), what.pixels);
    let summary = {
        let mut watcher = session.watch();
        kolmo::train(&what.input, &output, &options, &mut watcher).map_err(Failure::about(&what.input))?
    };
    session.result("train_summary", &summary, |paint| render::train(&summary, session.global.quiet, paint));
    Ok(done())
}
