//! Masses below given symbols, each under a distribution of its own.
#![allow(unsafe_code, reason = "calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "as in `eights`")]

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32,
    _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sll_epi32, _mm256_slli_epi32, _mm256_srav_epi32, _mm256_sub_epi32,
};

use super::logistic::logistic;
use super::{EIGHT, Eights, Sums, load, product_of, store, within};
use crate::cdf::{Found, GROUP, PRECISION};
use crate::range::encoder::cost;

impl Eights {
    /// Masses below a symbol of each of 16 distributions from `from` on: see [`crate::cdf::Mixture::mass_below`].
    pub(in crate::cdf) fn masses_below(&self, from: usize, symbols: &[u32; GROUP]) -> [u32; GROUP] {
        let mut masses = [0; GROUP];
        for (at, (masses, symbols)) in masses.chunks_exact_mut(EIGHT).zip(symbols.chunks_exact(EIGHT)).enumerate() {
            // SAFETY: `new` has asked for the instructions.
            unsafe { self.eight_masses(from + at * EIGHT, symbols, masses) };
        }
        masses
    }

    #[target_feature(enable = "avx2")]
    fn eight_masses(&self, from: usize, symbols: &[u32], masses: &mut [u32]) {
        let symbols = load(symbols);
        let [mass] = self.masses_of::<1>(from, symbols);
        store(masses, mass);
    }

    /// [`crate::cdf::Mixture::share`] of a symbol below the alphabet under each of 16 distributions from `from` on, and the [`cost`] of the first `count`.
    pub(in crate::cdf) fn share_group(&self, from: usize, count: usize, found: &mut Found) -> u64 {
        for at in (0..count).step_by(EIGHT) {
            // SAFETY: `new` has asked for the instructions.
            unsafe { self.eight_shares(from, at, found) };
        }
        found.widths[..count].iter().map(|&width| cost(width)).sum()
    }

    #[target_feature(enable = "avx2")]
    fn eight_shares(&self, from: usize, at: usize, found: &mut Found) {
        let mut symbols = [0; EIGHT];
        symbols.iter_mut().zip(&found.symbols[at..]).for_each(|(to, &symbol)| *to = symbol.into());
        let [left, right] = self.masses_of::<2>(from + at, load(&symbols));
        store(&mut found.lefts[at..], left);
        store(&mut found.widths[at..], _mm256_sub_epi32(right, left));
    }

    /// Masses below eight symbols, and below the `N - 1` after each.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn masses_of<const N: usize>(&self, from: usize, symbols: __m256i) -> [__m256i; N] {
        let log2_width = self.alphabet.log2_width().cast_signed();
        let edges = _mm256_sub_epi32(_mm256_sll_epi32(symbols, _mm_cvtsi32_si128(log2_width)), _mm256_set1_epi32(1 << log2_width >> 1));
        // The next edge is at least 2^8 units on, no more than what the upper bits of a product are made of.
        let a_step = _mm_cvtsi32_si128(log2_width - 4);
        let mut sums = [Sums::zero(); N];
        for i in 0..self.weights.len() {
            let (mantissa, fall, weight) = (self.mantissas[i].load(from), self.falls[i].load(from), self.weights[i].load(from));
            let mut product = product_of(_mm256_sub_epi32(edges, self.means[i].load(from)), mantissa);
            for sums in &mut sums {
                sums.add_product(logistic(within(_mm256_srav_epi32(product, fall), (-12 << 13, 12 << 13))), weight);
                product = _mm256_add_epi32(product, _mm256_sll_epi32(mantissa, a_step));
            }
        }
        let (zero, whole) = (_mm256_setzero_si256(), _mm256_set1_epi32(1 << PRECISION));
        let floor = _mm256_set1_epi32(self.alphabet.floor().cast_signed());
        let last = _mm256_set1_epi32(self.alphabet.size().cast_signed() - 1);
        let mut masses = [zero; N];
        let mut symbols = symbols;
        for (mass, sums) in masses.iter_mut().zip(sums) {
            *mass = _mm256_add_epi32(sums.mixed(), _mm256_mullo_epi32(symbols, floor));
            for (spike, values) in self.spikes.iter().zip(&self.values) {
                let above = _mm256_cmpgt_epi32(symbols, values.load(from));
                *mass = _mm256_add_epi32(*mass, _mm256_and_si256(above, _mm256_slli_epi32::<8>(spike.load(from))));
            }
            *mass = _mm256_blendv_epi8(*mass, whole, _mm256_cmpgt_epi32(symbols, last));
            *mass = _mm256_andnot_si256(_mm256_cmpeq_epi32(symbols, zero), *mass);
            symbols = _mm256_add_epi32(symbols, _mm256_set1_epi32(1));
        }
        masses
    }
}
