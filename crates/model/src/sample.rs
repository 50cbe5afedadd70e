//! Batches: patches of images, gathered on the host as the integer Program will see them.

use kolmo_codec::alphabet::Alphabet;
use kolmo_codec::context::Plane;
use kolmo_codec::program::Tap;
use kolmo_codec::sample::Sample;
use rayon::prelude::*;

use crate::loss::lanes::{self, LANES, Targets};
use crate::loss::{self, Shape, Target};
use crate::net::{NetShape, UNIT};

/// A rectangle of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Which plane.
    pub image: usize,
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The host side of a batch; see [`crate::net::Inputs`] for the shapes.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Shape `[around, inputs]`.
    pub windows: Vec<f32>,
    /// Shape `[around, channels]`.
    pub residuals: Vec<f32>,
    /// Shape `[core]`.
    pub here: Vec<i32>,
    /// Shape `[core, 4]`.
    pub near: Vec<i32>,
    /// Shape `[core, channels]`, steps.
    pub samples: Vec<f32>,
    /// What each channel's means are relative to, shape `[core, channels]`, steps.
    pub references: Vec<f32>,
    /// Shape `[core, channels, spikes]`, steps.
    pub spikes: Vec<f32>,
}

/// How pixels become batches.
#[derive(Debug, Clone)]
pub struct Sampler {
    shape: NetShape,
    pub(crate) window: Vec<Tap>,
    pub(crate) spike_taps: Vec<Tap>,
    pub(crate) follows: Vec<Option<u8>>,
}

impl Sampler {
    /// `follows` as in [`kolmo_codec::program::Head::follows`], one a channel.
    #[must_use]
    pub fn new(shape: &NetShape, follows: &[Option<u8>]) -> Self {
        Self { window: shape.window(), spike_taps: shape.spike_taps(), shape: shape.clone(), follows: follows.to_vec() }
    }

    /// The network it samples for.
    #[must_use]
    pub const fn shape(&self) -> &NetShape {
        &self.shape
    }

    /// Gathers patches into one batch, on all threads.
    #[must_use]
    pub fn gather<S: Sample>(&self, planes: &[Plane<S>], patches: &[Patch]) -> Batch {
        let parts: Vec<Batch> = patches.par_iter().map(|patch| self.gather_one_by_one(planes, std::slice::from_ref(patch))).collect();
        let rows = |batch: &Batch| (batch.residuals.len() / self.shape.channels) as i32;
        let around: i32 = parts.iter().map(rows).sum();
        let mut all = Batch::default();
        let mut first = 0;
        for part in parts {
            let rows = rows(&part);
            all.windows.extend(part.windows);
            all.residuals.extend(part.residuals);
            all.here.extend(part.here.iter().map(|row| row + first));
            all.near.extend(part.near.iter().map(|&row| if row == rows { around } else { row + first }));
            all.samples.extend(part.samples);
            all.references.extend(part.references);
            all.spikes.extend(part.spikes);
            first += rows;
        }
        all
    }

    /// The same on this thread alone.
    pub(crate) fn gather_one_by_one<S: Sample>(&self, planes: &[Plane<S>], patches: &[Patch]) -> Batch {
        let mut all = Batch::default();
        patches.iter().for_each(|patch| self.add(&planes[patch.image], patch, &mut all));
        // What is outside the image is the row of zeros after the last.
        let around = (all.residuals.len() / self.shape.channels) as i32;
        all.near.iter_mut().filter(|row| **row < 0).for_each(|row| *row = around);
        all
    }

    /// Adds a patch, with the pixels around it that the second stage looks at; -1 stands for what is near, but outside the image.
    fn add<S: Sample>(&self, plane: &Plane<S>, patch: &Patch, out: &mut Batch) {
        let (channels, inputs) = (self.shape.channels, self.shape.inputs());
        let halo = usize::from(!self.shape.second.is_empty());
        let (top, left) = (patch.y.saturating_sub(halo), patch.x.saturating_sub(halo));
        let right = (patch.x + patch.width + halo).min(plane.shape().1);
        let (rows, columns) = (patch.y + patch.height - top, right - left);
        let first = out.residuals.len() / channels;
        let row_of = |y: usize, x: usize| (first + (y - top) * columns + x - left) as i32;
        let unit = steps_a_value(plane.alphabet());
        out.windows.reserve(rows * columns * inputs);
        out.residuals.reserve(rows * columns * channels);
        out.here.reserve(patch.height * patch.width);
        let mut window = vec![0i16; inputs];
        for y in top..top + rows {
            for x in left..right {
                let bases = plane.bases(y, x);
                plane.gather(&self.window, self.shape.hats, y, x, &bases, &mut window);
                out.windows.extend(window.iter().map(|&value| f32::from(value) * UNIT as f32));
                let pixel = plane.pixel(y, x);
                out.residuals.extend(pixel.iter().zip(bases).map(|(&sample, base)| f32::from(plane.residual(sample, base)) * UNIT as f32));
                if y < patch.y || x < patch.x || x >= patch.x + patch.width {
                    continue;
                }
                out.here.push(row_of(y, x));
                if halo > 0 {
                    let tap = |tap: &Tap| match (y.checked_add_signed(tap.dy.into()), x.checked_add_signed(tap.dx.into())) {
                        (Some(y), Some(x)) if x < plane.shape().1 => row_of(y, x),
                        _ => -1,
                    };
                    out.near.extend(NetShape::near().iter().map(tap));
                }
                for c in 0..channels {
                    out.samples.push(value(pixel[c]) * unit);
                    out.references.push(self.reference(pixel, &bases, c) as f32 * unit);
                    out.spikes.extend(self.spike_taps.iter().map(|&tap| value(plane.spike(tap, y, x, c, bases[c])) * unit));
                }
            }
        }
    }

    /// What the means of channel `c` are relative to, as a plane's value.
    #[inline]
    pub(crate) fn reference<S: Sample>(&self, pixel: &[S], bases: &[S::Base], c: usize) -> i32 {
        let followed = |earlier: usize| pixel[earlier].base().into() - bases[earlier].into();
        bases[c].into() + self.follows[c].map_or(0, |earlier| followed(earlier.into()))
    }

    /// Sum of bits over a batch, and the gradient of their mean with respect to each head's outputs (shape `[core, outputs]` each).
    #[must_use]
    pub fn loss(&self, batch: &Batch, outputs: &[Vec<f32>], alphabet: impl Into<Alphabet>) -> (f64, Vec<Vec<f32>>) {
        let (channels, width) = (self.shape.channels, self.shape.outputs());
        let shape = Shape { components: self.shape.components, spikes: self.spike_taps.len(), alphabet: alphabet.into() };
        let weight = 1.0 / (batch.samples.len() as f32);
        let mut total = 0.0;
        let mut gradients = Vec::with_capacity(channels);
        for (c, outputs) in outputs.iter().enumerate() {
            let mut gradient = vec![0f32; outputs.len()];
            // Whole groups of sixteen go by lanes, the rest one by one.
            let whole = outputs.len() / (width * LANES) * (width * LANES);
            let (gradient_lanes, gradient_rest) = gradient.split_at_mut(whole);
            total += gradient_lanes
                .par_chunks_mut(width * LANES * 16)
                .zip(outputs[..whole].par_chunks(width * LANES * 16))
                .enumerate()
                .map(|(chunk, (gradients, outputs))| {
                    let groups = gradients.chunks_exact_mut(width * LANES).zip(outputs.chunks_exact(width * LANES)).zip(chunk * 16..);
                    groups
                        .map(|((gradient, outputs), group)| lanes::bits(shape, outputs, &self.targets(batch, group * LANES, c), weight, gradient))
                        .sum()
                })
                .collect::<Vec<f64>>()
                .into_iter()
                .sum::<f64>(); // in order: the sum must not depend on how threads share the work
            let rest = gradient_rest.chunks_exact_mut(width).zip(outputs[whole..].chunks_exact(width)).zip(whole / width..);
            for ((gradient, outputs), pixel) in rest {
                let at = pixel * channels + c;
                let spikes = &batch.spikes[at * shape.spikes..(at + 1) * shape.spikes];
                let target = Target { sample: batch.samples[at], reference: batch.references[at], spikes };
                total += f64::from(loss::bits(shape, outputs, &target, weight, gradient));
            }
            gradients.push(gradient);
        }
        (total, gradients)
    }

    /// What channel `c` of sixteen pixels is measured on.
    fn targets(&self, batch: &Batch, first: usize, c: usize) -> Targets {
        let (channels, spikes) = (self.shape.channels, self.spike_taps.len());
        let mut targets = Targets::default();
        for l in 0..LANES {
            let at = (first + l) * channels + c;
            targets.samples[l] = batch.samples[at];
            targets.references[l] = batch.references[at];
            for (hit, &value) in targets.hits.iter_mut().zip(&batch.spikes[at * spikes..(at + 1) * spikes]) {
                hit[l] = f32::from(u8::from(value == batch.samples[at]));
            }
        }
        targets
    }
}

/// Steps that one of a plane's values is wide.
pub(crate) fn steps_a_value(alphabet: Alphabet) -> f32 {
    (1u32 << alphabet.log2_unit()) as f32 / 256.0
}

/// A sample as a real number.
pub(crate) fn value<S: Sample>(sample: S) -> f32 {
    sample.into()
}

/// A reproducible stream of numbers (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }
}

/// Draws patches: images by their share of pixels, places evenly, borders a little more often.
#[derive(Debug, Clone)]
pub struct Dealer {
    /// Pixels of all planes up to and with each.
    ends: Vec<u64>,
    dice: Dice,
    side: usize,
}

impl Dealer {
    /// Patches of up to `side x side` pixels.
    #[must_use]
    pub fn new<S: Sample>(planes: &[Plane<S>], side: usize, seed: u64) -> Self {
        let ends = planes.iter().scan(0u64, |end, plane| {
            *end += (plane.shape().0 * plane.shape().1) as u64;
            Some(*end)
        });
        Self { ends: ends.collect(), dice: Dice::new(seed), side }
    }

    /// Patches that hold at least `pixels` pixels together.
    pub fn deal<S: Sample>(&mut self, planes: &[Plane<S>], pixels: usize) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut held = 0;
        let total = self.ends.last().copied().unwrap_or(0);
        while held < pixels && total > 0 {
            let at = self.dice.below(total);
            let image = self.ends.partition_point(|&end| end <= at);
            let (height, width) = planes[image].shape();
            let mut place = |size: usize| {
                let margin = self.side / 2;
                let free = size.saturating_sub(self.side);
                (self.dice.below((free + 2 * margin + 1) as u64) as usize).saturating_sub(margin).min(free)
            };
            let (y, x) = (place(height), place(width));
            let patch = Patch { image, y, x, height: self.side.min(height), width: self.side.min(width) };
            held += patch.height * patch.width;
            patches.push(patch);
        }
        patches
    }
}
