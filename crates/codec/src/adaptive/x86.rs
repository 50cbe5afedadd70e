//! The loops of [`Adaptive`] compiled for AVX2 and AVX-512, so that they become vectors; the plain functions are their oracle.
#![allow(unsafe_code, reason = "calls into functions compiled for other instructions, and prefetches; the plain functions are their oracle")]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_srai_epi32,
    _mm256_storeu_si256, _mm256_sub_epi32, _mm512_add_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_srai_epi32, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::fit::{INPUTS, LOG2_WINDOW};
use super::{Adaptive, Place};
use crate::cdf::Mixtures;
use crate::context::Plane;
use crate::kernel::Kernel;

/// Vectors that a machine has; made by [`Vectors::of`] alone, so that whoever holds one may use them, those of AVX2 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vectors {
    are_wide: bool,
}

impl Vectors {
    /// Those that go with a kernel, if this machine has them.
    pub(crate) fn of(kernel: Kernel) -> Option<Self> {
        let bits = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        match kernel {
            Kernel::Avx512 if bits && Kernel::all().contains(&kernel) => Some(Self { are_wide: true }),
            Kernel::Avx2 | Kernel::AvxVnni if bits && Kernel::all().contains(&kernel) => Some(Self { are_wide: false }),
            _ => None,
        }
    }
}

/// Asks for the cache line of `value`.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    // SAFETY: a prefetch has no effect that a program could see, and every x86-64 has it.
    unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(value).cast()) }
}

/// Defines safe functions that run a plain one compiled for vectors.
macro_rules! compiled {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            pub(super) fn $name(adaptive: &mut Adaptive, vectors: Vectors, $($argument: $kind),*) {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
                #[inline(never)]
                fn avx2(adaptive: &mut Adaptive, $($argument: $kind),*) {
                    adaptive.$name($($argument),*);
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt")]
                #[inline(never)]
                fn avx512(adaptive: &mut Adaptive, $($argument: $kind),*) {
                    adaptive.$name($($argument),*);
                }
                // SAFETY: there are `vectors` only where these instructions are.
                unsafe { if vectors.are_wide { avx512(adaptive, $($argument),*) } else { avx2(adaptive, $($argument),*) } }
            }
        )*
    };
}

compiled! {
    look_around(planes: &[Plane], c: usize, places: &[Place], mixtures: &Mixtures);
    halve(level: u32, pixels: usize, mixtures: &Mixtures);
    weigh(c: usize, level: u32, from: usize, to: usize);
    learn(c: usize, level: u32, from: usize, to: usize);
    settle(planes: &[Plane], c: usize, places: &[Place]);
}

/// Samples whose products are summed at once.
const CHUNK: usize = 16;

/// What [`super::fit::accumulate`] does.
#[inline]
pub(super) fn accumulate(vectors: Vectors, products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]]) {
    let mut falls = inputs.len() as i32;
    for (inputs, trusted) in inputs.chunks(CHUNK).zip(trusted.chunks(CHUNK)) {
        // SAFETY: there are `vectors` only where these instructions are.
        unsafe {
            if vectors.are_wide { accumulate_avx512(products, inputs, trusted, falls) } else { accumulate_avx2(products, inputs, trusted, falls) }
        }
        falls = 0;
    }
}

/// Two samples' inputs, one in the lower and one in the upper half of each number: the products of both are summed by one instruction.
#[inline(always)]
fn paired(values: &[[i16; INPUTS]]) -> [[i32; INPUTS]; CHUNK / 2] {
    let mut pairs = [[0; INPUTS]; CHUNK / 2];
    for (pairs, values) in pairs.iter_mut().zip(values.chunks(2)) {
        let second = values.get(1).copied().unwrap_or([0; INPUTS]);
        for ((pair, first), second) in pairs.iter_mut().zip(values[0]).zip(second) {
            *pair = i32::from(first) & 0xffff | i32::from(second) << 16;
        }
    }
    pairs
}

/// Takes `falls` times `2^-9` off the sums, and adds the products of up to [`CHUNK`] samples.
#[target_feature(enable = "avx2")]
fn accumulate_avx2(products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]], falls: i32) {
    const VECTORS: usize = INPUTS / 8;
    let (pairs, factors) = (paired(inputs), paired(trusted));
    let n_pairs = inputs.len().div_ceil(2).min(CHUNK / 2);
    let falls = _mm256_set1_epi32(falls);
    // SAFETY: a row has room for `VECTORS` vectors of eight i32; unaligned loads and stores take any address.
    let load = |row: &[i32; INPUTS], at: usize| unsafe { _mm256_loadu_si256(row.as_ptr().cast::<__m256i>().add(at)) };
    for (i, row) in products.iter_mut().enumerate() {
        let mut sums = [falls; VECTORS];
        for (at, to) in sums.iter_mut().enumerate() {
            let sum = load(row, at);
            *to = _mm256_sub_epi32(sum, _mm256_mullo_epi32(_mm256_srai_epi32::<{ LOG2_WINDOW as i32 }>(sum), falls));
        }
        for (pair, factor) in pairs[..n_pairs].iter().zip(&factors) {
            let factor = _mm256_set1_epi32(factor[i]);
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(load(pair, at), factor));
            }
        }
        for (at, &sum) in sums.iter().enumerate() {
            // SAFETY: as for `load`.
            unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast::<__m256i>().add(at), sum) };
        }
    }
}

/// The same, eight rows at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn accumulate_avx512(products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]], falls: i32) {
    const VECTORS: usize = INPUTS / 16;
    const ROWS: usize = 8;
    let (pairs, factors) = (paired(inputs), paired(trusted));
    let n_pairs = inputs.len().div_ceil(2).min(CHUNK / 2);
    let falls = _mm512_set1_epi32(falls);
    // SAFETY: a row has room for `VECTORS` vectors of sixteen i32; unaligned loads and stores take any address.
    let load = |row: &[i32; INPUTS], at: usize| unsafe { _mm512_loadu_si512(row.as_ptr().cast::<__m512i>().add(at)) };
    for (block, rows) in products.chunks_exact_mut(ROWS).enumerate() {
        let mut sums = [[falls; VECTORS]; ROWS];
        for (sums, row) in sums.iter_mut().zip(&*rows) {
            for (at, to) in sums.iter_mut().enumerate() {
                let sum = load(row, at);
                *to = _mm512_sub_epi32(sum, _mm512_mullo_epi32(_mm512_srai_epi32::<{ LOG2_WINDOW }>(sum), falls));
            }
        }
        for (pair, factors) in pairs[..n_pairs].iter().zip(&factors) {
            let pair = [load(pair, 0), load(pair, 1)];
            for (sums, &factor) in sums.iter_mut().zip(&factors[ROWS * block..][..ROWS]) {
                let factor = _mm512_set1_epi32(factor);
                for (sum, pair) in sums.iter_mut().zip(pair) {
                    *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(pair, factor));
                }
            }
        }
        for (sums, row) in sums.iter().zip(rows) {
            for (at, &sum) in sums.iter().enumerate() {
                // SAFETY: as for `load`.
                unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast::<__m512i>().add(at), sum) };
            }
        }
    }
}
