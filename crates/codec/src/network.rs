//! The network archive: a user's own network as whole numbers of steps, and what is kept exactly.
//!
//! The format is specified in [`crate::network_format`]. Integers go three ways, Huffman, LZ77 and context-adaptive range coding; the shortest is
//! kept. Nothing here computes with floats: they are carried as bit patterns.
//!
//! ```
//! use kolmo_codec::Limits;
//! use kolmo_codec::network::{Archive, Tensor, Values, read, write};
//!
//! let integers = (0..64).map(|n| [0, 0, 1, -2][n * n % 4]).collect();
//! let steps = vec![0.25f32.to_bits()];
//! let weight = Tensor { name: "fc.weight".into(), shape: vec![4, 16], values: Values::Quantised { bits: 3, steps, integers } };
//! let bias = Tensor { name: "fc.bias".into(), shape: vec![4], values: Values::Exact(vec![f32::NAN.to_bits(); 4]) };
//! let archive = Archive { about: String::new(), tensors: vec![weight, bias] };
//! let (bytes, sizes) = write(&archive)?;
//! assert_eq!(bytes.len() as u64, sizes.total);
//! assert_eq!(read(&bytes, &Limits::default())?, archive);
//! # Ok::<(), kolmo_codec::Error>(())
//! ```

mod directory;
mod frame;
mod integers;
mod planes;
mod predictor;
mod runs;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::limits::{Budget, Limits};
use crate::weights::Coder;

pub use frame::{HEADER_BYTES, MAGIC, TRAILER_BYTES, VERSION, is_network};
pub use integers::{CoderSizes, range_bytes};

/// Most bits of an integer.
pub const MAX_BITS: u8 = 16;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Archive {
    /// What the tensors alone do not tell; text that this crate does not look into, at most 1 MiB.
    pub about: String,
    /// The tensors, in order.
    pub tensors: Vec<Tensor>,
}

/// A tensor with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// 1 to 65,535 bytes of UTF-8, no two tensors alike.
    pub name: String,
    /// Sizes of its dimensions, outermost first; at most eight, their product is the number of values.
    pub shape: Vec<usize>,
    /// What is stored of it.
    pub values: Values,
}

/// What is stored of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Bit patterns of 32-bit floats, row-major.
    Exact(Vec<u32>),
    /// Whole numbers of steps: value = integer x step, computed as one product of 32-bit floats.
    Quantised {
        /// `|integer| <= 2^(bits - 1) - 1`; 2 to [`MAX_BITS`].
        bits: u8,
        /// Bit patterns of 32-bit floats: one for the tensor, or one for each index of its first dimension.
        steps: Vec<u32>,
        /// Row-major.
        integers: Vec<i32>,
    },
}

impl Tensor {
    /// Number of values.
    #[must_use]
    pub const fn count(&self) -> usize {
        match &self.values {
            Values::Exact(values) => values.len(),
            Values::Quantised { integers, .. } => integers.len(),
        }
    }
}

/// Largest size of an integer of `bits` bits.
#[must_use]
pub const fn largest(bits: u8) -> i32 {
    (1i32 << bits.saturating_sub(1)).wrapping_sub(1)
}

/// Where the bytes of an archive go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The whole archive.
    pub total: u64,
    /// Names, shapes, and the text about the network.
    pub directory: u64,
    /// Tensors that are kept exactly.
    pub exact: u64,
    /// Steps.
    pub steps: u64,
    /// Integers, by the coder that won.
    pub integers: u64,
    /// Integers, by each coder.
    pub coders: CoderSizes,
    /// The coder that won.
    pub coder: Option<Coder>,
}

/// Writes an archive.
///
/// # Errors
/// `InvalidArgument` if a tensor contradicts itself: shape and values, name, bits, steps, or an integer that is too large.
pub fn write(archive: &Archive) -> Result<(Vec<u8>, Sizes), Error> {
    directory::check(archive)?;
    let exact: Vec<u32> = archive.tensors.iter().filter_map(exact_of).flatten().copied().collect();
    let steps: Vec<u32> = archive.tensors.iter().filter_map(steps_of).flatten().copied().collect();
    let coded = integers::encode(&archive.tensors)?;
    let sections = frame::Sections {
        directory: directory::to_bytes(archive),
        exact: planes::encode(&exact),
        steps: planes::encode(&steps),
        coder: coded.coder,
        integers: coded.bytes,
    };
    let (bytes, directory) = frame::to_bytes(&sections, &content_digest(archive))?;
    let len = |bytes: &[u8]| bytes.len() as u64;
    let sizes = Sizes {
        total: len(&bytes),
        directory,
        exact: len(&sections.exact),
        steps: len(&sections.steps),
        integers: len(&sections.integers),
        coders: coded.sizes,
        coder: Some(coded.coder),
    };
    Ok((bytes, sizes))
}

/// Reads an archive. All that it says is checked, all that it allocates is paid for from `limits` before.
///
/// # Errors
/// `Corrupt`, `Truncated`, `Unsupported` or `LimitExceeded`; never a panic, whatever the bytes are.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Archive, Error> {
    let mut budget = Budget::new(limits.memory_bytes);
    let sections = frame::from_bytes(bytes, &mut budget)?;
    let directory = directory::from_bytes(&sections.directory, limits, &mut budget)?;
    let exact = planes::decode(sections.exact, directory.exact_count()?, "exact tensors", &mut budget)?;
    let steps = planes::decode(sections.steps, directory.steps_count()?, "steps", &mut budget)?;
    let integers = integers::decode(sections.coder, sections.integers, &directory.shapes()?, &mut budget)?;
    let archive = directory.assemble(exact, steps, integers)?;
    if content_digest(&archive) != sections.content {
        return Err(Error::corrupt("network archive: the tensors are not those that were written"));
    }
    Ok(archive)
}

fn exact_of(tensor: &Tensor) -> Option<&[u32]> {
    match &tensor.values {
        Values::Exact(values) => Some(values),
        Values::Quantised { .. } => None,
    }
}

fn steps_of(tensor: &Tensor) -> Option<&[u32]> {
    match &tensor.values {
        Values::Exact(_) => None,
        Values::Quantised { steps, .. } => Some(steps),
    }
}

/// BLAKE3 of what an archive means, whatever coder wrote it: for each tensor name, shape, kind, steps, numbers.
#[must_use]
pub fn content_digest(archive: &Archive) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let count = |hasher: &mut blake3::Hasher, number: usize| {
        hasher.update(&(number as u64).to_le_bytes());
    };
    count(&mut hasher, archive.about.len());
    hasher.update(archive.about.as_bytes());
    for tensor in &archive.tensors {
        count(&mut hasher, tensor.name.len());
        hasher.update(tensor.name.as_bytes());
        count(&mut hasher, tensor.shape.len());
        for &size in &tensor.shape {
            count(&mut hasher, size);
        }
        match &tensor.values {
            Values::Exact(values) => {
                hasher.update(&[0]);
                words(&mut hasher, values);
            }
            Values::Quantised { bits, steps, integers } => {
                hasher.update(&[*bits]);
                count(&mut hasher, steps.len());
                words(&mut hasher, steps);
                let mut bytes = Vec::new();
                for chunk in integers.chunks(1 << 12) {
                    bytes.clear();
                    bytes.extend(chunk.iter().flat_map(|integer| integer.to_le_bytes()));
                    hasher.update(&bytes);
                }
            }
        }
    }
    *hasher.finalize().as_bytes()
}

fn words(hasher: &mut blake3::Hasher, values: &[u32]) {
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
}
