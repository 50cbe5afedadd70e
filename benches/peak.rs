//! What one core multiplies at best, to compare networks with: `cargo bench --manifest-path benches/Cargo.toml --bench peak`. By AVX-512 VNNI and by AVX2, where they are.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

use criterion::{Criterion, criterion_group, criterion_main};

#[cfg(target_arch = "x86_64")]
mod vnni {
    //! Bytes multiplied and summed up, without anything that a network needs besides.

    use std::arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_reduce_add_epi32, _mm512_set1_epi32, _mm512_setzero_si512,
    };
    use std::hint::black_box;

    /// Multiply-accumulates of an instruction.
    pub const MACS: usize = 64;
    /// Pixels and vectors of weights of a tile.
    pub const CELLS: usize = 8;
    pub const PANELS: usize = 2;

    pub fn has() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
    }

    /// `rounds` times sixteen sums from registers.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn registers(rounds: usize) -> i32 {
        let mut sums = [_mm512_setzero_si512(); CELLS * PANELS];
        let (x, w) = (_mm512_set1_epi32(black_box(0x0102_0304)), _mm512_set1_epi32(black_box(0x0506_0708)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, x, w);
            }
        }
        total(&sums)
    }

    /// Each of the weights, which lie in the second cache, for eight pixels at once.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn second_cache(weights: &[[i8; MACS]], inputs: &[[u8; 4]; CELLS]) -> i32 {
        let mut sums = [_mm512_setzero_si512(); CELLS * PANELS];
        for pair in weights.chunks_exact(PANELS) {
            // SAFETY: 64 bytes each.
            let w = unsafe { [_mm512_loadu_si512(pair[0].as_ptr().cast::<__m512i>()), _mm512_loadu_si512(pair[1].as_ptr().cast::<__m512i>())] };
            for (sums, input) in sums.chunks_exact_mut(PANELS).zip(inputs) {
                let x = _mm512_set1_epi32(i32::from_le_bytes(*input));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = _mm512_dpbusd_epi32(*sum, x, w);
                }
            }
        }
        total(&sums)
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn total(sums: &[__m512i]) -> i32 {
        let mut total = _mm512_setzero_si512();
        for sum in sums {
            total = _mm512_add_epi32(total, *sum);
        }
        _mm512_reduce_add_epi32(total)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! The same with three instructions for what is one by VNNI: products in 16-bit pairs, these in 32-bit pairs, and their sum.

    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_storeu_si256,
    };
    use std::hint::black_box;

    /// Multiply-accumulates of three instructions.
    pub const MACS: usize = 32;
    /// Pixels and vectors of weights of a tile.
    pub const CELLS: usize = 4;
    pub const HALVES: usize = 2;

    pub fn has() -> bool {
        is_x86_feature_detected!("avx2")
    }

    /// `rounds` times eight sums from registers.
    #[target_feature(enable = "avx2")]
    pub fn registers(rounds: usize) -> i32 {
        let mut sums = [_mm256_setzero_si256(); CELLS * HALVES];
        let ones = _mm256_set1_epi16(black_box(1));
        let (mut x, mut w) = ([_mm256_setzero_si256(); CELLS], [_mm256_setzero_si256(); HALVES]);
        x.iter_mut().zip(1..).for_each(|(x, i)| *x = _mm256_set1_epi32(i));
        w.iter_mut().zip(1..).for_each(|(w, i)| *w = _mm256_set1_epi32(i));
        for _ in 0..rounds {
            // Other weights, as far as the compiler knows: else products would be made once for all rounds.
            let [mut first, mut second] = w;
            // SAFETY: nothing happens.
            unsafe { std::arch::asm!("/* {0} {1} */", inout(ymm_reg) first, inout(ymm_reg) second, options(nomem, nostack, preserves_flags)) };
            w = [first, second];
            for (sums, x) in sums.chunks_exact_mut(HALVES).zip(x) {
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = multiplied(*sum, x, w, ones);
                }
            }
        }
        total(&sums)
    }

    /// Each of the weights, which lie in the second cache, for four pixels at once.
    #[target_feature(enable = "avx2")]
    pub fn second_cache(weights: &[[i8; MACS]], inputs: &[[u8; 4]; CELLS]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); CELLS * HALVES];
        let ones = _mm256_set1_epi16(black_box(1));
        for pair in weights.chunks_exact(HALVES) {
            // SAFETY: 32 bytes each.
            let w = unsafe { [_mm256_loadu_si256(pair[0].as_ptr().cast::<__m256i>()), _mm256_loadu_si256(pair[1].as_ptr().cast::<__m256i>())] };
            for (sums, input) in sums.chunks_exact_mut(HALVES).zip(inputs) {
                let x = _mm256_set1_epi32(i32::from_le_bytes(*input));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = multiplied(*sum, x, w, ones);
                }
            }
        }
        total(&sums)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn multiplied(sum: __m256i, x: __m256i, w: __m256i, ones: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones))
    }

    #[target_feature(enable = "avx2")]
    fn total(sums: &[__m256i]) -> i32 {
        let mut lanes = [[0i32; 8]; CELLS * HALVES];
        for (lanes, sum) in lanes.iter_mut().zip(sums) {
            // SAFETY: eight lanes of 32 bits.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast::<__m256i>(), *sum) };
        }
        lanes.as_flattened().iter().fold(0, |total, lane| total.wrapping_add(*lane))
    }
}

#[cfg(target_arch = "x86_64")]
fn peak(c: &mut Criterion) {
    use criterion::Throughput;
    use std::hint::black_box;

    let rounds = 4096;
    if vnni::has() {
        let mut group = c.benchmark_group("multiply-accumulates by VNNI");
        group.throughput(Throughput::Elements((rounds * vnni::CELLS * vnni::PANELS * vnni::MACS) as u64));
        // SAFETY: asked for above, here and below.
        group.bench_function("from registers", |b| b.iter(|| unsafe { vnni::registers(black_box(rounds)) }));
        let weights = vec![[1i8; vnni::MACS]; (256 << 10) / vnni::MACS];
        let inputs = [[1u8, 2, 3, 4]; vnni::CELLS];
        group.throughput(Throughput::Elements((weights.len() * vnni::CELLS * vnni::MACS) as u64));
        // SAFETY: as above.
        group.bench_function("weights from the second cache, for eight pixels", |b| {
            b.iter(|| unsafe { vnni::second_cache(black_box(&weights), black_box(&inputs)) })
        });
        group.finish();
    }
    if avx2::has() {
        let mut group = c.benchmark_group("multiply-accumulates by AVX2");
        group.throughput(Throughput::Elements((rounds * avx2::CELLS * avx2::HALVES * avx2::MACS) as u64));
        // SAFETY: asked for above, here and below.
        group.bench_function("from registers", |b| b.iter(|| unsafe { avx2::registers(black_box(rounds)) }));
        let weights = vec![[1i8; avx2::MACS]; (256 << 10) / avx2::MACS];
        let inputs = [[1u8, 2, 3, 4]; avx2::CELLS];
        group.throughput(Throughput::Elements((weights.len() * avx2::CELLS * avx2::MACS) as u64));
        // SAFETY: as above.
        group.bench_function("weights from the second cache, for four pixels", |b| {
            b.iter(|| unsafe { avx2::second_cache(black_box(&weights), black_box(&inputs)) })
        });
        group.finish();
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn peak(_: &mut Criterion) {}

criterion_group!(benches, peak);
criterion_main!(benches);
