//! The range coder under [`Mixtures`]: constriction's, with 32-bit words and 24-bit probabilities.
//!
//! It is a queue: symbols come out in the order in which they went in, so the encoder needs no memory of their distributions.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a mixture keeps every symbol inside its mass")]

pub(crate) mod decoder;
pub(crate) mod encoder;

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

use crate::cdf::{Mixtures, PRECISION};

/// One of the distributions of a batch, as constriction wants it.
struct Model<'a> {
    mixtures: &'a Mixtures,
    lane: usize,
}

impl EntropyModel<PRECISION> for Model<'_> {
    type Symbol = u16;
    type Probability = u32;
}

/// The share of the one symbol that is to be encoded: where it begins, and its width.
#[derive(Debug, Clone, Copy)]
struct Share(u32, NonZeroU32);

impl EntropyModel<PRECISION> for Share {
    type Symbol = ();
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Share {
    #[inline]
    fn left_cumulative_and_probability(&self, _: impl Borrow<()>) -> Option<(u32, NonZeroU32)> {
        Some((self.0, self.1))
    }
}

impl DecoderModel<PRECISION> for Model<'_> {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (u16, u32, NonZeroU32) {
        let (symbol, left, width) = self.mixtures.find(self.lane, quantile);
        // A mixture is strictly rising, so `max(1)` changes nothing; it spares the decoder a panic.
        (symbol, left, NonZeroU32::MIN.max(NonZeroU32::new(width).unwrap_or(NonZeroU32::MIN)))
    }
}

/// A decision between two ways: downwards takes the lower mass, upwards the upper.
#[derive(Clone, Copy)]
struct Odds {
    down: NonZeroU32,
    up: NonZeroU32,
}

impl Odds {
    /// `up` is the mass of upwards, unit 2^-24, 1 to 2^24 - 1.
    #[inline]
    fn new(up: u32) -> Self {
        let part = |mass: u32| NonZeroU32::new(mass).unwrap_or(NonZeroU32::MIN);
        let up = up.clamp(1, (1 << PRECISION) - 1);
        Self { down: part((1 << PRECISION) - up), up: part(up) }
    }

    /// Start and width of a way's mass.
    #[inline]
    const fn share(self, up: bool) -> (u32, NonZeroU32) {
        if up { (self.down.get(), self.up) } else { (0, self.down) }
    }
}

impl EntropyModel<PRECISION> for Odds {
    type Symbol = bool;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Odds {
    #[inline]
    fn left_cumulative_and_probability(&self, symbol: impl Borrow<bool>) -> Option<(u32, NonZeroU32)> {
        Some(self.share(*symbol.borrow()))
    }
}

impl DecoderModel<PRECISION> for Odds {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (bool, u32, NonZeroU32) {
        let up = quantile >= self.down.get();
        let (start, width) = self.share(up);
        (up, start, width)
    }
}
