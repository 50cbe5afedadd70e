//! How good a network is.

use std::path::Path;
use std::time::Instant;

use super::data;
use super::options::DataOptions;
use super::summary::{EvaluateSummary, ScoresSummary};
use super::threads::bounded;
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::options::{Limits, StopFlag};

/// Measures the network in `file` on the validation and test images of `folder`.
///
/// # Errors
/// `InvalidArgument` if network and images do not fit; else see [`Error`].
pub fn evaluate(
    file: &Path,
    folder: &Path,
    options: &DataOptions,
    limits: &Limits,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvaluateSummary, Error> {
    bounded(options.threads, observer, |observer| measure(file, folder, options, limits, stop, observer))
}

fn measure(
    file: &Path,
    folder: &Path,
    options: &DataOptions,
    limits: &Limits,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvaluateSummary, Error> {
    let begun = Instant::now();
    let data = data::read(folder, Some(file), options, limits, observer)?;
    let network = data.network(file, options, limits)?;
    observer.event(&Event::StepStarted { step: Step::Expand });
    let parts = data.parts(network.graph.extents[0].channels)?;
    let validation = network.score(&parts.validation);
    if stop.cancelled() {
        return Err(Error::Cancelled);
    }
    let scores = ScoresSummary { validation: validation.into(), test: network.score(&parts.test).into() };
    Ok(EvaluateSummary {
        network: file.display().to_string(),
        arch: network.about.arch.clone(),
        parameters: network.graph.parameters(),
        data: data.summary,
        scores,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
