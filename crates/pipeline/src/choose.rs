//! Which Program codes a group of images: a given one, a built-in one, one of their own, or none. What was looked at is told.

use std::path::Path;
use std::time::Duration;

use kolmo_codec::block::Method;
use kolmo_codec::prior::{PRIORS, Prior};
use kolmo_codec::program::Program;
use kolmo_codec::weights::{self, CodedProgram};
use kolmo_data::layout::Layout;

use crate::coding::{self, ProgramCoded, Tried, Under, Way};
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::general;
use crate::kinds::{self, allot};
use crate::learn::{self, FEWEST_TO_SPLIT, From, Learned, Lesson, learn_group};
use crate::observe::{Event, Step};
use crate::options::{CompressOptions, LearnOptions};
use crate::rating::Rating;
use crate::summary::{Candidate, KindsSummary, ProgramSizes, ProgramSummary};
use crate::symbols::Symbols;
use crate::work::Crew;

/// zstd's level for what is kept, and for a first guess.
pub(crate) const DENSE: i32 = 19;
const QUICK: i32 = 1;

/// Bytes of files that tell how much denser zstd's dense level is than its quick one. With four times as many, cifar10 and kodak8 take a quarter
/// longer to code under a given Program.
const SPREAD_BYTES: u64 = 1 << 18;
/// What the dense level may take off all files against what it takes off a part of them: solid blocks are longer.
const DENSE_MARGIN: f64 = 0.8;
/// The same against a glance at them, which is enough where the quick level leaves at least this share of their bytes, as of PNG and WebP.
const GLANCE_MARGIN: f64 = 0.6;
const DENSE_ALREADY: f64 = 0.9;

/// Fewer subpixels than this cannot pay for the smallest Program.
const LEAST_SUBPIXELS: u64 = 4096;
/// Images that take less than this under a built-in Program are not learned from: the least Program of their own takes 4 kB, and it seldom
/// takes a tenth off.
const LEAST_BYTES: u64 = 30_000;
/// Images that take more than this under a built-in Program are learned from it: a network of its size pays from here on
/// ([`kolmo_model::effort`]).
const LARGE_BYTES: u64 = 1_300_000;
/// A built-in Program that takes more than this of what images are expected to take was learned from others: they are learned from random weights.
const MOST_OF_EXPECTED: f64 = 1.3;

/// A built-in Program beside the group's own, or beside another one, has to take off this share: a second Program means smaller blocks, and it is
/// judged by a part of the images.
const LEAST_GAIN_OF_BOTH: f64 = 0.01;

/// Bits a sample of direct coding from which on the way of coding does not change which Program is best.
const MOST_BITS_TO_JUDGE: f64 = 3.0;

/// What a candidate is called that was learned from a built-in Program.
pub(crate) const FROM_BUILT_IN: &str = "learned, from the built-in one";

/// A Program and where it is from.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) program: Program,
    pub(crate) summary: ProgramSummary,
    /// A built-in Program that some of the images are better coded by.
    pub(crate) beside: Option<Box<Chosen>>,
    /// How the group would be coded by this Program alone, and the bytes of its payload, if that was judged.
    pub(crate) judged: Option<(Method, u64)>,
    /// Blocks of the group that were coded to judge it.
    pub(crate) tried: Tried,
}

impl Chosen {
    fn new(program: Program, summary: ProgramSummary) -> Self {
        Self { program, summary, beside: None, judged: None, tried: Tried::default() }
    }
}

/// What learning one group may take.
pub(crate) struct Means<'a> {
    pub(crate) learn: &'a LearnOptions,
    pub(crate) time_budget: Option<Duration>,
    pub(crate) most_steps: Option<u64>,
    /// How images will be coded; `None`: Programs are judged by direct coding alone.
    pub(crate) way: Option<Way>,
    /// It is only a look: fewer images are judged by, nothing is said, and the group's share does not count.
    pub(crate) look: bool,
}

/// Steps 2 and 5: a Program for each group, if one is given, built in or learned (in `most_steps`, for a first look). Groups of several kinds of images
/// are cut into these first, and whatever has more than one Program to choose from takes the best for each image.
pub(crate) fn programs(
    dataset: &mut Dataset,
    given: Option<Vec<(Layout, Program)>>,
    options: &CompressOptions,
    most_steps: Option<u64>,
    crew: &mut Crew<'_>,
) -> Result<(Vec<Option<Chosen>>, Vec<KindsSummary>), Error> {
    let mut chosen = Vec::new();
    if let Some(given) = given {
        allot::among(dataset, &given, crew)?;
        dataset.groups.retain(|group| !group.items.is_empty());
        for group in &dataset.groups {
            let mut programs = given.iter().filter(|(layout, _)| *layout == group.layout).map(|(_, program)| program.clone());
            let program = programs.nth((group.kind as usize).saturating_sub(1));
            if program.is_none() {
                crew.note(format!("no Program is given for {} images: they are stored the general way", group.layout));
            }
            let why = program.as_ref().map(|program| unsuited(dataset, group, program)).transpose()?.flatten();
            if let Some(why) = why {
                crew.note(format!("the Program for {} images {why}: they are stored the general way", group.layout));
            }
            let program = program.filter(|_| why.is_none());
            chosen.push(program.map(|program| Chosen::new(program.clone(), about(group, &program, "given"))));
        }
        return Ok((chosen, vec![]));
    }
    if let Some(learn) = &options.learn {
        // A device that is not there is an error also where nothing is learned in the end.
        kolmo_model::device::choose(learn.device)?;
    }
    let kinds = kinds::divide(dataset, options, crew)?;
    let shares = time_shares(dataset, options.learn.as_ref())?;
    for (group, share) in dataset.groups.iter().zip(shares) {
        crew.check()?;
        chosen.push(match &options.learn {
            Some(learn) if !group.items.is_empty() => {
                one(dataset, group, &Means { learn, time_budget: share, most_steps, way: Some(Way::new(options)), look: false }, crew)?
            }
            _ => None,
        });
    }
    allot::beside(dataset, &mut chosen);
    allot::again(dataset, &mut chosen, crew)?;
    Ok((chosen, kinds))
}

/// Why a Program is not for the group's images, if it is not.
fn unsuited(dataset: &Dataset, group: &Group, program: &Program) -> Result<Option<&'static str>, Error> {
    let symbols = Symbols::of(program);
    if !symbols.suit(group.colour) {
        return Ok(Some("is for a colour space that they were not converted from"));
    }
    for &number in group.items.iter().filter(|_| symbols.wide.is_some()) {
        if !symbols.know(&*dataset.open(number)?) {
            return Ok(Some("does not know all their samples"));
        }
    }
    Ok(None)
}

/// The built-in Program that a group of this size is learned from, if any.
pub(crate) fn start(dataset: &Dataset, group: &Group, learn: &LearnOptions, crew: &Crew<'_>) -> Result<Option<Program>, Error> {
    if !learn.priors {
        return Ok(None);
    }
    let rating = crew.pool.install(|| Rating::new(dataset, group))?;
    let known = rated_priors(group.layout, &rating, crew)?;
    begins_with(dataset, group, learn, known.first(), &rating)
}

/// The built-in Program, if the group's own is to begin with it: the group is large, the Program knows images of its kind, and no larger network is planned.
fn begins_with(dataset: &Dataset, group: &Group, learn: &LearnOptions, known: Option<&Rated>, rating: &Rating) -> Result<Option<Program>, Error> {
    let Some((_, program, bits)) = known.filter(|_| learn.network.is_none() && group.colour.is_none()) else { return Ok(None) };
    let (bytes, expected_bytes) = (rating.bytes(bits), dataset.expected_bytes(group)?);
    let plan = learn::plan(learn, group.layout, dataset.subpixels(&group.items)?, expected_bytes);
    let knows = bytes as f64 <= MOST_OF_EXPECTED * expected_bytes as f64;
    let suits = bytes >= LARGE_BYTES && knows && plan.shape.macs_per_pixel() <= program.macs_per_pixel();
    Ok(suits.then(|| program.clone()))
}

/// The better of the best built-in Program and one of the group's own; or both, if some images are better coded by the one and some by the other.
pub(crate) fn one(dataset: &Dataset, group: &Group, means: &Means<'_>, crew: &mut Crew<'_>) -> Result<Option<Chosen>, Error> {
    let rating = crew.pool.install(|| if means.look { Rating::quick(dataset, group) } else { Rating::new(dataset, group) })?;
    let known = if means.learn.priors { rated_priors(group.layout, &rating, crew)? } else { Vec::new() };
    let least = known.first().map_or(u64::MAX, |(.., bits)| rating.bytes(bits));
    let start = begins_with(dataset, group, means.learn, known.first(), &rating)?;
    let mut singles: Vec<Single> = Vec::new();
    for (prior, program, bits) in &known {
        let mut summary = about(group, program, "built-in");
        summary.prior = Some(prior.name.to_owned());
        singles.push(Single {
            way: format!("built-in {}", prior.name),
            program_bytes: 1,
            bits: bits.clone(),
            chosen: Chosen::new(program.clone(), summary),
        });
    }
    if worth_learning(dataset, group)? && least >= LEAST_BYTES {
        let Learned { program, mut summary } = learn_one(dataset, group, start.as_ref(), means, crew)?;
        let program_bytes = code_program(&program, &mut summary).bytes.len() as u64;
        let bits = crew.pool.install(|| rating.direct_bits(&program))?;
        let way = if start.is_some() { FROM_BUILT_IN } else { "learned" };
        singles.push(Single { way: way.to_owned(), program_bytes, bits, chosen: Chosen::new(program, summary) });
    }
    if let Some(way) = means.way {
        crew.pool.install(|| judge(&mut singles, &rating, way))?;
        judge_by_blocks(&mut singles, dataset, group, &rating, crew)?;
    }
    let in_pairs = !known.is_empty() && means.learn.kinds && !means.look;
    let mut looked = weigh(&singles, &rating, in_pairs);
    let Some(best) = (0..looked.len()).min_by_key(|&at| looked[at].0.estimated_bytes) else { return Ok(None) };
    looked[best].0.chosen = true;
    // Both ways to use a Program of the group's own learned the same one.
    let seconds = looked.iter().map(|(_, chosen)| chosen.summary.seconds).fold(0.0, f64::max);
    let candidates = looked.iter().map(|(candidate, _)| candidate.clone()).collect();
    let chosen = looked.swap_remove(best).1;
    Ok(Some(Chosen { summary: ProgramSummary { seconds, candidates, ..chosen.summary }, ..chosen }))
}

/// What each Program alone would take and, `in_pairs`, each beside the first one, if that is promising.
fn weigh(singles: &[Single], rating: &Rating, in_pairs: bool) -> Vec<(Candidate, Chosen)> {
    let mut looked: Vec<(Candidate, Chosen)> = singles
        .iter()
        .map(|single| (Candidate::new(single.way.clone(), 1, single.program_bytes, single.payload(rating)), single.chosen.clone()))
        .collect();
    if let Some(first) = singles.first().filter(|_| in_pairs) {
        for other in &singles[1..] {
            // Adaptive coding makes good what a Program lacks, so two of them gain less by it than the one that gains more. 50 emoji: 72,989 bytes by this
            // rule, 72,913 as they are.
            let share = first.share(rating).max(other.share(rating));
            let each: Vec<u64> = first.bits.iter().zip(&other.bits).map(|(first, other)| *first.min(other)).collect();
            let payload = (rating.bytes(&each) as f64 * share) as u64;
            let both = Candidate::new(format!("{}, and {}", other.way, first.way), 2, first.program_bytes + other.program_bytes, payload);
            if looked.iter().all(|(alone, _)| (both.estimated_bytes as f64) < alone.estimated_bytes as f64 * (1.0 - LEAST_GAIN_OF_BOTH)) {
                looked.push((both, Chosen { beside: Some(Box::new(first.chosen.clone())), judged: None, ..other.chosen.clone() }));
            }
        }
    }
    looked
}

/// A Program that may code the whole group.
struct Single {
    /// What it is called among the candidates.
    way: String,
    program_bytes: u64,
    /// Of each piece by direct coding.
    bits: Vec<u64>,
    chosen: Chosen,
}

impl Single {
    /// Bytes of the group's payload, coded as was judged best.
    fn payload(&self, rating: &Rating) -> u64 {
        self.chosen.judged.map_or_else(|| rating.bytes(&self.bits), |(_, bytes)| bytes)
    }

    /// What that is of direct coding.
    fn share(&self, rating: &Rating) -> f64 {
        self.payload(rating) as f64 / rating.bytes(&self.bits).max(1) as f64
    }
}

/// Judges how the group would be coded by each Program. Those that take twice the bytes of the best by direct coding are out of the race; and where
/// samples take many bits, adaptive coding saves some per cent by any of them. One after the other: each holds the counters of a block.
fn judge(singles: &mut [Single], rating: &Rating, way: Way) -> Result<(), Error> {
    let least = singles.iter().map(|single| rating.bytes(&single.bits)).min().unwrap_or(0);
    if rating.bits_a_subpixel(least) > MOST_BITS_TO_JUDGE {
        return Ok(());
    }
    for single in singles.iter_mut().filter(|single| rating.bytes(&single.bits) <= 2 * least) {
        single.chosen.judged = Some(rating.judged(&single.chosen.program, rating.bytes(&single.bits), way)?);
    }
    Ok(())
}

/// Judges the best of those that would be coded adaptively once more, by blocks as they will be coded; to the others happens what happens to it.
fn judge_by_blocks(singles: &mut [Single], dataset: &Dataset, group: &Group, rating: &Rating, crew: &mut Crew<'_>) -> Result<(), Error> {
    let total = |single: &&Single| single.program_bytes + single.payload(rating);
    let Some(best) = singles.iter().min_by_key(total) else { return Ok(()) };
    let Some((Method::Adaptive, before)) = best.chosen.judged else { return Ok(()) };
    let direct = rating.bytes(&best.bits);
    let Some(after) = best.chosen.tried.judged(dataset, &group.items, &best.chosen.program, direct, crew)? else { return Ok(()) };
    for (method, bytes) in singles.iter_mut().filter_map(|single| single.chosen.judged.as_mut()) {
        if *method == Method::Adaptive {
            *bytes = (*bytes as f64 * after as f64 / before.max(1) as f64) as u64;
        }
    }
    Ok(())
}

/// A built-in Program, and the bits of each piece of some images under it.
type Rated = (&'static Prior, Program, Vec<u64>);

/// The built-in Programs of a layout, the one that suits the images best first.
fn rated_priors(layout: Layout, rating: &Rating, crew: &Crew<'_>) -> Result<Vec<Rated>, Error> {
    let rate = |prior: &'static Prior| {
        let program = prior.program()?;
        let bits = crew.pool.install(|| rating.direct_bits(&program))?;
        Ok((prior, program, bits))
    };
    let mut rated = PRIORS.iter().filter(|prior| prior.layout() == layout.code()).map(rate).collect::<Result<Vec<Rated>, Error>>()?;
    rated.sort_by_key(|(.., bits)| bits.iter().sum::<u64>());
    Ok(rated)
}

/// Whether a group is large enough for a Program of its own to pay.
pub(crate) fn worth_learning(dataset: &Dataset, group: &Group) -> Result<bool, Error> {
    Ok(!group.learnable.is_empty() && dataset.subpixels(&group.items)? >= LEAST_SUBPIXELS)
}

/// The time budget, dealt to the groups by their subpixels.
pub(crate) fn time_shares(dataset: &Dataset, learn: Option<&LearnOptions>) -> Result<Vec<Option<Duration>>, Error> {
    let size = |group: &Group| if worth_learning(dataset, group)? { dataset.subpixels(&group.items) } else { Ok(0) };
    let sizes: Vec<u64> = dataset.groups.iter().map(size).collect::<Result<_, Error>>()?;
    let total = sizes.iter().sum::<u64>().max(1) as f64;
    let budget = learn.and_then(|learn| learn.time_budget);
    Ok(sizes.iter().map(|&size| budget.map(|budget| budget.mul_f64(size as f64 / total))).collect())
}

/// Learns the Program of one group, from random weights or from those of `start`.
pub(crate) fn learn_one(dataset: &Dataset, group: &Group, start: Option<&Program>, means: &Means<'_>, crew: &mut Crew<'_>) -> Result<Learned, Error> {
    crew.observer.event(&Event::StepStarted { step: Step::Generate });
    let images = dataset.dealt(group);
    let &Means { learn, time_budget, most_steps, look, .. } = means;
    if group.learnable.len() < FEWEST_TO_SPLIT && !look {
        crew.note(format!(
            "{} {} images are too few to set some apart: all are learned from, and no rate is independent",
            images.len(),
            group.layout
        ));
    }
    let stop = crew.stop();
    let from = start.map_or(From::Nothing, From::Prior);
    let symbols = Symbols::choose(dataset, group)?;
    let name = group.name();
    let lesson = Lesson {
        name: &name,
        share: if look { 1.0 } else { group.share },
        from,
        symbols: &symbols,
        options: learn,
        expected_bytes: dataset.expected_bytes(group)?,
        time_budget,
        most_steps,
    };
    let mut learned = learn_group(group.layout, &images, &lesson, crew.observer, stop)?;
    learned.summary.kind = group.kind;
    crew.check()?;
    Ok(learned)
}

/// What there is to say of a Program that was not learned here.
fn about(group: &Group, program: &Program, how: &str) -> ProgramSummary {
    ProgramSummary {
        group: group.layout.to_string(),
        kind: group.kind,
        colour: colour_name(program),
        parameters: program.parameters(),
        macs_per_pixel: program.macs_per_pixel(),
        stopped: how.into(),
        ..ProgramSummary::default()
    }
}

/// Name of the colour space of a Program; empty if it has none.
pub(crate) fn colour_name(program: &Program) -> String {
    program.colour.map_or_else(String::new, |colour| colour.name().into())
}

/// Codes a Program and says so in `about`.
pub(crate) fn code_program(program: &Program, about: &mut ProgramSummary) -> CodedProgram {
    let coded = weights::encode_program(&program.to_bytes());
    tell_sizes(program, &coded, about);
    coded
}

fn tell_sizes(program: &Program, coded: &CodedProgram, about: &mut ProgramSummary) {
    let sizes = coded.sizes;
    about.bit_depth = program.bit_depth().into();
    about.sizes = ProgramSizes {
        raw: sizes.raw,
        huffman: sizes.huffman,
        lz77: sizes.lz77,
        range: sizes.range,
        prior: sizes.prior,
        kept: coded.coder.name().into(),
    };
}

/// The Program, if it and what it codes are smaller than the group's files the general way.
pub(crate) fn decide(
    dataset: &Dataset,
    group: &Group,
    under: Under<'_>,
    way: Way,
    about: &mut ProgramSummary,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<Option<(CodedProgram, ProgramCoded)>, Error> {
    let (stop, program) = (crew.stop(), under.program);
    let code = || weights::encode_program(&program.to_bytes());
    // The dense way is slow, so a quick look comes first, and a dense one at pieces.
    let look = || Ok::<_, Error>((general::size_aside(dataset, &group.items, QUICK, stop)?, general::glance(dataset, &group.items, [QUICK, DENSE])?));
    let (coded_program, (looked, coded)) =
        crew.beside(code, |crew| crew.beside(look, |crew| coding::by_program(dataset, group, under, way, aside, crew)));
    tell_sizes(program, &coded_program, about);
    let coded = coded?;
    about.coding = coded.method.name().into();
    about.referring = coded.referring;
    let (recipes, _) = dataset.recipes_of(group.items.iter().copied())?;
    let bytes = coded_program.bytes.len() as u64 + coded.blocks.bytes();
    if let Some(chosen) = about.candidates.iter_mut().find(|candidate| candidate.chosen) {
        chosen.real_bytes = Some(bytes);
    }
    let with_program = bytes + recipes.coded_bytes()?;
    let (quick, [quick_glance, dense_glance]) = looked?;
    let mut by_zstd = Candidate::new("the general way".to_owned(), 0, 0, quick);
    let files = group.items.iter().map(|&number| Ok(dataset.items.get(number)?.bytes)).sum::<Result<u64, Error>>()?;
    // From all over, about so many bytes.
    let part: Vec<usize> = group.items.iter().copied().step_by(files.div_ceil(SPREAD_BYTES).max(1) as usize).collect();
    let dense = |level, crew: &mut Crew<'_>| Ok::<_, Error>(general::size(dataset, &part, level, None, crew)? as f64);
    let mut gain = dense_glance as f64 / quick_glance.max(1) as f64;
    let mut margin = GLANCE_MARGIN;
    // Files that are dense already are dense all over.
    if (quick as f64) < files as f64 * DENSE_ALREADY || with_program as f64 >= quick as f64 * gain * margin {
        gain = if part.len() < group.items.len() { dense(DENSE, crew)? / dense(QUICK, crew)?.max(1.0) } else { 0.0 };
        margin = DENSE_MARGIN;
    }
    if gain > 0.0 {
        by_zstd.estimated_bytes = (quick as f64 * gain) as u64;
    }
    if (with_program as f64) < quick as f64 * gain * margin {
        about.kept = true;
        about.candidates.push(by_zstd);
        return Ok(Some((coded_program, coded)));
    }
    let without = general::size(dataset, &group.items, DENSE, None, crew)?;
    about.kept = with_program < without;
    by_zstd.real_bytes = Some(without);
    by_zstd.chosen = !about.kept;
    about.candidates.iter_mut().for_each(|candidate| candidate.chosen &= about.kept);
    about.candidates.push(by_zstd);
    if about.kept {
        return Ok(Some((coded_program, coded)));
    }
    about.reason = format!("with it the images take {with_program} bytes, the general way {without}");
    Ok(None)
}
