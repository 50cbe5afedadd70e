//! What a dataset *is*: files listed, fingerprinted, cleaned, normalised and split; taken apart into samples and rebuilt.
//!
//! | module | answers |
//! |---|---|
//! | [`source`] | which files, in which order? |
//! | [`digest`] | which bytes, which image? |
//! | [`open`](mod@open) | which samples, and what else is in the file (its *recipe*)? |
//! | [`rebuild`](mod@rebuild) | which file belongs to samples and recipe? |
//! | [`frames`] | which files hold many images, and where is each of them? |
//! | [`tensor`] | which bytes are numbers, and which tensors do they make up? |
//! | [`statistics`] | how hard is an image to predict? |
//! | [`kinds`] | which images are alike enough to share what is learned? |
//! | [`clean`] | which images should be learned from? |
//! | [`split`] | which of them for training, which for measuring? |
//! | [`normalise`] | how are training copies scaled? |
//! | [`labelled`] | which class is an image of? |
//!
//! The crate knows no network, no coder and no archive; it never prints.
//!
//! ```
//! use kolmo_data::open::{Fidelity, OpenLimits, Opened};
//! use kolmo_data::{clean, digest, normalise, open, rebuild, source, split, statistics};
//!
//! # let folder = tempfile::tempdir()?;
//! # std::fs::write(folder.path().join("a.pgm"), b"P5\n2 2\n255\n\x00\x10\x20\x30")?;
//! # std::fs::write(folder.path().join("notes.txt"), b"hello")?;
//! let (mut facts, mut images) = (Vec::new(), Vec::new());
//! for entry in source::list(folder.path())?.entries {
//!     let bytes = source::read(&entry)?;
//!     let state = match open::open_named(&entry.path, &bytes, Fidelity::Files, &OpenLimits::default()) {
//!         Opened::Image { image, recipe } => {
//!             assert_eq!(rebuild::rebuild(&recipe, &image)?, bytes);
//!             images.push(statistics::of_image(&image));
//!             clean::State::Image(images[images.len() - 1].outline())
//!         }
//!         Opened::General { .. } => clean::State::General,
//!     };
//!     facts.push(clean::Fact { digest: digest::of_bytes(&bytes), state });
//! }
//! let report = clean::review(facts.len(), |index| Ok::<_, kolmo_data::Error>(facts[index]))?;
//! assert!(report.left_out().is_empty()); // no copies, no outliers
//! let part = split::deal(&facts[0].digest, 0);
//! assert_eq!(part, split::Part::Train);
//! let scale = normalise::scale("gray8".parse()?, &images);
//! assert_eq!(scale.mean, [24.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod clean;
pub mod digest;
mod error;
mod format;
pub mod frames;
pub mod kinds;
pub mod labelled;
pub mod layout;
pub mod normalise;
pub mod open;
mod pack;
pub mod rebuild;
mod recipe;
pub mod source;
pub mod split;
pub mod statistics;
pub mod tensor;
mod zlib;

pub use error::{Error, ErrorKind};
