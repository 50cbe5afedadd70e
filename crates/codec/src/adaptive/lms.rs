//! Normalised least mean squares: a linear predictor that learns from every sample.
#![allow(clippy::arithmetic_side_effects, reason = "ranges stand beside the sums")]

use crate::cdf::upper_logistic;

/// Inputs of a predictor, each within +-255.
pub(crate) const TAPS: usize = 32;
/// Step size, unit 2^-16.
const RATE: i64 = 200;

/// Weights of unit 2^-16 on differences to the base, at most 2^20.
#[derive(Debug, Clone)]
pub(crate) struct Lms {
    weights: [i32; TAPS],
}

impl Lms {
    pub(crate) const NEW: Self = Self { weights: [0; TAPS] };

    /// Prediction of sample minus base, unit 1/16.
    #[inline(always)]
    pub(crate) fn predict(&self, taps: &[i32; TAPS]) -> i32 {
        // 32 products below 2^28 need 64 bits.
        let sum: i64 = self.weights.iter().zip(taps).map(|(&weight, &tap)| i64::from(weight * tap)).sum();
        (sum >> 12).clamp(-(16 << 9), 16 << 9) as i32
    }

    /// Learns from the error of the prediction, unit 1/16.
    #[inline(always)]
    pub(crate) fn learn(&mut self, taps: &[i32; TAPS], error: i32) {
        let power = taps.iter().map(|&tap| tap * tap).sum::<i32>() + 64;
        // The error is below 2^14, so a step is below 2^24; unit 2^-24 a step of a tap.
        let step = ((i64::from(error) * RATE) << 8) / i64::from(power);
        for (weight, &tap) in self.weights.iter_mut().zip(taps) {
            let change = (step * i64::from(tap) + (1 << 11)) >> 12;
            *weight = (i64::from(*weight) + change).clamp(-(1 << 20), 1 << 20) as i32;
        }
    }
}

/// A logistic around a prediction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expert {
    /// Unit 1/16 of an 8-bit step.
    pub(crate) mean: i32,
    /// `2^21 / scale`, scale of unit 1/16.
    inverse: i64,
}

impl Expert {
    /// From its mean and the errors nearby, both of unit 1/16: the scale is 0.45 times the error plus 3/8 of a step.
    #[inline(always)]
    pub(crate) fn new(mean: i32, spread: i32) -> Self {
        Self { mean, inverse: i64::from((1 << 21) / (((spread * 115) >> 8) + 6)) }
    }

    /// Mass below the edge under the 8-bit value `symbol`, unit 2^-24.
    #[inline(always)]
    pub(crate) fn below(&self, symbol: i32) -> u32 {
        let z = ((i64::from(symbol * 16 - 8 - self.mean) * self.inverse) >> 8).clamp(-(12 << 13), 12 << 13) as i32;
        let upper = upper_logistic(z.unsigned_abs());
        if z < 0 { (1 << 24) - upper } else { upper }
    }
}
