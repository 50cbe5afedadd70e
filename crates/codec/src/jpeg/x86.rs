//! Coding of components compiled for AVX2, so that its loops become vectors; the plain function is its oracle.
#![allow(unsafe_code, reason = "a call into a function compiled for other instructions; the plain function is its oracle")]

use super::model::{Done, Model, Part};
use super::scan::Block;
use crate::Error;
use crate::adaptive::Decide;
use crate::kernel::Kernel;

/// That a machine has AVX2; made by [`Vectors::here`] alone, so that whoever holds one may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vectors(());

impl Vectors {
    /// If this machine has it, and `kernel` is none of those without.
    pub(super) fn here(kernel: Kernel) -> Option<Self> {
        let bits = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        (bits && kernel != Kernel::Scalar).then_some(Self(()))
    }
}

/// [`Model::blocks`].
pub(super) fn blocks<D: Decide>(model: &mut Model, _: Vectors, part: &Part<'_>, plane: &mut [Block], coder: &mut D) -> Result<Done, Error> {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    #[inline(never)]
    fn avx2<D: Decide>(model: &mut Model, part: &Part<'_>, plane: &mut [Block], coder: &mut D) -> Result<Done, Error> {
        model.blocks(part, plane, coder)
    }
    // SAFETY: there are `Vectors` only where these instructions are.
    unsafe { avx2(model, part, plane, coder) }
}
