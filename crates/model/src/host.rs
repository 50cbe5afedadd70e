//! The network on the CPU: the same function and gradient as [`crate::net::Net::forward`] under burn's autodiff, in one fused pass.
//!
//! A batch is cut into chunks that stay in cache; each chunk runs forwards and backwards on one thread. Autodiff tensors would write every
//! intermediate of the whole batch to memory. There are two such passes: [`HostNet`] in f32, for every machine, and one in bf16 for those with
//! AVX-512; [`gradient`] picks. The tests hold the first to autodiff number for number, and the second to its direction and
//! length. Gradients of chunks are summed in order, so the number of threads changes nothing.

#[cfg(target_arch = "x86_64")]
mod bfloat;
pub(crate) mod matrix;

use std::borrow::Cow;

use kolmo_codec::alphabet::Alphabet;
use kolmo_codec::context::Plane;
use kolmo_codec::sample::Sample;
use rayon::prelude::*;

use crate::levels::Levels;
use crate::net::{CEILING, NetShape};
use crate::sample::{Batch, Patch, Sampler};
use crate::weights::{Slot, Slots};
use matrix::{add_product_of_transposed, product, product_with_transposed};

/// Core pixels of a chunk.
const CHUNK: usize = 1024;

/// Sum of bits over the patches, number of samples, and the flat gradient of the mean bits per sample: in the fastest way of this machine.
///
/// `weights` as [`Slots`] places them; the network is rounded as the integer Program will be if `rounded`.
#[must_use]
pub fn gradient<S: Sample>(
    weights: &[f32],
    rounded: Option<Levels>,
    sampler: &Sampler,
    planes: &[Plane<S>],
    patches: &[Patch],
    alphabet: impl Into<Alphabet>,
) -> (f64, usize, Vec<f32>) {
    let alphabet = alphabet.into();
    #[cfg(target_arch = "x86_64")]
    if let Some(net) = bfloat::Bfloat::new(sampler.shape(), weights, rounded) {
        return net.gradient(sampler, planes, patches, alphabet);
    }
    HostNet::new(sampler.shape(), weights, rounded).gradient(sampler, planes, patches, alphabet)
}

/// A layer's values.
struct HostLayer {
    n_in: usize,
    n_out: usize,
    /// Shape `[n_in, n_out]`; rounded to whole steps if the network is.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Where its gradient begins in the flat gradient: weights, then biases.
    at: usize,
}

/// The network's values.
pub struct HostNet {
    first: Vec<HostLayer>,
    second: Vec<HostLayer>,
    heads: Vec<[HostLayer; 2]>,
    rounded: Option<Levels>,
    parameters: usize,
}

/// Sums before the activation, and outputs of a ReLU layer.
struct Activated {
    sums: Vec<f32>,
    outputs: Vec<f32>,
}

impl HostNet {
    /// Takes a network's parameters, as [`Slots`] places them; rounded as the integer Program will have them if `rounded`.
    #[must_use]
    pub fn new(shape: &NetShape, weights: &[f32], rounded: Option<Levels>) -> Self {
        let slots = Slots::new(shape);
        let copy = |slot: &Slot| {
            let mut weight = weights[slot.at..slot.biases()].to_vec();
            if let Some(levels) = rounded {
                round(&mut weight, slot.n_out, levels);
            }
            HostLayer { n_in: slot.n_in, n_out: slot.n_out, weight, bias: weights[slot.biases()..slot.end()].to_vec(), at: slot.at }
        };
        let first = slots.first.iter().map(copy).collect();
        let second = slots.second.iter().map(copy).collect();
        let heads = slots.heads.iter().map(|[hidden, out]| [copy(hidden), copy(out)]).collect();
        Self { first, second, heads, rounded, parameters: slots.parameters }
    }

    /// Sum of bits over the patches, number of samples, and the flat gradient of the mean bits per sample.
    #[must_use]
    pub fn gradient<S: Sample>(
        &self,
        sampler: &Sampler,
        planes: &[Plane<S>],
        patches: &[Patch],
        alphabet: impl Into<Alphabet>,
    ) -> (f64, usize, Vec<f32>) {
        let alphabet = alphabet.into();
        let chunks = cut(patches, CHUNK);
        let parts: Vec<_> = chunks.par_iter().map(|chunk| self.chunk(sampler, &sampler.gather_one_by_one(planes, chunk), alphabet, true)).collect();
        let samples: usize = parts.iter().map(|part| part.1).sum();
        let mut bits = 0.0;
        let mut gradient = vec![0f32; self.parameters];
        for (part_bits, part_samples, part) in &parts {
            bits += part_bits;
            let share = *part_samples as f32 / samples as f32;
            gradient.iter_mut().zip(part).for_each(|(sum, value)| *sum += share * value);
        }
        (bits, samples, gradient)
    }

    /// Sum of bits over the patches, and number of samples.
    #[must_use]
    pub fn bits<S: Sample>(&self, sampler: &Sampler, planes: &[Plane<S>], patches: &[Patch], alphabet: impl Into<Alphabet>) -> (f64, usize) {
        let alphabet = alphabet.into();
        let chunks = cut(patches, CHUNK);
        let parts: Vec<_> = chunks.par_iter().map(|chunk| self.chunk(sampler, &sampler.gather_one_by_one(planes, chunk), alphabet, false)).collect();
        parts.iter().fold((0.0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    /// Bits, samples and (if asked for) the gradient of the mean bits per sample of one chunk.
    fn chunk(&self, sampler: &Sampler, batch: &Batch, alphabet: Alphabet, backwards: bool) -> (f64, usize, Vec<f32>) {
        let shape = sampler.shape();
        let first = self.stack(&self.first, &batch.windows);
        let features = outputs(&first, &batch.windows);
        let seen = if self.second.is_empty() { Cow::Borrowed(features) } else { Cow::Owned(look_back(shape, batch, features)) };
        let second = self.stack(&self.second, &seen);
        let state = outputs(&second, &seen);
        let core = batch.here.len();
        let width = state.len() / core.max(1);
        let joined: Vec<Cow<'_, [f32]>> = (0..self.heads.len()).map(|c| join(shape, batch, state, width, c)).collect();
        let hidden: Vec<Activated> = self.heads.iter().zip(&joined).map(|([layer, _], joined)| self.activate(layer, joined)).collect();
        let outs: Vec<Vec<f32>> = self.heads.iter().zip(&hidden).map(|([_, out], hidden)| sums(out, &hidden.outputs)).collect();
        let (bits, by_output) = sampler.loss(batch, &outs, alphabet);
        if !backwards {
            return (bits, batch.samples.len(), Vec::new());
        }
        let mut gradient = vec![0f32; self.parameters];
        let mut by_state = vec![0f32; state.len()];
        for (c, ([layer, out], hidden)) in self.heads.iter().zip(&hidden).enumerate() {
            let by_hidden = back(out, &hidden.outputs, &by_output[c], &mut gradient, true);
            let by_seen = back_activated(layer, &joined[c], hidden, by_hidden, &mut gradient, true);
            for (sum, part) in by_state.chunks_exact_mut(width).zip(by_seen.chunks_exact(width + c)) {
                sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        }
        let by_seen = back_stack(&self.second, &seen, &second, by_state, &mut gradient, true);
        let by_features = if self.second.is_empty() { by_seen } else { look_back_gradient(shape, batch, &by_seen, features.len()) };
        back_stack(&self.first, &batch.windows, &first, by_features, &mut gradient, false);
        (bits, batch.samples.len(), gradient)
    }

    fn stack(&self, layers: &[HostLayer], inputs: &[f32]) -> Vec<Activated> {
        let mut all: Vec<Activated> = Vec::with_capacity(layers.len());
        for layer in layers {
            let activated = self.activate(layer, outputs(&all, inputs));
            all.push(activated);
        }
        all
    }

    fn activate(&self, layer: &HostLayer, seen: &[f32]) -> Activated {
        let sums = sums(layer, seen);
        let ceiling = CEILING as f32;
        let outputs = match self.rounded.is_some() {
            true => sums.iter().map(|sum| crate::net::nearest(sum.clamp(0.0, ceiling) * 32.0) / 32.0).collect(),
            false => sums.iter().map(|sum| sum.clamp(0.0, ceiling)).collect(),
        };
        Activated { sums, outputs }
    }
}

/// From the gradient by a ReLU layer's outputs to that by its inputs, which were `seen` (empty if not `wanted`); adds the layer's own to `gradient`.
fn back_activated(layer: &HostLayer, seen: &[f32], activated: &Activated, mut by_output: Vec<f32>, gradient: &mut [f32], wanted: bool) -> Vec<f32> {
    let ceiling = CEILING as f32;
    for (by, &sum) in by_output.iter_mut().zip(&activated.sums) {
        *by = if sum > 0.0 && sum < ceiling { *by } else { 0.0 };
    }
    back(layer, seen, &by_output, gradient, wanted)
}

fn back_stack(layers: &[HostLayer], inputs: &[f32], activated: &[Activated], mut by: Vec<f32>, gradient: &mut [f32], wanted: bool) -> Vec<f32> {
    for (index, (layer, own)) in layers.iter().zip(activated).enumerate().rev() {
        by = back_activated(layer, outputs(&activated[..index], inputs), own, by, gradient, wanted || index > 0);
    }
    by
}

/// Patches in groups of at most `pixels` pixels, or of one patch.
fn cut(patches: &[Patch], pixels: usize) -> Vec<&[Patch]> {
    let mut chunks = Vec::new();
    let mut rest = patches;
    while !rest.is_empty() {
        let mut held = 0;
        let fits = rest.iter().take_while(|patch| {
            held += patch.height * patch.width;
            held <= pixels
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        chunks.push(now);
        rest = later;
    }
    chunks
}

fn outputs<'a>(stack: &'a [Activated], inputs: &'a [f32]) -> &'a [f32] {
    stack.last().map_or(inputs, |last| &last.outputs)
}

/// `inputs @ weight + bias`.
fn sums(layer: &HostLayer, inputs: &[f32]) -> Vec<f32> {
    let rows = inputs.len() / layer.n_in;
    let mut sums = Vec::with_capacity(rows * layer.n_out);
    (0..rows).for_each(|_| sums.extend_from_slice(&layer.bias));
    product(inputs, &layer.weight, &mut sums, rows, layer.n_in, layer.n_out);
    sums
}

/// From the gradient by a layer's sums to that by its inputs (empty if not `wanted`); adds the layer's own to `gradient`.
fn back(layer: &HostLayer, inputs: &[f32], by_sums: &[f32], gradient: &mut [f32], wanted: bool) -> Vec<f32> {
    let rows = inputs.len() / layer.n_in;
    let (weight, bias) = gradient[layer.at..layer.at + layer.n_in * layer.n_out + layer.n_out].split_at_mut(layer.n_in * layer.n_out);
    add_product_of_transposed(inputs, by_sums, weight, rows, layer.n_in, layer.n_out);
    for row in by_sums.chunks_exact(layer.n_out) {
        bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let mut by_inputs = Vec::new();
    if wanted {
        by_inputs.resize(rows * layer.n_in, 0.0);
        product_with_transposed(by_sums, &layer.weight, &mut by_inputs, rows, layer.n_out, layer.n_in);
    }
    by_inputs
}

/// Inputs of the second stage: features here, then features and residuals at W, N, NE, NW.
fn look_back(shape: &NetShape, batch: &Batch, features: &[f32]) -> Vec<f32> {
    let (c, f) = (shape.channels, features.len() / (batch.residuals.len() / shape.channels));
    let width = f + 4 * (f + c);
    let mut seen = vec![0f32; batch.here.len() * width];
    for ((row, &here), near) in seen.chunks_exact_mut(width).zip(&batch.here).zip(batch.near.chunks_exact(4)) {
        let (own, taps) = row.split_at_mut(f);
        own.copy_from_slice(&features[here as usize * f..][..f]);
        for (tap, &at) in taps.chunks_exact_mut(f + c).zip(near) {
            let at = at as usize;
            if at * f < features.len() {
                tap[..f].copy_from_slice(&features[at * f..][..f]);
                tap[f..].copy_from_slice(&batch.residuals[at * c..][..c]);
            }
        }
    }
    seen
}

/// The way back of [`look_back`]: gradient by features from the gradient by the second stage's inputs.
fn look_back_gradient(shape: &NetShape, batch: &Batch, by_seen: &[f32], features: usize) -> Vec<f32> {
    let (c, f) = (shape.channels, features / (batch.residuals.len() / shape.channels));
    let width = f + 4 * (f + c);
    let mut by_features = vec![0f32; features];
    let mut add = |at: i32, part: &[f32]| {
        if let Some(row) = by_features.get_mut(at as usize * f..(at as usize + 1) * f) {
            row.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
    };
    for ((row, &here), near) in by_seen.chunks_exact(width).zip(&batch.here).zip(batch.near.chunks_exact(4)) {
        let (own, taps) = row.split_at(f);
        add(here, own);
        taps.chunks_exact(f + c).zip(near).for_each(|(tap, &at)| add(at, tap));
    }
    by_features
}

/// Inputs of head `c`: the state, then the residuals of the channels coded before.
fn join<'a>(shape: &NetShape, batch: &Batch, state: &'a [f32], width: usize, c: usize) -> Cow<'a, [f32]> {
    if c == 0 {
        return Cow::Borrowed(state);
    }
    let mut seen = Vec::with_capacity(batch.here.len() * (width + c));
    for (row, &here) in state.chunks_exact(width).zip(&batch.here) {
        seen.extend_from_slice(row);
        seen.extend_from_slice(&batch.residuals[here as usize * shape.channels..][..c]);
    }
    Cow::Owned(seen)
}

/// Rounds weights of shape `[inputs, outputs]` to whole steps, as [`crate::quantise::quantise`] does.
fn round(weight: &mut [f32], n_out: usize, levels: Levels) {
    let steps = steps(weight, n_out, levels);
    for row in weight.chunks_exact_mut(n_out) {
        row.iter_mut().zip(&steps).for_each(|(value, step)| *value = (*value / step).round_ties_even() * step);
    }
}

/// The step of each unit's weights.
fn steps(weight: &[f32], n_out: usize, levels: Levels) -> Vec<f32> {
    let mut largest = vec![0f32; n_out];
    for row in weight.chunks_exact(n_out) {
        largest.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(value.abs()));
    }
    largest.iter().map(|&largest| (-f32::from(levels.step_code(largest)) / 8.0).exp2()).collect()
}

#[cfg(test)]
mod tests;
