//! PyTorch checkpoints: a pickle that describes tensors, and *storages*, the bytes of their elements.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::pickle::{Pickle, Value};
use super::zip::Stored;
use super::{Element, Kind, Numbers, Region, Tensor, Unreadable, bytes_of, guess, read_at};

/// The first pickle of a legacy file: protocol 2, the number 0x1950a86a20f9469cfc6c, end.
const LEGACY: [u8; 14] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Pickles of checkpoints are short: a hundred bytes a tensor.
const MOST_PICKLE_BYTES: u64 = 16 << 20;

pub(super) fn is_legacy(head: &[u8]) -> bool {
    head.starts_with(&LEGACY)
}

/// Where a storage lies and what it holds.
#[derive(Debug, Clone, Copy)]
struct Storage {
    offset: u64,
    bytes: u64,
    element: Element,
}

/// The ZIP archive: a storage each in files named `data/KEY` beside the pickle.
pub(super) fn find_zip<R: Read + Seek>(input: &mut R, pickle: &Stored, stored: &[Stored]) -> Result<Numbers, Unreadable> {
    let prefix = format!("{}data/", pickle.name.trim_end_matches("data.pkl"));
    // A pickle that cannot be followed leaves the types to statistics.
    let read = read_at(input, pickle.offset, pickle.bytes.min(MOST_PICKLE_BYTES)).ok().and_then(|bytes| Pickle::read(&bytes).ok());
    let types = read.as_ref().map(storage_types).unwrap_or_default();
    let mut storages = HashMap::new();
    let mut numbers = Numbers { kind: Kind::PytorchZip, regions: vec![], tensors: vec![] };
    for entry in stored {
        let Some(key) = entry.name.strip_prefix(&prefix) else { continue };
        let declared = types.get(key).map(|&(element, _)| element).filter(|element| entry.bytes.is_multiple_of(element.bytes()));
        match declared {
            Some(element) => {
                numbers.regions.push(Region { offset: entry.offset, bytes: entry.bytes, element });
                storages.insert(key.to_owned(), Storage { offset: entry.offset, bytes: entry.bytes, element });
            }
            None => numbers.regions.extend(guess::regions(input, entry.offset, entry.bytes)?),
        }
    }
    numbers.tensors = read.map(|pickle| tensors(&pickle, &storages)).unwrap_or_default();
    Ok(numbers)
}

/// The legacy file: pickles of a magic number, a version, facts about the machine, the tensors, the keys of the storages; then the storages
/// in the order of these keys, each after the number of its elements.
pub(super) fn find_legacy<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Numbers, Unreadable> {
    let damaged = |what: &str| Unreadable(format!("a legacy PyTorch pickle {what}"));
    let head = read_at(input, 0, bytes.min(MOST_PICKLE_BYTES))?;
    let mut pickles = Vec::new();
    let mut at = 0;
    for _ in 0..5 {
        let pickle = Pickle::read(head.get(at..).unwrap_or_default()).map_err(|why| damaged(&format!("that cannot be followed: {why}")))?;
        at += pickle.bytes;
        pickles.push(pickle);
    }
    let [_, _, _, described, keys] = pickles.as_slice() else { return Err(damaged("without its parts")) };
    let types = storage_types(described);
    let mut numbers = Numbers { kind: Kind::PytorchPickle, regions: vec![], tensors: vec![] };
    let mut storages = HashMap::new();
    let mut offset = at as u64;
    for key in keys.items(keys.root) {
        let Some(key) = keys.text(*key) else { return Err(damaged("whose keys are no names")) };
        let Some(&(element, count)) = types.get(key) else { return Err(damaged(&format!("that does not describe its storage {key}"))) };
        let said = read_at(input, offset, 8)?.try_into().map_or(0, u64::from_le_bytes);
        let size = bytes_of(element, &[count]).filter(|&size| said == count && (offset + 8).checked_add(size).is_some_and(|end| end <= bytes));
        let size = size.ok_or_else(|| damaged(&format!("whose storage {key} has {said} elements, or {count}, of {} bytes", element.bytes())))?;
        offset += 8;
        numbers.regions.push(Region { offset, bytes: size, element });
        storages.insert(key.to_owned(), Storage { offset, bytes: size, element });
        offset += size;
    }
    numbers.tensors = tensors(described, &storages);
    Ok(numbers)
}

/// Element and number of elements of each storage, by its key. A storage is `('storage', class, key, location, count, ...)`.
fn storage_types(pickle: &Pickle) -> HashMap<String, (Element, u64)> {
    let mut types = HashMap::new();
    for &(id, _) in &pickle.persistent {
        if let [_, class, key, _, count, ..] = pickle.items(id)
            && let (Value::Global(class), Some(key), Value::Int(count)) = (pickle.value(*class), pickle.text(*key), pickle.value(*count))
            && let (Some(element), Ok(count)) = (class.rsplit('.').next().and_then(Element::of_storage), u64::try_from(*count))
        {
            types.insert(key.to_owned(), (element, count));
        }
    }
    types
}

/// Values that are looked at when names are gathered; sharing makes more of few bytes.
const MOST_VISITS: usize = 1 << 20;
/// Dictionaries in dictionaries.
const DEEPEST: usize = 16;

/// The tensors that dictionaries name, those that are contiguous. Names of nested dictionaries are joined by points.
fn tensors(pickle: &Pickle, storages: &HashMap<String, Storage>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut open = vec![(pickle.root, String::new(), 0)];
    let mut visits = 0;
    while let Some((at, name, depth)) = open.pop() {
        visits += 1;
        if visits > MOST_VISITS {
            break;
        }
        if let Some(tensor) = tensor(pickle, at, &name, storages) {
            tensors.push(tensor);
        } else if depth < DEEPEST && matches!(pickle.value(at), Value::Dict | Value::Object) {
            for pair in pickle.pairs(at).chunks_exact(2) {
                let key = match pickle.value(pair[0]) {
                    Value::Text(key) => key.clone(),
                    Value::Int(key) => key.to_string(),
                    _ => continue,
                };
                let joined = if name.is_empty() { key } else { format!("{name}.{key}") };
                open.push((pair[1], joined, depth + 1));
            }
        }
    }
    tensors
}

/// A call of `_rebuild_tensor_v2(storage, offset, size, stride, ...)`, or of `_rebuild_parameter` around one.
fn tensor(pickle: &Pickle, at: u32, name: &str, storages: &HashMap<String, Storage>) -> Option<Tensor> {
    let Value::Object = pickle.value(at) else { return None };
    let &[function, arguments] = pickle.items(at) else { return None };
    let Value::Global(function) = pickle.value(function) else { return None };
    let arguments = pickle.items(arguments);
    match (function.rsplit('.').next()?, arguments) {
        ("_rebuild_parameter", [inner, ..]) => match pickle.value(*inner) {
            // One call around another is all that PyTorch writes.
            Value::Object if !is_parameter(pickle, *inner) => tensor(pickle, *inner, name, storages),
            _ => None,
        },
        ("_rebuild_tensor_v2" | "_rebuild_tensor", [storage, offset, size, stride, ..]) => {
            let Value::Persistent = pickle.value(*storage) else { return None };
            let [_, class, key, ..] = pickle.items(*pickle.items(*storage).first()?) else { return None };
            let Value::Global(class) = pickle.value(*class) else { return None };
            let storage = storages.get(pickle.text(*key)?)?;
            let whole = |at: &u32| match pickle.value(*at) {
                Value::Int(number) => u64::try_from(*number).ok(),
                _ => None,
            };
            let shape: Vec<u64> = pickle.items(*size).iter().map(whole).collect::<Option<_>>()?;
            let strides: Vec<u64> = pickle.items(*stride).iter().map(whole).collect::<Option<_>>()?;
            let bytes = bytes_of(storage.element, &shape)?;
            let begin = whole(offset)?.checked_mul(storage.element.bytes())?;
            let inside = begin.checked_add(bytes)? <= storage.bytes;
            let dtype = class.rsplit('.').next()?.trim_end_matches("Storage").to_owned();
            let found =
                Tensor { name: name.to_owned(), element: storage.element, dtype, offset: storage.offset + begin, bytes, shape, column_major: false };
            Some(found).filter(|found| inside && is_contiguous(&found.shape, &strides))
        }
        _ => None,
    }
}

fn is_parameter(pickle: &Pickle, at: u32) -> bool {
    let function = pickle.items(at).first().map(|&function| pickle.value(function));
    matches!(function, Some(Value::Global(name)) if name.ends_with("_rebuild_parameter"))
}

fn is_contiguous(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1u64;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&axis, &stride)| {
            let fits = axis <= 1 || stride == expected;
            expected = expected.saturating_mul(axis.max(1));
            fits
        })
}
