//! `kolmo model train`.

use kolmo::network::{self, TrainOptions};

use super::{Session, augment, data_options};
use crate::args::model::ModelTrain;
use crate::commands::done;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelTrain) -> Result<u8, Failure> {
    let arch = what.arch.parse().map_err(|error: kolmo::network::ModelError| Failure::Usage {
        what: error.to_string(),
        help: "`kolmo model train --help` names the networks".to_owned(),
    })?;
    let usual = TrainOptions::default();
    let options = TrainOptions {
        data: data_options(session, &what.images),
        arch,
        epochs: what.passes.epochs.unwrap_or(usual.epochs),
        batch: what.passes.batch,
        learning_rate: what.passes.lr.unwrap_or(usual.learning_rate),
        augment: augment(&what.passes.augment),
        from: what.from.clone(),
        checkpoint: what.checkpoint.clone(),
        force: session.global.force,
        limits: session.limits(),
        stop: session.interrupt.stop.clone(),
    };
    let summary = {
        let mut watcher = session.watch();
        network::train(&what.images.data, &what.output, &options, &mut watcher).map_err(Failure::about(&what.images.data))?
    };
    session.result("model_train_summary", &summary, |paint| render::model::train(&summary, session.global.quiet, paint));
    Ok(done())
}
