//! Gradients of a layer's weights: products over rows, of blocks of rows laid out anew.
#![allow(unsafe_code, reason = "vector loads and stores through pointers; every slice's length is asserted first")]

use std::arch::x86_64::{
    __m512, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi16, _mm512_maskz_loadu_epi16, _mm512_permutex2var_epi16, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{Multiply, TILE, WIDE, groups, tile, tile_of_singles, widen};

/// Rows of a block whose weight gradient is summed before it goes back to memory.
const BLOCK: usize = 64;

/// Blocks of rows as pairs or as single values, for [`add_weight_gradient`].
#[derive(Debug, Default)]
pub(in super::super) struct BlockScratch {
    pairs: [Vec<u16>; 2],
    singles: [Vec<f32>; 2],
}

/// Rows of the padded gradient of a layer with `n_in` inputs: weights, biases, and what fills the last tile.
pub(in super::super) const fn gradient_rows(n_in: usize) -> usize {
    (n_in + 1).next_multiple_of(TILE)
}

/// `gradient += transpose([x, 1]) @ by` over `rows` rows; `x` of `n_in` values and `by` of `columns` values a row, the gradient of shape
/// `[gradient_rows(n_in), columns]`. `columns` is a multiple of sixteen. `multiply` is one that the machine has.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(in super::super) fn add_weight_gradient(
    multiply: Multiply,
    (x, x_stride, n_in): (&[u16], usize, usize),
    (by, by_stride, columns): (&[u16], usize, usize),
    rows: usize,
    scratch: &mut BlockScratch,
    gradient: &mut [f32],
) {
    let tall = gradient_rows(n_in);
    assert!(columns.is_multiple_of(WIDE) && gradient.len() == tall * columns);
    for start in (0..rows).step_by(BLOCK) {
        let now = BLOCK.min(rows - start);
        let (x, by) = ((&x[start * x_stride..], x_stride, n_in), (&by[start * by_stride..], by_stride, columns));
        match multiply {
            // SAFETY: as the caller says, the machine has bf16.
            Multiply::Pairs => unsafe { add_block_of_pairs(x, by, now, &mut scratch.pairs, gradient, tall) },
            Multiply::Singles => add_block_of_singles(x, by, now, &mut scratch.singles, gradient, tall),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn add_block_of_pairs(
    (x, x_stride, n_in): (&[u16], usize, usize),
    (by, by_stride, columns): (&[u16], usize, usize),
    rows: usize,
    [left, right]: &mut [Vec<u16>; 2],
    gradient: &mut [f32],
    tall: usize,
) {
    pair_rows(x, x_stride, n_in, rows, left, tall);
    let pairs = rows.div_ceil(2);
    for pair in 0..pairs {
        let ones = &mut left[(pair * tall + n_in) * 2..][..2];
        ones[0] = 0x3F80; // 1
        ones[1] = if pair * 2 + 1 < rows { 0x3F80 } else { 0 };
    }
    pair_rows(by, by_stride, columns, rows, right, columns);
    for (first, wide) in groups(columns) {
        for row in (0..tall).step_by(TILE) {
            // SAFETY: `pair_rows` made `pairs` rows of `tall` and of `columns` pairs; the gradient has `tall` rows of `columns`.
            unsafe {
                let (a, b) = (left.as_ptr().add(row * 2), right.as_ptr().add(first * WIDE * 2));
                let out = gradient.as_mut_ptr().add(row * columns + first * WIDE);
                match wide {
                    1 => add_pairs::<1>(pairs, a, tall * 2, b, columns * 2, out, columns),
                    2 => add_pairs::<2>(pairs, a, tall * 2, b, columns * 2, out, columns),
                    3 => add_pairs::<3>(pairs, a, tall * 2, b, columns * 2, out, columns),
                    _ => add_pairs::<4>(pairs, a, tall * 2, b, columns * 2, out, columns),
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`]; `out` has `TILE` rows of `C` registers.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn add_pairs<const C: usize>(pairs: usize, a: *const u16, a_pair: usize, b: *const u16, b_pair: usize, out: *mut f32, out_stride: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = load::<C>(out, out_stride);
        tile::<C>(pairs, a, 2, a_pair, b, b_pair, &mut sums);
        store::<C>(&sums, out, out_stride);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn add_block_of_singles(
    (x, x_stride, n_in): (&[u16], usize, usize),
    (by, by_stride, columns): (&[u16], usize, usize),
    rows: usize,
    [left, right]: &mut [Vec<f32>; 2],
    gradient: &mut [f32],
    tall: usize,
) {
    let even = rows.next_multiple_of(2);
    // Whole registers are written: those of the last row too.
    for (to, width) in [(&mut *left, tall), (&mut *right, columns)] {
        let len = even * width + WIDE;
        if to.len() < len {
            to.resize(len, 0.0);
        }
    }
    for row in 0..rows {
        widen(&x[row * x_stride..][..n_in], &mut left[row * tall..]);
        left[row * tall + n_in] = 1.0;
        widen(&by[row * by_stride..][..columns], &mut right[row * columns..]);
    }
    // A missing last row counts as zeros.
    left[rows * tall..even * tall].fill(0.0);
    right[rows * columns..even * columns].fill(0.0);
    for (first, wide) in groups(columns) {
        for row in (0..tall).step_by(TILE) {
            // SAFETY: `even` rows of `tall` and of `columns` values; the gradient has `tall` rows of `columns`.
            unsafe {
                let (a, b) = (left.as_ptr().add(row), right.as_ptr().add(first * WIDE));
                let out = gradient.as_mut_ptr().add(row * columns + first * WIDE);
                match wide {
                    1 => add_singles::<1>(even / 2, a, tall, b, columns, out),
                    2 => add_singles::<2>(even / 2, a, tall, b, columns, out),
                    3 => add_singles::<3>(even / 2, a, tall, b, columns, out),
                    _ => add_singles::<4>(even / 2, a, tall, b, columns, out),
                }
            }
        }
    }
}

/// # Safety
/// As [`tile_of_singles`]; `out` has `TILE` rows of `C` registers, `columns` apart as those of `b`.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn add_singles<const C: usize>(pairs: usize, a: *const f32, a_column: usize, b: *const f32, columns: usize, out: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = load::<C>(out, columns);
        tile_of_singles::<C>(pairs, a, 1, a_column, b, columns, &mut sums);
        store::<C>(&sums, out, columns);
    }
}

/// # Safety
/// `from` has `TILE` rows of `C` registers.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load<const C: usize>(from: *const f32, stride: usize) -> [[__m512; C]; TILE] {
    let mut sums = [[_mm512_setzero_ps(); C]; TILE];
    for (r, row) in sums.iter_mut().enumerate() {
        for (c, sum) in row.iter_mut().enumerate() {
            // SAFETY: as the caller promises.
            *sum = unsafe { _mm512_loadu_ps(from.add(r * stride + c * WIDE)) };
        }
    }
    sums
}

/// # Safety
/// `to` has `TILE` rows of `C` registers.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store<const C: usize>(sums: &[[__m512; C]; TILE], to: *mut f32, stride: usize) {
    for (r, row) in sums.iter().enumerate() {
        for (c, &sum) in row.iter().enumerate() {
            // SAFETY: as the caller promises.
            unsafe { _mm512_storeu_ps(to.add(r * stride + c * WIDE), sum) };
        }
    }
}

/// Rows two by two, value beside value: `out` gets shape `[rows / 2, out_width, 2]`; a missing last row counts as zeros.
#[target_feature(enable = "avx512f,avx512bw")]
fn pair_rows(rows: &[u16], stride: usize, width: usize, count: usize, out: &mut Vec<u16>, out_width: usize) {
    assert!(width <= out_width && rows.len() >= (count - 1) * stride + width);
    let pairs = count.div_ceil(2);
    // What is never written below stays what it was: only columns that fill up a tile, whose sums nobody reads.
    if out.len() < pairs * out_width * 2 + 64 {
        out.resize(pairs * out_width * 2 + 64, 0);
    }
    let mut order = [[0u16; 32]; 2];
    for (i, index) in order.iter_mut().flatten().enumerate() {
        *index = (i / 2 + i % 2 * 32) as u16;
    }
    for pair in 0..pairs {
        let second = pair * 2 + 1 < count;
        for column in (0..width).step_by(32) {
            let some = (width - column).min(32);
            let mask = u32::MAX >> (32 - some);
            // SAFETY: masked loads touch `some` values inside the rows, whose lengths are asserted; stores are masked to pairs inside `out`.
            unsafe {
                let one = _mm512_maskz_loadu_epi16(mask, rows.as_ptr().add(pair * 2 * stride + column).cast());
                let two = match second {
                    true => _mm512_maskz_loadu_epi16(mask, rows.as_ptr().add((pair * 2 + 1) * stride + column).cast()),
                    false => _mm512_set1_epi32(0),
                };
                let to = out.as_mut_ptr().add((pair * out_width + column) * 2).cast::<i16>();
                for (half, order) in order.iter().enumerate() {
                    let held = (2 * some).saturating_sub(32 * half).min(32);
                    if held == 0 {
                        continue;
                    }
                    let order = _mm512_loadu_si512(order.as_ptr().cast());
                    let mixed = _mm512_permutex2var_epi16(one, order, two);
                    _mm512_mask_storeu_epi16(to.add(32 * half), u32::MAX >> (32 - held), mixed);
                }
            }
        }
    }
}
