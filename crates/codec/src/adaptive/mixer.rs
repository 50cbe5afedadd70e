//! Logistic mixing: a weighted sum of log-odds whose weights learn from each decision.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "sets are as many as their numbers; ranges stand beside the sums")]

/// Inputs of a mixer: three vectors of eight, the last lanes unused.
pub(crate) const INPUTS: usize = 24;
/// A weight of 1.
pub(crate) const ONE: i32 = 1 << 16;
/// Weights stay below 2.
const BOUND: i32 = 2 * ONE - 1;

/// Sets of weights, unit 2^-16. A decision uses the sum of one set of each kind.
#[derive(Debug)]
pub(crate) struct Mixer {
    sets: Vec<Set>,
}

#[derive(Debug, Clone)]
#[repr(align(64))]
struct Set {
    weights: [i32; INPUTS],
    /// Decisions it has learned from.
    seen: u32,
}

impl Mixer {
    pub(crate) fn new(sets: usize, weights: [i32; INPUTS]) -> Self {
        Self { sets: vec![Set { weights, seen: 0 }; sets] }
    }

    /// The weighted sum of the inputs, unit 2^-12 of theirs.
    ///
    /// Weights are below 2^13 here and the inputs' sizes sum to less than 2^16 (3071 + 64 + 2047 + 9 x (2307 + 480)), so three sums stay
    /// below 2^31.
    #[inline(always)]
    pub(crate) fn dot(&self, set: usize, inputs: &[i32; INPUTS]) -> i32 {
        self.sets[set].weights.iter().zip(inputs).map(|(&weight, &input)| (weight >> 4) * input).sum()
    }

    /// Moves a set by `error` (decision minus its probability, unit 2^-16); fast at first.
    #[inline(always)]
    pub(crate) fn learn(&mut self, set: usize, inputs: &[i32; INPUTS], error: i32) {
        let set = &mut self.sets[set];
        set.seen = set.seen.saturating_add(1);
        let shift = match set.seen {
            0..256 => 16,
            256..1024 => 17,
            1024..8192 => 18,
            _ => 19,
        };
        for (weight, &input) in set.weights.iter_mut().zip(inputs) {
            *weight = (*weight + ((input * error + (1 << (shift - 1))) >> shift)).clamp(-BOUND, BOUND);
        }
    }
}
