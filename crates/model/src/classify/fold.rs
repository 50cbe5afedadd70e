//! Normalisations folded into the convolutions before them.

use super::arch::{Arch, Parameters};
use super::engine::EPSILON;
use super::graph::{Graph, Op};

/// The same network without normalisations: kernels are multiplied by the factor, convolutions get the offset as bias.
///
/// Its outputs differ from the original's by rounding only. A network without normalisations is given back as it is.
#[must_use]
pub fn fold(arch: &Arch, graph: &Graph, parameters: &Parameters) -> (Arch, Graph, Parameters) {
    let has_norms = graph.nodes.iter().any(|node| matches!(node.op, Op::Norm { .. }));
    if !has_norms {
        return (arch.clone(), graph.clone(), parameters.clone());
    }
    let folded = Arch { folded: true, ..arch.clone() };
    let target = folded.graph();
    let values = target.specs.iter().map(|spec| folded_values(graph, parameters, &spec.name));
    let values = values.collect();
    (folded, target, values)
}

/// Values of the tensor called `name` of the folded network.
fn folded_values(graph: &Graph, parameters: &Parameters, name: &str) -> Vec<f32> {
    let layer = name.strip_suffix(".weight").or(name.strip_suffix(".bias")).unwrap_or(name);
    let weight = graph.specs.iter().position(|spec| spec.name == format!("{layer}.weight"));
    let weight = weight.expect("a folded network's layers are the original's");
    let conv = graph.nodes.iter().position(|node| matches!(node.op, Op::Conv { weight: own, .. } if own == weight));
    let norm = conv.and_then(|conv| {
        graph.nodes.iter().find_map(|node| match node.op {
            Op::Norm { gamma, .. } if node.input == conv + 1 => Some(gamma),
            _ => None,
        })
    });
    let Some(gamma) = norm else {
        let own = graph.specs.iter().position(|spec| spec.name == name).expect("a layer without normalisation keeps its tensors");
        return parameters[own].clone();
    };
    let channel = |c: usize| {
        let at = |part: usize| f64::from(parameters[gamma + part][c]);
        let factor = at(0) / (at(3) + EPSILON).sqrt();
        (factor, at(1) - at(2) * factor)
    };
    if name.ends_with(".bias") {
        return (0..parameters[gamma].len()).map(|c| channel(c).1 as f32).collect();
    }
    let inner = parameters[weight].len() / parameters[gamma].len().max(1);
    let rows = parameters[weight].chunks_exact(inner.max(1)).enumerate();
    rows.flat_map(|(c, row)| row.iter().map(move |&value| (f64::from(value) * channel(c).0) as f32)).collect()
}
