//! Where each symbol's share of probability begins: a mixture of logistics plus mass on exact values, in integers.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use crate::tables::{EXP2_NEG, LOGISTIC};

/// Bits of a probability; the whole mass is `1 << PRECISION`.
pub const PRECISION: usize = 24;

/// Mass that every alphabet shares evenly, whatever the Program says: 2^-12, so that no symbol is impossible.
const FLOOR: u32 = 1 << 12;
/// Sum of the weights that components and spikes share; `WEIGHTS << 8` plus `FLOOR` is the whole mass.
const WEIGHTS: u32 = (1 << 16) - 16;
/// Bounds of a log2 scale, unit 2^-12: logistics of scale 2^-6 to 2^7.5 steps.
const SCALE_BOUNDS: (i32, i32) = (-6 << 12, 15 << 11);
/// Bounds of a mean, unit 2^-8 of an 8-bit step: far outside the alphabet, and safe to multiply.
const MEAN_BOUNDS: (i32, i32) = (-(1 << 18), 1 << 18);

/// Most components and spikes a mixture may have.
pub(crate) const MAX_PARTS: usize = 32 + 255;

/// The distribution of one symbol.
///
/// - alphabet: `0..2^bit_depth`, seen as the 8-bit values `v << (8 - bit_depth)`
/// - unit: 2^-24 of a probability
/// - holds: `mass_below(0) == 0`, strictly rising, `mass_below(alphabet) == 1 << 24`
///
/// Nothing is tabulated: mass below any symbol is computed on demand, so encoding takes two evaluations and decoding a bisection.
#[derive(Debug, Clone)]
pub struct Mixture {
    bit_depth: u8,
    components: usize,
    spikes: usize,
    parts: [Part; MAX_PARTS],
}

/// A component (weight, mean, scale) or a spike (weight, value).
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Unit 2^-16.
    weight: u32,
    /// Mean of a component, unit 2^-8 of an 8-bit step; symbol of a spike.
    place: i32,
    /// 2^16 times the fractional part of the inverse scale.
    mantissa: u32,
    /// Bits by which the product with the mantissa falls to unit 2^-13.
    shift: u32,
}

impl Mixture {
    /// An empty mixture for samples of `bit_depth` bits, to be set by [`Mixture::set`].
    #[must_use]
    pub fn new(bit_depth: u8, components: usize, spikes: usize) -> Self {
        assert!((1..=8).contains(&bit_depth) && components + spikes <= MAX_PARTS);
        Self { bit_depth, components, spikes, parts: [Part::default(); MAX_PARTS] }
    }

    /// Sets it from a head's outputs (unit 2^-12), the value its means are relative to (8-bit steps) and the values of the spikes (symbols).
    ///
    /// `outputs` is laid out as [`crate::program::Head::out`] says.
    #[inline]
    pub fn set(&mut self, outputs: &[i32], reference: i32, spikes: &[u8]) {
        let (k, s) = (self.components, self.spikes);
        let (components, spike_parts) = self.parts[..k + s].split_at_mut(k);
        for (i, part) in components.iter_mut().enumerate() {
            part.weight = outputs[i].cast_unsigned();
            part.place = ((reference << 8).saturating_add(outputs[k + i])).clamp(MEAN_BOUNDS.0, MEAN_BOUNDS.1);
            let scale = outputs[2 * k + i].clamp(SCALE_BOUNDS.0, SCALE_BOUNDS.1) >> 4; // unit 2^-8
            part.mantissa = EXP2_NEG[(scale & 255) as usize];
            part.shift = (11 + (scale >> 8)).cast_unsigned();
        }
        for ((part, &output), &value) in spike_parts.iter_mut().zip(&outputs[3 * k..]).zip(spikes) {
            part.weight = output.cast_unsigned();
            part.place = value.into();
        }
        share(&mut self.parts[..k + s]);
    }

    /// Mass of all symbols below `symbol`, `0..=2^bit_depth`.
    #[inline]
    #[must_use]
    pub fn mass_below(&self, symbol: u32) -> u32 {
        let (components, spikes) = self.parts[..self.components + self.spikes].split_at(self.components);
        let alphabet = 1u32 << self.bit_depth;
        let mut mass = symbol * (FLOOR >> self.bit_depth);
        for spike in spikes {
            if symbol > spike.place.cast_unsigned() {
                mass += spike.weight << 8;
            }
        }
        if symbol == 0 {
            return 0;
        }
        let log2_scale = 8 - self.bit_depth;
        // The edge below `symbol`, half a symbol's width under it, unit 2^-8 of an 8-bit step.
        let edge = (symbol << (8 + log2_scale)).cast_signed() - (128 << log2_scale);
        let mixed: u64 =
            components.iter().map(|part| u64::from(part.weight) * if symbol >= alphabet { 1 << 24 } else { u64::from(part.logistic(edge)) }).sum();
        mass + (mixed >> 16) as u32
    }

    /// Mean of the distribution, in whole 8-bit steps, `0..=255`.
    #[inline]
    #[must_use]
    pub fn centre(&self) -> u8 {
        let (components, spikes) = self.parts[..self.components + self.spikes].split_at(self.components);
        let log2_scale = 8 - self.bit_depth;
        // Weights sum to less than 2^16 and places are below 2^16: 32 bits hold each product's sum but for the sign.
        let means: u32 = components.iter().map(|part| part.weight * part.place.clamp(0, 255 << 8).cast_unsigned()).sum();
        let exact: u32 = spikes.iter().map(|part| part.weight * (part.place.cast_unsigned() << (8 + log2_scale))).sum();
        ((means + exact) >> 24) as u8
    }

    /// Start and width of a symbol's share.
    #[inline]
    #[must_use]
    pub fn share(&self, symbol: u8) -> (u32, u32) {
        let left = self.mass_below(symbol.into());
        (left, self.mass_below(u32::from(symbol) + 1) - left)
    }

    /// The symbol whose share holds `quantile` (below `1 << 24`), with the share's start and width.
    #[inline]
    #[must_use]
    pub fn find(&self, quantile: u32) -> (u8, u32, u32) {
        let (mut low, mut high) = ((0, 0), (1u32 << self.bit_depth, 1u32 << PRECISION));
        while high.0 - low.0 > 1 {
            let middle = (low.0 + high.0) / 2;
            let mass = self.mass_below(middle);
            if mass <= quantile {
                low = (middle, mass);
            } else {
                high = (middle, mass);
            }
        }
        (low.0 as u8, low.1, high.1 - low.1)
    }
}

impl Part {
    /// The component's logistic function at `edge`, unit 2^-24.
    #[inline]
    fn logistic(&self, edge: i32) -> u32 {
        // |edge - place| < 2^19 and mantissa <= 2^16; unit 2^-13, limited to +-12.
        let z = ((i64::from(edge - self.place) * i64::from(self.mantissa)) >> self.shift).clamp(-12 << 13, 12 << 13) as i32;
        let upper = upper_logistic(z.unsigned_abs());
        if z < 0 { (1 << 24) - upper } else { upper }
    }
}

/// Logistic function of `z >= 0` (unit 2^-13, at most 12), linear between entries of the table.
#[inline]
pub(crate) fn upper_logistic(z: u32) -> u32 {
    let (index, fraction) = ((z >> 8) as usize, z & 255);
    let low = LOGISTIC[index];
    let high = LOGISTIC[(index + 1).min(LOGISTIC.len() - 1)];
    low + (((high - low) * fraction) >> 8)
}

/// Turns log2 weights (unit 2^-12, as `i32` in `weight`) into weights that sum to `WEIGHTS`.
#[inline]
fn share(parts: &mut [Part]) {
    let Some(best) = (0..parts.len()).rev().max_by_key(|&i| parts[i].weight.cast_signed()) else { return };
    let top = i64::from(parts[best].weight.cast_signed());
    let mut sum = 0u32;
    for part in parts.iter_mut() {
        let below = (top - i64::from(part.weight.cast_signed())) >> 4; // unit 2^-8
        part.weight = if below >= 20 << 8 { 0 } else { EXP2_NEG[(below & 255) as usize] >> (below >> 8) };
        sum += part.weight;
    }
    let mut left = WEIGHTS;
    for part in parts.iter_mut() {
        part.weight = (u64::from(part.weight) * u64::from(WEIGHTS) / u64::from(sum)) as u32;
        left -= part.weight;
    }
    parts[best].weight += left;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(seed: u64, n: usize, spread: i32) -> Vec<i32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as i32
        };
        (0..n).map(|_| next() % spread).collect()
    }

    #[test]
    fn strictly_rising_and_whole_for_any_outputs() {
        for bit_depth in 1..=8u8 {
            for seed in 0..60 {
                for spread in [100, 40_000, 1 << 20, i32::MAX] {
                    let mut mixture = Mixture::new(bit_depth, 3, 4);
                    let spikes: Vec<u8> = (0..4u8).map(|i| ((seed as u8).wrapping_mul(37 + i)) >> (8 - bit_depth)).collect();
                    mixture.set(&outputs(seed, 13, spread), (seed % 256) as i32, &spikes);
                    let alphabet = 1 << bit_depth;
                    let mass: Vec<u32> = (0..=alphabet).map(|symbol| mixture.mass_below(symbol)).collect();
                    assert_eq!((mass[0], mass[alphabet as usize]), (0, 1 << 24));
                    assert!(mass.windows(2).all(|pair| pair[0] < pair[1]), "{mass:?}");
                    for symbol in 0..alphabet {
                        let (left, width) = mixture.share(symbol as u8);
                        for quantile in [left, left + width - 1] {
                            assert_eq!(mixture.find(quantile), (symbol as u8, left, width));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn one_component_is_a_discretised_logistic() {
        let mut mixture = Mixture::new(8, 1, 0);
        mixture.set(&[0, 5 << 8, 3 << 12], 100, &[]); // mean 105, scale 8
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        for symbol in 20..190u8 {
            // within +-11 scales of the mean, where the table has not ended
            let (_, width) = mixture.share(symbol);
            let ideal = sigmoid((f64::from(symbol) + 0.5 - 105.0) / 8.0) - sigmoid((f64::from(symbol) - 0.5 - 105.0) / 8.0);
            let expected = ideal * (1.0 - 1.0 / 4096.0) + 1.0 / 4096.0 / 256.0;
            let expected = expected * f64::from(1 << 24);
            assert!((f64::from(width) - expected).abs() < 2e-3 * expected + 3.0, "{symbol}: {width} {expected}");
        }
    }
}
