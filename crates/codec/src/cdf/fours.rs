//! The symbols of four distributions searched for at once, each by a quantile of its own, by NEON.
//!
//! A probe evaluates each distribution at one symbol of its own. The first one is what a logistic of the heaviest part's mean and the mean scale would say; each next one
//! goes as far from the last as such a logistic needs for the log-odds between the mass that was found and the one that is wanted. Those are rough: they say
//! where to look, never what is there.
#![allow(unsafe_code, reason = "vector loads and stores, and instructions that every 64-bit ARM has; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use std::arch::aarch64::{
    int32x4_t, uint32x4_t, vabsq_s32, vaddq_s32, vaddq_u32, vandq_u32, vbicq_u32, vbslq_s32, vbslq_u32, vceqq_u32, vcgtq_u32, vcleq_u32, vcltzq_s32,
    vclzq_u32, vdupq_n_s32, vdupq_n_u32, vdupq_n_u64, vget_low_u32, vld1q_s32, vld1q_s64, vld1q_u32, vmaxq_s32, vmaxq_u32, vmaxvq_u32, vminq_s32,
    vmlal_high_u32, vmlal_u32, vmlaq_u32, vqdmulhq_s32, vreinterpretq_s32_u32, vreinterpretq_u32_s32, vshlq_n_u32, vshlq_u32, vshrn_high_n_u64,
    vshrn_n_u64, vshrq_n_u32, vst1q_u32, vsubq_s32, vsubq_u32,
};

use super::neon::logistic;
use super::{Found, GROUP, Mixture, PRECISION};
use crate::alphabet::Alphabet;
use crate::block::BATCH;

/// Probes that follow the shape of a distribution; those after them halve what is left.
const LEAPS: usize = 8;

/// The same component of four distributions: what [`Mixture`] holds of one.
#[derive(Debug, Clone, Copy, Default)]
struct Component {
    means: [i32; 4],
    mantissas: [i32; 4],
    /// Shifts to the left, none of them above 0.
    lefts: [i64; 4],
    weights: [u32; 4],
}

/// The same spike of four distributions.
#[derive(Debug, Clone, Copy, Default)]
struct Spike {
    values: [u32; 4],
    /// Unit 2^-24.
    masses: [u32; 4],
}

/// Where the search begins in four distributions.
#[derive(Debug, Clone, Copy, Default)]
struct Guess {
    likeliest: [i32; 4],
    /// By how many symbols log-odds of 1 (binary) go further, unit 2^-15.
    reaches: [i32; 4],
}

/// The distributions of a batch, four side by side.
#[derive(Debug)]
pub(super) struct Fours {
    alphabet: Alphabet,
    /// Shape `[BATCH / 4, components]`.
    components: Vec<Component>,
    /// Shape `[BATCH / 4, spikes]`.
    spikes: Vec<Spike>,
    guesses: [Guess; BATCH / 4],
    /// Distributions that are there.
    count: usize,
}

impl Fours {
    pub(super) fn new(alphabet: Alphabet, components: usize, spikes: usize) -> Self {
        Self {
            alphabet,
            components: vec![Component::default(); BATCH / 4 * components],
            spikes: vec![Spike::default(); BATCH / 4 * spikes],
            guesses: [Guess::default(); BATCH / 4],
            count: 0,
        }
    }

    /// Whether the first `count` are those that were put there last.
    pub(super) const fn hold(&self, count: usize) -> bool {
        count <= self.count
    }

    /// Forgets all.
    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }

    /// Puts distributions side by side, all of them of the numbers of parts that this was made for.
    pub(super) fn put(&mut self, mixtures: &[Mixture]) {
        let (components, spikes) = (self.components.len() / (BATCH / 4), self.spikes.len() / (BATCH / 4));
        for (number, mixture) in mixtures.iter().enumerate() {
            let (four, lane) = (number / 4, number % 4);
            let (weights, masses) = mixture.split_weights();
            let mut log2_scale = 0;
            for (i, to) in self.components[four * components..][..components].iter_mut().enumerate() {
                to.means[lane] = mixture.means[i];
                to.mantissas[lane] = mixture.mantissas[i].cast_signed();
                to.lefts[lane] = -i64::from(mixture.shifts[i]);
                to.weights[lane] = weights[i];
                // Unit 2^-8; between powers of two as if they lay on a line.
                let scale = ((mixture.shifts[i].cast_signed() - 11) << 8) + (((1 << 16) - mixture.mantissas[i].cast_signed()) >> 7);
                // Within 2^28.
                log2_scale += weights[i].cast_signed() * scale;
            }
            for (i, to) in self.spikes[four * spikes..][..spikes].iter_mut().enumerate() {
                (to.values[lane], to.masses[lane]) = (mixture.values[i], masses[i] << 8);
            }
            let guess = &mut self.guesses[four];
            guess.likeliest[lane] = mixture.likeliest().cast_signed();
            guess.reaches[lane] = reach(log2_scale >> 16, self.alphabet);
        }
        self.count = mixtures.len();
    }

    /// [`Mixture::find`] of the first `count` of a group, which is there; `from` is a multiple of [`GROUP`].
    pub(super) fn find_group(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        assert!(self.hold(from + count) && count <= GROUP);
        for at in (0..count).step_by(4) {
            let mut four = [quantiles[at], quantiles[at + 1], quantiles[at + 2], quantiles[at + 3]];
            let [lefts, widths] = self.find((from + at) / 4, (count - at).min(4), &mut four);
            found.symbols[at..][..4].iter_mut().zip(four).for_each(|(to, symbol)| *to = symbol as u16);
            found.lefts[at..][..4].copy_from_slice(&lefts);
            found.widths[at..][..4].copy_from_slice(&widths);
        }
    }

    /// Turns the quantiles of four distributions, of which the first `count` are wanted, into symbols, and tells where their shares begin and how wide they are.
    fn find(&self, four: usize, count: usize, quantiles: &mut [u32; 4]) -> [[u32; 4]; 2] {
        let shapes = Shapes { alphabet: self.alphabet, components: nth(&self.components, four), spikes: nth(&self.spikes, four) };
        let guess = &self.guesses[four];
        let [mut lefts, mut widths] = [[0; 4]; 2];
        // SAFETY: four numbers each are loaded and stored; the rest is arithmetic on registers.
        unsafe {
            let quantile = vld1q_u32(quantiles.as_ptr());
            let (one, size) = (vdupq_n_u32(1), vdupq_n_u32(self.alphabet.size()));
            // Symbols, and the masses below them: the one that is looked for is at least `low` and below `high`.
            let (mut low, mut high) = (vdupq_n_u32(0), size);
            let (mut left, mut right) = (vdupq_n_u32(0), vdupq_n_u32(1 << PRECISION));
            let mut open = vcgtq_u32(vdupq_n_u32(count as u32), vld1q_u32([0u32, 1, 2, 3].as_ptr()));
            let (wanted, reach) = (log_odds(quantile), vld1q_s32(guess.reaches.as_ptr()));
            let mut probe = leap(vld1q_s32(guess.likeliest.as_ptr()), wanted, reach, 0);
            probe = vminq_s32(vmaxq_s32(probe, vdupq_n_s32(1)), vdupq_n_s32(self.alphabet.size().cast_signed() - 1));
            let mut n = 0;
            loop {
                let symbol = vreinterpretq_u32_s32(probe);
                let mass = shapes.masses_below(symbol);
                let below = vcleq_u32(mass, quantile);
                let (raised, lowered) = (vandq_u32(open, below), vbicq_u32(open, below));
                (low, left) = (vbslq_u32(raised, symbol, low), vbslq_u32(raised, mass, left));
                (high, right) = (vbslq_u32(lowered, symbol, high), vbslq_u32(lowered, mass, right));
                let next = vaddq_u32(low, one);
                open = vbicq_u32(open, vceqq_u32(next, high));
                n += 1;
                if vmaxvq_u32(open) == 0 {
                    break;
                }
                probe = if n < LEAPS {
                    // At least to the next symbol.
                    let far = leap(probe, vsubq_s32(wanted, log_odds(mass)), reach, 1);
                    let before = vsubq_u32(high, one);
                    vminq_s32(vmaxq_s32(far, vreinterpretq_s32_u32(next)), vreinterpretq_s32_u32(before))
                } else {
                    vreinterpretq_s32_u32(vshrq_n_u32::<1>(vaddq_u32(low, high)))
                };
            }
            vst1q_u32(quantiles.as_mut_ptr(), low);
            vst1q_u32(lefts.as_mut_ptr(), left);
            vst1q_u32(widths.as_mut_ptr(), vsubq_u32(right, left));
        }
        [lefts, widths]
    }
}

/// The parts of one of the fours.
fn nth<T>(parts: &[T], four: usize) -> &[T] {
    let count = parts.len() / (BATCH / 4);
    &parts[four * count..][..count]
}

/// See [`Guess::reaches`]; `log2_scale` has unit 2^-8.
fn reach(log2_scale: i32, alphabet: Alphabet) -> i32 {
    // The natural logarithm of 2, unit 2^-8, times a power of two with its fraction as if it lay on a line: unit 2^-16 of a step.
    let steps = i64::from(177 * (256 + (log2_scale & 255)));
    // A step has 2^8 times 2^-8 step; a scale is at least 2^-6.
    let symbols = steps << (20 + (log2_scale >> 8)) >> (alphabet.log2_width() + 13);
    symbols.min(i32::MAX.into()) as i32
}

/// Four distributions, ready to be evaluated.
struct Shapes<'a> {
    alphabet: Alphabet,
    components: &'a [Component],
    spikes: &'a [Spike],
}

impl Shapes<'_> {
    /// [`Mixture::mass_below`] of each, for symbols other than the first and no end of the alphabet.
    #[inline(always)]
    fn masses_below(&self, symbols: uint32x4_t) -> uint32x4_t {
        // SAFETY: four numbers each are loaded; the rest is arithmetic on registers.
        unsafe {
            let log2_width = self.alphabet.log2_width();
            let edge = vsubq_s32(vreinterpretq_s32_u32(vshlq_u32(symbols, vdupq_n_s32(log2_width.cast_signed()))), vdupq_n_s32(1 << log2_width >> 1));
            let (mut lower, mut upper) = (vdupq_n_u64(0), vdupq_n_u64(0));
            for component in self.components {
                let left = [vld1q_s64(component.lefts.as_ptr()), vld1q_s64(component.lefts.as_ptr().add(2))];
                let apart = vsubq_s32(edge, vld1q_s32(component.means.as_ptr()));
                let below = logistic(apart, vld1q_s32(component.mantissas.as_ptr()), left);
                let weight = vld1q_u32(component.weights.as_ptr());
                lower = vmlal_u32(lower, vget_low_u32(below), vget_low_u32(weight));
                upper = vmlal_high_u32(upper, below, weight);
            }
            let mut masses = vmlaq_u32(vshrn_high_n_u64::<16>(vshrn_n_u64::<16>(lower), upper), symbols, vdupq_n_u32(self.alphabet.floor()));
            for spike in self.spikes {
                let above = vcgtq_u32(symbols, vld1q_u32(spike.values.as_ptr()));
                masses = vaddq_u32(masses, vandq_u32(above, vld1q_u32(spike.masses.as_ptr())));
            }
            masses
        }
    }
}

/// Roughly the binary logarithm of the odds of a mass (unit 2^-24), unit 2^-16.
#[inline(always)]
fn log_odds(mass: uint32x4_t) -> int32x4_t {
    // SAFETY: arithmetic on registers.
    unsafe {
        // Less 31: the first bit's number, and what follows it as if it were the fraction.
        let log2 = |mass: uint32x4_t| {
            let zeros = vclzq_u32(mass);
            let fraction = vshrq_n_u32::<16>(vshlq_u32(mass, vreinterpretq_s32_u32(vaddq_u32(zeros, vdupq_n_u32(1)))));
            vsubq_s32(vreinterpretq_s32_u32(fraction), vreinterpretq_s32_u32(vshlq_n_u32::<16>(zeros)))
        };
        let some = |mass: uint32x4_t| vmaxq_u32(mass, vdupq_n_u32(1));
        vsubq_s32(log2(some(mass)), log2(some(vsubq_u32(vdupq_n_u32(1 << PRECISION), mass))))
    }
}

/// `symbol` and as many more (or fewer) as `odds` reach, at least `least`.
#[inline(always)]
fn leap(symbol: int32x4_t, odds: int32x4_t, reach: int32x4_t, least: i32) -> int32x4_t {
    // SAFETY: arithmetic on registers.
    unsafe {
        // Twice the product's upper half: 2^-16 times 2^-15 times 2^-1.
        let far = vmaxq_s32(vqdmulhq_s32(vabsq_s32(odds), reach), vdupq_n_s32(least));
        vbslq_s32(vcltzq_s32(odds), vsubq_s32(symbol, far), vaddq_s32(symbol, far))
    }
}
