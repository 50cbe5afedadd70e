//! The proof: what a kolmo archive expands to, whether that is what went in, and where each byte of the archive goes.
//!
//! Nothing here trains, encodes or mends. An archive is hostile until its digests agree: paths are checked, memory is paid for out of
//! [`Limits`], and no item is handed out before the digest of its block was compared.
//!
//! ```
//! use std::io::Cursor;
//! use kolmo_codec::container::{BlockCoding, Content, Fidelity, Item, Reader, RecipeBook, Writer, block_digest};
//! use kolmo_codec::general::GeneralMethod;
//! use kolmo_data::digest::of_bytes;
//! use kolmo_verify::{Error, Limits, expand, report};
//!
//! let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[])?;
//! let digest = block_digest(b"hello", [&of_bytes(b"hello").0]);
//! let block = writer.block(BlockCoding::General(GeneralMethod::Stored), b"hello", digest)?;
//! let items = vec![Item { path: "greeting.txt".into(), content: Content::General { block, bytes: 5 } }];
//! let (archive, _) = writer.finish(items, &RecipeBook::default(), 5)?;
//!
//! let mut reader = Reader::open(archive, &Limits::default())?;
//! let mut files = Vec::new();
//! expand::expand(&mut reader, &expand::Options::all(&Limits::default()), |part| {
//!     files.push((part.item, part.bytes.to_vec()));
//!     Ok::<(), Error>(())
//! })?;
//! assert_eq!(files, [(0, b"hello".to_vec())]);
//! assert_eq!(report::Report::of(&reader)?.sizes.general, 5);
//! # Ok::<(), Error>(())
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(clippy::float_arithmetic)]

pub mod compare;
mod error;
pub mod expand;
pub mod item;
pub mod paths;
pub mod places;
pub mod report;
mod spares;

pub use error::{Error, ErrorKind};
pub use kolmo_codec::limits::Limits;
