//! Kinds of images: how much is lost if images share one model, and where a row of them is best cut.
//!
//! [`Counts`] is a static context model of some images; the code length of several together, less that of each alone, says how different they are.
//! [`cheapest_cuts`] finds, by dynamic programming, the runs of a row that cost least in all.
//!
//! ```
//! use kolmo_data::kinds::{Counts, cheapest_cuts};
//! use kolmo_data::layout::Image;
//!
//! let image = |step: usize| Image::new(64, 64, "gray8".parse()?, (0..4096).map(|at| (at * at / step % 256) as u8).collect());
//! let row = [image(900)?, image(900)?, image(3)?];
//! let together = |from: usize, to: usize| {
//!     let mut counts = Counts::default();
//!     row[from..to].iter().for_each(|image| counts.add(&Counts::of_image(image), 1.0));
//!     counts.bits() + 4096.0 // and what a model takes
//! };
//! assert_eq!(cheapest_cuts(3, 2, together)[1].ends, [2, 3]);
//! # Ok::<(), kolmo_data::Error>(())
//! ```

mod counts;
mod cuts;

pub use counts::Counts;
pub use cuts::{Cuts, cheapest_cuts};
