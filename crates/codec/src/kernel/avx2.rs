//! The kernel by AVX2: bytes are multiplied in pairs, which stay inside 16 bits because narrow inputs have 7.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::packed::Scale;
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile: eight sums in sixteen registers.
const CELLS: usize = 4;

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2")
}

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    assert!(has() && rows.holds(layer, cells));
    // SAFETY: the instructions exist and inputs are as many as the layer asks for, as just asserted.
    unsafe { run(layer, rows, cells, out, |value| value as u8) }
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    assert!(has() && rows.holds(layer, cells));
    // SAFETY: the instructions exist and inputs are as many as the layer asks for, as just asserted.
    unsafe { run(layer, rows, cells, out, |value| value as i32) }
}

/// # Safety
/// The caller has checked the instructions and [`Rows::holds`].
#[target_feature(enable = "avx2")]
unsafe fn run<T>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [T], narrowed: impl Fn(i64) -> T) {
    let stride = layer.output_stride();
    for (panel, scale) in layer.scales.iter().enumerate() {
        let mut first = 0;
        while first < cells {
            let mut tile = [[0i32; LANES]; CELLS];
            let count = if cells - first >= CELLS {
                // SAFETY: as the caller says; `first + CELLS <= cells`.
                unsafe { sums::<CELLS>(layer, panel, rows, first, &mut tile) };
                CELLS
            } else {
                // SAFETY: as the caller says; `first < cells`.
                unsafe { sums::<1>(layer, panel, rows, first, &mut tile) };
                1
            };
            for (cell, sums) in tile[..count].iter().enumerate() {
                let out = &mut out[(first + cell) * stride + panel * LANES..][..LANES];
                store(scale, sums, layer.bounds, out, &narrowed);
            }
            first += count;
        }
    }
}

#[inline(always)]
fn store<T>(scale: &Scale, sums: &[i32; LANES], bounds: (i64, i64), out: &mut [T], narrowed: impl Fn(i64) -> T) {
    for (lane, (to, &sum)) in out.iter_mut().zip(sums).enumerate() {
        *to = narrowed(scale.finish(lane, sum, bounds));
    }
}

/// Sums over all inputs of `N` pixels from `first` on, in the first `N` rows of `tile`.
///
/// # Safety
/// The caller has checked the instructions and [`Rows::holds`] for `first + N` pixels.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn sums<const N: usize>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize, tile: &mut [[i32; LANES]; CELLS]) {
    let (narrow, wide) = layer.panel(panel);
    let mut sums = [[_mm256_setzero_si256(); 2]; N];
    let ones = _mm256_set1_epi16(1);
    for (quad, weights) in narrow.chunks_exact(LANES * QUAD).enumerate() {
        // SAFETY: 64 weights: two vectors of 32.
        let w = unsafe { [_mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(weights.as_ptr().add(32).cast::<__m256i>())] };
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: four narrow inputs begin here.
            let x = unsafe { rows.narrow.as_ptr().add((first + cell) * rows.narrow_stride + quad * QUAD).cast::<i32>().read_unaligned() };
            let x = _mm256_set1_epi32(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
            }
        }
    }
    for (pair, weights) in wide.chunks_exact(LANES * PAIR).enumerate() {
        // SAFETY: 32 weights: two vectors of 16.
        let w = unsafe { [_mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(weights.as_ptr().add(16).cast::<__m256i>())] };
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: two wide inputs begin here.
            let x = unsafe { rows.wide.as_ptr().add((first + cell) * rows.wide_stride + pair * PAIR).cast::<i32>().read_unaligned() };
            let x = _mm256_set1_epi32(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(w, x));
            }
        }
    }
    for (row, sums) in tile.iter_mut().zip(&sums) {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: a row holds 16 sums: two vectors of 8.
            unsafe { _mm256_storeu_si256(row.as_mut_ptr().add(8 * half).cast::<__m256i>(), sum) };
        }
    }
}
