//! The fused pass in bf16, for machines with AVX-512: half the memory, and twice the multiplications an instruction where they have `vdpbf16ps`.
//! Those without multiply the same values as f32, in the same order.
//!
//! Inputs, residuals and rounded activations are integers of at most eight bits and therefore exact; so are rounded weights, whose steps
//! multiply the sums. Floats that are rounded to bf16 are weights and activations before tuning, and gradients; sums are f32 everywhere. A chunk
//! is about 256 pixels, so that all it holds stays in a core's second-level cache. Chunks are summed in [`GROUPS`] groups, groups in order:
//! the number of threads changes nothing.
#![allow(unsafe_code, reason = "calls into functions compiled for other instructions, after asking whether the machine has them")]

mod gather;
mod kernel;

use std::cell::RefCell;

use kolmo_codec::alphabet::Alphabet;
use kolmo_codec::context::Plane;
use kolmo_codec::sample::Sample;
use rayon::prelude::*;

use crate::levels::Levels;
use crate::loss::Shape;
use crate::loss::lanes::{self, LANES};
use crate::net::NetShape;
use crate::sample::{Patch, Sampler};
use crate::weights::{Slot, Slots};
use gather::Chunk;
use kernel::{BlockScratch, Finish, Matrix, Multiply, SLACK, WIDE, gradient_rows};

/// Most outputs of a head.
const MOST_OUTPUTS: usize = 48;
/// Core pixels of a chunk.
const CHUNK: usize = 256;
/// Most sums of chunks that are kept apart, so most threads that share a batch.
const GROUPS: usize = 8;

/// A layer's values, packed for products there and back. Shape `[n_in, columns]`, units padded to whole registers.
#[derive(Debug)]
struct Packed {
    n_in: usize,
    columns: usize,
    forwards: Matrix,
    /// Transposed, for the gradient by the inputs.
    backwards: Matrix,
    /// Step of each column's weights; 1 if they are not rounded.
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Packed {
    /// Takes the values of a layer of the network.
    fn take(&mut self, part: &Part, weights: &[f32], rounded: Option<Levels>) {
        let n_out = part.slot.n_out;
        let (own, bias) = (&weights[part.slot.at..part.slot.biases()], &weights[part.slot.biases()..part.slot.end()]);
        let steps = rounded.map_or_else(|| vec![1.0; n_out], |levels| super::steps(own, n_out, levels));
        self.scale[part.column..part.column + n_out].copy_from_slice(&steps);
        self.bias[part.column..part.column + n_out].copy_from_slice(bias);
        for (i, row) in own.chunks_exact(n_out).enumerate() {
            let to = part.row(i);
            for (o, (&value, &step)) in row.iter().zip(&steps).enumerate() {
                let whole = if rounded.is_some() { (value / step).round_ties_even() } else { value };
                self.forwards.set(to, part.column + o, whole);
                self.backwards.set(part.column + o, to, whole * step);
            }
        }
    }
}

/// Where a layer of the network lies in a packed one.
#[derive(Debug, Clone, Copy)]
struct Part {
    slot: Slot,
    /// Index of the packed layer.
    layer: usize,
    /// First column.
    column: usize,
    /// Inputs from here on lie `moved` rows further down.
    tail: usize,
    moved: usize,
}

impl Part {
    /// Row of input `i`.
    const fn row(&self, i: usize) -> usize {
        if i < self.tail { i } else { i + self.moved }
    }
}

/// How a network of a shape is packed.
#[derive(Debug)]
struct Layout {
    /// Inputs and columns of each packed layer: first stage, second stage, hidden layers of all heads side by side, their output layers.
    layers: Vec<(usize, usize)>,
    parts: Vec<Part>,
    first: usize,
    second: usize,
    /// Columns of one head's hidden and output layer.
    hidden: usize,
    outputs: usize,
}

impl Layout {
    fn new(shape: &NetShape) -> Self {
        let slots = Slots::new(shape);
        let wide = |units: usize| units.next_multiple_of(WIDE);
        let (mut layers, mut parts) = (Vec::new(), Vec::new());
        for stack in [&slots.first, &slots.second] {
            for (index, slot) in stack.iter().enumerate() {
                let n_in = if index == 0 { slot.n_in } else { wide(slot.n_in) };
                parts.push(Part { slot: *slot, layer: layers.len(), column: 0, tail: usize::MAX, moved: 0 });
                layers.push((n_in, wide(slot.n_out)));
            }
        }
        let (hidden, outputs) = (wide(shape.head), wide(shape.outputs()));
        let state = slots.heads[0][0].n_in;
        for (c, [slot, _]) in slots.heads.iter().enumerate() {
            parts.push(Part { slot: *slot, layer: layers.len(), column: c * hidden, tail: state, moved: wide(state) - state });
        }
        layers.push((wide(state) + shape.channels - 1, shape.channels * hidden));
        for [_, slot] in &slots.heads {
            parts.push(Part { slot: *slot, layer: layers.len(), column: 0, tail: usize::MAX, moved: 0 });
            layers.push((hidden, outputs));
        }
        Self { layers, parts, first: slots.first.len(), second: slots.second.len(), hidden, outputs }
    }
}

/// A network's values in bf16.
#[derive(Debug)]
pub(super) struct Bfloat {
    layout: Layout,
    layers: Vec<Packed>,
    multiply: Multiply,
    rounded: Option<Levels>,
    parameters: usize,
}

impl Bfloat {
    /// Packs a network's parameters, as [`Slots`] places them; `None` where this pass cannot learn a network of the given shape on this machine.
    pub(super) fn new(shape: &NetShape, weights: &[f32], rounded: Option<Levels>) -> Option<Self> {
        let multiply = Multiply::best()?;
        (!shape.first.is_empty() && shape.outputs() <= MOST_OUTPUTS).then(|| Self::packed(shape, weights, rounded, multiply))
    }

    /// `multiply` is one that the machine has.
    fn packed(shape: &NetShape, weights: &[f32], rounded: Option<Levels>, multiply: Multiply) -> Self {
        let layout = Layout::new(shape);
        let layers = layout.layers.iter().enumerate().map(|(index, &(n_in, columns))| {
            let mut layer = Packed {
                n_in,
                columns,
                forwards: Matrix::new(n_in, columns, multiply),
                backwards: Matrix::new(columns, n_in, multiply),
                scale: vec![1.0; columns],
                bias: vec![0.0; columns],
            };
            layout.parts.iter().filter(|part| part.layer == index).for_each(|part| layer.take(part, weights, rounded));
            layer
        });
        let layers = layers.collect();
        Self { layout, layers, multiply, rounded, parameters: Slots::new(shape).parameters }
    }

    /// As [`super::HostNet::gradient`].
    pub(super) fn gradient<S: Sample>(
        &self,
        sampler: &Sampler,
        planes: &[Plane<S>],
        patches: &[Patch],
        alphabet: Alphabet,
    ) -> (f64, usize, Vec<f32>) {
        thread_local! {
            static SCRATCH: RefCell<Option<(NetShape, Scratch)>> = const { RefCell::new(None) };
        }
        let samples = patches.iter().map(|patch| patch.height * patch.width).sum::<usize>() * sampler.shape().channels;
        let chunks = super::cut(patches, CHUNK);
        let groups: Vec<_> = chunks.chunks(chunks.len().div_ceil(GROUPS).max(1)).collect();
        let weight = 1.0 / samples as f32;
        let sums = groups.into_par_iter().with_max_len(1).map(|chunks| {
            SCRATCH.with_borrow_mut(|kept| {
                let kept = match kept {
                    Some(kept) if kept.0 == *sampler.shape() => kept,
                    kept => kept.insert((sampler.shape().clone(), Scratch::default())),
                };
                kept.1.gradient.resize_with(self.layers.len(), Vec::new);
                for (sums, layer) in kept.1.gradient.iter_mut().zip(&self.layers) {
                    sums.clear();
                    sums.resize(gradient_rows(layer.n_in) * layer.columns, 0.0);
                }
                let mut bits = 0.0;
                for chunk in chunks {
                    // SAFETY: whoever made a `Bfloat` asked for the instructions.
                    bits += unsafe { self.chunk(sampler, planes, chunk, alphabet, weight, &mut kept.1) };
                }
                (bits, self.unpack(&kept.1.gradient))
            })
        });
        let mut total = (0.0, vec![0f32; self.parameters]);
        for (bits, gradient) in sums.collect::<Vec<_>>() {
            total.0 += bits;
            total.1.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
        }
        (total.0, samples, total.1)
    }

    fn unpack(&self, padded: &[Vec<f32>]) -> Vec<f32> {
        let mut gradient = vec![0f32; self.parameters];
        for part in &self.layout.parts {
            let (layer, from) = (&self.layers[part.layer], &padded[part.layer]);
            let (own, bias) = gradient[part.slot.at..part.slot.end()].split_at_mut(part.slot.n_in * part.slot.n_out);
            for (i, row) in own.chunks_exact_mut(part.slot.n_out).enumerate() {
                row.copy_from_slice(&from[part.row(i) * layer.columns + part.column..][..part.slot.n_out]);
            }
            bias.copy_from_slice(&from[layer.n_in * layer.columns + part.column..][..part.slot.n_out]);
        }
        gradient
    }

    /// Bits of one chunk; adds `weight` times their gradient to the scratch's.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn chunk<S: Sample>(
        &self,
        sampler: &Sampler,
        planes: &[Plane<S>],
        patches: &[Patch],
        alphabet: Alphabet,
        weight: f32,
        scratch: &mut Scratch,
    ) -> f64 {
        let shape = sampler.shape();
        let (channels, layout) = (shape.channels, &self.layout);
        let Scratch { chunk, first, second, hidden, seen, by_seen, by_features, outs, by_outs, by_hidden, by, blocks, gradient } = scratch;
        chunk.gather(sampler, planes, patches);
        let (around, core) = (chunk.around(), chunk.here.len());

        // Forwards: features around, what the second stage sees, its state with the residuals beside, hidden layers, outputs.
        let (input_stride, feature_count) = (chunk.stride, shape.first.last().copied().unwrap_or(0));
        let mut stride = input_stride;
        first.resize_with(layout.first, Activated::default);
        for index in 0..layout.first {
            let (before, now) = first.split_at_mut(index);
            let input = before.last().map_or(&chunk.windows, |before| &before.outputs);
            let extra = if index + 1 == layout.first { WIDE } else { 0 };
            self.activate(index, input, stride, around, extra, &mut now[0]);
            stride = now[0].stride;
        }
        let Some(Activated { outputs: known, .. }) = first.last_mut() else { return 0.0 };
        let known_stride = stride;
        for (row, residuals) in known.chunks_exact_mut(known_stride).zip(chunk.residuals.chunks_exact(channels)) {
            row[feature_count..feature_count + channels].copy_from_slice(residuals);
        }
        known[around * known_stride..][..known_stride].fill(0);
        let state_stride;
        let state: &mut Vec<u16>;
        if layout.second > 0 {
            let both = feature_count + channels;
            let seen_stride = (feature_count + 4 * both).next_multiple_of(32);
            room(seen, (core + SLACK) * seen_stride);
            for ((row, &here), near) in seen.chunks_exact_mut(seen_stride).zip(&chunk.here).zip(chunk.near.chunks_exact(4)) {
                kernel::copy(&known[here as usize * known_stride..][..feature_count], &mut row[..feature_count]);
                for (tap, &at) in row[feature_count..].chunks_exact_mut(both).zip(near) {
                    kernel::copy(&known[at as usize * known_stride..][..both], tap);
                }
            }
            stride = seen_stride;
            second.resize_with(layout.second, Activated::default);
            for index in 0..layout.second {
                let (before, now) = second.split_at_mut(index);
                let input = before.last().map_or(&*seen, |before| &before.outputs);
                let extra = if index + 1 == layout.second { WIDE } else { 0 };
                self.activate(layout.first + index, input, stride, core, extra, &mut now[0]);
                stride = now[0].stride;
            }
            let Some(last) = second.last_mut() else { return 0.0 };
            (state_stride, state) = (stride, &mut last.outputs);
        } else {
            // One stage: the state is the features at core pixels.
            state_stride = feature_count.next_multiple_of(WIDE) + WIDE;
            room(seen, (core + SLACK) * state_stride);
            for (row, &here) in seen.chunks_exact_mut(state_stride).zip(&chunk.here) {
                kernel::copy(&known[here as usize * known_stride..][..feature_count], &mut row[..feature_count]);
            }
            state = &mut *seen;
        }
        let beside = state_stride - WIDE;
        for (row, &here) in state.chunks_exact_mut(state_stride).zip(&chunk.here) {
            row[beside..beside + channels].copy_from_slice(&chunk.residuals[here as usize * channels..][..channels]);
        }
        let joint = layout.first + layout.second;
        self.activate(joint, state, state_stride, core, 0, hidden);
        let (out_stride, hidden_stride) = (channels * layout.outputs, hidden.stride);
        room(outs, (core.next_multiple_of(LANES) + SLACK) * out_stride);
        room(by_outs, (core.next_multiple_of(LANES) + SLACK) * out_stride);
        for c in 0..channels {
            let layer = &self.layers[joint + 1 + c];
            let mut finish = Finish::Linear { scale: &layer.scale, bias: &layer.bias, out: &mut outs[c * layout.outputs..] };
            kernel::product(&hidden.outputs[c * layout.hidden..], hidden_stride, core, &layer.forwards, &mut finish, out_stride);
        }

        // The loss, sixteen pixels at a time.
        let mixture = Shape { components: shape.components, spikes: shape.spike_taps().len(), alphabet };
        let mut bits = 0.0;
        let mut columns = [[0f32; LANES]; MOST_OUTPUTS];
        let mut by_columns = [[0f32; LANES]; MOST_OUTPUTS];
        for group in 0..core.div_ceil(LANES) {
            let live = (core - group * LANES).min(LANES);
            for c in 0..channels {
                let at = group * LANES * out_stride + c * layout.outputs;
                for part in (0..layout.outputs).step_by(WIDE) {
                    kernel::columns(&outs[at + part..], out_stride, &mut columns[part..part + WIDE]);
                }
                bits += lanes::bits_of_columns(mixture, &columns, &chunk.targets[group * channels + c], weight, live, &mut by_columns);
                for part in (0..layout.outputs).step_by(WIDE) {
                    kernel::rows_bf16(&by_columns[part..part + WIDE], &mut by_outs[at + part..], out_stride);
                }
            }
        }

        // Backwards.
        room(by_hidden, (core + SLACK) * hidden_stride);
        for c in 0..channels {
            let layer = &self.layers[joint + 1 + c];
            let by_out = &by_outs[c * layout.outputs..];
            let of = (&hidden.outputs[c * layout.hidden..], hidden_stride, layer.n_in);
            kernel::add_weight_gradient(self.multiply, of, (by_out, out_stride, layer.columns), core, blocks, &mut gradient[joint + 1 + c]);
            let open = &hidden.open[c * layout.hidden / WIDE..];
            let mut finish = Finish::Masked { open, open_stride: hidden_stride / WIDE, out: &mut by_hidden[c * layout.hidden..] };
            kernel::product(by_out, out_stride, core, &layer.backwards, &mut finish, hidden_stride);
        }
        let layer = &self.layers[joint];
        let of = (&state[..], state_stride, layer.n_in);
        kernel::add_weight_gradient(self.multiply, of, (by_hidden, hidden_stride, layer.columns), core, blocks, &mut gradient[joint]);
        // The gradient by the joint layer's inputs has columns for the residuals too, which nobody reads.
        let by_stride = layer.n_in.next_multiple_of(WIDE);
        room(&mut by[0], (core + SLACK) * by_stride);
        let [now, next] = by;
        let features = feature_count.next_multiple_of(WIDE);
        if let Some(last) = second.last() {
            // Bits of the columns beside the state are never set.
            let mut finish = Finish::Masked { open: &last.open, open_stride: last.stride / WIDE, out: now };
            kernel::product(by_hidden, hidden_stride, core, &layer.backwards, &mut finish, by_stride);
            let mut stride = by_stride;
            for index in (0..layout.second).rev() {
                let layer = &self.layers[layout.first + index];
                let (x, x_stride) = match index {
                    0 => (&*seen, (feature_count + 4 * (feature_count + channels)).next_multiple_of(32)),
                    _ => (&second[index - 1].outputs, second[index - 1].stride),
                };
                let of = (&x[..], x_stride, layer.n_in);
                kernel::add_weight_gradient(self.multiply, of, (now, stride, layer.columns), core, blocks, &mut gradient[layout.first + index]);
                let to = layer.n_in.next_multiple_of(WIDE);
                let (out, mut finish);
                if index > 0 {
                    room(next, (core + SLACK) * to);
                    let open = &second[index - 1].open;
                    finish = Finish::Masked { open, open_stride: second[index - 1].stride / WIDE, out: next };
                } else {
                    room(by_seen, (core + SLACK) * to);
                    out = &mut *by_seen;
                    finish = Finish::Plain { out };
                }
                kernel::product(now, stride, core, &layer.backwards, &mut finish, to);
                std::mem::swap(now, next);
                stride = to;
            }
        } else {
            room(by_seen, (core + SLACK) * by_stride);
            kernel::product(by_hidden, hidden_stride, core, &layer.backwards, &mut Finish::Plain { out: by_seen }, by_stride);
        }
        room(by_features, (around + 1) * features + WIDE);
        by_features[..(around + 1) * features].fill(0.0);
        let seen_stride = if layout.second > 0 { self.layers[layout.first].n_in.next_multiple_of(WIDE) } else { by_stride };
        for ((row, &here), near) in by_seen.chunks_exact(seen_stride).zip(&chunk.here).zip(chunk.near.chunks_exact(4)) {
            kernel::add(&row[..feature_count], &mut by_features[here as usize * features..][..features]);
            if layout.second > 0 {
                for (tap, &at) in row[feature_count..].chunks_exact(feature_count + channels).zip(near) {
                    kernel::add(&tap[..feature_count], &mut by_features[at as usize * features..][..features]);
                }
            }
        }
        room(now, (around + SLACK) * features);
        let Some(last) = first.last() else { return bits };
        let registers = last.stride / WIDE;
        for (row, sums) in by_features.chunks_exact(features).take(around).enumerate() {
            kernel::mask_row(sums, &last.open[row * registers..][..features / WIDE], &mut now[row * features..][..features]);
        }
        let mut stride = features;
        for index in (0..layout.first).rev() {
            let layer = &self.layers[index];
            let (x, x_stride) = match index {
                0 => (&chunk.windows, input_stride),
                _ => (&first[index - 1].outputs, first[index - 1].stride),
            };
            let of = (&x[..], x_stride, layer.n_in);
            kernel::add_weight_gradient(self.multiply, of, (now, stride, layer.columns), around, blocks, &mut gradient[index]);
            if index > 0 {
                let to = layer.n_in.next_multiple_of(WIDE);
                room(next, (around + SLACK) * to);
                let before = &first[index - 1];
                let mut finish = Finish::Masked { open: &before.open, open_stride: before.stride / WIDE, out: next };
                kernel::product(now, stride, around, &layer.backwards, &mut finish, to);
                std::mem::swap(now, next);
                stride = to;
            }
        }
        bits
    }

    /// A ReLU layer; its rows get `extra` columns for others to write.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn activate(&self, index: usize, input: &[u16], input_stride: usize, rows: usize, extra: usize, to: &mut Activated) {
        let layer = &self.layers[index];
        to.stride = layer.columns + extra;
        room(&mut to.outputs, (rows + SLACK + 1) * to.stride);
        let open_stride = to.stride / WIDE;
        room(&mut to.open, (rows + SLACK + 1) * open_stride);
        let Activated { outputs, open, .. } = to;
        let mut finish = Finish::Relu { scale: &layer.scale, bias: &layer.bias, rounded: self.rounded.is_some(), out: outputs, open, open_stride };
        kernel::product(input, input_stride, rows, &layer.forwards, &mut finish, layer.columns + extra);
    }
}

/// Outputs of a ReLU layer, rows of `stride` values; and where its gradient passes, one bit a value.
#[derive(Debug, Default)]
struct Activated {
    stride: usize,
    outputs: Vec<u16>,
    open: Vec<u16>,
}

/// What a thread keeps from chunk to chunk, so that nothing is allocated or cleared twice.
#[derive(Debug, Default)]
struct Scratch {
    chunk: Chunk,
    first: Vec<Activated>,
    second: Vec<Activated>,
    hidden: Activated,
    seen: Vec<u16>,
    by_seen: Vec<u16>,
    by_features: Vec<f32>,
    outs: Vec<f32>,
    by_outs: Vec<u16>,
    by_hidden: Vec<u16>,
    /// Gradients by a layer's sums, this one's and the next one's.
    by: [Vec<u16>; 2],
    blocks: BlockScratch,
    /// Sums of a group of chunks, layer by layer as packed, of shape `[gradient_rows(n_in), columns]`.
    gradient: Vec<Vec<f32>>,
}

/// Makes a buffer hold at least `len` values.
fn room<T: Default + Clone>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}
