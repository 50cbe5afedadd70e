//! The integers of a network archive trained further.

use std::path::Path;
use std::time::Instant;

use kolmo_codec::network as codec;
use kolmo_model::classify::archive::to_archive;
use kolmo_model::classify::train::Plan;
use kolmo_model::classify::tune as model;

use super::options::TuneOptions;
use super::summary::{EpochSummary, ScoresSummary, TuneSummary};
use super::threads::bounded;
use super::train::write;
use super::watch::Watcher;
use super::{data, file};
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::output;

/// Trains the integers in `archive` on the images of `folder` and writes the archive `output`: zeros and steps stay, integers move within their bits.
/// What it writes has no larger loss on the validation images.
///
/// # Errors
/// `InvalidArgument` if network and images do not fit; else see [`Error`]. Nothing is left behind then.
pub fn tune(archive: &Path, folder: &Path, output: &Path, options: &TuneOptions, observer: &mut dyn Observer) -> Result<TuneSummary, Error> {
    bounded(options.data.threads, observer, |observer| train_further(archive, folder, output, options, observer))
}

fn train_further(archive: &Path, folder: &Path, output: &Path, options: &TuneOptions, observer: &mut dyn Observer) -> Result<TuneSummary, Error> {
    let begun = Instant::now();
    if options.epochs == 0 || options.batch < 2 || !(options.learning_rate.is_finite() && options.learning_rate > 0.0) {
        let what = "tuning needs at least one epoch, batches of at least two images and a learning rate above 0".to_owned();
        return Err(Error::InvalidArgument { what });
    }
    output::check_free(output, options.force)?;
    let (_, network, codes, bytes_before) = file::network(archive, &options.limits)?;
    let data = data::read(folder, Some(archive), &options.data, &options.limits, observer)?;
    data.check(archive, &network)?;
    let parts = data.parts(network.graph.extents[0].channels)?;
    let lessons = match &options.teacher {
        None => None,
        Some(file) => {
            let teacher = data.network(file, &options.data, &options.limits)?;
            let own = data.parts(teacher.graph.extents[0].channels)?;
            Some(model::lessons(&teacher.graph, &teacher.parameters, &teacher.about.normalisation, &own))
        }
    };
    let before = ScoresSummary { validation: network.score(&parts.validation).into(), test: network.score(&parts.test).into() };
    observer.event(&Event::StepStarted { step: Step::Tune });
    let plan = Plan {
        epochs: options.epochs,
        images: 0,
        batch: options.batch,
        learning_rate: options.learning_rate,
        weight_decay: 0.0,
        augment: options.augment,
        seed: options.data.seed,
    };
    let mut watcher = Watcher { stage: "tune".to_owned(), observer, stop: &options.stop, keep: None };
    let tuned =
        model::tune(&network.graph, &network.parameters, &codes, lessons.as_ref(), &parts, &network.about.normalisation, &plan, &mut watcher)?;
    if options.stop.cancelled() {
        return Err(Error::Cancelled);
    }
    let (coded, _) = codec::write(&to_archive(&network, &tuned.parameters, &tuned.codes))?;
    write(output, options.force, &coded)?;
    let (_, back, _, bytes) = file::network(output, &options.limits)?;
    let after = ScoresSummary { validation: back.score(&parts.validation).into(), test: back.score(&parts.test).into() };
    Ok(TuneSummary {
        archive: output.display().to_string(),
        arch: network.about.arch.clone(),
        data: data.summary,
        epochs: tuned.epochs.into_iter().map(|row| EpochSummary { row }).collect(),
        before,
        after,
        bytes_before,
        bytes,
        interrupted: tuned.interrupted,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
