//! `kolmo model compress`.

use kolmo::network::{self, CompressOptions, Recipe, Strategy};

use super::{Session, augment, data_options};
use crate::args::model::{Allocation, ModelCompress};
use crate::commands::done;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelCompress) -> Result<u8, Failure> {
    let output = what.output.clone().unwrap_or_else(|| what.network.with_extension("kolmo"));
    let options = CompressOptions {
        data: data_options(session, &what.images),
        recipe: Recipe {
            max_drop: what.max_drop,
            strategy: match what.strategy {
                Allocation::Dynamic => Strategy::Dynamic,
                Allocation::Greedy => Strategy::Greedy,
                Allocation::Fixed => Strategy::Fixed,
            },
            by_channel: !what.tensor_steps,
            epochs: what.epochs,
            margin: what.margin,
            calibration: what.calibration,
            batch: what.batch,
            learning_rate: what.lr,
            augment: augment(&what.augment),
            seed: session.global.seed,
        },
        fold_norms: what.fold_norms,
        sweep: what.sweep.clone(),
        force: session.global.force,
        limits: session.limits(),
        stop: session.interrupt.stop.clone(),
    };
    let summary = {
        let mut watcher = session.watch();
        network::compress(&what.network, &what.images.data, &output, &options, &mut watcher).map_err(Failure::about(&what.network))?
    };
    session.result("model_compress_summary", &summary, |paint| render::model::compress(&summary, session.global.quiet, paint));
    Ok(done())
}
