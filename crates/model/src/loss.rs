//! The training loss: bits of each sample under the mixture its head asks for, with the gradient, on the host.
//!
//! The formulas are those of [`kolmo_codec::cdf::Mixture`] in real numbers, so that what is learned is what is coded.
#![allow(clippy::needless_range_loop, reason = "one index runs through several arrays of components and spikes")]

pub mod lanes;

use std::f32::consts::LN_2;

/// Mass that components and spikes share; the rest is the alphabet's floor.
const SHARED: f32 = 1.0 - 1.0 / 4096.0;
/// Bounds of a log2 scale.
const SCALES: (f32, f32) = (-6.0, 7.5);
/// Steps of 8-bit samples that one unit of a mean output stands for.
pub const MEAN_STEPS: f32 = 16.0;

/// What a head's distribution is measured on.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The sample, in 8-bit steps.
    pub sample: u8,
    /// What the means are relative to, in 8-bit steps.
    pub reference: f32,
    /// Values of the spikes, in 8-bit steps.
    pub spikes: &'a [u8],
}

/// Shape of the mixture and of the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Components.
    pub components: usize,
    /// Spikes.
    pub spikes: usize,
    /// Bits of a sample.
    pub bit_depth: u8,
}

/// Most components and spikes together.
const MOST: usize = 40;

/// Bits of one sample under a head's `outputs`; adds `weight` times the gradient of the bits to `gradient`.
///
/// `outputs` and `gradient` have `3 * components + spikes` values.
#[inline]
pub fn bits(shape: Shape, outputs: &[f32], target: &Target<'_>, weight: f32, gradient: &mut [f32]) -> f32 {
    let (k, parts) = (shape.components, shape.components + shape.spikes);
    let log2_scale = 8 - shape.bit_depth;
    let half = 0.5 * f32::from(1u16 << log2_scale);
    let sample = f32::from(target.sample);
    let highest = f32::from(255u8 >> log2_scale << log2_scale);
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
            let inverse = exp2(-outputs[2 * k + j].clamp(SCALES.0, SCALES.1));
            let (zu, zd) = ((sample + half - mean) * inverse, (sample - half - mean) * inverse);
            let (up, up_slope) = if sample >= highest { (1.0, 0.0) } else { logistic(zu) };
            let (down, down_slope) = if target.sample == 0 { (0.0, 0.0) } else { logistic(zd) };
            mass[j] = up - down;
            slopes[j] = (inverse * (down_slope - up_slope), zu * up_slope - zd * down_slope);
        } else {
            mass[j] = f32::from(u8::from(target.spikes[j - k] == target.sample));
        }
        mixed += share[j] * mass[j];
    }
    let whole = SHARED * mixed + 1.0 / 4096.0 / f32::from(1u16 << shape.bit_depth);
    let factor = weight * SHARED / whole;
    for j in 0..parts {
        let by_logit = -factor * share[j] * (mass[j] - mixed);
        if j < k {
            gradient[j] += by_logit;
            gradient[k + j] -= factor / LN_2 * share[j] * slopes[j].0 * MEAN_STEPS;
            let scale = outputs[2 * k + j];
            let outward = (scale <= SCALES.0 && slopes[j].1 > 0.0) || (scale >= SCALES.1 && slopes[j].1 < 0.0);
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
        for bit_depth in [1u8, 4, 8] {
            let shape = Shape { components: 3, spikes: 2, bit_depth };
            let unit = 1u8 << (8 - bit_depth);
            for seed in 0..300u64 {
                let outputs = outputs(seed, 11);
                let integers: Vec<i32> = outputs.iter().map(|&o| (o * 4096.0).round() as i32).collect();
                let symbol = (seed * 31 % (1 << bit_depth)) as u8;
                let spikes = [(seed % (1 << bit_depth)) as u8, symbol];
                let reference = (seed * 7 % 256) as i32;
                let mut mixture = Mixture::new(bit_depth, 3, 2);
                mixture.set(&integers, reference, &spikes);
                let exact = 24.0 - f64::from(mixture.share(symbol).1).log2();
                let target = Target { sample: symbol * unit, reference: reference as f32, spikes: &spikes.map(|spike| spike * unit) };
                let bits = bits(shape, &outputs, &target, 0.0, &mut [0.0; 11]);
                assert!((f64::from(bits) - exact).abs() < 0.01, "{bit_depth} {seed}: {bits} {exact}");
            }
        }
    }

    #[test]
    fn gradient_equals_finite_differences() {
        let shape = Shape { components: 3, spikes: 2, bit_depth: 8 };
        for seed in 0..40 {
            let outputs = outputs(seed, 11);
            let target =
                Target { sample: [0, 17, 120, 255][seed as usize % 4], reference: [3.0, 100.0, 250.0][seed as usize % 3], spikes: &[120, 17] };
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
