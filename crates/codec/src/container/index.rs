//! What is where: items and blocks, coded column by column.

use crate::block::Method;
use crate::container::cuts::Cuts;
use crate::container::fields::{Fields, Runs, unzigzag};
use crate::container::header::{CUT_FILES, block_method};
use crate::container::recipes::Recipes;
use crate::container::{BLOCK_DIGEST_BYTES, Items, Parts};
use crate::general::GeneralMethod;
use crate::limits::{Budget, Limits};
use crate::{Error, names};

/// One file of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Relative, `/`-separated; see [`crate::names::check_path`].
    pub path: String,
    /// What it consists of.
    pub content: Content,
}

/// What an item consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An image, coded by the Program of its block.
    Image {
        /// Number of the block.
        block: u32,
        /// Pixels, at least 1.
        height: u32,
        /// Pixels, at least 1.
        width: u32,
        /// Number of the recipe that makes the file of its samples.
        recipe: u32,
    },
    /// Bytes, kept the general way. Longer than [`PIECE_BYTES`](super::PIECE_BYTES), they go on in the blocks that follow.
    General {
        /// Number of the (first) block.
        block: u32,
        /// Length.
        bytes: u64,
    },
    /// The same as an earlier item, which is no copy itself.
    Copy {
        /// Number of that item.
        of: u32,
    },
}

const fn program_method(code: u64) -> Result<Method, Error> {
    match code {
        0 => Ok(Method::Direct),
        1 => Ok(Method::Adaptive),
        2 => Ok(Method::Lanes),
        3 => Ok(Method::References),
        found => Err(Error::Unsupported { what: "block method", found, known: 3 }),
    }
}

/// How a block is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockCoding {
    /// Images under Program number `program`.
    Program {
        /// Number of the Program.
        program: u32,
        /// How.
        method: Method,
    },
    /// Bytes, solid.
    General(GeneralMethod),
}

/// A unit that is decoded on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// How it is coded.
    pub coding: BlockCoding,
    /// Where its bytes begin in the archive.
    pub offset: u64,
    /// How many they are.
    pub coded_bytes: u64,
    /// See [`crate::container::block_digest`].
    pub digest: [u8; 16],
}

/// Items and blocks of an archive.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Index {
    /// Items in bytewise order of their paths.
    pub items: Items,
    /// Blocks in the order of their bytes.
    pub blocks: Vec<Block>,
    /// Size of all files together, copies included (as found when they were compressed).
    pub file_bytes: u64,
    /// The files that are cut into several items.
    pub cuts: Cuts,
}

impl Index {
    /// Which items stand in which block, in order.
    ///
    /// # Errors
    /// `Corrupt` if an item names a block of the other kind or none, pieces share a block, or a block is empty or too long.
    pub fn parts(&self) -> Result<Parts, Error> {
        Parts::new(self)
    }

    /// How many files there are, each that is cut counted once.
    #[must_use]
    pub fn file_count(&self) -> u64 {
        let more = self.cuts.all().iter().fold(0u64, |sum, cut| sum.saturating_add(u64::from(cut.count).saturating_sub(1)));
        (self.items.len() as u64).saturating_sub(more)
    }

    /// The path of the file that `item` is a part of, if it is one; else its own.
    #[must_use]
    pub fn file_path(&self, item: u32) -> Option<&str> {
        let path = self.items.get(usize::try_from(item).ok()?)?.path;
        let file = self.cuts.position(item).and_then(|_| path.rsplit_once('/')).map(|(file, _)| file);
        Some(file.unwrap_or(path))
    }

    /// The same bytes as the writer's.
    #[cfg(test)]
    pub(super) fn to_bytes(&self, recipes: &super::RecipeBook) -> Vec<u8> {
        let mut columns = super::columns::Columns::default();
        self.items.iter().for_each(|item| columns.push(item.path, item.content));
        columns.into_bytes(&self.blocks, recipes, self.file_bytes, &self.cuts)
    }

    /// Reads what [`Columns::into_bytes`](super::columns::Columns::into_bytes) wrote, for blocks that begin at `blocks_offset` and take `blocks_bytes`.
    pub(super) fn from_bytes(
        bytes: &[u8],
        recipes: Vec<u8>,
        layout: &SectionFacts,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<(Self, Recipes), Error> {
        let mut fields = Fields::new("index", bytes);
        let n_items = fields.varint()?;
        let n_blocks = fields.varint32()?;
        let n_recipes = fields.varint32()?;
        let file_bytes = fields.varint()?;
        if n_items > limits.items.min(u32::MAX.into()) {
            return Err(Error::LimitExceeded { what: "number of items", limit: limits.items });
        }
        let names = names::read(&mut fields, n_items, budget)?;
        let mut column = |what| -> Result<(&'static str, &[u8]), Error> {
            let len = fields.varint()?;
            Ok((what, fields.take(len)?))
        };
        let mut copies = of_runs(column("copies of the index")?);
        let mut copy_steps = of_fields(column("copy targets of the index")?);
        let mut block_steps = of_runs(column("item blocks of the index")?);
        let mut heights = of_runs(column("heights of the index")?);
        let mut widths = of_runs(column("widths of the index")?);
        let mut recipe_steps = of_runs(column("item recipes of the index")?);
        let mut sizes = of_fields(column("item sizes of the index")?);
        let mut programs = of_runs(column("block Programs of the index")?);
        let mut methods = of_runs(column("block methods of the index")?);
        let mut coded = of_fields(column("block sizes of the index")?);
        let mut recipe_lengths = of_fields(column("recipe lengths of the index")?);
        let cuts = if layout.features & CUT_FILES == 0 { None } else { Some(of_fields(column("cut files of the index")?)) };

        let recipes = Recipes::read(recipes, &mut recipe_lengths, n_recipes, budget)?;
        // Both tables and the parts that are made of them.
        budget.take("block table", n_blocks.into(), 128)?;
        let mut blocks = Vec::new();
        let mut offset = layout.blocks_offset;
        let end = layout.blocks_offset.saturating_add(layout.blocks_bytes);
        for _ in 0..n_blocks {
            let program = programs.next32()?;
            let method = methods.next()?;
            let coding = match program.checked_sub(1) {
                None => BlockCoding::General(block_method(method)?),
                Some(program) if program >= layout.n_programs => return Err(Error::corrupt("block Programs of the index")),
                Some(program) => BlockCoding::Program { program, method: program_method(method)? },
            };
            let coded_bytes = coded.varint()?;
            let next = offset.checked_add(coded_bytes).filter(|&next| next <= end).ok_or_else(|| coded.corrupt())?;
            blocks.push(Block { coding, offset, coded_bytes, digest: [0; 16] });
            offset = next;
        }
        if offset != end {
            return Err(coded.corrupt());
        }
        for block in &mut blocks {
            block.digest = fields.digest16()?;
        }
        fields.end()?;

        let (mut block, mut recipe) = (0u32, 0u32);
        let n_items = names.len();
        let mut items = Items::of(names);
        for number in (0u32..).take(n_items) {
            let content = if copies.next()? == 0 {
                block = stepped(&mut block_steps, block, n_blocks)?;
                let at = usize::try_from(block).unwrap_or(usize::MAX);
                match blocks.get(at).map(|block| block.coding) {
                    Some(BlockCoding::Program { .. }) => {
                        recipe = stepped(&mut recipe_steps, recipe, n_recipes)?;
                        let (height, width) = (heights.next32()?, widths.next32()?);
                        if height == 0 || width == 0 {
                            return Err(Error::corrupt("index: an image without pixels"));
                        }
                        Content::Image { block, height, width, recipe }
                    }
                    _ => Content::General { block, bytes: sizes.varint()? },
                }
            } else {
                let step = copy_steps.varint32()?;
                let of = number.checked_sub(step).filter(|&of| of < number).ok_or_else(|| copy_steps.corrupt())?;
                let original = usize::try_from(of).ok().and_then(|of| items.content(of));
                if original.is_none_or(|content| matches!(content, Content::Copy { .. })) {
                    return Err(copy_steps.corrupt());
                }
                Content::Copy { of }
            };
            items.fill(content);
        }
        let cuts = cuts.map(|column| Cuts::read(column, budget)).transpose()?.unwrap_or_default();
        if !cuts.all().is_empty() {
            let mut check = cuts.check();
            items.iter().try_for_each(|item| check.push(item.path))?;
            check.end()?;
        }
        for column in [copies, block_steps, heights, widths, recipe_steps, programs, methods] {
            column.end()?;
        }
        for column in [copy_steps, sizes, coded] {
            column.end()?;
        }
        Ok((Self { items, blocks, file_bytes, cuts }, recipes))
    }
}

/// What the header says about the sections beside the index.
pub(super) struct SectionFacts {
    pub(super) blocks_offset: u64,
    pub(super) blocks_bytes: u64,
    pub(super) n_programs: u32,
    pub(super) features: u64,
}

const fn of_runs<'a>((what, bytes): (&'static str, &'a [u8])) -> Runs<'a> {
    Runs::new(what, bytes)
}

const fn of_fields<'a>((what, bytes): (&'static str, &'a [u8])) -> Fields<'a> {
    Fields::new(what, bytes)
}

fn stepped(steps: &mut Runs<'_>, from: u32, count: u32) -> Result<u32, Error> {
    let to = i64::from(from).checked_add(unzigzag(steps.next()?));
    let to = to.and_then(|to| u32::try_from(to).ok()).filter(|&to| to < count);
    to.ok_or(Error::corrupt("index: a number of a block or recipe is out of range"))
}

const _: () = assert!(BLOCK_DIGEST_BYTES == 16);
