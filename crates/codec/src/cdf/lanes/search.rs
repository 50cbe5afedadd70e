//! The symbols of sixteen distributions searched for at once, each by a quantile of its own.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "as in `lanes`")]

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_cvtsi32_si128, _mm256_storeu_si256, _mm512_abs_epi32, _mm512_add_epi32, _mm512_add_epi64, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmple_epu32_mask, _mm512_cvtepi32_epi16, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_loadu_si512,
    _mm512_mask_add_epi32, _mm512_mask_cmpneq_epi32_mask, _mm512_mask_mov_epi32, _mm512_mask_sub_epi32, _mm512_max_epi32, _mm512_min_epi32,
    _mm512_movepi32_mask, _mm512_mul_epu32, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_sll_epi32, _mm512_slli_epi32,
    _mm512_srav_epi32, _mm512_srli_epi32, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::logistic::logistic;
use super::{FLOOR, Lanes, MAX_COMPONENTS, PAIR, limited, mixed, product_of};
use crate::cdf::{Found, GROUP, PRECISION};

/// Probes that follow the shape of a distribution; those after them halve what is left.
const LEAPS: usize = 8;

/// Components of sixteen distributions, ready to be evaluated at any symbol.
struct Shapes<const N: usize> {
    /// Products of edge and mantissa at symbol 0, and what each symbol adds: see [`product_of`].
    origins: [__m512i; N],
    steps: [__m512i; N],
    falls: [__m512i; N],
    weights: [__m512i; N],
}

impl Lanes {
    /// [`crate::cdf::Mixture::find`] of the first `count` of 16 distributions from `from` on.
    #[inline]
    pub(in crate::cdf) fn find_group(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        // SAFETY: `new` has asked for the instructions.
        unsafe {
            match self.components {
                0..=4 => self.find_group_of::<4>(from, count, quantiles, found),
                5..=8 => self.find_group_of::<8>(from, count, quantiles, found),
                _ => self.find_group_of::<MAX_COMPONENTS>(from, count, quantiles, found),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn find_group_of<const N: usize>(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        let (one, zero) = (_mm512_set1_epi32(1), _mm512_setzero_si512());
        // SAFETY: 16 of 32 bits.
        let quantile = unsafe { _mm512_loadu_si512(quantiles.as_ptr().cast::<__m512i>()) };
        let shapes = self.shapes::<N>(from);
        let size = _mm512_set1_epi32(self.alphabet().cast_signed());
        // Symbols, and the masses below them: the one that is looked for is at least `low` and below `high`.
        let (mut low, mut high) = (zero, size);
        let (mut left, mut right) = (zero, _mm512_set1_epi32(1 << PRECISION));
        let mut open = ((1u32 << count) - 1) as __mmask16;
        let wanted = log_odds(quantile);
        let scale = _mm512_sub_epi32(
            _mm512_slli_epi32::<15>(self.scales.load(from)),
            _mm512_set1_epi32(((23 + self.log2_scale() as i32) << 23) + (53 << 23) / 100),
        );
        let mut probe = leap(self.likeliest.load(from), wanted, scale, zero);
        let last = _mm512_sub_epi32(size, one);
        probe = _mm512_min_epi32(_mm512_max_epi32(probe, one), last);
        let mut n = 0;
        loop {
            let mass = self.masses_at(&shapes, from, probe);
            let below = _mm512_cmple_epu32_mask(mass, quantile);
            low = _mm512_mask_mov_epi32(low, open & below, probe);
            left = _mm512_mask_mov_epi32(left, open & below, mass);
            high = _mm512_mask_mov_epi32(high, open & !below, probe);
            right = _mm512_mask_mov_epi32(right, open & !below, mass);
            let next = _mm512_add_epi32(low, one);
            open = _mm512_mask_cmpneq_epi32_mask(open, next, high);
            n += 1;
            if open == 0 {
                break;
            }
            let before = _mm512_sub_epi32(high, one);
            probe = if n < LEAPS {
                // At least to the next symbol.
                let far = leap(probe, _mm512_sub_epi32(wanted, log_odds(mass)), scale, one);
                _mm512_min_epi32(_mm512_max_epi32(far, next), before)
            } else {
                _mm512_srli_epi32::<1>(_mm512_add_epi32(low, high))
            };
        }
        // SAFETY: 16 symbols of 16 bits, 16 figures of 32 bits each.
        unsafe {
            _mm256_storeu_si256(found.symbols.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(low));
            _mm512_storeu_si512(found.lefts.as_mut_ptr().cast::<__m512i>(), left);
            _mm512_storeu_si512(found.widths.as_mut_ptr().cast::<__m512i>(), _mm512_sub_epi32(right, left));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn shapes<const N: usize>(&self, from: usize) -> Shapes<N> {
        let zero = _mm512_setzero_si512();
        let first = _mm512_set1_epi32(-(128 << self.log2_scale()));
        let a_step = _mm_cvtsi32_si128(4 + self.log2_scale().cast_signed());
        let mut shapes = Shapes { origins: [zero; N], steps: [zero; N], falls: [zero; N], weights: [zero; N] };
        for i in 0..self.weights.len().min(N) {
            let mantissa = self.mantissas[i].load(from);
            shapes.origins[i] = product_of(_mm512_sub_epi32(first, self.means[i].load(from)), mantissa);
            shapes.steps[i] = _mm512_sll_epi32(mantissa, a_step);
            shapes.falls[i] = self.falls[i].load(from);
            shapes.weights[i] = self.weights[i].load(from);
        }
        shapes
    }

    /// Masses below a symbol of each, none of them 0 or beyond the alphabet.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn masses_at<const N: usize>(&self, shapes: &Shapes<N>, from: usize, symbols: __m512i) -> __m512i {
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for i in (0..self.weights.len().min(N)).step_by(PAIR) {
            let mut z = [_mm512_setzero_si512(); PAIR];
            for (at, z) in z.iter_mut().enumerate() {
                let product = _mm512_add_epi32(shapes.origins[i + at], _mm512_mullo_epi32(symbols, shapes.steps[i + at]));
                *z = limited(_mm512_srav_epi32(product, shapes.falls[i + at]));
            }
            let below = logistic(z);
            for (at, &below) in below.iter().enumerate() {
                let weight = shapes.weights[i + at];
                even = _mm512_add_epi64(even, _mm512_mul_epu32(below, weight));
                odd = _mm512_add_epi64(odd, _mm512_mul_epu32(_mm512_srli_epi64::<32>(below), _mm512_srli_epi64::<32>(weight)));
            }
        }
        let floor = _mm_cvtsi32_si128((FLOOR >> self.bit_depth).ilog2().cast_signed());
        let mut masses = _mm512_add_epi32(mixed(even, odd), _mm512_sll_epi32(symbols, floor));
        for (spike, values) in self.spikes.iter().zip(&self.values) {
            let under = _mm512_cmple_epu32_mask(symbols, values.load(from));
            masses = _mm512_mask_add_epi32(masses, !under, masses, _mm512_slli_epi32::<8>(spike.load(from)));
        }
        masses
    }
}

/// Roughly the binary logarithm of the odds of a mass (2^-24), unit 2^-23: the bits of floats, nothing is computed with them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn log_odds(mass: __m512i) -> __m512i {
    let bits = |mass| _mm512_castps_si512(_mm512_cvtepi32_ps(mass));
    let rest = _mm512_sub_epi32(_mm512_set1_epi32(1 << PRECISION), mass);
    _mm512_sub_epi32(bits(_mm512_max_epi32(mass, _mm512_set1_epi32(1))), bits(_mm512_max_epi32(rest, _mm512_set1_epi32(1))))
}

/// `symbol` and as many more (or fewer) as a logistic of that scale needs for `odds` more.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn leap(symbol: __m512i, odds: __m512i, log2_scale: __m512i, least: __m512i) -> __m512i {
    let size = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_abs_epi32(odds)));
    let far = _mm512_cvtps_epi32(_mm512_castsi512_ps(_mm512_max_epi32(_mm512_add_epi32(size, log2_scale), _mm512_setzero_si512())));
    let far = _mm512_max_epi32(_mm512_min_epi32(far, _mm512_set1_epi32(256)), least);
    let down = _mm512_movepi32_mask(odds);
    _mm512_mask_sub_epi32(_mm512_add_epi32(symbol, far), down, symbol, far)
}
