//! How a dataset is learned.
#![recursion_limit = "256"]

pub mod checkpoint;
pub mod device;
pub mod effort;
mod error;
pub mod evaluate;
pub mod host;
pub mod loss;
pub mod net;
pub mod quantise;
pub mod sample;
pub mod train;

pub use error::Error;
