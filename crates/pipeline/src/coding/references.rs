//! Codes near-duplicates given each other, where that pays.

use std::path::Path;

use kolmo_codec::block::{self, Method};
use kolmo_codec::program::Program;

use super::sizes::Tried;
use super::{ADAPTIVE_GAIN_ASKED, Coded, CodedBlock, ProgramCoded, adaptive_pays, adaptively, by_share, directly};
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::near::{self, Run};
use crate::spool::Spool;
use crate::work::Crew;

/// Runs by which references are judged.
const TRIALS: usize = 3;

/// Share of a group's bytes that references have to save, as trials have it: images that are taken out of their blocks leave these with less to learn from.
const GAIN: f64 = 0.02;

/// Codes images that resemble another one given that one, and all others adaptively.
pub(super) fn wherever_found(
    dataset: &Dataset,
    numbers: &[usize],
    program: &Program,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let runs = near::runs(dataset, numbers, crew)?;
    let others = others(numbers, &runs);
    let coded = adaptively(dataset, &others, program, Tried::default(), ADAPTIVE_GAIN_ASKED, aside, crew)?;
    with_runs(dataset, coded, &runs, program, aside, crew)
}

/// The same, and all others directly or adaptively; nothing if there are no near-duplicates or they take no less for it: some runs are tried, then all is compared with
/// direct coding. Adaptive coding has to save `share` of the bytes that direct coding takes, and so have references.
pub(super) fn if_they_pay(
    dataset: &Dataset,
    group: &Group,
    program: &Program,
    share: f64,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<Option<ProgramCoded>, Error> {
    let numbers = &group.items;
    let runs = near::runs(dataset, numbers, crew)?;
    let n_trials = TRIALS.min(runs.len());
    let ways = [Method::References, Method::Adaptive, Method::Direct];
    let trials = (0..n_trials).map(|trial| &runs[(2 * trial + 1) * runs.len() / (2 * n_trials)]);
    let trials: Vec<(&Run, Method)> = trials.flat_map(|run| ways.map(|way| (run, way))).collect();
    let tried = crew.map("looking", &trials, |&(run, way)| bytes(dataset, run, program, way))?;
    let of_way = |at: usize| tried.iter().skip(at).step_by(ways.len()).sum::<u64>();
    let [by_references, adaptive, direct] = [of_way(0), of_way(1), of_way(2)];
    let share_of_runs =
        runs.iter().map(|run| near::expected_bits(dataset, &run.numbers)).sum::<f64>() / near::expected_bits(dataset, numbers).max(1.0);
    // Without runs all is 0.
    if !(adaptive_pays(by_references, adaptive, GAIN / share_of_runs.max(GAIN)) && adaptive_pays(by_references, direct, share)) {
        return Ok(None);
    }
    let coded = by_share(dataset, &others(numbers, &runs), group.mixed, program, share, aside, crew)?;
    let coded = with_runs(dataset, coded, &runs, program, aside, crew)?;
    let direct = directly(dataset, numbers, program, Method::Direct, aside, crew)?;
    Ok(adaptive_pays(coded.blocks.bytes(), direct.blocks.bytes(), share).then_some(coded))
}

/// Those of `numbers` that are in no run.
fn others(numbers: &[usize], runs: &[Run]) -> Vec<usize> {
    let mut coded: Vec<usize> = runs.iter().flat_map(|run| run.numbers.iter().copied()).collect();
    coded.sort_unstable();
    numbers.iter().copied().filter(|number| coded.binary_search(number).is_err()).collect()
}

/// Bytes of a run as one block.
fn bytes(dataset: &Dataset, run: &Run, program: &Program, way: Method) -> Result<u64, Error> {
    let block = match way {
        Method::References => encoded(dataset, run, program)?.0,
        way => super::encoded(dataset, &run.numbers, program, way)?.0,
    };
    Ok(block.bytes.len() as u64)
}

/// Adds the runs to what is coded of other images.
fn with_runs(
    dataset: &Dataset,
    others: ProgramCoded,
    runs: &[Run],
    program: &Program,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    if runs.is_empty() {
        return Ok(others);
    }
    let mut all = ProgramCoded {
        method: Method::References,
        blocks: Spool::new(aside),
        referring: 0,
        ideal_bits: others.ideal_bits,
        subpixels: others.subpixels,
    };
    others.blocks.each(|place, bytes| {
        let block = CodedBlock { coding: place.method, bytes: bytes.to_vec(), digest: place.digest, items: place.items.clone() };
        all.blocks.push(block)
    })?;
    crew.each(
        "encoding",
        runs,
        |run| encoded(dataset, run, program),
        |(block, ideal_bits, subpixels)| {
            all.ideal_bits += ideal_bits as f64 / 65_536.0;
            all.subpixels += subpixels;
            all.blocks.push(block)
        },
    )?;
    all.referring = runs.iter().flat_map(|run| &run.references).filter(|reference| reference.is_some()).count() as u64;
    Ok(all)
}

/// One run as a block, its ideal length (2^-16 bits) and its subpixels.
fn encoded(dataset: &Dataset, run: &Run, program: &Program) -> Result<Coded, Error> {
    super::encoded_by(dataset, &run.numbers, |images| Ok((Method::References, block::encode_by_references(program, images, &run.references)?)))
}
