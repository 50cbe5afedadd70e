//! Shares in, bytes out.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "widths are 1..2^24, which bounds every term; lanes are below 16")]

use super::{CODERS, LEAST, STATES_BYTES, WORD_BITS};
use crate::cdf::PRECISION;
use crate::kernel::Kernel;

/// Where the share of every symbol begins and how wide it is (at least 1, less than all), in the order in which they will be decoded.
#[derive(Debug)]
pub(crate) struct Held {
    lefts: Vec<u32>,
    widths: Vec<u32>,
    /// Lengths (1 to 16) of the groups that they are decoded in.
    groups: Vec<u8>,
}

impl Held {
    /// Of no symbols yet, with room for so many.
    pub(crate) fn of(symbols: usize) -> Self {
        Self { lefts: Vec::with_capacity(symbols), widths: Vec::with_capacity(symbols), groups: Vec::new() }
    }

    /// Adds the group that is decoded next: of each symbol where its share begins and how wide it is.
    #[inline]
    pub(crate) fn push(&mut self, lefts: &[u32], widths: &[u32]) {
        self.lefts.extend_from_slice(lefts);
        self.widths.extend_from_slice(widths);
        self.groups.push(lefts.len() as u8);
    }

    /// Every share: its beginning and its width.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (u32, u32)> {
        self.lefts.iter().copied().zip(self.widths.iter().copied())
    }
}

/// Encodes symbols of which shares are held.
pub(crate) fn encode(kernel: Kernel, held: Held) -> Vec<u8> {
    let Held { mut lefts, widths, groups } = held;
    let mut states = [LEAST; CODERS];
    // From the last symbol to the first. A symbol makes one word at most, so words take the places of shares that are done with: the last of them the last one.
    let (mut free, mut rest) = (lefts.len(), lefts.len());
    for &group in groups.iter().rev() {
        let (count, end) = (usize::from(group), rest);
        rest -= count;
        let mut group = [0; CODERS];
        group[..count].copy_from_slice(&lefts[rest..end]);
        free -= back(kernel, &mut states, &group[..count], &widths[rest..end], &mut lefts[rest..free]);
    }
    assert!(rest == 0, "groups make up the symbols");
    let words = &lefts[free..];
    let mut bytes = Vec::with_capacity(STATES_BYTES + 4 * words.len());
    bytes.extend(states.iter().flat_map(|state| state.to_le_bytes()));
    bytes.resize(STATES_BYTES + 4 * words.len(), 0);
    bytes[STATES_BYTES..].as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    bytes
}

/// Takes a group into the states: from where the decoder will be after it to where it will be before. Puts the words that it will take in at the end of `words`
/// and tells how many.
#[inline]
pub(super) fn back(kernel: Kernel, states: &mut [u64; CODERS], lefts: &[u32], widths: &[u32], words: &mut [u32]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if kernel == Kernel::Avx512
        && let (Some(lefts), Some(widths)) = (lefts.as_array(), widths.as_array())
    {
        return super::step::back(states, lefts, widths, words);
    }
    let _ = kernel;
    let mut free = words.len();
    for ((state, &left), &width) in states.iter_mut().zip(lefts).zip(widths).rev() {
        assert!(width > 0 && width < 1 << PRECISION, "a mixture gives mass to every symbol, and all of it to none");
        let width = u64::from(width);
        if *state >= width << (u64::BITS - PRECISION as u32) {
            free -= 1;
            words[free] = *state as u32;
            *state >>= WORD_BITS;
        }
        *state = ((*state / width) << PRECISION) + *state % width + u64::from(left);
    }
    words.len() - free
}
