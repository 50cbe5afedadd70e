//! Distributions set from what a network puts out, eight at a time.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_blendv_epi8, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps,
    _mm256_cvttps_epi32, _mm256_div_ps, _mm256_loadu_si256, _mm256_max_epi32, _mm256_mul_ps, _mm256_mullo_epi32, _mm256_permute2x128_si256,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_sll_epi32, _mm256_srai_epi32, _mm256_srl_epi32, _mm256_srli_epi32,
    _mm256_srlv_epi32, _mm256_sub_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::logistic::exp2;
use super::{EIGHT, Eights, load, within};
use crate::alphabet::Alphabet;
use crate::block::BATCH;

/// Bounds and shares of symbols of 8 bits and less; see [`Alphabet`].
const BYTES: Alphabet = Alphabet::new(8, 0);
const WEIGHTS: i32 = BYTES.weights().cast_signed();
/// Less by 2^-20 of it.
const NEARLY_WEIGHTS: f32 = 65_519.94;
const SCALE_BOUNDS: (i32, i32) = BYTES.scale_bounds();
const MEAN_BOUNDS: (i32, i32) = (-BYTES.mean_bound(), BYTES.mean_bound());

impl Eights {
    /// Sets the first `cells` of them: see [`crate::cdf::Mixture::set`]. Outputs of pixel `i` begin at `i * stride`; `spikes` are the pixels that each
    /// spike sees, and `c` is the byte of them.
    pub(in crate::cdf) fn set(&mut self, cells: usize, outputs: &[i32], stride: usize, references: &[i32; BATCH], spikes: &[[u32; BATCH]], c: usize) {
        assert!(cells <= BATCH && stride >= self.outputs.len() && outputs.len() >= stride * BATCH && spikes.len() >= self.spikes.len());
        for from in (0..cells).step_by(EIGHT) {
            // SAFETY: `new` has asked for the instructions.
            unsafe { self.set_eight(from, &outputs[from * stride..], stride, references, spikes, c) };
        }
    }

    #[target_feature(enable = "avx2")]
    fn set_eight(&mut self, from: usize, outputs: &[i32], stride: usize, references: &[i32; BATCH], spikes: &[[u32; BATCH]], c: usize) {
        for (block, columns) in self.outputs.chunks_exact_mut(EIGHT).enumerate() {
            transpose(&outputs[block * EIGHT..], stride, columns);
        }
        let all = &self.outputs;
        let output = |i: usize| load_signed(&all[i]);
        let reference = _mm256_sll_epi32(load_signed(&references[from..]), _mm_cvtsi32_si128(8));
        let k = self.weights.len();
        let byte = _mm256_set1_epi32(255);
        let log2_scale = self.alphabet.log2_scale().cast_signed();
        let (to_byte, to_depth) = (_mm_cvtsi32_si128(8 * c as i32), _mm_cvtsi32_si128(log2_scale));
        let mut top = output(0);
        for i in (1..k).chain(3 * k..3 * k + self.spikes.len()) {
            top = _mm256_max_epi32(top, output(i));
        }
        // Weights before they are shared out, and the first part of most weight. Differences are below 2^32, a sixteenth of them below 2^28.
        let (mut sum, mut heaviest, mut likeliest) = (_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256());
        for (i, (row, (values, symbols))) in self.spikes.iter_mut().zip(self.values.iter_mut().zip(spikes)).enumerate().rev() {
            let pixels = load(&symbols[from..]);
            let symbols = _mm256_srl_epi32(_mm256_and_si256(_mm256_srl_epi32(pixels, to_byte), byte), to_depth);
            values.store(from, symbols);
            let log = load_signed(&all[3 * k + i]);
            let falls = fall(top, log);
            row.store(from, falls);
            sum = _mm256_add_epi32(sum, falls);
            let most = _mm256_cmpeq_epi32(log, top);
            heaviest = _mm256_blendv_epi8(heaviest, _mm256_set1_epi32((k + i) as i32), most);
            likeliest = _mm256_blendv_epi8(likeliest, symbols, most);
        }
        let to_symbol = _mm_cvtsi32_si128(8 + log2_scale);
        let half = _mm256_set1_epi32(128 << log2_scale);
        for i in (0..k).rev() {
            let (log, mean, scale) = (load_signed(&all[i]), load_signed(&all[k + i]), load_signed(&all[2 * k + i]));
            // Outputs far outside the bounds stay outside when they are limited first, so that the sum cannot wrap.
            let near = within(mean, (4 * MEAN_BOUNDS.0, 4 * MEAN_BOUNDS.1));
            let mean = within(_mm256_add_epi32(near, reference), MEAN_BOUNDS);
            self.means[i].store(from, mean);
            let scale = _mm256_srai_epi32::<4>(within(scale, SCALE_BOUNDS));
            self.mantissas[i].store(from, exp2(scale));
            self.falls[i].store(from, _mm256_add_epi32(_mm256_srai_epi32::<8>(scale), _mm256_set1_epi32(11 - 4)));
            let falls = fall(top, log);
            self.weights[i].store(from, falls);
            sum = _mm256_add_epi32(sum, falls);
            let most = _mm256_cmpeq_epi32(log, top);
            heaviest = _mm256_blendv_epi8(heaviest, _mm256_set1_epi32(i as i32), most);
            let symbol = _mm256_srl_epi32(_mm256_add_epi32(within(mean, (0, 255 << 8 | 128)), half), to_symbol);
            likeliest = _mm256_blendv_epi8(likeliest, symbol, most);
        }
        self.heaviest.store(from, heaviest);
        self.likeliest.store(from, likeliest);

        // See `share`. Floats only guess: the inverse is too small by 2^-21 to 2^-19 of itself, so a share falls short by less than a tenth, if at all, and is
        // made exact by what is left of it.
        let inverse = _mm256_div_ps(_mm256_set1_ps(NEARLY_WEIGHTS), _mm256_cvtepi32_ps(sum));
        let mut left = _mm256_set1_epi32(WEIGHTS);
        for row in self.weights.iter_mut().chain(&mut self.spikes) {
            let falls = row.load(from);
            let whole = _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(falls), inverse));
            let exact = _mm256_mullo_epi32(falls, _mm256_set1_epi32(WEIGHTS));
            let rest = _mm256_sub_epi32(exact, _mm256_mullo_epi32(whole, sum));
            // One more, unless what is left is less than the sum.
            let one_less = _mm256_cmpgt_epi32(sum, rest);
            let shared = _mm256_add_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(1)), one_less);
            left = _mm256_sub_epi32(left, shared);
            row.store(from, shared);
        }
        let mut spread = _mm256_setzero_si256();
        for (i, row) in self.weights.iter_mut().chain(&mut self.spikes).enumerate() {
            let takes = _mm256_cmpeq_epi32(heaviest, _mm256_set1_epi32(i as i32));
            let weight = _mm256_add_epi32(row.load(from), _mm256_and_si256(left, takes));
            row.store(from, weight);
            if i < k {
                let scale = _mm256_srai_epi32::<4>(within(load_signed(&all[2 * k + i]), SCALE_BOUNDS));
                spread = _mm256_add_epi32(spread, _mm256_mullo_epi32(weight, scale));
            }
        }
        self.scales.store(from, _mm256_srai_epi32::<16>(spread));
    }
}

/// A weight that falls as far below the `top` one as logarithms of unit 2^-12 say.
#[target_feature(enable = "avx2")]
#[inline]
fn fall(top: __m256i, log: __m256i) -> __m256i {
    let below = _mm256_srli_epi32::<4>(_mm256_sub_epi32(top, log));
    let falls = _mm256_srlv_epi32(exp2(below), _mm256_srli_epi32::<8>(below));
    _mm256_and_si256(falls, _mm256_cmpgt_epi32(_mm256_set1_epi32(20 << 8), below))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_signed(from: &[i32]) -> __m256i {
    let eight = &from[..EIGHT];
    // SAFETY: eight of 32 bits.
    unsafe { _mm256_loadu_si256(eight.as_ptr().cast::<__m256i>()) }
}

/// Eight figures of each of eight rows, `stride` apart, as eight columns.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(rows: &[i32], stride: usize, columns: &mut [[i32; EIGHT]]) {
    let mut fours = [_mm256_setzero_si256(); EIGHT];
    // Pairs of rows, then fours.
    for at in [0, 4] {
        let row = |i: usize| load_signed(&rows[(at + i) * stride..]);
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (low, high) = ([_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)], [_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)]);
        fours[at] = _mm256_unpacklo_epi64(low[0], high[0]);
        fours[at + 1] = _mm256_unpackhi_epi64(low[0], high[0]);
        fours[at + 2] = _mm256_unpacklo_epi64(low[1], high[1]);
        fours[at + 3] = _mm256_unpackhi_epi64(low[1], high[1]);
    }
    for i in 0..4 {
        let halves = [_mm256_permute2x128_si256::<0x20>(fours[i], fours[i + 4]), _mm256_permute2x128_si256::<0x31>(fours[i], fours[i + 4])];
        for (half, column) in halves.into_iter().enumerate() {
            let to = &mut columns[i + 4 * half];
            // SAFETY: eight of 32 bits.
            unsafe { std::arch::x86_64::_mm256_storeu_si256(to.as_mut_ptr().cast::<__m256i>(), column) };
        }
    }
}
