//! The symbols of sixteen distributions searched for at once, each by a quantile of its own, in two vectors.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "as in `eights`")]

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_abs_epi32, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_max_epi32, _mm256_min_epi32,
    _mm256_mullo_epi32, _mm256_or_si256, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_si256, _mm256_sign_epi32, _mm256_sll_epi32,
    _mm256_slli_epi32, _mm256_srav_epi32, _mm256_srli_epi32, _mm256_sub_epi32, _mm256_testz_si256,
};

use super::logistic::logistic;
use super::{EIGHT, Eights, Sums, load, product_of, store, within};
use crate::cdf::{Found, GROUP, PRECISION};

/// Probes that follow the shape of a distribution; those after them halve what is left.
const LEAPS: usize = 8;
/// Vectors of a group.
const HALVES: usize = GROUP / EIGHT;
/// Components that are got ready for probes at once.
const MANY: usize = 32;

/// A figure of sixteen distributions.
type Group = [__m256i; HALVES];

/// Components of sixteen distributions, ready to be evaluated at any symbol.
struct Shapes<const N: usize> {
    /// Products of edge and mantissa at symbol 0, and what each symbol adds: see [`product_of`].
    origins: [Group; N],
    steps: [Group; N],
}

impl Eights {
    /// [`crate::cdf::Mixture::find`] of the first `count` of 16 distributions from `from` on.
    #[inline]
    pub(in crate::cdf) fn find_group(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        // SAFETY: `new` has asked for the instructions.
        unsafe {
            match self.weights.len() {
                0..=4 => self.find_group_of::<4>(from, count, quantiles, found),
                5..=8 => self.find_group_of::<8>(from, count, quantiles, found),
                _ => self.find_group_of::<MANY>(from, count, quantiles, found),
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn find_group_of<const N: usize>(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        let (one, zero) = (_mm256_set1_epi32(1), _mm256_setzero_si256());
        let shapes = self.shapes::<N>(from);
        let log2_scale = self.alphabet.log2_scale().cast_signed();
        let size = _mm256_set1_epi32(self.alphabet.size().cast_signed());
        let last = _mm256_sub_epi32(size, one);
        // Symbols, and the masses below them: the one that is looked for is at least `low` and below `high`.
        let (mut low, mut high) = ([zero; HALVES], [size; HALVES]);
        let (mut left, mut right) = ([zero; HALVES], [_mm256_set1_epi32(1 << PRECISION); HALVES]);
        let [mut quantile, mut wanted, mut scale, mut probe, mut open] = [[zero; HALVES]; 5];
        for h in 0..HALVES {
            let first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            open[h] = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32 - (h * EIGHT) as i32), first);
            quantile[h] = load(&quantiles[h * EIGHT..]);
            wanted[h] = log_odds(quantile[h]);
            let scales = _mm256_slli_epi32::<15>(self.scales.load(from + h * EIGHT));
            scale[h] = _mm256_sub_epi32(scales, _mm256_set1_epi32(((23 + log2_scale) << 23) + (53 << 23) / 100));
            let near = leap(self.likeliest.load(from + h * EIGHT), wanted[h], scale[h], zero);
            probe[h] = _mm256_min_epi32(_mm256_max_epi32(near, one), last);
        }
        let mut n = 0;
        loop {
            let masses = self.masses_at(&shapes, from, probe);
            let mut any = zero;
            for h in 0..HALVES {
                let above = _mm256_cmpgt_epi32(masses[h], quantile[h]);
                let (raised, lowered) = (_mm256_andnot_si256(above, open[h]), _mm256_and_si256(above, open[h]));
                low[h] = _mm256_blendv_epi8(low[h], probe[h], raised);
                left[h] = _mm256_blendv_epi8(left[h], masses[h], raised);
                high[h] = _mm256_blendv_epi8(high[h], probe[h], lowered);
                right[h] = _mm256_blendv_epi8(right[h], masses[h], lowered);
                let next = _mm256_add_epi32(low[h], one);
                open[h] = _mm256_andnot_si256(_mm256_cmpeq_epi32(next, high[h]), open[h]);
                any = _mm256_or_si256(any, open[h]);
            }
            n += 1;
            if _mm256_testz_si256(any, any) == 1 {
                break;
            }
            for h in 0..HALVES {
                probe[h] = if n < LEAPS {
                    // At least to the next symbol.
                    let far = leap(probe[h], _mm256_sub_epi32(wanted[h], log_odds(masses[h])), scale[h], one);
                    _mm256_min_epi32(_mm256_max_epi32(far, _mm256_add_epi32(low[h], one)), _mm256_sub_epi32(high[h], one))
                } else {
                    _mm256_srli_epi32::<1>(_mm256_add_epi32(low[h], high[h]))
                };
            }
        }
        let mut symbols = [0; GROUP];
        for h in 0..HALVES {
            store(&mut symbols[h * EIGHT..], low[h]);
            store(&mut found.lefts[h * EIGHT..], left[h]);
            store(&mut found.widths[h * EIGHT..], _mm256_sub_epi32(right[h], left[h]));
        }
        found.symbols.iter_mut().zip(symbols).for_each(|(to, symbol)| *to = symbol as u16);
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn shapes<const N: usize>(&self, from: usize) -> Shapes<N> {
        let zero = [_mm256_setzero_si256(); HALVES];
        let log2_width = self.alphabet.log2_width().cast_signed();
        let first = _mm256_set1_epi32(-(1 << log2_width >> 1));
        let a_step = _mm_cvtsi32_si128(log2_width - 4);
        let mut shapes = Shapes { origins: [zero; N], steps: [zero; N] };
        for i in 0..self.weights.len().min(N) {
            for h in 0..HALVES {
                let mantissa = self.mantissas[i].load(from + h * EIGHT);
                shapes.origins[i][h] = product_of(_mm256_sub_epi32(first, self.means[i].load(from + h * EIGHT)), mantissa);
                shapes.steps[i][h] = _mm256_sll_epi32(mantissa, a_step);
            }
        }
        shapes
    }

    /// Masses below a symbol of each, none of them 0 or beyond the alphabet.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn masses_at<const N: usize>(&self, shapes: &Shapes<N>, from: usize, symbols: Group) -> Group {
        let mut sums = [Sums::zero(); HALVES];
        for i in 0..self.weights.len().min(N) {
            for h in 0..HALVES {
                let product = _mm256_add_epi32(shapes.origins[i][h], _mm256_mullo_epi32(symbols[h], shapes.steps[i][h]));
                let z = within(_mm256_srav_epi32(product, self.falls[i].load(from + h * EIGHT)), (-12 << 13, 12 << 13));
                sums[h].add_product(logistic(z), self.weights[i].load(from + h * EIGHT));
            }
        }
        let floor = _mm256_set1_epi32(self.alphabet.floor().cast_signed());
        let mut masses = symbols;
        for h in 0..HALVES {
            masses[h] = _mm256_add_epi32(sums[h].mixed(), _mm256_mullo_epi32(symbols[h], floor));
            for (spike, values) in self.spikes.iter().zip(&self.values) {
                let above = _mm256_cmpgt_epi32(symbols[h], values.load(from + h * EIGHT));
                masses[h] = _mm256_add_epi32(masses[h], _mm256_and_si256(above, _mm256_slli_epi32::<8>(spike.load(from + h * EIGHT))));
            }
        }
        masses
    }
}

/// Roughly the binary logarithm of the odds of a mass (2^-24), unit 2^-23: the bits of floats, nothing is computed with them.
#[target_feature(enable = "avx2")]
#[inline]
fn log_odds(mass: __m256i) -> __m256i {
    let one = _mm256_set1_epi32(1);
    let rest = _mm256_sub_epi32(_mm256_set1_epi32(1 << PRECISION), mass);
    let (mass, rest) = (_mm256_cvtepi32_ps(_mm256_max_epi32(mass, one)), _mm256_cvtepi32_ps(_mm256_max_epi32(rest, one)));
    _mm256_sub_epi32(_mm256_castps_si256(mass), _mm256_castps_si256(rest))
}

/// `symbol` and as many more (or fewer) as a logistic of that scale needs for `odds` more.
#[target_feature(enable = "avx2")]
#[inline]
fn leap(symbol: __m256i, odds: __m256i, log2_scale: __m256i, least: __m256i) -> __m256i {
    let size = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_abs_epi32(odds)));
    let far = _mm256_cvtps_epi32(_mm256_castsi256_ps(_mm256_max_epi32(_mm256_add_epi32(size, log2_scale), _mm256_setzero_si256())));
    let far = _mm256_max_epi32(_mm256_min_epi32(far, _mm256_set1_epi32(256)), least);
    // With the sign of the odds, and the last bit set: there is no leap of none.
    _mm256_add_epi32(symbol, _mm256_sign_epi32(far, _mm256_or_si256(odds, _mm256_set1_epi32(1))))
}
