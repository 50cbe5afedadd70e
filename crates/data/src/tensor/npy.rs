//! NumPy arrays: a magic number, a header in Python's notation, the elements.

use std::io::{Read, Seek};

use super::{Element, Kind, Numbers, Region, Tensor, Unreadable, bytes_of, read_at};

/// Files longer than 10 bytes that begin with `\x93NUMPY`.
pub(super) fn find<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Numbers, Unreadable> {
    let tensor = tensor(input, 0, bytes, String::new())?;
    let regions = vec![Region { offset: tensor.offset, bytes: tensor.bytes, element: tensor.element }];
    Ok(Numbers { kind: Kind::Npy, regions, tensors: vec![tensor] })
}

/// The array that takes the `bytes` bytes from `begin` on.
pub(super) fn tensor<R: Read + Seek>(input: &mut R, begin: u64, bytes: u64, name: String) -> Result<Tensor, Unreadable> {
    let lies = |how: String| Unreadable(format!("an npy header that {how}"));
    let head = read_at(input, begin, bytes.min(12))?;
    let (header, length) = match head.as_slice() {
        [_, _, _, _, _, _, 1, _, low, high, ..] => (10, u64::from(u16::from_le_bytes([*low, *high]))),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d] => (12, u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => return Err(lies("is of an unknown version or cut off".to_owned())),
    };
    let left = bytes.checked_sub(header + length).ok_or_else(|| lies(format!("takes {length} bytes, more than the file has")))?;
    let text = read_at(input, begin + header, length)?;
    let text = String::from_utf8_lossy(&text);
    let descr = value(&text, "descr").and_then(quoted).unwrap_or_default();
    let shape = value(&text, "shape").and_then(tuple).ok_or_else(|| lies("has no shape".to_owned()))?;
    let column_major = value(&text, "fortran_order").is_some_and(|order| order.starts_with("True")) && shape.len() > 1;
    let element = Element::of_numpy(descr);
    if let Some(element) = element.filter(|&element| bytes_of(element, &shape) != Some(left)) {
        return Err(lies(format!("says {shape:?} elements of {} bytes, where {left} bytes follow", element.bytes())));
    }
    let offset = begin + header + length;
    Ok(Tensor { name, element: element.unwrap_or(Element::Raw), dtype: descr.to_owned(), shape, column_major, offset, bytes: left })
}

/// What follows `'key':` in a dictionary.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.find(&format!("'{key}'"))?;
    Some(text.get(at..)?.split_once(':')?.1.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    Some(text.strip_prefix('\'')?.split_once('\'')?.0)
}

fn tuple(text: &str) -> Option<Vec<u64>> {
    let inner = text.strip_prefix('(')?.split_once(')')?.0;
    inner.split(',').map(str::trim).filter(|number| !number.is_empty()).map(|number| number.parse().ok()).collect()
}
