//! What is known around the pixels of a batch before they are coded, and the pixels themselves as they become known.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use super::BATCH;
use super::machine::Cell;
use crate::alphabet::Alphabet;
use crate::context::{MAX_CHANNELS, Plane, Window};
use crate::program::{Program, Tap};
use crate::sample::Sample;

/// What precedes a position in the rows of stage 0: as many narrow and wide inputs from one pixel's to the next's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strides {
    pub(super) narrow: usize,
    pub(super) wide: usize,
}

/// Values past the last pixel's that may be written over.
pub(super) const SLACK: usize = 64;

/// The surroundings of a batch.
pub(super) struct Around<S: Sample> {
    window: Window,
    taps: Vec<Tap>,
    /// Where each pixel is in its plane.
    at: [usize; BATCH],
    bases: [S::Pixel; BATCH],
    /// What is known of the pixels: in a decoder the channels up to the present one.
    pixels: [S::Pixel; BATCH],
    /// Of each spike: the pixels it sees.
    spikes: Vec<[S::Pixel; BATCH]>,
    /// In steps.
    residuals: [[i16; MAX_CHANNELS]; BATCH],
}

impl<S: Sample> Around<S> {
    pub(super) fn new(program: &Program) -> Self {
        Self {
            window: Window::new(&program.stages[0].taps, &program.spikes, program.channels(), program.hats.into()),
            taps: program.spikes.clone(),
            at: [0; BATCH],
            bases: [S::Pixel::default(); BATCH],
            pixels: [S::Pixel::default(); BATCH],
            spikes: vec![[S::Pixel::default(); BATCH]; program.spikes.len()],
            residuals: [[0; MAX_CHANNELS]; BATCH],
        }
    }

    /// Looks around `cells`, and gathers the inputs of stage 0: as samples, if there are to be narrow ones, else as differences. Both rows have [`SLACK`].
    pub(super) fn look(&mut self, planes: &[Plane<S>], cells: &[Cell], strides: Strides, narrow: &mut [u8], wide: &mut [i16]) {
        for (i, cell) in cells.iter().enumerate() {
            let plane = &planes[cell.image];
            let (y, x) = (cell.y, cell.x);
            let at = (y * plane.width + x) * plane.channels;
            self.at[i] = at;
            self.pixels[i] = S::pixel(&plane.samples[at..]);
            let bases = plane.base_pixel(at, y, x);
            self.bases[i] = bases;
            let inside = self.window.is_inside(plane, y, x);
            let wide = &mut wide[i * strides.wide..];
            match S::byte_plane(plane) {
                Some(bytes) if strides.narrow > 0 => {
                    self.window.gather_samples(bytes, at, (y, x), S::word(bases), inside, &mut narrow[i * strides.narrow..], wide);
                }
                _ => {
                    let mut all = [S::Base::default(); MAX_CHANNELS];
                    all.iter_mut().enumerate().for_each(|(c, base)| *base = S::get(bases, c).base());
                    self.window.gather(plane, y, x, &all, inside, wide);
                }
            }
            let row = plane.width * plane.channels;
            for (&tap, spikes) in self.taps.iter().zip(&mut self.spikes) {
                spikes[i] = if inside {
                    let from = (at - usize::from(tap.dy.unsigned_abs()) * row).wrapping_add_signed(isize::from(tap.dx) * plane.channels as isize);
                    S::pixel(&plane.samples[from..])
                } else {
                    plane.at(y, x, tap).map_or(bases, |from| S::pixel(&plane.samples[from..]))
                };
            }
        }
    }

    /// What the means of channel `c` are relative to: its base and, if it follows another, that channel's residual.
    pub(super) fn references(&self, cells: usize, c: usize, follows: Option<usize>) -> [i32; BATCH] {
        let mut references = [0; BATCH];
        for (reference, &bases) in references.iter_mut().zip(&self.bases).take(cells) {
            *reference = S::get(bases, c).base().into();
        }
        if let Some(earlier) = follows {
            for ((reference, &bases), &pixel) in references.iter_mut().zip(&self.bases).zip(&self.pixels).take(cells) {
                let (sample, base): (i32, i32) = (S::get(pixel, earlier).base().into(), S::get(bases, earlier).base().into());
                *reference += sample - base;
            }
        }
        references
    }

    pub(super) fn spikes(&self) -> &[[S::Pixel; BATCH]] {
        &self.spikes
    }

    /// Symbols of channel `c` as far as they are known.
    pub(super) fn symbols(&self, c: usize, alphabet: Alphabet, symbols: &mut [S]) {
        for (symbol, &pixel) in symbols.iter_mut().zip(&self.pixels) {
            *symbol = S::of(S::get(pixel, c).value() >> alphabet.log2_scale());
        }
    }

    /// Keeps symbols of channel `c`, in the planes as well.
    pub(super) fn keep(&mut self, planes: &mut [Plane<S>], cells: &[Cell], c: usize, alphabet: Alphabet, symbols: &[S]) {
        let mut samples = [S::default(); BATCH];
        for (sample, &symbol) in samples.iter_mut().zip(symbols) {
            *sample = S::of(symbol.value() << alphabet.log2_scale());
        }
        for (i, &sample) in samples[..symbols.len()].iter().enumerate() {
            self.pixels[i] = S::with(self.pixels[i], c, sample);
            self.residuals[i][c] = sample.difference(S::get(self.bases[i], c).base(), alphabet.resolution().into());
        }
        for ((cell, &at), &sample) in cells.iter().zip(&self.at).zip(&samples) {
            planes[cell.image].samples[at + c] = sample;
        }
    }

    pub(super) const fn residuals(&self) -> &[[i16; MAX_CHANNELS]; BATCH] {
        &self.residuals
    }
}
