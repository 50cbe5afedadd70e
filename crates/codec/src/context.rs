//! What both sides know before a sample is coded: the inputs of a Program's first stage.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "every index is checked against the plane when a tap is looked up")]

mod window;

use crate::alphabet::Alphabet;
use crate::error::Error;
use crate::program::{POSITION_INPUTS, Tap};
use crate::sample::Sample;

pub(crate) use window::Window;

/// Most channels of a pixel.
pub const MAX_CHANNELS: usize = 4;

/// Where `position` is along an axis of `length` pixels, as triangular functions ("hats") whose tops stand evenly from the first pixel to the last: `out[i]` is 32
/// at the top of hat `i` and falls to 0 at those of its neighbours; unit 1/32.
///
/// `out` holds one value a hat: two or more. At most two hats are not 0, and all together they are 32.
#[inline]
pub(crate) fn hats(length: usize, position: usize, out: &mut [i16]) {
    out.fill(0);
    let steps = length.max(2) as u64 - 1;
    // Unit 1/32 of the way from one top to the next. `position < length`, so `at <= 32 (out.len() - 1)`; a length is at most 2^32.
    let at = (position as u64 * 32 * (out.len() as u64 - 1) + steps / 2) / steps;
    let (hat, past) = ((at >> 5) as usize, (at & 31) as i16);
    out[hat] = 32 - past;
    if past > 0 {
        out[hat + 1] = past;
    }
}

/// The samples of one image as a Program sees them: channels in coding order; symbols of up to 8 bits as bytes, scaled to 8 bits, deeper ones as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane<S = u8> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    alphabet: Alphabet,
    /// Shape `[height, width, channels]`.
    pub(crate) samples: Vec<S>,
}

#[cfg(test)]
impl Plane {
    /// An image of bytes, all 0.
    pub(crate) fn blank(height: usize, width: usize, channels: usize) -> Self {
        Self::empty(height, width, channels, Alphabet::from(8))
    }
}

impl<S: Sample> Plane<S> {
    /// Takes symbols of shape `[height, width, channels]`, each of the alphabet, into coding order.
    ///
    /// # Errors
    /// `InvalidArgument` if the symbols are not that many, or not that small, or if bytes are meant to hold deep ones or the other way round.
    pub fn new(height: usize, width: usize, symbols: &[S], order: &[u8], alphabet: impl Into<Alphabet>) -> Result<Self, Error> {
        let alphabet = alphabet.into();
        let channels = order.len();
        if alphabet.is_deep() != S::DEEP {
            return Err(Error::InvalidArgument { what: "symbols of up to 8 bits are bytes, deeper ones are not" });
        }
        if height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) != Some(symbols.len()) {
            return Err(Error::InvalidArgument { what: "an image has other than height x width x channels samples" });
        }
        let size = alphabet.size();
        if u32::from(alphabet.bit_depth()) < 8 * size_of::<S>() as u32 && symbols.iter().any(|&symbol| symbol.value() >= size) {
            return Err(Error::InvalidArgument { what: "an image has samples above its bit depth" });
        }
        let log2_scale = alphabet.log2_scale();
        let scaled = |symbol: S| S::of(symbol.value() << log2_scale);
        let mut samples = vec![S::default(); symbols.len()];
        for (to, pixel) in samples.chunks_exact_mut(channels.max(1)).zip(symbols.chunks_exact(channels.max(1))) {
            to.iter_mut().zip(order).for_each(|(to, &c)| *to = scaled(pixel[usize::from(c)]));
        }
        Ok(Self { height, width, channels, alphabet, samples })
    }

    /// An image of the given shape with all samples 0.
    pub(crate) fn empty(height: usize, width: usize, channels: usize, alphabet: Alphabet) -> Self {
        Self { height, width, channels, alphabet, samples: vec![S::default(); height * width * channels] }
    }

    /// The symbols as [`Plane::new`] took them.
    #[must_use]
    pub fn into_samples(self, order: &[u8]) -> Vec<S> {
        let log2_scale = self.alphabet.log2_scale();
        let mut out = vec![S::default(); self.samples.len()];
        for (to, from) in out.chunks_exact_mut(self.channels).zip(self.samples.chunks_exact(self.channels)) {
            for (&channel, &sample) in order.iter().zip(from) {
                to[usize::from(channel)] = S::of(sample.value() >> log2_scale);
            }
        }
        out
    }

    /// What symbols there are.
    #[must_use]
    pub const fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// Base of a sample that has neither a left nor an upper neighbour.
    fn middle(&self) -> S::Base {
        S::of((self.alphabet.size() >> 1) << self.alphabet.log2_scale()).base()
    }

    /// Rows and columns.
    #[must_use]
    pub const fn shape(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// All samples, shape `[height, width, channels]`, channels in coding order.
    #[must_use]
    pub fn samples(&self) -> &[S] {
        &self.samples
    }

    /// The samples of the pixel at (`y`, `x`), in coding order.
    #[inline]
    #[must_use]
    pub fn pixel(&self, y: usize, x: usize) -> &[S] {
        let start = (y * self.width + x) * self.channels;
        &self.samples[start..start + self.channels]
    }

    /// Index of the pixel at a tap, if it lies inside the image.
    #[inline]
    pub(crate) fn at(&self, y: usize, x: usize, tap: Tap) -> Option<usize> {
        let row = y.checked_sub(usize::from(tap.dy.unsigned_abs()))?;
        let column = x.checked_add_signed(tap.dx.into()).filter(|&column| column < self.width)?;
        Some((row * self.width + column) * self.channels)
    }

    /// Base of each channel at (`y`, `x`): the mean of the left and the upper sample, rounded down; one of them at a border; else the middle of the
    /// alphabet (128 for bytes).
    #[inline]
    #[must_use]
    pub fn bases(&self, y: usize, x: usize) -> [S::Base; MAX_CHANNELS] {
        let middle = self.middle();
        let mut bases = [middle; MAX_CHANNELS];
        let here = (y * self.width + x) * self.channels;
        let left = (x > 0).then(|| here - self.channels);
        let up = (y > 0).then(|| here - self.width * self.channels);
        for (c, base) in bases[..self.channels].iter_mut().enumerate() {
            let value = |at: usize| self.samples[at + c].base();
            *base = match (left, up) {
                (Some(left), Some(up)) => S::mean(value(left), value(up)),
                (Some(one), None) | (None, Some(one)) => value(one),
                (None, None) => middle,
            };
        }
        bases
    }

    /// [`Plane::bases`] side by side; the pixel begins at `at`.
    #[inline(always)]
    pub(crate) fn base_pixel(&self, at: usize, y: usize, x: usize) -> S::Pixel {
        let left = || S::pixel(&self.samples[at - self.channels..]);
        let up = || S::pixel(&self.samples[at - self.width * self.channels..]);
        match (x > 0, y > 0) {
            (true, true) => S::mean_of(left(), up()),
            (true, false) => left(),
            (false, true) => up(),
            (false, false) => S::pixel(&[S::of_base(self.middle()); MAX_CHANNELS]),
        }
    }

    /// A sample's residual in steps, as networks see it.
    #[inline(always)]
    #[must_use]
    pub fn residual(&self, sample: S, base: S::Base) -> i16 {
        sample.difference(base, self.alphabet.resolution().into())
    }

    /// Writes the inputs of stage 0 at (`y`, `x`): for each tap and channel the difference to the base (0 outside the image), then the
    /// bases, then top, left and right distances and the parities of `y` and `x`, then `n_hats` hats along each axis ([`Program::hats`](crate::program::Program::hats)); all of unit 1/32.
    ///
    /// `out` holds `taps x channels + channels x levels + 5 + 2 x n_hats` values, `levels` being [`Sample::LEVELS`].
    #[inline]
    pub fn gather(&self, taps: &[Tap], n_hats: usize, y: usize, x: usize, bases: &[S::Base; MAX_CHANNELS], out: &mut [i16]) {
        let channels = self.channels;
        let (windows, rest) = out.split_at_mut(taps.len() * channels);
        for (&tap, differences) in taps.iter().zip(windows.chunks_exact_mut(channels)) {
            match self.at(y, x, tap) {
                Some(at) => {
                    for ((difference, &sample), &base) in differences.iter_mut().zip(&self.samples[at..at + channels]).zip(bases) {
                        *difference = self.residual(sample, base);
                    }
                }
                None => differences.fill(0),
            }
        }
        self.gather_place(n_hats, y, x, bases, rest);
    }

    /// The part of [`Plane::gather`] behind the taps. `out` may be longer.
    #[inline(always)]
    pub fn gather_place(&self, n_hats: usize, y: usize, x: usize, bases: &[S::Base; MAX_CHANNELS], out: &mut [i16]) {
        let (levels, position) = out.split_at_mut(self.channels * S::LEVELS);
        for (level, &base) in levels.chunks_exact_mut(S::LEVELS).zip(bases) {
            S::levels(base, self.alphabet.bit_depth(), level);
        }
        let near = |distance: usize| 4 * distance.min(8) as i16;
        let inputs: [i16; POSITION_INPUTS] = [near(y), near(x), near(self.width - 1 - x), 32 * (y & 1) as i16, 32 * (x & 1) as i16];
        position[..POSITION_INPUTS].copy_from_slice(&inputs);
        if n_hats > 0 {
            let (down, across) = position[POSITION_INPUTS..][..2 * n_hats].split_at_mut(n_hats);
            hats(self.height, y, down);
            hats(self.width, x, across);
        }
    }

    /// Value of channel `c` at a tap; the base outside the image.
    #[inline]
    #[must_use]
    pub fn spike(&self, tap: Tap, y: usize, x: usize, c: usize, base: S::Base) -> S {
        self.at(y, x, tap).map_or(S::of_base(base), |at| self.samples[at + c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hats_are_as_the_format_has_them() {
        for n in 2..=16usize {
            for length in [1usize, 2, 3, 7, 28, 105, 512, 100_003] {
                for position in (0..length).step_by(length.div_ceil(600)).chain([length - 1]) {
                    let at = if length > 1 { (position * 32 * (n - 1) + (length - 1) / 2) / (length - 1) } else { 0 };
                    let expected: Vec<i16> = (0..n).map(|hat| (32 - (at as i64 - 32 * hat as i64).abs()).max(0) as i16).collect();
                    let mut out = vec![-9; n];
                    hats(length, position, &mut out);
                    assert_eq!(out, expected, "{position} of {length}");
                    assert_eq!(out.iter().sum::<i16>(), 32, "{position} of {length}");
                }
                let (mut first, mut last) = (vec![0; n], vec![0; n]);
                hats(length, 0, &mut first);
                hats(length, length - 1, &mut last);
                assert_eq!((first[0], last[if length > 1 { n - 1 } else { 0 }]), (32, 32));
            }
        }
        let mut out = [0; 16];
        hats(u32::MAX as usize, u32::MAX as usize - 1, &mut out);
        assert_eq!(out[15], 32, "an axis as long as can be");
    }
}
