//! Codes near-duplicates given each other, where that pays.

use std::path::Path;

use kolmo_codec::block::{self, Method};
use kolmo_codec::program::Program;

use super::{ADAPTIVE_GAIN_ASKED, Coded, ProgramCoded, Tried, Under, adaptive_pays, adaptively, by_share, directly};
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::near::{self, Run};
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
    let coded = adaptively(dataset, &others, Under { program, tried: &Tried::default() }, ADAPTIVE_GAIN_ASKED, aside, crew)?;
    with_runs(dataset, coded, &runs, program, &Tried::default(), crew)
}

/// The same, and all others directly or adaptively; nothing if there are no near-duplicates or they take no less for it: some runs are tried, then all is compared with
/// direct coding. Adaptive coding has to save `share` of the bytes that direct coding takes, and so have references.
pub(super) fn if_they_pay(
    dataset: &Dataset,
    group: &Group,
    under: Under<'_>,
    share: f64,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<Option<ProgramCoded>, Error> {
    let (numbers, program) = (&group.items, under.program);
    let runs = near::runs(dataset, numbers, crew)?;
    let n_trials = TRIALS.min(runs.len());
    let ways = [Method::References, Method::Adaptive, Method::Direct];
    let trials = (0..n_trials).map(|trial| &runs[(2 * trial + 1) * runs.len() / (2 * n_trials)]);
    let trials: Vec<(&Run, Method)> = trials.flat_map(|run| ways.map(|way| (run, way))).collect();
    let coded = crew.map("looking", &trials, |&(run, way)| in_way(dataset, run, program, way))?;
    let tried = Tried::default();
    let [mut by_references, mut adaptive, mut direct] = [0; 3];
    for (&(run, way), coded) in trials.iter().zip(coded) {
        match way {
            Method::References => by_references += tried.keep(&run.numbers, coded) as u64,
            Method::Adaptive => adaptive += coded.0.bytes.len() as u64,
            _ => direct += coded.0.bytes.len() as u64,
        }
    }
    let bits_of_runs = runs.iter().map(|run| near::expected_bits(dataset, &run.numbers)).sum::<Result<f64, Error>>()?;
    let share_of_runs = bits_of_runs / near::expected_bits(dataset, numbers)?.max(1.0);
    // Without runs all is 0.
    if !(adaptive_pays(by_references, adaptive, GAIN / share_of_runs.max(GAIN)) && adaptive_pays(by_references, direct, share)) {
        return Ok(None);
    }
    let coded = by_share(dataset, &others(numbers, &runs), group.mixed, under, share, aside, crew)?;
    let coded = with_runs(dataset, coded, &runs, program, &tried, crew)?;
    let direct = directly(dataset, numbers, program, Method::Direct, aside, crew)?;
    Ok(adaptive_pays(coded.blocks.bytes(), direct.blocks.bytes(), share).then_some(coded))
}

/// Those of `numbers` that are in no run.
fn others(numbers: &[usize], runs: &[Run]) -> Vec<usize> {
    let mut coded: Vec<usize> = runs.iter().flat_map(|run| run.numbers.iter().copied()).collect();
    coded.sort_unstable();
    numbers.iter().copied().filter(|number| coded.binary_search(number).is_err()).collect()
}

/// A run as one block.
fn in_way(dataset: &Dataset, run: &Run, program: &Program, way: Method) -> Result<Coded, Error> {
    match way {
        Method::References => encoded(dataset, run, program),
        way => super::encoded(dataset, &run.numbers, program, way),
    }
}

/// Adds the runs to what is coded of other images; those that were `tried` are not coded again.
fn with_runs(
    dataset: &Dataset,
    mut all: ProgramCoded,
    runs: &[Run],
    program: &Program,
    tried: &Tried,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    if runs.is_empty() {
        return Ok(all);
    }
    crew.each(
        "encoding",
        runs,
        |run| tried.take(&run.numbers, || encoded(dataset, run, program)),
        |(block, ideal_bits, subpixels)| {
            all.ideal_bits += ideal_bits as f64 / 65_536.0;
            all.subpixels += subpixels;
            all.blocks.push(block)
        },
    )?;
    all.method = Method::References;
    all.referring = runs.iter().flat_map(|run| &run.references).filter(|reference| reference.is_some()).count() as u64;
    Ok(all)
}

/// One run as a block, its ideal length (2^-16 bits) and its subpixels.
fn encoded(dataset: &Dataset, run: &Run, program: &Program) -> Result<Coded, Error> {
    super::encoded_by(dataset, &run.numbers, |images| Ok((Method::References, block::encode_by_references(program, images, &run.references)?)))
}
