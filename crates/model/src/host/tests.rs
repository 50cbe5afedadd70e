//! The fused pass is burn's autodiff, number for number.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use kolmo_codec::context::Plane;

use super::HostNet;
use crate::effort::Plan;
use crate::levels::Levels;
use crate::net::Net;
use crate::quantise::host;
use crate::sample::{Dealer, Dice, Sampler};
use crate::train::{coding_order, follows, upload};
use crate::weights::Slots;

#[test]
fn gradients_equal_autodiffs() {
    let device = Device::flex().autodiff();
    let mut dice = Dice::new(8);
    for channels in [1usize, 3, 4] {
        let samples: Vec<u8> = (0..30 * 20 * channels).map(|i| (i / channels % 20 * 9) as u8 + dice.below(20) as u8).collect();
        let planes = vec![Plane::new(30, 20, &samples, &coding_order(channels), 8).expect("valid")];
        for (second, rounded, hats) in
            [(vec![12], None, 0), (vec![12], None, 8), (vec![12], Some(Levels::FINEST), 8), (vec![12], Some(Levels::ALL[2]), 0), (vec![], None, 3)]
        {
            let mut shape = Plan::new(1, channels, 0, 0).shape;
            (shape.second, shape.hats) = (second, hats);
            let net = Net::seeded(&shape, &device, 3);
            let sampler = Sampler::new(&shape, &follows(channels, None));
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

            let fused = HostNet::new(&shape, &net.weights(), rounded);
            let (swift_bits, swift_samples, swift) = super::gradient(&net.weights(), rounded, &sampler, &planes, &patches, 8);
            let (fused_bits, fused_samples, gradient) = fused.gradient(&sampler, &planes, &patches, 8);
            assert_eq!(fused_samples, batch.samples.len());
            assert!((fused_bits - bits).abs() < 1e-3 * bits, "{fused_bits} {bits}");
            assert_eq!(swift_samples, fused_samples);
            assert!((swift_bits - bits).abs() < 3e-3 * bits, "{swift_bits} {bits}");
            let expected = net.gradient(&expected);
            for (index, slot) in Slots::new(&shape).all().enumerate() {
                let (one, two) = (&expected[slot.at..slot.biases()], &gradient[slot.at..slot.biases()]);
                let largest = one.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                assert!(largest > 0.0, "layer {index} learns");
                let error = one.iter().zip(two).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
                // Rounding may fall to the other side where sums differ in the last bit.
                assert!(error < largest * if rounded.is_some() { 0.05 } else { 1e-3 }, "{channels} channels, layer {index}: {error} of {largest}");
                let (mut dot, mut squares) = (0.0, [0.0; 2]);
                for (a, b) in expected[slot.at..slot.end()].iter().zip(&swift[slot.at..slot.end()]) {
                    dot += f64::from(a * b);
                    squares[0] += f64::from(a * a);
                    squares[1] += f64::from(b * b);
                }
                let (cosine, ratio) = (dot / (squares[0] * squares[1]).sqrt(), (squares[1] / squares[0]).sqrt());
                assert!(cosine > 0.998 && (ratio - 1.0).abs() < 0.06, "{channels} channels, layer {index}: cosine {cosine}, ratio {ratio}");
                let (one, two) = (&expected[slot.biases()..slot.end()], &gradient[slot.biases()..slot.end()]);
                assert!(one.iter().zip(two).all(|(a, b)| (a - b).abs() < 0.05 * largest.max(a.abs())), "{one:?} {two:?}");
            }
        }
    }
}
