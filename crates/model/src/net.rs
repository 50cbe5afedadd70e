//! The causal network, as burn modules: the float twin of a [`kolmo_codec::program::Program`].

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::{Distribution, Tensor, TensorData};
use kolmo_codec::program::Tap;
use kolmo_codec::sample::Sample as _;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::levels::Levels;
use crate::quantise::host;

/// Largest activation: 127 units of 1/32.
pub const CEILING: f64 = 127.0 / 32.0;
/// Units of every wire.
pub const UNIT: f64 = 1.0 / 32.0;

/// Sizes of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetShape {
    /// Channels of a pixel.
    pub channels: usize,
    /// Reach of the first stage's diamond window: neighbours with `|dx| + |dy| <= reach + 1`, at most `reach` away along an axis.
    pub reach: usize,
    /// Units of the first stage's layers; the last are its features.
    pub first: Vec<usize>,
    /// Units of the second stage's layers; empty for a network of one stage.
    pub second: Vec<usize>,
    /// Hidden units of each head.
    pub head: usize,
    /// Logistic components of a mixture.
    pub components: usize,
    /// Exact neighbour values with mass of their own, at most 6.
    pub spikes: usize,
    /// Symbols have more than 8 bits, so that more than one input tells a channel's base.
    #[serde(default)]
    pub deep: bool,
    /// Hats along each axis that tell the first stage where a pixel is in its image; 0 for none. See [`kolmo_codec::program::Program::hats`].
    #[serde(default)]
    pub hats: usize,
}

impl NetShape {
    /// The diamond window.
    #[must_use]
    pub fn window(&self) -> Vec<Tap> {
        let reach = self.reach as i8;
        let taps = (-reach..=0).flat_map(|dy| (-reach..=reach).map(move |dx| Tap { dy, dx }));
        taps.filter(|tap| (tap.dy < 0 || tap.dx < 0) && tap.dx.abs() - tap.dy <= reach + 1).collect()
    }

    /// Where the second stage looks: W, N, NE, NW.
    #[must_use]
    pub fn near() -> Vec<Tap> {
        [(0, -1), (-1, 0), (-1, 1), (-1, -1)].map(|(dy, dx)| Tap { dy, dx }).to_vec()
    }

    /// Positions whose exact values get mass: the first of W, N, NW, NE, WW, NN.
    #[must_use]
    pub fn spike_taps(&self) -> Vec<Tap> {
        [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)][..self.spikes.min(6)].iter().map(|&(dy, dx)| Tap { dy, dx }).collect()
    }

    /// Inputs of the first stage.
    #[must_use]
    pub fn inputs(&self) -> usize {
        let levels = if self.deep { u16::LEVELS } else { u8::LEVELS };
        (self.window().len() + levels) * self.channels + 5 + 2 * self.hats
    }

    /// Outputs of a head.
    #[must_use]
    pub fn outputs(&self) -> usize {
        3 * self.components + self.spikes.min(6)
    }

    /// Multiply-accumulates spent on one pixel.
    #[must_use]
    pub fn macs_per_pixel(&self) -> u64 {
        let stack = |inputs: usize, units: &[usize]| units.iter().fold((inputs, 0), |(n_in, sum), &n_out| (n_out, sum + n_in * n_out));
        let (features, first) = stack(self.inputs(), &self.first);
        let (state, second) = if self.second.is_empty() { (features, 0) } else { stack(self.second_inputs(), &self.second) };
        let heads: usize = (0..self.channels).map(|c| (state + c) * self.head + self.head * self.outputs()).sum();
        (first + second + heads) as u64
    }

    /// Inputs of the second stage: features here, then features and residuals at each of [`NetShape::near`].
    pub(crate) fn second_inputs(&self) -> usize {
        let features = self.first.last().copied().unwrap_or(0);
        features + Self::near().len() * (features + self.channels)
    }
}

/// A fully connected layer, weights of shape `[inputs, outputs]`.
#[derive(Module, Debug)]
pub struct Layer {
    /// Shape `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// Shape `[outputs]`.
    pub bias: Param<Tensor<1>>,
}

impl Layer {
    fn new(inputs: usize, outputs: usize, gain: f64, bias: Vec<f32>, device: &Device) -> Self {
        let weight = Tensor::random([inputs, outputs], Distribution::Normal(0.0, gain / (inputs as f64).sqrt()), device);
        Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(Tensor::from_data(TensorData::new(bias, [outputs]), device)) }
    }

    fn relu(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self::new(inputs, outputs, 1.4, vec![0.0; outputs], device)
    }

    /// `x @ weight + bias`, with the weight as the integer Program will have it if `rounded`.
    fn forward(&self, x: Tensor<2>, rounded: Option<Levels>) -> Tensor<2> {
        let weight = self.weight.val();
        let weight = match rounded {
            Some(levels) => round_weights(weight, levels),
            None => weight,
        };
        x.matmul(weight) + self.bias.val().unsqueeze()
    }

    /// The same, through a ReLU that ends at [`CEILING`], in whole units if `rounded`; gradients pass straight through the rounding.
    ///
    /// Written as `z * open + level` with constants `open` (1 where the gradient passes) and `level`: one pass on the host makes both, where
    /// clamping and rounding as tensor operations would each read and write the batch several times, forwards and backwards.
    fn activate(&self, x: Tensor<2>, rounded: Option<Levels>) -> Tensor<2> {
        let z = self.forward(x, rounded);
        let dims = z.dims();
        let device = z.device();
        let mut open = host(z.clone().detach());
        let mut level = vec![0f32; open.len()];
        open.par_chunks_mut(1 << 14).zip(level.par_chunks_mut(1 << 14)).for_each(|(open, level)| {
            for (open, level) in open.iter_mut().zip(level) {
                let z = *open;
                let inside = z > 0.0 && z < CEILING as f32;
                *open = f32::from(u8::from(inside));
                let y = z.clamp(0.0, CEILING as f32);
                let y = if rounded.is_some() { nearest(y * 32.0) / 32.0 } else { y };
                *level = if inside { y - z } else { y };
            }
        });
        z * Tensor::from_data(TensorData::new(open, dims), &device) + Tensor::from_data(TensorData::new(level, dims), &device)
    }
}

/// Nearest whole number of a small non-negative one, by the rounding of 2^23.
pub(crate) fn nearest(value: f32) -> f32 {
    (value + 8_388_608.0) - 8_388_608.0
}

/// Weights rounded to whole steps, one step (a power of `2^(1/8)`) an output unit; gradients pass straight through.
fn round_weights(weight: Tensor<2>, levels: Levels) -> Tensor<2> {
    let fixed = weight.clone().detach();
    let largest = fixed.clone().abs().max_dim(0).clamp_min(1e-6);
    // code = floor(-8 log2(largest / levels)), step = 2^(-code / 8)
    let code = ((largest / f64::from(levels.largest())).log() * (-8.0 / std::f64::consts::LN_2)).floor().clamp(0.0, 255.0);
    let step = (code * (-std::f64::consts::LN_2 / 8.0)).exp();
    let whole = (fixed.clone() / step.clone()).round() * step;
    weight + (whole - fixed)
}

/// Hidden layer and output layer of one channel.
#[derive(Module, Debug)]
pub struct HeadNet {
    /// ReLU.
    pub hidden: Layer,
    /// Linear.
    pub out: Layer,
}

/// The network.
#[derive(Module, Debug)]
pub struct Net {
    /// First stage.
    pub first: Vec<Layer>,
    /// Second stage, may be empty.
    pub second: Vec<Layer>,
    /// One a channel, in coding order.
    pub heads: Vec<HeadNet>,
}

/// What a batch of pixels shows the network. Core pixels are coded; the first stage also runs on those around them.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Shape `[around, inputs]`, real values (integers / 32).
    pub windows: Tensor<2>,
    /// True residuals of the same pixels, shape `[around, channels]`; real values.
    pub residuals: Tensor<2>,
    /// For each core pixel its row in `windows`, shape `[core]`.
    pub here: Tensor<1, Int>,
    /// For each core pixel the rows of its W, N, NE, NW; `around` where outside the image. Shape `[core * 4]`.
    pub near: Tensor<1, Int>,
}

/// burn's generator belongs to the whole process, so whoever seeds it or draws from it does so alone.
static GENERATOR: Mutex<()> = Mutex::new(());

impl Net {
    /// Random weights.
    #[must_use]
    pub fn new(shape: &NetShape, device: &Device) -> Self {
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        Self::drawn(shape, device)
    }

    /// Random weights, the same for the same seed.
    #[must_use]
    pub fn seeded(shape: &NetShape, device: &Device, seed: u64) -> Self {
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        device.seed(seed);
        Self::drawn(shape, device)
    }

    fn drawn(shape: &NetShape, device: &Device) -> Self {
        let stack = |mut inputs: usize, units: &[usize]| {
            let layers = units.iter().map(|&outputs| Layer::relu(std::mem::replace(&mut inputs, outputs), outputs, device));
            layers.collect::<Vec<_>>()
        };
        let features = shape.second.last().or(shape.first.last()).copied().unwrap_or(0);
        let first = stack(shape.inputs(), &shape.first);
        let second = stack(shape.second_inputs(), &shape.second);
        let k = shape.components;
        let mut bias = vec![0.0f32; shape.outputs()];
        for i in 0..k {
            bias[k + i] = (i as f32 + 0.5) / k as f32 - 0.5; // means spread over 16 steps
            bias[2 * k + i] = 2.0; // scales of 4 steps
        }
        bias[3 * k..].fill(-4.0);
        let heads = (0..shape.channels).map(|c| HeadNet {
            hidden: Layer::relu(features + c, shape.head, device),
            out: Layer::new(shape.head, shape.outputs(), 0.1, bias.clone(), device),
        });
        Self { first, second, heads: heads.collect() }
    }

    /// Outputs of each head, shape `[core, outputs]`, as [`kolmo_codec::program::Head::out`] lays them out, in real values.
    ///
    /// `rounded` computes with weights and activations as the integer Program has them; gradients pass straight through.
    #[must_use]
    pub fn forward(&self, inputs: &Inputs, rounded: Option<Levels>) -> Vec<Tensor<2>> {
        let mut features = inputs.windows.clone();
        for layer in &self.first {
            features = layer.activate(features, rounded);
        }
        let [around, channels] = inputs.residuals.dims();
        let [core] = inputs.here.dims();
        let mut state = features.clone().select(0, inputs.here.clone());
        if !self.second.is_empty() {
            let width = features.dims()[1] + channels;
            let known = Tensor::cat(vec![features, inputs.residuals.clone()], 1);
            let outside = Tensor::zeros([1, width], &known.device());
            let known = Tensor::cat(vec![known, outside], 0);
            debug_assert_eq!(known.dims()[0], around + 1);
            let near = known.select(0, inputs.near.clone());
            state = Tensor::cat(vec![state, near.reshape([core, width * 4])], 1);
            for layer in &self.second {
                state = layer.activate(state, rounded);
            }
        }
        let residuals = inputs.residuals.clone().select(0, inputs.here.clone());
        let outputs = self.heads.iter().enumerate().map(|(c, head)| {
            let seen = if c == 0 { state.clone() } else { Tensor::cat(vec![state.clone(), residuals.clone().narrow(1, 0, c)], 1) };
            head.out.forward(head.hidden.activate(seen, rounded), rounded)
        });
        outputs.collect()
    }
}
