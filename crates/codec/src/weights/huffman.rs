//! Huffman codes over a Program's bytes.
//!
//! `huffman-compress` cannot write a code book down, so we write the *length* of every symbol's code and hand `2^(longest - length)`
//! to the library as weight on both sides. Those weights are dyadic, so the rebuilt book has exactly these lengths: nothing is lost.

use bit_vec::BitVec;
use huffman_compress::{Book, CodeBuilder, Tree};
use std::cell::Cell;

use crate::Error;

/// Longest code that the table can say. Reaching it takes more than two million skewed symbols.
const MAX_LENGTH: u8 = 30;
/// Says "this symbol does not occur" in the table.
const ABSENT: u8 = 31;
/// Runs of the table are 1..=8.
const MAX_RUN: usize = 8;

/// Layout: 256 code lengths as runs (`length | (run - 1) << 5`, a byte each), then the codes, first bit highest, padded with zeros.
///
/// `None` if a code is too long for the table.
pub(crate) fn encode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut counts = [0u64; 256];
    for &byte in raw {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let mut builder = CodeBuilder::new();
    for (symbol, &count) in (0u8..=255).zip(&counts).filter(|(_, count)| **count > 0) {
        builder.push(symbol, count);
    }
    let (book, _) = builder.finish();
    let mut lengths = [ABSENT; 256];
    for (symbol, code) in book.iter() {
        let length = u8::try_from(code.len()).ok().filter(|&length| length <= MAX_LENGTH)?;
        *lengths.get_mut(usize::from(*symbol))? = length;
    }
    let mut out = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(MAX_RUN)) {
        let times = u8::try_from(run.len()).ok()?.checked_sub(1)?;
        out.push(run.first()? | times << 5);
    }
    let (book, _) = rebuild(&lengths);
    let mut bits = BitVec::new();
    for byte in raw {
        book.encode(&mut bits, byte).ok()?;
    }
    out.extend_from_slice(&bits.to_bytes());
    Some(out)
}

fn rebuild(lengths: &[u8; 256]) -> (Book<u8>, Tree<u8>) {
    let mut builder = CodeBuilder::new();
    for (symbol, &length) in (0u8..=255).zip(lengths).filter(|(_, length)| **length != ABSENT) {
        builder.push(symbol, 1u64 << MAX_LENGTH.saturating_sub(length));
    }
    builder.finish()
}

pub(crate) fn decode(bytes: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    let table = || Error::corrupt("Program (huffman): code lengths");
    let mut lengths = [ABSENT; 256];
    let mut slots = lengths.iter_mut();
    let mut rest = bytes;
    while slots.len() > 0 {
        let (&byte, tail) = rest.split_first().ok_or_else(table)?;
        rest = tail;
        for _ in 0..=byte >> 5 {
            *slots.next().ok_or_else(table)? = byte & 0x1f;
        }
    }
    // Kraft: the codes must fill the tree exactly, or no encoder wrote them.
    let filled: u64 = lengths.iter().filter(|&&length| length != ABSENT).map(|length| 1u64 << MAX_LENGTH.saturating_sub(*length)).sum();
    let empty = filled == 0 && len == 0;
    if filled != 1 << MAX_LENGTH && !empty {
        return Err(table());
    }
    if empty {
        return if rest.is_empty() { Ok(Vec::new()) } else { Err(Error::corrupt("Program (huffman)")) };
    }
    // One symbol alone takes no bits, so only then may `len` exceed them; the caller has paid for `len`.
    let bits = BitVec::from_bytes(rest);
    let alone = lengths.contains(&0);
    if !alone && len > bits.len() {
        return Err(Error::Truncated { what: "Program (huffman)", needed: (len as u64).div_ceil(8), found: rest.len() as u64 });
    }
    let (_, tree) = rebuild(&lengths);
    let used = Cell::new(0usize);
    let counted = bits.iter().inspect(|_| used.set(used.get().saturating_add(1)));
    let raw: Vec<u8> = tree.decoder(counted, len).collect();
    let padding_is_zero = bits.iter().skip(used.get()).all(|bit| !bit);
    if raw.len() == len && rest.len() == used.get().div_ceil(8) && padding_is_zero { Ok(raw) } else { Err(Error::corrupt("Program (huffman)")) }
}
