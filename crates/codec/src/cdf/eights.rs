//! The distributions of a batch side by side, by AVX2: a lane of a vector is one of them.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

mod logistic;
mod search;
mod set;
mod shares;

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_blend_epi32, _mm256_loadu_si256, _mm256_max_epi32,
    _mm256_min_epi32, _mm256_mul_epu32, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sll_epi32, _mm256_slli_epi64,
    _mm256_srai_epi32, _mm256_srli_epi32, _mm256_srli_epi64, _mm256_storeu_si256,
};

use super::{GROUP, Mixture};
use crate::alphabet::Alphabet;
use crate::block::BATCH;

/// Distributions of a vector.
const EIGHT: usize = 8;

/// One figure of each distribution of a batch.
#[derive(Debug, Clone)]
#[repr(C, align(32))]
struct Row([u32; BATCH]);

impl Row {
    const ZERO: Self = Self([0; BATCH]);

    /// Those of the eight that begin at `from`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(&self, from: usize) -> __m256i {
        let eight = &self.0[from..][..EIGHT];
        // SAFETY: eight figures of 32 bits.
        unsafe { _mm256_loadu_si256(eight.as_ptr().cast::<__m256i>()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn store(&mut self, from: usize, values: __m256i) {
        let eight = &mut self.0[from..][..EIGHT];
        // SAFETY: as for `load`.
        unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast::<__m256i>(), values) }
    }
}

/// The distributions of a batch: what [`Mixture`] holds of one, a row for each figure.
#[derive(Debug, Clone)]
pub(super) struct Eights {
    alphabet: Alphabet,
    /// Of the components, unit 2^-16.
    weights: Vec<Row>,
    /// Unit 2^-8 step, `i32`.
    means: Vec<Row>,
    mantissas: Vec<Row>,
    /// Shifts, four less: see [`product_of`].
    falls: Vec<Row>,
    /// Weights of the spikes, and their symbols.
    spikes: Vec<Row>,
    values: Vec<Row>,
    /// The part of most weight, and the symbol there.
    heaviest: Row,
    likeliest: Row,
    /// Mean log2 scale of the components, unit 2^-8, `i32`.
    scales: Row,
    /// Outputs of eight pixels, one vector an output.
    outputs: Vec<[i32; EIGHT]>,
}

impl Eights {
    /// Empty distributions of symbols of up to 8 bits; only where AVX2 is.
    pub(super) fn new(alphabet: Alphabet, components: usize, spikes: usize) -> Self {
        assert!(is_x86_feature_detected!("avx2") && !alphabet.is_deep());
        Self {
            alphabet,
            weights: vec![Row::ZERO; components],
            means: vec![Row::ZERO; components],
            mantissas: vec![Row::ZERO; components],
            falls: vec![Row::ZERO; components],
            spikes: vec![Row::ZERO; spikes],
            values: vec![Row::ZERO; spikes],
            heaviest: Row::ZERO,
            likeliest: Row::ZERO,
            scales: Row::ZERO,
            outputs: vec![[0; EIGHT]; (3 * components + spikes).next_multiple_of(EIGHT)],
        }
    }

    /// Makes `mixture` the distribution of one lane.
    pub(super) fn put_into(&self, lane: usize, mixture: &mut Mixture) {
        let k = self.weights.len();
        for (to, row) in mixture.weights.iter_mut().zip(self.weights.iter().chain(&self.spikes)) {
            *to = row.0[lane];
        }
        for i in 0..k {
            mixture.means[i] = self.means[i].0[lane].cast_signed();
            mixture.mantissas[i] = self.mantissas[i].0[lane];
            mixture.shifts[i] = self.falls[i].0[lane] + 4;
        }
        mixture.values.iter_mut().zip(&self.values).for_each(|(to, row)| *to = row.0[lane]);
        mixture.heaviest = self.heaviest.0[lane] as usize;
        mixture.window = None;
    }

    /// Means of 16 distributions from `from` on: see [`Mixture::centre`].
    pub(super) fn centres(&self, from: usize) -> [u32; GROUP] {
        let mut centres = [0; GROUP];
        for (at, centres) in centres.chunks_exact_mut(EIGHT).enumerate() {
            // SAFETY: `new` has asked for the instructions.
            unsafe { self.eight_centres(from + at * EIGHT, centres) };
        }
        centres
    }

    #[target_feature(enable = "avx2")]
    fn eight_centres(&self, from: usize, out: &mut [u32]) {
        let mut sum = _mm256_setzero_si256();
        for (mean, weight) in self.means.iter().zip(&self.weights) {
            let mean = _mm256_min_epi32(_mm256_max_epi32(mean.load(from), _mm256_setzero_si256()), _mm256_set1_epi32(255 << 8));
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(mean, weight.load(from)));
        }
        let width = _mm_cvtsi32_si128(self.alphabet.log2_width().cast_signed());
        for (value, weight) in self.values.iter().zip(&self.spikes) {
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(_mm256_sll_epi32(value.load(from), width), weight.load(from)));
        }
        store(out, _mm256_srli_epi32::<20>(sum));
    }
}

/// Eight of 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn load(from: &[u32]) -> __m256i {
    let eight = &from[..EIGHT];
    // SAFETY: eight of 32 bits.
    unsafe { _mm256_loadu_si256(eight.as_ptr().cast::<__m256i>()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(to: &mut [u32], values: __m256i) {
    let eight = &mut to[..EIGHT];
    // SAFETY: eight of 32 bits.
    unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast::<__m256i>(), values) }
}

/// `apart` (edge minus mean) times the mantissa, without the four lowest bits.
///
/// Distances are below 2^18.4 and mantissas at most 2^16, so the product needs 35 bits. No shift is below 5: the four lowest bits of the distance are
/// multiplied by themselves, and what is left fits 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn product_of(apart: __m256i, mantissa: __m256i) -> __m256i {
    let upper = _mm256_mullo_epi32(_mm256_srai_epi32::<4>(apart), mantissa);
    let lower = _mm256_srli_epi32::<4>(_mm256_mullo_epi32(_mm256_and_si256(apart, _mm256_set1_epi32(15)), mantissa));
    _mm256_add_epi32(upper, lower)
}

/// `values` between two bounds.
#[target_feature(enable = "avx2")]
#[inline]
fn within(values: __m256i, (low, high): (i32, i32)) -> __m256i {
    _mm256_min_epi32(_mm256_max_epi32(values, _mm256_set1_epi32(low)), _mm256_set1_epi32(high))
}

/// Sums of 64 bits, of even lanes and of odd ones.
#[derive(Debug, Clone, Copy)]
struct Sums {
    even: __m256i,
    odd: __m256i,
}

impl Sums {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn zero() -> Self {
        Self { even: _mm256_setzero_si256(), odd: _mm256_setzero_si256() }
    }

    /// Adds products of 32 bits.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add_product(&mut self, a: __m256i, b: __m256i) {
        self.even = _mm256_add_epi64(self.even, _mm256_mul_epu32(a, b));
        self.odd = _mm256_add_epi64(self.odd, _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b)));
    }

    /// Sums of weighted masses as masses.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn mixed(self) -> __m256i {
        _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<16>(self.even), _mm256_slli_epi64::<16>(self.odd))
    }
}
