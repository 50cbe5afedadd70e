//! What both sides know before a sample is coded: the inputs of a Program's first stage.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "every index is checked against the plane when a tap is looked up")]

mod window;

use crate::error::Error;
use crate::program::{POSITION_INPUTS, Tap};

pub(crate) use window::Window;

/// Most channels of a pixel.
pub const MAX_CHANNELS: usize = 4;
/// Base of a sample that has neither a left nor an upper neighbour.
const MIDDLE: i16 = 128;

/// The samples of one image as a Program sees them: channels in coding order, values scaled to 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Shape `[height, width, channels]`.
    pub(crate) samples: Vec<u8>,
}

impl Plane {
    /// Takes samples of shape `[height, width, channels]`, each below `2^bit_depth`, into coding order.
    ///
    /// # Errors
    /// `InvalidArgument` if the samples are not that many, or not that small.
    pub fn new(height: usize, width: usize, samples: &[u8], order: &[u8], bit_depth: u8) -> Result<Self, Error> {
        let channels = order.len();
        if height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) != Some(samples.len()) {
            return Err(Error::InvalidArgument { what: "an image has other than height x width x channels samples" });
        }
        if bit_depth < 8 && samples.iter().any(|&sample| sample >> bit_depth != 0) {
            return Err(Error::InvalidArgument { what: "an image has samples above its bit depth" });
        }
        let scaled = samples.chunks_exact(channels.max(1)).flat_map(|pixel| order.iter().map(move |&c| pixel[usize::from(c)] << (8 - bit_depth)));
        Ok(Self { height, width, channels, samples: scaled.collect() })
    }

    /// An image of the given shape with all samples 0.
    pub(crate) fn blank(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels, samples: vec![0; height * width * channels] }
    }

    /// The samples as [`Plane::new`] took them.
    #[must_use]
    pub fn into_samples(self, order: &[u8], bit_depth: u8) -> Vec<u8> {
        let mut out = vec![0; self.samples.len()];
        for (to, from) in out.chunks_exact_mut(self.channels).zip(self.samples.chunks_exact(self.channels)) {
            for (&channel, &sample) in order.iter().zip(from) {
                to[usize::from(channel)] = sample >> (8 - bit_depth);
            }
        }
        out
    }

    /// Rows and columns.
    #[must_use]
    pub const fn shape(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// All samples, shape `[height, width, channels]`, channels in coding order, values scaled to 8 bits.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The samples of the pixel at (`y`, `x`), in coding order.
    #[inline]
    #[must_use]
    pub fn pixel(&self, y: usize, x: usize) -> &[u8] {
        let start = (y * self.width + x) * self.channels;
        &self.samples[start..start + self.channels]
    }

    /// Index of the pixel at a tap, if it lies inside the image.
    #[inline]
    fn at(&self, y: usize, x: usize, tap: Tap) -> Option<usize> {
        let row = y.checked_sub(usize::from(tap.dy.unsigned_abs()))?;
        let column = x.checked_add_signed(tap.dx.into()).filter(|&column| column < self.width)?;
        Some((row * self.width + column) * self.channels)
    }

    /// Base of each channel at (`y`, `x`): the mean of the left and the upper sample, rounded down; one of them at a border; else 128.
    #[inline]
    #[must_use]
    pub fn bases(&self, y: usize, x: usize) -> [i16; MAX_CHANNELS] {
        let mut bases = [MIDDLE; MAX_CHANNELS];
        let here = (y * self.width + x) * self.channels;
        let left = (x > 0).then(|| here - self.channels);
        let up = (y > 0).then(|| here - self.width * self.channels);
        for (c, base) in bases[..self.channels].iter_mut().enumerate() {
            let value = |at: usize| i16::from(self.samples[at + c]);
            *base = match (left, up) {
                (Some(left), Some(up)) => (value(left) + value(up)) >> 1,
                (Some(one), None) | (None, Some(one)) => value(one),
                (None, None) => MIDDLE,
            };
        }
        bases
    }

    /// Writes the inputs of stage 0 at (`y`, `x`): for each tap and channel the difference to the base (0 outside the image), then the
    /// bases, then top, left and right distances and the parities of `y` and `x`; all of unit 1/32.
    ///
    /// `out` holds `taps x channels + channels + 5` values.
    #[inline]
    pub fn gather(&self, taps: &[Tap], y: usize, x: usize, bases: &[i16; MAX_CHANNELS], out: &mut [i16]) {
        let channels = self.channels;
        let (windows, rest) = out.split_at_mut(taps.len() * channels);
        for (&tap, differences) in taps.iter().zip(windows.chunks_exact_mut(channels)) {
            match self.at(y, x, tap) {
                Some(at) => {
                    for ((difference, &sample), &base) in differences.iter_mut().zip(&self.samples[at..at + channels]).zip(bases) {
                        *difference = i16::from(sample) - base;
                    }
                }
                None => differences.fill(0),
            }
        }
        self.gather_place(y, x, bases, rest);
    }

    /// The part of [`Plane::gather`] behind the taps.
    #[inline(always)]
    fn gather_place(&self, y: usize, x: usize, bases: &[i16; MAX_CHANNELS], out: &mut [i16]) {
        let (levels, position) = out.split_at_mut(self.channels);
        for (level, &base) in levels.iter_mut().zip(bases) {
            *level = (base - 128) >> 1;
        }
        let near = |distance: usize| 4 * distance.min(8) as i16;
        let inputs: [i16; POSITION_INPUTS] = [near(y), near(x), near(self.width - 1 - x), 32 * (y & 1) as i16, 32 * (x & 1) as i16];
        position[..POSITION_INPUTS].copy_from_slice(&inputs);
    }

    /// Value of channel `c` at a tap, 8-bit; the base outside the image.
    #[inline]
    #[must_use]
    pub fn spike(&self, tap: Tap, y: usize, x: usize, c: usize, base: i16) -> u8 {
        self.at(y, x, tap).map_or(base as u8, |at| self.samples[at + c])
    }
}
