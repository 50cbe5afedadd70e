//! Order-0 Huffman coding of a plane: codes of at most 11 bits, one or four streams, several symbols a look-up.
//!
//! Codes are canonical and read from the lowest bit of each byte. A plane is cut into four runs that are coded apart, so that four chains of
//! look-ups are under way at a time.

mod decode;
mod encode;
mod lengths;

pub(super) use decode::{Table, decode};
pub(super) use encode::encode;
pub(super) use lengths::Lengths;

/// Longest code. 2^11 table entries of eight bytes are half of a 32 KiB first-level cache.
const MAX_BITS: u32 = 11;

/// Planes of fewer symbols are one stream: lengths of the others would cost more than they save in time.
const LEAST_FOR_FOUR: usize = 1024;

/// Sizes of the runs that are coded apart.
pub(super) const fn runs(symbols: usize) -> [usize; 4] {
    if symbols < LEAST_FOR_FOUR {
        return [symbols, 0, 0, 0];
    }
    let run = symbols.div_ceil(4);
    [run, run, run, symbols.saturating_sub(run.saturating_mul(3))]
}

#[cfg(test)]
mod tests;
