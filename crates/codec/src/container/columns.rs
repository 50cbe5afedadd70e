//! Writes the index column by column while items come by: nothing of an item is held but what it adds to the columns.

use crate::block::Method;
use crate::container::fields::{RunsWriter, put_varint, zigzag};
use crate::container::header::method_code;
use crate::container::{Block, BlockCoding, Content, Cuts, RecipeBook};
use crate::names::NamesWriter;

/// Columns of the items that came by so far.
#[derive(Debug, Default)]
pub(super) struct Columns {
    n_items: u32,
    names: NamesWriter,
    copies: RunsWriter,
    copy_steps: Vec<u8>,
    block_steps: RunsWriter,
    heights: RunsWriter,
    widths: RunsWriter,
    recipe_steps: RunsWriter,
    sizes: Vec<u8>,
    last_block: u32,
    last_recipe: u32,
}

impl Columns {
    /// The path of the last item; empty before the first.
    pub(super) fn last_path(&self) -> &str {
        self.names.last()
    }

    pub(super) fn push(&mut self, path: &str, content: Content) {
        self.names.push(path);
        self.copies.push(u64::from(matches!(content, Content::Copy { .. })));
        match content {
            Content::Image { block, height, width, recipe } => {
                self.block_steps.push(step(&mut self.last_block, block));
                self.recipe_steps.push(step(&mut self.last_recipe, recipe));
                self.heights.push(height.into());
                self.widths.push(width.into());
            }
            Content::General { block, bytes } => {
                self.block_steps.push(step(&mut self.last_block, block));
                put_varint(&mut self.sizes, bytes);
            }
            Content::Copy { of } => put_varint(&mut self.copy_steps, self.n_items.saturating_sub(of).into()),
        }
        self.n_items = self.n_items.saturating_add(1);
    }

    /// The index of all that came by, of these blocks and recipes, and of files that are cut.
    pub(super) fn into_bytes(self, blocks: &[Block], recipes: &RecipeBook, file_bytes: u64, cuts: &Cuts) -> Vec<u8> {
        let (mut programs, mut methods, mut coded) = (RunsWriter::default(), RunsWriter::default(), Vec::new());
        for block in blocks {
            let (program, method) = match block.coding {
                BlockCoding::Program { program, method } => (u64::from(program).saturating_add(1), program_method_code(method)),
                BlockCoding::General(method) => (0, method_code(method)),
            };
            programs.push(program);
            methods.push(method.into());
            put_varint(&mut coded, block.coded_bytes);
        }
        let mut recipe_lengths = Vec::new();
        recipes.lengths().for_each(|length| put_varint(&mut recipe_lengths, length));

        let mut out = Vec::new();
        for count in [u64::from(self.n_items), blocks.len() as u64, recipes.len() as u64, file_bytes] {
            put_varint(&mut out, count);
        }
        out.extend_from_slice(&self.names.finish());
        let columns = [
            self.copies.finish(),
            self.copy_steps,
            self.block_steps.finish(),
            self.heights.finish(),
            self.widths.finish(),
            self.recipe_steps.finish(),
            self.sizes,
            programs.finish(),
            methods.finish(),
            coded,
            recipe_lengths,
        ];
        let cuts = (!cuts.all().is_empty()).then(|| cuts.to_bytes());
        for column in columns.into_iter().chain(cuts) {
            put_varint(&mut out, column.len() as u64);
            out.extend_from_slice(&column);
        }
        for block in blocks {
            out.extend_from_slice(&block.digest);
        }
        out
    }
}

const fn program_method_code(method: Method) -> u8 {
    match method {
        Method::Direct => 0,
        Method::Adaptive => 1,
        Method::Lanes => 2,
        Method::References => 3,
    }
}

fn step(from: &mut u32, to: u32) -> u64 {
    let before = std::mem::replace(from, to);
    zigzag(i64::from(to).wrapping_sub(i64::from(before)))
}
