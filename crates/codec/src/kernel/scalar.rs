//! The kernel in plain Rust: what every other one has to equal.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

use super::{LANES, PAIR, Packed, QUAD, Rows};

pub(super) fn hidden(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
    run(layer, rows, cells, out, |value| value as u8);
}

pub(super) fn linear(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
    run(layer, rows, cells, out, |value| value as i32);
}

#[inline(always)]
fn run<T>(layer: &Packed, rows: &Rows<'_>, cells: usize, out: &mut [T], narrowed: impl Fn(i64) -> T) {
    let stride = layer.output_stride();
    for (panel, scale) in layer.scales.iter().enumerate() {
        for (cell, out) in out.chunks_exact_mut(stride).take(cells).enumerate() {
            let sums = sums(layer, panel, rows, cell);
            for (lane, (to, &sum)) in out[panel * LANES..][..LANES].iter_mut().zip(&sums).enumerate() {
                *to = narrowed(scale.finish(lane, sum, layer.bounds));
            }
        }
    }
}

/// Sums over all inputs of one pixel, one a lane.
#[inline(always)]
fn sums(layer: &Packed, panel: usize, rows: &Rows<'_>, cell: usize) -> [i32; LANES] {
    let (narrow, wide) = layer.plain_panel(panel);
    let mut sums = [0i32; LANES];
    let mut add = |weights: &[i16], input: i16| {
        for (sum, &weight) in sums.iter_mut().zip(weights) {
            *sum += i32::from(weight) * i32::from(input);
        }
    };
    if !narrow.is_empty() {
        let inputs = &rows.narrow[cell * rows.narrow_stride..][..layer.quads * QUAD];
        narrow.chunks_exact(LANES).zip(inputs).for_each(|(weights, &input)| add(weights, input.into()));
    }
    if !wide.is_empty() {
        let inputs = &rows.wide[cell * rows.wide_stride..][..layer.pairs * PAIR];
        wide.chunks_exact(LANES).zip(inputs).for_each(|(weights, &input)| add(weights, input));
    }
    sums
}
