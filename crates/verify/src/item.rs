//! One file of an archive as something to read and seek in: only the blocks that are asked for are expanded.

use std::io::{self, Read, Seek, SeekFrom};

use kolmo_codec::against::Base;
use kolmo_codec::container::{Content, PIECE_BYTES, Reader};
use kolmo_codec::limits::Limits;
use kolmo_codec::program::Program;
use kolmo_data::layout::Layout;

use crate::Error;
use crate::expand::{Expanded, one, programs};
use crate::places::Places;

/// What reading files that are cut needs: where their items lie, and the Programs of their images. Nothing where no file is cut.
#[derive(Debug, Default)]
pub struct CutFiles {
    places: Places,
    programs: Vec<(Layout, Program)>,
}

impl CutFiles {
    /// Those of an open archive.
    ///
    /// # Errors
    /// Those of [`Places::new`] and of [`programs`].
    pub fn new<R>(reader: &Reader<R>, limits: &Limits) -> Result<Self, Error> {
        if reader.index().cuts.all().is_empty() {
            return Ok(Self::default());
        }
        let mut budget = reader.budget();
        Ok(Self { places: Places::new(reader, &mut budget)?, programs: programs(reader, limits, &mut budget)? })
    }
}

/// The bytes of a file that is kept the general way, or is cut. Holds one block at a time.
#[derive(Debug)]
pub struct ItemBytes<'a, R> {
    reader: &'a mut Reader<R>,
    source: Source<'a>,
    bytes: u64,
    position: u64,
    /// The parts of one block.
    held: Vec<Expanded>,
    failure: Option<Error>,
    base: Option<&'a dyn Base>,
}

/// Where the bytes come from.
#[derive(Debug)]
enum Source<'a> {
    /// An item that begins in this block.
    General { item: u32, block: u32 },
    /// The items of a file that is cut, of this number among all that are.
    Cut { file: usize, files: &'a CutFiles },
}

impl<'a, R: Read + Seek + Sync> ItemBytes<'a, R> {
    /// Item number `item`, or the one it is a copy of; all of the file that it is a part of, if that is cut. `None` if it is an image that is a file, or there is
    /// no such item.
    pub fn new(reader: &'a mut Reader<R>, item: u32, files: &'a CutFiles) -> Option<Self> {
        if let Some(file) = reader.index().cuts.position(item) {
            let bytes = files.places.file_bytes(file)?;
            return Some(Self::of(reader, Source::Cut { file, files }, bytes));
        }
        let content = |number: u32| usize::try_from(number).ok().and_then(|number| reader.index().items.content(number));
        let item = match content(item)? {
            Content::Copy { of } => of,
            _ => item,
        };
        let Content::General { block, bytes } = content(item)? else { return None };
        Some(Self::of(reader, Source::General { item, block }, bytes))
    }

    const fn of(reader: &'a mut Reader<R>, source: Source<'a>, bytes: u64) -> Self {
        Self { reader, source, bytes, position: 0, held: Vec::new(), failure: None, base: None }
    }

    /// With what its numbers may be coded against.
    #[must_use]
    pub const fn with_base(mut self, base: Option<&'a dyn Base>) -> Self {
        self.base = base;
        self
    }

    /// Length of the file.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether the file is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What went wrong, if reading failed because of the archive.
    pub const fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Of the byte at `position`: the item that holds it, or the one that is a copy of; where the item begins in the file; and its first block.
    fn place(&self) -> Option<(u32, u64, u32)> {
        match &self.source {
            Source::General { item, block } => Some((*item, 0, *block)),
            Source::Cut { file, files } => {
                let (item, begin) = files.places.at(self.reader, *file, self.position)?;
                let content = |number: u32| self.reader.index().items.content(usize::try_from(number).ok()?);
                let (item, content) = match content(item)? {
                    Content::Copy { of } => (of, content(of)?),
                    own => (item, own),
                };
                match content {
                    Content::Image { block, .. } | Content::General { block, .. } => Some((item, begin, block)),
                    Content::Copy { .. } => None,
                }
            }
        }
    }

    /// Expands the block that holds the byte at `position`.
    fn hold(&mut self) -> Result<(), Error> {
        let lost = kolmo_codec::Error::Corrupt { what: "index: a part of a file that is cut", offset: None };
        let (_, begin, block) = self.place().ok_or(lost)?;
        let piece = self.position.saturating_sub(begin).checked_div(PIECE_BYTES).unwrap_or(0);
        let piece = u32::try_from(piece).unwrap_or(u32::MAX);
        let programs = if let Source::Cut { files, .. } = self.source { files.programs.as_slice() } else { &[] };
        self.held = one(self.reader, block.saturating_add(piece), programs, self.base)?;
        Ok(())
    }

    /// What is held of the bytes from `position` on.
    fn here(&self) -> &[u8] {
        let Some((item, begin, _)) = self.place() else { return &[] };
        let here = |part: &'_ Expanded| {
            let at = self.position.checked_sub(begin)?.checked_sub(part.start)?;
            usize::try_from(at).ok().filter(|&at| at < part.bytes.len())
        };
        let found = self.held.iter().filter(|part| part.item == item).find_map(|part| Some((part, here(part)?)));
        found.and_then(|(part, at)| part.bytes.get(at..)).unwrap_or_default()
    }
}

impl<R: Read + Seek + Sync> Read for ItemBytes<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.bytes || out.is_empty() {
            return Ok(0);
        }
        if self.here().is_empty()
            && let Err(error) = self.hold()
        {
            let message = error.to_string();
            self.failure = Some(error);
            return Err(io::Error::other(message));
        }
        let here = self.here();
        let count = here.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), here.get(..count)) {
            to.copy_from_slice(from);
        }
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl<R> Seek for ItemBytes<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the file begins"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_codec::container::{BlockCoding, Fidelity, Item, RecipeBook, Writer, block_digest};
    use kolmo_codec::general::GeneralMethod;
    use kolmo_data::digest::of_bytes;
    use std::io::Cursor;

    #[test]
    fn files_of_solid_blocks_and_of_pieces_are_read_at_any_place() {
        let long = vec![7u8; PIECE_BYTES as usize + 1000];
        let (first, last) = long.split_at(PIECE_BYTES as usize);
        let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[]).unwrap();
        let mut put = |raw: &[u8], digests: &[[u8; 32]]| {
            let (method, bytes) = kolmo_codec::general::encode_at(raw, 1).unwrap();
            writer.block(BlockCoding::General(method), &bytes, block_digest(&bytes, digests)).unwrap()
        };
        let solid = put(b"helloworld", &[of_bytes(b"hello").0, of_bytes(b"world").0]);
        let pieces = put(first, &[of_bytes(first).0]);
        put(last, &[of_bytes(last).0]);
        let general = |path: &str, block, bytes| Item { path: path.into(), content: Content::General { block, bytes } };
        let mut items = vec![general("a", solid, 5), general("b", solid, 5), general("c", pieces, long.len() as u64)];
        items.push(Item { path: "d".into(), content: Content::Copy { of: 1 } });
        let (archive, _) = writer.finish(items, &RecipeBook::default(), 0).unwrap();
        let mut reader = Reader::open(archive, &Limits::default()).unwrap();
        let none = CutFiles::new(&reader, &Limits::default()).unwrap();
        for item in [1, 3] {
            let mut bytes = ItemBytes::new(&mut reader, item, &none).unwrap();
            let mut text = String::new();
            bytes.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), bytes.len()), ("world", 5));
            bytes.seek(SeekFrom::End(-2)).unwrap();
            assert_eq!(bytes.read(&mut [0; 9]).unwrap(), 2);
        }
        let mut bytes = ItemBytes::new(&mut reader, 2, &none).unwrap();
        bytes.seek(SeekFrom::Start(PIECE_BYTES - 3)).unwrap();
        let mut rest = Vec::new();
        bytes.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, vec![7; 1003]);
        assert!(bytes.seek(SeekFrom::Current(-1_000_000_000)).is_err());
        assert!(ItemBytes::new(&mut reader, 9, &none).is_none());
    }

    #[test]
    fn damage_is_told_by_its_kind() {
        let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[]).unwrap();
        let block = writer.block(BlockCoding::General(GeneralMethod::Stored), b"hello", [0; 16]).unwrap();
        let items = vec![Item { path: "a".into(), content: Content::General { block, bytes: 5 } }];
        let (archive, _) = writer.finish(items, &RecipeBook::default(), 0).unwrap();
        let mut reader = Reader::open(archive, &Limits::default()).unwrap();
        let none = CutFiles::new(&reader, &Limits::default()).unwrap();
        let mut bytes = ItemBytes::new(&mut reader, 0, &none).unwrap();
        assert!(bytes.read(&mut [0; 5]).is_err());
        assert_eq!(bytes.take_failure().map(|error| error.kind()), Some(crate::ErrorKind::Corrupt));
    }
}
