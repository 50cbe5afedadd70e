//! Where the bytes of an item are: a whole file, or a part of one that holds many images.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use kolmo_data::frames::{Frame, Part};

use crate::error::Error;

/// Where the bytes of an item are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: PathBuf,
    /// What part of the file, if not all of it.
    pub(crate) section: Option<Section>,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) begin: u64,
    pub(crate) bytes: u64,
    /// The image that it is, if it is one.
    pub(crate) frame: Option<Frame>,
}

impl Section {
    /// Part number `number` of a file that is cut into `parts`.
    pub(crate) fn of(parts: &[Part], mut number: u64) -> Option<Self> {
        let mut begin = 0;
        for part in parts {
            match part {
                Part::Bytes(bytes) if number == 0 => return Some(Self { begin, bytes: *bytes, frame: None }),
                Part::Frames { count, frame } if number < *count => {
                    return Some(Self { begin: begin + number * frame.bytes(), bytes: frame.bytes(), frame: Some(*frame) });
                }
                _ => {}
            }
            number -= part.count();
            begin += part.bytes();
        }
        None
    }
}

impl Origin {
    pub(crate) const fn whole(file: PathBuf) -> Self {
        Self { file, section: None }
    }

    /// The image that it is, if it is one of those of a file.
    pub(crate) fn frame(&self) -> Option<Frame> {
        self.section.and_then(|section| section.frame)
    }

    /// Up to `most` bytes from `start` on.
    pub(crate) fn read(&self, start: u64, most: u64) -> Result<Vec<u8>, Error> {
        let failed = || Error::io("read", &self.file);
        let mut bytes = Vec::new();
        let mut input = self.open()?;
        input.seek(SeekFrom::Start(start)).map_err(failed())?;
        input.take(most).read_to_end(&mut bytes).map_err(failed())?;
        Ok(bytes)
    }

    /// All of it.
    pub(crate) fn read_all(&self) -> Result<Vec<u8>, Error> {
        match self.section {
            None => std::fs::read(&self.file).map_err(Error::io("read", &self.file)),
            Some(section) => self.read(0, section.bytes),
        }
    }

    /// To read and seek in, from where it begins to where it ends.
    pub(crate) fn open(&self) -> Result<Bytes, Error> {
        let file = File::open(&self.file).map_err(Error::io("read", &self.file))?;
        Ok(Bytes { file, begin: self.section.map_or(0, |section| section.begin), bytes: self.section.map(|section| section.bytes), position: 0 })
    }
}

/// A file, or a part of one, opened.
#[derive(Debug)]
pub(crate) struct Bytes {
    file: File,
    begin: u64,
    /// Those of the part.
    bytes: Option<u64>,
    position: u64,
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = self.bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes.saturating_sub(self.position)).unwrap_or(usize::MAX));
        let most = most.min(out.len());
        let read = self.file.read(&mut out[..most])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => match self.bytes {
                Some(bytes) => bytes.checked_add_signed(offset),
                None => self.file.metadata()?.len().checked_add_signed(offset),
            },
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the file begins");
        let position = position.ok_or_else(outside)?;
        self.file.seek(SeekFrom::Start(self.begin.checked_add(position).ok_or_else(outside)?))?;
        self.position = position;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_as_if_it_were_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"0123456789").unwrap();
        let section = Origin { file: file.clone(), section: Some(Section { begin: 3, bytes: 4, frame: None }) };
        assert_eq!((section.read_all().unwrap(), section.read(1, 9).unwrap()), (b"3456".to_vec(), b"456".to_vec()));
        let mut opened = section.open().unwrap();
        assert_eq!(opened.seek(SeekFrom::End(-1)).unwrap(), 3);
        let mut rest = Vec::new();
        opened.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"6");
        assert!(opened.seek(SeekFrom::Current(-5)).is_err());
        assert_eq!(Origin::whole(file).read(8, 9).unwrap(), b"89");
    }

    #[test]
    fn parts_are_found_by_their_numbers() {
        let frames = kolmo_data::frames::parts(&mut io::Cursor::new(idx()), idx().len() as u64).unwrap();
        let places: Vec<(u64, u64, bool)> =
            (0..4).map_while(|number| Section::of(&frames, number)).map(|section| (section.begin, section.bytes, section.frame.is_some())).collect();
        assert_eq!(places, [(0, 16, false), (16, 2500, true), (2516, 2500, true)]);
    }

    /// Two ramps of 50 x 50.
    fn idx() -> Vec<u8> {
        let mut file = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 50, 0, 0, 0, 50];
        file.extend((0..5000).map(|at| (at % 50) as u8));
        file
    }
}
