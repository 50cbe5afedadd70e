//! Single tensors of the checkpoints in an archive: named, and taken out without expanding the rest.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use kolmo_codec::against::Base;
use kolmo_codec::container::{BlockCoding, Content, Index};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::limits::Limits;
use kolmo_data::tensor::{self, Element, Tensor};
use kolmo_verify::item::{CutFiles, ItemBytes};

use crate::base;
use crate::error::Error;
use crate::expand::{about, original};
use crate::options::ExpandOptions;
use crate::output::{Output, check_free};
use crate::program_file;
use crate::summary::TensorSummary;

/// Between the path of a file and the name of a tensor in it.
const BETWEEN: &str = "::";

/// Bytes that are copied at a time.
const COPIED: u64 = 1 << 20;

/// Names of files that are looked into even if something else than numbers was shorter.
const CHECKPOINT_NAMES: [&str; 8] = ["safetensors", "npy", "npz", "pt", "pth", "th", "bin", "ckpt"];

/// The tensors of all checkpoints in an archive, file by file. Only the blocks that hold headers are expanded; `base` is what they may be
/// coded against.
///
/// # Errors
/// See [`Error`]. A file that names no tensors, or is no checkpoint at all, is no error.
pub fn tensors(archive: &Path, base: Option<&Path>, limits: &Limits) -> Result<Vec<TensorSummary>, Error> {
    let mut reader = program_file::open(archive, limits)?;
    let base = base::if_given(archive, &mut reader, base)?;
    let base = base.as_ref().map(|base| base as &dyn Base);
    let contents = reader.contents();
    let index = contents.index();
    let cut_files = CutFiles::new(&reader, limits)?;
    let mut all = Vec::new();
    for number in 0..index.items.len() as u32 {
        if may_hold_tensors(index, number)
            && let Some(bytes) = ItemBytes::new(&mut reader, number, &cut_files)
        {
            let mut bytes = bytes.with_base(base);
            let path = index.file_path(number).unwrap_or_default();
            all.extend(declared(archive, &mut bytes)?.into_iter().map(|tensor| summary(path, tensor)));
        }
    }
    Ok(all)
}

/// Writes one tensor, named `FILE::TENSOR`, to the file `output`: with NumPy's header if its name ends in `.npy`, else its bare bytes. Only
/// the blocks that hold it and its file's header are expanded.
///
/// # Errors
/// `InvalidArgument` if there is no such tensor, or NumPy has no such type; else see [`Error`]. Nothing is left behind then.
pub fn expand_tensor(archive: &Path, name: &str, output: &Path, options: &ExpandOptions) -> Result<TensorSummary, Error> {
    check_free(output, options.force)?;
    let mut reader = program_file::open(archive, &options.limits)?;
    let contents = reader.contents();
    let index = contents.index();
    let nothing = || Error::InvalidArgument { what: format!("{name}: the archive holds no such tensor; `list --tensors` names them") };
    let split = |path: &str| Some(name.strip_prefix(path)?.strip_prefix(BETWEEN)?.to_owned());
    let (number, wanted) = (0..index.items.len() as u32).find_map(|number| Some((number, split(index.file_path(number)?)?))).ok_or_else(nothing)?;
    let base = base::if_given(archive, &mut reader, options.base.as_deref())?;
    let cut_files = CutFiles::new(&reader, &options.limits)?;
    let mut bytes = ItemBytes::new(&mut reader, number, &cut_files).ok_or_else(nothing)?.with_base(base.as_ref().map(|base| base as &dyn Base));
    let tensor = declared(archive, &mut bytes)?.into_iter().find(|tensor| tensor.name == wanted).ok_or_else(nothing)?;

    let mut out = Output::create(output, options.force)?;
    if output.extension().is_some_and(|extension| extension == "npy") {
        let header = npy_header(&tensor).ok_or_else(|| Error::InvalidArgument {
            what: format!("{name}: NumPy has no type {}; write to a name that does not end in .npy to get the bare bytes", tensor.dtype),
        })?;
        out.file().write_all(&header).map_err(Error::io("write", output))?;
    }
    let mut left = tensor.bytes;
    let mut buffer = Vec::new();
    bytes.seek(SeekFrom::Start(tensor.offset)).map_err(Error::io("read", archive))?;
    while left > 0 {
        if options.stop.cancelled() {
            return Err(Error::Cancelled);
        }
        buffer.clear();
        let read = (&mut bytes).take(left.min(COPIED)).read_to_end(&mut buffer);
        read.map_err(|error| failure(archive, &mut bytes).unwrap_or_else(|| Error::io("read", archive)(error)))?;
        if buffer.is_empty() {
            return Err(nothing());
        }
        out.file().write_all(&buffer).map_err(Error::io("write", output))?;
        left -= buffer.len() as u64;
    }
    out.persist()?;
    Ok(summary(index.file_path(number).unwrap_or_default(), tensor))
}

/// Whether `name` is that of a tensor rather than of an item.
///
/// # Errors
/// If the archive cannot be opened.
pub fn names_tensor(archive: &Path, name: &str, limits: &Limits) -> Result<bool, Error> {
    if !name.contains(BETWEEN) {
        return Ok(false);
    }
    let reader = program_file::open(archive, limits)?;
    let folder = format!("{}/", name.trim_end_matches('/'));
    Ok(!reader.index().items.iter().any(|item| item.path == name || item.path.starts_with(&folder)))
}

/// Whether an item is a file with tensors in it, maybe, or stands for one that is cut.
fn may_hold_tensors(index: &Index, number: u32) -> bool {
    let Some(path) = index.file_path(number) else { return false };
    let by_name = path.rsplit_once('.').is_some_and(|(_, extension)| CHECKPOINT_NAMES.contains(&extension.to_lowercase().as_str()));
    if let Some(cut) = index.cuts.position(number) {
        return by_name && index.cuts.all()[cut].first == number;
    }
    let Some(Content::General { block, .. }) = index.items.content(original(index, number as usize)) else { return false };
    let as_numbers = index
        .blocks
        .get(block as usize)
        .is_some_and(|block| matches!(block.coding, BlockCoding::General(GeneralMethod::Numbers | GeneralMethod::Against)));
    as_numbers || by_name
}

/// The tensors that a file declares; none if it is no checkpoint, or one that lies.
fn declared<R: std::io::Read + std::io::Seek + Sync>(archive: &Path, bytes: &mut ItemBytes<'_, R>) -> Result<Vec<Tensor>, Error> {
    let length = bytes.len();
    let found = tensor::declared(bytes, length);
    match (failure(archive, bytes), found) {
        (Some(error), _) => Err(error),
        (None, Ok(Some(numbers))) => Ok(numbers.tensors),
        (None, _) => Ok(vec![]),
    }
}

fn failure<R: std::io::Read + std::io::Seek + Sync>(archive: &Path, bytes: &mut ItemBytes<'_, R>) -> Option<Error> {
    bytes.take_failure().map(|error| about(archive, error.into()))
}

fn summary(path: &str, tensor: Tensor) -> TensorSummary {
    TensorSummary { path: path.to_owned(), name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, offset: tensor.offset, bytes: tensor.bytes }
}

/// NumPy's header, version 1.0; `None` for elements it has no type for.
fn npy_header(tensor: &Tensor) -> Option<Vec<u8>> {
    let unsigned = tensor.dtype.trim_start_matches(['<', '=', '|']).to_lowercase().starts_with(['u', 'q']) || tensor.dtype == "Byte";
    let kind = match tensor.element {
        Element::F64 | Element::F32 | Element::F16 => 'f',
        Element::I64 | Element::I32 | Element::I16 | Element::I8 if unsigned => 'u',
        Element::I8 if ["BOOL", "Bool", "|b1"].contains(&tensor.dtype.as_str()) => 'b',
        Element::I64 | Element::I32 | Element::I16 | Element::I8 => 'i',
        _ => return None,
    };
    let width = tensor.element.bytes();
    let shape: String = tensor.shape.iter().map(|axis| format!("{axis}, ")).collect();
    let order = if width == 1 { '|' } else { '<' };
    let column_major = if tensor.column_major { "True" } else { "False" };
    let mut text = format!("{{'descr': '{order}{kind}{width}', 'fortran_order': {column_major}, 'shape': ({}), }}", shape.trim_end());
    // Ten bytes stand before it, a line feed ends it, and the elements begin at a multiple of 64.
    let padding = (text.len() + 11).next_multiple_of(64) - 11 - text.len();
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let length = u16::try_from(text.len()).ok()?;
    Some([b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], text.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_for_numpy_is_what_numpy_writes() {
        let tensor = |element, dtype: &str, shape: &[u64]| Tensor {
            name: "w".into(),
            element,
            dtype: dtype.into(),
            shape: shape.into(),
            column_major: false,
            offset: 0,
            bytes: 0,
        };
        let header = npy_header(&tensor(Element::F32, "F32", &[3, 2])).unwrap();
        assert_eq!(header.len(), 128);
        assert!(
            header.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2,), }  ")
                && header.ends_with(b" \n")
        );
        let text = |element, dtype: &str| String::from_utf8_lossy(&npy_header(&tensor(element, dtype, &[])).unwrap()).into_owned();
        assert!(
            text(Element::I8, "U8").contains("'|u1'") && text(Element::I8, "BOOL").contains("'|b1'") && text(Element::I64, "Long").contains("'<i8'")
        );
        assert!(text(Element::F64, "<f8").contains("'shape': ()"));
        assert_eq!(npy_header(&tensor(Element::Bf16, "BF16", &[1])), None);
    }
}
