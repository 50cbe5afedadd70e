//! Prune, allocate, round, code, tune, until the accuracy budget binds.
//!
//! | module | what it finds |
//! |---|---|
//! | `search` | scores, the accuracy budget, and how much training is left |
//! | `levels` | how few weights are enough |
//! | `choices` | what bits would cost and lose, tensor by tensor |
//! | `rounds` | the smallest rounding that tuning brings back into the budget |
//! | `report` | the archive, expanded and measured |

mod choices;
mod levels;
mod report;
mod rounds;
mod search;

use kolmo_codec::network::Sizes;
use serde::{Deserialize, Serialize};

use super::allocate::Strategy;
use super::evaluate::Score;
use super::images::Augment;
use super::network::Network;
use super::train::{Parts, Watch};
use crate::error::Error;
use search::Search;

/// How a network is made small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Points of validation accuracy that may be lost.
    pub max_drop: f64,
    /// How bits are given to tensors.
    #[serde(skip)]
    pub strategy: Strategy,
    /// A step for each output channel instead of one for the tensor.
    pub by_channel: bool,
    /// Passes over the training images in all; `None`: as many as some ten minutes of two cores allow, 4 to 40. 0 trains nothing.
    pub epochs: Option<f64>,
    /// Standard errors that a drop of accuracy has to stay below the budget: validation images are few, and the images to come are others.
    pub margin: f64,
    /// Training images that losses of single tensors are measured on.
    pub calibration: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// What is done to training images.
    pub augment: Augment,
    /// Seed of order and augmentation.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            max_drop: 0.5,
            strategy: Strategy::Dynamic,
            by_channel: true,
            epochs: None,
            margin: 1.0,
            calibration: 64,
            batch: 64,
            learning_rate: 2e-4,
            augment: Augment::default(),
            seed: 0,
        }
    }
}

/// Follows the work.
pub trait Follow {
    /// A stage begins; training within it is called `stage`.
    fn stage(&mut self, stage: &str);
    /// Something a user should know.
    fn note(&mut self, text: String);
    /// Countable work went on.
    fn progress(&mut self, stage: &'static str, done: usize, total: usize);
    /// Watches training.
    fn watch(&mut self) -> &mut dyn Watch;
    /// Everything should end.
    fn cancelled(&self) -> bool;
}

/// A network of some size that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Whole archive.
    pub bytes: u64,
    /// Weights other than zero.
    pub nonzero: usize,
    /// Trained after rounding.
    pub tuned: bool,
    /// Score on the validation images.
    pub validation: Score,
    /// Score on the test images, where it was measured.
    pub test: Option<Score>,
}

/// What became of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Its values.
    pub count: usize,
    /// Those other than zero.
    pub nonzero: usize,
    /// Bits of an integer; 0 for a tensor that is kept exactly.
    pub bits: u8,
    /// Range-coded alone, its predictor beginning anew; bytes.
    pub bytes: u64,
}

/// Bytes after each step, all of the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Table {
    /// 32-bit floats.
    pub raw: u64,
    /// 32-bit floats other than zero, and a byte each for the zeros before it; or all of them, where that is less.
    pub pruned: u64,
    /// What a script would do: every weight as 8 bits by its output channel's largest, all by zstd at level 19.
    pub int8_zstd: u64,
    /// Integers of as many bits as their tensors got, and what is exact.
    pub quantised: u64,
    /// The archive by Huffman coding.
    pub huffman: u64,
    /// By LZ77.
    pub lz77: u64,
    /// By context-adaptive range coding.
    pub range: u64,
    /// By the shortest of them, after tuning.
    pub tuned: u64,
}

/// Scores on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stages {
    /// The network as it was given (normalisations folded, if so wished).
    pub before: [Score; 2],
    /// After pruning, with the training it needed.
    pub pruned: [Score; 2],
    /// After rounding and coding, before tuning.
    pub coded: [Score; 2],
    /// What is in the archive.
    pub tuned: [Score; 2],
}

/// A network made small.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// The archive's bytes.
    pub bytes: Vec<u8>,
    /// Where they go.
    pub sizes: Sizes,
    /// Bytes after each step.
    pub table: Table,
    /// Validation and test scores after each step.
    pub stages: Stages,
    /// Tensor by tensor.
    pub tensors: Vec<TensorReport>,
    /// All that was measured on the way.
    pub candidates: Vec<Candidate>,
    /// Share of the weights that pruning kept.
    pub kept: f64,
    /// Validation accuracy stays within the budget.
    pub within_budget: bool,
}

/// Makes `network` small.
///
/// # Errors
/// `InvalidArgument` for a recipe that makes no sense, `Cancelled`.
pub fn compress(network: &Network, parts: &Parts, recipe: &Recipe, follow: &mut dyn Follow) -> Result<Compressed, Error> {
    let sane = recipe.max_drop.is_finite() && recipe.max_drop >= 0.0 && recipe.learning_rate > 0.0 && recipe.batch >= 2 && recipe.margin >= 0.0;
    if !sane || recipe.epochs.is_some_and(|epochs| !(0.0..=10_000.0).contains(&epochs)) {
        let what =
            "the accuracy budget and its margin must be 0 or more, the learning rate above 0, batches at least 2, epochs 0 to 10000".to_owned();
        return Err(Error::InvalidArgument { what });
    }
    let mut search = Search::new(network, parts, recipe, follow);
    let pruned = search.prune(follow)?;
    let choices = search.choices(&pruned.parameters, follow)?;
    let found = search.rounds(&pruned, &choices, follow)?;
    search.report(&pruned, &choices, found, follow)
}

fn check(follow: &dyn Follow) -> Result<(), Error> {
    if follow.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
