//! The kolmo format and its arithmetic: integer Programs, what they could not predict, and the archive around both.
//!
//! A [`program::Program`] is a small network in integers that says how likely each next sample is. [`block`] codes images under it,
//! [`weights`] codes the Program itself, [`general`] codes what is no image, [`numbers`] the weights of networks, [`jpeg`] JPEG files, [`against`] those that resemble other weights, [`container`] frames it all. No floats, no files, no clock:
//! the same bytes give the same samples on every machine.
//!
//! ```
//! use kolmo_codec::Limits;
//! use kolmo_codec::block::{self, ImageRef};
//! use kolmo_codec::limits::Budget;
//! use kolmo_codec::program::{Dense, Head, Program, Stage, Tap};
//!
//! // The smallest Program: "as the sample to the left", one spike that takes nearly all mass.
//! let west = Tap { dy: 0, dx: -1 };
//! let layer = |n_in, n_out| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![0; n_out], biases: vec![0; n_out] };
//! let stage = Stage { taps: vec![west], layers: vec![layer(7, 1)] };
//! let mut out = layer(1, 4); // one component (weight, mean, scale) and one spike, log2 weights in 1/4096
//! out.biases = vec![0, 0, 3 << 12, 7 << 12];
//! let head = Head { hidden: vec![], out, follows: None };
//! let program = Program { bit_depth: 8, order: vec![0], stages: vec![stage], heads: vec![head], components: 1, spikes: vec![west], wide: None, colour: None, hats: 0 };
//! program.validate(&Limits::default())?;
//!
//! let samples = [[5u8; 60], [200; 60]].concat();
//! let image = ImageRef { height: 2, width: 60, samples: &samples };
//! let encoded = block::encode(&program, &[image])?;
//! assert!(encoded.bytes.len() <= 12);
//! let decoded = block::decode(&program, &[(2, 60)], &encoded.bytes, &mut Budget::new(1 << 20))?;
//! assert_eq!(decoded, [samples]);
//! # Ok::<(), kolmo_codec::Error>(())
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod adaptive;
pub mod against;
pub mod alphabet;
pub mod block;
pub mod cdf;
pub mod colour;
pub mod container;
pub mod context;
mod error;
pub mod format {
    #![doc = include_str!("../FORMAT.md")]
}
pub mod general;
pub mod jpeg;
mod kernel;
pub mod limits;
pub mod names;
pub mod network;
pub mod numbers;
pub mod network_format {
    #![doc = include_str!("../NETWORK.md")]
}
pub mod prior;
pub mod program;
mod range;
mod rans;
pub mod sample;
mod tables;
pub mod weights;

pub use error::{Error, ErrorKind};
pub use limits::Limits;
