//! [`super::bits`] for sixteen pixels at a time, compiled for the instructions the machine has.
//!
//! Plain Rust over arrays of sixteen floats: the compiler turns each into vector code. Every lane does what the one-pixel function does, with
//! IEEE operations in the same order on every machine, so the build decides speed and never results.
#![allow(clippy::needless_range_loop, reason = "one index runs through several arrays of components and spikes")]
#![allow(unsafe_code, reason = "calls into a function compiled for other instructions, after asking whether the machine has them")]

use std::f32::consts::LN_2;

use super::{MEAN_STEPS, MOST, Real, Shape};

/// Pixels at a time.
pub const LANES: usize = 16;

/// One value a pixel.
pub type Lane = [f32; LANES];

/// What sixteen pixels' distributions are measured on.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Samples, in steps.
    pub samples: Lane,
    /// What the means are relative to, in steps.
    pub references: Lane,
    /// For each spike 1 where its value is the sample, else 0.
    pub hits: [Lane; 8],
}

impl Default for Targets {
    fn default() -> Self {
        Self { samples: [0.0; LANES], references: [0.0; LANES], hits: [[0.0; LANES]; 8] }
    }
}

/// Sum of bits of sixteen pixels; `gradient` becomes `weight` times its gradient by `outputs`.
///
/// `outputs` and `gradient` have shape `[16, 3 * components + spikes]`; at most 8 spikes and 12 components.
pub fn bits(shape: Shape, outputs: &[f32], targets: &Targets, weight: f32, gradient: &mut [f32]) -> f64 {
    let width = 3 * shape.components + shape.spikes;
    assert!(outputs.len() == LANES * width && gradient.len() == LANES * width);
    let mut columns = [[0f32; LANES]; MOST];
    for (l, row) in outputs.chunks_exact(width).enumerate() {
        for (column, &value) in columns.iter_mut().zip(row) {
            column[l] = value;
        }
    }
    let mut by = [[0f32; LANES]; MOST];
    let bits = bits_of_columns(shape, &columns, targets, weight, LANES, &mut by);
    for (l, row) in gradient.chunks_exact_mut(width).enumerate() {
        for (value, column) in row.iter_mut().zip(&by) {
            *value = column[l];
        }
    }
    bits
}

/// As [`bits`], output by output: `columns` and `by` hold sixteen pixels' values for each of `3 * components + spikes` outputs. Of the
/// pixels only the first `live` count; the others' gradient is 0.
pub fn bits_of_columns(shape: Shape, columns: &[Lane], targets: &Targets, weight: f32, live: usize, by: &mut [Lane]) -> f64 {
    let width = 3 * shape.components + shape.spikes;
    assert!(shape.components <= 12 && shape.spikes <= 8 && columns.len() >= width && by.len() >= width);
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the instructions exist, as just asked.
            return unsafe { bits_avx512(shape, columns, targets, weight, live, by) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the instructions exist, as just asked.
            return unsafe { bits_avx2(shape, columns, targets, weight, live, by) };
        }
    }
    body(shape, columns, targets, weight, live, by)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn bits_avx512(shape: Shape, columns: &[Lane], targets: &Targets, weight: f32, live: usize, by: &mut [Lane]) -> f64 {
    body(shape, columns, targets, weight, live, by)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn bits_avx2(shape: Shape, columns: &[Lane], targets: &Targets, weight: f32, live: usize, by: &mut [Lane]) -> f64 {
    body(shape, columns, targets, weight, live, by)
}

#[inline(always)]
fn map(f: impl Fn(usize) -> f32) -> Lane {
    let mut lane = [0.0; LANES];
    for (l, value) in lane.iter_mut().enumerate() {
        *value = f(l);
    }
    lane
}

#[inline(always)]
fn body(shape: Shape, columns: &[Lane], targets: &Targets, weight: f32, live: usize, by: &mut [Lane]) -> f64 {
    let (k, parts) = (shape.components, shape.components + shape.spikes);
    let Real { half, highest, floor, shared, scales: bounds } = shape.alphabet.into();
    let logit = |j: usize| if j < k { &columns[j] } else { &columns[2 * k + j] };
    let mut top = *logit(0);
    for j in 1..parts {
        let one = logit(j);
        top = map(|l| if one[l] > top[l] { one[l] } else { top[l] });
    }
    let mut share = [[0f32; LANES]; 20];
    let mut sum = [0f32; LANES];
    for j in 0..parts {
        let one = logit(j);
        share[j] = map(|l| exp2(one[l] - top[l]));
        sum = map(|l| sum[l] + share[j][l]);
    }
    let mut mass = [[0f32; LANES]; 20];
    let mut slopes = [[[0f32; LANES]; 2]; 12];
    let mut mixed = [0f32; LANES];
    for j in 0..parts {
        share[j] = map(|l| share[j][l] / sum[l]);
        if j < k {
            let (means, scales) = (&columns[k + j], &columns[2 * k + j]);
            let inverse = map(|l| exp2(-scales[l].clamp(bounds.0, bounds.1)));
            let mean = map(|l| targets.references[l] + means[l] * MEAN_STEPS);
            let zu = map(|l| (targets.samples[l] + half - mean[l]) * inverse[l]);
            let zd = map(|l| (targets.samples[l] - half - mean[l]) * inverse[l]);
            let (eu, ed) = (map(|l| exp2(-zu[l].abs() / LN_2)), map(|l| exp2(-zd[l].abs() / LN_2)));
            let (ou, od) = (map(|l| 1.0 / (1.0 + eu[l])), map(|l| 1.0 / (1.0 + ed[l])));
            let last = map(|l| if targets.samples[l] >= highest { 1.0 } else { 0.0 });
            let first = map(|l| if targets.samples[l] == 0.0 { 1.0 } else { 0.0 });
            let up = map(|l| {
                if last[l] > 0.0 {
                    1.0
                } else if zu[l] < 0.0 {
                    eu[l] * ou[l]
                } else {
                    ou[l]
                }
            });
            let down = map(|l| {
                if first[l] > 0.0 {
                    0.0
                } else if zd[l] < 0.0 {
                    ed[l] * od[l]
                } else {
                    od[l]
                }
            });
            let up_slope = map(|l| (1.0 - last[l]) * eu[l] * ou[l] * ou[l]);
            let down_slope = map(|l| (1.0 - first[l]) * ed[l] * od[l] * od[l]);
            mass[j] = map(|l| up[l] - down[l]);
            slopes[j] = [map(|l| inverse[l] * (down_slope[l] - up_slope[l])), map(|l| zu[l] * up_slope[l] - zd[l] * down_slope[l])];
        } else {
            mass[j] = targets.hits[j - k];
        }
        mixed = map(|l| mixed[l] + share[j][l] * mass[j][l]);
    }
    let whole = map(|l| shared * mixed[l] + floor);
    let factor = map(|l| if l < live { weight * shared / whole[l] } else { 0.0 });
    for j in 0..parts {
        by[if j < k { j } else { 2 * k + j }] = map(|l| -factor[l] * share[j][l] * (mass[j][l] - mixed[l]));
        if j < k {
            let scales = &columns[2 * k + j];
            let [by_mean, by_scale] = &slopes[j];
            by[k + j] = map(|l| -(factor[l] / LN_2 * share[j][l] * by_mean[l] * MEAN_STEPS));
            by[2 * k + j] = map(|l| {
                let outward = (scales[l] <= bounds.0 && by_scale[l] > 0.0) || (scales[l] >= bounds.1 && by_scale[l] < 0.0);
                if outward { 0.0 } else { factor[l] * share[j][l] * by_scale[l] }
            });
        }
    }
    // 2^-24 and more each: the product of sixteen stays far above the smallest f64.
    -whole[..live].iter().map(|&whole| f64::from(whole)).product::<f64>().log2()
}

/// As the one-pixel function's, without a float-to-integer conversion that would saturate lane by lane.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    let shifted = x + 12_582_912.0;
    let f = (x - (shifted - 12_582_912.0)) * LN_2;
    let p = 1.0 + f * (1.0 + f * (0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f / 720.0)))));
    // The low bits of `shifted` hold the whole part; moved into the exponent they scale by 2^whole.
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{self, Target};
    use crate::sample::Dice;
    use kolmo_codec::alphabet::Alphabet;

    #[test]
    fn sixteen_pixels_cost_what_they_cost_one_by_one() {
        let mut dice = Dice::new(2);
        for (components, spikes, bit_depth) in [(1, 0, 8), (4, 6, 8), (5, 2, 4), (3, 6, 1), (4, 6, 12), (3, 6, 16)] {
            let alphabet = Alphabet::new(bit_depth, 2);
            let shape = Shape { components, spikes, alphabet };
            let width = 3 * components + spikes;
            for _ in 0..50 {
                let outputs: Vec<f32> = (0..LANES * width).map(|_| dice.below(1 << 20) as f32 / (1 << 17) as f32 - 4.0).collect();
                let mut targets = Targets::default();
                let mut expected = (0.0, vec![0f32; LANES * width]);
                for l in 0..LANES {
                    let mut symbol = || (dice.below(1 << bit_depth) << alphabet.log2_width()) as f32 / 256.0;
                    let (sample, values) = (symbol(), [symbol(), symbol(), symbol(), symbol(), symbol(), symbol()]);
                    targets.samples[l] = sample;
                    targets.references[l] = values[0];
                    for (hit, &value) in targets.hits.iter_mut().zip(&values) {
                        hit[l] = f32::from(u8::from(value == sample));
                    }
                    let target = Target { sample, reference: values[0], spikes: &values[..spikes] };
                    let row = l * width..(l + 1) * width;
                    expected.0 += f64::from(loss::bits(shape, &outputs[row.clone()], &target, 0.5, &mut expected.1[row]));
                }
                let mut gradient = vec![0f32; LANES * width];
                let bits = bits(shape, &outputs, &targets, 0.5, &mut gradient);
                assert!((bits - expected.0).abs() < 1e-4 * expected.0 + 1e-3, "{bits} {}", expected.0);
                for (one, two) in gradient.iter().zip(&expected.1) {
                    assert!((one - two).abs() < 1e-4 + 2e-3 * two.abs(), "{one} {two}");
                }
            }
        }
    }
}
