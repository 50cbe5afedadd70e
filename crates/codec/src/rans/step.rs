//! Sixteen coders moved on, or back, at once, by AVX-512.
#![allow(unsafe_code, reason = "vector loads and stores; the plain loops in `decoder` and `encoder` are their oracles")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "counts of lanes, and of words that they take at most one of each")]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm256_mask_storeu_epi32, _mm256_maskz_expandloadu_epi32, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cmpge_epi64_mask, _mm512_cmpge_epu64_mask, _mm512_cmplt_epu64_mask, _mm512_cvtepi64_epi32, _mm512_cvtepu32_epi64, _mm512_cvtepu64_pd,
    _mm512_cvttpd_epu64, _mm512_div_pd, _mm512_loadu_si512, _mm512_mask_add_epi64, _mm512_mask_or_epi64, _mm512_mask_srli_epi64,
    _mm512_mask_sub_epi64, _mm512_maskz_compress_epi64, _mm512_movepi64_mask, _mm512_mul_epu32, _mm512_set1_epi64, _mm512_slli_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
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
                _mm512_cvtepu32_epi64(_mm256_loadu_si256(found.lefts.as_ptr().add(at).cast())),
                _mm512_cvtepu32_epi64(_mm256_loadu_si256(found.widths.as_ptr().add(at).cast())),
            )
        };
        let whole = _mm512_srli_epi64::<{ PRECISION as u32 }>(state);
        let quantile = _mm512_and_si512(state, _mm512_set1_epi64((1 << PRECISION) - 1));
        let state = _mm512_add_epi64(product(whole, width), _mm512_sub_epi64(quantile, left));
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

/// Moves all coders back by a group of symbols, given where the share of each begins and how wide it is. Puts the words that the decoder will take in at the
/// end of `words`, and tells how many.
#[inline]
pub(super) fn back(states: &mut [u64; CODERS], lefts: &[u32; CODERS], widths: &[u32; CODERS], words: &mut [u32]) -> usize {
    debug_assert!(Kernel::all().contains(&Kernel::Avx512));
    // SAFETY: this kernel is chosen only where its instructions exist.
    unsafe { back_compiled(states, lefts, widths, words) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn back_compiled(states: &mut [u64; CODERS], lefts: &[u32; CODERS], widths: &[u32; CODERS], words: &mut [u32]) -> usize {
    let mut free = words.len();
    // Words of higher lanes are taken in later.
    for half in [1, 0] {
        let at = 8 * half;
        // SAFETY: eight states, and eight of sixteen shares.
        let (state, left, width) = unsafe {
            (
                _mm512_loadu_si512(states.as_ptr().add(at).cast::<__m512i>()),
                _mm512_cvtepu32_epi64(_mm256_loadu_si256(lefts.as_ptr().add(at).cast())),
                _mm512_cvtepu32_epi64(_mm256_loadu_si256(widths.as_ptr().add(at).cast())),
            )
        };
        let one = _mm512_set1_epi64(1);
        let sound = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(width, one), _mm512_set1_epi64((1 << PRECISION) - 1));
        assert!(sound == 0xff, "a mixture gives mass to every symbol, and all of it to none");
        let full = _mm512_cmpge_epu64_mask(state, _mm512_slli_epi64::<{ u64::BITS - PRECISION as u32 }>(width));
        let end = free;
        free -= full.count_ones() as usize;
        let to = &mut words[free..end];
        let word: __m256i = _mm512_cvtepi64_epi32(_mm512_maskz_compress_epi64(full, state));
        // SAFETY: as many words as `to` has.
        unsafe { _mm256_mask_storeu_epi32(to.as_mut_ptr().cast(), ((1u16 << to.len()) - 1) as u8, word) };
        let state = _mm512_mask_srli_epi64::<32>(state, full, state);
        // The state is below 2^40 widths. It is rounded, and so is the quotient, by 2^-53 of it each: together by less than 2^-11, so without its fraction it
        // is right, or one too small or too large.
        let quotient = _mm512_cvttpd_epu64(_mm512_div_pd(_mm512_cvtepu64_pd(state), _mm512_cvtepu64_pd(width)));
        let rest = _mm512_sub_epi64(state, product(quotient, width));
        let above = _mm512_movepi64_mask(rest);
        let (quotient, rest) = (_mm512_mask_sub_epi64(quotient, above, quotient, one), _mm512_mask_add_epi64(rest, above, rest, width));
        let below = _mm512_cmpge_epi64_mask(rest, width);
        let (quotient, rest) = (_mm512_mask_add_epi64(quotient, below, quotient, one), _mm512_mask_sub_epi64(rest, below, rest, width));
        let state = _mm512_add_epi64(_mm512_slli_epi64::<{ PRECISION as u32 }>(quotient), _mm512_add_epi64(rest, left));
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(states.as_mut_ptr().add(at).cast::<__m512i>(), state) };
    }
    words.len() - free
}

/// Forty bits (and one more) times twenty-four.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn product(a: __m512i, b: __m512i) -> __m512i {
    let upper = _mm512_slli_epi64::<32>(_mm512_mul_epu32(_mm512_srli_epi64::<32>(a), b));
    _mm512_add_epi64(_mm512_mul_epu32(a, b), upper)
}
