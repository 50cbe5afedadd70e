//! Which items stand in which block: four bytes an item, as there may be millions of them.

use crate::Error;
use crate::container::{Block, BlockCoding, Content, Index, PIECE_BYTES};

/// An item's share of a block. An image has `start` 0 and `bytes` 0: its size follows from its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the item.
    pub item: u32,
    /// Where in the item it begins.
    pub start: u64,
    /// Its length.
    pub bytes: u64,
}

/// The items of every block, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Block after block.
    items: Vec<u32>,
    /// Where each block ends in `items`.
    ends: Vec<usize>,
}

const WRONG: Error = Error::corrupt("index: items and blocks do not match");

/// The first block of an item with content of its own, whether that is an image, and its bytes if it is none.
const fn place(content: Content) -> Option<(u32, bool, u64)> {
    match content {
        Content::Image { block, .. } => Some((block, true, 0)),
        Content::General { block, bytes } => Some((block, false, bytes)),
        Content::Copy { .. } => None,
    }
}

/// How many blocks an item of so many bytes takes.
fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(PIECE_BYTES).max(1)
}

/// Blocks that are filled item by item.
#[derive(Debug)]
pub(super) struct Filling {
    sizes: Vec<u64>,
    counts: Vec<usize>,
}

impl Filling {
    pub(super) fn new(n_blocks: usize) -> Self {
        Self { sizes: vec![0; n_blocks], counts: vec![0; n_blocks] }
    }

    /// Puts the next item into its blocks among `blocks`.
    pub(super) fn put(&mut self, blocks: &[Block], content: Content) -> Result<(), Error> {
        let Some((block, image, bytes)) = place(content) else { return Ok(()) };
        let long = bytes > PIECE_BYTES;
        let mut left = bytes;
        for at in u64::from(block)..u64::from(block).saturating_add(pieces(bytes)) {
            let at = usize::try_from(at).map_err(|_| WRONG)?;
            let entry = blocks.get(at).ok_or(WRONG)?;
            let fits = image == matches!(entry.coding, BlockCoding::Program { .. });
            let (count, size) = self.counts.get_mut(at).zip(self.sizes.get_mut(at)).ok_or(WRONG)?;
            // A piece fills its block for good: nothing else fits in after it, and nothing may stand before it.
            let taken = if long { PIECE_BYTES } else { left };
            *size = size.checked_add(taken).filter(|&size| size <= PIECE_BYTES).ok_or(WRONG)?;
            if !fits || (long && *count > 0) {
                return Err(WRONG);
            }
            *count = count.saturating_add(1);
            left = left.saturating_sub(PIECE_BYTES);
        }
        Ok(())
    }

    /// How many parts each block has, at least one.
    pub(super) fn counts(self) -> Result<Vec<usize>, Error> {
        if self.counts.contains(&0) { Err(WRONG) } else { Ok(self.counts) }
    }
}

impl Parts {
    /// Bytes of memory that they take for each item or block.
    pub(super) const EACH_BYTES: u64 = size_of::<u32>() as u64;

    /// Those of an index, see [`Index::parts`].
    pub(super) fn new(index: &Index) -> Result<Self, Error> {
        let mut filling = Filling::new(index.blocks.len());
        index.items.contents().try_for_each(|content| filling.put(&index.blocks, content))?;
        let mut ends = filling.counts()?;
        // Counts become places to fill, which end where the next block begins.
        let mut total = 0usize;
        for end in &mut ends {
            let count = std::mem::replace(end, total);
            total = total.checked_add(count).ok_or(WRONG)?;
        }
        let mut items = vec![0u32; total];
        for (content, number) in index.items.contents().zip(0u32..) {
            let Some((block, _, bytes)) = place(content) else { continue };
            let first = usize::try_from(block).map_err(|_| WRONG)?;
            let count = usize::try_from(pieces(bytes)).map_err(|_| WRONG)?;
            for end in ends.iter_mut().skip(first).take(count) {
                *items.get_mut(*end).ok_or(WRONG)? = number;
                *end = end.saturating_add(1);
            }
        }
        Ok(Self { items, ends })
    }

    /// Numbers of the items of block number `block`, in order; empty if there is no such block.
    #[must_use]
    pub fn items(&self, block: u32) -> &[u32] {
        let of = |at: usize| {
            let begin = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
            self.items.get(begin..*self.ends.get(at)?)
        };
        usize::try_from(block).ok().and_then(of).unwrap_or_default()
    }

    /// The parts of block number `block` of the same `index`, in order.
    #[must_use]
    pub fn of(&self, index: &Index, block: u32) -> Vec<Part> {
        let part = |&number: &u32| {
            let (first, _, bytes) = place(index.items.content(usize::try_from(number).ok()?)?)?;
            let start = u64::from(block.checked_sub(first)?).checked_mul(PIECE_BYTES)?;
            Some(Part { item: number, start, bytes: bytes.checked_sub(start)?.min(PIECE_BYTES) })
        };
        self.items(block).iter().filter_map(part).collect()
    }
}
