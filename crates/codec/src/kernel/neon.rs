//! The kernel by NEON, which every 64-bit ARM has, and what it shares with the one that has dot products ([`super::dotprod`]).
//!
//! All of it is always inlined, so that it is compiled for the instructions of the function it ends up in.
#![allow(unsafe_code, reason = "vector loads and stores, and instructions that every machine of this kind has; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::aarch64::{
    int8x16_t, int16x4_t, int16x8x2_t, int32x4_t, int64x2_t, vdup_n_s32, vdupq_n_s8, vdupq_n_s32, veorq_s8, vget_low_s8, vget_low_s16, vget_low_s32,
    vld1q_s8, vld1q_s32, vld1q_s64, vld2q_s16, vmaxq_s32, vminq_s32, vmlal_high_lane_s16, vmlal_high_s32, vmlal_lane_s16, vmlal_s32, vmull_high_s8,
    vmull_s8, vnegq_s64, vpadalq_s16, vpaddq_s16, vqmovn_high_s64, vqmovn_s64, vreinterpret_s16_s32, vreinterpretq_s8_s32, vreinterpretq_s16_s32,
    vreinterpretq_u8_s16, vshlq_s64, vst1q_s32, vst1q_u8, vuzp1q_s16, vuzp1q_u8, vzip1q_s64, vzip2q_s64,
};

use super::packed::Scale;
use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile: their sums take sixteen of 32 registers.
const CELLS: usize = 4;
/// Vectors of a panel.
pub(super) const VECTORS: usize = LANES / 4;

/// Sums of pixels, for each those of a panel.
pub(super) type Sums<const N: usize> = [[int32x4_t; VECTORS]; N];

/// Whether this machine runs this kernel, which takes in bytes in the order in which they lie.
pub(super) const fn has() -> bool {
    cfg!(target_endian = "little")
}

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    // SAFETY: these instructions are always there.
    unsafe { run_hidden::<Pairwise>(layer, rows, cells, out) }
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    // SAFETY: these instructions are always there.
    unsafe { run_linear::<Pairwise>(layer, rows, cells, out) }
}

/// How narrow inputs are multiplied.
pub(super) trait Narrow {
    /// Adds the products of a panel's narrow inputs, from which 128 is taken if they are `SAMPLES`.
    ///
    /// # Safety
    /// The instructions exist, and each of `N` rows, the first at `inputs` and the next ones `stride` from each other, has `weights.len() / LANES` inputs.
    unsafe fn add<const N: usize, const SAMPLES: bool>(sums: &mut Sums<N>, weights: &[i8], inputs: *const u8, stride: usize);
}

/// By products of 16 bits.
struct Pairwise;

impl Narrow for Pairwise {
    #[inline(always)]
    unsafe fn add<const N: usize, const SAMPLES: bool>(sums: &mut Sums<N>, weights: &[i8], inputs: *const u8, stride: usize) {
        for (quad, weights) in weights.as_chunks().0.iter().enumerate() {
            let w = load_weights(weights);
            for (cell, sums) in sums.iter_mut().enumerate() {
                // SAFETY: as the caller says: four narrow inputs begin here.
                let x = signed::<SAMPLES>(unsafe { load_quad(inputs.add(cell * stride + quad * QUAD)) });
                for (sum, w) in sums.iter_mut().zip(w) {
                    // Two products of at most 128 times 127 stay inside 16 bits.
                    // SAFETY: arithmetic on registers.
                    *sum = unsafe { vpadalq_s16(*sum, vpaddq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(w)), vmull_high_s8(x, w))) };
                }
            }
        }
    }
}

/// The weights of a panel for four inputs.
#[inline(always)]
pub(super) fn load_weights(weights: &[i8; LANES * QUAD]) -> [int8x16_t; VECTORS] {
    // SAFETY: four times sixteen weights.
    [0, 1, 2, 3].map(|vector| unsafe { vld1q_s8(weights.as_ptr().add(16 * vector)) })
}

/// Four inputs, four times over.
///
/// # Safety
/// There are four at `inputs`.
#[inline(always)]
pub(super) unsafe fn load_quad(inputs: *const u8) -> int8x16_t {
    // SAFETY: as the caller says.
    unsafe { vreinterpretq_s8_s32(vdupq_n_s32(inputs.cast::<i32>().read_unaligned())) }
}

/// Samples less 128; other inputs have 7 bits and stay what they are.
#[inline(always)]
pub(super) fn signed<const SAMPLES: bool>(x: int8x16_t) -> int8x16_t {
    // SAFETY: arithmetic on registers.
    if SAMPLES { unsafe { veorq_s8(x, vdupq_n_s8(i8::MIN)) } } else { x }
}

/// What becomes of the sums of a panel.
trait Store {
    /// Stores what a panel makes of one pixel at `at`, the index of its first output.
    fn store(&mut self, at: usize, values: [int32x4_t; VECTORS]);
}

/// Outputs of a ReLU layer.
struct Hidden<'a>(&'a mut [u8]);

impl Store for Hidden<'_> {
    #[inline(always)]
    fn store(&mut self, at: usize, values: [int32x4_t; VECTORS]) {
        let to = &mut self.0[at..][..LANES];
        // SAFETY: sixteen values are stored as bytes.
        unsafe {
            let [a, b, c, d] = values.map(|value| vreinterpretq_s16_s32(value));
            let (lower, upper) = (vreinterpretq_u8_s16(vuzp1q_s16(a, b)), vreinterpretq_u8_s16(vuzp1q_s16(c, d)));
            vst1q_u8(to.as_mut_ptr(), vuzp1q_u8(lower, upper));
        }
    }
}

/// Outputs of a linear layer.
struct Linear<'a>(&'a mut [i32]);

impl Store for Linear<'_> {
    #[inline(always)]
    fn store(&mut self, at: usize, values: [int32x4_t; VECTORS]) {
        for (to, value) in self.0[at..][..LANES].as_chunks_mut::<4>().0.iter_mut().zip(values) {
            // SAFETY: four values are stored as such.
            unsafe { vst1q_s32(to.as_mut_ptr(), value) };
        }
    }
}

/// [`hidden`] by `M`.
///
/// # Safety
/// The instructions of `M` exist.
#[inline(always)]
pub(super) unsafe fn run_hidden<M: Narrow>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    let out = &mut Hidden(out);
    // SAFETY: as the caller says.
    unsafe {
        match layer.starts.is_empty() {
            true => run::<M, false>(layer, rows, cells, out),
            false => run::<M, true>(layer, rows, cells, out),
        }
    }
}

/// [`linear`] by `M`. These layers take no samples.
///
/// # Safety
/// The instructions of `M` exist.
#[inline(always)]
pub(super) unsafe fn run_linear<M: Narrow>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    assert!(layer.starts.is_empty());
    // SAFETY: as the caller says.
    unsafe { run::<M, false>(layer, rows, cells, &mut Linear(out)) }
}

/// Hands out what each panel makes of each pixel.
///
/// # Safety
/// The instructions of `M` exist.
#[inline(always)]
unsafe fn run<M: Narrow, const SAMPLES: bool>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut impl Store) {
    assert!(rows.holds(layer, cells));
    for panel in 0..layer.scales.len() {
        let mut first = 0;
        while first + CELLS <= cells {
            // SAFETY: there are `first + CELLS` pixels with inputs enough, as just asserted; instructions as the caller says.
            unsafe { tile::<M, CELLS, SAMPLES>(layer, panel, rows, first, out) };
            first += CELLS;
        }
        while first < cells {
            // SAFETY: there are `first + 1` pixels with inputs enough, as just asserted; instructions as the caller says.
            unsafe { tile::<M, 1, SAMPLES>(layer, panel, rows, first, out) };
            first += 1;
        }
    }
}

/// `N` pixels from `first` on.
///
/// # Safety
/// The caller has checked [`Rows::holds`] for `first + N` pixels, and that the instructions of `M` exist.
#[inline(always)]
unsafe fn tile<M: Narrow, const N: usize, const SAMPLES: bool>(layer: &Packed, panel: usize, rows: &Rows<'_>, first: usize, out: &mut impl Store) {
    let (narrow, wide) = layer.panel(panel);
    let start = if SAMPLES { layer.starts[panel] } else { [0; LANES] };
    // SAFETY: four times four of sixteen numbers.
    let mut sums = [[0, 1, 2, 3].map(|vector| unsafe { vld1q_s32(start.as_ptr().add(4 * vector)) }); N];
    if !narrow.is_empty() {
        // SAFETY: `holds`: these rows are there.
        unsafe { M::add::<N, SAMPLES>(&mut sums, narrow, rows.narrow.as_ptr().add(first * rows.narrow_stride), rows.narrow_stride) };
    }
    if !wide.is_empty() {
        // SAFETY: as above.
        unsafe { add_wide(&mut sums, wide, rows.wide.as_ptr().add(first * rows.wide_stride), rows.wide_stride) };
    }
    finish(&layer.scales[panel], layer.bounds, &mut sums);
    for (cell, values) in sums.into_iter().enumerate() {
        out.store((first + cell) * layer.output_stride() + panel * LANES, values);
    }
}

/// Adds the products of a panel's wide inputs.
///
/// # Safety
/// Each of `N` rows, the first at `inputs` and the next ones `stride` from each other, has `weights.len() / LANES` inputs.
#[inline(always)]
unsafe fn add_wide<const N: usize>(sums: &mut Sums<N>, weights: &[i16], inputs: *const i16, stride: usize) {
    for (pair, weights) in weights.as_chunks::<{ LANES * PAIR }>().0.iter().enumerate() {
        // Of eight units each, those for the first input of the pair and those for the second.
        // SAFETY: 32 weights: two times sixteen.
        let w = unsafe { [vld2q_s16(weights.as_ptr()), vld2q_s16(weights.as_ptr().add(16))] };
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as the caller says: two wide inputs begin here.
            let x = unsafe { vreinterpret_s16_s32(vdup_n_s32(inputs.add(cell * stride + pair * PAIR).cast::<i32>().read_unaligned())) };
            for (sums, w) in sums.as_chunks_mut().0.iter_mut().zip(w) {
                add_pair(sums, w, x);
            }
        }
    }
}

/// Adds to the sums of eight units the products of two inputs, `x`.
#[inline(always)]
fn add_pair(sums: &mut [int32x4_t; 2], w: int16x8x2_t, x: int16x4_t) {
    // SAFETY: arithmetic on registers.
    unsafe {
        sums[0] = vmlal_lane_s16::<0>(sums[0], vget_low_s16(w.0), x);
        sums[1] = vmlal_high_lane_s16::<0>(sums[1], w.0, x);
        sums[0] = vmlal_lane_s16::<1>(sums[0], vget_low_s16(w.1), x);
        sums[1] = vmlal_high_lane_s16::<1>(sums[1], w.1, x);
    }
}

/// Turns sums into outputs: [`Scale::finish`], four units at a time.
#[inline(always)]
fn finish<const N: usize>(scale: &Scale, bounds: (i64, i64), sums: &mut Sums<N>) {
    // Bounds have 31 bits and a sign, so what is narrowed to that with saturation is bounded to the same value.
    // SAFETY: arithmetic on registers.
    let (low, high) = unsafe { (vdupq_n_s32(bounds.0 as i32), vdupq_n_s32(bounds.1 as i32)) };
    for (vector, factors) in scale.factor.as_chunks::<4>().0.iter().enumerate() {
        let (offset, shift) = (in_order(&scale.offset, vector), in_order(&scale.shift, vector));
        // SAFETY: four factors are loaded; the rest is arithmetic on registers.
        unsafe {
            let factor = vld1q_s32(factors.as_ptr());
            // What is shifted to the left by less than nothing falls.
            let left = shift.map(|shift| vnegq_s64(shift));
            for sums in sums.iter_mut() {
                let sum = sums[vector];
                let lower = vshlq_s64(vmlal_s32(offset[0], vget_low_s32(sum), vget_low_s32(factor)), left[0]);
                let upper = vshlq_s64(vmlal_high_s32(offset[1], sum, factor), left[1]);
                sums[vector] = vminq_s32(vmaxq_s32(vqmovn_high_s64(vqmovn_s64(lower), upper), low), high);
            }
        }
    }
}

/// Figures of four units, lower two and upper two, of those of even and those of odd ones.
#[inline(always)]
fn in_order(halves: &[[i64; LANES / 2]; 2], vector: usize) -> [int64x2_t; 2] {
    let [even, odd] = [&halves[0][2 * vector..][..2], &halves[1][2 * vector..][..2]];
    // SAFETY: two figures each.
    unsafe {
        let (even, odd) = (vld1q_s64(even.as_ptr()), vld1q_s64(odd.as_ptr()));
        [vzip1q_s64(even, odd), vzip2q_s64(even, odd)]
    }
}
