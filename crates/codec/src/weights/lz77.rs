//! LZ77 over a Program's bytes: one lz4 block, whose length we keep ourselves.

use crate::Error;

pub(crate) fn encode(raw: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(raw)
}

/// lz4 copies at most 255 bytes for a byte of input, so `len` is bounded before it is allocated.
pub(crate) fn decode(bytes: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    if len > bytes.len().saturating_mul(255) {
        return Err(Error::corrupt("Program (lz77): longer than its bytes can say"));
    }
    let mut raw = vec![0; len];
    match lz4_flex::block::decompress_into(bytes, &mut raw) {
        Ok(written) if written == len => Ok(raw),
        _ => Err(Error::corrupt("Program (lz77)")),
    }
}
