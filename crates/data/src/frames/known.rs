//! Which arrays a file holds, by what it says of itself.

use std::io::{Read, Seek};

use super::{HIGH_FIRST, SIGNED};
use crate::tensor::{self, read_at};

/// Bytes of a file's head that tell what it is.
pub(super) const HEAD_BYTES: u64 = 352;

/// How an element of an array is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// 1 (in a byte of its own), 8 or 16.
    pub(super) bits: u8,
    pub(super) flags: u8,
}

impl Stored {
    const fn new(bits: u8, flags: u8) -> Self {
        Self { bits, flags }
    }

    pub(super) const fn bytes(self) -> u64 {
        if self.bits == 16 { 2 } else { 1 }
    }
}

/// An array of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) offset: u64,
    /// Elements along each axis; the last one is contiguous.
    pub(super) shape: Vec<u64>,
    pub(super) stored: Stored,
    /// Bytes in front of each row of the first axis.
    pub(super) lead: u32,
    /// Its last two axes are rows and columns and all others number them: no axis is one of channels.
    pub(super) volume: bool,
}

impl Array {
    const fn new(offset: u64, shape: Vec<u64>, stored: Stored) -> Self {
        Self { offset, shape, stored, lead: 0, volume: false }
    }
}

/// The arrays of bytes, booleans or 16-bit integers of a file of `bytes` bytes.
pub(super) fn arrays<R: Read + Seek>(input: &mut R, bytes: u64) -> Option<Vec<Array>> {
    let head = read_at(input, 0, bytes.min(HEAD_BYTES)).ok()?;
    if let Some(array) = idx(&head).or_else(|| nifti(&head)) {
        return Some(vec![array]);
    }
    if let Some(array) = cifar(input, bytes) {
        return Some(vec![array]);
    }
    let numbers = tensor::declared(input, bytes).ok()??;
    let array = |tensor: tensor::Tensor| {
        let mut shape = tensor.shape;
        if tensor.column_major {
            shape.reverse();
        }
        Some(Array::new(tensor.offset, shape, stored(&tensor.dtype)?))
    };
    Some(numbers.tensors.into_iter().filter_map(array).collect())
}

/// By the names that NumPy, safetensors and PyTorch give to types.
fn stored(dtype: &str) -> Option<Stored> {
    Some(match dtype {
        "|u1" | "U8" | "Byte" => Stored::new(8, 0),
        "|i1" | "I8" | "Char" => Stored::new(8, SIGNED),
        "|b1" | "BOOL" | "Bool" => Stored::new(1, 0),
        "<u2" | "U16" => Stored::new(16, 0),
        ">u2" => Stored::new(16, HIGH_FIRST),
        "<i2" | "I16" | "Short" => Stored::new(16, SIGNED),
        ">i2" => Stored::new(16, SIGNED | HIGH_FIRST),
        _ => return None,
    })
}

/// IDX, the format of MNIST: two zeros, a type, how many axes, each 32 bits, the highest byte first; then the elements.
fn idx(head: &[u8]) -> Option<Array> {
    let [0, 0, kind @ (8 | 9 | 0xb), axes @ 1..=8, rest @ ..] = head else { return None };
    let stored = match kind {
        8 => Stored::new(8, 0),
        9 => Stored::new(8, SIGNED),
        _ => Stored::new(16, SIGNED | HIGH_FIRST),
    };
    let axes = usize::from(*axes);
    let shape: Vec<u64> = rest.as_chunks::<4>().0.get(..axes)?.iter().map(|&axis| u32::from_be_bytes(axis).into()).collect();
    Some(Array::new(4 + 4 * axes as u64, shape, stored))
}

/// NIfTI-1 in one file: numbers of the header in the order of bytes of the machine that wrote it.
fn nifti(head: &[u8]) -> Option<Array> {
    if head.get(344..348)? != b"n+1\0" {
        return None;
    }
    let high_first = match head.first_chunk::<4>()? {
        [92, 1, 0, 0] => false,
        [0, 0, 1, 92] => true,
        _ => return None,
    };
    let short = |at: usize| {
        let pair = *head.get(at..)?.first_chunk::<2>()?;
        Some(if high_first { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let order = if high_first { HIGH_FIRST } else { 0 };
    let stored = match short(70)? {
        2 => Stored::new(8, 0),
        256 => Stored::new(8, SIGNED),
        4 => Stored::new(16, SIGNED | order),
        512 => Stored::new(16, order),
        _ => return None,
    };
    let axes = usize::from(short(40)?);
    let mut shape = (1..=axes).map(|axis| Some(u64::from(short(40 + 2 * axis).filter(|_| axis < 8)?))).collect::<Option<Vec<u64>>>()?;
    shape.reverse();
    let word = *head.get(108..)?.first_chunk::<4>()?;
    // A float that holds a whole number.
    let offset = if high_first { f32::from_be_bytes(word) } else { f32::from_le_bytes(word) };
    (352.0..=1e6).contains(&offset).then(|| Array { volume: true, ..Array::new(offset as u64, shape, stored) })
}

/// CIFAR-10 and CIFAR-100, binary version: one label, or a coarse and a fine one, and 3,072 bytes.
fn cifar<R: Read + Seek>(input: &mut R, bytes: u64) -> Option<Array> {
    /// So few could be anything.
    const LEAST: u64 = 20;
    for limits in [&[10][..], &[20, 100]] {
        let record = 3072 + limits.len() as u64;
        if bytes < LEAST * record || !bytes.is_multiple_of(record) {
            continue;
        }
        let fits = |number: u64, input: &mut R| {
            let labels = read_at(input, number * record, limits.len() as u64).ok()?;
            labels.iter().zip(limits).all(|(label, limit)| label < limit).then_some(labels)
        };
        // Some first: that no other file of this length is read all over.
        let all = bytes / record;
        let mut labels: Vec<Vec<u8>> = (0..LEAST).map_while(|number| fits(number, input)).collect();
        if labels.len() as u64 == LEAST {
            labels.extend((LEAST..all).map_while(|number| fits(number, input)));
        }
        // All zeros are no labels.
        if labels.len() as u64 == all && labels.iter().any(|label| *label != labels[0]) {
            let lead = limits.len() as u32;
            return Some(Array { lead, ..Array::new(0, vec![all, 3, 32, 32], Stored::new(8, 0)) });
        }
    }
    None
}
