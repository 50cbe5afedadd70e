//! The same walk compiled for AVX2: its loops over mixer inputs and predictor taps become vectors.
#![allow(unsafe_code, reason = "a call into a function compiled for other instructions; the plain function is its oracle")]

use super::{Adaptive, Decide, Place};
use crate::cdf::Mixture;
use crate::error::Error;

/// Whether this machine runs [`code`].
pub(super) fn has() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("lzcnt")
}

/// See [`Adaptive::code`]; only for an `Adaptive` whose `vectors` is set.
#[inline]
pub(super) fn code(adaptive: &mut Adaptive, mixture: &Mixture, place: &Place<'_>, decide: &mut impl Decide) -> Result<u8, Error> {
    assert!(adaptive.vectors);
    // SAFETY: `vectors` is set only where `has` said that these instructions exist.
    unsafe { code_avx2(adaptive, mixture, place, decide) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn code_avx2(adaptive: &mut Adaptive, mixture: &Mixture, place: &Place<'_>, decide: &mut impl Decide) -> Result<u8, Error> {
    adaptive.code_plain(mixture, place, decide)
}
