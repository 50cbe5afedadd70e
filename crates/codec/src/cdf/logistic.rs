//! The logistic function in integers, linear between entries of a table.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "indices are masked, ranges stand beside the sums")]

use super::EDGES;
use crate::tables::LOGISTIC;

/// Entry `i`: `LOGISTIC[i]`, and above 32 bits the step to the next entry; 0 steps from the last entry on.
pub(super) static PAIRS: [u64; 512] = {
    let mut pairs = [0; 512];
    let mut i = 0;
    while i < pairs.len() {
        let last = LOGISTIC.len() - 1;
        let here = if i < last { i } else { last };
        let next = if i < last { i + 1 } else { last };
        pairs[i] = LOGISTIC[here] as u64 | ((LOGISTIC[next] - LOGISTIC[here]) as u64) << 32;
        i += 1;
    }
    pairs
};

/// Logistic function of `z >= 0` (unit 2^-13, at most 12), unit 2^-24.
#[inline(always)]
pub(crate) fn upper_logistic(z: u32) -> u32 {
    let pair = PAIRS[(z >> 8) as usize & 511];
    // A step is below 2^17.
    pair as u32 + (((pair >> 32) as u32 * (z & 255)) >> 8)
}

/// The logistic function at [`EDGES`] edges: `first` and then `width` more each, relative to the mean; unit 2^-24.
#[inline(always)]
pub(super) fn below_edges(first: i32, width: i32, mantissa: u32, shift: u32) -> [u32; EDGES] {
    // Loops over arrays, not iterator chains or `from_fn`: these become vectors in the functions that are compiled for them.
    let mut z = [0i32; EDGES];
    for (i, z) in z.iter_mut().enumerate() {
        let product = i64::from(first + width * i as i32) * i64::from(mantissa.cast_signed());
        *z = (product >> shift).clamp(-12 << 13, 12 << 13) as i32;
    }
    let mut pairs = [0u64; EDGES];
    for (pair, z) in pairs.iter_mut().zip(&z) {
        *pair = PAIRS[(z.unsigned_abs() >> 8) as usize & 511];
    }
    let mut below = [0u32; EDGES];
    for ((below, pair), z) in below.iter_mut().zip(&pairs).zip(&z) {
        let upper = *pair as u32 + (((pair >> 32) as u32 * (z.unsigned_abs() & 255)) >> 8);
        *below = if *z < 0 { (1 << 24) - upper } else { upper };
    }
    below
}
