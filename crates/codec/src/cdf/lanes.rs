//! The distributions of a batch side by side, by AVX-512: a lane of a vector is one of them.
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
mod transpose;
mod window;

use std::arch::x86_64::{
    __m512i, _mm_cvtsi32_si128, _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask,
    _mm512_cmpgt_epu32_mask, _mm512_loadu_si512, _mm512_mask_add_epi32, _mm512_mask_blend_epi32, _mm512_mask_mov_epi32, _mm512_max_epi32,
    _mm512_min_epi32, _mm512_mul_epu32, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_sll_epi32, _mm512_slli_epi32,
    _mm512_slli_epi64, _mm512_srai_epi32, _mm512_srav_epi32, _mm512_srli_epi32, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::{GROUP, PRECISION};
use crate::alphabet::Alphabet;
use crate::block::BATCH;
use crate::kernel::Kernel;
use logistic::logistic;
use window::{FEW, WINDOW};

/// Bounds and shares of symbols of 8 bits and less; see [`Alphabet`].
const BYTES: Alphabet = Alphabet::new(8, 0);
const WEIGHTS: u32 = BYTES.weights();
const FLOOR: u32 = BYTES.floor() << 8;
const SCALE_BOUNDS: (i32, i32) = BYTES.scale_bounds();
const MEAN_BOUNDS: (i32, i32) = (-BYTES.mean_bound(), BYTES.mean_bound());

/// Vectors that are looked up at once.
const PAIR: usize = 2;
/// Most components of a Program.
const MAX_COMPONENTS: usize = 32;

/// One figure of each distribution of a batch.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
struct Row([u32; BATCH]);

impl Row {
    const ZERO: Self = Self([0; BATCH]);

    /// Those of the group that begins at `from`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn load(&self, from: usize) -> __m512i {
        let group = &self.0[from..][..GROUP];
        // SAFETY: 16 figures of 32 bits.
        unsafe { _mm512_loadu_si512(group.as_ptr().cast::<__m512i>()) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn store(&mut self, from: usize, values: __m512i) {
        let group = &mut self.0[from..][..GROUP];
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_si512(group.as_mut_ptr().cast::<__m512i>(), values) }
    }
}

/// The distributions of a batch: what [`super::Mixture`] holds of one, a row for each figure.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    bit_depth: u8,
    components: usize,
    /// Of the components, unit 2^-16. These four are filled up with 0 to a multiple of [`FEW`].
    weights: Vec<Row>,
    /// Unit 2^-8 of an 8-bit step, `i32`.
    means: Vec<Row>,
    mantissas: Vec<Row>,
    /// Shifts, four less: see [`product_of`].
    falls: Vec<Row>,
    /// Weights of the spikes, and their symbols.
    spikes: Vec<Row>,
    values: Vec<Row>,
    /// The symbol at the heaviest part.
    likeliest: Row,
    /// Outputs of 16 pixels, one vector an output.
    outputs: Vec<[i32; GROUP]>,
    /// The first symbol of each window, and the masses below it and those that follow.
    starts: Row,
    strides: Row,
    /// Mean log2 scale of the components, unit 2^-8, `i32`.
    scales: Row,
    windows: Vec<[u32; WINDOW]>,
}

impl Lanes {
    /// Empty distributions; only where AVX-512 is.
    pub(super) fn new(bit_depth: u8, components: usize, spikes: usize) -> Self {
        assert!(Kernel::all().contains(&Kernel::Avx512));
        let padded = components.next_multiple_of(FEW);
        let outputs = (3 * components + spikes).next_multiple_of(GROUP);
        Self {
            bit_depth,
            components,
            weights: vec![Row::ZERO; padded],
            means: vec![Row::ZERO; padded],
            mantissas: vec![Row::ZERO; padded],
            falls: vec![Row::ZERO; padded],
            spikes: vec![Row::ZERO; spikes],
            values: vec![Row::ZERO; spikes],
            likeliest: Row::ZERO,
            outputs: vec![[0; GROUP]; outputs],
            starts: Row::ZERO,
            strides: Row::ZERO,
            scales: Row::ZERO,
            windows: vec![[0; WINDOW]; BATCH],
        }
    }

    const fn alphabet(&self) -> u32 {
        1 << self.bit_depth
    }

    const fn log2_scale(&self) -> u32 {
        8 - self.bit_depth as u32
    }

    /// Masses below a symbol of each of 16 distributions from `from` on: see [`super::Mixture::mass_below`].
    pub(super) fn masses_below(&self, from: usize, symbols: &[u32; GROUP]) -> [u32; GROUP] {
        // SAFETY: `new` has asked for the instructions.
        unsafe { self.masses_below_compiled(from, symbols) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn masses_below_compiled(&self, from: usize, symbols: &[u32; GROUP]) -> [u32; GROUP] {
        // SAFETY: 16 of 32 bits.
        let symbols = unsafe { _mm512_loadu_si512(symbols.as_ptr().cast::<__m512i>()) };
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        let edges = _mm512_sub_epi32(_mm512_sll_epi32(symbols, width), _mm512_set1_epi32(128 << self.log2_scale()));
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for i in (0..self.weights.len()).step_by(PAIR) {
            let z = |i: usize| {
                limited(_mm512_srav_epi32(
                    product_of(_mm512_sub_epi32(edges, self.means[i].load(from)), self.mantissas[i].load(from)),
                    self.falls[i].load(from),
                ))
            };
            for (i, below) in logistic([z(i), z(i + 1)]).into_iter().enumerate().map(|(at, below)| (i + at, below)) {
                add_product(&mut even, &mut odd, below, self.weights[i].load(from));
            }
        }
        let floor = _mm_cvtsi32_si128((FLOOR >> self.bit_depth).ilog2().cast_signed());
        let mut masses = _mm512_add_epi32(mixed(even, odd), _mm512_sll_epi32(symbols, floor));
        for (spike, values) in self.spikes.iter().zip(&self.values) {
            let above = _mm512_cmpgt_epu32_mask(symbols, values.load(from));
            masses = _mm512_mask_add_epi32(masses, above, masses, _mm512_slli_epi32::<8>(spike.load(from)));
        }
        let beyond = _mm512_cmpge_epu32_mask(symbols, _mm512_set1_epi32(self.alphabet().cast_signed()));
        masses = _mm512_mask_mov_epi32(masses, beyond, _mm512_set1_epi32(1 << PRECISION));
        let nothing = _mm512_cmpeq_epi32_mask(symbols, _mm512_setzero_si512());
        masses = _mm512_mask_mov_epi32(masses, nothing, _mm512_setzero_si512());
        let mut out = [0; GROUP];
        // SAFETY: 16 of 32 bits.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast::<__m512i>(), masses) };
        out
    }

    /// Means of 16 distributions from `from` on: see [`super::Mixture::centre`].
    pub(super) fn centres(&self, from: usize) -> [u32; GROUP] {
        // SAFETY: `new` has asked for the instructions.
        unsafe { self.centres_compiled(from) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn centres_compiled(&self, from: usize) -> [u32; GROUP] {
        let mut sum = _mm512_setzero_si512();
        for (mean, weight) in self.means.iter().zip(&self.weights) {
            let mean = _mm512_min_epi32(_mm512_max_epi32(mean.load(from), _mm512_setzero_si512()), _mm512_set1_epi32(255 << 8));
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(mean, weight.load(from)));
        }
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        for (value, weight) in self.values.iter().zip(&self.spikes) {
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(_mm512_sll_epi32(value.load(from), width), weight.load(from)));
        }
        let mut out = [0; GROUP];
        // SAFETY: 16 of 32 bits.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast::<__m512i>(), _mm512_srli_epi32::<20>(sum)) };
        out
    }
}

/// `apart` (edge minus mean) times the mantissa, without the four lowest bits.
///
/// Distances are below 2^18.4 and mantissas at most 2^16, so the product needs 35 bits. No shift is below 5: the four lowest bits of the distance are
/// multiplied by themselves, and what is left fits 32 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn product_of(apart: __m512i, mantissa: __m512i) -> __m512i {
    let upper = _mm512_mullo_epi32(_mm512_srai_epi32::<4>(apart), mantissa);
    let lower = _mm512_srli_epi32::<4>(_mm512_mullo_epi32(_mm512_and_si512(apart, _mm512_set1_epi32(15)), mantissa));
    _mm512_add_epi32(upper, lower)
}

/// Arguments of the logistic function, unit 2^-13, within ±12.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn limited(z: __m512i) -> __m512i {
    _mm512_min_epi32(_mm512_max_epi32(z, _mm512_set1_epi32(-12 << 13)), _mm512_set1_epi32(12 << 13))
}

/// Sums of weighted masses of even lanes and of odd ones as masses.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn mixed(even: __m512i, odd: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<16>(even), _mm512_slli_epi64::<16>(odd))
}

/// Adds products of 32 bits to sums of 64, those of even lanes and those of odd ones.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn add_product(even: &mut __m512i, odd: &mut __m512i, a: __m512i, b: __m512i) {
    *even = _mm512_add_epi64(*even, _mm512_mul_epu32(a, b));
    *odd = _mm512_add_epi64(*odd, _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b)));
}
