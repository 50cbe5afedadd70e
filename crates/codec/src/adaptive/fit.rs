//! Least squares that follow an image: a linear correction of the Program's mean, fitted to the strip of rows it is used in.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "strips are counted before the walk; ranges stand beside the sums")]

use crate::block::{BATCH, References};
use crate::context::{MAX_CHANNELS, Plane};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;

/// Inputs of a fit, each within +-127.
pub(crate) const INPUTS: usize = 32;

/// A strip ends where an image does if it has this many pixels, so that small images share one.
const LEAST_PIXELS: usize = 512;
/// Within an image it ends after this many rows and pixels. Rates hardly move from half to twice as much.
const STRIP: (usize, usize) = (16, 2048);
/// Sums lose `2^-9` of themselves with each sample. 8 and 10 gave 0.1 and 0.4 % more on photos100.
pub(super) const LOG2_WINDOW: u32 = 9;
/// Samples between two steps towards the solution, and rounds of one. Steps after 8 samples, or four rounds, gave 0.05 % less.
const STEP: (u32, u32) = (16, 2);
/// Added to the diagonal: unit 2^-6 of a squared 8-bit step.
const RIDGE: i64 = 256 << 6;
/// A weight is below 4, unit 2^-16.
const BOUND: i64 = 1 << 18;

/// Normal equations of one channel of a strip, and how far they are solved.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Fit {
    /// Decayed sums of products of inputs times trust (at most 64): below `2^9 x 2^14 x 2^6`.
    products: [[i32; INPUTS]; INPUTS],
    /// The same of inputs and targets; targets have unit 1/16.
    targets: [i64; INPUTS],
    /// Unit 2^-16.
    weights: [i32; INPUTS],
    /// Samples since the last step.
    waiting: u32,
    begun: bool,
}

impl Fit {
    const NEW: Self = Self { products: [[0; INPUTS]; INPUTS], targets: [0; INPUTS], weights: [0; INPUTS], waiting: 0, begun: false };

    /// Steps towards the weights of least squared error: rounds of Gauss and Seidel, each weight in turn.
    #[inline(always)]
    fn step(&mut self) {
        let mut weights = self.weights;
        // What the weights leave unexplained; unit 2^-16 of the products', below 2^53.
        let mut left = [0i64; INPUTS];
        let mut inverse = [0i64; INPUTS];
        for (i, (left, inverse)) in left.iter_mut().zip(&mut inverse).enumerate() {
            *left = (self.targets[i] << 12) - RIDGE * i64::from(weights[i]);
            *inverse = (1 << 40) / (i64::from(self.products[i][i]) + RIDGE);
        }
        for (row, &weight) in self.products.iter().zip(&self.weights) {
            take(&mut left, row, weight);
        }
        for _ in 0..STEP.1 {
            for (i, row) in self.products.iter().enumerate() {
                // At most 2^36 x 2^26.
                let change = ((left[i] >> 12).clamp(-(1 << 36), 1 << 36) * inverse[i]) >> 28;
                let old = weights[i];
                weights[i] = (i64::from(old) + change).clamp(-BOUND, BOUND) as i32;
                let change = weights[i] - old;
                left[i] -= RIDGE * i64::from(change);
                take(&mut left, row, change);
            }
        }
        self.weights = weights;
    }
}

/// Takes what `factor` times a row explains. A loop on a copy, not `from_fn`: closures would not be compiled for the vectors at hand.
#[inline(always)]
fn take(left: &mut [i64; INPUTS], row: &[i32; INPUTS], factor: i32) {
    let mut rest = *left;
    for (rest, &product) in rest.iter_mut().zip(row) {
        *rest -= i64::from(product) * i64::from(factor);
    }
    *left = rest;
}

/// The fits of a block.
#[derive(Debug)]
pub(crate) struct Fits {
    channels: usize,
    /// First row of each image among the rows of all.
    first_rows: Vec<usize>,
    /// Strip of each row.
    strips: Vec<u32>,
    /// Whether a strip begins with an image: otherwise it begins with what the strip before knows by then.
    fresh: Vec<bool>,
    /// Shape `[strips, channels]`.
    fits: Vec<Fit>,
    /// Inputs of a batch times trust.
    trusted: Vec<[i16; INPUTS]>,
    #[cfg(target_arch = "x86_64")]
    vectors: Option<super::x86::Vectors>,
}

impl Fits {
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only x86-64 has a choice of instructions"))]
    pub(crate) fn new(kernel: Kernel, planes: &[Plane], references: &References, budget: &mut Budget) -> Result<Self, Error> {
        // Images without pixels have no rows.
        let height = |plane: &Plane| if plane.width == 0 { 0 } else { plane.height };
        budget.take("rows of a block", planes.iter().map(|plane| height(plane) as u64).sum(), size_of::<u32>() as u64)?;
        let (mut first_rows, mut strips, mut fresh) = (vec![0; planes.len()], Vec::new(), Vec::new());
        let (mut pixels, mut last) = (LEAST_PIXELS, 0);
        // What a strip learns is for images of one wave.
        let in_order = (0..references.waves())
            .flat_map(|wave| (0..planes.len()).filter(move |&image| references.wave(image) == wave).map(move |image| (image, wave)));
        for (image, wave) in in_order {
            let plane = &planes[image];
            first_rows[image] = strips.len();
            let mut rows = 0;
            for y in 0..height(plane) {
                let ends = if y == 0 { pixels >= LEAST_PIXELS || wave != last } else { rows >= STRIP.0 && pixels >= STRIP.1 };
                if ends {
                    fresh.push(y == 0);
                    (rows, pixels, last) = (0, 0, wave);
                }
                // As many as there are rows: they were paid for.
                strips.push(fresh.len() as u32 - 1);
                rows += 1;
                pixels += plane.width;
            }
        }
        let channels = planes.first().map_or(1, |plane| plane.channels).clamp(1, MAX_CHANNELS);
        let fits = fresh.len() * channels;
        budget.take("fits of a block", fits as u64, size_of::<Fit>() as u64)?;
        Ok(Self {
            channels,
            first_rows,
            strips,
            fresh,
            fits: vec![Fit::NEW; fits],
            trusted: vec![[0; INPUTS]; BATCH],
            #[cfg(target_arch = "x86_64")]
            vectors: super::x86::Vectors::of(kernel),
        })
    }

    /// Number of the fit of a row, which is begun if it was not.
    #[inline(always)]
    pub(crate) fn find(&mut self, image: usize, y: usize, c: usize) -> usize {
        let strip = self.strips[self.first_rows[image] + y] as usize;
        let number = strip * self.channels + c;
        if !self.fits[number].begun {
            if !self.fresh[strip] {
                let (before, rest) = self.fits.split_at_mut(number);
                rest[0].clone_from(&before[number - self.channels]);
            }
            self.fits[number].begun = true;
        }
        number
    }

    /// Correction of the Program's mean, unit 1/16.
    #[inline(always)]
    pub(crate) fn predict(&self, fit: usize, inputs: &[i16; INPUTS]) -> i32 {
        // 32 products of at most 2^18 x 127.
        let sum: i32 = self.fits[fit].weights.iter().zip(inputs).map(|(&weight, &input)| weight * i32::from(input)).sum();
        ((sum + (1 << 11)) >> 12).clamp(-4080, 4080)
    }

    /// Learns up to a batch of samples: inputs, targets (unit 1/16, within +-2047) and trust (at most 64) of each.
    #[inline(always)]
    pub(crate) fn learn(&mut self, fit: usize, inputs: &[[i16; INPUTS]], targets: &[i32], trust: &[i32]) {
        let fit = &mut self.fits[fit];
        let n = inputs.len() as i32;
        // Within 2^13.
        let trusted = &mut self.trusted[..inputs.len()];
        for ((trusted, input), &trust) in trusted.iter_mut().zip(inputs).zip(trust) {
            for (trusted, input) in trusted.iter_mut().zip(input) {
                *trusted = input * trust as i16;
            }
        }
        #[cfg(target_arch = "x86_64")]
        match self.vectors {
            Some(vectors) => super::x86::accumulate(vectors, &mut fit.products, inputs, trusted),
            None => accumulate(&mut fit.products, inputs, trusted),
        }
        #[cfg(not(target_arch = "x86_64"))]
        accumulate(&mut fit.products, inputs, trusted);
        let mut sums = fit.targets;
        for sum in &mut sums {
            *sum -= (*sum >> LOG2_WINDOW) * i64::from(n);
        }
        for (trusted, &target) in trusted.iter().zip(targets) {
            for (sum, &trusted) in sums.iter_mut().zip(trusted) {
                *sum += i64::from(i32::from(trusted) * target);
            }
        }
        fit.targets = sums;
        fit.waiting += n.cast_unsigned();
        if fit.waiting >= STEP.0 {
            fit.waiting = 0;
            fit.step();
        }
    }
}

/// Takes `2^-9` a sample off sums of products, and adds those of up to a batch of samples: inputs times trusted inputs.
pub(super) fn accumulate(products: &mut [[i32; INPUTS]; INPUTS], inputs: &[[i16; INPUTS]], trusted: &[[i16; INPUTS]]) {
    let n = inputs.len() as i32;
    for (i, row) in products.iter_mut().enumerate() {
        for sum in row.iter_mut() {
            *sum -= (*sum >> LOG2_WINDOW) * n;
        }
        for (input, trusted) in inputs.iter().zip(trusted) {
            for (sum, &input) in row.iter_mut().zip(input) {
                *sum += i32::from(input) * i32::from(trusted[i]);
            }
        }
    }
}
