//! The inputs of stage 0, gathered row by row where the whole window lies inside the image.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a window is inside the image before its rows are read")]

use super::{MAX_CHANNELS, Plane};
use crate::program::Tap;
use crate::sample::Sample;

/// Taps of a stage 0, in runs of neighbours.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    taps: Vec<Tap>,
    /// Hats along each axis.
    n_hats: usize,
    channels: usize,
    runs: Vec<Run>,
    /// Rows above, columns to the left and to the right that some tap sees, the others' among them.
    up: usize,
    left: usize,
    right: usize,
    /// Values of the longest run.
    longest: usize,
}

/// Taps of one row, each one column right of the one before.
#[derive(Debug, Clone, Copy)]
struct Run {
    up: usize,
    /// Columns right of the pixel, of the first tap.
    dx: isize,
    /// Values: taps x channels.
    values: usize,
}

impl Window {
    /// A window of `taps` on images of `channels`, with `n_hats` hats along each axis behind it; `others` are looked at besides.
    pub(crate) fn new(taps: &[Tap], others: &[Tap], channels: usize, n_hats: usize) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (index, tap) in taps.iter().enumerate() {
            let goes_on = index > 0 && taps[index - 1].dy == tap.dy && i16::from(taps[index - 1].dx) + 1 == i16::from(tap.dx);
            match runs.last_mut() {
                Some(run) if goes_on => run.values += channels,
                _ => runs.push(Run { up: tap.dy.unsigned_abs().into(), dx: tap.dx.into(), values: channels }),
            }
        }
        let most = |of: fn(&Tap) -> i8| taps.iter().chain(others).map(|tap| usize::try_from(of(tap)).unwrap_or(0)).max().unwrap_or(0);
        Self {
            taps: taps.to_vec(),
            n_hats,
            channels,
            longest: runs.iter().map(|run| run.values).max().unwrap_or(0),
            runs,
            up: most(|tap| -tap.dy),
            left: most(|tap| -tap.dx),
            right: most(|tap| tap.dx),
        }
    }

    /// Whether all taps see something.
    #[inline(always)]
    pub(crate) fn is_inside<S: Sample>(&self, plane: &Plane<S>, y: usize, x: usize) -> bool {
        y >= self.up && x >= self.left && x + self.right < plane.width
    }

    /// [`Plane::gather`] in two rows: samples as they are, those of `bases` (four bytes) where there are none; then bases, and what stands behind the taps. The
    /// pixel begins at `at`. Rows may be longer; what follows in them is written over.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "what is known of the pixel is handed on")]
    pub(crate) fn gather_samples(
        &self,
        plane: &Plane,
        at: usize,
        (y, x): (usize, usize),
        bases: u32,
        inside: bool,
        narrow: &mut [u8],
        wide: &mut [i16],
    ) {
        /// Bytes copied at once.
        const PIECE: usize = 32;
        let mut to = 0;
        if inside {
            let row = plane.width * self.channels;
            for run in &self.runs {
                let start = (at - run.up * row).wrapping_add_signed(run.dx * self.channels as isize);
                for done in (0..run.values).step_by(PIECE) {
                    let (from, to) = (&plane.samples[start + done..], &mut narrow[to + done..]);
                    match (from.first_chunk::<PIECE>(), to.first_chunk_mut()) {
                        (Some(from), Some(to)) => *to = *from,
                        _ => copy_rest(&from[..run.values - done], to),
                    }
                }
                to += run.values;
            }
        } else {
            for &tap in &self.taps {
                let pixel = plane.at(y, x, tap).map_or(bases, |at| u8::pixel(&plane.samples[at..]));
                narrow[to..to + MAX_CHANNELS].copy_from_slice(&pixel.to_le_bytes());
                to += self.channels;
            }
        }
        let mut all = [0; MAX_CHANNELS];
        all.iter_mut().zip(bases.to_le_bytes()).for_each(|(base, byte)| *base = byte.into());
        wide[..MAX_CHANNELS].copy_from_slice(&all);
        plane.gather_place(self.n_hats, y, x, &all, &mut wide[self.channels..]);
    }

    /// As [`Plane::gather`], whose taps these are. `out` may be longer.
    #[inline]
    pub(crate) fn gather<S: Sample>(&self, plane: &Plane<S>, y: usize, x: usize, bases: &[S::Base; MAX_CHANNELS], inside: bool, out: &mut [i16]) {
        if !inside {
            return plane.gather(&self.taps, self.n_hats, y, x, bases, out);
        }
        /// Longest window row: 31 columns of 4 channels.
        const LONGEST: usize = 31 * MAX_CHANNELS;
        let mut repeated = [S::Base::default(); LONGEST];
        for (at, base) in repeated[..self.longest].iter_mut().zip(bases[..self.channels].iter().cycle()) {
            *at = *base;
        }
        let mut rest = &mut *out;
        for run in &self.runs {
            let (differences, more) = rest.split_at_mut(run.values);
            let start = ((y - run.up) * plane.width).wrapping_add_signed(run.dx).wrapping_add(x) * self.channels;
            for ((to, &sample), &base) in differences.iter_mut().zip(&plane.samples[start..start + run.values]).zip(&repeated) {
                *to = plane.residual(sample, base);
            }
            rest = more;
        }
        plane.gather_place(self.n_hats, y, x, bases, rest);
    }
}

/// At the end of an image. Apart, or both ways of copying would become one, which calls a function for a few bytes.
#[cold]
#[inline(never)]
fn copy_rest(from: &[u8], to: &mut [u8]) {
    to[..from.len()].copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_at_the_border_it_gathers_what_the_taps_say() {
        let taps: Vec<Tap> =
            [(-2, -1), (-2, 0), (-1, -3), (-1, -2), (-1, -1), (-1, 1), (-1, 2), (0, -2), (0, -1)].map(|(dy, dx)| Tap { dy, dx }).to_vec();
        for channels in 1..=4usize {
            let (height, width) = (6, 9);
            let samples: Vec<u8> = (0..height * width * channels).map(|i| (i * 37 % 251) as u8).collect();
            let order: Vec<u8> = (0..channels as u8).collect();
            let plane = Plane::new(height, width, &samples, &order, 8).expect("samples fit");
            for ((y, x), n_hats) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).flat_map(|at| [0, 2, 5, 16].map(|n_hats| (at, n_hats)))
            {
                let window = Window::new(&taps, &[], channels, n_hats);
                let place = 5 + 2 * n_hats;
                let bases = plane.bases(y, x);
                let (mut slow, mut fast) = (vec![0; taps.len() * channels + channels + place], vec![7; taps.len() * channels + channels + place + 3]);
                plane.gather(&taps, n_hats, y, x, &bases, &mut slow);
                let inside = window.is_inside(&plane, y, x);
                window.gather(&plane, y, x, &bases, inside, &mut fast);
                assert_eq!(slow, fast[..slow.len()], "{y} {x} {channels}");
                // Samples less their bases are the differences.
                let at = (y * width + x) * channels;
                let (mut narrow, mut wide) = (vec![9; taps.len() * channels + 40], vec![9; 2 * channels + place + 4]);
                let word = plane.base_pixel(at, y, x);
                window.gather_samples(&plane, at, (y, x), word, inside, &mut narrow, &mut wide);
                assert_eq!(wide[..channels], bases[..channels]);
                assert_eq!(wide[channels..2 * channels + place], slow[taps.len() * channels..]);
                for (i, difference) in slow[..taps.len() * channels].iter().enumerate() {
                    assert_eq!(i16::from(narrow[i]) - bases[i % channels], *difference, "{y} {x} {channels}");
                }
            }
        }
    }
}
