//! Sums of few products along long rows, by AVX-512 or AVX2 where the machine has them.
//!
//! A row of the result is the sum of some rows of a source, each times a number; or each number's gradient is the product of two rows. The rows of a source begin at
//! `places`, anywhere.
#![allow(unsafe_code, reason = "vector loads and stores through pointers; the reach of every place is asserted first")]

/// `out[t] = sum over e of values[e] * source[places[e] + start + t]`.
pub(super) fn weighted(out: &mut [f32], source: &[f32], start: usize, places: &[u32], values: &[f32]) {
    check(out.len(), source, start, places, values.len());
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has AVX-512; `check` asserts that every row lies inside the source.
            return unsafe { avx512::weighted(out, source, start, places, values) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the machine has AVX2 and FMA; `check` asserts that every row lies inside the source.
            return unsafe { avx2::weighted(out, source, start, places, values) };
        }
    }
    plain_weighted(out, source, start, places, values);
}

/// `out[e] += sum over t of row[t] * source[places[e] + start + t]`.
pub(super) fn products(out: &mut [f32], row: &[f32], source: &[f32], start: usize, places: &[u32]) {
    check(row.len(), source, start, places, out.len());
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has AVX-512; `check` asserts that every row lies inside the source.
            return unsafe { avx512::products(out, row, source, start, places) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the machine has AVX2 and FMA; `check` asserts that every row lies inside the source.
            return unsafe { avx2::products(out, row, source, start, places) };
        }
    }
    plain_products(out, row, source, start, places);
}

fn check(row: usize, source: &[f32], start: usize, places: &[u32], numbers: usize) {
    let last = places.iter().copied().max().unwrap_or(0) as usize;
    let reach = last.checked_add(start).and_then(|first| first.checked_add(row));
    assert!(reach.is_some_and(|reach| reach <= source.len()) && places.len() == numbers, "rows lie inside the source, a number each");
}

fn plain_weighted(out: &mut [f32], source: &[f32], start: usize, places: &[u32], values: &[f32]) {
    out.fill(0.0);
    for (&place, &value) in places.iter().zip(values) {
        let from = &source[place as usize + start..][..out.len()];
        out.iter_mut().zip(from).for_each(|(out, from)| *out += value * from);
    }
}

fn plain_products(out: &mut [f32], row: &[f32], source: &[f32], start: usize, places: &[u32]) {
    for (out, &place) in out.iter_mut().zip(places) {
        let from = &source[place as usize + start..][..row.len()];
        *out += row.iter().zip(from).map(|(row, from)| row * from).sum::<f32>();
    }
}

/// The same by vectors: tiles of eight registers, then single registers, then single numbers.
#[cfg(target_arch = "x86_64")]
macro_rules! by_vectors {
    ($module:ident, $features:literal, $lanes:literal, $zero:ident, $set:ident, $load:ident, $store:ident, $fma:ident, $add:ident) => {
        mod $module {
            use std::arch::x86_64::{$add, $fma, $load, $set, $store, $zero};

            const LANES: usize = $lanes;
            const TILE: usize = 8;

            /// # Safety
            /// The machine has the features, and every place reaches `start + out.len()` elements inside `source`.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn weighted(out: &mut [f32], source: &[f32], start: usize, places: &[u32], values: &[f32]) {
                let len = out.len();
                let mut at = 0;
                while at + TILE * LANES <= len {
                    let mut sums = [$zero(); TILE];
                    for (&place, &value) in places.iter().zip(values) {
                        let value = $set(value);
                        for row in 0..TILE {
                            // SAFETY: at + (row + 1) * LANES <= out.len(), which the source has behind each place, as the caller promises.
                            let from = unsafe { $load(source.as_ptr().add(place as usize + start + at + row * LANES)) };
                            sums[row] = $fma(value, from, sums[row]);
                        }
                    }
                    for row in 0..TILE {
                        // SAFETY: at + (row + 1) * LANES <= out.len().
                        unsafe { $store(out.as_mut_ptr().add(at + row * LANES), sums[row]) };
                    }
                    at += TILE * LANES;
                }
                while at + LANES <= len {
                    let mut sum = $zero();
                    for (&place, &value) in places.iter().zip(values) {
                        // SAFETY: as above, with one register.
                        let from = unsafe { $load(source.as_ptr().add(place as usize + start + at)) };
                        sum = $fma($set(value), from, sum);
                    }
                    // SAFETY: at + LANES <= out.len().
                    unsafe { $store(out.as_mut_ptr().add(at), sum) };
                    at += LANES;
                }
                super::plain_weighted(&mut out[at..], source, start + at, places, values);
            }

            /// # Safety
            /// The machine has the features, and every place reaches `start + row.len()` elements inside `source`.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn products(out: &mut [f32], row: &[f32], source: &[f32], start: usize, places: &[u32]) {
                const CHAINS: usize = 4;
                let whole = row.len() / LANES * LANES;
                for (out, &place) in out.iter_mut().zip(places) {
                    let mut sums = [$zero(); CHAINS];
                    let mut at = 0;
                    while at + CHAINS * LANES <= whole {
                        for chain in 0..CHAINS {
                            let place = place as usize + start + at + chain * LANES;
                            // SAFETY: at + (chain + 1) * LANES <= row.len(), which the source has behind each place, as the caller promises.
                            let (row, from) = unsafe { ($load(row.as_ptr().add(at + chain * LANES)), $load(source.as_ptr().add(place))) };
                            sums[chain] = $fma(row, from, sums[chain]);
                        }
                        at += CHAINS * LANES;
                    }
                    while at < whole {
                        // SAFETY: as above, with one register.
                        let (row, from) = unsafe { ($load(row.as_ptr().add(at)), $load(source.as_ptr().add(place as usize + start + at))) };
                        sums[0] = $fma(row, from, sums[0]);
                        at += LANES;
                    }
                    let all = $add($add(sums[0], sums[1]), $add(sums[2], sums[3]));
                    let mut lanes = [0f32; LANES];
                    // SAFETY: the array is one register wide.
                    unsafe { $store(lanes.as_mut_ptr(), all) };
                    let mut sum = 0.0;
                    for lane in lanes {
                        sum += lane;
                    }
                    *out += sum;
                }
                super::plain_products(out, &row[whole..], source, start + whole, places);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
by_vectors!(avx512, "avx512f", 16, _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps);
#[cfg(target_arch = "x86_64")]
by_vectors!(avx2, "avx2,fma", 8, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_equal_the_plain_loops() {
        let source: Vec<f32> = (0..2000).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
        let places: Vec<u32> = (0..11).map(|i| i * i * 13 % 97).collect();
        let values: Vec<f32> = (0..11).map(|i| i as f32 / 4.0 - 1.0).collect();
        // small multiples of a power of two: sums are exact in every order
        for len in [0, 1, 15, 16, 17, 128, 200, 333, 1024] {
            let mut expected = vec![1.0; len];
            plain_weighted(&mut expected, &source, 3, &places, &values);
            let row = &source[100..100 + len];
            let mut gradients = vec![0.5; places.len()];
            plain_products(&mut gradients, row, &source, 3, &places);
            let mut out = vec![2.0; len];
            weighted(&mut out, &source, 3, &places, &values);
            assert_eq!(out, expected, "{len}");
            let mut found = vec![0.5; places.len()];
            products(&mut found, row, &source, 3, &places);
            assert_eq!(found, gradients, "{len}");
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let mut found = vec![0.5; places.len()];
                // SAFETY: the features are there; the calls above have checked the same rows.
                unsafe {
                    avx2::weighted(&mut out, &source, 3, &places, &values);
                    avx2::products(&mut found, row, &source, 3, &places);
                }
                assert_eq!((&out, &found), (&expected, &gradients), "{len}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "inside the source")]
    fn rows_that_reach_too_far_are_refused() {
        weighted(&mut [0.0; 8], &[0.0; 16], 0, &[0, 9], &[1.0, 1.0]);
    }
}
