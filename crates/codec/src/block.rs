//! Blocks: images coded together by one Program, decodable without any other block.
//!
//! A block is walked as a wavefront. At step `t`, row `r` of every image is at column `t - slope * r`, so that all its taps are known.
//! The pixels of a step form batches of up to [`BATCH`] for the integer kernel; within a batch, channel after channel is coded, pixel after
//! pixel. Encoder and decoder share this walk, so they cannot disagree about the order.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use crate::adaptive::{Adaptive, Decide, Place, REACH};
use crate::cdf::Mixture;
use crate::context::{MAX_CHANNELS, Plane};
use crate::error::Error;
use crate::kernel::{Kernel, Packed};
use crate::limits::Budget;
use crate::program::{Program, Stage, Tap};
use crate::range::decoder::RangeDecoder;
use crate::range::encoder::RangeEncoder;

/// Pixels of a batch; part of the format, since it orders the symbols.
pub const BATCH: usize = 64;

/// How the samples of a block are coded under the Program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Whole symbols under the Program's CDFs: fastest.
    Direct,
    /// Binary decisions, each mixed with what the block has shown so far: denser where exact values recur, some times slower.
    Adaptive,
}

impl Method {
    /// As summaries have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Adaptive => "adaptive",
        }
    }

    /// Columns that a row stays behind the row above it: enough for the Program's taps and, coded adaptively, for
    /// [`REACH`].
    fn slope(self, program: &Program) -> usize {
        match self {
            Self::Direct => program.slope(),
            Self::Adaptive => program.slope().max(REACH + 1),
        }
    }

    /// No block holds more samples than this for each of its bytes (and 16 more); see [`MOST_SAMPLES_PER_BYTE`]. A decision costs at least
    /// 0.000044 bits when coded adaptively, and a sample is at least one: 181,800 to a byte.
    const fn most_samples_per_byte(self) -> u64 {
        match self {
            Self::Direct => MOST_SAMPLES_PER_BYTE,
            Self::Adaptive => 4 * MOST_SAMPLES_PER_BYTE,
        }
    }
}

/// No block holds more samples than this for each of its bytes (and 16 more), so that a few bytes cannot ask for hours of decoding.
///
/// A symbol's mass is at most `2^24 - 2^11` (of one bit, see [`crate::cdf`]), so each costs 0.000176 bits: 45,400 to a byte.
const MOST_SAMPLES_PER_BYTE: u64 = 1 << 16;

/// An image to be coded.
#[derive(Debug, Clone, Copy)]
pub struct ImageRef<'a> {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Shape `[height, width, channels]`, each below `2^bit_depth` of the Program.
    pub samples: &'a [u8],
}

/// A coded block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What is stored.
    pub bytes: Vec<u8>,
    /// Cross-entropy of the samples under the Program, unit 2^-16 bits: what an ideal coder would need.
    pub ideal_bits: u64,
}

/// Encodes images under a Program, whole symbols ([`Method::Direct`]).
///
/// # Errors
/// `InvalidArgument` if an image does not fit the Program's channels and bit depth, or for more than 2^32 rows.
pub fn encode(program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    encode_as(Method::Direct, program, images)
}

/// Encodes images under a Program by `method`.
///
/// # Errors
/// Those of [`encode`].
pub fn encode_as(method: Method, program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    encode_by(Kernel::best(), method, program, images)
}

fn encode_by(kernel: Kernel, method: Method, program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    let planes = images.iter().map(|image| Plane::new(image.height, image.width, image.samples, &program.order, program.bit_depth));
    let mut planes = planes.collect::<Result<Vec<_>, _>>()?;
    let budget = &mut Budget::new(u64::MAX);
    let mut encoder = RangeEncoder::default();
    match method {
        Method::Direct => walk(program, kernel, method.slope(program), &mut planes, budget, |mixture, _, known| {
            encoder.encode(known, mixture);
            Ok(known)
        })?,
        Method::Adaptive => {
            let mut adaptive = Adaptive::new(kernel, &planes, program.bit_depth, budget)?;
            walk(program, kernel, method.slope(program), &mut planes, budget, |mixture, place, known| {
                adaptive.code(mixture, place, &mut Known { symbol: known.into(), encoder: &mut encoder })
            })?;
        }
    }
    let (bytes, ideal_bits) = encoder.finish();
    Ok(Encoded { bytes, ideal_bits })
}

/// Decisions towards a symbol, encoded.
struct Known<'a> {
    symbol: u32,
    encoder: &'a mut RangeEncoder,
}

impl Decide for Known<'_> {
    #[inline]
    fn decide(&mut self, p: u32, middle: u32) -> Result<bool, Error> {
        let up = self.symbol >= middle;
        self.encoder.encode_decision(up, p);
        Ok(up)
    }
}

impl Decide for RangeDecoder {
    #[inline]
    fn decide(&mut self, p: u32, _: u32) -> Result<bool, Error> {
        self.decode_decision(p)
    }
}

/// Decodes the images of a block that was encoded by [`encode`], given their shapes `(height, width)`; samples as [`ImageRef`] has them.
///
/// Damaged bytes give other samples, which only a digest can tell.
///
/// # Errors
/// `Corrupt` for bytes no encoder writes, `LimitExceeded` if the images need more than the budget.
pub fn decode(program: &Program, shapes: &[(usize, usize)], bytes: &[u8], budget: &mut Budget) -> Result<Vec<Vec<u8>>, Error> {
    decode_as(Method::Direct, program, shapes, bytes, budget)
}

/// Decodes the images of a block that was encoded by [`encode_as`] with the same method.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_as(method: Method, program: &Program, shapes: &[(usize, usize)], bytes: &[u8], budget: &mut Budget) -> Result<Vec<Vec<u8>>, Error> {
    decode_by(Kernel::best(), method, program, shapes, bytes, budget)
}

fn decode_by(
    kernel: Kernel,
    method: Method,
    program: &Program,
    shapes: &[(usize, usize)],
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<Vec<Vec<u8>>, Error> {
    let channels = program.channels();
    let mut planes = Vec::new();
    let mut possible = (bytes.len() as u64).saturating_add(16).saturating_mul(method.most_samples_per_byte());
    for &(height, width) in shapes {
        let samples = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        let samples = samples.ok_or(Error::LimitExceeded { what: "an image", limit: budget.left() })?;
        possible = possible.checked_sub(samples as u64).ok_or(Error::corrupt("shapes of a block, too large for its bytes"))?;
        budget.take("samples of a block", samples as u64, 2)?;
        planes.push(Plane::blank(height, width, channels));
    }
    let mut decoder = RangeDecoder::new(bytes)?;
    match method {
        Method::Direct => walk(program, kernel, method.slope(program), &mut planes, budget, |mixture, _, _| decoder.decode(mixture))?,
        Method::Adaptive => {
            let mut adaptive = Adaptive::new(kernel, &planes, program.bit_depth, budget)?;
            walk(program, kernel, method.slope(program), &mut planes, budget, |mixture, place, _| adaptive.code(mixture, place, &mut decoder))?;
        }
    }
    Ok(planes.into_iter().map(|plane| plane.into_samples(&program.order, program.bit_depth)).collect())
}

/// One pixel of a batch.
#[derive(Debug, Clone, Copy)]
struct Cell {
    image: usize,
    y: usize,
    x: usize,
    /// Index of the row among the rows of all images.
    row: usize,
}

/// Visits every sample of the planes in coding order, each row `slope` columns behind the one above: `code(distribution, place, symbol in
/// the plane)` returns the sample to keep there.
fn walk(
    program: &Program,
    kernel: Kernel,
    slope: usize,
    planes: &mut [Plane],
    budget: &mut Budget,
    mut code: impl FnMut(&Mixture, &Place<'_>, u8) -> Result<u8, Error>,
) -> Result<(), Error> {
    let mut machine = Machine::new(program, kernel, slope, planes, budget)?;
    // Images that still have pixels to come: number, first row among the rows of all, and the step after their last.
    let mut rows = 0;
    let mut active: Vec<(usize, usize, usize)> = Vec::with_capacity(planes.len());
    for (image, plane) in planes.iter().enumerate() {
        if plane.height > 0 && plane.width > 0 {
            active.push((image, rows, plane.width + slope * (plane.height - 1)));
        }
        rows += plane.height;
    }
    let mut cells = Vec::with_capacity(BATCH);
    for step in 0.. {
        active.retain(|&(_, _, end)| step < end);
        if active.is_empty() {
            break;
        }
        for &(image, first_row, _) in &active {
            let (height, width) = planes[image].shape();
            let first = (step + 1).saturating_sub(width).div_ceil(slope);
            let last = (step / slope + 1).min(height);
            for y in first..last {
                cells.push(Cell { image, y, x: step - slope * y, row: first_row + y });
                if cells.len() == BATCH {
                    machine.batch(planes, &cells, &mut code)?;
                    cells.clear();
                }
            }
        }
        if !cells.is_empty() {
            machine.batch(planes, &cells, &mut code)?;
            cells.clear();
        }
    }
    Ok(())
}

/// A Program ready to run, with the memory its later stages look back into.
struct Machine<'p> {
    program: &'p Program,
    kernel: Kernel,
    stages: Vec<Vec<Packed>>,
    heads: Vec<(Vec<Packed>, Packed)>,
    /// For each stage that a later one looks back at: features and residuals of the last columns of each row.
    rings: Vec<Ring>,
    mixture: Mixture,
    /// Inputs and outputs of a layer, taken in turn.
    wires: [Vec<i16>; 2],
    logits: Vec<i32>,
    bases: Vec<[i16; MAX_CHANNELS]>,
    residuals: Vec<[i16; MAX_CHANNELS]>,
}

impl<'p> Machine<'p> {
    fn new(program: &'p Program, kernel: Kernel, slope: usize, planes: &[Plane], budget: &mut Budget) -> Result<Self, Error> {
        let pack = |layers: &[crate::program::Dense]| layers.iter().map(Packed::hidden).collect::<Vec<_>>();
        let rows = planes.iter().map(|plane| plane.height as u64).sum::<u64>();
        let rings =
            program.stages.windows(2).map(|pair| Ring::new(&pair[0], &pair[1].taps, program, slope, rows, budget)).collect::<Result<_, _>>()?;
        let widest = program.layers().map(|layer| layer.n_in.max(layer.n_out).next_multiple_of(16)).max().unwrap_or(0) + 16;
        budget.take("working memory of a Program", (widest * BATCH) as u64, 8)?;
        Ok(Self {
            program,
            kernel,
            stages: program.stages.iter().map(|stage| pack(&stage.layers)).collect(),
            heads: program.heads.iter().map(|head| (pack(&head.hidden), Packed::linear(&head.out))).collect(),
            rings,
            mixture: Mixture::new(program.bit_depth, program.components, program.spikes.len()),
            wires: [vec![0; widest * BATCH], vec![0; widest * BATCH]],
            logits: vec![0; widest * BATCH],
            bases: vec![[0; MAX_CHANNELS]; BATCH],
            residuals: vec![[0; MAX_CHANNELS]; BATCH],
        })
    }

    /// Codes the pixels of one batch.
    fn batch(
        &mut self,
        planes: &mut [Plane],
        cells: &[Cell],
        code: &mut impl FnMut(&Mixture, &Place<'_>, u8) -> Result<u8, Error>,
    ) -> Result<(), Error> {
        let program = self.program;
        let mut stride = self.stages[0][0].input_stride();
        let inputs = program.stage_inputs(0);
        for ((cell, bases), input) in cells.iter().zip(&mut self.bases).zip(self.wires[0].chunks_exact_mut(stride)) {
            let plane = &planes[cell.image];
            *bases = plane.bases(cell.y, cell.x);
            plane.gather(&program.stages[0].taps, cell.y, cell.x, bases, &mut input[..inputs]);
            input[inputs..].fill(0);
        }
        for index in 0..self.stages.len() {
            if index > 0 {
                stride = self.look_back(index, planes, cells, stride);
            }
            stride = run_hidden(self.kernel, &self.stages[index], &mut self.wires, stride, cells.len());
            if let Some(ring) = self.rings.get_mut(index) {
                for (cell, features) in cells.iter().zip(self.wires[0].chunks_exact(stride)) {
                    let slot = ring.slot(cell.row, cell.x);
                    ring.values[slot..slot + ring.features].copy_from_slice(&features[..ring.features]);
                }
            }
        }
        self.code_heads(planes, cells, stride, code)?;
        let channels = program.channels();
        for ring in &mut self.rings {
            for (cell, residuals) in cells.iter().zip(&self.residuals) {
                let slot = ring.slot(cell.row, cell.x) + ring.features;
                ring.values[slot..slot + channels].copy_from_slice(&residuals[..channels]);
            }
        }
        Ok(())
    }

    /// Replaces the features in `wires[0]` by the inputs of stage `index`; returns the new stride.
    fn look_back(&mut self, index: usize, planes: &[Plane], cells: &[Cell], stride: usize) -> usize {
        let ring = &self.rings[index - 1];
        let taps = &self.program.stages[index].taps;
        let next_stride = self.stages[index][0].input_stride();
        let [here, next] = &mut self.wires;
        for ((cell, from), to) in cells.iter().zip(here.chunks_exact(stride)).zip(next.chunks_exact_mut(next_stride)) {
            let (own, mut seen) = to.split_at_mut(ring.features);
            own.copy_from_slice(&from[..ring.features]);
            for tap in taps {
                let (values, rest) = seen.split_at_mut(ring.width);
                let up = usize::from(tap.dy.unsigned_abs());
                match cell.x.checked_add_signed(tap.dx.into()).filter(|&x| x < planes[cell.image].width && cell.y >= up) {
                    Some(x) => {
                        let slot = ring.slot(cell.row - up, x);
                        values.copy_from_slice(&ring.values[slot..slot + ring.width]);
                    }
                    None => values.fill(0),
                }
                seen = rest;
            }
            seen.fill(0);
        }
        self.wires.swap(0, 1);
        next_stride
    }

    /// Runs the heads on the features in `wires[0]` and codes each channel of each pixel.
    fn code_heads(
        &mut self,
        planes: &mut [Plane],
        cells: &[Cell],
        stride: usize,
        code: &mut impl FnMut(&Mixture, &Place<'_>, u8) -> Result<u8, Error>,
    ) -> Result<(), Error> {
        let program = self.program;
        let features = program.stages.last().map_or(0, Stage::features);
        let shared: Vec<i16> = self.wires[0][..cells.len() * stride].to_vec();
        let log2_scale = 8 - program.bit_depth;
        let mut spikes = [0u8; u8::MAX as usize];
        for (c, ((hidden, out), head)) in self.heads.iter().zip(&program.heads).enumerate() {
            let first = hidden.first().unwrap_or(out);
            let mut inputs = first.input_stride();
            for ((from, residuals), to) in shared.chunks_exact(stride).zip(&self.residuals).zip(self.wires[0].chunks_exact_mut(inputs)) {
                to[..features].copy_from_slice(&from[..features]);
                to[features..features + c].copy_from_slice(&residuals[..c]);
                to[features + c..].fill(0);
            }
            inputs = run_hidden(self.kernel, hidden, &mut self.wires, inputs, cells.len());
            let outputs = out.output_stride();
            let logits = &mut self.logits;
            out.run(self.kernel, &self.wires[0], inputs, cells.len(), |cell, unit, values| {
                logits[cell * outputs + unit..][..values.len()].copy_from_slice(values);
            });
            for (((cell, bases), residuals), logits) in cells.iter().zip(&self.bases).zip(&mut self.residuals).zip(self.logits.chunks_exact(outputs))
            {
                let plane = &mut planes[cell.image];
                for (value, &tap) in spikes.iter_mut().zip(&program.spikes) {
                    *value = plane.spike(tap, cell.y, cell.x, c, bases[c]) >> log2_scale;
                }
                let reference = bases[c] + head.follows.map_or(0, |earlier| residuals[usize::from(earlier)]);
                self.mixture.set(&logits[..out.n_out], reference.into(), &spikes[..program.spikes.len()]);
                let at = (cell.y * plane.width + cell.x) * plane.channels + c;
                let place = Place { plane, image: cell.image, y: cell.y, x: cell.x, c, base: bases[c].into() };
                let symbol = code(&self.mixture, &place, plane.samples[at] >> log2_scale)?;
                let sample = &mut plane.samples[at];
                *sample = symbol << log2_scale;
                residuals[c] = i16::from(*sample) - bases[c];
            }
        }
        Ok(())
    }
}

/// Runs ReLU layers on `wires[0]`, leaves the result there and returns its stride.
fn run_hidden(kernel: Kernel, layers: &[Packed], wires: &mut [Vec<i16>; 2], mut stride: usize, cells: usize) -> usize {
    for layer in layers {
        let [from, to] = wires;
        let outputs = layer.output_stride();
        layer.run(kernel, from, stride, cells, |cell, unit, values| {
            let row = &mut to[cell * outputs + unit..][..values.len()];
            row.iter_mut().zip(values).for_each(|(to, &value)| *to = value as i16);
        });
        // Units past the last are never written as outputs: they must not carry another layer's values into the next one's padding.
        if layer.n_out < outputs {
            to[..cells * outputs].chunks_exact_mut(outputs).for_each(|row| row[layer.n_out..].fill(0));
        }
        wires.swap(0, 1);
        stride = outputs;
    }
    stride
}

/// The last columns of each row: features of a stage, and residuals.
struct Ring {
    features: usize,
    /// Features and residuals.
    width: usize,
    columns: usize,
    /// Shape `[rows, columns, width]`.
    values: Vec<i16>,
}

impl Ring {
    fn new(stage: &Stage, taps: &[Tap], program: &Program, slope: usize, rows: u64, budget: &mut Budget) -> Result<Self, Error> {
        // A row is read `slope * up - dx` columns behind where it has been written last.
        let lag = |tap: &Tap| (slope * usize::from(tap.dy.unsigned_abs())).saturating_add_signed(-isize::from(tap.dx));
        let columns = (taps.iter().map(lag).max().unwrap_or(0) + 1).next_power_of_two();
        let width = stage.features() + program.channels();
        let values = rows.saturating_mul((columns * width) as u64);
        budget.take("features of a block", values, 2)?;
        let values = usize::try_from(values).map_err(|_| Error::LimitExceeded { what: "features of a block", limit: budget.left() })?;
        Ok(Self { features: stage.features(), width, columns, values: vec![0; values] })
    }

    fn slot(&self, row: usize, x: usize) -> usize {
        (row * self.columns + (x & (self.columns - 1))) * self.width
    }
}

#[cfg(test)]
mod tests;
