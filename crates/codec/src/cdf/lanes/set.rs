//! Distributions set from what a network puts out, 16 at a time.
#![allow(unsafe_code, reason = "vector loads and calls into functions compiled for other instructions; `Mixture` is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use std::arch::x86_64::{
    __m512i, _MM_CMPINT_NLT, _MM_FROUND_NO_EXC, _MM_FROUND_TO_POS_INF, _MM_FROUND_TO_ZERO, _mm_cvtsi32_si128, _mm512_add_epi32, _mm512_and_si512,
    _mm512_cmp_epu32_mask, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask, _mm512_cvt_roundepi32_ps, _mm512_cvtepi32_ps, _mm512_cvtepu32_ps,
    _mm512_cvttps_epu32, _mm512_div_round_ps, _mm512_loadu_si512, _mm512_mask_add_epi32, _mm512_mask_blend_epi32, _mm512_mask_mov_epi32,
    _mm512_maskz_mov_epi32, _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epu32, _mm512_mullo_epi32, _mm512_scalef_ps, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srai_epi32, _mm512_srl_epi32, _mm512_srli_epi32, _mm512_srli_epi64, _mm512_srlv_epi32,
    _mm512_sub_epi32,
};

use super::{Lanes, MAX_COMPONENTS, transpose};
use super::{MEAN_BOUNDS, SCALE_BOUNDS, WEIGHTS};
use crate::block::BATCH;
use crate::cdf::GROUP;
use crate::cdf::avx512::exp2;

impl Lanes {
    /// Sets the first `cells` of them: see [`crate::cdf::Mixture::set`]. Outputs of pixel `i` begin at `i * stride`; `spikes` are the pixels that each
    /// spike sees, and `c` is the byte of them.
    pub(in crate::cdf) fn set(&mut self, cells: usize, outputs: &[i32], stride: usize, references: &[i32; BATCH], spikes: &[[u32; BATCH]], c: usize) {
        assert!(cells <= BATCH && stride >= self.outputs.len() && outputs.len() >= stride * BATCH && spikes.len() >= self.spikes.len());
        for from in (0..cells).step_by(GROUP) {
            // SAFETY: `new` has asked for the instructions; outputs are as many as 64 pixels have.
            unsafe {
                match self.components {
                    0..=4 => self.set_group::<4>(from, &outputs[from * stride..], stride, references, spikes, c),
                    5..=8 => self.set_group::<8>(from, &outputs[from * stride..], stride, references, spikes, c),
                    _ => self.set_group::<MAX_COMPONENTS>(from, &outputs[from * stride..], stride, references, spikes, c),
                }
            }
        }
    }

    /// # Safety
    /// The instructions exist, and outputs of 16 pixels are there.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn set_group<const N: usize>(
        &mut self,
        from: usize,
        outputs: &[i32],
        stride: usize,
        references: &[i32; BATCH],
        spikes: &[[u32; BATCH]],
        c: usize,
    ) {
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
        let (to_byte, to_depth) = (_mm_cvtsi32_si128(8 * c as i32), _mm_cvtsi32_si128(self.log2_scale().cast_signed()));

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
            // SAFETY: 16 of 64 pixels.
            let pixels = unsafe { _mm512_loadu_si512(symbols[from..][..GROUP].as_ptr().cast::<__m512i>()) };
            let symbols = _mm512_srl_epi32(_mm512_and_si512(_mm512_srl_epi32(pixels, to_byte), byte), to_depth);
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

        // See `share`. Floats only guess: rounded so that the inverse is never too large, and too small by less than 2^11. A share that falls short by
        // less than one for that is made exact below, as it would be anyway.
        let rounded_up = _mm512_cvt_roundepi32_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(_mm512_max_epi32(sum, _mm512_set1_epi32(1 << 16)));
        let total = _mm512_cvtepu32_ps(_mm512_set1_epi32((WEIGHTS << 16).cast_signed()));
        let inverse = _mm512_div_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(total, rounded_up);
        let inverse = _mm512_cvttps_epu32(_mm512_scalef_ps(inverse, _mm512_cvtepi32_ps(_mm512_set1_epi32(16))));
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
        self.scales.store(from, _mm512_srai_epi32::<16>(spread));
        let stride = _mm512_srai_epi32::<24>(spread);
        self.strides.store(from, _mm512_min_epi32(_mm512_max_epi32(stride, _mm512_setzero_si512()), _mm512_set1_epi32(2)));
    }
}
