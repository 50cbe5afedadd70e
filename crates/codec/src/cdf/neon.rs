//! Sixteen edges of a distribution at once, by NEON.
#![allow(unsafe_code, reason = "vector loads and stores, and instructions that every 64-bit ARM has; the plain functions are their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

use std::arch::aarch64::{
    int32x4_t, int64x2_t, uint32x4_t, vabsq_s32, vaddq_u32, vandq_u32, vbslq_u32, vcgeq_u32, vcgtq_u32, vcltzq_s32, vcombine_u64, vdupq_n_s32,
    vdupq_n_s64, vdupq_n_u32, vdupq_n_u64, vget_low_s32, vget_low_u32, vgetq_lane_u32, vld1_u64, vld1q_s32, vld1q_u32, vmaxq_s32, vminq_s32,
    vmlal_high_n_u32, vmlal_n_u32, vmull_high_s32, vmull_s32, vmulq_u32, vqmovn_high_s64, vqmovn_s64, vreinterpretq_u32_s32, vreinterpretq_u32_u64,
    vshlq_s64, vshrn_high_n_u64, vshrn_n_u64, vshrq_n_u32, vsraq_n_u32, vst1q_u32, vsubq_s32, vsubq_u32, vuzp1q_u32, vuzp2q_u32,
};

use super::logistic::PAIRS;
use super::{EDGES, Mixture, PRECISION};

/// Vectors of edges.
const VECTORS: usize = EDGES / 4;

/// The logistic function of four arguments that are `product` shifted to the right, `left` being less than nothing, and limited to ±12; unit 2^-24.
#[inline(always)]
pub(super) fn logistic(apart: int32x4_t, mantissa: int32x4_t, left: [int64x2_t; 2]) -> uint32x4_t {
    // SAFETY: arithmetic on registers; every index is below 512, as `z` is limited.
    unsafe {
        // Saturated to 32 bits first, which is outside the limits.
        let lower = vshlq_s64(vmull_s32(vget_low_s32(apart), vget_low_s32(mantissa)), left[0]);
        let upper = vshlq_s64(vmull_high_s32(apart, mantissa), left[1]);
        let z = vqmovn_high_s64(vqmovn_s64(lower), upper);
        let z = vminq_s32(vmaxq_s32(z, vdupq_n_s32(-12 << 13)), vdupq_n_s32(12 << 13));
        let size = vreinterpretq_u32_s32(vabsq_s32(z));
        let at = vshrq_n_u32::<8>(size);
        let pair = |index: u32| vld1_u64(PAIRS.as_ptr().add(index as usize & (PAIRS.len() - 1)));
        let a = vreinterpretq_u32_u64(vcombine_u64(pair(vgetq_lane_u32::<0>(at)), pair(vgetq_lane_u32::<1>(at))));
        let b = vreinterpretq_u32_u64(vcombine_u64(pair(vgetq_lane_u32::<2>(at)), pair(vgetq_lane_u32::<3>(at))));
        // A step is below 2^17.
        let step = vmulq_u32(vuzp2q_u32(a, b), vandq_u32(size, vdupq_n_u32(255)));
        let above = vsraq_n_u32::<8>(vuzp1q_u32(a, b), step);
        vbslq_u32(vcltzq_s32(z), vsubq_u32(vdupq_n_u32(1 << PRECISION), above), above)
    }
}

/// [`Mixture::masses`].
pub(super) fn masses(mixture: &Mixture, start: u32, log2_stride: u32) -> [u32; EDGES] {
    let (weights, spikes) = mixture.split_weights();
    let width = (1i32 << mixture.alphabet.log2_width()) << log2_stride;
    let mut firsts = [0; EDGES];
    let mut symbols = [0; EDGES];
    for (i, (first, symbol)) in firsts.iter_mut().zip(&mut symbols).enumerate() {
        *first = mixture.edge(start) + width * i as i32;
        *symbol = start + ((i as u32) << log2_stride);
    }
    let mut masses = [0; EDGES];
    // SAFETY: four times four of sixteen numbers are loaded and stored; the rest is arithmetic on registers.
    unsafe {
        let edges: [int32x4_t; VECTORS] = [0, 4, 8, 12].map(|at| vld1q_s32(firsts.as_ptr().add(at)));
        let mut mixed = [[vdupq_n_u64(0); 2]; VECTORS];
        let parts = mixture.means.iter().zip(&mixture.mantissas).zip(&mixture.shifts);
        for (&weight, ((&mean, &mantissa), &shift)) in weights.iter().zip(parts) {
            let (mean, mantissa) = (vdupq_n_s32(mean), vdupq_n_s32(mantissa.cast_signed()));
            let left = [vdupq_n_s64(-i64::from(shift)); 2];
            for ([lower, upper], &edge) in mixed.iter_mut().zip(&edges) {
                let below = logistic(vsubq_s32(edge, mean), mantissa, left);
                *lower = vmlal_n_u32(*lower, vget_low_u32(below), weight);
                *upper = vmlal_high_n_u32(*upper, below, weight);
            }
        }
        let floor = vdupq_n_u32(mixture.alphabet.floor());
        let (whole, alphabet) = (vdupq_n_u32(1 << PRECISION), vdupq_n_u32(mixture.alphabet()));
        for (vector, [lower, upper]) in mixed.into_iter().enumerate() {
            let symbol = vld1q_u32(symbols.as_ptr().add(4 * vector));
            let mut mass = vaddq_u32(vmulq_u32(symbol, floor), vshrn_high_n_u64::<16>(vshrn_n_u64::<16>(lower), upper));
            for (&weight, &value) in spikes.iter().zip(&mixture.values) {
                mass = vaddq_u32(mass, vandq_u32(vcgtq_u32(symbol, vdupq_n_u32(value)), vdupq_n_u32(weight << 8)));
            }
            mass = vbslq_u32(vcgeq_u32(symbol, alphabet), whole, mass);
            vst1q_u32(masses.as_mut_ptr().add(4 * vector), mass);
        }
    }
    if start == 0 {
        masses[0] = 0;
    }
    masses
}
