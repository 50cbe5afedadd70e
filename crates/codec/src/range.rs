//! The range coder under a [`Mixture`]: constriction's, with 32-bit words and 24-bit probabilities.
//!
//! It is a queue: symbols come out in the order in which they went in, so the encoder needs no memory of their distributions.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a mixture keeps every symbol inside its mass")]

pub(crate) mod decoder;
pub(crate) mod encoder;

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

use crate::cdf::{Mixture, PRECISION};

/// A mixture as constriction wants it.
struct Model<'a>(&'a Mixture);

impl EntropyModel<PRECISION> for Model<'_> {
    type Symbol = u16;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Model<'_> {
    #[inline]
    fn left_cumulative_and_probability(&self, symbol: impl Borrow<u16>) -> Option<(u32, NonZeroU32)> {
        let (left, width) = self.0.share(*symbol.borrow());
        NonZeroU32::new(width).map(|width| (left, width))
    }
}

impl DecoderModel<PRECISION> for Model<'_> {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (u16, u32, NonZeroU32) {
        let (symbol, left, width) = self.0.find(quantile);
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
