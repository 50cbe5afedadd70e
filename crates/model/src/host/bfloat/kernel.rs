//! Matrix products of bf16 pairs by AVX-512 (`vdpbf16ps`): twice the multiplications of f32 an instruction, sums in f32.
//!
//! A matrix of shape `[rows, k]` is read in pairs along `k`; its partner is packed so that the pairs of sixteen columns are one register.
//! Buffers hold [`SLACK`] rows more than are computed, so that every tile is whole.
#![allow(clippy::needless_range_loop, reason = "one index runs through sums, columns and masks of a tile")]
#![allow(unsafe_code, reason = "vector loads and stores through pointers; every slice's length is asserted first")]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _CMP_GT_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_storeu_si256, _mm512_add_ps,
    _mm512_castpd_ps, _mm512_castps_pd, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi16, _mm512_maskz_loadu_epi16, _mm512_maskz_mov_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_roundscale_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
    _mm512_slli_epi32, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use crate::net::CEILING;

/// Rows of a tile.
pub(super) const TILE: usize = 6;
/// Rows that every buffer holds beyond those in use.
pub(super) const SLACK: usize = TILE - 1;
/// Columns of a register.
pub(super) const WIDE: usize = 16;
/// Rows of a block whose weight gradient is summed before it goes back to memory.
const BLOCK: usize = 64;

/// A matrix of shape `[2 * pairs, columns]` as pairs of rows: shape `[pairs, columns, 2]`, columns padded to whole registers.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs {
    pub(super) pairs: usize,
    pub(super) columns: usize,
    values: Vec<u16>,
}

impl Pairs {
    /// Zeros for at least `[rows, columns]`.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let (pairs, columns) = (rows.div_ceil(2), columns.next_multiple_of(WIDE));
        Self { pairs, columns, values: vec![0; pairs * columns * 2] }
    }

    pub(super) fn set(&mut self, row: usize, column: usize, value: f32) {
        self.values[(row / 2 * self.columns + column) * 2 + row % 2] = nearest_bf16(value);
    }
}

/// The bf16 nearest to a number.
pub(super) fn nearest_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) as u16
}

/// What becomes of a product's sums.
pub(super) enum Finish<'a> {
    /// `sum * scale + bias`, as f32.
    Linear { scale: &'a [f32], bias: &'a [f32], out: &'a mut [f32] },
    /// The same through a ReLU that ends at [`CEILING`], in whole units if `rounded`; `open` gets a bit where the gradient passes.
    Relu { scale: &'a [f32], bias: &'a [f32], rounded: bool, out: &'a mut [u16], open: &'a mut [u16], open_stride: usize },
    /// As they are where `open` has a bit, else 0.
    Masked { open: &'a [u16], open_stride: usize, out: &'a mut [u16] },
    /// As they are.
    Plain { out: &'a mut [u16] },
}

/// `a @ b` for `rows` rows of `a`, whose rows begin `a_stride` values apart; rows of the output `out_stride`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn product(a: &[u16], a_stride: usize, rows: usize, b: &Pairs, finish: &mut Finish<'_>, out_stride: usize) {
    if rows == 0 {
        return;
    }
    let padded = rows.next_multiple_of(TILE);
    let reach = |stride: usize, width: usize| (padded - 1) * stride + width;
    assert!(a.len() >= reach(a_stride, 2 * b.pairs) && b.values.len() == b.pairs * b.columns * 2);
    let registers = b.columns / WIDE;
    let out_len = match finish {
        Finish::Linear { scale, bias, out } => {
            assert!(scale.len() >= b.columns && bias.len() >= b.columns);
            out.len()
        }
        Finish::Relu { scale, bias, out, open, open_stride, .. } => {
            assert!(scale.len() >= b.columns && bias.len() >= b.columns && open.len() >= reach(*open_stride, registers));
            out.len()
        }
        Finish::Masked { open, open_stride, out } => {
            assert!(open.len() >= reach(*open_stride, registers));
            out.len()
        }
        Finish::Plain { out } => out.len(),
    };
    assert!(out_len >= reach(out_stride, b.columns));
    let groups = registers.div_ceil(4);
    let mut first = 0;
    for group in 0..groups {
        let wide = (registers - first).div_ceil(groups - group);
        for row in (0..rows).step_by(TILE) {
            // SAFETY: the tile's rows and columns lie below the lengths asserted above.
            unsafe {
                let a = a.as_ptr().add(row * a_stride);
                match wide {
                    1 => tile_and_finish::<1>(a, a_stride, b, first, row, finish, out_stride),
                    2 => tile_and_finish::<2>(a, a_stride, b, first, row, finish, out_stride),
                    3 => tile_and_finish::<3>(a, a_stride, b, first, row, finish, out_stride),
                    _ => tile_and_finish::<4>(a, a_stride, b, first, row, finish, out_stride),
                }
            }
        }
        first += wide;
    }
}

/// # Safety
/// `a` has `TILE` rows of `2 * b.pairs` values; registers `first..first + C` of `b` and of the output's rows exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
unsafe fn tile_and_finish<const C: usize>(
    a: *const u16,
    a_stride: usize,
    b: &Pairs,
    first: usize,
    row: usize,
    finish: &mut Finish<'_>,
    out_stride: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); C]; TILE];
        tile::<C>(b.pairs, a, a_stride, 2, b.values.as_ptr().add(first * WIDE * 2), b.columns * 2, &mut sums);
        match finish {
            Finish::Linear { scale, bias, out } => {
                for c in 0..C {
                    let column = (first + c) * WIDE;
                    let (scale, bias) = (_mm512_loadu_ps(scale.as_ptr().add(column)), _mm512_loadu_ps(bias.as_ptr().add(column)));
                    for r in 0..TILE {
                        _mm512_storeu_ps(out.as_mut_ptr().add((row + r) * out_stride + column), _mm512_fmadd_ps(sums[r][c], scale, bias));
                    }
                }
            }
            Finish::Relu { scale, bias, rounded, out, open, open_stride } => {
                let (zero, ceiling) = (_mm512_setzero_ps(), _mm512_set1_ps(CEILING as f32));
                for c in 0..C {
                    let column = (first + c) * WIDE;
                    let (scale, bias) = (_mm512_loadu_ps(scale.as_ptr().add(column)), _mm512_loadu_ps(bias.as_ptr().add(column)));
                    for r in 0..TILE {
                        let sum = _mm512_fmadd_ps(sums[r][c], scale, bias);
                        let inside = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sum, zero) & _mm512_cmp_ps_mask::<_CMP_LT_OQ>(sum, ceiling);
                        *open.as_mut_ptr().add((row + r) * *open_stride + first + c) = inside;
                        let mut level = _mm512_min_ps(_mm512_max_ps(sum, zero), ceiling);
                        if *rounded {
                            let units = _mm512_mul_ps(level, _mm512_set1_ps(32.0));
                            let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(units);
                            level = _mm512_mul_ps(whole, _mm512_set1_ps(1.0 / 32.0));
                        }
                        store_bf16(out.as_mut_ptr().add((row + r) * out_stride + column), level);
                    }
                }
            }
            Finish::Masked { open, open_stride, out } => {
                for r in 0..TILE {
                    for c in 0..C {
                        let inside = *open.as_ptr().add((row + r) * *open_stride + first + c);
                        let value = _mm512_maskz_mov_ps(inside, sums[r][c]);
                        store_bf16(out.as_mut_ptr().add((row + r) * out_stride + (first + c) * WIDE), value);
                    }
                }
            }
            Finish::Plain { out } => {
                for r in 0..TILE {
                    for c in 0..C {
                        store_bf16(out.as_mut_ptr().add((row + r) * out_stride + (first + c) * WIDE), sums[r][c]);
                    }
                }
            }
        }
    }
}

/// Adds products of pairs to a tile of sums; `a` steps by `a_row` a row and `a_pair` a pair, `b` by `b_pair` a pair, in values.
///
/// # Safety
/// Every pair that the steps reach exists, and sixteen pairs a register of `b`.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn tile<const C: usize>(
    pairs: usize,
    a: *const u16,
    a_row: usize,
    a_pair: usize,
    b: *const u16,
    b_pair: usize,
    sums: &mut [[__m512; C]; TILE],
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut s = *sums;
        for p in 0..pairs {
            let mut right = [as_bf16(_mm512_set1_epi32(0)); C];
            for (c, right) in right.iter_mut().enumerate() {
                *right = as_bf16(_mm512_loadu_si512(b.add(p * b_pair + c * WIDE * 2).cast()));
            }
            for r in 0..TILE {
                let left = as_bf16(_mm512_set1_epi32(a.add(r * a_row + p * a_pair).cast::<i32>().read_unaligned()));
                for c in 0..C {
                    s[r][c] = _mm512_dpbf16_ps(s[r][c], left, right[c]);
                }
            }
        }
        *sums = s;
    }
}

/// Blocks of rows as pairs, for [`add_weight_gradient`].
#[derive(Debug, Default)]
pub(super) struct PairScratch {
    left: Vec<u16>,
    right: Vec<u16>,
}

/// Rows of the padded gradient of a layer with `n_in` inputs: weights, biases, and what fills the last tile.
pub(super) const fn gradient_rows(n_in: usize) -> usize {
    (n_in + 1).next_multiple_of(TILE)
}

/// `gradient += transpose([x, 1]) @ by` over `rows` rows; `x` of `n_in` values and `by` of `columns` values a row, the gradient of shape
/// `[gradient_rows(n_in), columns]`. `columns` is a multiple of sixteen.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn add_weight_gradient(
    (x, x_stride, n_in): (&[u16], usize, usize),
    (by, by_stride, columns): (&[u16], usize, usize),
    rows: usize,
    scratch: &mut PairScratch,
    gradient: &mut [f32],
) {
    let tall = gradient_rows(n_in);
    assert!(columns.is_multiple_of(WIDE) && gradient.len() == tall * columns);
    let registers = columns / WIDE;
    let groups = registers.div_ceil(4);
    for start in (0..rows).step_by(BLOCK) {
        let now = BLOCK.min(rows - start);
        pair_rows(&x[start * x_stride..], x_stride, n_in, now, &mut scratch.left, tall);
        for pair in 0..now.div_ceil(2) {
            let ones = &mut scratch.left[(pair * tall + n_in) * 2..][..2];
            ones[0] = 0x3F80; // 1
            ones[1] = if pair * 2 + 1 < now { 0x3F80 } else { 0 };
        }
        pair_rows(&by[start * by_stride..], by_stride, columns, now, &mut scratch.right, columns);
        let pairs = now.div_ceil(2);
        let mut first = 0;
        for group in 0..groups {
            let wide = (registers - first).div_ceil(groups - group);
            for row in (0..tall).step_by(TILE) {
                // SAFETY: `pair_rows` made `pairs` rows of `tall` and of `columns` pairs; the gradient's length is asserted.
                unsafe {
                    let a = scratch.left.as_ptr().add(row * 2);
                    let b = scratch.right.as_ptr().add(first * WIDE * 2);
                    let out = gradient.as_mut_ptr().add(row * columns + first * WIDE);
                    match wide {
                        1 => add_tile::<1>(pairs, a, tall * 2, b, columns * 2, out, columns),
                        2 => add_tile::<2>(pairs, a, tall * 2, b, columns * 2, out, columns),
                        3 => add_tile::<3>(pairs, a, tall * 2, b, columns * 2, out, columns),
                        _ => add_tile::<4>(pairs, a, tall * 2, b, columns * 2, out, columns),
                    }
                }
            }
            first += wide;
        }
    }
}

/// # Safety
/// As [`tile`]; `out` has `TILE` rows of `C` registers.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn add_tile<const C: usize>(pairs: usize, a: *const u16, a_pair: usize, b: *const u16, b_pair: usize, out: *mut f32, out_stride: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); C]; TILE];
        for (r, row) in sums.iter_mut().enumerate() {
            for (c, sum) in row.iter_mut().enumerate() {
                *sum = _mm512_loadu_ps(out.add(r * out_stride + c * WIDE));
            }
        }
        tile::<C>(pairs, a, 2, a_pair, b, b_pair, &mut sums);
        for (r, row) in sums.iter().enumerate() {
            for (c, &sum) in row.iter().enumerate() {
                _mm512_storeu_ps(out.add(r * out_stride + c * WIDE), sum);
            }
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
                    let mixed = std::arch::x86_64::_mm512_permutex2var_epi16(one, order, two);
                    _mm512_mask_storeu_epi16(to.add(32 * half), u32::MAX >> (32 - held), mixed);
                }
            }
        }
    }
}

/// Copies a few values.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn copy(from: &[u16], to: &mut [u16]) {
    assert_eq!(from.len(), to.len());
    for at in (0..from.len()).step_by(32) {
        let mask = u32::MAX >> (32 - (from.len() - at).min(32));
        // SAFETY: masked to what is left of both slices.
        unsafe {
            let values = _mm512_maskz_loadu_epi16(mask, from.as_ptr().add(at).cast());
            _mm512_mask_storeu_epi16(to.as_mut_ptr().add(at).cast(), mask, values);
        }
    }
}

/// Adds bf16 values to f32 ones; whole registers of `sums`, however many values there are.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(super) fn add(values: &[u16], sums: &mut [f32]) {
    assert!(sums.len() >= values.len().next_multiple_of(WIDE));
    for at in (0..values.len()).step_by(WIDE) {
        let mask = u16::MAX >> (WIDE - (values.len() - at).min(WIDE));
        // SAFETY: the load is masked to what is left of `values`; the length of `sums` is asserted.
        unsafe {
            let part = std::arch::x86_64::_mm256_maskz_loadu_epi16(mask, values.as_ptr().add(at).cast());
            let wide = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(part)));
            let to = sums.as_mut_ptr().add(at);
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), wide));
        }
    }
}

/// `sums` as bf16 where `open` has a bit, else 0: one register of `open` for each sixteen.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
pub(super) fn mask_row(sums: &[f32], open: &[u16], out: &mut [u16]) {
    assert!(sums.len() == open.len() * WIDE && out.len() >= sums.len());
    for (register, &inside) in open.iter().enumerate() {
        // SAFETY: sixteen values a bit mask, as asserted.
        unsafe {
            let value = _mm512_maskz_mov_ps(inside, _mm512_loadu_ps(sums.as_ptr().add(register * WIDE)));
            store_bf16(out.as_mut_ptr().add(register * WIDE), value);
        }
    }
}

/// Sixteen rows of sixteen values, `stride` apart, as columns.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn columns(rows: &[f32], stride: usize, out: &mut [[f32; WIDE]]) {
    assert!(rows.len() >= (WIDE - 1) * stride + WIDE && out.len() == WIDE);
    let mut held = [_mm512_setzero_ps(); WIDE];
    for (r, row) in held.iter_mut().enumerate() {
        // SAFETY: sixteen values a row, as asserted.
        *row = unsafe { _mm512_loadu_ps(rows.as_ptr().add(r * stride)) };
    }
    for (to, column) in out.iter_mut().zip(transpose(held)) {
        // SAFETY: an array of sixteen values.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), column) };
    }
}

/// Sixteen columns of sixteen values as rows of bf16, `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
pub(super) fn rows_bf16(columns: &[[f32; WIDE]], out: &mut [u16], stride: usize) {
    assert!(columns.len() == WIDE && out.len() >= (WIDE - 1) * stride + WIDE);
    let mut held = [_mm512_setzero_ps(); WIDE];
    for (column, from) in held.iter_mut().zip(columns) {
        // SAFETY: an array of sixteen values.
        *column = unsafe { _mm512_loadu_ps(from.as_ptr()) };
    }
    for (r, row) in transpose(held).into_iter().enumerate() {
        // SAFETY: sixteen values a row, as asserted.
        unsafe { store_bf16(out.as_mut_ptr().add(r * stride), row) };
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(r: [__m512; 16]) -> [__m512; 16] {
    let zero = _mm512_setzero_ps();
    let (mut s, mut t) = ([zero; 16], [zero; 16]);
    for i in 0..8 {
        s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    // t[4g + q]: in each 128-bit lane l, column 4l + q of rows 4g..4g + 4
    for g in 0..4 {
        let pair = |a, b, high: bool| {
            let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
            _mm512_castpd_ps(if high { _mm512_unpackhi_pd(a, b) } else { _mm512_unpacklo_pd(a, b) })
        };
        t[4 * g] = pair(s[4 * g], s[4 * g + 2], false);
        t[4 * g + 1] = pair(s[4 * g], s[4 * g + 2], true);
        t[4 * g + 2] = pair(s[4 * g + 1], s[4 * g + 3], false);
        t[4 * g + 3] = pair(s[4 * g + 1], s[4 * g + 3], true);
    }
    let mut out = [zero; 16];
    for q in 0..4 {
        // lanes 0, 2 and 1, 3 of two groups of rows, then of all four
        let even = [_mm512_shuffle_f32x4::<0x88>(t[q], t[4 + q]), _mm512_shuffle_f32x4::<0x88>(t[8 + q], t[12 + q])];
        let odd = [_mm512_shuffle_f32x4::<0xDD>(t[q], t[4 + q]), _mm512_shuffle_f32x4::<0xDD>(t[8 + q], t[12 + q])];
        out[q] = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
        out[8 + q] = _mm512_shuffle_f32x4::<0xDD>(even[0], even[1]);
        out[4 + q] = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
        out[12 + q] = _mm512_shuffle_f32x4::<0xDD>(odd[0], odd[1]);
    }
    out
}

/// # Safety
/// Sixteen values fit at `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
unsafe fn store_bf16(out: *mut u16, value: __m512) {
    // SAFETY: a `__m256bh` is 32 bytes; the caller promises the room.
    unsafe {
        _mm256_storeu_si256(out.cast(), std::mem::transmute::<std::arch::x86_64::__m256bh, std::arch::x86_64::__m256i>(_mm512_cvtneps_pbh(value)))
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn as_bf16(bits: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes without invalid values.
    unsafe { std::mem::transmute(bits) }
}

#[cfg(test)]
mod tests;
