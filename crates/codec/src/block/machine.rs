//! A Program at work on one batch of pixels after the other.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use super::BATCH;
use super::around::{Around, SLACK, Strides};
use super::ring::{Ring, copy};
use crate::adaptive::Place;
use crate::cdf::Mixtures;
use crate::context::{MAX_CHANNELS, Plane};
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
    /// Called before the first pixel of a wave: the images of those before are complete.
    fn begin(&mut self, _: &[Plane<S>], _wave: usize) {}

    /// Codes channel `c` (in coding order) of the pixels of a batch. `symbols` are those in the planes, which only an encoder knows; afterwards they are
    /// those that were coded.
    fn code(&mut self, planes: &[Plane<S>], c: usize, places: &[Place], mixtures: &mut Mixtures, symbols: &mut [S]) -> Result<(), Error>;
}

/// A Program ready to run, with the memory its later stages look back into.
pub(super) struct Machine<'p, S: Sample> {
    program: &'p Program,
    kernel: Kernel,
    stages: Vec<Vec<Packed>>,
    heads: Vec<(Vec<Packed>, Packed)>,
    /// For each stage that a later one looks back at.
    rings: Vec<Ring>,
    /// Outputs of ReLU layers, taken in turn; the features of the last stage rest in the first while heads run.
    narrow: [Vec<u8>; 3],
    wide: Vec<i16>,
    logits: Vec<i32>,
    mixtures: Mixtures,
    around: Around<S>,
    places: Vec<Place>,
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
        let rings = program.stages.windows(2).map(|pair| Ring::new(&pair[0], &pair[1].taps, slope, rows, budget));
        let rings = rings.collect::<Result<Vec<_>, _>>()?;
        let channels = program.channels();
        let mut stages = Vec::new();
        for (index, stage) in program.stages.iter().enumerate() {
            stages.push(match index.checked_sub(1) {
                None => {
                    let seen = stage.taps.len() * channels;
                    let samples = !S::DEEP && stage.layers.first().is_some_and(|layer| Packed::takes_samples(kernel, layer, seen, channels));
                    // Samples, then bases and what stands behind the taps.
                    pack(kernel, &stage.layers, |i| match samples {
                        true if i < seen => Input::Sample(i, i % channels),
                        true => Input::Wide(channels + i - seen),
                        false => Input::Wide(i),
                    })
                }
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
        // NEON copies them four by four.
        let copies = if cfg!(target_arch = "aarch64") { 2 } else { 1 };
        budget.take("distributions of a batch", BATCH as u64, copies * 20 * parts + 512)?;
        budget.take("working memory of a Program", (3 * narrow + 2 * wide + 8 * logits) as u64, 1)?;
        Ok(Self {
            program,
            kernel,
            stages,
            heads,
            rings,
            narrow: [vec![0; narrow + SLACK], vec![0; narrow + SLACK], vec![0; narrow + SLACK]],
            wide: vec![0; wide + SLACK],
            logits: vec![0; logits],
            mixtures: Mixtures::new(kernel, program.alphabet(), program.components, program.spikes.len()),
            around: Around::new(program),
            places: Vec::with_capacity(BATCH),
        })
    }

    /// Codes the pixels of one batch.
    pub(super) fn batch(&mut self, planes: &mut [Plane<S>], cells: &[Cell], code: &mut impl Code<S>) -> Result<(), Error> {
        let (mut narrow_stride, mut wide_stride) = (self.stages[0][0].narrow_stride(), self.stages[0][0].wide_stride());
        self.places.clear();
        self.places.extend(cells.iter().map(|cell| Place { image: cell.image, y: cell.y, x: cell.x }));
        self.around.look(planes, cells, Strides { narrow: narrow_stride, wide: wide_stride }, &mut self.narrow[0], &mut self.wide);
        for index in 0..self.stages.len() {
            if index > 0 {
                // Usual numbers of features are copied without a call.
                (narrow_stride, wide_stride) = match self.rings[index - 1].width {
                    32 => self.look_back::<32>(index, planes, cells, narrow_stride),
                    64 => self.look_back::<64>(index, planes, cells, narrow_stride),
                    _ => self.look_back::<0>(index, planes, cells, narrow_stride),
                };
            }
            narrow_stride = self.run_stage(index, narrow_stride, wide_stride, cells.len());
            match self.rings.get_mut(index) {
                Some(ring) if ring.width == 32 => ring.keep_features::<32>(cells, &self.narrow[0], narrow_stride),
                Some(ring) if ring.width == 64 => ring.keep_features::<64>(cells, &self.narrow[0], narrow_stride),
                Some(ring) => ring.keep_features::<0>(cells, &self.narrow[0], narrow_stride),
                None => {}
            }
        }
        for c in 0..self.heads.len() {
            self.run_head(c, narrow_stride, cells.len());
            self.code_channel(c, planes, cells, code)?;
        }
        for ring in &mut self.rings {
            for (cell, residuals) in cells.iter().zip(self.around.residuals()) {
                ring.keep_residuals(ring.pixel(cell.row, cell.x), residuals);
            }
        }
        Ok(())
    }

    /// Gathers the inputs of stage `index` from the features in `narrow[0]` and the ring, of `WIDTH` features or (0) any number; returns the new strides.
    fn look_back<const WIDTH: usize>(&mut self, index: usize, planes: &[Plane<S>], cells: &[Cell], stride: usize) -> (usize, usize) {
        let ring = &self.rings[index - 1];
        let taps = &self.program.stages[index].taps;
        let (narrow_stride, wide_stride) = (self.stages[index][0].narrow_stride(), self.stages[index][0].wide_stride());
        let [here, next, _] = &mut self.narrow;
        let channels = self.program.channels();
        for (i, ((cell, from), narrow)) in cells.iter().zip(here.chunks_exact(stride)).zip(next.chunks_exact_mut(narrow_stride)).enumerate() {
            let (own, seen) = narrow.split_at_mut(ring.width);
            copy::<WIDTH>(&from[..ring.width], own);
            let width = planes[cell.image].width;
            let inside = ring.is_inside(cell.y, cell.x, width);
            for (number, (tap, features)) in taps.iter().zip(seen.chunks_exact_mut(ring.width)).enumerate() {
                let up = usize::from(tap.dy.unsigned_abs());
                let x = cell.x.wrapping_add_signed(tap.dx.into());
                // What is written past a tap's residuals is those of the next.
                let wide = &mut self.wide[i * wide_stride + number * channels..][..MAX_CHANNELS];
                if inside || x < width && cell.y >= up {
                    let pixel = ring.pixel(cell.row - up, x);
                    ring.read_features::<WIDTH>(pixel, features);
                    wide.copy_from_slice(&ring.residuals(pixel));
                } else {
                    features.fill(0);
                    wide.fill(0);
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
        let (wide, wide_stride) = (self.around.residuals().as_flattened(), MAX_CHANNELS);
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
        let alphabet = program.alphabet();
        let references = self.around.references(cells.len(), c, program.heads[c].follows.map(usize::from));
        self.mixtures.set::<S>(cells.len(), &self.logits, out.output_stride(), &references, self.around.spikes(), c);
        let mut symbols = [S::default(); BATCH];
        let symbols = &mut symbols[..cells.len()];
        self.around.symbols(c, alphabet, symbols);
        code.code(planes, c, &self.places, &mut self.mixtures, symbols)?;
        self.around.keep(planes, cells, c, alphabet, symbols);
        Ok(())
    }
}
