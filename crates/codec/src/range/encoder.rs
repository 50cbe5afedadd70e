//! Symbols in, bytes out.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a width is 1..=2^24, which bounds every term")]

use std::num::NonZeroU32;

use constriction::stream::Encode;
use constriction::stream::queue::DefaultRangeEncoder;

use super::{Odds, Share};
use crate::cdf::PRECISION;
use crate::tables::LOG2;

/// Encodes symbols and counts what they should cost.
#[derive(Debug)]
pub(crate) struct RangeEncoder {
    coder: DefaultRangeEncoder,
    /// The probability of all that was encoded is `product * 2^-(31 + halvings)`: one logarithm at the end, instead of one a symbol. At least `2^31`, below `2^32`.
    product: u64,
    halvings: u64,
}

impl Default for RangeEncoder {
    fn default() -> Self {
        Self { coder: DefaultRangeEncoder::default(), product: 1 << 31, halvings: 0 }
    }
}

impl RangeEncoder {
    /// Encodes one symbol whose share of the mass begins at `left` and is `width` wide.
    #[inline]
    pub(crate) fn encode(&mut self, left: u32, width: u32) {
        let width = NonZeroU32::new(width).unwrap_or(NonZeroU32::MIN);
        self.count(width.get());
        // Every symbol of a mixture has mass and the backend is a Vec: neither error can occur.
        let done = self.coder.encode_symbol((), Share(left, width));
        assert!(done.is_ok(), "a mixture gives mass to every symbol");
    }

    /// Encodes one decision that falls upwards with probability `p`, unit 2^-24, neither 0 nor whole.
    #[inline]
    pub(crate) fn encode_decision(&mut self, up: bool, p: u32) {
        let odds = Odds::new(p);
        self.count(odds.share(up).1.get());
        let done = self.coder.encode_symbol(up, odds);
        assert!(done.is_ok(), "both ways have mass");
    }

    /// Counts one symbol of this width.
    #[inline]
    fn count(&mut self, width: u32) {
        // At least 2^31, below 2^56: 8 to 32 zeros lead.
        let product = self.product * u64::from(width);
        let zeros = product.leading_zeros();
        self.product = product << zeros >> 32;
        self.halvings += u64::from(zeros) - 8;
    }

    /// The code (a whole number of 4-byte little-endian words) and its ideal length in 2^-16 bits.
    pub(crate) fn finish(self) -> (Vec<u8>, u64) {
        let Ok(words) = self.coder.into_compressed();
        // The product's upper 24 bits are a probability of a half to one.
        let ideal_bits = (self.halvings << 16) + cost((self.product >> 8) as u32) - (1 << 16);
        (words.into_iter().flat_map(u32::to_le_bytes).collect(), ideal_bits)
    }
}

/// `-log2(width / 2^24)` in 2^-16 bits, linear between entries of the table (error below 2^-18 bits).
#[inline]
pub(crate) fn cost(width: u32) -> u64 {
    let whole = width.ilog2();
    let fraction = (u64::from(width) << 16 >> whole) & 0xffff; // 16 bits after the leading one
    let (index, rest) = ((fraction >> 8) as usize, fraction & 255);
    let log2 = u64::from(LOG2[index]) + ((u64::from(LOG2[index + 1] - LOG2[index]) * rest) >> 8);
    ((PRECISION as u64) << 16) - (u64::from(whole) << 16) - log2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideal_bits_are_the_sum_of_costs() {
        let mut coder = RangeEncoder::default();
        let (mut exact, mut left) = (0.0, 1u32);
        for i in 1..100_000u32 {
            let width = (i.wrapping_mul(2_654_435_761) >> (8 + i % 23)).clamp(1, (1 << 24) - 2);
            left = left.wrapping_mul(69_069).wrapping_add(1) % ((1 << 24) - width);
            coder.encode(left, width);
            exact += 24.0 - f64::from(width).log2();
        }
        let (bytes, ideal_bits) = coder.finish();
        let ideal_bits = ideal_bits as f64 / 65_536.0;
        assert!((ideal_bits - exact).abs() < 1e-3 + exact * 1e-9, "{ideal_bits} for {exact}");
        assert!((bytes.len() as f64 * 8.0 - exact).abs() < exact * 1e-4 + 64.0, "{} bytes for {exact} bits", bytes.len());
        assert_eq!(RangeEncoder::default().finish().1, 0, "nothing costs nothing");
    }

    #[test]
    fn cost_is_the_binary_logarithm() {
        for width in [1u32, 2, 3, 5, 100, 4097, 65_535, 1 << 20, (1 << 24) - 4096] {
            let exact = 24.0 - f64::from(width).log2();
            assert!((cost(width) as f64 / 65_536.0 - exact).abs() < 1e-4, "{width}");
        }
    }
}
