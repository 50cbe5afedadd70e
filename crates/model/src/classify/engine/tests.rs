use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::*;
use crate::classify::arch::{Arch, Kind, random};
use crate::classify::graph::Role;
use crate::classify::images::{ImageSet, Normalisation};
use crate::sample::Dice;

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    (0..count).map(|_| (dice.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

/// The same network in burn's tensors, with gradients.
fn twin(graph: &Graph, tensors: &[Tensor<1>], image: Tensor<4>) -> Tensor<2> {
    let shaped = |at: usize| -> Tensor<4> {
        let shape = &graph.specs[at].shape;
        tensors[at].clone().reshape([shape[0], shape[1], shape[2], shape[3]])
    };
    let mut values = vec![image];
    for node in &graph.nodes {
        let x = values[node.input].clone();
        let [n, c, h, w] = x.dims();
        values.push(match &node.op {
            Op::Conv { weight, bias, stride, pad, .. } => {
                let options = ConvOptions::new([*stride, *stride], [*pad, *pad], [1, 1], 1);
                conv2d(x, shaped(*weight), bias.map(|bias| tensors[bias].clone()), options)
            }
            Op::Norm { gamma, relu } => {
                let mean = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
                let centred = x.clone() - mean(x);
                let variance = mean(centred.clone() * centred.clone());
                let wide = |at: usize| tensors[at].clone().reshape([1, c, 1, 1]);
                let y = centred / (variance + EPSILON).sqrt() * wide(*gamma) + wide(*gamma + 1);
                if *relu { activation::relu(y) } else { y }
            }
            Op::Relu => activation::relu(x),
            Op::AddRelu { other } => activation::relu(x + values[*other].clone()),
            Op::MaxPool { kernel, stride, pad } => {
                let options = MaxPoolOptions::new([*kernel, *kernel]).with_stride([*stride, *stride]);
                max_pool2d(x, MaxPoolOptions { padding: [(*pad, *pad); 2], ..options })
            }
            Op::MeanPool => x.mean_dim(2).mean_dim(3),
            Op::Shortcut { pad } => {
                let device = x.device();
                let (rows, columns) = (h.div_ceil(2), w.div_ceil(2));
                let pick = |side: usize| Tensor::<1, burn::tensor::Int>::arange_step(0..side as i64, 2, &device);
                let x = x.select(2, pick(h)).select(3, pick(w));
                let zeros = Tensor::zeros([n, *pad, rows, columns], &device);
                Tensor::cat(vec![zeros.clone(), x, zeros], 1)
            }
            Op::Linear { weight, bias } => {
                let shape = &graph.specs[*weight].shape;
                let kernel = tensors[*weight].clone().reshape([shape[0], shape[1]]);
                let y = x.reshape([n, shape[1]]).matmul(kernel.transpose()) + tensors[*bias].clone().unsqueeze();
                y.reshape([n, shape[0], 1, 1])
            }
        });
    }
    let last = values.pop().unwrap();
    let [n, classes, ..] = last.dims();
    last.reshape([n, classes])
}

#[test]
fn scores_and_gradients_equal_burns() {
    let extent = |channels, side| Extent { channels, height: side, width: side };
    for (arch, images) in [
        (Arch::new(Kind::ResNetCifar { blocks: 1 }, extent(3, 9), 4), 11),
        (Arch::new(Kind::Small, extent(1, 8), 3), 9),
        (Arch { large_stem: true, ..Arch::new(Kind::ResNet18, extent(2, 33), 3) }, 2),
        (Arch { folded: true, ..Arch::new(Kind::ResNetCifar { blocks: 1 }, extent(1, 8), 2) }, 3),
    ] {
        let graph = arch.graph();
        let mut parameters = random(&graph, 3);
        for (spec, values) in graph.specs.iter().zip(&mut parameters) {
            if matches!(spec.role, Role::Gamma | Role::Beta | Role::Bias) {
                values.iter_mut().zip(noise(spec.count(), 5)).for_each(|(value, noise)| *value += 0.3 * noise);
            }
        }
        let mut set = ImageSet::new(graph.extents[0]);
        let mut dice = Dice::new(1);
        for _ in 0..images {
            let samples: Vec<u8> = (0..graph.extents[0].len()).map(|_| dice.next() as u8).collect();
            set.push(&samples, 0).unwrap();
        }
        let channels = graph.extents[0].channels;
        let normalisation = Normalisation { mean: vec![0.5; channels], deviation: vec![0.25; channels] };
        let order: Vec<usize> = (0..images).collect();
        let input = set.batch(&order, &normalisation, None);
        let flat: Vec<f32> = order.iter().flat_map(|&i| set.batch(&[i], &normalisation, None).groups.concat()).collect();
        let flow = noise(images * graph.classes(), 7);
        let device = Device::flex().autodiff();
        let tensors: Vec<Tensor<1>> =
            parameters.iter().map(|values| Tensor::from_data(TensorData::new(values.clone(), [values.len()]), &device).require_grad()).collect();
        let Extent { channels, height, width } = graph.extents[0];
        let image = Tensor::from_data(TensorData::new(flat, [images, channels, height, width]), &device);
        let expected = twin(&graph, &tensors, image);
        let weights = Tensor::from_data(TensorData::new(flow.clone(), [images, graph.classes()]), &device);
        let gradients = (expected.clone() * weights).sum().backward();
        let close = |name: &str, ours: &[f32], theirs: &[f32]| {
            assert_eq!(ours.len(), theirs.len(), "{name}");
            let size = theirs.iter().map(|x| x.abs()).fold(1e-3, f32::max);
            let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-3 * size, "{} {name}: {worst} of {size}", arch.kind);
        };
        let plain = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let (scores, tape) = forward(&graph, &mut parameters, &Sparse::default(), input, MOMENTUM);
        close("scores", &scores, &plain(expected.reshape([images * graph.classes()])));
        let ours = backward(&graph, &parameters, &Sparse::default(), tape, &flow);
        for ((spec, ours), tensor) in graph.specs.iter().zip(&ours).zip(&tensors).filter(|((spec, _), _)| spec.role.is_learned()) {
            close(&spec.name, ours, &plain(tensor.grad(&gradients).unwrap()));
        }
    }
}

#[test]
fn stored_means_follow_batches_as_pytorchs_do() {
    let graph = {
        let mut graph = Graph::new(Extent { channels: 1, height: 1, width: 2 });
        graph.norm("bn", 0, false);
        graph
    };
    let mut parameters = random(&graph, 0);
    let input = Input { groups: vec![vec![1.0, 2.0, 3.0, 6.0]], counts: vec![2] };
    let _ = forward(&graph, &mut parameters, &Sparse::default(), input, MOMENTUM);
    // mean 3, variance of the population 14 / 3
    assert!((parameters[2][0] - 0.3).abs() < 1e-6);
    assert!((parameters[3][0] - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-6);
}

#[test]
fn patterns_compute_what_full_matrices_do() {
    let extent = |channels, side| Extent { channels, height: side, width: side };
    for (arch, images) in [
        (Arch::new(Kind::ResNet18, extent(2, 9), 3), 11),
        (Arch { folded: true, ..Arch::new(Kind::ResNetCifar { blocks: 1 }, extent(3, 8), 4) }, 3),
        (Arch { large_stem: true, ..Arch::new(Kind::ResNet18, extent(1, 33), 2) }, 1),
    ] {
        let graph = arch.graph();
        let mut parameters = random(&graph, 3);
        let mut dice = Dice::new(8);
        for &at in &graph.weights() {
            parameters[at].iter_mut().for_each(|value| *value *= f32::from(u8::from(dice.below(9) == 0)));
        }
        let patterns = Sparse::of(&graph, &parameters);
        assert!(graph.weights().iter().all(|&at| patterns.layer(at).is_some() || graph.specs[at].shape.len() == 2));
        assert!(patterns.work(&graph) < 0.4 && (0.999..=1.0).contains(&Sparse::default().work(&graph)));
        let mut set = ImageSet::new(graph.extents[0]);
        for _ in 0..images {
            let samples: Vec<u8> = (0..graph.extents[0].len()).map(|_| dice.next() as u8).collect();
            set.push(&samples, 0).unwrap();
        }
        let channels = graph.extents[0].channels;
        let normalisation = Normalisation { mean: vec![0.5; channels], deviation: vec![0.25; channels] };
        let order: Vec<usize> = (0..images).collect();
        let flow = noise(images * graph.classes(), 7);
        let run = |sparse: &Sparse| {
            let input = || set.batch(&order, &normalisation, None);
            let inferred = infer(&graph, &parameters, sparse, input());
            let (scores, tape) = forward(&graph, &mut parameters.clone(), sparse, input(), MOMENTUM);
            (inferred, scores, backward(&graph, &parameters, sparse, tape, &flow))
        };
        let (full, few) = (run(&Sparse::default()), run(&patterns));
        let close = |name: &str, few: &[f32], full: &[f32]| {
            assert_eq!(few.len(), full.len(), "{name}");
            let size = full.iter().map(|x| x.abs()).fold(1e-3, f32::max);
            let worst = few.iter().zip(full).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3 * size, "{} {name}: {worst} of {size}", arch.kind);
        };
        close("inferred", &few.0, &full.0);
        close("scores", &few.1, &full.1);
        for (at, spec) in graph.specs.iter().enumerate() {
            let expected =
                patterns.positions(at).map_or_else(|| full.2[at].clone(), |places| places.iter().map(|&place| full.2[at][place]).collect());
            close(&spec.name, &few.2[at], &expected);
        }
    }
}
