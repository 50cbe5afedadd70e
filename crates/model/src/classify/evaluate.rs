//! How good a network is on a part.

use serde::{Deserialize, Serialize};

use super::arch::Parameters;
use super::engine;
use super::graph::Graph;
use super::images::{ImageSet, Normalisation};

/// Images that are held as floats at a time.
const CHUNK: usize = 128;

/// What a network got right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Images seen.
    pub images: usize,
    /// Images whose highest score is their label's.
    pub right: usize,
    /// Mean cross-entropy, nats an image; NaN without images.
    pub loss: f64,
}

impl Score {
    /// Per cent of the images that are right; NaN without images.
    #[must_use]
    pub fn top1(&self) -> f64 {
        100.0 * self.right as f64 / self.images as f64
    }

    /// A smaller loss: on a few hundred images it says more than how many of them are right.
    #[must_use]
    pub fn beats(&self, other: &Self) -> bool {
        self.loss < other.loss
    }
}

/// Measures a network on a set.
#[must_use]
pub fn score(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Score {
    answers(graph, parameters, normalisation, set).0
}

/// Measures a network on a set, and says which images it gets right.
#[must_use]
pub fn answers(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> (Score, Vec<bool>) {
    let scores = scores(graph, parameters, normalisation, set);
    let images = || scores.chunks_exact(graph.classes()).zip(set.labels());
    let right: Vec<bool> = images().map(|(scores, &label)| best(scores) == label).collect();
    let loss = images().map(|(scores, &label)| -f64::from(log_softmax(scores)[label])).sum::<f64>() / set.len() as f64;
    (Score { images: set.len(), right: right.iter().filter(|right| **right).count(), loss }, right)
}

/// Scores of every image, shape `[images, classes]`.
#[must_use]
pub fn scores(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Vec<f32> {
    let order: Vec<usize> = (0..set.len()).collect();
    let sparse = engine::Sparse::of(graph, parameters);
    order.chunks(CHUNK).flat_map(|chosen| engine::infer(graph, parameters, &sparse, set.batch(chosen, normalisation, None))).collect()
}

/// Index of the highest score, the first of equals.
#[must_use]
pub fn best(scores: &[f32]) -> usize {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    best
}

/// Natural logarithms of the probabilities that scores say.
#[must_use]
pub fn log_softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total = scores.iter().map(|score| (score - largest).exp()).sum::<f32>().ln() + largest;
    scores.iter().map(|score| score - total).collect()
}
