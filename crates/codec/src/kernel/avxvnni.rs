//! The kernel by AVX-VNNI, vectors of 256 bits: processors without AVX-512 that multiply bytes four to a lane. All else is as by AVX2.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{__m256i, _mm256_dpbusd_avx_epi32, _mm256_dpwssd_avx_epi32, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_si256};

use super::avx2::{Hidden, Linear, Store, Sums, store_tile};
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile: ten sums in sixteen registers.
const CELLS: usize = 5;

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")
}

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
    // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
    unsafe { run(layer, rows, cells, &mut Hidden(out)) }
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
    // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
    unsafe { run(layer, rows, cells, &mut Linear(out)) }
}

/// # Safety
/// The caller has checked the instructions, [`Rows::holds`], and that there is room for all outputs.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn run(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut impl Store) {
    for panel in 0..layer.scales.len() {
        for first in (0..cells).step_by(CELLS) {
            // A tile at the end takes in pixels once more rather than be smaller.
            // SAFETY: as the caller says; no tile ends behind `cells`.
            unsafe {
                if cells >= CELLS {
                    let first = first.min(cells - CELLS);
                    store_tile(layer, panel, first, sums::<CELLS>(layer, panel, rows, first), out);
                } else {
                    for cell in 0..cells {
                        store_tile(layer, panel, cell, sums::<1>(layer, panel, rows, cell), out);
                    }
                }
            }
        }
    }
}

/// Sums over all inputs of `N` pixels from `first` on.
///
/// # Safety
/// The caller has checked the instructions and [`Rows::holds`] for `first + N` pixels.
#[target_feature(enable = "avx2,avxvnni")]
#[inline]
unsafe fn sums<const N: usize>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize) -> [Sums; N] {
    let (narrow, wide) = layer.panel(panel);
    let mut sums = [[_mm256_setzero_si256(); 2]; N];
    for (quad, weights) in narrow.chunks_exact(LANES * QUAD).enumerate() {
        // SAFETY: 64 weights: two vectors of 32.
        let w = unsafe { [_mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(weights.as_ptr().add(32).cast::<__m256i>())] };
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: four narrow inputs begin here.
            let x = unsafe { rows.narrow.as_ptr().add((first + cell) * rows.narrow_stride + quad * QUAD).cast::<i32>().read_unaligned() };
            let x = _mm256_set1_epi32(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = _mm256_dpbusd_avx_epi32(*sum, x, w);
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
                *sum = _mm256_dpwssd_avx_epi32(*sum, w, x);
            }
        }
    }
    sums
}
