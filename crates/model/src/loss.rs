//! The training loss: bits of each sample under the mixture its head asks for, with the gradient, on the host.
//!
//! The formulas are those of [`kolmo_codec::cdf::Mixture`] in real numbers, so that what is learned is what is coded.
#![allow(clippy::needless_range_loop, reason = "one index runs through several arrays of components and spikes")]

pub mod lanes;

use std::f32::consts::LN_2;

use kolmo_codec::alphabet::Alphabet;

/// Steps that one unit of a mean output stands for.
pub const MEAN_STEPS: f32 = 16.0;

/// What a head's distribution is measured on.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The sample, in steps.
    pub sample: f32,
    /// What the means are relative to, in steps.
    pub reference: f32,
    /// Values of the spikes, in steps.
    pub spikes: &'a [f32],
}

/// Shape of the mixture and of the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Components.
    pub components: usize,
    /// Spikes.
    pub spikes: usize,
    /// The symbols.
    pub alphabet: Alphabet,
}

/// An alphabet in real numbers.
#[derive(Debug, Clone, Copy)]
struct Real {
    /// Half the width of a symbol, steps.
    half: f32,
    /// The largest sample, steps.
    highest: f32,
    /// Mass of each symbol whatever the network says.
    floor: f32,
    /// Mass that components and spikes share.
    shared: f32,
    /// Bounds of a log2 scale.
    scales: (f32, f32),
}

impl From<Alphabet> for Real {
    fn from(alphabet: Alphabet) -> Self {
        let width = (1u32 << alphabet.log2_width()) as f32 / 256.0;
        let (low, high) = alphabet.scale_bounds();
        Self {
            half: 0.5 * width,
            highest: (alphabet.size() - 1) as f32 * width,
            floor: alphabet.floor() as f32 / (1 << 24) as f32,
            shared: alphabet.weights() as f32 / (1 << 16) as f32,
            scales: (low as f32 / 4096.0, high as f32 / 4096.0),
        }
    }
}

/// Most components and spikes together.
const MOST: usize = 40;

/// Bits of one sample under a head's `outputs`; adds `weight` times the gradient of the bits to `gradient`.
///
/// `outputs` and `gradient` have `3 * components + spikes` values.
#[inline]
pub fn bits(shape: Shape, outputs: &[f32], target: &Target<'_>, weight: f32, gradient: &mut [f32]) -> f32 {
    let (k, parts) = (shape.components, shape.components + shape.spikes);
    let Real { half, highest, floor, shared, scales } = shape.alphabet.into();
    let sample = target.sample;
    let logit = |j: usize| if j < k { outputs[j] } else { outputs[2 * k + j] };
    let top = (0..parts).map(logit).fold(f32::MIN, f32::max);
    let mut share = [0f32; MOST];
    let mut mass = [0f32; MOST];
    let mut slopes = [(0f32, 0f32); MOST];
    let mut sum = 0.0;
    for j in 0..parts {
        share[j] = exp2(logit(j) - top);
        sum += share[j];
    }
    let mut mixed = 0.0;
    for j in 0..parts {
        share[j] /= sum;
        if j < k {
            let mean = target.reference + outputs[k + j] * MEAN_STEPS;
            let inverse = exp2(-outputs[2 * k + j].clamp(scales.0, scales.1));
            let (zu, zd) = ((sample + half - mean) * inverse, (sample - half - mean) * inverse);
            let (up, up_slope) = if sample >= highest { (1.0, 0.0) } else { logistic(zu) };
            let (down, down_slope) = if sample == 0.0 { (0.0, 0.0) } else { logistic(zd) };
            mass[j] = up - down;
            slopes[j] = (inverse * (down_slope - up_slope), zu * up_slope - zd * down_slope);
        } else {
            mass[j] = f32::from(u8::from(target.spikes[j - k] == sample));
        }
        mixed += share[j] * mass[j];
    }
    let whole = shared * mixed + floor;
    let factor = weight * shared / whole;
    for j in 0..parts {
        let by_logit = -factor * share[j] * (mass[j] - mixed);
        if j < k {
            gradient[j] += by_logit;
            gradient[k + j] -= factor / LN_2 * share[j] * slopes[j].0 * MEAN_STEPS;
            let scale = outputs[2 * k + j];
            let outward = (scale <= scales.0 && slopes[j].1 > 0.0) || (scale >= scales.1 && slopes[j].1 < 0.0);
            if !outward {
                gradient[2 * k + j] += factor * share[j] * slopes[j].1;
            }
        } else {
            gradient[2 * k + j] += by_logit;
        }
    }
    -whole.log2()
}

/// Logistic function and its slope.
#[inline]
fn logistic(z: f32) -> (f32, f32) {
    let e = exp2(-z.abs() / LN_2);
    let one = 1.0 / (1.0 + e);
    (if z < 0.0 { e * one } else { one }, e * one * one)
}

/// `2^x`, relative error below 3e-7 for `x` in -126..=126; 0 below, saturating above.
#[inline]
fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    let whole = (x + 12_582_912.0) - 12_582_912.0; // nearest whole number, by the rounding of 1.5 * 2^23
    let f = (x - whole) * LN_2;
    // Taylor series of e^f for |f| <= ln(2) / 2
    let p = 1.0 + f * (1.0 + f * (0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f / 720.0)))));
    p * f32::from_bits(((whole as i32 + 127) << 23).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_codec::cdf::Mixture;

    fn outputs(seed: u64, n: usize) -> Vec<f32> {
        let mut state = seed.wrapping_add(77);
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 / (1 << 24) as f32) * 3.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn bits_equal_the_integer_mixture() {
        for (bit_depth, resolution) in [(1, 0), (4, 0), (8, 0), (9, 0), (12, 2), (13, 0), (16, 4), (16, 7)] {
            let alphabet = Alphabet::new(bit_depth, resolution);
            let shape = Shape { components: 3, spikes: 2, alphabet };
            let width = (1u32 << alphabet.log2_width()) as f32 / 256.0;
            for seed in 0..300u32 {
                let outputs = outputs(seed.into(), 11);
                let integers: Vec<i32> = outputs.iter().map(|&o| (o * 4096.0).round() as i32).collect();
                let symbol = seed * 31 % alphabet.size();
                let spikes = [seed % alphabet.size(), symbol];
                // A plane's value, of which some are near the symbol.
                let reference = if seed % 2 == 0 { seed * 7 % 256 } else { ((symbol << alphabet.log2_scale()) + seed % 50).min(65_535) };
                let mut mixture = Mixture::new(alphabet, 3, 2);
                mixture.set(&integers, reference.cast_signed(), &spikes.map(|spike| spike as u16));
                let exact = 24.0 - f64::from(mixture.share(symbol as u16).1).log2();
                let reference = reference as f32 * crate::sample::steps_a_value(alphabet);
                let target = Target { sample: symbol as f32 * width, reference, spikes: &spikes.map(|spike| spike as f32 * width) };
                let bits = bits(shape, &outputs, &target, 0.0, &mut [0.0; 11]);
                // A symbol's mass is whole.
                assert!(
                    (f64::from(bits) - exact).abs() < if exact > 21.0 { 0.6 } else { 0.01 + (exact - 24.0).exp2() * 1.5 },
                    "{bit_depth} {seed}: {bits} {exact}"
                );
            }
        }
    }

    #[test]
    fn gradient_equals_finite_differences() {
        let shape = Shape { components: 3, spikes: 2, alphabet: Alphabet::from(8) };
        for seed in 0..40 {
            let outputs = outputs(seed, 11);
            let target = Target {
                sample: [0.0, 17.0, 120.0, 255.0][seed as usize % 4],
                reference: [3.0, 100.0, 250.0][seed as usize % 3],
                spikes: &[120.0, 17.0],
            };
            let mut gradient = [0.0; 11];
            bits(shape, &outputs, &target, 1.0, &mut gradient);
            for i in 0..11 {
                let at = |delta: f32| {
                    let mut moved = outputs.clone();
                    moved[i] += delta;
                    f64::from(bits(shape, &moved, &target, 0.0, &mut [0.0; 11]))
                };
                let numeric = (at(4e-3) - at(-4e-3)) / 8e-3;
                assert!((f64::from(gradient[i]) - numeric).abs() < 0.02 + 0.02 * numeric.abs(), "{seed} {i}: {} {numeric}", gradient[i]);
            }
        }
    }
}
