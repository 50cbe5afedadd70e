//! A Program at work on one batch of pixels after the other.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use super::BATCH;
use super::ring::Ring;
use crate::adaptive::Place;
use crate::cdf::Mixtures;
use crate::context::{MAX_CHANNELS, Plane, Window};
use crate::error::Error;
use crate::kernel::{Input, Kernel, Packed, Rows};
use crate::limits::Budget;
use crate::program::{Dense, Program, Stage};
use crate::sample::Sample;

/// One pixel of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) image: usize,
    pub(super) y: usize,
    pub(super) x: usize,
    /// Index of the row among the rows of all images.
    pub(super) row: usize,
}

/// Codes symbols under the distributions that a Program gives.
pub(super) trait Code<S> {
    /// Codes channel `c` (in coding order) of the pixels of a batch. `symbols` are those in the planes, which only an encoder knows; afterwards they are
    /// those that were coded.
    fn code(&mut self, planes: &[Plane<S>], c: usize, places: &[Place], mixtures: &mut Mixtures, symbols: &mut [S]) -> Result<(), Error>;
}

/// A Program ready to run, with the memory its later stages look back into.
pub(super) struct Machine<'p, S: Sample> {
    program: &'p Program,
    kernel: Kernel,
    window: Window,
    stages: Vec<Vec<Packed>>,
    heads: Vec<(Vec<Packed>, Packed)>,
    /// For each stage that a later one looks back at.
    rings: Vec<Ring>,
    /// Outputs of ReLU layers, taken in turn; the features of the last stage rest in the first while heads run.
    narrow: [Vec<u8>; 3],
    wide: Vec<i16>,
    logits: Vec<i32>,
    mixtures: Mixtures,
    /// Of each spike: its symbols.
    spikes: Vec<[u16; BATCH]>,
    places: Vec<Place>,
    bases: Vec<[S::Base; MAX_CHANNELS]>,
    /// In steps.
    residuals: Vec<[i16; MAX_CHANNELS]>,
}

/// The first layer of a stage sees what its taps show, every other one what the layer before put out.
fn pack(kernel: Kernel, layers: &[Dense], first: impl Fn(usize) -> Input) -> Vec<Packed> {
    let packed = |(index, layer): (usize, &Dense)| match index {
        0 => Packed::hidden(kernel, layer, &first),
        _ => Packed::hidden(kernel, layer, Input::Narrow),
    };
    layers.iter().enumerate().map(packed).collect()
}

impl<'p, S: Sample> Machine<'p, S> {
    pub(super) fn new(program: &'p Program, kernel: Kernel, slope: usize, planes: &[Plane<S>], budget: &mut Budget) -> Result<Self, Error> {
        let rows = planes.iter().map(|plane| plane.height as u64).sum::<u64>();
        let rings = program.stages.windows(2).map(|pair| Ring::new(&pair[0], &pair[1].taps, program, slope, rows, budget));
        let rings = rings.collect::<Result<Vec<_>, _>>()?;
        let channels = program.channels();
        let mut stages = Vec::new();
        for (index, stage) in program.stages.iter().enumerate() {
            stages.push(match index.checked_sub(1) {
                None => pack(kernel, &stage.layers, Input::Wide),
                Some(before) => {
                    let (features, width) = (program.stages[before].features(), rings[before].width);
                    // Features here, then for each tap features and residuals; narrow ones begin with a whole group of the kernel each.
                    pack(kernel, &stage.layers, |i| match i.checked_sub(features) {
                        None => Input::Narrow(i),
                        Some(seen) => match (seen / (features + channels), seen % (features + channels)) {
                            (tap, at) if at < features => Input::Narrow((1 + tap) * width + at),
                            (tap, at) => Input::Wide(tap * channels + at - features),
                        },
                    })
                }
            });
        }
        let features = program.stages.last().map_or(0, Stage::features);
        let seen = |i: usize| if i < features { Input::Narrow(i) } else { Input::Wide(i - features) };
        let heads = program.heads.iter().map(|head| {
            let out = if head.hidden.is_empty() { Packed::linear(kernel, &head.out, seen) } else { Packed::linear(kernel, &head.out, Input::Narrow) };
            (pack(kernel, &head.hidden, seen), out)
        });
        let heads: Vec<_> = heads.collect();
        let layers = || stages.iter().flatten().chain(heads.iter().flat_map(|(hidden, out)| hidden.iter().chain([out])));
        let narrow = layers().map(|layer| layer.narrow_stride().max(layer.output_stride())).max().unwrap_or(0) * BATCH;
        let wide = layers().map(Packed::wide_stride).max().unwrap_or(0) * BATCH;
        let logits = heads.iter().map(|(_, out)| out.output_stride()).max().unwrap_or(0) * BATCH;
        let parts = (program.components + program.spikes.len()) as u64;
        budget.take("distributions of a batch", BATCH as u64, 20 * parts + 512)?;
        budget.take("working memory of a Program", (3 * narrow + 2 * wide + 8 * logits) as u64, 1)?;
        Ok(Self {
            program,
            kernel,
            window: Window::new(&program.stages[0].taps, channels),
            stages,
            heads,
            rings,
            narrow: [vec![0; narrow], vec![0; narrow], vec![0; narrow]],
            wide: vec![0; wide],
            logits: vec![0; logits],
            mixtures: Mixtures::new(kernel, program.alphabet(), program.components, program.spikes.len()),
            spikes: vec![[0; BATCH]; program.spikes.len()],
            places: Vec::with_capacity(BATCH),
            bases: vec![[S::Base::default(); MAX_CHANNELS]; BATCH],
            residuals: vec![[0; MAX_CHANNELS]; BATCH],
        })
    }

    /// Codes the pixels of one batch.
    pub(super) fn batch(&mut self, planes: &mut [Plane<S>], cells: &[Cell], code: &mut impl Code<S>) -> Result<(), Error> {
        let wide_stride = self.stages[0][0].wide_stride();
        for ((cell, bases), inputs) in cells.iter().zip(&mut self.bases).zip(self.wide.chunks_exact_mut(wide_stride)) {
            let plane = &planes[cell.image];
            *bases = plane.bases(cell.y, cell.x);
            self.window.gather(plane, cell.y, cell.x, bases, inputs);
        }
        let mut narrow_stride = 0;
        let mut wide_stride = wide_stride;
        for index in 0..self.stages.len() {
            if index > 0 {
                (narrow_stride, wide_stride) = self.look_back(index, planes, cells, narrow_stride);
            }
            narrow_stride = self.run_stage(index, narrow_stride, wide_stride, cells.len());
            if let Some(ring) = self.rings.get_mut(index) {
                for (cell, features) in cells.iter().zip(self.narrow[0].chunks_exact(narrow_stride)) {
                    ring.keep_features(ring.pixel(cell.row, cell.x), &features[..ring.width]);
                }
            }
        }
        for c in 0..self.heads.len() {
            self.run_head(c, narrow_stride, cells.len());
            self.code_channel(c, planes, cells, code)?;
        }
        let channels = self.program.channels();
        for ring in &mut self.rings {
            for (cell, residuals) in cells.iter().zip(&self.residuals) {
                ring.keep_residuals(ring.pixel(cell.row, cell.x), &residuals[..channels]);
            }
        }
        Ok(())
    }

    /// Gathers the inputs of stage `index` from the features in `narrow[0]` and the ring; returns the new strides.
    fn look_back(&mut self, index: usize, planes: &[Plane<S>], cells: &[Cell], stride: usize) -> (usize, usize) {
        let ring = &self.rings[index - 1];
        let taps = &self.program.stages[index].taps;
        let (narrow_stride, wide_stride) = (self.stages[index][0].narrow_stride(), self.stages[index][0].wide_stride());
        let [here, next, _] = &mut self.narrow;
        let wides = self.wide.chunks_exact_mut(wide_stride.max(1));
        for (((cell, from), narrow), wide) in cells.iter().zip(here.chunks_exact(stride)).zip(next.chunks_exact_mut(narrow_stride)).zip(wides) {
            let (own, seen) = narrow.split_at_mut(ring.width);
            own.copy_from_slice(&from[..ring.width]);
            for ((tap, features), residuals) in taps.iter().zip(seen.chunks_exact_mut(ring.width)).zip(wide.chunks_exact_mut(ring.channels)) {
                let up = usize::from(tap.dy.unsigned_abs());
                match cell.x.checked_add_signed(tap.dx.into()).filter(|&x| x < planes[cell.image].width && cell.y >= up) {
                    Some(x) => {
                        let pixel = ring.pixel(cell.row - up, x);
                        features.copy_from_slice(ring.features(pixel));
                        residuals.copy_from_slice(ring.residuals(pixel));
                    }
                    None => {
                        features.fill(0);
                        residuals.fill(0);
                    }
                }
            }
        }
        self.narrow.swap(0, 1);
        (narrow_stride, wide_stride)
    }

    /// Runs the layers of a stage on `narrow[0]` and `wide`; leaves the features in `narrow[0]` and returns their stride.
    fn run_stage(&mut self, index: usize, mut narrow_stride: usize, wide_stride: usize, cells: usize) -> usize {
        for layer in &self.stages[index] {
            let [from, to, _] = &mut self.narrow;
            layer.run_hidden(self.kernel, &Rows { narrow: from, narrow_stride, wide: &self.wide, wide_stride }, cells, to);
            self.narrow.swap(0, 1);
            narrow_stride = layer.output_stride();
        }
        narrow_stride
    }

    /// Runs head `c` on the features in `narrow[0]` and the residuals of the channels before; leaves its outputs in `logits`.
    fn run_head(&mut self, c: usize, mut narrow_stride: usize, cells: usize) {
        let (hidden, out) = &self.heads[c];
        let (wide, wide_stride) = (self.residuals.as_flattened(), MAX_CHANNELS);
        let [features, from, to] = &mut self.narrow;
        for (index, layer) in hidden.iter().enumerate() {
            let narrow = if index == 0 { &*features } else { &*from };
            layer.run_hidden(self.kernel, &Rows { narrow, narrow_stride, wide, wide_stride }, cells, to);
            std::mem::swap(from, to);
            narrow_stride = layer.output_stride();
        }
        let narrow = if hidden.is_empty() { &*features } else { &*from };
        out.run_linear(self.kernel, &Rows { narrow, narrow_stride, wide, wide_stride }, cells, &mut self.logits);
    }

    /// Codes channel `c` of each pixel under the outputs of its head.
    fn code_channel<C: Code<S>>(&mut self, c: usize, planes: &mut [Plane<S>], cells: &[Cell], code: &mut C) -> Result<(), Error> {
        let program = self.program;
        let out = &self.heads[c].1;
        let log2_scale = program.alphabet().log2_scale();
        let symbol_of = |sample: S| S::of(sample.value() >> log2_scale);
        let at = |cell: &Cell, plane: &Plane<S>| (cell.y * plane.width + cell.x) * plane.channels + c;
        let follows = program.heads[c].follows.map(usize::from);
        let mut references = [0; BATCH];
        for (i, ((cell, bases), reference)) in cells.iter().zip(&self.bases).zip(&mut references).enumerate() {
            let plane = &planes[cell.image];
            for (values, &tap) in self.spikes.iter_mut().zip(&program.spikes) {
                values[i] = (plane.spike(tap, cell.y, cell.x, c, bases[c]).value() >> log2_scale) as u16;
            }
            let residual = |earlier: usize| -> i32 { plane.samples[at(cell, plane) - c + earlier].base().into() - bases[earlier].into() };
            *reference = bases[c].into() + follows.map_or(0, residual);
        }
        self.mixtures.set(cells.len(), &self.logits, out.output_stride(), &references, &self.spikes);
        let mut symbols = [S::default(); BATCH];
        let symbols = &mut symbols[..cells.len()];
        for (symbol, cell) in symbols.iter_mut().zip(cells) {
            let plane = &planes[cell.image];
            *symbol = symbol_of(plane.samples[at(cell, plane)]);
        }
        self.places.clear();
        self.places.extend(cells.iter().map(|cell| Place { image: cell.image, y: cell.y, x: cell.x }));
        code.code(planes, c, &self.places, &mut self.mixtures, symbols)?;
        for (((cell, bases), residuals), &mut symbol) in cells.iter().zip(&self.bases).zip(&mut self.residuals).zip(symbols) {
            let plane = &mut planes[cell.image];
            let sample = S::of(symbol.value() << log2_scale);
            let at = at(cell, plane);
            plane.samples[at] = sample;
            residuals[c] = plane.residual(sample, bases[c]);
        }
        Ok(())
    }
}
