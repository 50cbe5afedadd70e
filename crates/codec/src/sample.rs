//! The integers that planes hold: bytes, or 16 bits where a sample has more than eight.
#![allow(clippy::arithmetic_side_effects, reason = "samples have at most 16 bits, and sums of a few of them fit their types")]

use std::fmt::Debug;

/// A value of a plane. The walk over a block is compiled for each kind.
pub trait Sample: sealed::Sealed + Copy + Default + Eq + Ord + Debug + Into<f32> + Send + Sync + 'static {
    /// What differences of values fit into.
    type Base: Copy + Default + Eq + Debug + Into<i32> + Send + Sync;
    /// Whether it has 16 bits.
    const DEEP: bool;
    /// Inputs of stage 0 for each channel's base.
    const LEVELS: usize;

    /// The lower bits of a symbol.
    fn of(symbol: u32) -> Self;

    /// The number it is.
    fn value(self) -> u32;

    /// The value as the kind of number that a base is.
    fn base(self) -> Self::Base;

    /// A base as the value it is; no base lies outside the values.
    fn of_base(base: Self::Base) -> Self;

    /// The mean of two bases, rounded down.
    fn mean(a: Self::Base, b: Self::Base) -> Self::Base;

    /// The value minus a base in steps of `2^resolution`, rounded to nearest, within what 16 bits hold but -2^15.
    fn difference(self, base: Self::Base, resolution: u32) -> i16;

    /// What a network sees of a base of `bit_depth` bits: [`Sample::LEVELS`] inputs.
    fn levels(base: Self::Base, bit_depth: u8, out: &mut [i16]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
}

impl Sample for u8 {
    type Base = i16;
    const DEEP: bool = false;
    const LEVELS: usize = 1;

    #[inline(always)]
    fn of(symbol: u32) -> Self {
        symbol as Self
    }

    #[inline(always)]
    fn value(self) -> u32 {
        self.into()
    }

    #[inline(always)]
    fn base(self) -> i16 {
        self.into()
    }

    #[inline(always)]
    fn of_base(base: i16) -> Self {
        base as Self
    }

    #[inline(always)]
    fn mean(a: i16, b: i16) -> i16 {
        (a + b) >> 1
    }

    #[inline(always)]
    fn difference(self, base: i16, _: u32) -> i16 {
        i16::from(self) - base
    }

    #[inline(always)]
    fn levels(base: i16, _: u8, out: &mut [i16]) {
        out.fill((base - 128) >> 1);
    }
}

impl Sample for u16 {
    type Base = i32;
    const DEEP: bool = true;
    const LEVELS: usize = 2;

    #[inline(always)]
    fn of(symbol: u32) -> Self {
        symbol as Self
    }

    #[inline(always)]
    fn value(self) -> u32 {
        self.into()
    }

    #[inline(always)]
    fn base(self) -> i32 {
        self.into()
    }

    #[inline(always)]
    fn of_base(base: i32) -> Self {
        base as Self
    }

    #[inline(always)]
    fn mean(a: i32, b: i32) -> i32 {
        (a + b) >> 1
    }

    #[inline(always)]
    fn difference(self, base: i32, resolution: u32) -> i16 {
        let half = (1 << resolution) >> 1;
        ((i32::from(self) - base + half) >> resolution).clamp(-32_767, 32_767) as i16
    }

    /// The upper eight bits as those of bytes, and the logarithm: noise grows with what a sensor sees, most of all where it sees little.
    #[inline(always)]
    fn levels(base: i32, bit_depth: u8, out: &mut [i16]) {
        let linear = (base << 8 >> bit_depth) - 128;
        // Unit 1/16 octave, linear between powers of two: 0..=256.
        let value = base.cast_unsigned() + 1;
        let whole = value.ilog2();
        let log = (whole << 4) + ((value << 4 >> whole) & 15);
        if let [first, second] = out {
            *first = (linear >> 1) as i16;
            *second = (log.cast_signed() - 128) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_rounded_to_steps_and_bounded() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(|sample: u16| sample.difference(3, 1)), [-1, -1, 0, 0, 1, 1]);
        assert_eq!((u16::MAX.difference(0, 0), 0u16.difference(65_535, 0), u16::MAX.difference(0, 7)), (32_767, -32_767, 512));
        assert_eq!((255u8.difference(0, 0), 0u8.difference(255, 0)), (255, -255));
    }

    #[test]
    fn levels_rise_with_the_base() {
        let mut before = [i16::MIN; 2];
        for base in 0..=65_535 {
            let mut levels = [0; 2];
            u16::levels(base, 16, &mut levels);
            assert!(levels[0] >= before[0] && levels[1] >= before[1] && levels.iter().all(|level| (-128..=128).contains(level)), "{base} {levels:?}");
            before = levels;
        }
    }
}
