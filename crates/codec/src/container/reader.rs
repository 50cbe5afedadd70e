//! Reads an archive: the frame at once, blocks when asked.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Deref;
use std::sync::Arc;

use crate::Error;
use crate::against::{self, BaseId};
use crate::container::fields::Fields;
use crate::container::header::{HEADER_BYTES, Header, TRAILER_BYTES};
use crate::container::index::SectionFacts;
use crate::container::recipes::Recipes;
use crate::container::writer::archive_digest;
use crate::container::{Block, BlockCoding, Fidelity, Index, Part, Parts, Sizes, layout_name};
use crate::general::GeneralMethod;
use crate::limits::{Budget, Limits};
use crate::weights::{self, Coder};
use crate::{general, limits};

/// A Program as it stands in an archive, still coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramEntry {
    /// Sample layout it codes, e.g. `rgb8`.
    pub layout: &'static str,
    /// How its bytes are coded.
    pub coder: Coder,
    /// Its size before that.
    pub raw_bytes: u64,
    coded: Vec<u8>,
}

impl ProgramEntry {
    /// Size in the archive, without the 10 bytes in front.
    #[must_use]
    pub fn coded_bytes(&self) -> u64 {
        self.coded.len() as u64
    }

    /// The bytes for `Program::from_bytes`, paid for out of `budget`.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `LimitExceeded`.
    pub fn raw(&self, budget: &mut Budget) -> Result<Vec<u8>, Error> {
        weights::decode(self.coder, &self.coded, self.raw_bytes, budget)
    }
}

/// An open archive: what it holds, and where its blocks are read from.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    contents: Arc<Contents>,
}

/// Everything of an archive but its blocks, checked against the digest at the archive's end.
#[derive(Debug)]
pub struct Contents {
    header: Header,
    programs: Vec<ProgramEntry>,
    recipes: Recipes,
    index: Index,
    parts: Parts,
    memory_left: u64,
    archive_digest: [u8; 32],
}

impl<R: Read + Seek> Reader<R> {
    /// Opens an archive within `limits`.
    ///
    /// # Errors
    /// `Corrupt` or `Truncated` with the section, `Unsupported` for another version or an unknown feature, `LimitExceeded`, `Io`.
    pub fn open(mut input: R, limits: &Limits) -> Result<Self, Error> {
        let seek = |error| Error::io("seek in", &error);
        let mut budget = Budget::new(limits.memory_bytes);
        let found = input.seek(SeekFrom::End(0)).map_err(seek)?;
        input.seek(SeekFrom::Start(0)).map_err(seek)?;
        let head = section(&mut input, "header", found.min(HEADER_BYTES), &mut budget)?;
        let header = Header::from_bytes(&head)?;
        let needed = header.archive_bytes().ok_or(Error::corrupt("header: lengths of the sections"))?;
        if found < needed {
            return Err(Error::Truncated { what: "archive", needed, found });
        }
        if found > needed {
            return Err(Error::corrupt_at("archive: bytes after its end", needed));
        }
        let programs = section(&mut input, "Programs", header.programs_bytes, &mut budget)?;
        let blocks_offset = HEADER_BYTES.saturating_add(header.programs_bytes);
        let after_blocks = blocks_offset.saturating_add(header.blocks_bytes);
        input.seek(SeekFrom::Start(after_blocks)).map_err(seek)?;
        let recipes = section(&mut input, "recipes", header.recipes_bytes, &mut budget)?;
        let index = section(&mut input, "index", header.index_bytes, &mut budget)?;
        let trailer = section(&mut input, "digest", TRAILER_BYTES, &mut budget)?;
        let archive_digest = archive_digest(&head, &programs, &recipes, &index);
        if archive_digest != *trailer {
            return Err(Error::corrupt("header, Programs, recipes or index: their digest differs"));
        }
        let programs = program_entries(&programs, header.n_programs)?;
        let raw_recipes =
            general::decode(header.recipes_method, &recipes, header.recipes_raw_bytes, &mut budget).map_err(|error| named(error, "recipes"))?;
        let raw_index = general::decode(header.index_method, &index, header.index_raw_bytes, &mut budget).map_err(|error| named(error, "index"))?;
        let facts = SectionFacts { blocks_offset, blocks_bytes: header.blocks_bytes, n_programs: header.n_programs, features: header.features };
        let (index, recipes) = Index::from_bytes(&raw_index, raw_recipes, &facts, limits, &mut budget)?;
        budget.take("items of the blocks", index.items.len() as u64, Parts::EACH_BYTES)?;
        budget.give(header.index_bytes.saturating_add(header.index_raw_bytes).saturating_add(header.recipes_bytes));
        let parts = index.parts()?;
        let contents = Contents { header, programs, recipes, index, parts, memory_left: budget.left(), archive_digest };
        Ok(Self { input, contents: Arc::new(contents) })
    }

    /// The coded bytes of block number `block`, unchecked: hand them to [`Block::check`] with what they decoded to.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such block; `LimitExceeded`, `Truncated`, `Io`.
    pub fn block_bytes(&mut self, block: u32, budget: &mut Budget) -> Result<Vec<u8>, Error> {
        let entry = usize::try_from(block).ok().and_then(|block| self.contents.index.blocks.get(block));
        let entry = entry.ok_or(Error::InvalidArgument { what: "there is no block of this number" })?;
        self.input.seek(SeekFrom::Start(entry.offset)).map_err(|error| Error::io("seek in", &error))?;
        section(&mut self.input, "block", entry.coded_bytes, budget)
    }

    /// The base that block number `block` says its numbers are coded against; `None` if there is no such block or it names none that can be read.
    ///
    /// # Errors
    /// `LimitExceeded`, `Truncated`, `Io`.
    pub fn base_of(&mut self, block: u32, budget: &mut Budget) -> Result<Option<BaseId>, Error> {
        let entry = usize::try_from(block).ok().and_then(|block| self.contents.index.blocks.get(block));
        let Some(entry) = entry.filter(|entry| entry.coding == BlockCoding::General(GeneralMethod::Against)) else { return Ok(None) };
        self.input.seek(SeekFrom::Start(entry.offset)).map_err(|error| Error::io("seek in", &error))?;
        let head = section(&mut self.input, "block", entry.coded_bytes.min(against::HEAD_BYTES), budget)?;
        budget.give(head.len() as u64);
        Ok(against::base_of(&head).ok())
    }
}

impl<R> Reader<R> {
    /// What the archive holds, to be shared with threads that do not read.
    #[must_use]
    pub fn contents(&self) -> Arc<Contents> {
        self.contents.clone()
    }
}

impl<R> Deref for Reader<R> {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl Contents {
    /// What the archive promises.
    #[must_use]
    pub const fn fidelity(&self) -> Fidelity {
        self.header.fidelity
    }

    /// Format version, major and minor.
    #[must_use]
    pub const fn version(&self) -> (u16, u16) {
        (super::VERSION.0, self.header.minor)
    }

    /// The Programs, coded.
    #[must_use]
    pub fn programs(&self) -> &[ProgramEntry] {
        &self.programs
    }

    /// Items and blocks.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The parts of block number `block`, in order; empty if there is no such block.
    #[must_use]
    pub fn parts(&self, block: u32) -> Vec<Part> {
        self.parts.of(&self.index, block)
    }

    /// Numbers of the items in block number `block`, in order; empty if there is no such block.
    #[must_use]
    pub fn items_of(&self, block: u32) -> &[u32] {
        self.parts.items(block)
    }

    /// Recipe number `number`.
    #[must_use]
    pub fn recipe(&self, number: u32) -> Option<&[u8]> {
        self.recipes.get(number)
    }

    /// Bytes of [`Limits::memory_bytes`] that the open archive does not hold itself.
    #[must_use]
    pub const fn budget(&self) -> limits::Budget {
        Budget::new(self.memory_left)
    }

    /// The digest that the archive ends with: its fingerprint.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.archive_digest
    }

    /// Where the bytes of the archive go.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let payload = self.index.blocks.iter().filter(|block| matches!(block.coding, BlockCoding::Program { .. }));
        let payload = payload.fold(0u64, |sum, block: &Block| sum.saturating_add(block.coded_bytes));
        Sizes {
            total: self.header.archive_bytes().unwrap_or(u64::MAX),
            frame: HEADER_BYTES.saturating_add(TRAILER_BYTES),
            programs: self.header.programs_bytes,
            payload,
            general: self.header.blocks_bytes.saturating_sub(payload),
            recipes: self.header.recipes_bytes,
            index: self.header.index_bytes,
        }
    }
}

/// Reads `bytes` bytes; the buffer grows as they arrive.
fn section(input: &mut impl Read, what: &'static str, bytes: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    budget.take(what, bytes, 1)?;
    let mut buffer = Vec::new();
    let read = input.take(bytes).read_to_end(&mut buffer).map_err(|error| Error::io("read", &error))? as u64;
    if read == bytes { Ok(buffer) } else { Err(Error::Truncated { what, needed: bytes, found: read }) }
}

fn program_entries(section: &[u8], count: u32) -> Result<Vec<ProgramEntry>, Error> {
    let mut fields = Fields::new("Programs", section);
    let mut programs = Vec::new();
    for _ in 0..count {
        let code = fields.u8()?;
        let layout = layout_name(code).ok_or(Error::Unsupported { what: "sample layout", found: code.into(), known: 0x48 })?;
        let coder = Coder::of_program(fields.u8()?)?;
        let raw_bytes = fields.u32()?.into();
        let coded_bytes = fields.u32()?.into();
        programs.push(ProgramEntry { layout, coder, raw_bytes, coded: fields.take(coded_bytes)?.to_vec() });
    }
    fields.end()?;
    Ok(programs)
}

fn named(error: Error, what: &'static str) -> Error {
    match error {
        Error::Corrupt { .. } => Error::corrupt(what),
        Error::LimitExceeded { limit, .. } => Error::LimitExceeded { what, limit },
        other => other,
    }
}
