//! The integers that planes hold: bytes, or 16 bits where a sample has more than eight.
#![allow(clippy::arithmetic_side_effects, reason = "samples have at most 16 bits, and sums of a few of them fit their types")]

use std::fmt::Debug;

use crate::context::Plane;

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

    /// Up to four values side by side: the channels of a pixel.
    type Pixel: Copy + Default + Debug + Send + Sync;

    /// The first four values, fewer if there are no more.
    fn pixel(values: &[Self]) -> Self::Pixel;

    /// Value `c` of a pixel.
    fn get(pixel: Self::Pixel, c: usize) -> Self;

    /// A pixel with another value `c`.
    fn with(pixel: Self::Pixel, c: usize, value: Self) -> Self::Pixel;

    /// [`Sample::mean`] of each value.
    fn mean_of(a: Self::Pixel, b: Self::Pixel) -> Self::Pixel;

    /// Four bytes; of deep ones the lower.
    fn word(pixel: Self::Pixel) -> u32;

    /// Pixels of bytes; nothing of deep ones.
    fn words<const N: usize>(pixels: &[[Self::Pixel; N]]) -> &[[u32; N]];

    /// A plane of bytes, if it is one.
    fn byte_plane(plane: &Plane<Self>) -> Option<&Plane>;

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
    type Pixel = u32;
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

    #[inline(always)]
    fn pixel(values: &[Self]) -> u32 {
        match values.first_chunk::<4>() {
            Some(&four) => u32::from_le_bytes(four),
            None => values.iter().rev().fold(0, |pixel, &value| pixel << 8 | u32::from(value)),
        }
    }

    #[inline(always)]
    fn get(pixel: u32, c: usize) -> Self {
        (pixel >> (8 * c)) as Self
    }

    #[inline(always)]
    fn with(pixel: u32, c: usize, value: Self) -> u32 {
        pixel & !(u32::from(Self::MAX) << (8 * c)) | u32::from(value) << (8 * c)
    }

    #[inline(always)]
    fn mean_of(a: u32, b: u32) -> u32 {
        // The bits that both have, and half of those that one has: no carry leaves its value.
        (a & b) + (((a ^ b) & 0xfefe_fefe) >> 1)
    }

    #[inline(always)]
    fn word(pixel: u32) -> u32 {
        pixel
    }

    fn words<const N: usize>(pixels: &[[u32; N]]) -> &[[u32; N]] {
        pixels
    }

    #[inline(always)]
    fn byte_plane(plane: &Plane<Self>) -> Option<&Plane> {
        Some(plane)
    }
}

impl Sample for u16 {
    type Base = i32;
    type Pixel = u64;
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

    #[inline(always)]
    fn pixel(values: &[Self]) -> u64 {
        match values.first_chunk::<4>() {
            Some(&[a, b, c, d]) => u64::from(a) | u64::from(b) << 16 | u64::from(c) << 32 | u64::from(d) << 48,
            None => values.iter().rev().fold(0, |pixel, &value| pixel << 16 | u64::from(value)),
        }
    }

    #[inline(always)]
    fn get(pixel: u64, c: usize) -> Self {
        (pixel >> (16 * c)) as Self
    }

    #[inline(always)]
    fn with(pixel: u64, c: usize, value: Self) -> u64 {
        pixel & !(u64::from(Self::MAX) << (16 * c)) | u64::from(value) << (16 * c)
    }

    #[inline(always)]
    fn mean_of(a: u64, b: u64) -> u64 {
        // The bits that both have, and half of those that one has: no carry leaves its value.
        (a & b) + (((a ^ b) & 0xfffe_fffe_fffe_fffe) >> 1)
    }

    #[inline(always)]
    fn word(pixel: u64) -> u32 {
        pixel as u32
    }

    fn words<const N: usize>(_: &[[u64; N]]) -> &[[u32; N]] {
        &[]
    }

    #[inline(always)]
    fn byte_plane(_: &Plane<Self>) -> Option<&Plane> {
        None
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
    fn pixels_are_values_side_by_side() {
        assert_eq!((u8::pixel(&[1, 2, 3]), u8::pixel(&[1, 2, 3, 4, 5]), u16::pixel(&[7, 8])), (0x03_0201, 0x0403_0201, 0x8_0007));
        assert_eq!(u16::pixel(&[1, 2, 3, 4, 5]), 0x0004_0003_0002_0001);
        assert_eq!((u8::get(0x0403_0201, 2), u16::get(0x8_0007, 1), u8::with(0x0403_0201, 1, 255)), (3, 8, 0x0403_ff01));
        for (a, b) in [(0, 0), (255, 255), (255, 0), (254, 1), (3, 4), (200, 201)] {
            let mean = u8::mean_of(u8::pixel(&[a, b, 9, 255]), u8::pixel(&[b, b, 10, 254]));
            assert_eq!([0, 1, 2, 3].map(|c| u8::get(mean, c)), [((u16::from(a) + u16::from(b)) >> 1) as u8, b, 9, 254]);
            let mean = u16::mean_of(u16::pixel(&[u16::MAX, 5]), u16::pixel(&[u16::MAX - 1, 8]));
            assert_eq!([0, 1, 2].map(|c| u16::get(mean, c)), [u16::MAX - 1, 6, 0]);
        }
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
