//! Are these the weights of that archive, and what do they answer?

use std::path::Path;
use std::time::Instant;

use kolmo_codec::network::Tensor;
use kolmo_model::classify::archive::{code_of, values_of};
use kolmo_model::classify::checkpoint::Checkpoint;
use kolmo_model::classify::evaluate::{best, scores};
use kolmo_model::classify::network::Network;

use super::options::DataOptions;
use super::summary::{Difference, ScoresSummary, VerifySummary};
use super::threads::bounded;
use super::{data, file};
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::options::{Limits, StopFlag};

/// Expands `archive` in memory; compares it with the network in `against`, if given, number by number; measures it on the images of `folder`, if given, and
/// compares the answers of both networks to its test images. Goes on after a difference: the summary names them all.
///
/// # Errors
/// If a file is damaged or does not fit; see [`Error`]. Numbers that differ are no errors but entries of [`VerifySummary::differences`].
pub fn verify(
    archive: &Path,
    against: Option<&Path>,
    folder: Option<&Path>,
    options: &DataOptions,
    limits: &Limits,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<VerifySummary, Error> {
    bounded(options.threads, observer, |observer| compare(archive, against, folder, options, limits, stop, observer))
}

fn compare(
    archive: &Path,
    against: Option<&Path>,
    folder: Option<&Path>,
    options: &DataOptions,
    limits: &Limits,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<VerifySummary, Error> {
    let begun = Instant::now();
    observer.event(&Event::StepStarted { step: Step::Expand });
    let (stored, network, _, bytes) = file::network(archive, limits)?;
    let mut summary = VerifySummary {
        archive: archive.display().to_string(),
        arch: network.about.arch.clone(),
        tensors: stored.tensors.len(),
        bytes,
        ..VerifySummary::default()
    };
    let checkpoint = against.map(Checkpoint::read).transpose()?;
    if let Some(checkpoint) = &checkpoint {
        for tensor in &stored.tensors {
            match difference(tensor, checkpoint) {
                Some(difference) => summary.differences.push(difference),
                None => summary.equal_tensors += 1,
            }
        }
        let surplus = checkpoint.tensors.keys().filter(|name| stored.tensors.iter().all(|tensor| tensor.name != **name));
        summary.differences.extend(surplus.map(|name| Difference { tensor: name.clone(), reason: "not in the archive".to_owned() }));
    }
    if let Some(folder) = folder {
        let data = data::read(folder, Some(archive), options, limits, observer)?;
        data.check(archive, &network)?;
        let parts = data.parts(network.graph.extents[0].channels)?;
        summary.scores = Some(ScoresSummary { validation: network.score(&parts.validation).into(), test: network.score(&parts.test).into() });
        if stop.cancelled() {
            return Err(Error::Cancelled);
        }
        if let (Some(checkpoint), Some(file)) = (&checkpoint, against) {
            let size = (network.about.height, network.about.width);
            let other = Network::from_checkpoint(checkpoint, size, Some(network.about.normalisation.clone()))?;
            data.check(file, &other)?;
            let answers = |network: &Network| scores(&network.graph, &network.parameters, &network.about.normalisation, &parts.test);
            let (ours, theirs) = (answers(&network), answers(&other));
            let classes = network.graph.classes();
            let same = ours.chunks_exact(classes).zip(theirs.chunks_exact(classes)).filter(|(a, b)| best(a) == best(b)).count();
            summary.same_answers = Some(same);
            summary.largest_score_difference = Some(ours.iter().zip(&theirs).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max));
            summary.against_scores = Some(ScoresSummary { validation: other.score(&parts.validation).into(), test: other.score(&parts.test).into() });
        }
    }
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// What differs between a stored tensor and the one of its name: an integer times its step has to be the very number.
fn difference(tensor: &Tensor, checkpoint: &Checkpoint) -> Option<Difference> {
    let reason = |reason: String| Some(Difference { tensor: tensor.name.clone(), reason });
    let Some(other) = checkpoint.tensors.get(&tensor.name) else { return reason(format!("missing in {}", checkpoint.path)) };
    if other.shape != tensor.shape {
        return reason(format!("shape {:?} in the archive, {:?} there", tensor.shape, other.shape));
    }
    let ours = values_of(tensor);
    let differ: Vec<usize> = (0..ours.len()).filter(|&at| ours[at].to_bits() != other.values[at].to_bits()).collect();
    let first = *differ.first()?;
    let largest = differ.iter().map(|&at| (ours[at] - other.values[at]).abs()).fold(0f32, f32::max);
    let kind = code_of(tensor).map_or_else(|| "stored exactly".to_owned(), |code| format!("{} bits", code.bits));
    reason(format!(
        "{} of {} numbers ({kind}), first number {first}: {} in the archive, {} there; largest difference {largest:.3e}",
        differ.len(),
        ours.len(),
        ours[first],
        other.values[first]
    ))
}
