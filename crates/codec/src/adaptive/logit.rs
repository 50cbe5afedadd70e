//! Log-odds in integers: unit 2^-8 nat, at most 12 nats either way.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "indices are bounded by the masks and shifts before them")]

use crate::cdf::upper_logistic;
use crate::tables::LOG2;

/// Largest log-odds, just under 12 nats.
pub(crate) const LIMIT: i32 = 3071;

/// `2^16 * log2(value)` of a `value >= 1`, linear between 257 entries.
#[inline]
fn log2(value: u32) -> i32 {
    let value = value.max(1);
    let whole = value.ilog2();
    let fraction = (u64::from(value) << 16 >> whole) as u32 & 0xffff;
    let (index, rest) = ((fraction >> 8) as usize, fraction & 255);
    let log2 = LOG2[index] + (((LOG2[index + 1] - LOG2[index]) * rest) >> 8);
    ((whole << 16) + log2).cast_signed()
}

/// `ln(yes / no)` of two masses, neither 0.
#[inline]
pub(crate) fn of_masses(yes: u32, no: u32) -> i32 {
    /// `2^16 ln 2`.
    const LN2: i64 = 45_426;
    let nats = (i64::from(log2(yes) - log2(no)) * LN2) >> 24;
    (nats as i32).clamp(-LIMIT, LIMIT)
}

/// The probability that has these log-odds, unit 2^-24.
#[inline]
pub(crate) fn probability(logit: i32) -> u32 {
    let logit = logit.clamp(-LIMIT, LIMIT);
    let upper = upper_logistic(logit.unsigned_abs() << 5);
    if logit < 0 { (1 << 24) - upper } else { upper }
}

/// Log-odds of the 4096 probabilities `(i + 1/2) / 4096`.
pub(crate) fn table() -> Box<[i16; 4096]> {
    Box::new(std::array::from_fn(|i| {
        let i = i as u32;
        of_masses(2 * i + 1, 8191 - 2 * i) as i16
    }))
}
