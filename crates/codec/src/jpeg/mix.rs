//! Decisions: counters found by hashes, mixed.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "lines are of a table's size, nodes are 0..16; ranges of counters stand beside them"
)]

use crate::Error;
use crate::adaptive::Decide;
use crate::adaptive::context::{hash, spread};
use crate::adaptive::counter;
use crate::adaptive::logit;
use crate::adaptive::mixer::{self, Mixer};

/// Contexts of a decision.
pub(super) const CONTEXTS: usize = 11;
/// The same in vectors; one more is a constant input.
const LANES: usize = 16;
/// Kinds of sets of weights, and how many of each.
const SETS: [usize; 3] = [3 * 64, 16, 24];
/// Counters of a line.
const NODES: usize = 16;
/// Decisions after which a counter stops slowing down.
const LIMIT: u32 = 255;
/// Even odds, nothing seen.
const NEW: u32 = 1 << 31;
/// Bound of a probability: 2^-15 either way.
const LEAST: u32 = 1 << 9;
/// First weights of the counters' log-odds, unit 2^-16.
const FIRST_WEIGHT: i32 = 14_000;

/// Hashes of contexts.
#[derive(Debug)]
pub(super) struct Bases {
    hashes: [u32; LANES],
    /// All ones for each that tells signs apart.
    signed: [u32; LANES],
}

impl Bases {
    /// Hashes of `what` under each context; `signed` has a bit for each that tells numbers of one sign from those of the other.
    #[inline(always)]
    pub(super) fn new(what: u32, contexts: [[u32; 3]; CONTEXTS], signed: u32) -> Self {
        let mut bases = Self { hashes: [0; LANES], signed: [0; LANES] };
        for (i, [a, b, c]) in contexts.into_iter().enumerate() {
            bases.hashes[i] = hash([what.cast_signed(), a.cast_signed(), b.cast_signed(), c.cast_signed(), 0]);
            bases.signed[i] = 0u32.wrapping_sub(signed >> i & 1);
        }
        bases
    }
}

/// Counters and mixers.
#[derive(Debug)]
pub(super) struct Mix {
    log2: u32,
    /// Shape `[CONTEXTS, 2^log2, NODES]`; a counter is the probability of upwards (22 bits) above how often it was seen (10 bits), its highest bit turned, so that
    /// new ones are 0 and memory is taken only where it is used.
    counters: Vec<u32>,
    mixers: [Mixer<LANES>; 3],
    stretch: Box<[i16; 4096]>,
    rates: Box<[i32; LIMIT as usize + 1]>,
    /// First counter of the line of each context, for the number that is coded.
    found: [u32; LANES],
}

/// A decision: what it came from.
struct Weighed {
    at: [u32; LANES],
    counters: [u32; LANES],
    inputs: [i32; LANES],
    /// That it falls upwards, unit 2^-24.
    p: u32,
}

impl Mix {
    pub(super) fn new(log2: u32) -> Self {
        let mut first = [0; LANES];
        first[..CONTEXTS].fill(FIRST_WEIGHT);
        let sets = |kind: usize, first: [i32; LANES]| Mixer::new(SETS[kind] * super::model::KINDS, &[first]);
        Self {
            log2,
            counters: vec![0; (CONTEXTS * NODES) << log2],
            mixers: [sets(0, first), sets(1, [0; LANES]), sets(2, [0; LANES])],
            stretch: logit::table(),
            rates: counter::rates(),
            found: [0; LANES],
        }
    }

    /// Bytes of that, about.
    pub(super) const fn bytes(log2: u32) -> u64 {
        (((CONTEXTS * NODES * 4) as u64) << log2) + ((SETS[0] + SETS[1] + SETS[2]) * super::model::KINDS * LANES * 4) as u64
    }

    /// Finds the lines of a number, or of a part of it that `salt` names.
    #[inline(always)]
    pub(super) fn find(&mut self, bases: &Bases, salt: u32) {
        let mut found = [0; LANES];
        for (found, hash) in found.iter_mut().zip(bases.hashes) {
            *found = spread(hash.wrapping_add(salt.wrapping_mul(0x9E37_79B9))) >> (32 - self.log2);
        }
        for (i, found) in found.iter_mut().enumerate() {
            *found = (*found | (i as u32) << self.log2) * NODES as u32;
        }
        self.found = found;
        #[cfg(target_arch = "x86_64")]
        for &found in &found[..CONTEXTS] {
            crate::adaptive::prefetch(&self.counters[found as usize]);
        }
    }

    /// Codes one decision: counter `nodes[0]` of each line, or `nodes[1]` where signs are told apart. `known` is how it falls, for an encoder.
    #[inline(always)]
    pub(super) fn decide(&mut self, bases: &Bases, nodes: [u32; 2], sets: [usize; 3], known: bool, coder: &mut impl Decide) -> Result<bool, Error> {
        let weighed = self.weigh(bases, nodes, sets);
        let up = coder.decide(weighed.p, known)?;
        self.learn(weighed, sets, up);
        Ok(up)
    }

    /// What counters and mixers make of a decision.
    #[inline(always)]
    fn weigh(&self, bases: &Bases, nodes: [u32; 2], sets: [usize; 3]) -> Weighed {
        let mut at = [0; LANES];
        for ((at, found), signed) in at.iter_mut().zip(self.found).zip(bases.signed) {
            *at = found + (nodes[0] & !signed | nodes[1] & signed);
        }
        let (mut counters, mut stretched) = ([0; LANES], [0; LANES]);
        for (counter, at) in counters.iter_mut().zip(at).take(CONTEXTS) {
            *counter = self.counters[at as usize];
        }
        for counter in &mut counters {
            *counter ^= NEW;
        }
        for (logit, counter) in stretched.iter_mut().zip(&counters).take(CONTEXTS) {
            *logit = i32::from(self.stretch[(counter >> 20) as usize]);
        }
        let mut inputs = [0; LANES];
        for ((input, logit), counter) in inputs.iter_mut().zip(stretched).zip(&counters) {
            *input = if counter & 1023 == 0 { 0 } else { logit };
        }
        inputs[CONTEXTS] = 64;
        let p = logit::probability(mixer::mix(&self.mixers, &sets, &inputs)).clamp(LEAST, (1 << 24) - LEAST);
        Weighed { at, counters, inputs, p }
    }

    /// Learns how a decision fell.
    #[inline(always)]
    fn learn(&mut self, weighed: Weighed, sets: [usize; 3], up: bool) {
        let error = ((if up { 1 << 24 } else { 0 }) - weighed.p.cast_signed()) >> 8;
        for (mixer, set) in self.mixers.iter_mut().zip(sets) {
            mixer.learn(set, &weighed.inputs, error);
        }
        let mut counters = weighed.counters;
        counter::learn(&mut counters, up, &self.rates, LIMIT);
        for (counter, at) in counters.into_iter().zip(weighed.at).take(CONTEXTS) {
            self.counters[at as usize] = counter ^ NEW;
        }
    }
}
