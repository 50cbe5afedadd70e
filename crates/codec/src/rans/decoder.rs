//! Bytes in, shares out.
#![allow(clippy::arithmetic_side_effects, reason = "a share holds its quantile, which bounds every term")]

use super::{CODERS, LEAST, STATES_BYTES, WORD_BITS};
use crate::cdf::{Found, GROUP, PRECISION};
use crate::error::Error;
use crate::kernel::Kernel;

/// Decodes what [`super::encode`] wrote, a group of symbols at a time.
#[derive(Debug)]
pub(crate) struct RansDecoder {
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only x86-64 has a choice of instructions"))]
    kernel: Kernel,
    states: [u64; CODERS],
    words: Vec<u32>,
    /// Words taken in.
    taken: usize,
}

impl RansDecoder {
    /// Starts on a block's code.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not whole words, too few for the states, or a state is none.
    pub(crate) fn new(kernel: Kernel, bytes: &[u8]) -> Result<Self, Error> {
        let (words, rest) = bytes.as_chunks::<4>();
        let (states, words) = words.split_at_checked(STATES_BYTES / 4).filter(|_| rest.is_empty()).ok_or(Error::corrupt("length of a block"))?;
        let word = |word: &[u8; 4]| u32::from_le_bytes(*word);
        let mut coder = Self { kernel, states: [0; CODERS], words: words.iter().map(word).collect(), taken: 0 };
        for (state, pair) in coder.states.iter_mut().zip(states.as_chunks::<2>().0) {
            let [low, high] = pair;
            *state = u64::from(word(low)) | u64::from(word(high)) << WORD_BITS;
            if *state < LEAST {
                return Err(Error::corrupt("states of a block"));
            }
        }
        Ok(coder)
    }

    /// What the next symbol of each coder is to be found by: see [`crate::cdf::Mixtures::find_group`].
    #[inline]
    pub(crate) fn quantiles(&self) -> [u32; GROUP] {
        let mut quantiles = [0; GROUP];
        for (quantile, state) in quantiles.iter_mut().zip(&self.states) {
            *quantile = *state as u32 & ((1 << PRECISION) - 1);
        }
        quantiles
    }

    /// Goes on to the symbols after the first `count` of a group that were found by the quantiles.
    ///
    /// # Errors
    /// `Corrupt` if there are too few words.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize, found: &Found) -> Result<(), Error> {
        #[cfg(target_arch = "x86_64")]
        if self.kernel == Kernel::Avx512
            && count == GROUP
            && let Some(words) = self.words.get(self.taken..).and_then(|words| words.first_chunk())
        {
            self.taken += super::step::advance(&mut self.states, found, words);
            return Ok(());
        }
        for ((state, &left), &width) in self.states.iter_mut().zip(&found.lefts).zip(&found.widths).take(count) {
            let quantile = *state & ((1 << PRECISION) - 1);
            // At most the state: a width is below 2^24.
            *state = u64::from(width) * (*state >> PRECISION) + quantile.saturating_sub(left.into());
            if *state < LEAST {
                let word = self.words.get(self.taken).ok_or(Error::corrupt("code of a block"))?;
                *state = *state << WORD_BITS | u64::from(*word);
                self.taken += 1;
            }
        }
        Ok(())
    }

    /// To be asked after the last symbol.
    ///
    /// # Errors
    /// `Corrupt` if not all words were taken in, or a coder is not where the encoder began.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.taken == self.words.len() && self.states == [LEAST; CODERS] { Ok(()) } else { Err(Error::corrupt("end of a block")) }
    }
}
