//! Operations and their gradients on the CPU: a convolution is a product of matrices, by the crate `gemm`.
//!
//! A batch is cut into groups of [`GROUP`] images; an activation is one slice a group, of shape `[channels, images, rows, columns]`. Groups are
//! what threads share; sums over groups are taken in their order, so results do not depend on the number of threads.

mod conv;
mod norm;
pub(super) use norm::{EPSILON, MOMENTUM};
mod pool;
mod sparse;

use rayon::prelude::*;

use super::arch::Parameters;
use super::graph::{Extent, Graph, Op};
use conv::Window;
use norm::Statistics;
pub use sparse::Sparse;

/// Images of a group; the last one of a batch may have fewer.
pub const GROUP: usize = 8;

/// An activation: a slice a group.
pub type Groups = Vec<Vec<f32>>;

/// Images as the network takes them.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Normalised samples.
    pub groups: Groups,
    /// Images of each group.
    pub counts: Vec<usize>,
}

/// All that a forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct Tape {
    /// Value 0 is the input.
    values: Vec<Groups>,
    norms: Vec<Option<Statistics>>,
    counts: Vec<usize>,
}

/// The tensors that compute, with the values of patterns side by side.
#[derive(Clone, Copy)]
struct Layers<'a> {
    parameters: &'a Parameters,
    sparse: &'a Sparse,
    entries: &'a [Vec<f32>],
}

/// Scores of each image, shape `[images, classes]`; normalisations use their stored means. `sparse` are patterns of these parameters, or none.
#[must_use]
pub fn infer(graph: &Graph, parameters: &Parameters, sparse: &Sparse, input: Input) -> Vec<f32> {
    let entries = sparse.entries(parameters);
    let layers = Layers { parameters, sparse, entries: &entries };
    let mut last_use = vec![0; graph.extents.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        last_use[node.input] = at;
        if let Op::AddRelu { other } = node.op {
            last_use[other] = at;
        }
    }
    let scores: Vec<Vec<f32>> = input
        .groups
        .into_par_iter()
        .zip(&input.counts)
        .map(|(group, &count)| {
            let mut values: Vec<Vec<f32>> = vec![Vec::new(); graph.extents.len()];
            values[0] = group;
            for (at, node) in graph.nodes.iter().enumerate() {
                let mut result = match &node.op {
                    Op::Norm { gamma, relu } => {
                        let norm = norm::stored(parameters, *gamma);
                        norm::apply(&norm, &values[node.input], count * graph.extents[at].pixels(), *relu)
                    }
                    _ => plain(graph, layers, at, &values[node.input], |other| &values[other], count),
                };
                for value in [Some(node.input), other_of(&node.op)].into_iter().flatten() {
                    if last_use[value] == at {
                        values[value] = Vec::new();
                    }
                }
                std::mem::swap(&mut values[at + 1], &mut result);
            }
            by_image(&values[graph.last()], count)
        })
        .collect();
    scores.concat()
}

const fn other_of(op: &Op) -> Option<usize> {
    match op {
        Op::AddRelu { other } => Some(*other),
        _ => None,
    }
}

/// Scores of a training batch, shape `[images, classes]`, with what the backward pass needs. Normalisations use the batch's own means; the stored ones
/// move to them by the share `momentum` of the way, in `parameters`. Outside the patterns `sparse` weights have to be zero.
pub fn forward(graph: &Graph, parameters: &mut Parameters, sparse: &Sparse, input: Input, momentum: f64) -> (Vec<f32>, Tape) {
    let entries = sparse.entries(parameters);
    let Input { groups, counts } = input;
    let mut values = vec![groups];
    let mut norms = Vec::with_capacity(graph.nodes.len());
    for (at, node) in graph.nodes.iter().enumerate() {
        let from = &values[node.input];
        let (result, statistics) = if let Op::Norm { gamma, relu } = node.op {
            let pixels = graph.extents[at].pixels();
            let statistics = norm::measure(from, &counts, pixels, graph.extents[at].channels);
            norm::remember(parameters, gamma, &statistics, momentum);
            let scale = norm::of_batch(parameters, gamma, &statistics);
            let result = from.par_iter().zip(&counts).map(|(from, count)| norm::apply(&scale, from, count * pixels, relu)).collect();
            (result, Some(statistics))
        } else {
            let layers = Layers { parameters, sparse, entries: &entries };
            let result = (0..counts.len()).into_par_iter();
            let result = result.map(|group| plain(graph, layers, at, &from[group], |other| &values[other][group], counts[group])).collect();
            (result, None)
        };
        values.push(result);
        norms.push(statistics);
    }
    let scores: Vec<Vec<f32>> = values[graph.last()].iter().zip(&counts).map(|(group, &count)| by_image(group, count)).collect();
    (scores.concat(), Tape { values, norms, counts })
}

/// Gradients of all tensors, given those of the scores, shape `[images, classes]`. Tensors that are measured get empty ones, those with a pattern a number for
/// each of its entries.
#[must_use]
pub fn backward(graph: &Graph, parameters: &Parameters, sparse: &Sparse, mut tape: Tape, scores: &[f32]) -> Parameters {
    let entries = sparse.entries(parameters);
    let classes = graph.classes();
    let mut gradients: Parameters = vec![Vec::new(); graph.specs.len()];
    let mut flows: Vec<Option<Groups>> = vec![None; graph.extents.len()];
    let mut rest = scores;
    let mut last = Vec::with_capacity(tape.counts.len());
    for &count in &tape.counts {
        let (own, others) = rest.split_at(count * classes);
        last.push((0..count * classes).map(|i| own[i % count * classes + i / count]).collect());
        rest = others;
    }
    flows[graph.last()] = Some(last);
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let Some(mut flow) = flows[at + 1].take() else { continue };
        let result = std::mem::take(&mut tape.values[at + 1]);
        let from = &tape.values[node.input];
        let (before, after) = (graph.extents[node.input], graph.extents[at + 1]);
        let counts = &tape.counts;
        let wanted = node.input > 0;
        let back: Groups = match &node.op {
            Op::Conv { weight, bias, kernel, stride, pad } => {
                let window = Window { before, after, kernel: *kernel, stride: *stride, pad: *pad };
                let of = |group: usize| match sparse.layer(*weight) {
                    Some(pattern) => sparse::backward(&window, pattern, &entries[*weight], &from[group], &flow[group], counts[group], wanted),
                    None => conv::backward(&window, &parameters[*weight], &from[group], &flow[group], counts[group], wanted),
                };
                let parts: Vec<(Vec<f32>, Vec<f32>)> = (0..counts.len()).into_par_iter().map(of).collect();
                if let Some(bias) = bias {
                    gradients[*bias] = channel_sums(&flow, after.channels);
                }
                let (of_weight, back): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                gradients[*weight] = total(of_weight);
                back
            }
            Op::Linear { weight, bias } => {
                let window = Window::whole(before, after);
                let parts: Vec<(Vec<f32>, Vec<f32>)> = (0..counts.len())
                    .into_par_iter()
                    .map(|group| conv::backward(&window, &parameters[*weight], &from[group], &flow[group], counts[group], wanted))
                    .collect();
                gradients[*bias] = channel_sums(&flow, after.channels);
                let (of_weight, back): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                gradients[*weight] = total(of_weight);
                back
            }
            Op::Norm { gamma, relu } => {
                if *relu {
                    mask(&mut flow, &result);
                }
                let statistics = tape.norms[at].as_ref().expect("a normalisation leaves its statistics");
                let (back, [of_gamma, of_beta]) = norm::backward(statistics, &parameters[*gamma], from, &flow, after.channels);
                (gradients[*gamma], gradients[*gamma + 1]) = (of_gamma, of_beta);
                back
            }
            Op::Relu => {
                mask(&mut flow, &result);
                flow
            }
            Op::AddRelu { other } => {
                mask(&mut flow, &result);
                add(&mut flows[*other], flow.clone());
                flow
            }
            Op::MaxPool { kernel, stride, pad } => {
                let window = Window { before, after, kernel: *kernel, stride: *stride, pad: *pad };
                (0..counts.len()).into_par_iter().map(|group| pool::max_backward(&window, &from[group], &flow[group], counts[group])).collect()
            }
            Op::MeanPool => flow.iter().map(|flow| pool::mean_backward(before, flow)).collect(),
            Op::Shortcut { pad } => flow.iter().zip(counts).map(|(flow, &count)| pool::shortcut_backward(before, after, *pad, flow, count)).collect(),
        };
        if wanted {
            add(&mut flows[node.input], back);
        }
    }
    gradients
}

/// An operation that looks at one group alone.
fn plain<'v>(graph: &Graph, layers: Layers<'_>, at: usize, from: &[f32], other: impl Fn(usize) -> &'v Vec<f32>, count: usize) -> Vec<f32> {
    let Layers { parameters, sparse, entries } = layers;
    let node = &graph.nodes[at];
    let (before, after) = (graph.extents[node.input], graph.extents[at + 1]);
    match &node.op {
        Op::Conv { weight, bias, kernel, stride, pad } => {
            let window = Window { before, after, kernel: *kernel, stride: *stride, pad: *pad };
            let bias = bias.map(|bias| &parameters[bias]);
            match sparse.layer(*weight) {
                Some(pattern) => sparse::forward(&window, pattern, &entries[*weight], bias, from, count),
                None => conv::forward(&window, &parameters[*weight], bias, from, count),
            }
        }
        Op::Linear { weight, bias } => conv::forward(&Window::whole(before, after), &parameters[*weight], Some(&parameters[*bias]), from, count),
        Op::Relu => from.iter().map(|x| x.max(0.0)).collect(),
        Op::AddRelu { other: value } => from.iter().zip(other(*value)).map(|(x, y)| (x + y).max(0.0)).collect(),
        Op::MaxPool { kernel, stride, pad } => pool::max(&Window { before, after, kernel: *kernel, stride: *stride, pad: *pad }, from, count),
        Op::MeanPool => pool::mean(before, from),
        Op::Shortcut { pad } => pool::shortcut(before, after, *pad, from, count),
        Op::Norm { .. } => unreachable!("normalisations look at the whole batch"),
    }
}

/// `[classes, images]` to `[images, classes]`.
fn by_image(scores: &[f32], count: usize) -> Vec<f32> {
    let classes = scores.len() / count.max(1);
    (0..scores.len()).map(|i| scores[i % classes * count + i / classes]).collect()
}

/// Stops the flow where the result was cut to 0.
fn mask(flow: &mut Groups, result: &Groups) {
    flow.par_iter_mut().zip(result).for_each(|(flow, result)| {
        for (flow, &result) in flow.iter_mut().zip(result) {
            if result <= 0.0 {
                *flow = 0.0;
            }
        }
    });
}

fn add(flow: &mut Option<Groups>, more: Groups) {
    match flow {
        None => *flow = Some(more),
        Some(flow) => flow.par_iter_mut().zip(more).for_each(|(flow, more)| flow.iter_mut().zip(more).for_each(|(sum, more)| *sum += more)),
    }
}

fn total(parts: Vec<Vec<f32>>) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_default();
    let rest: Vec<Vec<f32>> = parts.collect();
    sum.par_chunks_mut(1 << 14).enumerate().for_each(|(chunk, sum)| {
        for part in &rest {
            let part = &part[chunk << 14..][..sum.len()];
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    });
    sum
}

fn channel_sums(flow: &Groups, channels: usize) -> Vec<f32> {
    let mut sums = vec![0f32; channels];
    for group in flow {
        let width = group.len() / channels.max(1);
        for (sum, row) in sums.iter_mut().zip(group.chunks_exact(width.max(1))) {
            *sum += row.iter().sum::<f32>();
        }
    }
    sums
}

/// Values of one image at the network's entrance.
#[must_use]
pub fn entrance(graph: &Graph) -> Extent {
    graph.extents[0]
}

#[cfg(test)]
mod tests;
