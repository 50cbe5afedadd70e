//! The kernel by NEON with dot products: four narrow inputs are multiplied for four units by one instruction.
#![allow(unsafe_code, reason = "an instruction, and calls into functions compiled for it; the scalar kernel is their oracle")]
#![allow(clippy::arithmetic_side_effects, reason = "a layer is validated before it is packed, which bounds every index and sum")]

use std::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_s8, vld1q_s8};
use std::arch::{asm, is_aarch64_feature_detected};

use super::neon::{self, Narrow, Sums, load_quad, load_weights, run_hidden, run_linear, signed};
use super::{LANES, Packed, QUAD, Rows};

/// Whether this machine runs this kernel.
pub(super) fn has() -> bool {
    neon::has() && is_aarch64_feature_detected!("dotprod")
}

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    assert!(has());
    // SAFETY: the instructions exist, as just asserted.
    unsafe { hidden_compiled(layer, rows, cells, out) }
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    assert!(has());
    // SAFETY: the instructions exist, as just asserted.
    unsafe { linear_compiled(layer, rows, cells, out) }
}

#[target_feature(enable = "neon,dotprod")]
fn hidden_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    // SAFETY: this function is compiled for these instructions.
    unsafe { run_hidden::<Dot>(layer, rows, cells, out) }
}

#[target_feature(enable = "neon,dotprod")]
fn linear_compiled(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    // SAFETY: this function is compiled for these instructions.
    unsafe { run_linear::<Dot>(layer, rows, cells, out) }
}

/// By dot products.
struct Dot;

/// Weights of a panel for four inputs.
type Quad = [i8; LANES * QUAD];

impl Narrow for Dot {
    #[inline(always)]
    unsafe fn add<const N: usize, const SAMPLES: bool>(sums: &mut Sums<N>, weights: &[i8], inputs: *const u8, stride: usize) {
        // SAFETY: arithmetic on registers.
        let mut x = [unsafe { vdupq_n_s8(0) }; N];
        let (blocks, rest) = weights.as_chunks::<{ LANES * QUAD }>().0.as_chunks::<4>();
        for (block, [a, b, c, d]) in blocks.iter().enumerate() {
            for (cell, x) in x.iter_mut().enumerate() {
                // SAFETY: as the caller says: sixteen narrow inputs begin here.
                *x = signed::<SAMPLES>(unsafe { vld1q_s8(inputs.add(cell * stride + 4 * QUAD * block).cast::<i8>()) });
            }
            // SAFETY: as the caller says, the instructions exist.
            unsafe {
                add_quad::<N, 0>(sums, a, &x);
                add_quad::<N, 1>(sums, b, &x);
                add_quad::<N, 2>(sums, c, &x);
                add_quad::<N, 3>(sums, d, &x);
            }
        }
        for (quad, weights) in rest.iter().enumerate() {
            for (cell, x) in x.iter_mut().enumerate() {
                // SAFETY: as the caller says: four narrow inputs begin here.
                *x = signed::<SAMPLES>(unsafe { load_quad(inputs.add(cell * stride + QUAD * (4 * blocks.len() + quad))) });
            }
            // SAFETY: as the caller says, the instructions exist.
            unsafe { add_quad::<N, 0>(sums, weights, &x) };
        }
    }
}

/// Adds the products of four inputs, number `G` of the four fours in each of `x`.
///
/// # Safety
/// The caller has checked the instructions.
#[inline(always)]
unsafe fn add_quad<const N: usize, const G: usize>(sums: &mut Sums<N>, weights: &Quad, x: &[int8x16_t; N]) {
    let w = load_weights(weights);
    for (sums, &x) in sums.iter_mut().zip(x) {
        for (sum, w) in sums.iter_mut().zip(w) {
            // SAFETY: as the caller says.
            *sum = unsafe { dot::<G>(*sum, w, x) };
        }
    }
}

/// Adds to each of four sums the dot product of four bytes of `w` with number `G` of the fours of `x`. The intrinsic is not stable yet.
#[target_feature(enable = "neon,dotprod")]
#[inline]
fn dot<const G: usize>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{number}]",
            sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x, number = const G,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}
