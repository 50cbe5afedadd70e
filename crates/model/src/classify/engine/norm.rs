//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's constants.

use rayon::prelude::*;

use super::Groups;
use crate::classify::arch::Parameters;

/// Added to a variance, as PyTorch's default.
pub(crate) const EPSILON: f64 = 1e-5;
/// Share of the way that stored means move to a batch's, as PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Mean and variance of each channel of a batch.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    mean: Vec<f64>,
    /// Of the batch itself (divided by the number of values).
    variance: Vec<f64>,
    values: f64,
}

/// `x * factor + offset` of each channel.
pub(super) struct Scale {
    factor: Vec<f32>,
    offset: Vec<f32>,
}

pub(super) fn measure(from: &Groups, counts: &[usize], pixels: usize, channels: usize) -> Statistics {
    let values = (counts.iter().sum::<usize>() * pixels).max(1) as f64;
    let sums = |of: &(dyn Fn(usize, f32) -> f64 + Sync)| {
        let parts: Vec<Vec<f64>> = from
            .par_iter()
            .map(|group| {
                let width = (group.len() / channels.max(1)).max(1);
                // eight sums side by side, so that they can be vectors
                let row = |(channel, row): (usize, &[f32])| row.iter().map(|&x| of(channel, x)).sum();
                group.chunks_exact(width).enumerate().map(row).collect()
            })
            .collect();
        let mut sum = vec![0.0; channels];
        for part in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        sum.iter_mut().for_each(|sum| *sum /= values);
        sum
    };
    let mean = sums(&|_, x| f64::from(x));
    let variance = sums(&|channel, x| (f64::from(x) - mean[channel]).powi(2));
    Statistics { mean, variance, values }
}

/// Moves the stored mean and variance (of the population, as PyTorch keeps it) towards the batch's.
pub(super) fn remember(parameters: &mut Parameters, gamma: usize, statistics: &Statistics) {
    let population = statistics.values / (statistics.values - 1.0).max(1.0);
    for (place, new, factor) in [(gamma + 2, &statistics.mean, 1.0), (gamma + 3, &statistics.variance, population)] {
        for (stored, new) in parameters[place].iter_mut().zip(new) {
            *stored += (MOMENTUM * (new * factor - f64::from(*stored))) as f32;
        }
    }
}

fn scale(mean: impl Iterator<Item = f64>, variance: impl Iterator<Item = f64>, gamma: &[f32], beta: &[f32]) -> Scale {
    let channels = mean.zip(variance).zip(gamma.iter().zip(beta)).map(|((mean, variance), (&gamma, &beta))| {
        let factor = f64::from(gamma) / (variance + EPSILON).sqrt();
        (factor as f32, (f64::from(beta) - mean * factor) as f32)
    });
    let (factor, offset) = channels.unzip();
    Scale { factor, offset }
}

pub(super) fn stored(parameters: &Parameters, gamma: usize) -> Scale {
    let double = |place: usize| parameters[place].iter().map(|&value| f64::from(value));
    scale(double(gamma + 2), double(gamma + 3), &parameters[gamma], &parameters[gamma + 1])
}

pub(super) fn of_batch(parameters: &Parameters, gamma: usize, statistics: &Statistics) -> Scale {
    scale(statistics.mean.iter().copied(), statistics.variance.iter().copied(), &parameters[gamma], &parameters[gamma + 1])
}

pub(super) fn apply(scale: &Scale, from: &[f32], width: usize, relu: bool) -> Vec<f32> {
    let mut out = from.to_vec();
    for ((row, &factor), &offset) in out.chunks_exact_mut(width.max(1)).zip(&scale.factor).zip(&scale.offset) {
        if relu {
            row.iter_mut().for_each(|x| *x = (*x * factor + offset).max(0.0));
        } else {
            row.iter_mut().for_each(|x| *x = *x * factor + offset);
        }
    }
    out
}

/// Gradients of the input, and of factor and offset.
pub(super) fn backward(statistics: &Statistics, gamma: &[f32], from: &Groups, flow: &Groups, channels: usize) -> (Groups, [Vec<f32>; 2]) {
    let deviation: Vec<f64> = statistics.variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
    let parts: Vec<Vec<(f64, f64)>> = from
        .par_iter()
        .zip(flow)
        .map(|(from, flow)| {
            let width = (from.len() / channels.max(1)).max(1);
            let rows = from.chunks_exact(width).zip(flow.chunks_exact(width)).zip(&statistics.mean);
            rows.map(|((from, flow), &mean)| {
                let mean = mean as f32;
                let (mut sum, mut product) = (0f64, 0f64);
                for (from, flow) in from.chunks(256).zip(flow.chunks(256)) {
                    sum += f64::from(flow.iter().sum::<f32>());
                    product += f64::from(from.iter().zip(flow).map(|(x, flow)| (x - mean) * flow).sum::<f32>());
                }
                (sum, product)
            })
            .collect()
        })
        .collect();
    let mut sums = vec![(0.0, 0.0); channels];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum = (sum.0 + part.0, sum.1 + part.1));
    }
    // back = gamma / deviation * (flow - mean of flow - (x - mean) / deviation^2 * mean of flow * (x - mean))
    let rows: Vec<[f32; 3]> = (0..channels)
        .map(|c| {
            let factor = f64::from(gamma[c]) * deviation[c];
            let slope = -factor * deviation[c] * deviation[c] * sums[c].1 / statistics.values;
            let level = -factor * sums[c].0 / statistics.values - slope * statistics.mean[c];
            [factor as f32, slope as f32, level as f32]
        })
        .collect();
    let back = from.par_iter().zip(flow).map(|(from, flow)| {
        let width = (from.len() / channels.max(1)).max(1);
        let mut back = flow.clone();
        for ((back, from), &[factor, slope, level]) in back.chunks_exact_mut(width).zip(from.chunks_exact(width)).zip(&rows) {
            back.iter_mut().zip(from).for_each(|(back, x)| *back = *back * factor + x * slope + level);
        }
        back
    });
    let of_gamma = sums.iter().zip(&deviation).map(|(sum, deviation)| (sum.1 * deviation) as f32).collect();
    let of_beta = sums.iter().map(|sum| sum.0 as f32).collect();
    (back.collect(), [of_gamma, of_beta])
}
