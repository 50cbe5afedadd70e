//! The distributions of a batch side by side, by AVX-512: a lane of a vector is one of them.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

mod logistic;
mod transpose;

use std::arch::x86_64::{
    __m512i, _MM_CMPINT_NLT, _mm_add_epi32, _mm_add_epi64, _mm_cmpge_epu32_mask, _mm_cmpgt_epu32_mask, _mm_cvtsi32_si128, _mm_loadu_si128,
    _mm_mask_add_epi32, _mm_mask_blend_epi32, _mm_mask_mov_epi32, _mm_set1_epi32, _mm_setr_epi32, _mm_sll_epi32, _mm_slli_epi64, _mm_srli_epi64,
    _mm_storeu_si128, _mm256_add_epi32, _mm256_add_epi64, _mm256_castsi256_si128, _mm256_cmpge_epu32_mask, _mm256_cmpgt_epu32_mask,
    _mm256_extracti128_si256, _mm256_mask_add_epi32, _mm256_mask_mov_epi32, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_sllv_epi32,
    _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_broadcast_i64x4,
    _mm512_castsi128_si512, _mm512_castsi512_si256, _mm512_cmp_epu32_mask, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask, _mm512_cmpgt_epu32_mask,
    _mm512_cvtepu8_epi32, _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_mask_add_epi32, _mm512_mask_blend_epi32, _mm512_mask_mov_epi32,
    _mm512_maskz_mov_epi32, _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epu32, _mm512_mullo_epi32, _mm512_permutexvar_epi32, _mm512_set1_epi32,
    _mm512_setr_epi32, _mm512_setzero_si512, _mm512_sll_epi32, _mm512_slli_epi32, _mm512_slli_epi64, _mm512_sllv_epi32, _mm512_srai_epi32,
    _mm512_srav_epi32, _mm512_srl_epi32, _mm512_srli_epi32, _mm512_srli_epi64, _mm512_srlv_epi32, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::avx512::exp2;
use super::{FLOOR, GROUP, MEAN_BOUNDS, PRECISION, SCALE_BOUNDS, WEIGHTS, upper_logistic};
use crate::block::BATCH;
use crate::kernel::Kernel;
use logistic::logistic;

/// Edges of each distribution that are evaluated ahead of its symbol.
const WINDOW: usize = 8;
/// Edges of one distribution that are evaluated at once between two of a window.
const FEW: usize = 4;
/// Added to the mean log2 scale, unit 2^-24, before it becomes a stride.
const WIDENING: i32 = 0;
/// Edges of one distribution that are evaluated at once.
const EDGES: usize = 8;
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
            windows: vec![[0; WINDOW]; BATCH],
        }
    }

    const fn alphabet(&self) -> u32 {
        1 << self.bit_depth
    }

    const fn log2_scale(&self) -> u32 {
        8 - self.bit_depth as u32
    }

    /// Sets the first `cells` of them: see [`super::Mixture::set`]. Outputs of pixel `i` begin at `i * stride`; `spikes` are the symbols of each spike.
    pub(super) fn set(&mut self, cells: usize, outputs: &[i32], stride: usize, references: &[i32; BATCH], spikes: &[[u8; BATCH]]) {
        assert!(cells <= BATCH && stride >= self.outputs.len() && outputs.len() >= stride * BATCH && spikes.len() >= self.spikes.len());
        for from in (0..cells).step_by(GROUP) {
            // SAFETY: `new` has asked for the instructions; outputs are as many as 64 pixels have.
            unsafe {
                match self.components {
                    0..=4 => self.set_group::<4>(from, &outputs[from * stride..], stride, references, spikes),
                    5..=8 => self.set_group::<8>(from, &outputs[from * stride..], stride, references, spikes),
                    _ => self.set_group::<MAX_COMPONENTS>(from, &outputs[from * stride..], stride, references, spikes),
                }
            }
        }
    }

    /// # Safety
    /// The instructions exist, and outputs of 16 pixels are there.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn set_group<const N: usize>(&mut self, from: usize, outputs: &[i32], stride: usize, references: &[i32; BATCH], spikes: &[[u8; BATCH]]) {
        for (block, columns) in self.outputs.chunks_exact_mut(GROUP).enumerate() {
            transpose::transpose(&outputs[block * GROUP..], stride, columns);
        }
        // SAFETY: an output holds 16 pixels; the references are 64.
        let (output, reference) = unsafe {
            let outputs = &self.outputs;
            (
                |i: usize| _mm512_loadu_si512(outputs[i].as_ptr().cast::<__m512i>()),
                _mm512_slli_epi32::<8>(_mm512_loadu_si512(references[from..][..GROUP].as_ptr().cast::<__m512i>())),
            )
        };
        let k = self.components;
        let within = |values, (low, high): (i32, i32)| _mm512_min_epi32(_mm512_max_epi32(values, _mm512_set1_epi32(low)), _mm512_set1_epi32(high));
        let byte = _mm512_set1_epi32(255);

        let mut top = output(0);
        for i in (1..k).chain(3 * k..3 * k + self.spikes.len()) {
            top = _mm512_max_epi32(top, output(i));
        }
        // Weights before they are shared out, and the first part of most weight.
        let fall = |i: usize| {
            let below = _mm512_srli_epi32::<4>(_mm512_sub_epi32(top, output(i)));
            let falls = _mm512_srlv_epi32(exp2(_mm512_and_si512(below, byte)), _mm512_srli_epi32::<8>(below));
            _mm512_maskz_mov_epi32(!_mm512_cmpge_epu32_mask(below, _mm512_set1_epi32(20 << 8)), falls)
        };
        let (mut sum, mut heaviest, mut likeliest) = (_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512());
        for (i, (row, (values, symbols))) in self.spikes.iter_mut().zip(self.values.iter_mut().zip(spikes)).enumerate().rev() {
            // SAFETY: 16 of 64 symbols.
            let symbols = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(symbols[from..][..GROUP].as_ptr().cast()) });
            values.store(from, symbols);
            let falls = fall(3 * k + i);
            row.store(from, falls);
            sum = _mm512_add_epi32(sum, falls);
            let most = _mm512_cmpeq_epi32_mask(output(3 * k + i), top);
            heaviest = _mm512_mask_mov_epi32(heaviest, most, _mm512_set1_epi32((k + i) as i32));
            likeliest = _mm512_mask_mov_epi32(likeliest, most, symbols);
        }
        let mut scales = [_mm512_setzero_si512(); N];
        let to_symbol = _mm_cvtsi32_si128(8 + self.log2_scale().cast_signed());
        let half = _mm512_set1_epi32(128 << self.log2_scale());
        for i in (0..k).rev() {
            // Outputs far outside the bounds stay outside when they are limited first, so that the sum cannot wrap.
            let near = within(output(k + i), (4 * MEAN_BOUNDS.0, 4 * MEAN_BOUNDS.1));
            let mean = within(_mm512_add_epi32(near, reference), MEAN_BOUNDS);
            self.means[i].store(from, mean);
            let scale = _mm512_srai_epi32::<4>(within(output(2 * k + i), SCALE_BOUNDS));
            self.mantissas[i].store(from, exp2(_mm512_and_si512(scale, byte)));
            scales[i] = scale;
            self.falls[i].store(from, _mm512_add_epi32(_mm512_srai_epi32::<8>(scale), _mm512_set1_epi32(11 - 4)));
            let falls = fall(i);
            self.weights[i].store(from, falls);
            sum = _mm512_add_epi32(sum, falls);
            let most = _mm512_cmpeq_epi32_mask(output(i), top);
            heaviest = _mm512_mask_mov_epi32(heaviest, most, _mm512_set1_epi32(i as i32));
            let symbol = _mm512_srl_epi32(_mm512_add_epi32(within(mean, (0, 255 << 8 | 128)), half), to_symbol);
            likeliest = _mm512_mask_mov_epi32(likeliest, most, symbol);
        }
        self.likeliest.store(from, likeliest);

        // See `share`.
        let mut sums = [0u32; GROUP];
        let mut inverses = [0u32; GROUP];
        // SAFETY: 16 of 32 bits.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast::<__m512i>(), sum) };
        for (inverse, sum) in inverses.iter_mut().zip(sums) {
            *inverse = ((u64::from(WEIGHTS) << 32) / u64::from(sum.max(1 << 16))) as u32;
        }
        // SAFETY: as above.
        let inverse = unsafe { _mm512_loadu_si512(inverses.as_ptr().cast::<__m512i>()) };
        let odd_inverse = _mm512_srli_epi64::<32>(inverse);
        let mut left = _mm512_set1_epi32(WEIGHTS.cast_signed());
        for row in self.weights[..k].iter_mut().chain(&mut self.spikes) {
            let falls = row.load(from);
            let even = _mm512_srli_epi64::<32>(_mm512_mul_epu32(falls, inverse));
            let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(falls), odd_inverse);
            let whole = _mm512_mask_blend_epi32(0xaaaa, even, odd);
            let exact = _mm512_mullo_epi32(falls, _mm512_set1_epi32(WEIGHTS.cast_signed()));
            let rest = _mm512_sub_epi32(exact, _mm512_mullo_epi32(whole, sum));
            let short = _mm512_cmp_epu32_mask::<_MM_CMPINT_NLT>(rest, sum);
            let shared = _mm512_mask_add_epi32(whole, short, whole, _mm512_set1_epi32(1));
            left = _mm512_sub_epi32(left, shared);
            row.store(from, shared);
        }
        let mut spread = _mm512_setzero_si512();
        for (i, row) in self.weights[..k].iter_mut().chain(&mut self.spikes).enumerate() {
            let weight = row.load(from);
            let takes = _mm512_cmpeq_epi32_mask(heaviest, _mm512_set1_epi32(i as i32));
            let weight = _mm512_mask_add_epi32(weight, takes, weight, left);
            row.store(from, weight);
            if let Some(scale) = scales[..k].get(i) {
                spread = _mm512_add_epi32(spread, _mm512_mullo_epi32(weight, *scale));
            }
        }
        let stride = _mm512_srai_epi32::<24>(_mm512_add_epi32(spread, _mm512_set1_epi32(WIDENING)));
        self.strides.store(from, _mm512_min_epi32(_mm512_max_epi32(stride, _mm512_setzero_si512()), _mm512_set1_epi32(2)));
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

    /// Computes the masses around the likeliest symbols of the first `cells` ahead of [`Lanes::find`]: independent of the code, so it need not wait for it.
    pub(super) fn prepare(&mut self, cells: usize) {
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

    /// The symbol whose share holds `quantile` (below `1 << 24`), with the share's start and width: see [`super::Mixture::find`].
    #[inline]
    pub(super) fn find(&self, lane: usize, quantile: u32) -> (u8, u32, u32) {
        let (start, log2_stride) = (self.starts.0[lane], self.strides.0[lane]);
        match between(&self.windows[lane], quantile) {
            Some((at, left, right)) if log2_stride == 0 => ((start + at) as u8, left, right - left),
            Some((at, left, right)) => self.between(lane, quantile, (start + (at << log2_stride), left), (start + ((at + 1) << log2_stride), right)),
            None => self.search(lane, quantile),
        }
    }

    /// [`Lanes::find`] between two symbols, the masses below which are known.
    #[inline(never)]
    fn between(&self, lane: usize, quantile: u32, mut low: (u32, u32), mut high: (u32, u32)) -> (u8, u32, u32) {
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
        ((low.0 + at) as u8, left, right - left)
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
    fn search(&self, lane: usize, quantile: u32) -> (u8, u32, u32) {
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

    /// Mass of all symbols below `symbol` of one distribution: [`super::Mixture::mass_below`].
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

/// The sum of both halves, in the lower one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn sum_halves(values: __m512i) -> __m512i {
    _mm512_add_epi64(values, _mm512_broadcast_i64x4(_mm512_extracti64x4_epi64::<1>(values)))
}
