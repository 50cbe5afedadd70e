//! Shares in, bytes out.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "widths are 1..2^24, which bounds every term; lanes are below 16")]

use super::{CODERS, LEAST, WORD_BITS};
use crate::cdf::PRECISION;

/// Encodes symbols, given where the share of each begins and how wide it is (at least 1, less than all), in the order in which they will be decoded;
/// `groups` are the lengths (1 to 16) of the groups that they are decoded in.
pub(crate) fn encode(shares: &[(u32, u32)], groups: &[u8]) -> Vec<u8> {
    let mut states = [LEAST; CODERS];
    // From the last to the first.
    let mut words: Vec<u32> = Vec::with_capacity(shares.len() / 4);
    let mut rest = shares;
    for &group in groups.iter().rev() {
        let (before, group) = rest.split_at(rest.len() - usize::from(group));
        rest = before;
        for (state, &(left, width)) in states.iter_mut().zip(group).rev() {
            assert!(width > 0 && width < 1 << PRECISION, "a mixture gives mass to every symbol, and all of it to none");
            let width = u64::from(width);
            if *state >= width << (u64::BITS - PRECISION as u32) {
                words.push(*state as u32);
                *state >>= WORD_BITS;
            }
            *state = ((*state / width) << PRECISION) + *state % width + u64::from(left);
        }
    }
    assert!(rest.is_empty(), "groups make up the symbols");
    let mut bytes: Vec<u8> = states.iter().flat_map(|state| state.to_le_bytes()).collect();
    bytes.extend(words.iter().rev().flat_map(|word| word.to_le_bytes()));
    bytes
}
