//! The logistic function of eight arguments, and look-ups: entries are loaded one by one, as the machine's own gathering is slow on many processors.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "indices are masked")]

use std::arch::x86_64::{
    __m256i, _mm256_abs_epi32, _mm256_add_epi32, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castpd_si256, _mm256_castps_pd, _mm256_castsi256_ps,
    _mm256_mullo_epi32, _mm256_set_epi32, _mm256_set_epi64x, _mm256_set1_epi32, _mm256_shuffle_ps, _mm256_srai_epi32, _mm256_srli_epi32,
    _mm256_sub_epi32,
};

use super::{EIGHT, store};
use crate::cdf::PRECISION;
use crate::cdf::logistic::PAIRS;
use crate::tables::EXP2_NEG;

/// The logistic function of each lane (unit 2^-13, within ±12), unit 2^-24.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn logistic(z: __m256i) -> __m256i {
    let size = _mm256_abs_epi32(z);
    let mut at = [0u32; EIGHT];
    store(&mut at, _mm256_srli_epi32::<8>(size));
    let pair = |lane: usize| PAIRS[at[lane] as usize & (PAIRS.len() - 1)].cast_signed();
    // So that halves of 128 bits, each shuffled for itself, end in order.
    let a = _mm256_castsi256_ps(_mm256_set_epi64x(pair(5), pair(4), pair(1), pair(0)));
    let b = _mm256_castsi256_ps(_mm256_set_epi64x(pair(7), pair(6), pair(3), pair(2)));
    let entry = _mm256_castpd_si256(_mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)));
    let step = _mm256_castpd_si256(_mm256_castps_pd(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)));
    let fraction = _mm256_and_si256(size, _mm256_set1_epi32(255));
    // A step is below 2^17.
    let upper = _mm256_add_epi32(entry, _mm256_srli_epi32::<8>(_mm256_mullo_epi32(step, fraction)));
    _mm256_blendv_epi8(upper, _mm256_sub_epi32(_mm256_set1_epi32(1 << PRECISION), upper), _mm256_srai_epi32::<31>(z))
}

/// [`EXP2_NEG`] at the lowest byte of each lane.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn exp2(at: __m256i) -> __m256i {
    let mut index = [0u32; EIGHT];
    store(&mut index, at);
    let entry = |lane: usize| EXP2_NEG[index[lane] as usize & (EXP2_NEG.len() - 1)].cast_signed();
    _mm256_set_epi32(entry(7), entry(6), entry(5), entry(4), entry(3), entry(2), entry(1), entry(0))
}
