//! Logistic mixing: a weighted sum of log-odds whose weights learn from each decision.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "sets are as many as their numbers; ranges stand beside the sums")]

/// Inputs of a mixer: two vectors of eight.
pub(crate) const INPUTS: usize = 16;
/// Kinds of sets. A decision uses the sum of one set of each.
pub(crate) const KINDS: usize = 4;
/// Weights, of unit 2^-16, stay below 2.
const BOUND: i32 = (1 << 17) - 1;

/// Sets of weights of one kind, for so many inputs: whole vectors of eight.
#[derive(Debug)]
pub(crate) struct Mixer<const N: usize> {
    sets: Vec<Set<N>>,
    /// Decisions that a set has learned from, at most 2^16 - 1.
    seen: Vec<u16>,
}

#[derive(Debug, Clone)]
#[repr(align(64))]
struct Set<const N: usize>([i32; N]);

impl<const N: usize> Mixer<N> {
    /// So many sets for each of `first`, which are the weights that they begin with.
    pub(crate) fn new(sets: usize, first: &[[i32; N]]) -> Self {
        let all: Vec<Set<N>> = first.iter().flat_map(|&weights| std::iter::repeat_n(Set(weights), sets)).collect();
        Self { seen: vec![0; all.len()], sets: all }
    }

    /// Moves a set by `error` (decision minus its probability, unit 2^-16); fast at first.
    #[inline(always)]
    pub(crate) fn learn(&mut self, set: usize, inputs: &[i32; N], error: i32) {
        let seen = self.seen[set].saturating_add(1);
        self.seen[set] = seen;
        let shift = 16 + u32::from(seen >= 256) + u32::from(seen >= 1024) + u32::from(seen >= 8192);
        let half = 1 << (shift - 1);
        // A loop on copies: the compiler then sees that nothing overlaps, and makes vectors of it. Closures of `from_fn` would not be compiled for them.
        let (inputs, mut weights) = (*inputs, self.sets[set].0);
        for (weight, input) in weights.iter_mut().zip(inputs) {
            *weight = (*weight + ((input * error + half) >> shift)).clamp(-BOUND, BOUND);
        }
        self.sets[set].0 = weights;
    }
}

/// Log-odds that one set of each kind makes of the inputs.
///
/// Sums of weights are at most 2^15 here, and the inputs' sizes sum to less than 2^15 (3071 + 64 + 7 x 2307 + 6 x 480 for images) or 2^16 (64 + 11 x 2307
/// for JPEG files, with three kinds), so the sum stays below 2^31.
#[inline(always)]
pub(crate) fn mix<const K: usize, const N: usize>(mixers: &[Mixer<N>; K], sets: &[usize; K], inputs: &[i32; N]) -> i32 {
    let mut weights = [0i32; N];
    for (mixer, &set) in mixers.iter().zip(sets) {
        for (sum, weight) in weights.iter_mut().zip(mixer.sets[set].0) {
            *sum += weight;
        }
    }
    let mut sum = 0;
    for (weight, input) in weights.iter().zip(inputs) {
        sum += (weight >> 4) * input;
    }
    sum >> 12
}
