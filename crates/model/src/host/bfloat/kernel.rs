//! Matrix products of bf16 by AVX-512, sums in f32.
//!
//! A matrix of shape `[rows, k]` is read in pairs along `k`; its partner is packed so that the pairs of sixteen columns are one register, for `vdpbf16ps`, which
//! multiplies both. Machines without it multiply one value after the other as f32 ([`Multiply::Singles`]), in the same order.
//! Buffers hold [`SLACK`] rows more than are computed, so that every tile is whole.
#![allow(clippy::needless_range_loop, reason = "one index runs through sums, columns and masks of a tile")]
#![allow(unsafe_code, reason = "vector loads and stores through pointers; every slice's length is asserted first")]

mod gradient;

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, __m512i, _CMP_GT_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_loadu_si256,
    _mm256_maskz_loadu_epi16, _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cmpge_epi32_mask, _mm512_cvtepu16_epi32, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi16, _mm512_maskz_cvtepi32_epi16, _mm512_maskz_loadu_epi16, _mm512_maskz_mov_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_roundscale_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};
use std::cell::Cell;

use crate::net::CEILING;
pub(super) use gradient::{BlockScratch, add_weight_gradient, gradient_rows};

/// Rows of a tile.
pub(super) const TILE: usize = 6;
/// Rows that every buffer holds beyond those in use.
pub(super) const SLACK: usize = TILE - 1;
/// Columns of a register.
pub(super) const WIDE: usize = 16;
/// Bits of 2^-63, the least that is stored.
const LEAST: i32 = (127 - 63) << 23;
/// Most inputs of a layer, padded: 255 taps of four channels, and what stands beside them.
pub(super) const MOST_INPUTS: usize = 1024 + 32;

/// How bf16 values are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Multiply {
    /// Two by two, by `vdpbf16ps`.
    Pairs,
    /// One by one, as f32: machines with AVX-512 but without bf16.
    Singles,
}

impl Multiply {
    /// The faster way of this machine; `None` if it has neither.
    pub(super) fn best() -> Option<Self> {
        let able = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl");
        able.then(|| if is_x86_feature_detected!("avx512bf16") { Self::Pairs } else { Self::Singles })
    }
}

/// A matrix of shape `[2 * pairs, columns]`, columns padded to whole registers, as what multiplies it wants it.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    pub(super) pairs: usize,
    pub(super) columns: usize,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// Shape `[pairs, columns, 2]`.
    Pairs(Vec<u16>),
    /// bf16 values as f32, shape `[2 * pairs, columns]`.
    Singles(Vec<f32>),
}

impl Matrix {
    /// Zeros for at least `[rows, columns]`.
    pub(super) fn new(rows: usize, columns: usize, multiply: Multiply) -> Self {
        let (pairs, columns) = (rows.div_ceil(2), columns.next_multiple_of(WIDE));
        let values = match multiply {
            Multiply::Pairs => Values::Pairs(vec![0; pairs * columns * 2]),
            Multiply::Singles => Values::Singles(vec![0.0; pairs * columns * 2]),
        };
        Self { pairs, columns, values }
    }

    pub(super) fn set(&mut self, row: usize, column: usize, value: f32) {
        let bits = nearest_bf16(value);
        match &mut self.values {
            Values::Pairs(values) => values[(row / 2 * self.columns + column) * 2 + row % 2] = bits,
            Values::Singles(values) => values[row * self.columns + column] = f32::from_bits(u32::from(bits) << 16),
        }
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn product(a: &[u16], a_stride: usize, rows: usize, b: &Matrix, finish: &mut Finish<'_>, out_stride: usize) {
    if rows == 0 {
        return;
    }
    let padded = rows.next_multiple_of(TILE);
    let reach = |stride: usize, width: usize| (padded - 1) * stride + width;
    assert!(a.len() >= reach(a_stride, 2 * b.pairs));
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
    match &b.values {
        Values::Pairs(values) => {
            assert!(values.len() == b.pairs * b.columns * 2);
            // SAFETY: a matrix of pairs is made only where the machine has bf16; all lengths are asserted.
            unsafe { product_of_pairs(a, a_stride, rows, (values, b.pairs, b.columns), finish, out_stride) }
        }
        Values::Singles(values) => {
            assert!(values.len() == b.pairs * b.columns * 2 && b.pairs * 2 <= MOST_INPUTS);
            // SAFETY: all lengths are asserted.
            unsafe { product_of_singles(a, a_stride, rows, (values, b.pairs, b.columns), finish, out_stride) }
        }
    }
}

/// Columns in groups of up to four registers, as many as a tile has room for and as even as can be: the first register of each, and how many.
fn groups(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let registers = columns / WIDE;
    let count = registers.div_ceil(4);
    let first = move |group: usize| group * registers / count;
    (0..count).map(move |group| (first(group), first(group + 1) - first(group)))
}

/// # Safety
/// `a` has `rows` rows, in whole tiles, of `2 * pairs` values; `b` is as [`Values::Pairs`] says; the output has as many rows, `columns` wide.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn product_of_pairs(
    a: &[u16],
    a_stride: usize,
    rows: usize,
    (b, pairs, columns): (&[u16], usize, usize),
    finish: &mut Finish<'_>,
    out_stride: usize,
) {
    for (first, wide) in groups(columns) {
        for row in (0..rows).step_by(TILE) {
            // SAFETY: as the caller promises.
            unsafe {
                let (a, b) = (a.as_ptr().add(row * a_stride), b.as_ptr().add(first * WIDE * 2));
                let to = (first, row, out_stride);
                match wide {
                    1 => settle::<1>(pair_sums(pairs, a, a_stride, b, columns * 2), to, finish),
                    2 => settle::<2>(pair_sums(pairs, a, a_stride, b, columns * 2), to, finish),
                    3 => settle::<3>(pair_sums(pairs, a, a_stride, b, columns * 2), to, finish),
                    _ => settle::<4>(pair_sums(pairs, a, a_stride, b, columns * 2), to, finish),
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`], of sums that begin with nothing.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn pair_sums<const C: usize>(pairs: usize, a: *const u16, a_row: usize, b: *const u16, b_pair: usize) -> [[__m512; C]; TILE] {
    let mut sums = [[_mm512_setzero_ps(); C]; TILE];
    // SAFETY: as the caller promises.
    unsafe { tile::<C>(pairs, a, a_row, 2, b, b_pair, &mut sums) };
    sums
}

/// # Safety
/// As [`product_of_pairs`], with `b` as [`Values::Singles`] says; at most [`MOST_INPUTS`] values a row of `a`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn product_of_singles(
    a: &[u16],
    a_stride: usize,
    rows: usize,
    (b, pairs, columns): (&[f32], usize, usize),
    finish: &mut Finish<'_>,
    out_stride: usize,
) {
    thread_local! {
        static LEFT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    }
    let mut left = LEFT.take();
    left.resize(TILE * MOST_INPUTS, 0.0);
    for row in (0..rows).step_by(TILE) {
        for (r, wide) in left.chunks_exact_mut(MOST_INPUTS).enumerate() {
            widen(&a[(row + r) * a_stride..][..pairs * 2], wide);
        }
        for (first, wide) in groups(columns) {
            // SAFETY: as the caller promises; `left` has `TILE` rows of `MOST_INPUTS`.
            unsafe {
                let (a, b) = (left.as_ptr(), b.as_ptr().add(first * WIDE));
                let to = (first, row, out_stride);
                match wide {
                    1 => settle::<1>(single_sums(pairs, a, b, columns), to, finish),
                    2 => settle::<2>(single_sums(pairs, a, b, columns), to, finish),
                    3 => settle::<3>(single_sums(pairs, a, b, columns), to, finish),
                    _ => settle::<4>(single_sums(pairs, a, b, columns), to, finish),
                }
            }
        }
    }
    LEFT.set(left);
}

/// # Safety
/// As [`tile_of_singles`], of sums that begin with nothing and rows [`MOST_INPUTS`] apart.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn single_sums<const C: usize>(pairs: usize, a: *const f32, b: *const f32, b_row: usize) -> [[__m512; C]; TILE] {
    let mut sums = [[_mm512_setzero_ps(); C]; TILE];
    // SAFETY: as the caller promises.
    unsafe { tile_of_singles::<C>(pairs, a, MOST_INPUTS, 1, b, b_row, &mut sums) };
    sums
}

/// What becomes of a tile of sums: registers `first..first + C` of rows `row..row + TILE`.
///
/// # Safety
/// They exist in the output, and whatever else `finish` names.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn settle<const C: usize>(sums: [[__m512; C]; TILE], (first, row, out_stride): (usize, usize, usize), finish: &mut Finish<'_>) {
    // SAFETY: as the caller promises.
    unsafe {
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

/// The same of single values, those of a pair in the order of `vdpbf16ps`: `a` steps by `a_row` a row and `a_column` a value along `k`, `b` by `b_row`.
///
/// # Safety
/// Every value that the steps reach exists, and sixteen a register of `b`.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn tile_of_singles<const C: usize>(
    pairs: usize,
    a: *const f32,
    a_row: usize,
    a_column: usize,
    b: *const f32,
    b_row: usize,
    sums: &mut [[__m512; C]; TILE],
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut s = *sums;
        for p in 0..pairs {
            for k in [2 * p + 1, 2 * p] {
                let mut right = [_mm512_setzero_ps(); C];
                for (c, right) in right.iter_mut().enumerate() {
                    *right = _mm512_loadu_ps(b.add(k * b_row + c * WIDE));
                }
                for r in 0..TILE {
                    let left = _mm512_set1_ps(*a.add(r * a_row + k * a_column));
                    for c in 0..C {
                        s[r][c] = _mm512_fmadd_ps(left, right[c], s[r][c]);
                    }
                }
            }
        }
        *sums = s;
    }
}

/// bf16 values as f32; whole registers of `to` are written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn widen(from: &[u16], to: &mut [f32]) {
    assert!(to.len() >= from.len().next_multiple_of(WIDE));
    let whole = from.len() / WIDE * WIDE;
    // SAFETY: the last load is masked to what is left of `from`, the others take what is there; the length of `to` is asserted.
    unsafe {
        let (from_at, to_at) = (from.as_ptr(), to.as_mut_ptr());
        let mut at = 0;
        while at < whole {
            _mm512_storeu_ps(to_at.add(at), as_f32(_mm256_loadu_si256(from_at.add(at).cast())));
            at += WIDE;
        }
        if at < from.len() {
            let mask = u16::MAX >> (WIDE - (from.len() - at));
            _mm512_storeu_ps(to_at.add(at), as_f32(_mm256_maskz_loadu_epi16(mask, from_at.add(at).cast())));
        }
    }
}

/// Sixteen bf16 values as f32.
#[target_feature(enable = "avx512f")]
#[inline]
fn as_f32(values: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(values)))
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
            let part = _mm256_maskz_loadu_epi16(mask, values.as_ptr().add(at).cast());
            let wide = as_f32(part);
            let to = sums.as_mut_ptr().add(at);
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), wide));
        }
    }
}

/// `sums` as bf16 where `open` has a bit, else 0: one register of `open` for each sixteen.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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

/// Stores the nearest bf16 values, as [`nearest_bf16`] does, and 0 for those below 2^-63: no product of two stored values is denormal, which processors of
/// Intel take a hundred times as long for (`vdpbf16ps` takes denormals for 0 itself).
///
/// # Safety
/// Sixteen values fit at `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn store_bf16(out: *mut u16, value: __m512) {
    let bits = _mm512_castps_si512(value);
    let kept = _mm512_cmpge_epi32_mask(_mm512_and_si512(bits, _mm512_set1_epi32(i32::MAX)), _mm512_set1_epi32(LEAST));
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    // SAFETY: the caller promises the room.
    unsafe { _mm256_storeu_si256(out.cast(), _mm512_maskz_cvtepi32_epi16(kept, _mm512_srli_epi32::<16>(nearest))) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn as_bf16(bits: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes without invalid values.
    unsafe { std::mem::transmute(bits) }
}

#[cfg(test)]
mod tests;
