//! Writes an archive front to back; only the header is filled in at the end.

use std::io::{Seek, SeekFrom, Write};

use crate::Error;
use crate::container::columns::Columns;
use crate::container::header::{CUT_FILES, HEADER_BYTES, Header, TRAILER_BYTES};
use crate::container::parts::Filling;
use crate::container::{Block, BlockCoding, Cut, Cuts, Fidelity, Item, RecipeBook, layout_name};
use crate::general;
use crate::names::check_path;
use crate::weights::CodedProgram;

/// Streams an archive to `W`, which must be empty and is not read back.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    position: u64,
    fidelity: Fidelity,
    n_programs: u32,
    programs: Vec<u8>,
    blocks: Vec<Block>,
    cuts: Vec<Cut>,
}

/// Where the bytes of an archive went. The parts sum to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The archive.
    pub total: u64,
    /// Header and trailer.
    pub frame: u64,
    /// Programs with their headers.
    pub programs: u64,
    /// Blocks coded by Programs.
    pub payload: u64,
    /// General blocks.
    pub general: u64,
    /// Recipes.
    pub recipes: u64,
    /// Index, block digests included.
    pub index: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins an archive with its Programs, each with the number of the sample layout it codes ([`crate::container::layout_code`])
    /// and the length of its raw bytes.
    ///
    /// # Errors
    /// `InvalidArgument` for a layout that does not exist or a Program of 4 GiB; `Io`.
    pub fn new(mut out: W, fidelity: Fidelity, programs: &[(u8, &CodedProgram)]) -> Result<Self, Error> {
        const TOO_LONG: Error = Error::InvalidArgument { what: "a Program must be shorter than 4 GiB" };
        let mut section = Vec::new();
        for (layout, program) in programs {
            if layout_name(*layout).is_none() {
                return Err(Error::InvalidArgument { what: "there is no sample layout of this number" });
            }
            section.extend_from_slice(&[*layout, program.coder.code()]);
            section.extend_from_slice(&u32::try_from(program.sizes.raw).map_err(|_| TOO_LONG)?.to_le_bytes());
            section.extend_from_slice(&u32::try_from(program.bytes.len()).map_err(|_| TOO_LONG)?.to_le_bytes());
            section.extend_from_slice(&program.bytes);
        }
        let n_programs = u32::try_from(programs.len()).map_err(|_| Error::InvalidArgument { what: "too many Programs" })?;
        // Room for the header; all zeros is no magic, so an archive that was never finished is none.
        put(&mut out, &[0; HEADER_BYTES as usize])?;
        put(&mut out, &section)?;
        let position = HEADER_BYTES.saturating_add(section.len() as u64);
        Ok(Self { out, position, fidelity, n_programs, programs: section, blocks: Vec::new(), cuts: Vec::new() })
    }

    /// Appends a block and gives back its number. `digest` is [`crate::container::block_digest`] of it.
    ///
    /// # Errors
    /// `InvalidArgument` for a Program that was not handed to [`Writer::new`]; `Io`.
    pub fn block(&mut self, coding: BlockCoding, bytes: &[u8], digest: [u8; 16]) -> Result<u32, Error> {
        if matches!(coding, BlockCoding::Program { program, .. } if program >= self.n_programs) {
            return Err(Error::InvalidArgument { what: "a block names a Program that the archive does not hold" });
        }
        let number = u32::try_from(self.blocks.len()).map_err(|_| Error::InvalidArgument { what: "too many blocks" })?;
        put(&mut self.out, bytes)?;
        let coded_bytes = bytes.len() as u64;
        self.blocks.push(Block { coding, offset: self.position, coded_bytes, digest });
        self.position = self.position.saturating_add(coded_bytes);
        Ok(number)
    }

    /// Says that some of the items to come are one file, in the order of their numbers.
    pub fn cut(&mut self, cut: Cut) {
        self.cuts.push(cut);
    }

    /// Appends recipes and index, fills in the header, and gives `W` back, flushed.
    ///
    /// `items` must come in bytewise order of their paths; none is held, so that there may be millions. `file_bytes` is the size of all files together.
    ///
    /// # Errors
    /// `InvalidArgument` if items are out of order, have unsafe paths, or do not fit the blocks or [`Writer::cut`]; `Io`.
    pub fn finish(mut self, items: impl IntoIterator<Item = Item>, recipes: &RecipeBook, file_bytes: u64) -> Result<(W, Sizes), Error> {
        let wrong = |_| Error::InvalidArgument { what: "items and blocks do not match" };
        let cuts = Cuts::of(std::mem::take(&mut self.cuts));
        let (mut check, wrong_cut) = (cuts.check(), |_| Error::InvalidArgument { what: "items and files that are cut do not match" });
        let (mut columns, mut filling) = (Columns::default(), Filling::new(self.blocks.len()));
        for item in items {
            check_path(&item.path)?;
            if columns.last_path() >= item.path.as_str() {
                return Err(Error::InvalidArgument { what: "items must stand in strictly rising order of their paths" });
            }
            filling.put(&self.blocks, item.content).map_err(wrong)?;
            if !cuts.all().is_empty() {
                check.push(&item.path).map_err(wrong_cut)?;
            }
            columns.push(&item.path, item.content);
        }
        check.end().map_err(wrong_cut)?;
        filling.counts().map_err(wrong)?;
        let payload_of = |wanted: bool| {
            let blocks = self.blocks.iter().filter(|block| matches!(block.coding, BlockCoding::Program { .. }) == wanted);
            blocks.fold(0u64, |sum, block| sum.saturating_add(block.coded_bytes))
        };
        let (payload, general) = (payload_of(true), payload_of(false));
        let raw_index = columns.into_bytes(&self.blocks, recipes, file_bytes, &cuts);
        let (recipes_method, coded_recipes) = general::encode(&recipes.bytes)?;
        let (index_method, coded_index) = general::encode(&raw_index)?;
        let header = Header {
            minor: super::VERSION.1,
            features: if cuts.all().is_empty() { 0 } else { CUT_FILES },
            fidelity: self.fidelity,
            recipes_method,
            index_method,
            n_programs: self.n_programs,
            programs_bytes: self.programs.len() as u64,
            blocks_bytes: payload.saturating_add(general),
            recipes_bytes: coded_recipes.len() as u64,
            recipes_raw_bytes: recipes.bytes.len() as u64,
            index_bytes: coded_index.len() as u64,
            index_raw_bytes: raw_index.len() as u64,
        };
        let header_bytes = header.to_bytes();
        let digest = archive_digest(&header_bytes, &self.programs, &coded_recipes, &coded_index);
        for bytes in [coded_recipes.as_slice(), coded_index.as_slice(), digest.as_slice()] {
            put(&mut self.out, bytes)?;
        }
        self.out.seek(SeekFrom::Start(0)).map_err(|error| Error::io("seek in", &error))?;
        put(&mut self.out, &header_bytes)?;
        self.out.flush().map_err(|error| Error::io("write", &error))?;
        let sizes = Sizes {
            total: header.archive_bytes().unwrap_or(u64::MAX),
            frame: HEADER_BYTES.saturating_add(TRAILER_BYTES),
            programs: header.programs_bytes,
            payload,
            general,
            recipes: header.recipes_bytes,
            index: header.index_bytes,
        };
        Ok((self.out, sizes))
    }
}

/// The digest at the end: over header, Programs, recipes and index, coded as they stand in the archive. The index holds a digest of
/// every block, so it vouches for every byte.
pub(super) fn archive_digest(header: &[u8], programs: &[u8], recipes: &[u8], index: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for section in [header, programs, recipes, index] {
        hasher.update(section);
    }
    *hasher.finalize().as_bytes()
}

fn put(out: &mut impl Write, bytes: &[u8]) -> Result<(), Error> {
    out.write_all(bytes).map_err(|error| Error::io("write", &error))
}
