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
    answers(graph, parameters, normalisation, set).score
}

/// What a network answers to a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// All of them together.
    pub score: Score,
    /// Which images it gets right.
    pub right: Vec<bool>,
    /// Mean cross-entropy, nats an image, at the temperature that makes it least: how much the scores know, not how sure they are of it. A network that learned from
    /// softened labels is less sure.
    pub tempered_loss: f64,
}

/// Measures a network on a set, image by image.
#[must_use]
pub fn answers(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, set: &ImageSet) -> Answers {
    let (scores, classes) = (scores(graph, parameters, normalisation, set), graph.classes());
    let right: Vec<bool> = scores.chunks_exact(classes).zip(set.labels()).map(|(scores, &label)| best(scores) == label).collect();
    let loss = loss_at(1.0, &scores, set.labels(), classes);
    let score = Score { images: set.len(), right: right.iter().filter(|right| **right).count(), loss };
    Answers { score, right, tempered_loss: tempered(&scores, set.labels(), classes) }
}

/// Mean cross-entropy where scores are multiplied by `sharpness`, nats an image; NaN without images.
fn loss_at(sharpness: f32, scores: &[f32], labels: &[usize], classes: usize) -> f64 {
    let of = |(scores, &label): (&[f32], &usize)| {
        let scores: Vec<f32> = scores.iter().map(|score| score * sharpness).collect();
        -f64::from(log_softmax(&scores)[label])
    };
    scores.chunks_exact(classes).zip(labels).map(of).sum::<f64>() / labels.len() as f64
}

/// The least of it over sharpness from an eighth to eight (Guo et al. 2017): it has one minimum, which thirds close in on.
fn tempered(scores: &[f32], labels: &[usize], classes: usize) -> f64 {
    let at = |octave: f64| loss_at(octave.exp2() as f32, scores, labels, classes);
    let (mut low, mut high) = (-3.0, 3.0);
    for _ in 0..16 {
        let third = (high - low) / 3.0;
        if at(low + third) <= at(high - third) { high -= third } else { low += third }
    }
    at(f64::midpoint(low, high))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_forgives_doubt_and_nothing_else() {
        // three of four right, by the same margin: probability 3/4 is best
        let scores = |margin: f32| [[margin, 0.0], [margin, 0.0], [margin, 0.0], [margin, 0.0]].concat();
        let labels = [0, 0, 0, 1];
        let best = -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        for margin in [0.5, 1.0, 4.0] {
            assert!((tempered(&scores(margin), &labels, 2) - best).abs() < 1e-4, "{margin}");
        }
        assert!(loss_at(1.0, &scores(4.0), &labels, 2) > best + 0.4);
        assert!(tempered(&scores(1.0), &[0, 0, 1, 1], 2) > best + 0.1);
    }
}
