//! Coding of a Program's own bytes: Huffman, LZ77, adaptive range coding, or what was changed of a built-in Program, whichever is shortest.
//!
//! A Program is part of the archive and counts in its size, so its weights deserve the best of several coders. None of them checks
//! what it decodes: digests stand around the Programs of a container.

pub(crate) mod huffman;
pub(crate) mod lz77;
mod range;

use crate::Error;
use crate::limits::Budget;
use crate::prior::{PRIORS, Prior};

/// Which coder a Program's bytes went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Coder {
    /// As they are.
    Stored = 0,
    /// Huffman codes over bytes.
    Huffman = 1,
    /// LZ77 (an lz4 block).
    Lz77 = 2,
    /// Adaptive binary range coding.
    Range = 3,
    /// A built-in Program, and range coding of what was changed of it. Only Programs are coded so.
    Prior = 4,
}

impl Coder {
    /// The coder of a Program with this number in the container.
    ///
    /// # Errors
    /// `Unsupported`.
    pub const fn of_program(code: u8) -> Result<Self, Error> {
        match code {
            4 => Ok(Self::Prior),
            0..=3 => Self::from_code(code),
            _ => Err(Error::Unsupported { what: "Program coder", found: code as u64, known: 4 }),
        }
    }

    /// The coder of any other bytes with this number.
    ///
    /// # Errors
    /// `Unsupported`.
    pub const fn from_code(code: u8) -> Result<Self, Error> {
        match code {
            0 => Ok(Self::Stored),
            1 => Ok(Self::Huffman),
            2 => Ok(Self::Lz77),
            3 => Ok(Self::Range),
            _ => Err(Error::Unsupported { what: "coder", found: code as u64, known: 3 }),
        }
    }

    /// Its number in the container.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// `raw`, `huffman`, `lz77`, `range` or `prior`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stored => "raw",
            Self::Huffman => "huffman",
            Self::Lz77 => "lz77",
            Self::Range => "range",
            Self::Prior => "prior",
        }
    }
}

/// What each coder would need, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// As they are.
    pub raw: u64,
    /// Huffman, code lengths included.
    pub huffman: u64,
    /// LZ77.
    pub lz77: u64,
    /// Adaptive range coding.
    pub range: u64,
    /// As what was changed of the nearest built-in Program, if one has the same shape.
    pub prior: Option<u64>,
}

/// A Program's bytes, coded by the coder that made them shortest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodedProgram {
    /// The coder that won.
    pub coder: Coder,
    /// Its output.
    pub bytes: Vec<u8>,
    /// What all of them needed.
    pub sizes: Sizes,
}

/// Codes `raw` three ways and keeps the shortest; as it is if none is shorter.
///
/// ```
/// use kolmo_codec::{limits::Budget, weights};
/// let raw: Vec<u8> = (0..4000u32).map(|n| (n * n % 7) as u8).collect();
/// let coded = weights::encode(&raw);
/// assert!(coded.bytes.len() < 2000);
/// let back = weights::decode(coded.coder, &coded.bytes, 4000, &mut Budget::new(1 << 20)).unwrap();
/// assert_eq!(back, raw);
/// ```
#[must_use]
pub fn encode(raw: &[u8]) -> CodedProgram {
    let huffman = huffman::encode(raw);
    let lz77 = lz77::encode(raw);
    let range = range::encode(raw);
    let len = |bytes: &[u8]| bytes.len() as u64;
    let sizes = Sizes { raw: len(raw), huffman: huffman.as_deref().map_or(len(raw), len), lz77: len(&lz77), range: len(&range), prior: None };
    let mut best = (Coder::Stored, raw.to_vec());
    for (coder, bytes) in [(Coder::Huffman, huffman), (Coder::Lz77, Some(lz77)), (Coder::Range, Some(range))] {
        if let Some(bytes) = bytes.filter(|bytes| bytes.len() < best.1.len()) {
            best = (coder, bytes);
        }
    }
    CodedProgram { coder: best.0, bytes: best.1, sizes }
}

/// Codes a Program's bytes as [`encode`] does, or as what was changed of a built-in Program if that is shorter.
#[must_use]
pub fn encode_program(raw: &[u8]) -> CodedProgram {
    let mut coded = encode(raw);
    for prior in PRIORS.iter().filter(|prior| prior.raw_bytes() == raw.len() as u64) {
        let Ok(base) = prior.raw(&mut Budget::new(prior.raw_bytes())) else { continue };
        let mut bytes = vec![prior.number];
        if base != raw {
            let changes: Vec<u8> = raw.iter().zip(base).map(|(&to, from)| to.wrapping_sub(from)).collect();
            bytes.extend(range::encode(&changes));
        }
        let size = bytes.len() as u64;
        if coded.sizes.prior.is_none_or(|shortest| size < shortest) {
            coded.sizes.prior = Some(size);
        }
        if bytes.len() < coded.bytes.len() {
            (coded.coder, coded.bytes) = (Coder::Prior, bytes);
        }
    }
    coded
}

/// Gives back the `raw_len` bytes. The result is paid for out of `budget`.
///
/// # Errors
/// `Corrupt`, `Truncated` where the coder can tell; `LimitExceeded`.
pub fn decode(coder: Coder, bytes: &[u8], raw_len: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    budget.take("Program", raw_len, 1)?;
    let len = usize::try_from(raw_len).map_err(|_| Error::LimitExceeded { what: "Program", limit: budget.left() })?;
    match coder {
        Coder::Stored if bytes.len() == len => Ok(bytes.to_vec()),
        Coder::Stored => Err(Error::corrupt("Program")),
        Coder::Huffman => huffman::decode(bytes, len),
        Coder::Lz77 => lz77::decode(bytes, len),
        Coder::Range => range::decode(bytes, len),
        Coder::Prior => changed(bytes, raw_len, budget),
    }
}

/// The built-in Program that `bytes` begin with, with the changes that follow.
fn changed(bytes: &[u8], raw_len: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    let (&number, changes) = bytes.split_first().ok_or(Error::Truncated { what: "Program", needed: 1, found: 0 })?;
    let prior = Prior::from_number(number)?;
    if prior.raw_bytes() != raw_len {
        return Err(Error::corrupt("Program: its length is not that of the built-in one"));
    }
    let mut raw = prior.raw(budget)?;
    if !changes.is_empty() {
        let changes = range::decode(changes, raw.len())?;
        for (byte, change) in raw.iter_mut().zip(changes) {
            *byte = byte.wrapping_add(change);
        }
    }
    budget.give(raw_len);
    Ok(raw)
}

#[cfg(test)]
mod tests;
