//! The archive, expanded and measured; bytes after each step.

use kolmo_codec::network as codec;
use kolmo_codec::{Limits, general};

use super::levels::Pruned;
use super::rounds::Rounded;
use super::search::Search;
use super::{Compressed, Follow, Stages, Table, TensorReport, check};
use crate::classify::allocate::Choice;
use crate::classify::arch::Parameters;
use crate::classify::archive::{from_archive, to_archive};
use crate::classify::evaluate::score;
use crate::classify::graph::Role;
use crate::classify::network::Network;
use crate::classify::quantise::{Code, Codes};
use crate::classify::tune::lower;
use crate::error::Error;

impl Search<'_> {
    /// Writes the archive, expands it, and measures what came out.
    pub(super) fn report(mut self, pruned: &Pruned, choices: &[Vec<Choice>], best: Rounded, follow: &mut dyn Follow) -> Result<Compressed, Error> {
        follow.stage("expand and measure");
        let network = self.network;
        let archive = to_archive(network, &best.parameters, &best.codes);
        let (bytes, sizes) = codec::write(&archive)?;
        let expanded = codec::read(&bytes, &Limits::default())?;
        if expanded != archive {
            return Err(Error::InvalidArgument { what: "the archive does not give the network back; please report this".to_owned() });
        }
        let (from, codes) = from_archive("the archive just written", &expanded)?;
        check(follow)?;
        // the same choices without any tuning
        let untuned = self.codes(&pruned.parameters, choices, &best.chosen);
        let untuned_parameters = self.calibrated(&lower(&pruned.parameters, &untuned));
        let (untuned_bytes, untuned_sizes) = codec::write(&to_archive(network, &untuned_parameters, &untuned))?;
        let of = |parameters: &Parameters, set| score(&network.graph, parameters, &network.about.normalisation, set);
        let both = |parameters: &Parameters| [&self.parts.validation, &self.parts.test].map(|set| of(parameters, set));
        let stages = Stages {
            before: [self.before.score, of(&network.parameters, &self.parts.test)],
            pruned: both(&pruned.parameters),
            coded: both(&untuned_parameters),
            tuned: both(&from.parameters),
        };
        let within_budget = self.before.score.top1() - stages.tuned[0].top1() <= self.recipe.max_drop + 1e-9;
        for candidate in &mut self.candidates {
            if candidate.bytes == bytes.len() as u64 && candidate.tuned {
                candidate.test = Some(stages.tuned[1]);
            } else if candidate.bytes == untuned_bytes.len() as u64 && !candidate.tuned {
                candidate.test = Some(stages.coded[1]);
            }
        }
        let table = table(network, pruned, &untuned, &untuned_sizes, bytes.len() as u64)?;
        let tensors = tensors(network, &codes)?;
        Ok(Compressed { bytes, sizes, table, stages, tensors, candidates: self.candidates, kept: pruned.keep, within_budget })
    }
}

fn table(network: &Network, pruned: &Pruned, codes: &Codes, sizes: &codec::Sizes, tuned: u64) -> Result<Table, Error> {
    let by = |integers: u64| sizes.total - sizes.integers + integers;
    let graph = &network.graph;
    let weights = graph.weights();
    let nonzero: usize = weights.iter().map(|&at| pruned.parameters[at].iter().filter(|value| **value != 0.0).count()).sum();
    let all: usize = weights.iter().map(|&at| graph.specs[at].count()).sum();
    let raw = 4 * graph.parameters() as u64;
    let exact = raw - 4 * all as u64;
    let packed =
        codes.iter().flatten().map(|code: &Code| (code.integers.len() as u64 * u64::from(code.bits)).div_ceil(8) + 4 * code.steps.len() as u64);
    Ok(Table {
        raw,
        pruned: raw.min(5 * nonzero as u64 + exact),
        int8_zstd: int8_zstd(network)?,
        quantised: packed.sum::<u64>() + exact,
        huffman: by(sizes.coders.huffman),
        lz77: by(sizes.coders.lz77),
        range: by(sizes.coders.range),
        tuned,
    })
}

fn tensors(network: &Network, codes: &Codes) -> Result<Vec<TensorReport>, Error> {
    let specs = network.graph.specs.iter().zip(codes);
    let reports = specs.map(|(spec, code)| {
        let (name, count) = (spec.name.clone(), spec.count());
        Ok(match code {
            None => TensorReport { name, count, nonzero: count, bits: 0, bytes: 4 * count as u64 },
            Some(code) => {
                let bytes = codec::range_bytes(&spec.shape, code.bits, &code.integers)?;
                TensorReport { name, count, nonzero: code.nonzero(), bits: code.bits, bytes }
            }
        })
    });
    reports.collect()
}

/// Bytes of the network as it was given, its weights as 8 bits with a step an output channel, by zstd at level 19.
fn int8_zstd(network: &Network) -> Result<u64, Error> {
    let mut bytes = Vec::new();
    for (spec, values) in network.graph.specs.iter().zip(&network.parameters) {
        if spec.role != Role::Weight {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            continue;
        }
        let row = (spec.count() / spec.shape.first().copied().unwrap_or(1).max(1)).max(1);
        let tops: Vec<f32> = values.chunks(row).map(|row| row.iter().fold(0f32, |top, value| top.max(value.abs())).max(f32::MIN_POSITIVE)).collect();
        bytes.extend(tops.iter().flat_map(|top| (top / 127.0).to_le_bytes()));
        bytes.extend(values.chunks(row).zip(&tops).flat_map(|(row, top)| row.iter().map(move |value| (value / top * 127.0).round() as i8 as u8)));
    }
    Ok(general::encode(&bytes)?.1.len() as u64)
}
