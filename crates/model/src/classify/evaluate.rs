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
    let classes = graph.classes();
    let scores = scores(graph, parameters, normalisation, set);
    let mut total = Score { images: set.len(), right: 0, loss: 0.0 };
    for (scores, &label) in scores.chunks_exact(classes).zip(set.labels()) {
        total.right += usize::from(best(scores) == label);
        total.loss -= f64::from(log_softmax(scores)[label]);
    }
    total.loss /= set.len() as f64;
    total
}

/// Scores of every image, shape `[images, classes]`.
#[must_use]
pub fn scores(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Vec<f32> {
    let order: Vec<usize> = (0..set.len()).collect();
    order.chunks(CHUNK).flat_map(|chosen| engine::infer(graph, parameters, set.batch(chosen, normalisation, None))).collect()
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
