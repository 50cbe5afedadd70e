//! The general way: bytes that no Program learned, compressed by zstd or stored.

use crate::Error;
use crate::against::{self, Base};
use crate::container::PIECE_BYTES;
use crate::jpeg;
use crate::limits::Budget;
use crate::numbers;

/// How a general block is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneralMethod {
    /// As it is.
    Stored,
    /// One zstd frame.
    Zstd,
    /// Numbers, plane by plane; see [`crate::numbers`].
    Numbers,
    /// The same, some of them as differences to those of a base; see [`crate::against`].
    Against,
    /// JPEG files, their coefficients coded anew; see [`crate::jpeg`].
    Jpeg,
}

/// zstd's level: the densest that keeps decoding memory at the size of the block.
const LEVEL: i32 = 19;

/// zstd frames never look back further than 2^26 bytes, the size of the largest general block.
const MAX_WINDOW_LOG: u32 = 26;

/// Compresses `raw` by zstd at level 19, with a window as long as the block; keeps it as it is where that is not shorter.
///
/// # Errors
/// `Io` if zstd fails, which it does only for want of memory.
pub fn encode(raw: &[u8]) -> Result<(GeneralMethod, Vec<u8>), Error> {
    encode_at(raw, LEVEL)
}

/// The same at a level of the caller's choice (1 fast .. 19 dense); for estimates.
///
/// # Errors
/// `Io` if zstd fails, which it does only for want of memory.
pub fn encode_at(raw: &[u8], level: i32) -> Result<(GeneralMethod, Vec<u8>), Error> {
    let coded = compress(raw, level).map_err(|error| Error::io("compress bytes for", &error))?;
    Ok(if coded.len() < raw.len() { (GeneralMethod::Zstd, coded) } else { (GeneralMethod::Stored, raw.to_vec()) })
}

pub(crate) fn compress(raw: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    let mut coder = zstd::bulk::Compressor::new(level)?;
    // Our own digests stand around every frame; the size stands in the index.
    coder.include_checksum(false)?;
    coder.include_contentsize(false)?;
    if raw.len() > 1 << 23 {
        coder.window_log(MAX_WINDOW_LOG)?;
        coder.long_distance_matching(true)?;
    }
    coder.compress(raw)
}

/// Gives back the `raw_len` bytes. The result is paid for out of `budget`.
///
/// # Errors
/// `Corrupt` if the bytes are no frame or decode to another length; `LimitExceeded`.
pub fn decode(method: GeneralMethod, bytes: &[u8], raw_len: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    let mut raw = Vec::new();
    decode_into(method, bytes, raw_len, None, budget, &mut raw)?;
    Ok(raw)
}

/// The same into `raw`, whatever it holds: memory that was used before is had faster than new memory. Blocks of [`GeneralMethod::Against`] need
/// their `base`.
///
/// # Errors
/// As [`decode`], and `BaseNeeded` without the right base; `raw` holds anything then.
pub fn decode_into(
    method: GeneralMethod,
    bytes: &[u8],
    raw_len: u64,
    base: Option<&dyn Base>,
    budget: &mut Budget,
    raw: &mut Vec<u8>,
) -> Result<(), Error> {
    const WHAT: &str = "general block";
    budget.take(WHAT, raw_len, 1)?;
    let wanted = usize::try_from(raw_len).map_err(|_| Error::LimitExceeded { what: WHAT, limit: budget.left() })?;
    if matches!(method, GeneralMethod::Stored | GeneralMethod::Zstd) {
        raw.clear();
    } else if raw_len > PIECE_BYTES {
        return Err(Error::corrupt(WHAT));
    }
    raw.try_reserve_exact(wanted.saturating_sub(raw.len())).map_err(|_| Error::LimitExceeded { what: WHAT, limit: budget.left() })?;
    match method {
        GeneralMethod::Stored => raw.extend_from_slice(bytes),
        GeneralMethod::Zstd => {
            let mut coder = zstd::bulk::Decompressor::new().map_err(|error| Error::io("decode a block of", &error))?;
            coder.decompress_to_buffer(bytes, raw).map_err(|_| Error::corrupt(WHAT))?;
        }
        GeneralMethod::Numbers => {
            raw.resize(wanted, 0);
            numbers::decode_to(bytes, raw, budget)?;
        }
        GeneralMethod::Against => {
            raw.resize(wanted, 0);
            against::decode_to(bytes, raw, base, budget)?;
        }
        GeneralMethod::Jpeg => {
            raw.clear();
            jpeg::decode_to(bytes, wanted, raw, budget)?;
        }
    }
    if raw.len() == wanted { Ok(()) } else { Err(Error::corrupt(WHAT)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn comes_back_and_stays_inside_the_budget() {
        let text = b"to be or not to be, ".repeat(500);
        let (method, coded) = encode(&text).unwrap();
        assert_eq!(method, GeneralMethod::Zstd);
        assert!(coded.len() < 60, "{}", coded.len());
        let len = text.len() as u64;
        assert_eq!(decode(method, &coded, len, &mut Budget::new(len)).unwrap(), text);
        let refused = decode(method, &coded, len, &mut Budget::new(len - 1)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
        for wrong in [0, len - 1, len + 1] {
            assert_eq!(decode(method, &coded, wrong, &mut Budget::new(1 << 20)).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn noise_is_stored_and_nothing_is_fine() {
        let mut state = 1u32;
        let noise: Vec<u8> = (0..999)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let (method, coded) = encode(&noise).unwrap();
        assert_eq!((method, coded.len()), (GeneralMethod::Stored, 999));
        assert_eq!(decode(method, &coded, 999, &mut Budget::new(999)).unwrap(), noise);
        assert_eq!(encode(&[]).unwrap(), (GeneralMethod::Stored, vec![]));
        assert_eq!(decode(GeneralMethod::Stored, &[], 0, &mut Budget::new(0)).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn hostile_frames_never_panic() {
        let (_, coded) = encode(&b"abcabcabd".repeat(40)).unwrap();
        for at in 0..coded.len() {
            for bit in 0..8 {
                let mut bad = coded.clone();
                bad[at] ^= 1 << bit;
                // Wrong bytes of the right length are the digest's to find.
                if let Ok(raw) = decode(GeneralMethod::Zstd, &bad, 360, &mut Budget::new(1 << 16)) {
                    assert_eq!(raw.len(), 360);
                }
            }
            assert!(decode(GeneralMethod::Zstd, &coded[..at], 360, &mut Budget::new(1 << 16)).is_err());
        }
    }
}
