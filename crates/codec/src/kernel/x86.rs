//! Tiles by AVX2 and by AVX-512 VNNI.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar tile is their oracle")]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256,
    _mm512_dpwssd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::{CELLS, LANES, Scale, Tile, finish};

/// Whether this machine runs [`avx512`].
pub(super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

pub(super) fn avx2(weights: &[i16], inputs: &[i16], stride: usize, count: usize, scale: &Scale, bounds: (i64, i64), tile: &mut Tile) {
    assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: the instructions exist, as just asserted.
    unsafe { tile_avx2(weights, inputs, stride, count, scale, bounds, tile) }
}

pub(super) fn avx512(weights: &[i16], inputs: &[i16], stride: usize, count: usize, scale: &Scale, bounds: (i64, i64), tile: &mut Tile) {
    assert!(has_avx512());
    // SAFETY: the instructions exist, as just asserted.
    unsafe { tile_avx512(weights, inputs, stride, count, scale, bounds, tile) }
}

/// Two neighbouring inputs of a pixel in one 32-bit lane.
#[inline(always)]
fn pair(inputs: &[i16], at: usize) -> i32 {
    i32::from(inputs[at].cast_unsigned()) | i32::from(inputs[at + 1]) << 16
}

#[target_feature(enable = "avx2")]
fn tile_avx2(weights: &[i16], inputs: &[i16], stride: usize, count: usize, scale: &Scale, bounds: (i64, i64), tile: &mut Tile) {
    let pairs = weights.len() / (2 * LANES);
    assert!(count <= CELLS && inputs.len() >= (count - 1) * stride + 2 * pairs);
    for first in (0..count).step_by(4) {
        let cells = (count - first).min(4);
        let mut sums = [[_mm256_setzero_si256(); 2]; 4];
        for (p, panel) in weights.chunks_exact(2 * LANES).enumerate() {
            // SAFETY: a panel holds 32 values: two vectors of 16.
            let (low, high) =
                unsafe { (_mm256_loadu_si256(panel.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(panel.as_ptr().add(16).cast::<__m256i>())) };
            for (cell, sum) in sums[..cells].iter_mut().enumerate() {
                let input = _mm256_set1_epi32(pair(inputs, (first + cell) * stride + 2 * p));
                sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(low, input));
                sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(high, input));
            }
        }
        for (cell, sum) in sums[..cells].iter().enumerate() {
            let row = tile[first + cell].as_mut_ptr();
            // SAFETY: a row of the tile holds 16 values: two vectors of 8.
            unsafe {
                _mm256_storeu_si256(row.cast::<__m256i>(), sum[0]);
                _mm256_storeu_si256(row.add(8).cast::<__m256i>(), sum[1]);
            }
        }
    }
    finish(tile, count, scale, bounds);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn tile_avx512(weights: &[i16], inputs: &[i16], stride: usize, count: usize, scale: &Scale, bounds: (i64, i64), tile: &mut Tile) {
    let pairs = weights.len() / (2 * LANES);
    assert!(count <= CELLS && inputs.len() >= (count - 1) * stride + 2 * pairs);
    let mut sums = [_mm512_setzero_si512(); CELLS];
    if count == CELLS {
        for (p, panel) in weights.chunks_exact(2 * LANES).enumerate() {
            // SAFETY: a panel holds 32 values: one vector.
            let weights = unsafe { _mm512_loadu_si512(panel.as_ptr().cast::<__m512i>()) };
            for (cell, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `inputs` holds `2 * pairs` values from `cell * stride` on, as asserted, and `p < pairs`.
                let input = unsafe { inputs.as_ptr().add(cell * stride + 2 * p).cast::<i32>().read_unaligned() };
                *sum = _mm512_dpwssd_epi32(*sum, weights, _mm512_set1_epi32(input));
            }
        }
    } else {
        for (p, panel) in weights.chunks_exact(2 * LANES).enumerate() {
            // SAFETY: a panel holds 32 values: one vector.
            let weights = unsafe { _mm512_loadu_si512(panel.as_ptr().cast::<__m512i>()) };
            for (cell, sum) in sums[..count].iter_mut().enumerate() {
                *sum = _mm512_dpwssd_epi32(*sum, weights, _mm512_set1_epi32(pair(inputs, cell * stride + 2 * p)));
            }
        }
    }
    for (row, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: a row of the tile holds 16 values: one vector.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast::<__m512i>(), sum) };
    }
    finish(tile, count, scale, bounds);
}
