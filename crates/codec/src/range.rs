//! The range coder under a [`Mixture`]: constriction's, with 32-bit words and 24-bit probabilities.
//!
//! It is a queue: symbols come out in the order in which they went in, so the encoder needs no memory of their distributions.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a mixture keeps every symbol inside its mass")]

pub(crate) mod decoder;
pub(crate) mod encoder;

use std::borrow::Borrow;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

use crate::cdf::{Mixture, PRECISION};

/// A mixture as constriction wants it.
struct Model<'a>(&'a Mixture);

impl EntropyModel<PRECISION> for Model<'_> {
    type Symbol = u8;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Model<'_> {
    #[inline]
    fn left_cumulative_and_probability(&self, symbol: impl Borrow<u8>) -> Option<(u32, std::num::NonZeroU32)> {
        let (left, width) = self.0.share(*symbol.borrow());
        std::num::NonZeroU32::new(width).map(|width| (left, width))
    }
}

impl DecoderModel<PRECISION> for Model<'_> {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (u8, u32, std::num::NonZeroU32) {
        let (symbol, left, width) = self.0.find(quantile);
        // A mixture is strictly rising, so `max(1)` changes nothing; it spares the decoder a panic.
        (symbol, left, std::num::NonZeroU32::MIN.max(std::num::NonZeroU32::new(width).unwrap_or(std::num::NonZeroU32::MIN)))
    }
}
