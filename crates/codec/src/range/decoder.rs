//! Bytes in, symbols out.

use constriction::backends::Cursor;
use constriction::stream::Decode;
use constriction::stream::queue::DefaultRangeDecoder;

use super::{Model, Odds};
use crate::cdf::Mixtures;
use crate::error::Error;

/// Decodes what a `RangeEncoder` wrote. Damaged bytes give other symbols, never more of them: a digest has to tell.
#[derive(Debug)]
pub(crate) struct RangeDecoder {
    coder: DefaultRangeDecoder<Cursor<u32, Vec<u32>>>,
}

impl RangeDecoder {
    /// Starts on a block's code.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not whole words.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Error::corrupt("length of a block"));
        }
        let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
        let Ok(coder) = DefaultRangeDecoder::from_compressed(words);
        Ok(Self { coder })
    }

    /// Decodes one symbol under distribution `lane` of a batch.
    ///
    /// # Errors
    /// `Corrupt` if the bytes cannot come from an encoder.
    #[inline]
    pub(crate) fn decode(&mut self, mixtures: &Mixtures, lane: usize) -> Result<u16, Error> {
        self.coder.decode_symbol(Model { mixtures, lane }).map_err(|_| Error::corrupt("code of a block"))
    }

    /// Decodes one decision that falls upwards with probability `p`, unit 2^-24, neither 0 nor whole.
    ///
    /// # Errors
    /// `Corrupt` if the bytes cannot come from an encoder.
    #[inline]
    pub(crate) fn decode_decision(&mut self, p: u32) -> Result<bool, Error> {
        self.coder.decode_symbol(Odds::new(p)).map_err(|_| Error::corrupt("code of a block"))
    }
}
