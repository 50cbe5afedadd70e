//! The logistic function of 32 arguments at once: its table is looked up in registers.
#![allow(unsafe_code, reason = "vector loads from tables of just that size; `upper_logistic` is their oracle")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tables are filled when they are compiled")]

use std::arch::x86_64::{
    __m512i, _mm512_abs_epi32, _mm512_add_epi32, _mm512_and_si512, _mm512_cmplt_epu32_mask, _mm512_load_si512, _mm512_mask_add_epi32,
    _mm512_mask_blend_epi16, _mm512_mask_sub_epi32, _mm512_min_epu32, _mm512_movepi32_mask, _mm512_mullo_epi32, _mm512_or_si512,
    _mm512_permutex2var_epi16, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_slli_epi32, _mm512_srli_epi32, _mm512_sub_epi32, _mm512_test_epi16_mask,
};

use crate::tables::LOGISTIC;

/// Steps of the table.
const STEPS: usize = LOGISTIC.len() - 1;
/// Entries that two vectors hold.
const PART: usize = 64;
/// Steps of 2^16 and more, all at the start.
const LONG_STEPS: usize = 56;

/// A table in vectors.
#[repr(align(64))]
struct Table<const N: usize>([u16; N]);

/// The lower 16 bits of each entry.
static LOW: Table<STEPS> = Table(filled(0));
/// The upper ones, above 2^23: 127 in all that are not here.
static HIGH: Table<{ STEPS / 2 }> = Table(filled(1));
/// The lower 16 bits of the step to the next entry.
static STEP: Table<STEPS> = Table(filled(2));

const fn filled<const N: usize>(what: u8) -> [u16; N] {
    let mut entries = [0; N];
    let mut i = 0;
    while i < STEPS {
        let (above, step) = (LOGISTIC[i] - (1 << 23), LOGISTIC[i + 1] - LOGISTIC[i]);
        assert!((step >= 1 << 16) == (i < LONG_STEPS) && (i < STEPS / 2 || above >> 16 == 127));
        if i < N {
            entries[i] = match what {
                0 => (above & 0xffff) as u16,
                1 => (above >> 16) as u16,
                _ => (step & 0xffff) as u16,
            };
        }
        i += 1;
    }
    entries
}

/// The logistic function of each lane (unit 2^-13, within ±12), unit 2^-24.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
pub(super) fn logistic(z: [__m512i; 2]) -> [__m512i; 2] {
    let sizes = [_mm512_abs_epi32(z[0]), _mm512_abs_epi32(z[1])];
    // 12 is the end of the last step.
    let last = _mm512_set1_epi32(STEPS as i32 - 1);
    let indices = [_mm512_min_epu32(_mm512_srli_epi32::<8>(sizes[0]), last), _mm512_min_epu32(_mm512_srli_epi32::<8>(sizes[1]), last)];
    // Those of the first vector in the lower halves, those of the second in the upper ones.
    let packed = _mm512_or_si512(indices[0], _mm512_slli_epi32::<16>(indices[1]));
    let odd = _mm512_test_epi16_mask(packed, _mm512_set1_epi16(64));
    let second = _mm512_test_epi16_mask(packed, _mm512_set1_epi16(128));
    let third = _mm512_test_epi16_mask(packed, _mm512_set1_epi16(256));
    let part = |entries: &[u16], at: usize| {
        let entries = &entries[PART * at..][..PART];
        // SAFETY: 64 entries, aligned as tables and parts are: two vectors of 32.
        let (low, high) =
            unsafe { (_mm512_load_si512(entries.as_ptr().cast::<__m512i>()), _mm512_load_si512(entries.as_ptr().add(32).cast::<__m512i>())) };
        _mm512_permutex2var_epi16(low, packed, high)
    };
    let parts = |entries: &[u16], at: usize| _mm512_mask_blend_epi16(odd, part(entries, at), part(entries, at + 1));
    let all = |entries: &[u16]| {
        let near = _mm512_mask_blend_epi16(second, parts(entries, 0), parts(entries, 2));
        _mm512_mask_blend_epi16(third, near, parts(entries, 4))
    };
    let low = all(&LOW.0);
    let step = all(&STEP.0);
    let far = _mm512_set1_epi16(127);
    let high = _mm512_mask_blend_epi16(second | third, parts(&HIGH.0, 0), _mm512_mask_blend_epi16(odd | third, part(&HIGH.0, 2), far));
    let lower = _mm512_set1_epi32(0xffff);
    let entries = [
        _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32::<16>(high)),
        _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(low), high),
    ];
    let steps = [_mm512_and_si512(step, lower), _mm512_srli_epi32::<16>(step)];
    let mut below = z;
    for i in 0..2 {
        let long = _mm512_cmplt_epu32_mask(sizes[i], _mm512_set1_epi32((LONG_STEPS as i32) << 8));
        let step = _mm512_mask_add_epi32(steps[i], long, steps[i], _mm512_set1_epi32(1 << 16));
        let fraction = _mm512_sub_epi32(sizes[i], _mm512_slli_epi32::<8>(indices[i]));
        // Above 2^23, or below it by as much.
        let above = _mm512_add_epi32(entries[i], _mm512_srli_epi32::<8>(_mm512_mullo_epi32(step, fraction)));
        let half = _mm512_set1_epi32(1 << 23);
        below[i] = _mm512_mask_sub_epi32(_mm512_add_epi32(half, above), _mm512_movepi32_mask(z[i]), half, above);
    }
    below
}

#[cfg(test)]
mod tests {
    use std::arch::x86_64::_mm512_storeu_si512;

    use super::*;
    use crate::cdf::upper_logistic;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn of(z: [i32; 32]) -> [u32; 32] {
        let mut out = [0; 32];
        // SAFETY: two vectors of 16 each.
        unsafe {
            let of = |at: usize| std::arch::x86_64::_mm512_loadu_si512(z.as_ptr().add(at).cast::<__m512i>());
            for (i, below) in logistic([of(0), of(16)]).into_iter().enumerate() {
                _mm512_storeu_si512(out.as_mut_ptr().add(16 * i).cast::<__m512i>(), below);
            }
        }
        out
    }

    #[test]
    fn every_argument_has_the_value_of_the_table() {
        if !crate::kernel::Kernel::all().contains(&crate::kernel::Kernel::Avx512) {
            return;
        }
        let all: Vec<i32> = (-12 << 13..=12 << 13).collect();
        for chunk in all.chunks(32) {
            let mut z = [0; 32];
            z[..chunk.len()].copy_from_slice(chunk);
            // SAFETY: asked for above.
            let got = unsafe { of(z) };
            for (z, got) in z.into_iter().zip(got) {
                let upper = upper_logistic(z.unsigned_abs());
                assert_eq!(got, if z < 0 { (1 << 24) - upper } else { upper }, "{z}");
            }
        }
    }
}
