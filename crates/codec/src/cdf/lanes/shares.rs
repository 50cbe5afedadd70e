//! Where the shares of sixteen known symbols begin and how wide they are, each under a distribution of its own.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "as in `lanes`")]

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_cvtsi32_si128, _mm256_loadu_si256, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_cmpge_epu32_mask,
    _mm512_cmpgt_epu32_mask, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32, _mm512_i32gather_epi32, _mm512_madd_epi16, _mm512_mask_add_epi32,
    _mm512_mask_mov_epi32, _mm512_mask_reduce_add_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_sll_epi32, _mm512_slli_epi32,
    _mm512_srav_epi32, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_sub_epi32, _mm512_test_epi32_mask,
};

use super::logistic::logistic;
use super::{FLOOR, Lanes, PAIR, add_product, limited, mixed, product_of};
use crate::cdf::{Found, PRECISION};
use crate::tables::LOG2;

impl Lanes {
    /// [`crate::cdf::Mixture::share`] of a symbol below the alphabet under each of 16 distributions from `from` on, and the [`cost`] of the first `count`.
    ///
    /// [`cost`]: crate::range::encoder::cost
    #[inline]
    pub(in crate::cdf) fn share_group(&self, from: usize, count: usize, found: &mut Found) -> u64 {
        // SAFETY: `new` has asked for the instructions.
        unsafe { self.share_group_compiled(from, count, found) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn share_group_compiled(&self, from: usize, count: usize, found: &mut Found) -> u64 {
        // SAFETY: 16 symbols of 16 bits.
        let symbols = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(found.symbols.as_ptr().cast()) });
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        let edges = _mm512_sub_epi32(_mm512_sll_epi32(symbols, width), _mm512_set1_epi32(128 << self.log2_scale()));
        // The edge after a symbol is 2^8 units on, no more than what the upper bits of a product are made of.
        let a_step = _mm_cvtsi32_si128(4 + self.log2_scale().cast_signed());
        let zero = _mm512_setzero_si512();
        // Below the symbol, and below the next one.
        let (mut even, mut odd) = ([zero; 2], [zero; 2]);
        for i in (0..self.weights.len()).step_by(PAIR) {
            let mut z = [[zero; PAIR]; 2];
            #[allow(clippy::needless_range_loop, reason = "both rows of `z` are written at once")]
            for at in 0..PAIR {
                let (mantissa, fall) = (self.mantissas[i + at].load(from), self.falls[i + at].load(from));
                let product = product_of(_mm512_sub_epi32(edges, self.means[i + at].load(from)), mantissa);
                z[0][at] = limited(_mm512_srav_epi32(product, fall));
                z[1][at] = limited(_mm512_srav_epi32(_mm512_add_epi32(product, _mm512_sll_epi32(mantissa, a_step)), fall));
            }
            for (side, z) in z.into_iter().enumerate() {
                for (at, below) in logistic(z).into_iter().enumerate() {
                    add_product(&mut even[side], &mut odd[side], below, self.weights[i + at].load(from));
                }
            }
        }
        let next = _mm512_add_epi32(symbols, _mm512_set1_epi32(1));
        let floor = _mm_cvtsi32_si128((FLOOR >> self.bit_depth).ilog2().cast_signed());
        let mut left = _mm512_add_epi32(mixed(even[0], odd[0]), _mm512_sll_epi32(symbols, floor));
        let mut right = _mm512_add_epi32(mixed(even[1], odd[1]), _mm512_sll_epi32(next, floor));
        for (spike, values) in self.spikes.iter().zip(&self.values) {
            let (mass, values) = (_mm512_slli_epi32::<8>(spike.load(from)), values.load(from));
            left = _mm512_mask_add_epi32(left, _mm512_cmpgt_epu32_mask(symbols, values), left, mass);
            right = _mm512_mask_add_epi32(right, _mm512_cmpge_epu32_mask(symbols, values), right, mass);
        }
        let beyond = _mm512_cmpge_epu32_mask(next, _mm512_set1_epi32(self.alphabet().cast_signed()));
        right = _mm512_mask_mov_epi32(right, beyond, _mm512_set1_epi32(1 << PRECISION));
        left = _mm512_mask_mov_epi32(zero, _mm512_test_epi32_mask(symbols, symbols), left);
        let widths = _mm512_sub_epi32(right, left);
        // SAFETY: 16 figures of 32 bits each.
        unsafe {
            _mm512_storeu_si512(found.lefts.as_mut_ptr().cast(), left);
            _mm512_storeu_si512(found.widths.as_mut_ptr().cast(), widths);
        }
        cost(widths, ((1u32 << count) - 1) as __mmask16)
    }
}

/// Entries of [`LOG2`] above 9 bits, the steps to the next ones in these.
static LOG2_STEPS: [u32; LOG2.len() - 1] = {
    let mut entries = [0; LOG2.len() - 1];
    let mut i = 0;
    while i < entries.len() {
        let step = LOG2[i + 1] - LOG2[i];
        assert!(step < 1 << 9);
        entries[i] = LOG2[i] << 9 | step;
        i += 1;
    }
    entries
};

/// The sum of [`crate::range::encoder::cost`] over the lanes of `wanted`. A width has 24 bits, so a float of it is exact, and its bits are those of the logarithm.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn cost(widths: __m512i, wanted: __mmask16) -> u64 {
    let bits = _mm512_castps_si512(_mm512_cvtepi32_ps(widths));
    let byte = _mm512_set1_epi32(255);
    let index = _mm512_and_si512(_mm512_srli_epi32::<15>(bits), byte);
    let rest = _mm512_and_si512(_mm512_srli_epi32::<7>(bits), byte);
    // SAFETY: there is an entry for every byte.
    let entries = unsafe { _mm512_i32gather_epi32::<4>(index, LOG2_STEPS.as_ptr().cast()) };
    let step = _mm512_and_si512(entries, _mm512_set1_epi32(511));
    // Both are below 2^9, and nothing stands above them.
    let log2 = _mm512_add_epi32(_mm512_srli_epi32::<9>(entries), _mm512_srli_epi32::<8>(_mm512_madd_epi16(step, rest)));
    // The exponent of a float is 127 more than that of its value.
    let whole = _mm512_slli_epi32::<16>(_mm512_sub_epi32(_mm512_set1_epi32(127 + PRECISION as i32), _mm512_srli_epi32::<23>(bits)));
    u64::from(_mm512_mask_reduce_add_epi32(wanted, _mm512_sub_epi32(whole, log2)).cast_unsigned())
}
