//! A reference as the image that refers to it sees it: turned, moved and cut to that image's shape.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "places are clamped to the reference, shapes were paid for")]

use crate::block::Reference;
use crate::context::{MAX_CHANNELS, Plane};
use crate::error::Error;
use crate::limits::Budget;

/// Pixels around the image that are seen as well.
const MARGIN: usize = 1;

/// Samples of a reference and the Program's misses of them, at the places of the image that refers to it and one pixel around.
#[derive(Debug, Default)]
pub(crate) struct View {
    width: usize,
    channels: usize,
    /// Shape `[height + 2, width + 2, channels]`.
    samples: Vec<u8>,
    /// Unit 1/16.
    misses: Vec<i16>,
}

/// Samples of a channel at a pixel and around it: rows from the top.
pub(crate) type Nine = [i32; 9];

impl View {
    /// Takes memory for a view out of `budget`.
    pub(crate) fn pay(plane: &Plane, budget: &mut Budget) -> Result<(), Error> {
        let side = |length: usize| length as u64 + 2 * MARGIN as u64;
        let samples = side(plane.height).checked_mul(side(plane.width)).and_then(|pixels| pixels.checked_mul(plane.channels as u64));
        budget.take("references of a block", samples.unwrap_or(u64::MAX), (size_of::<u8>() + size_of::<i16>()) as u64)
    }

    /// What an image of the shape of `plane` sees of `reference`, which is `from` with these misses.
    pub(crate) fn new(plane: &Plane, reference: Reference, from: &Plane, misses: &[i16]) -> Self {
        let (height, width, channels) = (plane.height + 2 * MARGIN, plane.width + 2 * MARGIN, plane.channels);
        let swapped = reference.turn & 4 != 0;
        // Shape of the turned reference.
        let (rows, columns) = if swapped { (from.width, from.height) } else { (from.height, from.width) };
        let place = |at: usize, moved: i32, length: usize, mirrored: bool| {
            let at = (at as isize - MARGIN as isize + moved as isize).clamp(0, length as isize - 1) as usize;
            if mirrored { length - 1 - at } else { at }
        };
        let mut view =
            Self { width, channels, samples: Vec::with_capacity(height * width * channels), misses: Vec::with_capacity(height * width * channels) };
        for y in 0..height {
            let y = place(y, reference.down, rows, reference.turn & 2 != 0);
            for x in 0..width {
                let x = place(x, reference.right, columns, reference.turn & 1 != 0);
                let pixel = if swapped { x * from.width + y } else { y * from.width + x };
                view.samples.extend_from_slice(&from.samples[pixel * channels..][..channels]);
                view.misses.extend_from_slice(&misses[pixel * channels..][..channels]);
            }
        }
        view
    }

    /// Where the pixel north-west of (`y`, `x`) is.
    #[inline(always)]
    fn corner(&self, y: usize, x: usize) -> usize {
        (y * self.width + x) * self.channels
    }

    /// Samples of channel `c` around (`y`, `x`).
    #[inline(always)]
    pub(crate) fn around(&self, y: usize, x: usize, c: usize) -> Nine {
        let (at, row) = (self.corner(y, x) + c, self.width * self.channels);
        let mut around = [0; 9];
        for (row, around) in [at, at + row, at + 2 * row].into_iter().zip(around.chunks_exact_mut(3)) {
            for (column, around) in around.iter_mut().enumerate() {
                *around = self.samples[row + column * self.channels].into();
            }
        }
        around
    }

    /// The samples at (`y`, `x`), for each channel.
    #[inline(always)]
    pub(crate) fn here(&self, y: usize, x: usize) -> [i32; MAX_CHANNELS] {
        let at = self.corner(y + MARGIN, x + MARGIN);
        let mut here = [0; MAX_CHANNELS];
        for (here, &sample) in here.iter_mut().zip(&self.samples[at..at + self.channels]) {
            *here = sample.into();
        }
        here
    }

    /// The Program's miss at (`y`, `x`), unit 1/16.
    #[inline(always)]
    pub(crate) fn miss(&self, y: usize, x: usize, c: usize) -> i32 {
        self.misses[self.corner(y + MARGIN, x + MARGIN) + c].into()
    }
}
