//! How samples of 16 bits become the symbols that a Program codes.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tables hold an entry for each of the 2^16 samples")]

use crate::error::Error;

/// Samples of 16 bits as symbols.
///
/// - holds: no sample has two symbols; `values` rises strictly and has at most `2^bit_depth` entries
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Wide {
    /// A step is `2^resolution` symbols; 0 unless the Program is deep. See [`crate::alphabet::Alphabet`].
    pub resolution: u8,
    /// The sample of each symbol; empty if samples are the symbols.
    pub values: Vec<u16>,
}

impl Wide {
    /// The symbols of samples of two bytes each (low byte first), below `2^bit_depth`; the same number of them.
    ///
    /// # Errors
    /// `InvalidArgument` for a sample that is no symbol's, or half a sample.
    pub fn symbols(&self, samples: &[u8], bit_depth: u8) -> Result<Vec<u16>, Error> {
        const FOREIGN: Error = Error::InvalidArgument { what: "an image has samples that the Program does not know" };
        let (pairs, rest) = samples.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Error::InvalidArgument { what: "an image has half a sample" });
        }
        let samples = pairs.iter().map(|&pair| u16::from_le_bytes(pair));
        if self.values.is_empty() {
            let highest = (1u32 << bit_depth) - 1;
            return samples.map(|sample| if u32::from(sample) <= highest { Ok(sample) } else { Err(FOREIGN) }).collect();
        }
        // 0 is nobody's, a symbol's entry is one more.
        let mut table = vec![0u32; 1 << 16];
        for (&value, entry) in self.values.iter().zip(1u32..) {
            table[usize::from(value)] = entry;
        }
        samples.map(|sample| table[usize::from(sample)].checked_sub(1).map(|symbol| symbol as u16).ok_or(FOREIGN)).collect()
    }

    /// The samples of symbols, two bytes each.
    ///
    /// # Errors
    /// `Corrupt` for a symbol that has no sample.
    pub fn samples(&self, symbols: impl ExactSizeIterator<Item = u16>) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(2 * symbols.len());
        for symbol in symbols {
            let sample = if self.values.is_empty() { Some(symbol) } else { self.values.get(usize::from(symbol)).copied() };
            out.extend_from_slice(&sample.ok_or(Error::corrupt("symbol of a block: it stands for no sample"))?.to_le_bytes());
        }
        Ok(out)
    }
}
