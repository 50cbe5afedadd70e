//! Sixteen range coders of the rANS kind side by side: symbol `i` of a group belongs to coder `i`, so all of a group are decoded at once.
//!
//! A coder is a stack: the encoder begins with the last symbol, so it has to know all of them, and the decoder ends where the encoder began. That tells
//! damage from sound code before any digest does.

mod decoder;
mod encoder;
#[cfg(target_arch = "x86_64")]
mod step;

pub(crate) use decoder::RansDecoder;
pub(crate) use encoder::{Held, encode};

use crate::cdf::GROUP;

/// Coders of a block: one for each symbol of a group.
const CODERS: usize = GROUP;

/// Bits of a word.
const WORD_BITS: u32 = 32;

/// A coder's state lies between this and 2^64; below, it takes in a word. The encoder begins, and the decoder ends, with it.
const LEAST: u64 = 1 << WORD_BITS;

/// Bytes of a block besides its words: the states that decoding begins with.
pub(crate) const STATES_BYTES: usize = CODERS * 8;

#[cfg(test)]
mod tests;
