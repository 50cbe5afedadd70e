//! Bit patterns of floats that are kept exactly: four planes of bytes, each by the coder that makes it shortest.

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::Budget;
use crate::weights::{self, Coder};

/// `coder u8, length varint, bytes` for each plane, sign and exponent first; nothing for no values.
pub(super) fn encode(values: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    if values.is_empty() {
        return out;
    }
    for shift in [24u32, 16, 8, 0] {
        let plane: Vec<u8> = values.iter().map(|value| value.wrapping_shr(shift) as u8).collect();
        let coded = weights::encode(&plane);
        out.push(coded.coder.code());
        put_varint(&mut out, coded.bytes.len() as u64);
        out.extend_from_slice(&coded.bytes);
    }
    out
}

/// Gives back `count` values, paid for out of `budget`.
pub(super) fn decode(bytes: &[u8], count: u64, what: &'static str, budget: &mut Budget) -> Result<Vec<u32>, Error> {
    let mut fields = Fields::new(what, bytes);
    if count == 0 {
        fields.end()?;
        return Ok(Vec::new());
    }
    budget.take(what, count, 4)?;
    let mut values: Vec<u32> = Vec::new();
    for shift in [24u32, 16, 8, 0] {
        let coder = Coder::from_code(fields.u8()?)?;
        let length = fields.varint()?;
        let plane = weights::decode(coder, fields.take(length)?, count, budget)?;
        if values.is_empty() {
            values = vec![0; plane.len()];
        }
        for (value, byte) in values.iter_mut().zip(plane) {
            *value |= u32::from(byte).wrapping_shl(shift);
        }
        budget.give(count);
    }
    fields.end()?;
    Ok(values)
}
