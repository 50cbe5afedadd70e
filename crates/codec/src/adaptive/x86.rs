//! The loops of [`Adaptive`] compiled for AVX2, so that they become vectors; the plain functions are their oracle.
#![allow(unsafe_code, reason = "calls into functions compiled for other instructions, and prefetches; the plain functions are their oracle")]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_srai_epi32, _mm256_storeu_si256,
    _mm256_sub_epi32,
};

use super::fit::{INPUTS, LOG2_WINDOW};
use super::{Adaptive, Place};
use crate::block::BATCH;
use crate::cdf::Mixtures;
use crate::context::Plane;

/// Whether this machine runs the functions below.
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("lzcnt")
}

/// Asks for the cache line of `value`.
#[inline(always)]
pub(super) fn prefetch<T>(value: &T) {
    // SAFETY: a prefetch has no effect that a program could see, and every x86-64 has it.
    unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(value).cast()) }
}

/// Defines safe functions that run a plain one compiled for AVX2, for an `Adaptive` whose `vectors` is set.
macro_rules! compiled {
    ($($name:ident, $inner:ident, $plain:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            pub(super) fn $name(adaptive: &mut Adaptive, $($argument: $kind),*) {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
                #[inline(never)]
                fn $inner(adaptive: &mut Adaptive, $($argument: $kind),*) {
                    adaptive.$plain($($argument),*);
                }
                assert!(adaptive.vectors);
                // SAFETY: `vectors` is set only where `has` said that these instructions exist.
                unsafe { $inner(adaptive, $($argument),*) }
            }
        )*
    };
}

compiled! {
    look_around, look_around_avx2, look_around(planes: &[Plane], c: usize, places: &[Place], mixtures: &Mixtures);
    weigh, weigh_avx2, weigh(c: usize, level: u32, from: usize, to: usize);
    halve, halve_avx2, halve(level: u32, pixels: usize, mixtures: &Mixtures);
    learn, learn_avx2, learn(c: usize, level: u32, from: usize, to: usize);
    settle, settle_avx2, settle(planes: &[Plane], c: usize, places: &[Place]);
}

/// What [`super::fit::accumulate`] does, if this machine has AVX2; else false, and nothing is done.
#[inline]
pub(super) fn accumulate(products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]]) -> bool {
    if !is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: it has been asked for.
    unsafe { accumulate_avx2(products, inputs, trusted) };
    true
}

/// Samples two by two: the products of both are summed by one instruction.
#[target_feature(enable = "avx2")]
fn accumulate_avx2(products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]]) {
    const VECTORS: usize = INPUTS / 8;
    let pair = |values: &[[i16; INPUTS]]| -> [i32; INPUTS] {
        let second = values.get(1).copied().unwrap_or([0; INPUTS]);
        let mut pairs = [0; INPUTS];
        for ((pair, first), second) in pairs.iter_mut().zip(values[0]).zip(second) {
            *pair = i32::from(first) & 0xffff | i32::from(second) << 16;
        }
        pairs
    };
    let (mut pairs, mut factors) = ([[0i32; INPUTS]; BATCH / 2], [[0i32; INPUTS]; BATCH / 2]);
    for ((to, factor), (input, trusted)) in pairs.iter_mut().zip(&mut factors).zip(inputs.chunks(2).zip(trusted.chunks(2))) {
        (*to, *factor) = (pair(input), pair(trusted));
    }
    let n_pairs = inputs.len().div_ceil(2).min(BATCH / 2);
    let n = _mm256_set1_epi32(inputs.len() as i32);
    // SAFETY: a row has room for `VECTORS` vectors of eight i32; unaligned loads and stores take any address.
    let load = |row: &[i32; INPUTS], at: usize| unsafe { _mm256_loadu_si256(row.as_ptr().cast::<__m256i>().add(at)) };
    for (i, row) in products.iter_mut().enumerate() {
        let mut sums = [n; VECTORS];
        for (at, to) in sums.iter_mut().enumerate() {
            let sum = load(row, at);
            *to = _mm256_sub_epi32(sum, _mm256_mullo_epi32(_mm256_srai_epi32::<{ LOG2_WINDOW as i32 }>(sum), n));
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
