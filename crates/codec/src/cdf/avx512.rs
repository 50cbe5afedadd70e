//! Mixtures by AVX-512: all parts are set at once, all edges of a component are evaluated at once.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the plain functions are their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "as in the plain functions; table indices are masked")]

use std::arch::x86_64::{
    __m512i, _MM_CMPINT_NLT, _mm_cvtsi64_si128, _mm256_storeu_si256, _mm512_abs_epi32, _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cmp_epu32_mask, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask, _mm512_cmpgt_epu32_mask, _mm512_cvtepi32_epi16, _mm512_loadu_si512,
    _mm512_mask_add_epi32, _mm512_mask_blend_epi32, _mm512_mask_loadu_epi32, _mm512_mask_mov_epi32, _mm512_mask_storeu_epi32, _mm512_mask_sub_epi32,
    _mm512_maskz_mov_epi32, _mm512_max_epi32, _mm512_max_epi64, _mm512_min_epi32, _mm512_min_epi64, _mm512_movepi32_mask, _mm512_mul_epi32,
    _mm512_mul_epu32, _mm512_mullo_epi32, _mm512_permutex2var_epi16, _mm512_reduce_add_epi32, _mm512_reduce_max_epi32, _mm512_set_epi64,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setr_epi32, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sra_epi64, _mm512_srai_epi32,
    _mm512_srli_epi32, _mm512_srli_epi64, _mm512_srlv_epi32, _mm512_storeu_si512, _mm512_sub_epi32, _mm512_test_epi32_mask,
};

use super::logistic::PAIRS;
use super::{EDGES, Mixture, PARTS, PRECISION};
use crate::kernel::Kernel;
use crate::tables::EXP2_NEG;

/// Entry `i` is `EXP2_NEG[i] - 1`, which fits 16 bits.
static EXP2_LESS_ONE: [u16; 256] = {
    let mut entries = [0; 256];
    let mut i = 0;
    while i < entries.len() {
        entries[i] = (EXP2_NEG[i] - 1) as u16;
        i += 1;
    }
    entries
};

/// [`Mixture::set`]; only for a mixture of this kernel.
pub(super) fn set(mixture: &mut Mixture, outputs: &[i32], reference: i32) {
    assert!(mixture.kernel == Kernel::Avx512 && outputs.len() == 3 * mixture.components + mixture.values.len());
    // SAFETY: a kernel is chosen only where its instructions exist; the outputs are as many as the parts ask for.
    unsafe { set_compiled(mixture, outputs, reference) }
}

/// [`Mixture::masses`]; only for a mixture of this kernel.
pub(super) fn masses(mixture: &Mixture, start: u32, log2_stride: u32) -> [u32; EDGES] {
    assert!(mixture.kernel == Kernel::Avx512);
    // SAFETY: a kernel is chosen only where its instructions exist.
    unsafe { masses_compiled(mixture, start, log2_stride) }
}

/// Entries `indices` (0..=255) of [`EXP2_NEG`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
pub(super) fn exp2(indices: __m512i) -> __m512i {
    let part = |at: usize| {
        let entries = &EXP2_LESS_ONE[64 * at..][..64];
        // SAFETY: 64 entries: two vectors of 32.
        let (low, high) =
            unsafe { (_mm512_loadu_si512(entries.as_ptr().cast::<__m512i>()), _mm512_loadu_si512(entries.as_ptr().add(32).cast::<__m512i>())) };
        _mm512_permutex2var_epi16(low, indices, high)
    };
    let odd = _mm512_test_epi32_mask(indices, _mm512_set1_epi32(64));
    let upper = _mm512_test_epi32_mask(indices, _mm512_set1_epi32(128));
    let (low, high) = (_mm512_mask_blend_epi32(odd, part(0), part(1)), _mm512_mask_blend_epi32(odd, part(2), part(3)));
    let found = _mm512_and_si512(_mm512_mask_blend_epi32(upper, low, high), _mm512_set1_epi32(0xffff));
    _mm512_add_epi32(found, _mm512_set1_epi32(1))
}

/// The upper 32 bits of each lane's product with `factor`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn upper_product(values: __m512i, factor: u32) -> __m512i {
    let factor = _mm512_set1_epi64(factor.into());
    let even = _mm512_srli_epi64::<32>(_mm512_mul_epu32(values, factor));
    let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(values), factor);
    _mm512_mask_blend_epi32(0xaaaa, even, odd)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn set_compiled(mixture: &mut Mixture, outputs: &[i32], reference: i32) {
    let (k, alphabet) = (mixture.components, mixture.alphabet);
    let total = alphabet.weights();
    let count = k + mixture.values.len();
    if count > PARTS {
        return mixture.set_plain(outputs, reference);
    }
    let (all, components) = (((1u32 << count) - 1) as u16, ((1u32 << k) - 1) as u16);
    // SAFETY: only lanes of the masks are read: outputs `0..k`, and from lane `k` on those from `3 k` on.
    let logs = unsafe {
        let logs = _mm512_mask_loadu_epi32(_mm512_set1_epi32(i32::MIN), components, outputs.as_ptr());
        _mm512_mask_loadu_epi32(logs, all & !components, outputs.as_ptr().add(2 * k))
    };
    let top = _mm512_reduce_max_epi32(logs);
    let heaviest = (_mm512_cmpeq_epi32_mask(logs, _mm512_set1_epi32(top)) & all).trailing_zeros();
    let below = _mm512_srli_epi32::<4>(_mm512_sub_epi32(_mm512_set1_epi32(top), logs));
    let falls = _mm512_srlv_epi32(exp2(_mm512_and_si512(below, _mm512_set1_epi32(255))), _mm512_srli_epi32::<8>(below));
    let gone = _mm512_cmpge_epu32_mask(below, _mm512_set1_epi32(20 << 8));
    let falls = _mm512_maskz_mov_epi32(all & !gone, falls);
    let sum = _mm512_reduce_add_epi32(falls);
    // See `share`.
    let inverse = (u64::from(total) << 32) / u64::from(sum.cast_unsigned().max(1 << 16));
    let whole = upper_product(falls, inverse as u32);
    let exact = _mm512_mullo_epi32(falls, _mm512_set1_epi32(total.cast_signed()));
    let rest = _mm512_sub_epi32(exact, _mm512_mullo_epi32(whole, _mm512_set1_epi32(sum)));
    let short = _mm512_cmp_epu32_mask::<_MM_CMPINT_NLT>(rest, _mm512_set1_epi32(sum));
    let shared = _mm512_mask_add_epi32(whole, short, whole, _mm512_set1_epi32(1));
    let left = total.wrapping_sub(_mm512_reduce_add_epi32(shared).cast_unsigned());
    let shared = _mm512_mask_add_epi32(shared, 1 << heaviest, shared, _mm512_set1_epi32(left.cast_signed()));
    // SAFETY: weights are padded to 16.
    unsafe { _mm512_storeu_si512(mixture.weights.as_mut_ptr().cast::<__m512i>(), shared) };
    mixture.heaviest = heaviest as usize;

    let zero = _mm512_setzero_si512();
    // SAFETY: outputs `k..2 k` and `2 k..3 k`.
    let (means, scales) = unsafe {
        (_mm512_mask_loadu_epi32(zero, components, outputs.as_ptr().add(k)), _mm512_mask_loadu_epi32(zero, components, outputs.as_ptr().add(2 * k)))
    };
    // Outputs far outside the bounds stay outside when they are limited first, so that the sum cannot wrap.
    let limited = |values, (low, high): (i32, i32)| _mm512_min_epi32(_mm512_max_epi32(values, _mm512_set1_epi32(low)), _mm512_set1_epi32(high));
    let bound = alphabet.mean_bound();
    let near = limited(means, (-4 * bound, 4 * bound));
    let means = limited(_mm512_add_epi32(near, _mm512_set1_epi32(reference)), (-bound, bound));
    let scales = _mm512_srai_epi32::<4>(limited(scales, alphabet.scale_bounds()));
    let mantissas = exp2(_mm512_and_si512(scales, _mm512_set1_epi32(255)));
    let shifts = _mm512_add_epi32(_mm512_srai_epi32::<8>(scales), _mm512_set1_epi32(11));
    // SAFETY: all three are padded to 16; only the components' lanes are written.
    unsafe {
        _mm512_mask_storeu_epi32(mixture.means.as_mut_ptr(), components, means);
        _mm512_mask_storeu_epi32(mixture.mantissas.as_mut_ptr().cast(), components, mantissas);
        _mm512_mask_storeu_epi32(mixture.shifts.as_mut_ptr().cast(), components, shifts);
    }
}

/// Values of even lanes and of odd lanes, both in the lower halves of 64 bits, side by side again.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn interleave(even: __m512i, odd: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn masses_compiled(mixture: &Mixture, start: u32, log2_stride: u32) -> [u32; EDGES] {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let symbols = _mm512_add_epi32(_mm512_set1_epi32(start.cast_signed()), _mm512_mullo_epi32(lanes, _mm512_set1_epi32(1 << log2_stride)));
    let width = (1 << mixture.alphabet.log2_width()) << log2_stride;
    let edges = _mm512_add_epi32(_mm512_set1_epi32(mixture.edge(start)), _mm512_mullo_epi32(lanes, _mm512_set1_epi32(width)));
    let (low, high) = (_mm512_set1_epi64(-12 << 13), _mm512_set1_epi64(12 << 13));
    let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for i in 0..mixture.components {
        let apart = _mm512_sub_epi32(edges, _mm512_set1_epi32(mixture.means[i]));
        let mantissa = _mm512_set1_epi64(mixture.mantissas[i].into());
        let shift = _mm_cvtsi64_si128(mixture.shifts[i].into());
        let scaled = |product| _mm512_min_epi64(_mm512_max_epi64(_mm512_sra_epi64(product, shift), low), high);
        let z = interleave(scaled(_mm512_mul_epi32(apart, mantissa)), scaled(_mm512_mul_epi32(_mm512_srli_epi64::<32>(apart), mantissa)));
        let size = _mm512_abs_epi32(z);
        let mut at = [0u16; EDGES];
        // SAFETY: 16 indices of 16 bits.
        unsafe { _mm256_storeu_si256(at.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<8>(size))) };
        // Loads one by one: quicker than the machine's own gathering on Zen 4, and no slower elsewhere.
        let pair = |lane: usize| PAIRS[usize::from(at[lane]) & 511].cast_signed();
        let evens = _mm512_set_epi64(pair(14), pair(12), pair(10), pair(8), pair(6), pair(4), pair(2), pair(0));
        let odds = _mm512_set_epi64(pair(15), pair(13), pair(11), pair(9), pair(7), pair(5), pair(3), pair(1));
        let entry = interleave(evens, odds);
        let step = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(evens), odds);
        let fraction = _mm512_and_si512(size, _mm512_set1_epi32(255));
        let upper = _mm512_add_epi32(entry, _mm512_srli_epi32::<8>(_mm512_mullo_epi32(step, fraction)));
        let below = _mm512_mask_sub_epi32(upper, _mm512_movepi32_mask(z), _mm512_set1_epi32(1 << PRECISION), upper);
        let weight = _mm512_set1_epi64(mixture.weights[i].into());
        even = _mm512_add_epi64(even, _mm512_mul_epu32(below, weight));
        odd = _mm512_add_epi64(odd, _mm512_mul_epu32(_mm512_srli_epi64::<32>(below), weight));
    }
    let mixed = interleave(_mm512_srli_epi64::<16>(even), _mm512_srli_epi64::<16>(odd));
    let floor = _mm512_mullo_epi32(symbols, _mm512_set1_epi32(mixture.alphabet.floor().cast_signed()));
    let mut masses = _mm512_add_epi32(mixed, floor);
    for (&weight, &value) in mixture.weights[mixture.components..].iter().zip(&mixture.values) {
        let above = _mm512_cmpgt_epu32_mask(symbols, _mm512_set1_epi32(value.cast_signed()));
        masses = _mm512_mask_add_epi32(masses, above, masses, _mm512_set1_epi32((weight << 8).cast_signed()));
    }
    let beyond = _mm512_cmpge_epu32_mask(symbols, _mm512_set1_epi32(mixture.alphabet().cast_signed()));
    masses = _mm512_mask_mov_epi32(masses, beyond, _mm512_set1_epi32(1 << PRECISION));
    let nothing = _mm512_cmpeq_epi32_mask(symbols, _mm512_setzero_si512());
    masses = _mm512_mask_mov_epi32(masses, nothing, _mm512_setzero_si512());
    let mut out = [0; EDGES];
    // SAFETY: 16 masses.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast::<__m512i>(), masses) };
    out
}
