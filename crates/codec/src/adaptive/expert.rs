//! A logistic distribution around a prediction.
#![allow(clippy::arithmetic_side_effects, reason = "ranges stand beside the sums")]

use crate::cdf::upper_logistic;

/// A logistic around a prediction.
#[derive(Debug, Clone, Copy, Default)]
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
