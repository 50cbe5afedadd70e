//! A network to and from the codec's network archive.

use std::collections::BTreeMap;

use kolmo_codec::network::{Archive, Tensor, Values};

use super::arch::{Arch, Parameters, bind};
use super::checkpoint::{Array, Checkpoint};
use super::network::{About, Network};
use super::quantise::{Code, Codes};
use crate::error::Error;

/// The archive of a network: tensors with a code as integers, the others exactly.
#[must_use]
pub fn to_archive(network: &Network, parameters: &Parameters, codes: &Codes) -> Archive {
    let tensors = network.graph.specs.iter().zip(parameters).zip(codes).map(|((spec, values), code)| Tensor {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        values: match code {
            None => Values::Exact(values.iter().map(|value| value.to_bits()).collect()),
            Some(code) => {
                Values::Quantised { bits: code.bits, steps: code.steps.iter().map(|step| step.to_bits()).collect(), integers: code.integers.clone() }
            }
        },
    });
    Archive { about: network.about.to_json(), tensors: tensors.collect() }
}

/// The code of a tensor; `None` for one that is kept exactly.
#[must_use]
pub fn code_of(tensor: &Tensor) -> Option<Code> {
    match &tensor.values {
        Values::Exact(_) => None,
        Values::Quantised { bits, steps, integers } => {
            let steps = steps.iter().map(|&step| f32::from_bits(step)).collect();
            Some(Code { bits: *bits, steps, integers: integers.clone() })
        }
    }
}

/// The numbers of a tensor.
#[must_use]
pub fn values_of(tensor: &Tensor) -> Vec<f32> {
    match &tensor.values {
        Values::Exact(values) => values.iter().map(|&value| f32::from_bits(value)).collect(),
        Values::Quantised { .. } => code_of(tensor).map(|code| code.values()).unwrap_or_default(),
    }
}

/// The tensors of an archive under their names, in its order.
#[must_use]
pub fn named(archive: &Archive) -> Vec<(String, Array)> {
    archive.tensors.iter().map(|tensor| (tensor.name.clone(), Array { shape: tensor.shape.clone(), values: values_of(tensor) })).collect()
}

/// The network in an archive, and its codes.
///
/// # Errors
/// `Checkpoint` or `Tensor`, naming `path` and what does not fit a network known by name.
pub fn from_archive(path: &str, archive: &Archive) -> Result<(Network, Codes), Error> {
    let about = About::from_json(path, &archive.about)?;
    let checkpoint = Checkpoint { path: path.to_owned(), tensors: named(archive).into_iter().collect(), ..Checkpoint::default() };
    let arch = Arch::detect(&checkpoint, about.height, about.width)?;
    if !about.normalisation.fits(arch.input.channels) || about.height == 0 || about.width == 0 || about.height.max(about.width) > 1 << 14 {
        let source = "the text about the network does not fit its tensors".into();
        return Err(Error::Checkpoint { path: path.to_owned(), source });
    }
    let graph = arch.graph();
    let parameters = bind(&graph, &checkpoint)?;
    let by_name: BTreeMap<&str, &Tensor> = archive.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let codes = graph.specs.iter().map(|spec| by_name.get(spec.name.as_str()).and_then(|tensor| code_of(tensor))).collect();
    Ok((Network { arch, graph, parameters, about }, codes))
}
