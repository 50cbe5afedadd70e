//! The archive: header, Programs, blocks, recipes, index, digest. It frames payloads and never looks into one.
//!
//! [`Writer`] streams blocks and items out and needs no more memory than the coded index; [`Reader`] needs header, Programs, recipes and index, then
//! only the blocks that are asked for. `FORMAT.md` specifies every byte.

mod columns;
mod cuts;
pub(crate) mod fields;
mod header;
mod index;
pub(crate) mod items;
pub(crate) mod layout;
mod parts;
mod reader;
mod recipes;
#[cfg(test)]
mod tests;
mod writer;

pub use cuts::{Cut, Cuts};
pub use header::{FEATURES, Fidelity, HEADER_BYTES, MAGIC, TRAILER_BYTES, VERSION};
pub use index::{Block, BlockCoding, Content, Index, Item};
pub use items::{ItemRef, Items};
pub use layout::{LAYOUTS, layout_code, layout_name};
pub use parts::{Part, Parts};
pub use reader::{Contents, ProgramEntry, Reader};
pub use recipes::RecipeBook;
pub use writer::{Sizes, Writer};

use crate::Error;

/// General items longer than this are cut into pieces of this size, the last one shorter; every piece stands alone in its block.
/// No general block expands to more.
pub const PIECE_BYTES: u64 = 1 << 26;

/// Bytes of a block's digest.
pub const BLOCK_DIGEST_BYTES: u64 = 16;

/// The digest of a block: blake3 over its coded bytes and then the digests of its items (of its piece, for a long general item), in
/// order, cut to 16 bytes.
///
/// An item's digest is blake3 of the file's bytes; in an archive of fidelity `pixels`, for images, the digest of layout, shape and
/// samples. So a block's digest vouches for what is stored and for what it expands to.
#[must_use]
pub fn block_digest<'a>(coded: &[u8], items: impl IntoIterator<Item = &'a [u8; 32]>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(coded);
    for digest in items {
        hasher.update(digest);
    }
    let mut digest = [0; 16];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

impl Block {
    /// Whether `coded` and the digests of what it expanded to are what the writer saw.
    ///
    /// # Errors
    /// `Corrupt` with the block's offset.
    pub fn check<'a>(&self, coded: &[u8], items: impl IntoIterator<Item = &'a [u8; 32]>) -> Result<(), Error> {
        if block_digest(coded, items) == self.digest { Ok(()) } else { Err(Error::corrupt_at("block: its digest differs", self.offset)) }
    }
}
