//! All parameters of a network as one vector: what the host computes with and the optimiser moves.
//!
//! burn's modules ([`crate::net::Net`]) give the first values, train on a GPU, and carry values into checkpoints and Programs.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use crate::net::{HeadNet, Layer, Net, NetShape};
use crate::quantise::host;

/// Where one layer's parameters stand: weights of shape `[n_in, n_out]` from `at`, then `n_out` biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Inputs.
    pub n_in: usize,
    /// Units.
    pub n_out: usize,
    /// First weight.
    pub at: usize,
}

impl Slot {
    /// First bias, and end of the weights.
    #[must_use]
    pub const fn biases(&self) -> usize {
        self.at + self.n_in * self.n_out
    }

    /// End of the biases.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.biases() + self.n_out
    }
}

/// Where every layer of a network stands, in the order of the vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// First stage.
    pub first: Vec<Slot>,
    /// Second stage.
    pub second: Vec<Slot>,
    /// Hidden and output layer of each head.
    pub heads: Vec<[Slot; 2]>,
    /// Parameters in all.
    pub parameters: usize,
}

impl Slots {
    /// Of a network of this shape.
    #[must_use]
    pub fn new(shape: &NetShape) -> Self {
        let mut end = 0;
        let mut slot = |n_in: usize, n_out: usize| {
            let slot = Slot { n_in, n_out, at: end };
            end = slot.end();
            slot
        };
        let mut stack = |mut n_in: usize, units: &[usize]| {
            let slots = units.iter().map(|&n_out| slot(std::mem::replace(&mut n_in, n_out), n_out));
            slots.collect::<Vec<_>>()
        };
        let first = stack(shape.inputs(), &shape.first);
        let second = stack(shape.second_inputs(), &shape.second);
        let state = shape.second.last().or(shape.first.last()).copied().unwrap_or(0);
        let heads = (0..shape.channels).map(|c| [slot(state + c, shape.head), slot(shape.head, shape.outputs())]).collect();
        Self { first, second, heads, parameters: end }
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = &Slot> {
        self.first.iter().chain(&self.second).chain(self.heads.iter().flatten())
    }
}

impl Net {
    /// The network's parameters, as [`Slots`] places them.
    #[must_use]
    pub fn weights(&self) -> Vec<f32> {
        let layers = self.first.iter().chain(&self.second).chain(self.heads.iter().flat_map(|head| [&head.hidden, &head.out]));
        layers.flat_map(|layer| [host(layer.weight.val()), host(layer.bias.val())]).flatten().collect()
    }

    /// A gradient by the network's parameters, as [`Slots`] places them; 0 where `gradients` has none.
    #[must_use]
    pub fn gradient(&self, gradients: &GradientsParams) -> Vec<f32> {
        let layers = self.first.iter().chain(&self.second).chain(self.heads.iter().flat_map(|head| [&head.hidden, &head.out]));
        let mut all = Vec::new();
        for layer in layers {
            let [n_in, n_out] = layer.weight.dims();
            all.extend(gradients.get::<2>(layer.weight.id).map_or_else(|| vec![0.0; n_in * n_out], host));
            all.extend(gradients.get::<1>(layer.bias.id).map_or_else(|| vec![0.0; n_out], host));
        }
        all
    }

    /// A network with the given parameters, as [`Slots`] places them.
    #[must_use]
    pub fn with_weights(shape: &NetShape, weights: &[f32], device: &Device) -> Self {
        let layer = |slot: &Slot| {
            let tensor = |part: &[f32], dims: Vec<usize>| TensorData::new(part.to_vec(), dims);
            let weight = tensor(&weights[slot.at..slot.biases()], vec![slot.n_in, slot.n_out]);
            let bias = tensor(&weights[slot.biases()..slot.end()], vec![slot.n_out]);
            Layer {
                weight: Param::from_tensor(Tensor::<2>::from_data(weight, device)),
                bias: Param::from_tensor(Tensor::<1>::from_data(bias, device)),
            }
        };
        let slots = Slots::new(shape);
        Self {
            first: slots.first.iter().map(layer).collect(),
            second: slots.second.iter().map(layer).collect(),
            heads: slots.heads.iter().map(|[hidden, out]| HeadNet { hidden: layer(hidden), out: layer(out) }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Plan;

    #[test]
    fn weights_come_back_from_a_network() {
        let device = Device::flex();
        for second in [vec![], vec![12, 8]] {
            let shape = NetShape { second, ..Plan::new(1, 3, 0, 0).shape };
            let parameters = Slots::new(&shape).parameters;
            let biases: usize = Slots::new(&shape).all().map(|slot| slot.n_out).sum();
            assert_eq!(parameters - biases, shape.macs_per_pixel() as usize, "one weight a multiplication");
            let weights: Vec<f32> = (0..parameters).map(|i| i as f32).collect();
            assert_eq!(Net::with_weights(&shape, &weights, &device).weights(), weights);
            assert_eq!(Net::new(&shape, &device).weights().len(), parameters);
        }
    }
}
