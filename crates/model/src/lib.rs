//! How a dataset is learned: a small causal network is trained on images, rounded to integers, tuned, and lowered to the
//! [`kolmo_codec::program::Program`] that codes them. burn lives here and nowhere else.
//!
//! ```
//! use kolmo_codec::context::Plane;
//! use kolmo_model::device::{DeviceChoice, choose};
//! use kolmo_model::effort::Plan;
//! use kolmo_model::train::{Progress, Run, TrainSet, Watch, Wish, coding_order, train};
//!
//! struct Quiet;
//! impl Watch for Quiet {
//!     fn step(&mut self, _: &Progress) -> Wish {
//!         Wish::Continue
//!     }
//! }
//!
//! // Four grey ramps of 32 x 32 samples: 8 bits each as they stand.
//! let ramp = |k: usize| (0..32 * 32).map(|i| ((i % 32) * k + i / 32) as u8).collect::<Vec<u8>>();
//! let order = coding_order(1);
//! let train_images = (1..5).map(|k| Plane::new(32, 32, &ramp(k), &order, 8)).collect::<Result<_, _>>()?;
//! let set = TrainSet { train: train_images, order, bit_depth: 8, ..TrainSet::default() };
//! let plan = Plan { steps: 150, batch_pixels: 1024, ..Plan::new(1, 1, 4096, 4096) };
//! let run = Run { seed: 0, device: choose(DeviceChoice::Cpu)?, time_budget: None, checkpoint: None, resume: false, start: None };
//! let trained = train(&set, &plan, &run, &mut Quiet)?;
//! assert!(trained.tuned.train < 4.0, "bits per sample: {}", trained.tuned.train);
//! # Ok::<(), kolmo_model::Error>(())
//! ```
#![recursion_limit = "256"]

pub mod checkpoint;
pub mod classify;
pub mod device;
pub mod effort;
mod error;
pub mod evaluate;
pub mod host;
pub mod levels;
pub mod loss;
pub mod net;
mod product;
pub mod quantise;
pub mod sample;
pub mod train;
pub mod weights;

pub use error::Error;
