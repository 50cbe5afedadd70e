//! Normalisations measured anew.
//!
//! Weights that are taken away or rounded change what reaches a normalisation, and its stored mean and variance no longer fit. Measuring them again (as EagleEye does for
//! pruned networks, Li et al. 2020) needs no labels and no gradients, and brings most of the lost accuracy back.

use super::arch::Parameters;
use super::engine::{self, Sparse};
use super::graph::{Graph, Op};
use super::images::{ImageSet, Normalisation};

/// Most images that are measured together, as in training.
const BATCH: usize = 64;

/// `parameters`, the mean and variance of each normalisation being what images of `set` give: the average over batches of those of each batch. A network without
/// normalisations comes back as it was.
#[must_use]
pub fn calibrated(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Parameters {
    let mut parameters = parameters.clone();
    if graph.nodes.iter().any(|node| matches!(node.op, Op::Norm { .. })) {
        let sparse = Sparse::of(graph, &parameters);
        for (before, chosen) in batches(set).iter().enumerate() {
            let share = 1.0 / (before + 1) as f64;
            let _ = engine::forward(graph, &mut parameters, &sparse, set.batch(chosen, normalisation, None), share);
        }
    }
    parameters
}

/// Scores of the images, shape `[images, classes]`, batch by batch, where each batch is normalised by its own means: what a network can do once it is calibrated.
pub(super) fn scores_by_batch(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Vec<f32> {
    let mut parameters = parameters.clone();
    let sparse = Sparse::of(graph, &parameters);
    batches(set).iter().flat_map(|chosen| engine::forward(graph, &mut parameters, &sparse, set.batch(chosen, normalisation, None), 0.0).0).collect()
}

/// The images in batches of about [`BATCH`], each from all over the set: sets are sorted by class, and a batch of one class has the means of that class.
fn batches(set: &ImageSet) -> Vec<Vec<usize>> {
    let count = set.len().div_ceil(BATCH);
    (0..count).map(|first| (first..set.len()).step_by(count).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::arch::{Arch, Kind, random};
    use crate::classify::evaluate::scores;
    use crate::classify::graph::Extent;
    use crate::sample::Dice;

    #[test]
    fn stored_means_become_those_of_the_images() {
        let extent = Extent { channels: 1, height: 8, width: 8 };
        let graph = Arch::new(Kind::ResNetCifar { blocks: 1 }, extent, 3).graph();
        let mut parameters = random(&graph, 5);
        for &at in &graph.weights() {
            parameters[at].iter_mut().for_each(|value| *value *= 3.0);
        }
        let (mut set, mut dice) = (ImageSet::new(extent), Dice::new(6));
        for _ in 0..64 {
            let samples: Vec<u8> = (0..extent.len()).map(|_| dice.next() as u8).collect();
            set.push(&samples, 0).unwrap();
        }
        let normalisation = Normalisation { mean: vec![0.5], deviation: vec![0.25] };
        let worst = |parameters: &Parameters| {
            let (own, stored) = (scores_by_batch(&graph, parameters, &normalisation, &set), scores(&graph, parameters, &normalisation, &set));
            own.iter().zip(&stored).map(|(own, stored)| (own - stored).abs()).fold(0.0, f32::max)
        };
        let after = calibrated(&graph, &parameters, &normalisation, &set);
        // one batch: what is stored is what it has, but for the variance of the population
        assert!(worst(&parameters) > 10.0 * worst(&after), "{} {}", worst(&parameters), worst(&after));
        for (spec, (before, after)) in graph.specs.iter().zip(parameters.iter().zip(&after)) {
            assert_eq!(before == after, spec.role.is_learned(), "{}", spec.name);
        }
        let folded = Arch { folded: true, ..Arch::new(Kind::ResNetCifar { blocks: 1 }, extent, 3) }.graph();
        let parameters = random(&folded, 1);
        assert_eq!(calibrated(&folded, &parameters, &normalisation, &set), parameters);
    }

    #[test]
    fn batches_are_even_and_hold_every_class_of_a_sorted_set() {
        let mut set = ImageSet::new(Extent { channels: 1, height: 1, width: 1 });
        (0..150).for_each(|image| set.push(&[0], image / 15).unwrap());
        let batches = batches(&set);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 50]);
        for batch in &batches {
            assert!((0..10).all(|class| batch.iter().any(|&image| set.labels()[image] == class)));
        }
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..150).collect::<Vec<_>>());
    }
}
