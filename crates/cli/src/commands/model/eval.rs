//! `kolmo model eval`.

use kolmo::network;

use super::{Session, data_options};
use crate::args::model::ModelEval;
use crate::commands::done;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelEval) -> Result<u8, Failure> {
    let options = data_options(session, &what.images);
    let summary = {
        let mut watcher = session.watch();
        network::evaluate(&what.network, &what.images.data, &options, &session.limits(), &session.interrupt.stop, &mut watcher)
            .map_err(Failure::about(&what.network))?
    };
    session.result("model_eval_summary", &summary, |paint| render::model::evaluate(&summary, paint));
    Ok(done())
}
