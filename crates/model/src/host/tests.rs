//! The fused pass is burn's autodiff, number for number.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use kolmo_codec::context::Plane;

use super::HostNet;
use crate::effort::Plan;
use crate::net::Net;
use crate::quantise::host;
use crate::sample::{Dealer, Dice, Sampler};
use crate::train::{coding_order, follows, upload};

#[test]
fn gradients_equal_autodiffs() {
    let device = Device::flex();
    device.seed(3);
    let device = device.autodiff();
    let mut dice = Dice::new(8);
    for channels in [1usize, 3, 4] {
        let samples: Vec<u8> = (0..30 * 20 * channels).map(|i| (i / channels % 20 * 9) as u8 + dice.below(20) as u8).collect();
        let planes = vec![Plane::new(30, 20, &samples, &coding_order(channels), 8).expect("valid")];
        for (second, rounded) in [(vec![12], false), (vec![12], true), (vec![], false)] {
            let mut shape = Plan::new(1, channels, 0, 0).shape;
            shape.second = second;
            let net = Net::new(&shape, &device);
            let sampler = Sampler::new(&shape, &follows(channels));
            let patches = Dealer::new(&planes, 9, 5).deal(&planes, 2500);
            let batch = sampler.gather(&planes, &patches);
            let outputs = net.forward(&upload(&batch, &shape, &device), rounded);
            let values: Vec<Vec<f32>> = outputs.iter().map(|output| host(output.clone().detach())).collect();
            let (bits, by_output) = sampler.loss(&batch, &values, 8);
            let sum = outputs.into_iter().zip(by_output).map(|(output, gradient)| {
                let dims = output.dims();
                (output * Tensor::from_data(TensorData::new(gradient, dims), &device)).sum()
            });
            let sum: Tensor<1> = sum.reduce(|a, b| a + b).expect("a channel");
            let expected = GradientsParams::from_grads(sum.backward(), &net);

            let fused = HostNet::new(&net, rounded);
            let (fused_bits, fused_samples, gradient) = fused.gradient(&sampler, &planes, &patches, 8);
            assert_eq!(fused_samples, batch.samples.len());
            assert!((fused_bits - bits).abs() < 1e-3 * bits, "{fused_bits} {bits}");
            let given = fused.register(&net, &gradient, &Device::flex());
            let layers = net.first.iter().chain(&net.second).chain(net.heads.iter().flat_map(|head| [&head.hidden, &head.out]));
            for (index, layer) in layers.enumerate() {
                let one = host(expected.get::<2>(layer.weight.id).expect("a gradient"));
                let two = host(given.get::<2>(layer.weight.id).expect("a gradient"));
                let largest = one.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                assert!(largest > 0.0, "layer {index} learns");
                let error = one.iter().zip(&two).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
                // Rounding may fall to the other side where sums differ in the last bit.
                assert!(error < largest * if rounded { 0.05 } else { 1e-3 }, "{channels} channels, layer {index}: {error} of {largest}");
                let (one, two) = (host(expected.get::<1>(layer.bias.id).expect("one")), host(given.get::<1>(layer.bias.id).expect("one")));
                assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() < 0.05 * largest.max(a.abs())), "{one:?} {two:?}");
            }
            let _ = net.valid();
        }
    }
}
