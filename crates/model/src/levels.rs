//! How finely weights are rounded.

use kolmo_codec::program::{Dense, Program};

/// How many sizes a unit's weights may have: 0 to a largest one, either way. Its largest weight has the last one or nearly so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Levels(u8);

impl Levels {
    /// What the format allows: about 7 bits a weight once they are coded.
    pub const FINEST: Self = Self(127);
    /// Finest first; about 7, 5, 4 and 3 bits a weight once they are coded.
    pub const ALL: [Self; 4] = [Self::FINEST, Self(31), Self(15), Self(7)];

    /// The largest weight.
    #[must_use]
    pub const fn largest(self) -> u8 {
        self.0
    }

    /// The coarsest that a Program's weights fit.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let stages = program.stages.iter().flat_map(|stage| &stage.layers);
        let heads = program.heads.iter().flat_map(|head| head.hidden.iter().chain([&head.out]));
        let largest = |layer: &Dense| layer.weights.iter().map(|weight| weight.unsigned_abs()).max().unwrap_or(0);
        let largest = stages.chain(heads).map(largest).max().unwrap_or(0);
        Self::ALL.into_iter().rev().find(|levels| levels.0 >= largest).unwrap_or(Self::FINEST)
    }

    /// The code of the smallest step `2^(-code/8)` of which so many reach `largest`.
    pub(crate) fn step_code(self, largest: f32) -> u8 {
        ((largest.max(1e-6) / f32::from(self.0)).log2() * -8.0).floor().clamp(0.0, 255.0) as u8
    }
}
