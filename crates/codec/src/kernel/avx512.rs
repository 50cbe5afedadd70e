//! The kernel by AVX-512 VNNI: tiles of 8 pixels and two panels, all sums in registers.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{
    __m128i, __m512i, _mm_storeu_si128, _mm512_add_epi64, _mm512_cvtepi32_epi8, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_loadu_si512,
    _mm512_mask_blend_epi32, _mm512_max_epi64, _mm512_min_epi64, _mm512_mul_epi32, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srav_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
};

use super::packed::Scale;
use super::{CELLS, LANES, PAIR, Packed, QUAD, Rows};

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
    // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
    unsafe { hidden_compiled(layer, rows, cells, out) }
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
    // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
    unsafe { linear_compiled(layer, rows, cells, out) }
}

/// # Safety
/// The caller has checked the instructions, [`Rows::holds`] and the length of `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn hidden_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    let store = |at: usize, sums, scale: &Scale| {
        let values = _mm512_cvtepi32_epi8(finish(sums, scale, layer.bounds));
        // SAFETY: `at` begins a panel of a pixel below `cells`: 16 outputs follow.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().add(at).cast::<__m128i>(), values) };
    };
    // SAFETY: as the caller says.
    unsafe { run(layer, rows, cells, store) }
}

/// # Safety
/// The caller has checked the instructions, [`Rows::holds`] and the length of `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn linear_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    let store = |at: usize, sums, scale: &Scale| {
        let values = finish(sums, scale, layer.bounds);
        // SAFETY: `at` begins a panel of a pixel below `cells`: 16 outputs follow.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(at).cast::<__m512i>(), values) };
    };
    // SAFETY: as the caller says.
    unsafe { run(layer, rows, cells, store) }
}

/// Hands out the sums of each pixel and panel: `store(index of the first output, sums, scale)`.
///
/// # Safety
/// The caller has checked the instructions and [`Rows::holds`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn run(layer: &Packed, rows: &Rows<'_>, cells: usize, mut store: impl FnMut(usize, __m512i, &Scale)) {
    let stride = layer.output_stride();
    let panels = layer.scales.len();
    for panel in (0..panels).step_by(2) {
        for first in (0..cells).step_by(CELLS) {
            let count = (cells - first).min(CELLS);
            // A tile at the end takes in pixels once more rather than be smaller; only its last `count` are new.
            if count == CELLS || cells >= CELLS {
                let first = first.min(cells - CELLS);
                if panel + 1 < panels {
                    // SAFETY: as the caller says; `first + CELLS <= cells`.
                    let sums = unsafe { sums::<CELLS, 2>(layer, panel, rows, first) };
                    for (cell, sums) in sums.iter().enumerate() {
                        let at = (first + cell) * stride + panel * LANES;
                        store(at, sums[0], &layer.scales[panel]);
                        store(at + LANES, sums[1], &layer.scales[panel + 1]);
                    }
                } else {
                    // SAFETY: as the caller says; `first + CELLS <= cells`.
                    let sums = unsafe { sums::<CELLS, 1>(layer, panel, rows, first) };
                    for (cell, sums) in sums.iter().enumerate() {
                        store((first + cell) * stride + panel * LANES, sums[0], &layer.scales[panel]);
                    }
                }
            } else {
                for cell in first..cells {
                    for panel in panel..panels.min(panel + 2) {
                        // SAFETY: as the caller says; `cell < cells`.
                        let sums = unsafe { sums::<1, 1>(layer, panel, rows, cell) };
                        store(cell * stride + panel * LANES, sums[0][0], &layer.scales[panel]);
                    }
                }
            }
        }
    }
}

/// Sums over all inputs of `N` pixels from `first` on and `P` panels from `panel` on.
///
/// # Safety
/// The caller has checked the instructions and [`Rows::holds`] for `first + N` pixels.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn sums<const N: usize, const P: usize>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize) -> [[__m512i; P]; N] {
    // Loops, not `from_fn`: closures would not be compiled for these instructions.
    let mut weights = [layer.panel(panel); P];
    for (p, weights) in weights.iter_mut().enumerate() {
        *weights = layer.panel(panel + p);
    }
    let mut sums = [[_mm512_setzero_si512(); P]; N];
    for quad in 0..layer.quads {
        let mut w = [_mm512_setzero_si512(); P];
        for (w, (narrow, _)) in w.iter_mut().zip(&weights) {
            // SAFETY: a panel holds `quads` times 64 weights.
            *w = unsafe { _mm512_loadu_si512(narrow.as_ptr().add(quad * LANES * QUAD).cast::<__m512i>()) };
        }
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: four narrow inputs begin here.
            let x = unsafe { rows.narrow.as_ptr().add((first + cell) * rows.narrow_stride + quad * QUAD).cast::<i32>().read_unaligned() };
            let x = _mm512_set1_epi32(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = _mm512_dpbusd_epi32(*sum, x, w);
            }
        }
    }
    for pair in 0..layer.pairs {
        let mut w = [_mm512_setzero_si512(); P];
        for (w, (_, wide)) in w.iter_mut().zip(&weights) {
            // SAFETY: a panel holds `pairs` times 32 weights.
            *w = unsafe { _mm512_loadu_si512(wide.as_ptr().add(pair * LANES * PAIR).cast::<__m512i>()) };
        }
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: two wide inputs begin here.
            let x = unsafe { rows.wide.as_ptr().add((first + cell) * rows.wide_stride + pair * PAIR).cast::<i32>().read_unaligned() };
            let x = _mm512_set1_epi32(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = _mm512_dpwssd_epi32(*sum, w, x);
            }
        }
    }
    sums
}

/// Turns 16 sums into outputs: [`Scale::finish`] on even and on odd lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn finish(sums: __m512i, scale: &Scale, bounds: (i64, i64)) -> __m512i {
    // SAFETY: each array holds 64 bytes.
    let load = |from: *const i64| unsafe { _mm512_loadu_si512(from.cast::<__m512i>()) };
    let factor = load(scale.factor.as_ptr().cast::<i64>());
    let (low, high) = (_mm512_set1_epi64(bounds.0), _mm512_set1_epi64(bounds.1));
    let scaled = |product: __m512i, half: usize| {
        let shifted = _mm512_srav_epi64(_mm512_add_epi64(product, load(scale.offset[half].as_ptr())), load(scale.shift[half].as_ptr()));
        _mm512_min_epi64(_mm512_max_epi64(shifted, low), high)
    };
    let even = scaled(_mm512_mul_epi32(sums, factor), 0);
    let odd = scaled(_mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), _mm512_srli_epi64::<32>(factor)), 1);
    _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd))
}
