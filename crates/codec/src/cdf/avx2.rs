//! The plain computations compiled for AVX2: their loops over edges and parts become vectors.
#![allow(unsafe_code, reason = "calls into functions compiled for other instructions; the plain functions are their oracle")]

use super::{EDGES, Mixture};
use crate::kernel::Kernel;

/// [`Mixture::set`]; only for a mixture of this kernel.
pub(super) fn set(mixture: &mut Mixture, outputs: &[i32], reference: i32) {
    assert!(matches!(mixture.kernel, Kernel::Avx2 | Kernel::AvxVnni));
    // SAFETY: a kernel is chosen only where its instructions exist.
    unsafe { set_compiled(mixture, outputs, reference) }
}

#[target_feature(enable = "avx2")]
fn set_compiled(mixture: &mut Mixture, outputs: &[i32], reference: i32) {
    mixture.set_plain(outputs, reference);
}

/// [`Mixture::masses`]; only for a mixture of this kernel.
pub(super) fn masses(mixture: &Mixture, start: u32, log2_stride: u32) -> [u32; EDGES] {
    assert!(matches!(mixture.kernel, Kernel::Avx2 | Kernel::AvxVnni));
    // SAFETY: a kernel is chosen only where its instructions exist.
    unsafe { masses_compiled(mixture, start, log2_stride) }
}

#[target_feature(enable = "avx2")]
fn masses_compiled(mixture: &Mixture, start: u32, log2_stride: u32) -> [u32; EDGES] {
    mixture.masses_plain(start, log2_stride)
}
