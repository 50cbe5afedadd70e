//! Names, shapes and kinds of the tensors.

use std::collections::BTreeSet;

use super::integers::Shape;
use super::{Archive, MAX_BITS, Tensor, Values, largest};
use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::{Budget, Limits};

const WHAT: &str = "directory of a network archive";
/// Most bytes of the text about the network.
const MAX_ABOUT: u64 = 1 << 20;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Bytes that an entry holds in memory besides its name, an upper bound.
const ENTRY_BYTES: u64 = 256;

/// Refuses what could not be read back.
pub(super) fn check(archive: &Archive) -> Result<(), Error> {
    let wrong = |what| Err(Error::InvalidArgument { what });
    if archive.about.len() as u64 > MAX_ABOUT {
        return wrong("the text about a network is longer than 1 MiB");
    }
    let mut names = BTreeSet::new();
    for tensor in &archive.tensors {
        if tensor.name.is_empty() || tensor.name.len() > usize::from(u16::MAX) || !names.insert(&tensor.name) {
            return wrong("a tensor's name is empty, longer than 65,535 bytes, or another's too");
        }
        let count = tensor.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        if count != Some(tensor.count()) || tensor.shape.len() > MAX_DIMENSIONS {
            return wrong("a tensor's shape does not say how many values it has");
        }
        if let Values::Quantised { bits, steps, integers } = &tensor.values {
            if !(2..=MAX_BITS).contains(bits) {
                return wrong("integers have 2 to 16 bits");
            }
            if steps.len() != 1 && Some(&steps.len()) != tensor.shape.first() {
                return wrong("a tensor has one step, or one for each index of its first dimension");
            }
            let most = largest(*bits).unsigned_abs();
            if integers.iter().any(|integer| integer.unsigned_abs() > most) {
                return wrong("an integer is too large for its bits");
            }
        }
    }
    Ok(())
}

pub(super) fn to_bytes(archive: &Archive) -> Vec<u8> {
    let mut out = Vec::new();
    let put_text = |out: &mut Vec<u8>, text: &str| {
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    };
    put_text(&mut out, &archive.about);
    put_varint(&mut out, archive.tensors.len() as u64);
    for tensor in &archive.tensors {
        put_text(&mut out, &tensor.name);
        put_varint(&mut out, tensor.shape.len() as u64);
        tensor.shape.iter().for_each(|&size| put_varint(&mut out, size as u64));
        match &tensor.values {
            Values::Exact(_) => out.push(0),
            Values::Quantised { bits, steps, .. } => {
                out.push(*bits);
                put_varint(&mut out, steps.len() as u64);
            }
        }
    }
    out
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    count: usize,
    /// Bits and number of steps; `None` for an exact tensor.
    quantised: Option<(u8, usize)>,
}

/// A directory that was read.
pub(super) struct Directory {
    about: String,
    entries: Vec<Entry>,
}

/// Reads a directory; the memory of its entries is paid for.
pub(super) fn from_bytes(bytes: &[u8], limits: &Limits, budget: &mut Budget) -> Result<Directory, Error> {
    let mut fields = Fields::new(WHAT, bytes);
    let size = |fields: &mut Fields<'_>| -> Result<usize, Error> { usize::try_from(fields.varint()?).map_err(|_| fields.corrupt()) };
    let about_len = fields.varint()?;
    if about_len > MAX_ABOUT {
        return Err(fields.corrupt());
    }
    let about = text(&mut fields, about_len)?;
    let tensors = fields.varint()?;
    if tensors > limits.items {
        return Err(Error::LimitExceeded { what: "the number of tensors", limit: limits.items });
    }
    let mut names = BTreeSet::new();
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..tensors {
        budget.take(WHAT, 1, ENTRY_BYTES)?;
        let name_len = fields.varint()?;
        if name_len == 0 || name_len > u64::from(u16::MAX) {
            return Err(fields.corrupt());
        }
        let name = text(&mut fields, name_len)?;
        budget.take(WHAT, 2, name_len)?;
        if !names.insert(name.clone()) {
            return Err(fields.corrupt());
        }
        let dimensions = size(&mut fields)?;
        if dimensions > MAX_DIMENSIONS {
            return Err(fields.corrupt());
        }
        let shape: Vec<usize> = (0..dimensions).map(|_| size(&mut fields)).collect::<Result<_, _>>()?;
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).ok_or_else(|| fields.corrupt())?;
        let quantised = match fields.u8()? {
            0 => None,
            bits @ 2..=MAX_BITS => {
                let steps = size(&mut fields)?;
                if steps != 1 && Some(&steps) != shape.first() {
                    return Err(fields.corrupt());
                }
                Some((bits, steps))
            }
            other => return Err(Error::Unsupported { what: "kind of a tensor", found: other.into(), known: MAX_BITS.into() }),
        };
        entries.push(Entry { name, shape, count, quantised });
    }
    fields.end()?;
    Ok(Directory { about, entries })
}

fn text(fields: &mut Fields<'_>, len: u64) -> Result<String, Error> {
    let bytes = fields.take(len)?.to_vec();
    String::from_utf8(bytes).map_err(|_| fields.corrupt())
}

fn sum(counts: impl Iterator<Item = usize>) -> Result<u64, Error> {
    counts.map(|count| count as u64).try_fold(0u64, u64::checked_add).ok_or(Error::corrupt(WHAT))
}

impl Directory {
    pub(super) fn exact_count(&self) -> Result<u64, Error> {
        sum(self.entries.iter().filter(|entry| entry.quantised.is_none()).map(|entry| entry.count))
    }

    pub(super) fn steps_count(&self) -> Result<u64, Error> {
        sum(self.entries.iter().filter_map(|entry| entry.quantised).map(|(_, steps)| steps))
    }

    /// Of the quantised tensors.
    pub(super) fn shapes(&self) -> Result<Vec<(Shape, u8)>, Error> {
        let shapes = self.entries.iter().filter_map(|entry| entry.quantised.map(|(bits, _)| Ok((Shape::of(&entry.shape)?, bits))));
        shapes.collect()
    }

    /// Gives each tensor what is its own.
    pub(super) fn assemble(self, exact: Vec<u32>, steps: Vec<u32>, integers: Vec<Vec<i32>>) -> Result<Archive, Error> {
        let (mut exact, mut steps, mut integers) = (exact.as_slice(), steps.as_slice(), integers.into_iter());
        let mut tensors = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let values = match entry.quantised {
                None => Values::Exact(split(&mut exact, entry.count)?),
                Some((bits, count)) => {
                    let integers = integers.next().ok_or(Error::corrupt(WHAT))?;
                    Values::Quantised { bits, steps: split(&mut steps, count)?, integers }
                }
            };
            tensors.push(Tensor { name: entry.name, shape: entry.shape, values });
        }
        Ok(Archive { about: self.about, tensors })
    }
}

fn split(values: &mut &[u32], count: usize) -> Result<Vec<u32>, Error> {
    let (own, rest) = values.split_at_checked(count).ok_or(Error::corrupt(WHAT))?;
    *values = rest;
    Ok(own.to_vec())
}
