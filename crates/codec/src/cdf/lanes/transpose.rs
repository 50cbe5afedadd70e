//! Rows of 32-bit numbers turned into columns.
#![allow(unsafe_code, reason = "vector loads and stores")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "rows are as long as the caller says, by assertion")]

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::GROUP;

/// Takes the first 16 numbers of 16 rows, row `i` beginning at `i * stride`; `columns` are 16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
pub(super) fn transpose(rows: &[i32], stride: usize, columns: &mut [[i32; GROUP]]) {
    assert!(rows.len() >= (GROUP - 1) * stride + GROUP && columns.len() >= GROUP);
    let mut loaded = [_mm512_setzero_si512(); GROUP];
    for (i, row) in loaded.iter_mut().enumerate() {
        // SAFETY: 16 numbers begin here, as just asserted.
        *row = unsafe { _mm512_loadu_si512(rows.as_ptr().add(i * stride).cast::<__m512i>()) };
    }
    transposed(&loaded, |at, column| {
        // SAFETY: a column holds 16 numbers.
        unsafe { _mm512_storeu_si512(columns[at].as_mut_ptr().cast::<__m512i>(), column) };
    });
}

/// Hands out the columns of 16 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
pub(super) fn transposed(rows: &[__m512i; GROUP], mut sink: impl FnMut(usize, __m512i)) {
    let zero = _mm512_setzero_si512();
    let (mut twos, mut fours) = ([zero; GROUP], [zero; GROUP]);
    for (two, pair) in twos.chunks_exact_mut(2).zip(rows.chunks_exact(2)) {
        (two[0], two[1]) = (_mm512_unpacklo_epi32(pair[0], pair[1]), _mm512_unpackhi_epi32(pair[0], pair[1]));
    }
    for (four, pair) in fours.chunks_exact_mut(4).zip(twos.chunks_exact(4)) {
        (four[0], four[1]) = (_mm512_unpacklo_epi64(pair[0], pair[2]), _mm512_unpackhi_epi64(pair[0], pair[2]));
        (four[2], four[3]) = (_mm512_unpacklo_epi64(pair[1], pair[3]), _mm512_unpackhi_epi64(pair[1], pair[3]));
    }
    // Quarter `b` of `fours[4 r + j]` holds column `4 b + j` of rows `4 r..4 r + 4`.
    for j in 0..4 {
        let (a, b, c, d) = (fours[j], fours[4 + j], fours[8 + j], fours[12 + j]);
        let even = [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d)];
        let odd = [_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d)];
        sink(j, _mm512_shuffle_i32x4::<0x88>(even[0], even[1]));
        sink(4 + j, _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]));
        sink(8 + j, _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]));
        sink(12 + j, _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]));
    }
}
