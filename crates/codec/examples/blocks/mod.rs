//! The Program blocks of an archive, for examples that time them.

use std::error::Error;
use std::fs::File;

use kolmo_codec::Limits;
use kolmo_codec::block::Method;
use kolmo_codec::container::{BlockCoding, Content, Reader};
use kolmo_codec::limits::Budget;
use kolmo_codec::program::Program;

/// A block that a Program codes.
pub(crate) struct Block {
    /// Number of its Program.
    pub(crate) program: usize,
    pub(crate) method: Method,
    /// Height and width of its images.
    pub(crate) shapes: Vec<(usize, usize)>,
    pub(crate) bytes: Vec<u8>,
}

/// An archive that is open, and its Programs as they are before they are coded.
pub(crate) struct Archive {
    reader: Reader<File>,
    pub(crate) raw_programs: Vec<Vec<u8>>,
    pub(crate) budget: Budget,
}

impl Archive {
    pub(crate) fn open(path: &str) -> Result<Self, Box<dyn Error>> {
        let reader = Reader::open(File::open(path)?, &Limits::default())?;
        let mut budget = Budget::new(u64::MAX);
        let raw_programs = reader.programs().iter().map(|entry| entry.raw(&mut budget)).collect::<Result<_, _>>()?;
        Ok(Self { reader, raw_programs, budget })
    }

    pub(crate) fn programs(&self) -> Result<Vec<Program>, kolmo_codec::Error> {
        self.raw_programs.iter().map(|bytes| Program::from_bytes(bytes, &Limits::default())).collect()
    }

    /// Numbers of all blocks.
    pub(crate) fn blocks(&self) -> std::ops::Range<usize> {
        0..self.reader.index().blocks.len()
    }

    /// A block, if a Program codes it.
    pub(crate) fn block(&mut self, number: usize) -> Result<Option<Block>, Box<dyn Error>> {
        let BlockCoding::Program { program, method } = self.reader.index().blocks[number].coding else { return Ok(None) };
        let number = u32::try_from(number)?;
        let items = &self.reader.index().items;
        let shape = |item: u32| match items.content(item as usize)? {
            Content::Image { height, width, .. } => Some((height as usize, width as usize)),
            _ => None,
        };
        let shapes = self.reader.parts(number).iter().filter_map(|part| shape(part.item)).collect();
        let bytes = self.reader.block_bytes(number, &mut self.budget)?;
        Ok(Some(Block { program: program as usize, method, shapes, bytes }))
    }
}
