//! What one core multiplies at best, to compare networks with: `cargo bench --manifest-path benches/Cargo.toml --bench peak`. Only where AVX-512 VNNI is.

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
    const CELLS: usize = 8;
    const PANELS: usize = 2;

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

fn peak(c: &mut Criterion) {
    #[cfg(target_arch = "x86_64")]
    if vnni::has() {
        use criterion::Throughput;
        use std::hint::black_box;

        let mut group = c.benchmark_group("multiply-accumulates by VNNI");
        let rounds = 4096;
        group.throughput(Throughput::Elements((rounds * 16 * vnni::MACS) as u64));
        // SAFETY: asked for above, here and below.
        group.bench_function("from registers", |b| b.iter(|| unsafe { vnni::registers(black_box(rounds)) }));
        let weights = vec![[1i8; vnni::MACS]; (256 << 10) / vnni::MACS];
        let inputs = [[1u8, 2, 3, 4]; 8];
        group.throughput(Throughput::Elements((weights.len() * 8 * vnni::MACS) as u64));
        // SAFETY: as above.
        group.bench_function("weights from the second cache, for eight pixels", |b| {
            b.iter(|| unsafe { vnni::second_cache(black_box(&weights), black_box(&inputs)) })
        });
        group.finish();
    }
    let _ = c;
}

criterion_group!(benches, peak);
criterion_main!(benches);
