//! The kernel by AVX-VNNI, vectors of 256 bits: processors without AVX-512 that multiply bytes four to a lane. All else is as by AVX2.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::x86_64::{__m256i, _mm256_dpbusd_avx_epi32, _mm256_dpwssd_avx_epi32, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_si256};

use super::avx2::{Hidden, Linear, Store, Sums, store_tile, tiles};
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile: ten sums in sixteen registers.
const CELLS: usize = 5;

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")
}

tiles!("avx2,avxvnni", _mm256_dpbusd_avx_epi32, _mm256_dpwssd_avx_epi32);
