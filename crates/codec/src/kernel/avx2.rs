//! The kernel by AVX2: bytes are multiplied in pairs, which stay inside 16 bits because narrow inputs have 7.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_max_epi8, _mm_packs_epi16, _mm_setzero_si128, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_epi64, _mm256_blend_epi32,
    _mm256_blendv_epi8, _mm256_castsi256_si128, _mm256_cmpgt_epi64, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_epi32, _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_slli_epi64, _mm256_sllv_epi64, _mm256_srli_epi64, _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_sub_epi64,
    _mm256_xor_si256,
};

use super::packed::Scale;
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile: eight sums in sixteen registers.
const CELLS: usize = 4;

/// Sixteen sums of a pixel: two vectors of eight.
pub(super) type Sums = [__m256i; 2];

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Defines `hidden`, `linear` and what they need, for functions that add to eight sums: products of four unsigned bytes and weights each, of two words and
/// weights each. A macro, as functions that are handed over are not compiled for the instructions at hand.
macro_rules! tiles {
    ($features:literal, $bytes:ident, $words:ident) => {
        pub(in $crate::kernel) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
            assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
            // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
            unsafe { run(layer, rows, cells, &mut Hidden(out)) }
        }

        pub(in $crate::kernel) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
            assert!(has() && rows.holds(layer, cells) && out.len() >= cells * layer.output_stride());
            // SAFETY: the instructions exist, and inputs and outputs are as many as the layer asks for, as just asserted.
            unsafe { run(layer, rows, cells, &mut Linear(out)) }
        }

        /// # Safety
        /// The caller has checked the instructions, [`Rows::holds`], and that there is room for all outputs.
        #[target_feature(enable = $features)]
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
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn sums<const N: usize>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize) -> [Sums; N] {
            let (narrow, wide) = layer.panel(panel);
            let mut sums = [[_mm256_setzero_si256(); 2]; N];
            for (quad, weights) in narrow.chunks_exact(LANES * QUAD).enumerate() {
                // SAFETY: 64 weights: two vectors of 32.
                let w = unsafe {
                    [_mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(weights.as_ptr().add(32).cast::<__m256i>())]
                };
                for (cell, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `holds`: four narrow inputs begin here.
                    let x = unsafe { rows.narrow.as_ptr().add((first + cell) * rows.narrow_stride + quad * QUAD).cast::<i32>().read_unaligned() };
                    let x = _mm256_set1_epi32(x);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = $bytes(*sum, x, w);
                    }
                }
            }
            for (pair, weights) in wide.chunks_exact(LANES * PAIR).enumerate() {
                // SAFETY: 32 weights: two vectors of 16.
                let w = unsafe {
                    [_mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()), _mm256_loadu_si256(weights.as_ptr().add(16).cast::<__m256i>())]
                };
                for (cell, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `holds`: two wide inputs begin here.
                    let x = unsafe { rows.wide.as_ptr().add((first + cell) * rows.wide_stride + pair * PAIR).cast::<i32>().read_unaligned() };
                    let x = _mm256_set1_epi32(x);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = $words(*sum, w, x);
                    }
                }
            }
            sums
        }
    };
}
pub(super) use tiles;

tiles!("avx2", add_bytes, add_words);

/// Bytes of 7 bits: their products stay within 16 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn add_bytes(sums: __m256i, inputs: __m256i, weights: __m256i) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(inputs, weights), _mm256_set1_epi16(1)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn add_words(sums: __m256i, weights: __m256i, inputs: __m256i) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(weights, inputs))
}

/// What becomes of the outputs of a panel.
pub(super) trait Store {
    /// Stores 16 outputs of a pixel at `at`, the index of the first, that need no bounds but those of ReLU.
    ///
    /// # Safety
    /// The instructions exist, and there are 16 outputs from `at` on.
    unsafe fn vectors(&mut self, at: usize, outputs: Sums);
}

/// Outputs of a ReLU layer.
pub(super) struct Hidden<'a>(pub(super) &'a mut [u8]);

impl Store for Hidden<'_> {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn vectors(&mut self, at: usize, outputs: Sums) {
        // Lanes of 128 bits are packed apart: in the middle they change places.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(outputs[0], outputs[1]));
        // Bytes with a sign end at 127, as outputs do.
        let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        // SAFETY: as the caller says.
        unsafe { _mm_storeu_si128(self.0.as_mut_ptr().add(at).cast::<__m128i>(), _mm_max_epi8(bytes, _mm_setzero_si128())) };
    }
}

/// Outputs of a linear layer.
pub(super) struct Linear<'a>(pub(super) &'a mut [i32]);

impl Store for Linear<'_> {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn vectors(&mut self, at: usize, outputs: Sums) {
        for (half, output) in outputs.into_iter().enumerate() {
            // SAFETY: as the caller says.
            unsafe { _mm256_storeu_si256(self.0.as_mut_ptr().add(at + 8 * half).cast::<__m256i>(), output) };
        }
    }
}

/// Turns the sums of `N` pixels from `first` on and one panel into outputs, and stores them.
///
/// # Safety
/// The caller has checked the instructions, and that there is room for the outputs.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) unsafe fn store_tile<const N: usize>(layer: &Packed, panel: usize, first: usize, mut sums: [Sums; N], out: &mut impl Store) {
    let (scale, stride) = (&layer.scales[panel], layer.output_stride());
    if layer.is_small {
        scale_small(scale, &mut sums);
    } else {
        scale_bounded(scale, layer.bounds, &mut sums);
    }
    for (cell, outputs) in sums.into_iter().enumerate() {
        // SAFETY: as the caller says.
        unsafe { out.vectors((first + cell) * stride + panel * LANES, outputs) };
    }
}

/// Turns sums into outputs that need no bounds ([`Packed::is_small`]): products of even lanes fall to the lower half of 64 bits, those of odd lanes rise to
/// the upper one. What a shift without a sign brings in from above lies outside.
#[target_feature(enable = "avx2")]
#[inline]
fn scale_small(scale: &Scale, sums: &mut [Sums]) {
    for half in 0..2 {
        let load = |from: *const i64| {
            // SAFETY: arrays hold two halves of 32 bytes.
            unsafe { _mm256_loadu_si256(from.cast::<__m256i>().add(half)) }
        };
        let factor = load(scale.factor.as_ptr().cast::<i64>());
        let odd_factor = _mm256_srli_epi64::<32>(factor);
        let offsets = [load(scale.offset[0].as_ptr()), load(scale.offset[1].as_ptr())];
        let (right, left) = (load(scale.shift[0].as_ptr()), load(scale.left.as_ptr()));
        for sums in &mut *sums {
            let even = _mm256_srlv_epi64(_mm256_add_epi64(_mm256_mul_epi32(sums[half], factor), offsets[0]), right);
            let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(sums[half]), odd_factor);
            sums[half] = _mm256_blend_epi32::<0xaa>(even, _mm256_sllv_epi64(_mm256_add_epi64(odd, offsets[1]), left));
        }
    }
}

/// Turns sums into outputs: [`Scale::finish`] on even and on odd lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn scale_bounded(scale: &Scale, bounds: (i64, i64), sums: &mut [Sums]) {
    let sign = _mm256_set1_epi64x(i64::MIN);
    let (low, high) = (_mm256_set1_epi64x(bounds.0), _mm256_set1_epi64x(bounds.1));
    for half in 0..2 {
        let load = |from: *const i64| {
            // SAFETY: arrays hold two halves of 32 bytes.
            unsafe { _mm256_loadu_si256(from.cast::<__m256i>().add(half)) }
        };
        let factor = load(scale.factor.as_ptr().cast::<i64>());
        let factors = [factor, _mm256_srli_epi64::<32>(factor)];
        let offsets = [load(scale.offset[0].as_ptr()), load(scale.offset[1].as_ptr())];
        let shifts = [load(scale.shift[0].as_ptr()), load(scale.shift[1].as_ptr())];
        // There is no shift of 64 bits with a sign: 2^63 is added before it, and taken away, shifted as well, behind it.
        let excess = [_mm256_srlv_epi64(sign, shifts[0]), _mm256_srlv_epi64(sign, shifts[1])];
        for sums in &mut *sums {
            let lanes = [sums[half], _mm256_srli_epi64::<32>(sums[half])];
            let mut outputs = lanes;
            for odd in 0..2 {
                let product = _mm256_add_epi64(_mm256_mul_epi32(lanes[odd], factors[odd]), offsets[odd]);
                let output = _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_xor_si256(product, sign), shifts[odd]), excess[odd]);
                let output = _mm256_blendv_epi8(output, high, _mm256_cmpgt_epi64(output, high));
                outputs[odd] = _mm256_blendv_epi8(output, low, _mm256_cmpgt_epi64(low, output));
            }
            sums[half] = _mm256_blend_epi32::<0xaa>(outputs[0], _mm256_slli_epi64::<32>(outputs[1]));
        }
    }
}
