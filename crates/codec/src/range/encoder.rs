//! Symbols in, bytes out.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a width is 1..=2^24, which bounds every term")]

use std::num::NonZeroU32;

use constriction::stream::Encode;
use constriction::stream::queue::DefaultRangeEncoder;

use super::{Odds, Share};
use crate::cdf::PRECISION;
use crate::tables::LOG2;

/// Encodes symbols and counts what they should cost.
#[derive(Debug, Default)]
pub(crate) struct RangeEncoder {
    coder: DefaultRangeEncoder,
    /// Unit 2^-16 bits.
    ideal_bits: u64,
}

impl RangeEncoder {
    /// Encodes one symbol whose share of the mass begins at `left` and is `width` wide.
    #[inline]
    pub(crate) fn encode(&mut self, left: u32, width: u32) {
        let width = NonZeroU32::new(width).unwrap_or(NonZeroU32::MIN);
        self.ideal_bits += cost(width.get());
        // Every symbol of a mixture has mass and the backend is a Vec: neither error can occur.
        let done = self.coder.encode_symbol((), Share(left, width));
        assert!(done.is_ok(), "a mixture gives mass to every symbol");
    }

    /// Encodes one decision that falls upwards with probability `p`, unit 2^-24, neither 0 nor whole.
    #[inline]
    pub(crate) fn encode_decision(&mut self, up: bool, p: u32) {
        let odds = Odds::new(p);
        self.ideal_bits += cost(odds.share(up).1.get());
        let done = self.coder.encode_symbol(up, odds);
        assert!(done.is_ok(), "both ways have mass");
    }

    /// The code (a whole number of 4-byte little-endian words) and its ideal length in 2^-16 bits.
    pub(crate) fn finish(self) -> (Vec<u8>, u64) {
        let Ok(words) = self.coder.into_compressed();
        (words.into_iter().flat_map(u32::to_le_bytes).collect(), self.ideal_bits)
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
    fn cost_is_the_binary_logarithm() {
        for width in [1u32, 2, 3, 5, 100, 4097, 65_535, 1 << 20, (1 << 24) - 4096] {
            let exact = 24.0 - f64::from(width).log2();
            assert!((cost(width) as f64 / 65_536.0 - exact).abs() < 1e-4, "{width}");
        }
    }
}
