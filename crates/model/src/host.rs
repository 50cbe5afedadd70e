//! The network on the CPU: the same function and gradient as [`crate::net::Net::forward`] under burn's autodiff, in one fused pass.
//!
//! A batch is cut into chunks that stay in cache; each chunk runs forwards and backwards on one thread. Against autodiff tensors, which
//! write every intermediate of the whole batch to memory, a step takes about two thirds of the CPU time (`docs/experiments.md`). The tests hold
//! its gradients against autodiff's. Gradients of chunks are summed in order, so the number of threads changes nothing.

mod matrix;

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use kolmo_codec::context::Plane;
use rayon::prelude::*;

use crate::net::{CEILING, Layer, Net, NetShape};
use crate::quantise::{host, step_code};
use crate::sample::{Batch, Patch, Sampler};
use matrix::{add_product_of_transposed, product, product_with_transposed};

/// Core pixels of a chunk.
const CHUNK: usize = 1024;

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
    rounded: bool,
    parameters: usize,
}

/// Inputs, sums before the activation, and outputs of a ReLU layer.
struct Activated {
    seen: Vec<f32>,
    sums: Vec<f32>,
    outputs: Vec<f32>,
}

impl HostNet {
    /// Copies a network; with weights as the integer Program will have them if `rounded`.
    #[must_use]
    pub fn new(net: &Net, rounded: bool) -> Self {
        let mut at = 0;
        let mut copy = |layer: &Layer| {
            let [n_in, n_out] = layer.weight.dims();
            let mut weight = host(layer.weight.val());
            if rounded {
                round(&mut weight, n_out);
            }
            let copied = HostLayer { n_in, n_out, weight, bias: host(layer.bias.val()), at };
            at += n_in * n_out + n_out;
            copied
        };
        let first = net.first.iter().map(&mut copy).collect();
        let second = net.second.iter().map(&mut copy).collect();
        let heads = net.heads.iter().map(|head| [copy(&head.hidden), copy(&head.out)]).collect();
        Self { first, second, heads, rounded, parameters: at }
    }

    /// Sum of bits over the patches, number of samples, and the flat gradient of the mean bits per sample.
    #[must_use]
    pub fn gradient(&self, sampler: &Sampler, planes: &[Plane], patches: &[Patch], bit_depth: u8) -> (f64, usize, Vec<f32>) {
        let chunks = cut(patches);
        let parts: Vec<_> = chunks.par_iter().map(|chunk| self.chunk(sampler, &sampler.gather(planes, chunk), bit_depth, true)).collect();
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
    pub fn bits(&self, sampler: &Sampler, planes: &[Plane], patches: &[Patch], bit_depth: u8) -> (f64, usize) {
        let chunks = cut(patches);
        let parts: Vec<_> = chunks.par_iter().map(|chunk| self.chunk(sampler, &sampler.gather(planes, chunk), bit_depth, false)).collect();
        parts.iter().fold((0.0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    /// Hands the flat gradient to burn, parameter by parameter.
    #[must_use]
    pub fn register(&self, net: &Net, gradient: &[f32], device: &Device) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let mut give = |layer: &Layer, of: &HostLayer| {
            let (weight, bias) = gradient[of.at..of.at + of.n_in * of.n_out + of.n_out].split_at(of.n_in * of.n_out);
            let id = |param: &Param<Tensor<2>>| param.id;
            gradients.register(id(&layer.weight), Tensor::<2>::from_data(TensorData::new(weight.to_vec(), [of.n_in, of.n_out]), device));
            gradients.register(layer.bias.id, Tensor::<1>::from_data(TensorData::new(bias.to_vec(), [of.n_out]), device));
        };
        net.first.iter().zip(&self.first).for_each(|(layer, of)| give(layer, of));
        net.second.iter().zip(&self.second).for_each(|(layer, of)| give(layer, of));
        for (head, [hidden, out]) in net.heads.iter().zip(&self.heads) {
            give(&head.hidden, hidden);
            give(&head.out, out);
        }
        gradients
    }

    /// Bits, samples and (if asked for) the gradient of the mean bits per sample of one chunk.
    fn chunk(&self, sampler: &Sampler, batch: &Batch, bit_depth: u8, backwards: bool) -> (f64, usize, Vec<f32>) {
        let shape = sampler.shape();
        let first = self.stack(&self.first, batch.windows.clone());
        let features = outputs(&first, &batch.windows);
        let seen = if self.second.is_empty() { features.to_vec() } else { look_back(shape, batch, features) };
        let second = self.stack(&self.second, seen.clone());
        let state = outputs(&second, &seen);
        let core = batch.here.len();
        let width = state.len() / core.max(1);
        let hidden: Vec<Activated> = (0..self.heads.len()).map(|c| self.activate(&self.heads[c][0], join(shape, batch, state, width, c))).collect();
        let outs: Vec<Vec<f32>> = self.heads.iter().zip(&hidden).map(|([_, out], hidden)| sums(out, &hidden.outputs)).collect();
        let (bits, by_output) = sampler.loss(batch, &outs, bit_depth);
        if !backwards {
            return (bits, batch.samples.len(), Vec::new());
        }
        let mut gradient = vec![0f32; self.parameters];
        let mut by_state = vec![0f32; state.len()];
        for (c, ([layer, out], hidden)) in self.heads.iter().zip(&hidden).enumerate() {
            let by_hidden = back(out, &hidden.outputs, &by_output[c], &mut gradient, true);
            let by_seen = self.back_activated(layer, hidden, by_hidden, &mut gradient, true);
            for (sum, part) in by_state.chunks_exact_mut(width).zip(by_seen.chunks_exact(width + c)) {
                sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        }
        let by_seen = self.back_stack(&self.second, &second, by_state, &mut gradient, true);
        let by_features = if self.second.is_empty() { by_seen } else { look_back_gradient(shape, batch, &by_seen, features.len()) };
        self.back_stack(&self.first, &first, by_features, &mut gradient, false);
        (bits, batch.samples.len(), gradient)
    }

    fn stack(&self, layers: &[HostLayer], mut seen: Vec<f32>) -> Vec<Activated> {
        let mut all = Vec::with_capacity(layers.len());
        for layer in layers {
            let activated = self.activate(layer, seen);
            seen = activated.outputs.clone();
            all.push(activated);
        }
        all
    }

    fn activate(&self, layer: &HostLayer, seen: Vec<f32>) -> Activated {
        let sums = sums(layer, &seen);
        let ceiling = CEILING as f32;
        let outputs = match self.rounded {
            true => sums.iter().map(|sum| crate::net::nearest(sum.clamp(0.0, ceiling) * 32.0) / 32.0).collect(),
            false => sums.iter().map(|sum| sum.clamp(0.0, ceiling)).collect(),
        };
        Activated { seen, sums, outputs }
    }

    /// From the gradient by a ReLU layer's outputs to that by its inputs (empty if not `wanted`); adds the layer's own to `gradient`.
    fn back_activated(&self, layer: &HostLayer, activated: &Activated, mut by_output: Vec<f32>, gradient: &mut [f32], wanted: bool) -> Vec<f32> {
        let ceiling = CEILING as f32;
        for (by, &sum) in by_output.iter_mut().zip(&activated.sums) {
            *by = if sum > 0.0 && sum < ceiling { *by } else { 0.0 };
        }
        back(layer, &activated.seen, &by_output, gradient, wanted)
    }

    fn back_stack(&self, layers: &[HostLayer], activated: &[Activated], mut by: Vec<f32>, gradient: &mut [f32], wanted: bool) -> Vec<f32> {
        for (index, (layer, activated)) in layers.iter().zip(activated).enumerate().rev() {
            by = self.back_activated(layer, activated, by, gradient, wanted || index > 0);
        }
        by
    }
}

/// Patches in groups of about [`CHUNK`] pixels.
fn cut(patches: &[Patch]) -> Vec<&[Patch]> {
    let mut chunks = Vec::new();
    let mut rest = patches;
    while !rest.is_empty() {
        let mut held = 0;
        let fits = rest.iter().take_while(|patch| {
            held += patch.height * patch.width;
            held <= CHUNK
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
    let mut sums = vec![0f32; rows * layer.n_out];
    sums.chunks_exact_mut(layer.n_out).for_each(|row| row.copy_from_slice(&layer.bias));
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
fn join(shape: &NetShape, batch: &Batch, state: &[f32], width: usize, c: usize) -> Vec<f32> {
    let mut seen = Vec::with_capacity(batch.here.len() * (width + c));
    for (row, &here) in state.chunks_exact(width).zip(&batch.here) {
        seen.extend_from_slice(row);
        seen.extend_from_slice(&batch.residuals[here as usize * shape.channels..][..c]);
    }
    seen
}

/// Rounds weights of shape `[inputs, outputs]` to whole steps, as [`crate::quantise::quantise`] does.
fn round(weight: &mut [f32], n_out: usize) {
    let mut largest = vec![0f32; n_out];
    for row in weight.chunks_exact(n_out) {
        largest.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(value.abs()));
    }
    let steps: Vec<f32> = largest.iter().map(|&largest| (-f32::from(step_code(largest)) / 8.0).exp2()).collect();
    for row in weight.chunks_exact_mut(n_out) {
        row.iter_mut().zip(&steps).for_each(|(value, step)| *value = (*value / step).round_ties_even() * step);
    }
}

#[cfg(test)]
mod tests;
