//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's constants.

use rayon::prelude::*;

use super::Groups;
use crate::classify::arch::Parameters;

/// Added to a variance, as PyTorch's default.
pub(crate) const EPSILON: f64 = 1e-5;
/// Share of the way that stored means move to a batch's in training, as PyTorch's default.
pub(crate) const MOMENTUM: f64 = 0.1;

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

/// Sum of a function of a row's numbers: sixteen sums side by side, so that they are vectors, each of few enough for 32-bit floats.
fn total(row: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 16;
    let mut sum = 0.0;
    for part in row.chunks(64 * LANES) {
        let (whole, rest) = part.as_chunks::<LANES>();
        let mut lanes = [0f32; LANES];
        for numbers in whole {
            for (lane, &x) in lanes.iter_mut().zip(numbers) {
                *lane += of(x);
            }
        }
        sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + rest.iter().map(|&x| f64::from(of(x))).sum::<f64>();
    }
    sum
}

/// Sums of a row's numbers and of their products with how far another row's lie from `mean`.
fn totals(flow: &[f32], from: &[f32], mean: f32) -> (f64, f64) {
    const LANES: usize = 16;
    let mut sums = (0.0, 0.0);
    for (flow, from) in flow.chunks(64 * LANES).zip(from.chunks(64 * LANES)) {
        let ((flows, last_flows), (froms, last_froms)) = (flow.as_chunks::<LANES>(), from.as_chunks::<LANES>());
        let (mut plain, mut products) = ([0f32; LANES], [0f32; LANES]);
        for (flow, from) in flows.iter().zip(froms) {
            for lane in 0..LANES {
                plain[lane] += flow[lane];
                products[lane] += (from[lane] - mean) * flow[lane];
            }
        }
        for (&flow, &from) in last_flows.iter().zip(last_froms) {
            sums.0 += f64::from(flow);
            sums.1 += f64::from((from - mean) * flow);
        }
        sums.0 += plain.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        sums.1 += products.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    sums
}

pub(super) fn measure(from: &Groups, counts: &[usize], pixels: usize, channels: usize) -> Statistics {
    let values = (counts.iter().sum::<usize>() * pixels).max(1) as f64;
    let sums = |of: &(dyn Fn(usize, &[f32]) -> f64 + Sync)| {
        let parts: Vec<Vec<f64>> = from
            .par_iter()
            .map(|group| {
                let width = (group.len() / channels.max(1)).max(1);
                group.chunks_exact(width).enumerate().map(|(channel, row)| of(channel, row)).collect()
            })
            .collect();
        let mut sum = vec![0.0; channels];
        for part in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        sum.iter_mut().for_each(|sum| *sum /= values);
        sum
    };
    let mean = sums(&|_, row| total(row, |x| x));
    let variance = sums(&|channel, row| {
        let mean = mean[channel] as f32;
        total(row, |x| (x - mean) * (x - mean))
    });
    Statistics { mean, variance, values }
}

/// Moves the stored mean and variance (of the population, as PyTorch keeps it) by a share of the way to the batch's.
pub(super) fn remember(parameters: &mut Parameters, gamma: usize, statistics: &Statistics, momentum: f64) {
    let population = statistics.values / (statistics.values - 1.0).max(1.0);
    for (place, new, factor) in [(gamma + 2, &statistics.mean, 1.0), (gamma + 3, &statistics.variance, population)] {
        for (stored, new) in parameters[place].iter_mut().zip(new) {
            *stored += (momentum * (new * factor - f64::from(*stored))) as f32;
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
            rows.map(|((from, flow), &mean)| totals(flow, from, mean as f32)).collect()
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
