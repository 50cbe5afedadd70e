//! Finds the numbers in a file: network checkpoints and arrays, taken apart into *regions* of one element type. No byte is moved or changed.
//!
//! | kind | told by | types from |
//! |---|---|---|
//! | safetensors | a length and a `{` | its JSON header |
//! | NumPy | `\x93NUMPY` | its header |
//! | PyTorch (zip), NumPy `.npz` | a ZIP archive with `data.pkl`, or with `.npy` | the pickle, read and never run; headers |
//! | PyTorch (legacy pickle) | its magic number | the pickle |
//! | anything else | | statistics: is it clearly more regular as floats than as bytes? |
//!
//! ```
//! use kolmo_data::tensor::{self, Element};
//! let mut file = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.to_vec();
//! file.splice(..0, (file.len() as u64).to_le_bytes());
//! let header = file.len() as u64;
//! file.extend([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
//! let numbers = tensor::find(&mut std::io::Cursor::new(&file), file.len() as u64)?.expect("a checkpoint");
//! assert_eq!((numbers.kind.to_string(), numbers.tensors[0].name.as_str()), ("safetensors".to_owned(), "w"));
//! assert_eq!((numbers.regions[0].offset, numbers.regions[0].bytes, numbers.regions[0].element), (header, 8, Element::F32));
//! # Ok::<(), kolmo_data::tensor::Unreadable>(())
//! ```

mod element;
mod guess;
mod npy;
mod pickle;
mod pytorch;
mod safetensors;
mod zip;

use std::fmt;
use std::io::{Read, Seek, SeekFrom};

pub use element::Element;

/// What kind of file the numbers were found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A safetensors file.
    Safetensors,
    /// A NumPy array, `.npy`.
    Npy,
    /// NumPy arrays in a ZIP archive, `.npz`.
    Npz,
    /// PyTorch's ZIP archive.
    PytorchZip,
    /// PyTorch's pickle from before 1.6.
    PytorchPickle,
    /// Found by statistics.
    Undeclared,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::PytorchZip => "pytorch",
            Self::PytorchPickle => "pytorch (legacy pickle)",
            Self::Undeclared => "undeclared numbers",
        })
    }
}

/// Bytes of a file that hold elements of one type, whole ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// What it holds.
    pub element: Element,
}

/// A tensor that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file; empty for the one array of an `.npy`.
    pub name: String,
    /// What it holds.
    pub element: Element,
    /// Its type as the file calls it.
    pub dtype: String,
    /// Elements along each axis; the last one is contiguous, but see `column_major`.
    pub shape: Vec<u64>,
    /// Whether the first axis is the contiguous one, as in Fortran.
    pub column_major: bool,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// The numbers of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// What kind of file it is.
    pub kind: Kind,
    /// In order, not empty, apart from each other; what lies between is headers and the like.
    pub regions: Vec<Region>,
    /// In the order of their places; those that lie whole and contiguous in the file.
    pub tensors: Vec<Tensor>,
}

/// Why a file that begins like a checkpoint is not taken for one. Nothing is lost: its bytes are kept as those of any file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub(crate) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Headers and pickles longer than this are not read.
const MOST_HEADER_BYTES: u64 = 100_000_000; // safetensors' own limit

/// Looks for numbers in a file of `bytes` bytes. `None` if there are none worth the trouble.
///
/// Reads headers, and for kinds that declare no types a sample of the rest; holds no more than a header at a time.
///
/// # Errors
/// [`Unreadable`] with one clause that names the tensor, if the file contradicts itself or cannot be read.
pub fn find<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Option<Numbers>, Unreadable> {
    match declared(input, bytes)? {
        Some(numbers) => Ok(Some(numbers)),
        None => guess::find(input, bytes),
    }
}

/// The same, but only what the file itself declares: headers are read, and nothing else.
///
/// # Errors
/// As [`find`].
pub fn declared<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Option<Numbers>, Unreadable> {
    let head = read_at(input, 0, bytes.min(16))?;
    let mut numbers = match head.as_slice() {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::find(input, bytes)?,
        [b'P', b'K', 3, 4, ..] => match zip::find(input, bytes)? {
            Some(numbers) => numbers,
            None => return Ok(None),
        },
        _ if pytorch::is_legacy(&head) => pytorch::find_legacy(input, bytes)?,
        _ if safetensors::begins(&head, bytes) => safetensors::find(input, bytes)?,
        _ => return Ok(None),
    };
    numbers.regions.retain(|region| region.bytes > 0);
    numbers.regions.sort_by_key(|region| region.offset);
    numbers.tensors.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    let mut end = 0;
    for region in &numbers.regions {
        let next = region.offset.checked_add(region.bytes).filter(|&next| region.offset >= end && next <= bytes);
        let name = || numbers.tensors.iter().find(|tensor| tensor.offset == region.offset).map_or("a tensor", |tensor| &tensor.name);
        end = next.ok_or_else(|| Unreadable(format!("{} overlaps another tensor or lies outside the file", name())))?;
    }
    Ok(Some(numbers).filter(|numbers| !numbers.regions.is_empty()))
}

/// `bytes` bytes from `offset` on.
pub(crate) fn read_at<R: Read + Seek>(input: &mut R, offset: u64, bytes: u64) -> Result<Vec<u8>, Unreadable> {
    if bytes > MOST_HEADER_BYTES {
        return Err(Unreadable(format!("a header of {bytes} bytes")));
    }
    let failed = |error: std::io::Error| Unreadable(format!("cannot be read: {error}"));
    input.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut buffer = Vec::new();
    input.take(bytes).read_to_end(&mut buffer).map_err(failed)?;
    if buffer.len() as u64 == bytes { Ok(buffer) } else { Err(Unreadable("it ends too early".to_owned())) }
}

/// Bytes of a tensor; `None` if that passes 2^64.
fn bytes_of(element: Element, shape: &[u64]) -> Option<u64> {
    shape.iter().try_fold(element.bytes(), |bytes, &axis| bytes.checked_mul(axis))
}

#[cfg(test)]
mod tests;
