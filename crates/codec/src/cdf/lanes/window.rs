//! The symbol that a quantile falls on: most are found among masses that were computed before the quantile was known.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use std::arch::x86_64::{
    __m512i, _mm_add_epi32, _mm_add_epi64, _mm_cmpge_epu32_mask, _mm_cmpgt_epu32_mask, _mm_cvtsi32_si128, _mm_mask_add_epi32, _mm_mask_blend_epi32,
    _mm_mask_mov_epi32, _mm_set1_epi32, _mm_setr_epi32, _mm_sll_epi32, _mm_slli_epi64, _mm_srli_epi64, _mm_storeu_si128, _mm256_add_epi32,
    _mm256_add_epi64, _mm256_castsi256_si128, _mm256_cmpge_epu32_mask, _mm256_cmpgt_epu32_mask, _mm256_extracti128_si256, _mm256_mask_add_epi32,
    _mm256_mask_mov_epi32, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_sllv_epi32, _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_broadcast_i32x4, _mm512_broadcast_i64x4, _mm512_castsi128_si512, _mm512_castsi512_si256, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask,
    _mm512_cmpgt_epu32_mask, _mm512_extracti64x4_epi64, _mm512_mask_add_epi32, _mm512_mask_blend_epi32, _mm512_mask_mov_epi32,
    _mm512_maskz_mov_epi32, _mm512_max_epi32, _mm512_permutexvar_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_si512, _mm512_sll_epi32,
    _mm512_slli_epi32, _mm512_sllv_epi32, _mm512_srav_epi32, _mm512_sub_epi32,
};

use super::FLOOR;
use super::{Lanes, MAX_COMPONENTS, PAIR, Row, add_product, limited, logistic::logistic, mixed, product_of, transpose};
use crate::block::BATCH;
use crate::cdf::{GROUP, PRECISION, upper_logistic};

/// Edges of each distribution that are evaluated ahead of its symbol.
pub(super) const WINDOW: usize = 8;
/// Edges of one distribution that are evaluated at once between two of a window.
pub(super) const FEW: usize = 4;
/// Edges of one distribution that are evaluated at once.
const EDGES: usize = 8;

impl Lanes {
    /// Computes the masses around the likeliest symbols of the first `cells` ahead of [`Lanes::find`]: independent of the code, so it need not wait for it.
    pub(in crate::cdf) fn prepare(&mut self, cells: usize) {
        assert!(cells <= BATCH);
        for from in (0..cells).step_by(GROUP) {
            // SAFETY: `new` has asked for the instructions.
            unsafe {
                match self.components {
                    0..=4 => self.prepare_group::<4>(from),
                    5..=8 => self.prepare_group::<8>(from),
                    _ => self.prepare_group::<MAX_COMPONENTS>(from),
                }
            }
        }
    }

    /// Two edges of a component after the other: each is the one before plus the same, but for the division by the scale. There are at most `N` components:
    /// few of them need no room for many.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn prepare_group<const N: usize>(&mut self, from: usize) {
        let zero = _mm512_setzero_si512();
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        let stride = self.strides.load(from);
        let before = _mm512_sllv_epi32(_mm512_set1_epi32(WINDOW as i32 / 2 - 1), stride);
        let start = _mm512_max_epi32(_mm512_sub_epi32(self.likeliest.load(from), before), zero);
        let first = _mm512_sub_epi32(_mm512_sll_epi32(start, width), _mm512_set1_epi32(128 << self.log2_scale()));
        let a_step = _mm_cvtsi32_si128(4 + self.log2_scale().cast_signed());
        let (mut products, mut steps) = ([zero; N], [zero; N]);
        for (i, (product, step)) in products.iter_mut().zip(&mut steps).enumerate().take(self.components) {
            let mantissa = self.mantissas[i].load(from);
            *product = product_of(_mm512_sub_epi32(first, self.means[i].load(from)), mantissa);
            *step = _mm512_sllv_epi32(_mm512_sll_epi32(mantissa, a_step), stride);
        }
        let floor = _mm_cvtsi32_si128((FLOOR >> self.bit_depth).ilog2().cast_signed());
        let mut masses = [zero; GROUP];
        for (pair, masses) in masses[..WINDOW].chunks_exact_mut(PAIR).enumerate() {
            let mut sums = [[zero; 2]; PAIR];
            for (i, (product, step)) in products.iter_mut().zip(&steps).enumerate().take(self.components) {
                let (fall, weight) = (self.falls[i].load(from), self.weights[i].load(from));
                let second = _mm512_add_epi32(*product, *step);
                let below = logistic([limited(_mm512_srav_epi32(*product, fall)), limited(_mm512_srav_epi32(second, fall))]);
                *product = _mm512_add_epi32(second, *step);
                for ([even, odd], below) in sums.iter_mut().zip(below) {
                    add_product(even, odd, below, weight);
                }
            }
            for (at, (mass, [even, odd])) in masses.iter_mut().zip(sums).enumerate() {
                let symbols = _mm512_add_epi32(start, _mm512_sllv_epi32(_mm512_set1_epi32((pair * PAIR + at) as i32), stride));
                *mass = _mm512_add_epi32(mixed(even, odd), _mm512_sll_epi32(symbols, floor));
                for (spike, values) in self.spikes.iter().zip(&self.values) {
                    let above = _mm512_cmpgt_epu32_mask(symbols, values.load(from));
                    *mass = _mm512_mask_add_epi32(*mass, above, *mass, _mm512_slli_epi32::<8>(spike.load(from)));
                }
                let beyond = _mm512_cmpge_epu32_mask(symbols, _mm512_set1_epi32(self.alphabet().cast_signed()));
                *mass = _mm512_mask_mov_epi32(*mass, beyond, _mm512_set1_epi32(1 << PRECISION));
            }
        }
        masses[0] = _mm512_maskz_mov_epi32(!_mm512_cmpeq_epi32_mask(start, zero), masses[0]);
        self.starts.store(from, start);
        let windows = &mut self.windows[from..from + GROUP];
        transpose::transposed(&masses, |at, column| {
            // SAFETY: a window holds 16 masses.
            unsafe { _mm256_storeu_si256(windows[at].as_mut_ptr().cast(), _mm512_castsi512_si256(column)) };
        });
    }

    /// Masses below the symbols `start`, `start + 2^log2_stride` and so on; the whole mass beyond the alphabet.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn masses(&self, lane: usize, start: u32, log2_stride: u32) -> [u32; EDGES] {
        let steps = _mm256_sllv_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(log2_stride.cast_signed()));
        let symbols = _mm256_add_epi32(steps, _mm256_set1_epi32(start.cast_signed()));
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        // Eight edges for one component, and again for the next.
        let edges = _mm512_sub_epi32(_mm512_sll_epi32(_mm512_broadcast_i64x4(symbols), width), _mm512_set1_epi32(128 << self.log2_scale()));
        let two = |rows: &[Row], i: usize| {
            let of = |i: usize| _mm512_set1_epi32(rows[i].0[lane].cast_signed());
            _mm512_mask_blend_epi32(0xff00, of(i), of(i + 1))
        };
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for from in (0..self.weights.len()).step_by(2 * PAIR) {
            // Loops, not closures called twice: these would be functions of their own.
            let mut z = [edges; PAIR];
            for (at, z) in z.iter_mut().enumerate() {
                let i = from + PAIR * at;
                let product = product_of(_mm512_sub_epi32(*z, two(&self.means, i)), two(&self.mantissas, i));
                *z = limited(_mm512_srav_epi32(product, two(&self.falls, i)));
            }
            for (at, below) in logistic(z).into_iter().enumerate() {
                add_product(&mut even, &mut odd, below, two(&self.weights, from + PAIR * at));
            }
        }
        let floor = _mm256_set1_epi32((FLOOR >> self.bit_depth).ilog2().cast_signed());
        let mut masses = _mm256_add_epi32(_mm512_castsi512_si256(mixed(sum_halves(even), sum_halves(odd))), _mm256_sllv_epi32(symbols, floor));
        for (spike, values) in self.spikes.iter().zip(&self.values) {
            let above = _mm256_cmpgt_epu32_mask(symbols, _mm256_set1_epi32(values.0[lane].cast_signed()));
            masses = _mm256_mask_add_epi32(masses, above, masses, _mm256_set1_epi32((spike.0[lane] << 8).cast_signed()));
        }
        let beyond = _mm256_cmpge_epu32_mask(symbols, _mm256_set1_epi32(self.alphabet().cast_signed()));
        masses = _mm256_mask_mov_epi32(masses, beyond, _mm256_set1_epi32(1 << PRECISION));
        let mut out = [0; EDGES];
        // SAFETY: 8 of 32 bits.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), masses) };
        if start == 0 {
            out[0] = 0;
        }
        out
    }

    /// The symbol whose share holds `quantile` (below `1 << 24`), with the share's start and width: see [`crate::cdf::Mixture::find`].
    #[inline]
    pub(in crate::cdf) fn find(&self, lane: usize, quantile: u32) -> (u16, u32, u32) {
        let (start, log2_stride) = (self.starts.0[lane], self.strides.0[lane]);
        match between(&self.windows[lane], quantile) {
            Some((at, left, right)) if log2_stride == 0 => ((start + at) as u16, left, right - left),
            Some((at, left, right)) => self.between(lane, quantile, (start + (at << log2_stride), left), (start + ((at + 1) << log2_stride), right)),
            None => self.search(lane, quantile),
        }
    }

    /// [`Lanes::find`] between two symbols, the masses below which are known.
    #[inline(never)]
    fn between(&self, lane: usize, quantile: u32, mut low: (u32, u32), mut high: (u32, u32)) -> (u16, u32, u32) {
        high.0 = high.0.min(self.alphabet());
        while high.0 - low.0 > FEW as u32 {
            let middle = u32::midpoint(low.0, high.0);
            let mass = self.mass_below(lane, middle);
            if mass <= quantile {
                low = (middle, mass);
            } else {
                high = (middle, mass);
            }
        }
        let mut edges = [high.1; FEW + 1];
        // SAFETY: `new` has asked for the instructions.
        edges[..FEW].copy_from_slice(&unsafe { self.few_masses(lane, low.0) });
        let at = rank(&edges, quantile).min(high.0 - low.0) - 1;
        let (left, right) = (edges[at as usize], if low.0 + at + 1 == high.0 { high.1 } else { edges[at as usize + 1] });
        ((low.0 + at) as u16, left, right - left)
    }

    /// Masses below the symbols `start`, `start + 1` and so on; the whole mass beyond the alphabet. A vector holds four edges of each of four components.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn few_masses(&self, lane: usize, start: u32) -> [u32; FEW] {
        let symbols = _mm_add_epi32(_mm_set1_epi32(start.cast_signed()), _mm_setr_epi32(0, 1, 2, 3));
        let width = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        let edges = _mm512_sub_epi32(_mm512_broadcast_i32x4(_mm_sll_epi32(symbols, width)), _mm512_set1_epi32(128 << self.log2_scale()));
        let zero = _mm512_setzero_si512();
        let repeated = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
        let (mut even, mut odd) = (zero, zero);
        for from in (0..self.weights.len()).step_by(FEW) {
            let four = |rows: &[Row]| {
                let of = |i: usize| rows[from + i].0[lane].cast_signed();
                _mm512_permutexvar_epi32(repeated, _mm512_castsi128_si512(_mm_setr_epi32(of(0), of(1), of(2), of(3))))
            };
            let product = product_of(_mm512_sub_epi32(edges, four(&self.means)), four(&self.mantissas));
            let [below, _] = logistic([limited(_mm512_srav_epi32(product, four(&self.falls))), zero]);
            add_product(&mut even, &mut odd, below, four(&self.weights));
        }
        let quarters = |values: __m512i| {
            let halves = _mm256_add_epi64(_mm512_castsi512_si256(values), _mm512_extracti64x4_epi64::<1>(values));
            _mm_add_epi64(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
        };
        let mixed = _mm_mask_blend_epi32(0b1010, _mm_srli_epi64::<16>(quarters(even)), _mm_slli_epi64::<16>(quarters(odd)));
        let mut masses = _mm_add_epi32(mixed, _mm_sll_epi32(symbols, _mm_cvtsi32_si128((FLOOR >> self.bit_depth).ilog2().cast_signed())));
        for (spike, values) in self.spikes.iter().zip(&self.values) {
            let above = _mm_cmpgt_epu32_mask(symbols, _mm_set1_epi32(values.0[lane].cast_signed()));
            masses = _mm_mask_add_epi32(masses, above, masses, _mm_set1_epi32((spike.0[lane] << 8).cast_signed()));
        }
        let beyond = _mm_cmpge_epu32_mask(symbols, _mm_set1_epi32(self.alphabet().cast_signed()));
        masses = _mm_mask_mov_epi32(masses, beyond, _mm_set1_epi32(1 << PRECISION));
        let mut out = [0; FEW];
        // SAFETY: 4 of 32 bits.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), masses) };
        if start == 0 {
            out[0] = 0;
        }
        out
    }

    /// [`Lanes::find`] outside the window: next to it, or else in eighths of the alphabet.
    #[inline(never)]
    fn search(&self, lane: usize, quantile: u32) -> (u16, u32, u32) {
        // SAFETY: `new` has asked for the instructions.
        let masses = |start, log2_stride| unsafe { self.masses(lane, start, log2_stride) };
        let (window, mut log2_stride) = (self.starts.0[lane], self.strides.0[lane]);
        let reach = |edges: usize, log2_stride: u32| (edges as u32 - 1) << log2_stride;
        let mut start = if quantile < self.windows[lane][0] {
            log2_stride += 1;
            window.saturating_sub(reach(EDGES, log2_stride))
        } else {
            let end = window + reach(WINDOW, log2_stride);
            log2_stride += 1;
            end
        };
        let mut edges = masses(start, log2_stride);
        loop {
            if let Some((at, left, right)) = between(&edges, quantile) {
                return self.between(lane, quantile, (start + (at << log2_stride), left), (start + ((at + 1) << log2_stride), right));
            }
            if quantile >= edges[EDGES - 1] {
                start += reach(EDGES, log2_stride);
            } else {
                start = start.saturating_sub(reach(EDGES, log2_stride + 1));
            }
            log2_stride += 1;
            edges = masses(start, log2_stride);
        }
    }

    /// Mass of all symbols below `symbol` of one distribution: [`crate::cdf::Mixture::mass_below`].
    fn mass_below(&self, lane: usize, symbol: u32) -> u32 {
        let mut mass = symbol * (FLOOR >> self.bit_depth);
        for (weight, value) in self.spikes.iter().zip(&self.values) {
            mass += if symbol > value.0[lane] { weight.0[lane] << 8 } else { 0 };
        }
        let edge = (symbol << (8 + self.log2_scale())).cast_signed() - (128 << self.log2_scale());
        let mut mixed = 0u64;
        for i in 0..self.components {
            let product = i64::from(edge - self.means[i].0[lane].cast_signed()) * i64::from(self.mantissas[i].0[lane]);
            let z = (product >> (self.falls[i].0[lane] + 4)).clamp(-12 << 13, 12 << 13) as i32;
            let upper = upper_logistic(z.unsigned_abs());
            let below = if z < 0 { (1 << 24) - upper } else { upper };
            mixed += u64::from(below) * u64::from(self.weights[i].0[lane]);
        }
        mass + (mixed >> 16) as u32
    }
}

/// The last of the rising `edges` that is at most `quantile`, if there is one and another after it: its number, itself, the next.
#[inline(always)]
fn between<const N: usize>(edges: &[u32; N], quantile: u32) -> Option<(u32, u32, u32)> {
    if quantile < edges[0] || quantile >= edges[N - 1] {
        return None;
    }
    let at = rank(edges, quantile) as usize - 1;
    Some((at as u32, edges[at], edges[at + 1]))
}

/// How many of the rising `masses` are at most `quantile`.
#[inline(always)]
fn rank<const N: usize>(masses: &[u32; N], quantile: u32) -> u32 {
    masses.iter().map(|&mass| u32::from(mass <= quantile)).sum()
}

/// The sum of both halves, in the lower one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn sum_halves(values: __m512i) -> __m512i {
    _mm512_add_epi64(values, _mm512_broadcast_i64x4(_mm512_extracti64x4_epi64::<1>(values)))
}
