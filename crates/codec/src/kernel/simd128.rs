//! The kernel by the 128-bit vectors of WebAssembly: only in programs that are compiled for them, as a module cannot ask for instructions.
#![allow(unsafe_code, reason = "vector loads and stores; the scalar kernel is their oracle")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use std::arch::wasm32::{
    i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i16x8_extend_low_u8x16, i32x4_add, i32x4_dot_i16x8, i32x4_shuffle, i32x4_splat, v128, v128_load,
    v128_load32_splat, v128_store,
};

use super::{LANES, PAIR, Packed, QUAD, Rows};

/// Pixels of a tile.
const CELLS: usize = 2;
/// Units of a tile: eight sums for two pixels, since most machines below have sixteen registers.
const UNITS: usize = 8;

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    run(layer, rows, cells, out, |value| value as u8);
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    run(layer, rows, cells, out, |value| value as i32);
}

#[inline(always)]
fn run<T>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [T], narrowed: impl Fn(i64) -> T) {
    assert!(rows.holds(layer, cells));
    let stride = layer.output_stride();
    for (panel, scale) in layer.scales.iter().enumerate() {
        for unit in (0..LANES).step_by(UNITS) {
            let mut first = 0;
            while first < cells {
                let mut tile = [[0; UNITS]; CELLS];
                let count = if first + CELLS <= cells {
                    // SAFETY: there are `first + CELLS` pixels with inputs enough, as just asserted.
                    unsafe { sums::<CELLS>(layer, panel, unit, rows, first, &mut tile) };
                    CELLS
                } else {
                    // SAFETY: there are `first + 1` pixels with inputs enough, as just asserted.
                    unsafe { sums::<1>(layer, panel, unit, rows, first, &mut tile) };
                    1
                };
                for (cell, sums) in tile[..count].iter().enumerate() {
                    let out = &mut out[(first + cell) * stride + panel * LANES + unit..][..UNITS];
                    for (lane, (to, &sum)) in out.iter_mut().zip(sums).enumerate() {
                        *to = narrowed(scale.finish(unit + lane, sum, layer.bounds));
                    }
                }
                first += count;
            }
        }
    }
}

/// Sums over all inputs of `N` pixels from `first` on for eight units of a panel from `unit` on, in the first `N` rows of `tile`.
///
/// # Safety
/// The caller has checked [`Rows::holds`] for `first + N` pixels.
#[inline(always)]
unsafe fn sums<const N: usize>(layer: &Packed, panel: usize, unit: usize, rows: &Rows<'_>, first: usize, tile: &mut [[i32; UNITS]; CELLS]) {
    let (narrow, wide) = layer.panel(panel);
    // Two sums a unit: of the first two inputs of each four, and of the others.
    let mut halves = [[i32x4_splat(0); 4]; N];
    for (quad, weights) in narrow.as_chunks::<{ LANES * QUAD }>().0.iter().enumerate() {
        let weights = &weights[unit * QUAD..][..UNITS * QUAD];
        // SAFETY: 32 weights: two vectors of 16.
        let [a, b] = unsafe { [v128_load(weights.as_ptr().cast()), v128_load(weights.as_ptr().add(16).cast())] };
        let w = [i16x8_extend_low_i8x16(a), i16x8_extend_high_i8x16(a), i16x8_extend_low_i8x16(b), i16x8_extend_high_i8x16(b)];
        for (cell, halves) in halves.iter_mut().enumerate() {
            // SAFETY: `holds`: four narrow inputs begin here.
            let x = unsafe { v128_load32_splat(rows.narrow.as_ptr().add((first + cell) * rows.narrow_stride + quad * QUAD).cast()) };
            let x = i16x8_extend_low_u8x16(x);
            for (half, w) in halves.iter_mut().zip(w) {
                *half = i32x4_add(*half, i32x4_dot_i16x8(x, w));
            }
        }
    }
    let mut sums = [[i32x4_splat(0); 2]; N];
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(halves) {
        *sums = [joined(a, b), joined(c, d)];
    }
    for (pair, weights) in wide.as_chunks::<{ LANES * PAIR }>().0.iter().enumerate() {
        let weights = &weights[unit * PAIR..][..UNITS * PAIR];
        // SAFETY: 16 weights: two vectors of 8.
        let w = unsafe { [v128_load(weights.as_ptr().cast()), v128_load(weights.as_ptr().add(8).cast())] };
        for (cell, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `holds`: two wide inputs begin here.
            let x = unsafe { v128_load32_splat(rows.wide.as_ptr().add((first + cell) * rows.wide_stride + pair * PAIR).cast()) };
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = i32x4_add(*sum, i32x4_dot_i16x8(x, w));
            }
        }
    }
    for (row, [lower, upper]) in tile.iter_mut().zip(sums) {
        // SAFETY: a row holds 8 sums: two vectors of 4.
        unsafe {
            v128_store(row.as_mut_ptr().cast(), lower);
            v128_store(row.as_mut_ptr().add(4).cast(), upper);
        }
    }
}

/// Four units' sums from the two that each has.
#[inline(always)]
fn joined(a: v128, b: v128) -> v128 {
    i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b))
}
