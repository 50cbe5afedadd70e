//! How long each symbol's code is: chosen, written, read.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "symbols are bytes; counts are at most 2^26, lengths at most 11")]

use super::MAX_BITS;
use crate::Error;
use crate::container::fields::Fields;

/// Code lengths of the 256 symbols, 0 for those that do not occur.
///
/// Holds: at least two symbols occur, and the lengths fill the code space: the sum of `2^(11 - length)` is `2^11`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Lengths([u8; 256]);

impl Lengths {
    /// The shortest codes of at most 11 bits for symbols that occur `counts` times; `None` if fewer than two of them do.
    ///
    /// Package-merge (Larmore and Hirschberg 1990): of each level's list only is kept which entries are symbols, for packages stand in
    /// the order in which they are made.
    pub(in super::super) fn of(counts: &[u32; 256]) -> Option<Self> {
        let mut symbols: Vec<(u64, u8)> =
            (0..=255u8).map(|symbol| (u64::from(counts[usize::from(symbol)]), symbol)).filter(|&(count, _)| count > 0).collect();
        if symbols.len() < 2 {
            return None;
        }
        symbols.sort_unstable();
        let mut levels: Vec<Vec<bool>> = Vec::new();
        let mut packages: Vec<u64> = Vec::new();
        for _ in 0..MAX_BITS {
            let (mut merged, mut is_symbol) = (Vec::with_capacity(512), Vec::with_capacity(512));
            let (mut next_symbol, mut next_package) = (symbols.iter().map(|&(count, _)| count).peekable(), packages.iter().copied().peekable());
            loop {
                let take_symbol = match (next_symbol.peek(), next_package.peek()) {
                    (Some(symbol), Some(package)) => symbol <= package,
                    (symbol, package) if symbol.is_some() || package.is_some() => symbol.is_some(),
                    _ => break,
                };
                merged.extend(if take_symbol { next_symbol.next() } else { next_package.next() });
                is_symbol.push(take_symbol);
            }
            packages = merged.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
            levels.push(is_symbol);
        }
        let mut lengths = [0u8; 256];
        let mut taken = 2 * symbols.len() - 2;
        for level in levels.iter().rev() {
            let cheapest = level.iter().take(taken).filter(|&&is_symbol| is_symbol).count();
            symbols.iter().take(cheapest).for_each(|&(_, symbol)| lengths[usize::from(symbol)] += 1);
            taken = 2 * (taken - cheapest);
        }
        Some(Self(lengths))
    }

    /// Bits that symbols which occur `counts` times take; `None` if one of them has no code.
    pub(in super::super) fn bits(&self, counts: &[u32; 256]) -> Option<u64> {
        let mut bits = 0u64;
        for (&length, &count) in self.0.iter().zip(counts) {
            if length == 0 && count > 0 {
                return None;
            }
            bits += u64::from(length) * u64::from(count);
        }
        Some(bits)
    }

    /// Smallest and largest symbol, then half a byte for the length of each symbol between them, low half first.
    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        let (first, last) = self.ends();
        out.extend([first, last]);
        for pair in self.0[usize::from(first)..=usize::from(last)].chunks(2) {
            out.push(pair[0] | pair.get(1).map_or(0, |length| length << 4));
        }
    }

    /// Bytes that [`Lengths::write`] writes.
    pub(in super::super) fn written_bytes(&self) -> u64 {
        let (first, last) = self.ends();
        3 + u64::from(last - first) / 2
    }

    fn ends(&self) -> (u8, u8) {
        let occurs = |symbol: &u8| self.0[usize::from(*symbol)] > 0;
        ((0..=255).find(occurs).unwrap_or(0), (0..=255).rev().find(occurs).unwrap_or(0))
    }

    pub(in super::super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let (first, last) = (fields.u8()?, fields.u8()?);
        if first >= last {
            return Err(fields.corrupt());
        }
        let span = usize::from(last - first) + 1;
        let mut lengths = [0u8; 256];
        let mut places = lengths[usize::from(first)..=usize::from(last)].iter_mut();
        for &pair in fields.take(span.div_ceil(2) as u64)? {
            for length in [pair & 15, pair >> 4] {
                match places.next() {
                    Some(place) => *place = length,
                    None if length == 0 => {}
                    None => return Err(fields.corrupt()),
                }
            }
        }
        let ends = [lengths[usize::from(first)], lengths[usize::from(last)]];
        let space =
            lengths.iter().filter(|&&length| length > 0).try_fold(0u32, |sum, &length| Some(sum + (1 << MAX_BITS.checked_sub(length.into())?)));
        if space == Some(1 << MAX_BITS) && !ends.contains(&0) { Ok(Self(lengths)) } else { Err(fields.corrupt()) }
    }

    /// The code of each symbol, its first bit lowest, beside its length. Shorter codes come first, of equal ones that of the smaller symbol.
    pub(super) fn codes(&self) -> [(u16, u8); 256] {
        let mut codes = [(0, 0); 256];
        let mut next = 0u32;
        for length in 1..=MAX_BITS as u8 {
            next <<= 1;
            for (code, _) in codes.iter_mut().zip(&self.0).filter(|(_, own)| **own == length) {
                *code = ((next as u16).reverse_bits() >> (16 - u32::from(length)), length);
                next += 1;
            }
        }
        codes
    }
}
