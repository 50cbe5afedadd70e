//! ZIP archives that hold arrays as they are: PyTorch's, and NumPy's `.npz`.

use std::io::{Read, Seek};

use super::{Kind, Numbers, Region, Unreadable, npy, pytorch, read_at};

/// A file of the archive that is stored, not compressed.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// `None` if it holds neither PyTorch's data nor arrays.
pub(super) fn find<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Option<Numbers>, Unreadable> {
    let stored = stored(input, bytes)?;
    if let Some(pickle) = stored.iter().find(|entry| entry.name.rsplit('/').next() == Some("data.pkl")).cloned() {
        return pytorch::find_zip(input, &pickle, &stored).map(Some);
    }
    let mut numbers = Numbers { kind: Kind::Npz, regions: vec![], tensors: vec![] };
    for entry in stored {
        // What is damaged inside one array is no reason to give up the others.
        if let Some(name) = entry.name.strip_suffix(".npy")
            && let Ok(tensor) = npy::tensor(input, entry.offset, entry.bytes, name.to_owned())
        {
            numbers.regions.push(Region { offset: tensor.offset, bytes: tensor.bytes, element: tensor.element });
            numbers.tensors.push(tensor);
        }
    }
    Ok(Some(numbers).filter(|numbers| !numbers.regions.is_empty()))
}

/// The stored files, by the central directory (PKWARE's APPNOTE 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3).
fn stored<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Vec<Stored>, Unreadable> {
    let damaged = || Unreadable("a ZIP archive whose directory is damaged".to_owned());
    let tail_bytes = bytes.min(22 + 65_535);
    let tail = read_at(input, bytes - tail_bytes, tail_bytes)?;
    let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06").ok_or_else(damaged)?;
    let mut directory_bytes = u64::from(u32_at(&tail, end + 12).ok_or_else(damaged)?);
    let mut directory = u64::from(u32_at(&tail, end + 16).ok_or_else(damaged)?);
    if directory == u64::from(u32::MAX) || directory_bytes == u64::from(u32::MAX) {
        let locator = end.checked_sub(20).filter(|&at| tail[at..].starts_with(b"PK\x06\x07")).ok_or_else(damaged)?;
        let record = read_at(input, u64_at(&tail, locator + 8).ok_or_else(damaged)?, 56)?;
        directory_bytes = u64_at(&record, 40).ok_or_else(damaged)?;
        directory = u64_at(&record, 48).ok_or_else(damaged)?;
    }
    let entries = read_at(input, directory, directory_bytes)?;
    let (mut at, mut stored) = (0, Vec::new());
    while entries.get(at..at + 4) == Some(b"PK\x01\x02") {
        let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(&entries, at + field).map(usize::from));
        let (name, extra, comment) = (name.ok_or_else(damaged)?, extra.ok_or_else(damaged)?, comment.ok_or_else(damaged)?);
        let name_end = at + 46 + name;
        let text = entries.get(at + 46..name_end).ok_or_else(damaged)?;
        let fields = entries.get(name_end..name_end + extra).ok_or_else(damaged)?;
        let method = u16_at(&entries, at + 10).ok_or_else(damaged)?;
        let sizes = [24, 20, 42].map(|field| u32_at(&entries, at + field).unwrap_or(0));
        let [size, coded, header] = wide(sizes, fields).ok_or_else(damaged)?;
        if method == 0 && size == coded {
            let local = read_at(input, header, 30)?;
            let skipped = [26, 28].map(|field| u16_at(&local, field).map_or(0, u64::from));
            let offset = header.checked_add(30 + skipped[0] + skipped[1]).filter(|offset| local.starts_with(b"PK\x03\x04") && *offset <= bytes);
            let offset = offset.ok_or_else(damaged)?;
            stored.push(Stored { name: String::from_utf8_lossy(text).into_owned(), offset, bytes: size });
        }
        at = name_end + extra + comment;
    }
    Ok(stored)
}

/// Size, coded size and offset of an entry, from its extra fields where 32 bits are too few.
fn wide(narrow: [u32; 3], mut extra: &[u8]) -> Option<[u64; 3]> {
    let mut wide = narrow.map(u64::from);
    if !narrow.contains(&u32::MAX) {
        return Some(wide);
    }
    while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let field = extra.get(4..4 + usize::from(length))?;
        if id == 1 {
            let mut at = 0;
            for (value, _) in wide.iter_mut().zip(narrow).filter(|(_, narrow)| *narrow == u32::MAX) {
                *value = u64_at(field, at)?;
                at += 8;
            }
            return Some(wide);
        }
        extra = extra.get(4 + usize::from(length)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
