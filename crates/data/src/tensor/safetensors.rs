//! safetensors: the length of a JSON header, the header, then all tensors.

use std::io::{Read, Seek};

use serde_json::{Map, Value};

use super::{Element, Kind, MOST_HEADER_BYTES, Numbers, Region, Tensor, Unreadable, bytes_of, read_at};

/// Whether a file of `bytes` bytes may be one: a plausible length and the brace that the format asks for.
pub(super) fn begins(head: &[u8], bytes: u64) -> bool {
    let Some((length, [b'{', ..])) = head.split_first_chunk::<8>() else { return false };
    let length = u64::from_le_bytes(*length);
    (2..=MOST_HEADER_BYTES).contains(&length) && length + 8 <= bytes
}

pub(super) fn find<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Numbers, Unreadable> {
    let length = read_at(input, 0, 8)?.try_into().map_or(0, u64::from_le_bytes);
    let header: Map<String, Value> =
        serde_json::from_slice(&read_at(input, 8, length)?).map_err(|error| Unreadable(format!("a safetensors header that is no JSON: {error}")))?;
    let data = 8 + length;
    let mut numbers = Numbers { kind: Kind::Safetensors, regions: vec![], tensors: vec![] };
    for (name, about) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let lies = |how: &str| Unreadable(format!("a safetensors header that lies: tensor {name} {how}"));
        let dtype = about.get("dtype").and_then(Value::as_str).ok_or_else(|| lies("has no type"))?;
        let shape = about.get("shape").and_then(whole_numbers).ok_or_else(|| lies("has no shape"))?;
        let ends = about.get("data_offsets").and_then(whole_numbers).ok_or_else(|| lies("has no offsets"))?;
        let &[begin, end] = ends.as_slice() else { return Err(lies("has other than two offsets")) };
        let size = end.checked_sub(begin).ok_or_else(|| lies("ends before it begins"))?;
        if end.checked_add(data).is_none_or(|end| end > bytes) {
            return Err(lies(&format!("ends at byte {end} of {} bytes of data", bytes - data)));
        }
        let known = Element::of_safetensors(dtype);
        if known.is_some_and(|element| bytes_of(element, &shape) != Some(size)) {
            return Err(lies(&format!("of type {dtype} and shape {shape:?} takes {size} bytes")));
        }
        let (element, offset) = (known.unwrap_or(Element::Raw), data + begin);
        numbers.regions.push(Region { offset, bytes: size, element });
        numbers.tensors.push(Tensor { dtype: dtype.to_owned(), name, element, shape, offset, bytes: size, column_major: false });
    }
    Ok(numbers)
}

fn whole_numbers(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}
