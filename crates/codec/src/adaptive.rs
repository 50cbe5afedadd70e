//! Adaptive coding: the Program's distribution walked as binary decisions, each mixed with what this block has shown so far.
//!
//! A symbol is reached by halving the alphabet, highest bit first. At each halving the Program says how likely the upper half is; a linear
//! predictor that learns from every sample says it too; and counters under hashed contexts of exact values remember how such decisions
//! fell before. A logistic mixer weighs them by what they earned. All state is integers and begins anew with each block, so that every
//! machine walks the same way. After PAQ (Mahoney, 2005) and its image models; `FORMAT.md` holds it in full.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tables are as large as their indices, planes are checked before the walk, and ranges of sums are stated beside them"
)]

mod context;
mod counter;
mod lms;
mod logit;
mod mixer;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::cdf::Mixture;
use crate::context::{MAX_CHANNELS, Plane};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;
use context::{CONTEXTS, Neighbours};
use counter::{Slot, Table};
use lms::{Expert, Lms, TAPS};
use mixer::{INPUTS, Mixer, ONE};

/// Columns to the right that contexts and taps look at in the row above; none looks further in higher rows.
pub(crate) const REACH: usize = 2;

/// A sample about to be coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) plane: &'a Plane,
    /// Number of the image in its block.
    pub(crate) image: usize,
    pub(crate) y: usize,
    pub(crate) x: usize,
    /// Channel, in coding order.
    pub(crate) c: usize,
    /// Base of the channel, 8-bit.
    pub(crate) base: i32,
}

/// Codes one decision of probability `p` (that it falls upwards, unit 2^-24); `middle` is the lowest symbol of the upper half.
pub(crate) trait Decide {
    fn decide(&mut self, p: u32, middle: u32) -> Result<bool, Error>;
}

/// What a block has shown so far.
#[derive(Debug)]
pub(crate) struct Adaptive {
    depth: u32,
    /// Whether the instructions of [`x86`] are to be used.
    #[cfg(target_arch = "x86_64")]
    vectors: bool,
    stretch: Vec<i16>,
    rates: Vec<u32>,
    table: Table,
    mixers: [Mixer; 3],
    /// One a channel.
    predictors: [Lms; MAX_CHANNELS],
    /// For each image the predictor's absolute errors, unit 1/16, shape `[height, width, channels]`.
    errors: Vec<Vec<u16>>,
}

/// Odds beyond 2^13 to 1 are coded as the Program says, and nothing learns from them: most upper bits are sure.
const SURE: u32 = 13;
/// Bound of a mixed probability: 2^-15 either way.
const LEAST: u32 = 1 << 9;
/// First weight of the counters' log-odds, unit 2^-16; the Program's is 1, all others 0.
const FIRST_COUNTER_WEIGHT: i32 = 8000;
/// Levels of a tree of decisions that share a slot.
const SLOT_LEVELS: u32 = 4;

impl Adaptive {
    /// State before the first sample of a block, paid for out of `budget`.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only x86-64 has a choice of instructions"))]
    pub(crate) fn new(kernel: Kernel, planes: &[Plane], depth: u8, budget: &mut Budget) -> Result<Self, Error> {
        let samples = planes.iter().map(|plane| plane.samples.len() as u64).sum::<u64>();
        // A sixteenth of the samples: emoji and Kodak lose 0.4 % against four times as many.
        let log2_slots = (samples.max(1).next_power_of_two().ilog2().saturating_sub(4)).clamp(6, 17);
        budget.take("errors of a block", samples, 2)?;
        budget.take("counters of a block", (CONTEXTS as u64) << log2_slots, size_of::<Slot>() as u64)?;
        let mut first = [0; INPUTS];
        first[0] = ONE;
        first[3..].iter_mut().step_by(2).take(CONTEXTS).for_each(|weight| *weight = FIRST_COUNTER_WEIGHT);
        Ok(Self {
            depth: depth.into(),
            #[cfg(target_arch = "x86_64")]
            vectors: kernel != Kernel::Scalar && x86::has(),
            stretch: logit::table(),
            rates: counter::rates(),
            table: Table::new(CONTEXTS, log2_slots),
            mixers: [Mixer::new(MAX_CHANNELS * 32, first), Mixer::new(MAX_CHANNELS * 256, [0; INPUTS]), Mixer::new(MAX_CHANNELS * 256, [0; INPUTS])],
            predictors: [const { Lms::NEW }; MAX_CHANNELS],
            errors: planes.iter().map(|plane| vec![0; plane.samples.len()]).collect(),
        })
    }

    /// Codes one symbol: `decide` is asked for each decision.
    #[inline]
    pub(crate) fn code(&mut self, mixture: &Mixture, place: &Place<'_>, decide: &mut impl Decide) -> Result<u8, Error> {
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            return x86::code(self, mixture, place, decide);
        }
        self.code_plain(mixture, place, decide)
    }

    #[inline(always)]
    fn code_plain(&mut self, mixture: &Mixture, place: &Place<'_>, decide: &mut impl Decide) -> Result<u8, Error> {
        let Place { plane, c, .. } = *place;
        let near = Neighbours::new(place);
        let mut taps = [0; TAPS];
        near.taps(place, &mut taps);
        let predicted = self.predictors[c].predict(&taps);
        let expert = Expert::new((place.base * 16 + predicted).clamp(0, 255 * 16), near.spread(place, &self.errors[place.image]));
        let centre = i32::from(mixture.centre());
        let activity = near.activity(c);
        let equal = near.equal(c);
        let apart = ((expert.mean - centre * 16).abs() >> 4).min(7) as usize;
        let hashes = near.hashes(place, centre);

        let log2_scale = 8 - self.depth;
        let (mut low, mut high) = (0u32, 1u32 << self.depth);
        let (mut low_mass, mut high_mass) = (0u32, 1u32 << 24);
        let mut expert_mass = (0u32, 1u32 << 24);
        let mut slots = [0usize; CONTEXTS];
        let mut found = false;
        let mut node = 1usize;
        for level in 0..self.depth {
            if level == SLOT_LEVELS {
                (found, node) = (false, 1);
            }
            let middle = u32::midpoint(low, high);
            let mass = mixture.mass_below(middle);
            let (yes, no) = (high_mass - mass, mass - low_mass);
            let expert_middle = expert.below((middle << log2_scale).cast_signed()).clamp(expert_mass.0, expert_mass.1);
            let up = if yes >> SURE > no || no >> SURE > yes {
                let p = (u64::from(yes) << 24) / u64::from(yes + no);
                decide.decide((p as u32).clamp(1, (1 << 24) - 1), middle)?
            } else {
                if !found {
                    let salt = if level < SLOT_LEVELS { 0 } else { low + 1 };
                    self.table.find(&hashes, salt, &mut slots);
                    found = true;
                }
                let mut inputs = [0i32; INPUTS];
                inputs[0] = logit::of_masses(yes, no);
                inputs[1] = 64;
                inputs[2] = logit::of_masses(expert_mass.1 - expert_middle + 16, expert_middle - expert_mass.0 + 16).clamp(-2047, 2047);
                for (pair, &slot) in inputs[3..].chunks_exact_mut(2).zip(&slots) {
                    (pair[0], pair[1]) = self.table.logits(slot, node, &self.stretch);
                }
                let by_level = c * 256 + level as usize * 32;
                let sure = (inputs[0].abs() >> 8).min(3) as usize;
                let sets = [c * 32 + level as usize * 4 + activity, by_level + equal, by_level + apart * 4 + sure];
                let sum: i32 = self.mixers.iter().zip(sets).map(|(mixer, set)| mixer.dot(set, &inputs)).sum();
                let p = logit::probability(sum >> 12).clamp(LEAST, (1 << 24) - LEAST);
                let up = decide.decide(p, middle)?;
                let error = ((i32::from(up) << 24) - p.cast_signed()) >> 8;
                for (mixer, set) in self.mixers.iter_mut().zip(sets) {
                    mixer.learn(set, &inputs, error);
                }
                for &slot in &slots {
                    self.table.learn(slot, node, up, &self.rates);
                }
                up
            };
            if up {
                (low, low_mass, expert_mass.0) = (middle, mass, expert_middle);
            } else {
                (high, high_mass, expert_mass.1) = (middle, mass, expert_middle);
            }
            node = node * 2 + usize::from(up);
        }
        let error = ((low << log2_scale).cast_signed() - place.base) * 16 - predicted;
        self.predictors[c].learn(&taps, error);
        let at = (place.y * plane.width + place.x) * plane.channels + c;
        self.errors[place.image][at] = error.unsigned_abs().min(4095) as u16;
        Ok(low as u8)
    }
}

#[cfg(test)]
mod tests;
