//! `kolmo model verify`.

use kolmo::network::{self, DataOptions};

use super::Session;
use crate::args::model::ModelVerify;
use crate::commands::done;
use crate::exit::{self, Failure};
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelVerify) -> Result<u8, Failure> {
    let options = DataOptions { size: what.size, normalisation: None, seed: session.global.seed, threads: session.global.threads };
    let summary = {
        let mut watcher = session.watch();
        let (against, data) = (what.against.as_deref(), what.data.as_deref());
        network::verify(&what.archive, against, data, &options, &session.limits(), &session.interrupt.stop, &mut watcher)
            .map_err(Failure::about(&what.archive))?
    };
    session.result("model_verify_summary", &summary, |paint| render::model::verify(&summary, paint));
    Ok(if summary.differences.is_empty() { done() } else { exit::DIFFERENCE })
}
