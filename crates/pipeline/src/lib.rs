//! The shortest program that generates your data: one call compresses a dataset, one gives it back.
//!
//! ```
//! use kolmo::observe::Silent;
//! use kolmo::options::{CompressOptions, ExpandOptions, Limits};
//!
//! let folder = tempfile::tempdir()?;
//! let (input, archive, output) = (folder.path().join("in"), folder.path().join("x.kolmo"), folder.path().join("out"));
//! std::fs::create_dir(&input)?;
//! std::fs::write(input.join("poem.txt"), "so much depends upon ".repeat(100))?;
//!
//! // `learn: None` keeps the example quick; by default a network is learned from the images found.
//! let options = CompressOptions { learn: None, ..CompressOptions::default() };
//! let summary = kolmo::compress(&input, &archive, &options, &mut Silent)?;
//! assert_eq!(summary.verified_files, 1);
//! assert!(summary.sizes.total < 300);
//!
//! kolmo::expand(&archive, &output, &ExpandOptions::default(), &mut Silent)?;
//! assert_eq!(std::fs::read(output.join("poem.txt"))?, std::fs::read(input.join("poem.txt"))?);
//! assert_eq!(kolmo::list(&archive, &Limits::default())?[0].path, "poem.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
mod ascending;
mod base;
mod choose;
mod coding;
mod compress;
mod dataset;
mod error;
mod estimate;
mod expand;
mod files;
mod general;
mod inspect;
mod item;
mod items;
mod kinds;
mod learn;
mod near;
pub mod network;
pub mod observe;
pub mod options;
mod origin;
mod output;
mod pages;
mod picture;
mod program_file;
mod rating;
mod sorted;
mod spool;
pub mod summary;
mod symbols;
mod tensors;
#[cfg(test)]
mod tests;
mod train;
mod verify;
mod work;

pub use compress::compress;
pub use error::{Error, ErrorKind};
pub use expand::expand;
pub use inspect::{inspect, list};
pub use tensors::{expand_tensor, names_tensor, tensors};
pub use train::{train, tune};
pub use verify::verify;

/// The README's example, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
