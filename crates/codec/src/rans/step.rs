//! Sixteen coders moved on at once, by AVX-512.
#![allow(unsafe_code, reason = "vector loads and stores; the plain loop in `decoder` is their oracle")]
#![allow(clippy::arithmetic_side_effects, reason = "counts of lanes")]

use std::arch::x86_64::{
    __m512i, _mm256_maskz_expandloadu_epi32, _mm512_add_epi64, _mm512_and_si512, _mm512_cmplt_epu64_mask, _mm512_cvtepu32_epi64, _mm512_loadu_si512,
    _mm512_mask_or_epi64, _mm512_mul_epu32, _mm512_set1_epi64, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
};

use super::{CODERS, LEAST};
use crate::cdf::{Found, PRECISION};
use crate::kernel::Kernel;

/// Moves all coders on by the symbols that were found, and tells how many of the next 16 words they took in.
#[inline]
pub(super) fn advance(states: &mut [u64; CODERS], found: &Found, words: &[u32; CODERS]) -> usize {
    debug_assert!(Kernel::all().contains(&Kernel::Avx512));
    // SAFETY: a decoder of this kernel is made only where its instructions exist.
    unsafe { advance_compiled(states, found, words) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn advance_compiled(states: &mut [u64; CODERS], found: &Found, words: &[u32; CODERS]) -> usize {
    let mut taken = 0;
    for half in 0..2 {
        let at = 8 * half;
        // SAFETY: eight states, and eight of sixteen shares.
        let (state, left, width) = unsafe {
            (
                _mm512_loadu_si512(states.as_ptr().add(at).cast::<__m512i>()),
                _mm512_cvtepu32_epi64(std::arch::x86_64::_mm256_loadu_si256(found.lefts.as_ptr().add(at).cast())),
                _mm512_cvtepu32_epi64(std::arch::x86_64::_mm256_loadu_si256(found.widths.as_ptr().add(at).cast())),
            )
        };
        let whole = _mm512_srli_epi64::<{ PRECISION as u32 }>(state);
        let quantile = _mm512_and_si512(state, _mm512_set1_epi64((1 << PRECISION) - 1));
        // Forty bits times twenty-four.
        let upper = _mm512_slli_epi64::<32>(_mm512_mul_epu32(_mm512_srli_epi64::<32>(whole), width));
        let product = _mm512_add_epi64(_mm512_mul_epu32(whole, width), upper);
        let state = _mm512_add_epi64(product, _mm512_sub_epi64(quantile, left));
        let short = _mm512_cmplt_epu64_mask(state, _mm512_set1_epi64(LEAST.cast_signed()));
        // SAFETY: the first half takes at most eight words, so at most sixteen are read.
        let word = _mm512_cvtepu32_epi64(unsafe { _mm256_maskz_expandloadu_epi32(short, words.as_ptr().add(taken).cast()) });
        let state = _mm512_mask_or_epi64(state, short, _mm512_slli_epi64::<32>(state), word);
        taken += short.count_ones() as usize;
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(states.as_mut_ptr().add(at).cast::<__m512i>(), state) };
    }
    taken
}
