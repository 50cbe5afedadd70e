//! The kolmo format and its arithmetic.
pub mod block;
pub mod cdf;
pub mod context;
mod error;
mod kernel;
pub mod limits;
pub mod program;
mod range;
mod tables;

pub use error::{Error, ErrorKind};
pub use limits::Limits;
