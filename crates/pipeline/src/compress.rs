//! A dataset becomes an archive that is proved before it has a name.

use std::path::Path;
use std::time::{Duration, Instant};

use kolmo_codec::block::Method;
use kolmo_codec::container::{self, BlockCoding, Content, Reader, RecipeBook, Writer};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::program::Program;
use kolmo_codec::weights::{self, CodedProgram};
use kolmo_data::layout::Layout;
use kolmo_data::open::Fidelity;
use kolmo_verify::expand::{self, Expanded};

use crate::coding::{self, CodedBlock, ProgramCoded, coded_bytes};
use crate::dataset::{self, Dataset, Group, ItemState};
use crate::error::Error;
use crate::general::{self, GeneralCoding};
use crate::learn::{FEWEST_TO_SPLIT, Learned, learn_group};
use crate::observe::{Event, Observer, Step};
use crate::options::{CompressOptions, LearnOptions};
use crate::output::{self, Output};
use crate::summary::{ArchiveSizes, CompressSummary, NumbersSummary, ProgramSizes, ProgramSummary};
use crate::work::Crew;
use crate::{estimate, program_file};

/// zstd's level for what is kept, and for a first guess.
const DENSE: i32 = 19;
const QUICK: i32 = 1;

/// Bytes of files that tell how much denser zstd's dense level is than its quick one.
const SPREAD_BYTES: u64 = 1 << 20;
/// What the dense level may take off all files against what it takes off a part of them: solid blocks are longer.
const DENSE_MARGIN: f64 = 0.8;

/// Fewer subpixels than this cannot pay for the smallest Program.
const LEAST_SUBPIXELS: u64 = 4096;

/// A group coded by its Program.
struct Kept {
    layout: Layout,
    program: CodedProgram,
    coded: ProgramCoded,
}

/// Compresses the folder (or file) `input` into the file `archive`: reads, learns, codes, expands the result and compares, and only then
/// gives it its name.
///
/// With `dry_run` nothing is written and the summary is an estimate.
///
/// # Errors
/// See [`Error`]; nothing is left behind then.
pub fn compress(input: &Path, archive: &Path, options: &CompressOptions, observer: &mut dyn Observer) -> Result<CompressSummary, Error> {
    let begun = Instant::now();
    let crew = &mut Crew::new(options.threads, &options.stop, observer)?;
    if options.dry_run {
        return estimate::estimate(input, archive, options, crew, begun);
    }
    output::check_free(archive, options.force)?;
    let given = options.program.as_deref().map(|file| program_file::read(file, &options.limits)).transpose()?;
    let mut out = Output::create(archive, options.force)?;
    let mut dataset = prepare(input, &out, options, crew)?;
    let mut summary =
        CompressSummary { archive: archive.display().to_string(), fidelity: name(options.fidelity).into(), ..CompressSummary::default() };
    summary.preprocess = std::mem::take(&mut dataset.summary);
    summary.preprocess.seconds = begun.elapsed().as_secs_f64();

    let learned = learn(&dataset, given, options, crew)?;
    let encoding = Instant::now();
    crew.observer.event(&Event::StepStarted { step: Step::CompressProgram });
    let mut kept: Vec<Kept> = Vec::new();
    let mut chosen: Vec<CodedBlock<GeneralCoding>> = Vec::new();
    let mut left: Vec<usize> = (0..dataset.items.len()).filter(|&n| matches!(dataset.items[n].state, ItemState::General(_))).collect();
    for (group, learned) in dataset.groups.iter().zip(learned) {
        let Some(Learned { program, summary: mut about }) = learned else {
            left.extend(&group.items);
            continue;
        };
        match decide(&dataset, group, &program, options.coding, &mut about, crew)? {
            Choice::Program(coded_program, coded) => kept.push(Kept { layout: group.layout, program: coded_program, coded }),
            Choice::General(blocks) => chosen.extend(blocks),
        }
        summary.programs.push(about);
    }
    left.sort_unstable();
    for group in &kept {
        summary.coding.ideal_bytes += group.coded.ideal_bits / 8.0;
        summary.coding.payload_bytes += coded_bytes(&group.coded.blocks);
        summary.coding.subpixels += group.coded.subpixels;
    }
    (summary.sizes, summary.numbers) = write(&dataset, kept, General { chosen, left }, options, &mut out, crew)?;
    summary.coding.encode_seconds = encoding.elapsed().as_secs_f64();

    let verifying = Instant::now();
    crew.observer.event(&Event::StepStarted { step: Step::Expand });
    summary.verified_files = prove(&dataset, &out, options, crew)?;
    summary.coding.verify_seconds = verifying.elapsed().as_secs_f64();
    crew.check()?;
    out.persist()?;

    let total = summary.sizes.total as f64;
    summary.rate_bpsp = ratio(8.0 * total, summary.preprocess.subpixels);
    summary.percent_of_input = ratio(100.0 * total, summary.preprocess.file_bytes);
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// 0 where there is nothing to divide by.
pub(crate) fn ratio(what: f64, by: u64) -> f64 {
    if by == 0 { 0.0 } else { what / by as f64 }
}

/// `files` or `pixels`.
pub(crate) const fn name(fidelity: Fidelity) -> &'static str {
    match fidelity {
        Fidelity::Files => "files",
        Fidelity::Pixels => "pixels",
    }
}

/// Step 1.
pub(crate) fn prepare(input: &Path, output: &Output, options: &CompressOptions, crew: &mut Crew<'_>) -> Result<Dataset, Error> {
    crew.observer.event(&Event::StepStarted { step: Step::Preprocess });
    let entries = dataset::list(input, &output.names(), crew)?;
    let seed = options.learn.as_ref().map_or(0, |learn| learn.seed);
    dataset::load(&entries, options.fidelity, seed, crew)
}

/// Steps 2 and 5: a Program for each group, if one is given or learned.
fn learn(
    dataset: &Dataset,
    given: Option<Vec<(Layout, Program)>>,
    options: &CompressOptions,
    crew: &mut Crew<'_>,
) -> Result<Vec<Option<Learned>>, Error> {
    let mut learned = Vec::new();
    if let Some(given) = given {
        for group in &dataset.groups {
            let program = given.iter().find(|(layout, _)| *layout == group.layout).map(|(_, program)| program.clone());
            if program.is_none() {
                crew.note(format!("no Program is given for {} images: they are stored the general way", group.layout));
            }
            learned.push(program.map(|program| Learned { summary: about_given(group.layout, &program), program }));
        }
        return Ok(learned);
    }
    let shares = time_shares(dataset, options.learn.as_ref());
    for (group, share) in dataset.groups.iter().zip(shares) {
        crew.check()?;
        learned.push(match &options.learn {
            Some(learn) if worth_learning(dataset, group) => Some(learn_one(dataset, group, learn, share, crew)?),
            _ => None,
        });
    }
    Ok(learned)
}

/// Whether a group is large enough for a Program to pay.
pub(crate) fn worth_learning(dataset: &Dataset, group: &Group) -> bool {
    subpixels(dataset, group) >= LEAST_SUBPIXELS && !group.learnable.is_empty()
}

fn subpixels(dataset: &Dataset, group: &Group) -> u64 {
    group.items.iter().filter_map(|&number| dataset.image(number)).map(|(image, _)| image.subpixels()).sum()
}

/// The time budget, dealt to the groups by their subpixels.
pub(crate) fn time_shares(dataset: &Dataset, learn: Option<&LearnOptions>) -> Vec<Option<Duration>> {
    let sizes = dataset.groups.iter().map(|group| if worth_learning(dataset, group) { subpixels(dataset, group) } else { 0 });
    let sizes: Vec<u64> = sizes.collect();
    let total = sizes.iter().sum::<u64>().max(1) as f64;
    let budget = learn.and_then(|learn| learn.time_budget);
    sizes.iter().map(|&size| budget.map(|budget| budget.mul_f64(size as f64 / total))).collect()
}

/// Learns the Program of one group.
pub(crate) fn learn_one(
    dataset: &Dataset,
    group: &Group,
    learn: &LearnOptions,
    time_budget: Option<Duration>,
    crew: &mut Crew<'_>,
) -> Result<Learned, Error> {
    crew.observer.event(&Event::StepStarted { step: Step::Generate });
    let images = dataset.dealt(group);
    if group.learnable.len() < FEWEST_TO_SPLIT {
        crew.note(format!(
            "{} {} images are too few to set some apart: all are learned from, and no rate is independent",
            images.len(),
            group.layout
        ));
    }
    let stop = crew.stop();
    let learned = learn_group(group.layout, &images, None, dataset.expected_bytes(group), learn, time_budget, crew.observer, stop)?;
    crew.check()?;
    Ok(learned)
}

fn about_given(layout: Layout, program: &Program) -> ProgramSummary {
    ProgramSummary {
        group: layout.to_string(),
        parameters: program.parameters(),
        macs_per_pixel: program.macs_per_pixel(),
        stopped: "given".into(),
        ..ProgramSummary::default()
    }
}

enum Choice {
    Program(CodedProgram, ProgramCoded),
    General(Vec<CodedBlock<GeneralCoding>>),
}

/// Codes a Program and says so in `about`.
pub(crate) fn code_program(program: &Program, about: &mut ProgramSummary) -> CodedProgram {
    let coded = weights::encode(&program.to_bytes());
    let sizes = coded.sizes;
    about.sizes = ProgramSizes { raw: sizes.raw, huffman: sizes.huffman, lz77: sizes.lz77, range: sizes.range, kept: coded.coder.name().into() };
    coded
}

/// The Program, if it and what it codes are smaller than the group's files the general way.
fn decide(
    dataset: &Dataset,
    group: &Group,
    program: &Program,
    method: Option<Method>,
    about: &mut ProgramSummary,
    crew: &mut Crew<'_>,
) -> Result<Choice, Error> {
    let coded_program = code_program(program, about);
    let coded = coding::by_program(dataset, &group.items, program, method, crew)?;
    about.coding = coded.method.name().into();
    let mut recipes = RecipeBook::default();
    for &number in &group.items {
        if let Some((_, recipe)) = dataset.image(number) {
            recipes.intern(recipe.to_vec())?;
        }
    }
    let with_program = coded_program.bytes.len() as u64 + coded_bytes(&coded.blocks) + recipes.coded_bytes()?;
    // The dense way is slow, so a quick look comes first, and a dense one at a part.
    let quick = coded_bytes(&general::coded(&dataset.items, &group.items, QUICK, crew)?);
    let part = spread(&dataset.items, &group.items);
    let dense = |level, crew: &mut Crew<'_>| Ok::<_, Error>(coded_bytes(&general::coded(&dataset.items, &part, level, crew)?) as f64);
    let gain = if part.len() < group.items.len() { dense(DENSE, crew)? / dense(QUICK, crew)?.max(1.0) } else { 0.0 };
    if (with_program as f64) < quick as f64 * gain * DENSE_MARGIN {
        about.kept = true;
        return Ok(Choice::Program(coded_program, coded));
    }
    let general = general::coded(&dataset.items, &group.items, DENSE, crew)?;
    let without = coded_bytes(&general);
    about.kept = with_program < without;
    if about.kept {
        return Ok(Choice::Program(coded_program, coded));
    }
    about.reason = format!("with it the images take {with_program} bytes, the general way {without}");
    Ok(Choice::General(general))
}

/// Some of the items `numbers`, from all over, that hold about [`SPREAD_BYTES`]; all of them if they hold less.
fn spread(items: &[dataset::Item], numbers: &[usize]) -> Vec<usize> {
    let bytes: u64 = numbers.iter().map(|&number| items[number].bytes).sum();
    numbers.iter().copied().step_by(bytes.div_ceil(SPREAD_BYTES).max(1) as usize).collect()
}

/// What no Program codes: blocks of images, for which that was found out by coding them, and files that are coded while they are written.
struct General {
    chosen: Vec<CodedBlock<GeneralCoding>>,
    left: Vec<usize>,
}

/// Writes everything to `out`. Says where its bytes went, and what became of files with numbers in them.
fn write(
    dataset: &Dataset,
    kept: Vec<Kept>,
    general: General,
    options: &CompressOptions,
    out: &mut Output,
    crew: &mut Crew<'_>,
) -> Result<(ArchiveSizes, NumbersSummary), Error> {
    let target = out.target().to_path_buf();
    let fail = || Error::codec(&target);
    let fidelity = match options.fidelity {
        Fidelity::Files => container::Fidelity::Files,
        Fidelity::Pixels => container::Fidelity::Pixels,
    };
    let programs: Vec<(u8, &CodedProgram)> = kept.iter().map(|group| (group.layout.code(), &group.program)).collect();
    let mut writer = Writer::new(std::io::BufWriter::new(out.file()), fidelity, &programs).map_err(fail())?;
    let mut places: Vec<Option<u32>> = vec![None; dataset.items.len()];
    for (group, program) in kept.iter().zip(0u32..) {
        for block in &group.coded.blocks {
            let coding = BlockCoding::Program { program, method: group.coded.method };
            let number = writer.block(coding, &block.bytes, block.digest).map_err(fail())?;
            block.items.iter().for_each(|&item| places[item] = Some(number));
        }
    }
    let n_program_blocks = kept.iter().map(|group| group.coded.blocks.len()).sum::<usize>();
    let mut numbers = NumbersSummary::default();
    let mut put = |block: CodedBlock<GeneralCoding>| -> Result<(), Error> {
        let number = writer.block(BlockCoding::General(block.coding.method), &block.bytes, block.digest).map_err(fail())?;
        block.items.iter().for_each(|&item| places[item] = Some(number));
        if block.coding.of_numbers {
            numbers.bytes += block.coding.raw_bytes;
            numbers.coded_bytes += block.bytes.len() as u64;
            let way = match block.coding.method {
                GeneralMethod::Numbers => &mut numbers.as_numbers,
                GeneralMethod::Zstd => &mut numbers.by_zstd,
                GeneralMethod::Stored => &mut numbers.stored,
            };
            *way += block.coding.raw_bytes;
        }
        Ok(())
    };
    general.chosen.into_iter().try_for_each(&mut put)?;
    general::each(&dataset.items, &general.left, DENSE, crew, put)?;
    numbers.files = general.left.iter().filter(|&&item| dataset.items[item].numbers.is_some()).count() as u64;
    let mut recipes = RecipeBook::default();
    let mut items = Vec::with_capacity(dataset.items.len());
    for (item, place) in dataset.items.iter().zip(places) {
        let content = match (&item.state, place) {
            (ItemState::Copy(first), _) => Content::Copy { of: *first as u32 },
            (ItemState::Image { image, recipe, .. }, Some(block)) if (block as usize) < n_program_blocks => {
                Content::Image { block, height: image.height, width: image.width, recipe: recipes.intern(recipe.clone())? }
            }
            (_, Some(block)) => Content::General { block, bytes: item.bytes },
            (_, None) => return Err(Error::NotReproduced { path: item.path.clone() }),
        };
        items.push(container::Item { path: item.path.clone(), content });
    }
    let file_bytes = dataset.items.iter().map(|item| item.bytes).sum();
    let (_, sizes) = writer.finish(items, &recipes, file_bytes).map_err(fail())?;
    Ok((archive_sizes(&sizes), numbers))
}

/// Sizes as summaries have them.
pub(crate) const fn archive_sizes(sizes: &container::Sizes) -> ArchiveSizes {
    ArchiveSizes {
        total: sizes.total,
        frame: sizes.frame,
        programs: sizes.programs,
        payload: sizes.payload,
        index: sizes.index,
        recipes: sizes.recipes,
        general: sizes.general,
    }
}

/// Expands what was written and compares every item with what was read in the beginning. Gives back how many items are the same.
fn prove(dataset: &Dataset, out: &Output, options: &CompressOptions, crew: &mut Crew<'_>) -> Result<u64, Error> {
    let mut reader = Reader::open(out.reopen()?, &options.limits).map_err(Error::codec(out.target()))?;
    let total = dataset.items.len();
    let mut equal = vec![0u64; total];
    let pool = crew.pool.clone();
    let options = expand::Options { limits: &options.limits, wanted: None, pool: Some(&pool), files: true };
    let mut done = 0;
    expand::expand(&mut reader, &options, |part| {
        let number = part.item as usize;
        let item = dataset.items.get(number).ok_or_else(|| Error::NotReproduced { path: part.item.to_string() })?;
        if !same(dataset, number, part) {
            return Err(Error::NotReproduced { path: item.path.clone() });
        }
        equal[number] += part.bytes.len() as u64;
        if part.last {
            done += 1;
            if done % 64 == 0 || done == total {
                crew.progress("verifying", done, total);
            }
        }
        crew.check()
    })?;
    let pixels = reader.fidelity() == container::Fidelity::Pixels;
    for (item, equal) in dataset.items.iter().zip(equal) {
        // Plain files made of pixels have sizes of their own.
        if equal != item.bytes && !pixels {
            return Err(Error::NotReproduced { path: item.path.clone() });
        }
    }
    if let Some(missing) = dataset.items.get(done) {
        return Err(Error::NotReproduced { path: missing.path.clone() });
    }
    Ok(done as u64)
}

fn same(dataset: &Dataset, number: usize, part: &Expanded) -> bool {
    let original = match dataset.items[number].state {
        ItemState::Copy(first) => first,
        _ => number,
    };
    let item = &dataset.items[original];
    let piece = item.pieces.get((part.start / container::PIECE_BYTES) as usize);
    let whole = part.start == 0 && part.last;
    match part.image {
        Some(_) => whole && part.digest == item.digest,
        None if item.pieces.is_empty() => whole && part.digest == item.file_digest,
        None => piece == Some(&part.digest),
    }
}
