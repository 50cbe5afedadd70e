//! Coding of components compiled for AVX2, so that its loops become vectors; the plain function is its oracle.
#![allow(unsafe_code, reason = "a call into a function compiled for other instructions; the plain function is its oracle")]

use super::model::{Done, Model, Part};
use super::scan::Block;
use crate::Error;
use crate::adaptive::{Decide, Vectors};

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
