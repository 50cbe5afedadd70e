//! The kernel by AVX-512 VNNI: tiles of 8 pixels and two panels, all sums in registers.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{
    __m128i, __m512i, _mm_storeu_si128, _mm512_add_epi64, _mm512_cvtepi32_epi8, _mm512_cvtsepi32_epi8, _mm512_dpbusd_epi32, _mm512_loadu_si512,
    _mm512_mask_blend_epi32, _mm512_max_epi32, _mm512_max_epi64, _mm512_min_epi64, _mm512_mul_epi32, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srav_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
};

use super::packed::Scale;
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile.
const CELLS: usize = 8;

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

/// What becomes of the sums of a panel.
trait Store {
    /// Stores what 16 sums of a pixel make at `at`, the index of its first output; `SMALL` is [`Packed::is_small`].
    ///
    /// # Safety
    /// The instructions exist, and there are 16 outputs from `at` on.
    unsafe fn store<const SMALL: bool>(&mut self, at: usize, sums: __m512i, scaled: &Scaled<'_>);
}

/// Outputs of a ReLU layer.
struct Hidden<'a>(&'a mut [u8]);

impl Store for Hidden<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const SMALL: bool>(&mut self, at: usize, sums: __m512i, scaled: &Scaled<'_>) {
        // Bytes with a sign end at 127, as outputs do.
        let values = if SMALL {
            _mm512_cvtsepi32_epi8(_mm512_max_epi32(scaled.small(sums), _mm512_setzero_si512()))
        } else {
            _mm512_cvtepi32_epi8(scaled.bounded(sums))
        };
        // SAFETY: as the caller says.
        unsafe { _mm_storeu_si128(self.0.as_mut_ptr().add(at).cast::<__m128i>(), values) };
    }
}

/// Outputs of a linear layer.
struct Linear<'a>(&'a mut [i32]);

impl Store for Linear<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const SMALL: bool>(&mut self, at: usize, sums: __m512i, scaled: &Scaled<'_>) {
        let values = if SMALL { scaled.small(sums) } else { scaled.bounded(sums) };
        // SAFETY: as the caller says.
        unsafe { _mm512_storeu_si512(self.0.as_mut_ptr().add(at).cast::<__m512i>(), values) };
    }
}

/// # Safety
/// The caller has checked the instructions, [`Rows::holds`] and the length of `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn hidden_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    // SAFETY: as the caller says.
    unsafe { if layer.is_small { run::<true>(layer, rows, cells, &mut Hidden(out)) } else { run::<false>(layer, rows, cells, &mut Hidden(out)) } }
}

/// # Safety
/// The caller has checked the instructions, [`Rows::holds`] and the length of `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn linear_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    // SAFETY: as the caller says.
    unsafe { if layer.is_small { run::<true>(layer, rows, cells, &mut Linear(out)) } else { run::<false>(layer, rows, cells, &mut Linear(out)) } }
}

/// Hands out the sums of each pixel and panel.
///
/// # Safety
/// The caller has checked the instructions, [`Rows::holds`], and that there is room for all outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn run<const SMALL: bool>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut impl Store) {
    let panels = layer.scales.len();
    for panel in (0..panels).step_by(2) {
        for first in (0..cells).step_by(CELLS) {
            // A tile at the end takes in pixels once more rather than be smaller.
            // SAFETY: as the caller says; no tile ends behind `cells`.
            unsafe {
                match (cells >= CELLS, panel + 1 < panels) {
                    (true, true) => tile::<CELLS, 2, SMALL>(layer, panel, rows, first.min(cells - CELLS), out),
                    (true, false) => tile::<CELLS, 1, SMALL>(layer, panel, rows, first.min(cells - CELLS), out),
                    (false, _) => {
                        for cell in 0..cells {
                            for panel in panel..panels.min(panel + 2) {
                                tile::<1, 1, SMALL>(layer, panel, rows, cell, out);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `N` pixels from `first` on and `P` panels from `panel` on.
///
/// # Safety
/// The caller has checked the instructions, [`Rows::holds`] for `first + N` pixels, and that there is room for their outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn tile<const N: usize, const P: usize, const SMALL: bool>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize, out: &mut impl Store) {
    // SAFETY: as the caller says.
    let sums = unsafe { sums::<N, P>(layer, panel, rows, first) };
    let stride = layer.output_stride();
    for p in 0..P {
        let scaled = Scaled::of(layer, panel + p);
        for (cell, sums) in sums.iter().enumerate() {
            // SAFETY: as the caller says.
            unsafe { out.store::<SMALL>((first + cell) * stride + (panel + p) * LANES, sums[p], &scaled) };
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
            let x = unsafe { rows.wide.as_ptr().add((first + cell) * rows.wide_stride + pair * PAIR) };
            for (sum, w) in sums.iter_mut().zip(w) {
                // The intrinsic becomes two instructions where the compiler hopes to save time.
                // SAFETY: 32 bits are read from `x`.
                unsafe {
                    std::arch::asm!("vpdpwssd {sum}, {w}, dword ptr [{x}]{{1to16}}", sum = inout(zmm_reg) *sum, w = in(zmm_reg) w, x = in(reg) x, options(pure, readonly, nostack, preserves_flags));
                }
            }
        }
    }
    sums
}

/// A [`Scale`] in registers.
struct Scaled<'a> {
    scale: &'a Scale,
    bounds: (i64, i64),
    /// Of even lanes and of odd ones.
    factor: [__m512i; 2],
    offset: [__m512i; 2],
    right: __m512i,
    left: __m512i,
}

impl<'a> Scaled<'a> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn of(layer: &'a Packed, panel: usize) -> Self {
        let scale = &layer.scales[panel];
        // SAFETY: each array holds 64 bytes.
        let load = |from: *const i64| unsafe { _mm512_loadu_si512(from.cast::<__m512i>()) };
        let factor = load(scale.factor.as_ptr().cast::<i64>());
        Self {
            scale,
            bounds: layer.bounds,
            factor: [factor, _mm512_srli_epi64::<32>(factor)],
            offset: [load(scale.offset[0].as_ptr()), load(scale.offset[1].as_ptr())],
            right: load(scale.shift[0].as_ptr()),
            left: load(scale.left.as_ptr()),
        }
    }

    /// Turns 16 sums into outputs that need no bounds ([`Packed::is_small`]): products of even lanes fall to the lower half of 64 bits, those of odd lanes rise
    /// to the upper one.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn small(&self, sums: __m512i) -> __m512i {
        let even = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(sums, self.factor[0]), self.offset[0]), self.right);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), self.factor[1]);
        _mm512_mask_blend_epi32(0xaaaa, even, _mm512_sllv_epi64(_mm512_add_epi64(odd, self.offset[1]), self.left))
    }

    /// Turns 16 sums into outputs: [`Scale::finish`] on even and on odd lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn bounded(&self, sums: __m512i) -> __m512i {
        let (low, high) = (_mm512_set1_epi64(self.bounds.0), _mm512_set1_epi64(self.bounds.1));
        let scaled = |product: __m512i, half: usize| {
            // SAFETY: the array holds 64 bytes.
            let shift = unsafe { _mm512_loadu_si512(self.scale.shift[half].as_ptr().cast::<__m512i>()) };
            let shifted = _mm512_srav_epi64(_mm512_add_epi64(product, self.offset[half]), shift);
            _mm512_min_epi64(_mm512_max_epi64(shifted, low), high)
        };
        let even = scaled(_mm512_mul_epi32(sums, self.factor[0]), 0);
        let odd = scaled(_mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), self.factor[1]), 1);
        _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd))
    }
}
