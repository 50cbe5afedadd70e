//! Symbols to bits.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "symbols are bytes; at most 63 bits wait to be written")]

use super::{Lengths, runs};
use crate::container::fields::put_varint;

/// Appends the lengths in bytes of the streams (one or four varints), then the streams.
///
/// Every symbol must have a code.
pub(in super::super) fn encode(plane: &[u8], lengths: &Lengths, out: &mut Vec<u8>) {
    let codes = lengths.codes();
    let mut coded = Vec::with_capacity(plane.len());
    let mut rest = plane;
    for run in runs(plane.len()).into_iter().filter(|&run| run > 0) {
        let (symbols, tail) = rest.split_at(run);
        rest = tail;
        let before = coded.len();
        stream(symbols, &codes, &mut coded);
        put_varint(out, (coded.len() - before) as u64);
    }
    out.extend_from_slice(&coded);
}

/// The codes one after another from the lowest bit of each byte, padded with zero bits.
fn stream(symbols: &[u8], codes: &[(u16, u8); 256], out: &mut Vec<u8>) {
    let (mut waiting, mut bits) = (0u64, 0u32);
    for four in symbols.chunks(4) {
        for &symbol in four {
            let (code, length) = codes[usize::from(symbol)];
            waiting |= u64::from(code) << bits;
            bits += u32::from(length);
        }
        if bits >= 16 {
            let whole = bits / 8;
            out.extend_from_slice(&waiting.to_le_bytes()[..whole as usize]);
            waiting >>= whole * 8; // at most 15 + 44 bits wait, so the shift stays below 64
            bits %= 8;
        }
    }
    out.extend_from_slice(&waiting.to_le_bytes()[..bits.div_ceil(8) as usize]);
}
