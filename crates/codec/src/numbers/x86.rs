//! Whether loops that are compiled twice may run in their quicker build.

/// The machine has what Haswell brought: wider vectors, and shifts by any register.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("lzcnt") && is_x86_feature_detected!("avx2")
}
