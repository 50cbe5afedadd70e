//! A dataset becomes an archive that is proved before it has a name.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use kolmo_codec::against::Base;
use kolmo_codec::container::{self, BlockCoding, Content, Reader, Writer};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::weights::CodedProgram;
use kolmo_data::layout::Layout;
use kolmo_data::open::Fidelity;
use kolmo_verify::expand::{self, Expanded};

use crate::base::{BaseFile, Previous};
use crate::choose::{self, Chosen};
use crate::coding::{CodedBlock, ProgramCoded, Under, Way};
use crate::dataset::{self, Dataset, Loading};
use crate::error::Error;
use crate::files;
use crate::general::{self, GeneralCoding, What};
use crate::item::ItemState;
use crate::observe::{Event, Observer, Step};
use crate::options::CompressOptions;
use crate::output::{self, Output};
use crate::pages::Aside;
use crate::summary::{ArchiveSizes, BaseSummary, CompressSummary, JpegSummary, NumbersSummary, ProgramSummary};
use crate::work::Crew;
use crate::{estimate, program_file};

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
    let previous = options.base.as_deref().map(|base| Previous::open(base, archive)).transpose()?;
    let mut out = Output::create(archive, options.force)?;
    let mut dataset = prepare(input, &out, options, crew)?;
    if let Some(previous) = &previous {
        previous.pair(&mut dataset, crew)?;
    }
    let base = previous.as_ref().map(|previous| &previous.file);
    let mut summary =
        CompressSummary { archive: archive.display().to_string(), fidelity: name(options.fidelity).into(), ..CompressSummary::default() };
    summary.preprocess = std::mem::take(&mut dataset.summary);
    summary.preprocess.seconds = begun.elapsed().as_secs_f64();

    let (programs, kinds) = choose::programs(&mut dataset, given, options, None, crew)?;
    summary.kinds = kinds;
    let encoding = Instant::now();
    crew.observer.event(&Event::StepStarted { step: Step::CompressProgram });
    let mut kept: Vec<Kept> = Vec::new();
    let aside = out.folder();
    let mut left = dataset.general()?;
    for (group, chosen) in dataset.groups.iter().zip(programs) {
        let Some(Chosen { program, summary: mut about, tried, .. }) = chosen else {
            left.extend(&group.items);
            continue;
        };
        about.images = group.items.len() as u64;
        // The built-in Program of a pair comes after the one that it stands beside, whose candidates are told there.
        let beside = about.candidates.is_empty();
        let under = Under { program: &program, tried: &tried };
        let decided = choose::decide(&dataset, group, under, Way::new(options), &mut about, &aside, crew)?;
        if let Some(pair) = summary.programs.last_mut().filter(|_| beside).and_then(ProgramSummary::chosen_pair) {
            let bytes = decided.as_ref().map(|(program, coded)| program.bytes.len() as u64 + coded.blocks.bytes());
            pair.real_bytes = pair.real_bytes.zip(bytes).map(|(own, bytes)| own + bytes);
        }
        match decided {
            Some((coded_program, coded)) => kept.push(Kept { layout: group.layout, program: coded_program, coded }),
            None => left.extend(&group.items),
        }
        summary.programs.push(about);
    }
    left.sort_unstable();
    // All is learned: what is left to do needs no samples.
    dataset.release();
    for group in &kept {
        summary.coding.ideal_bytes += group.coded.ideal_bits / 8.0;
        summary.coding.payload_bytes += group.coded.blocks.bytes();
        summary.coding.subpixels += group.coded.subpixels;
    }
    (summary.sizes, summary.numbers, summary.jpeg) = write(&dataset, kept, &left, options, base, &mut out, crew)?;
    summary.base = base.filter(|_| summary.numbers.against_base > 0).map(|base| BaseSummary::of(base.id()));
    if let Some(base) = base.filter(|_| summary.base.is_none() && dataset.items.with_twins()) {
        let name = &base.id().name;
        crew.note(format!(
            "differences to {name} take no less than the tensors themselves: nothing is gained by --base, and the archive does not need it"
        ));
    }
    summary.coding.encode_seconds = encoding.elapsed().as_secs_f64();

    let verifying = Instant::now();
    crew.observer.event(&Event::StepStarted { step: Step::Expand });
    let proved = prove(&dataset, &out, options, base, crew);
    if let Some(base) = base.filter(|_| summary.base.is_some()) {
        // Rather than a difference, which it then makes.
        base.check_unchanged()?;
    }
    summary.verified_files = proved?;
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
    let aside = Aside::new(&output.folder(), options.limits.memory_bytes);
    let files = files::list(input, &output.names(), cuts(options), &aside, crew)?;
    dataset::load(files, &Loading::new(options), crew)
}

/// Whether files that hold many images are cut into them: not where tensors are looked for in another file.
pub(crate) const fn cuts(options: &CompressOptions) -> bool {
    options.base.is_none()
}

/// Writes everything to `out`. Says where its bytes went, and what became of files with numbers in them.
fn write(
    dataset: &Dataset,
    kept: Vec<Kept>,
    left: &[usize],
    options: &CompressOptions,
    base: Option<&BaseFile>,
    out: &mut Output,
    crew: &mut Crew<'_>,
) -> Result<(ArchiveSizes, NumbersSummary, JpegSummary), Error> {
    let target = out.target().to_path_buf();
    let fail = || Error::codec(&target);
    let fidelity = match options.fidelity {
        Fidelity::Files => container::Fidelity::Files,
        Fidelity::Pixels => container::Fidelity::Pixels,
    };
    let programs: Vec<(u8, &CodedProgram)> = kept.iter().map(|group| (group.layout.code(), &group.program)).collect();
    let mut writer = Writer::new(std::io::BufWriter::new(out.file()), fidelity, &programs).map_err(fail())?;
    // The block of each item; there are never so many.
    let mut places = vec![u32::MAX; dataset.items.len()];
    let mut n_program_blocks = 0;
    for (Kept { coded, .. }, program) in kept.into_iter().zip(0u32..) {
        n_program_blocks += coded.blocks.places().len();
        coded.blocks.each(|block, bytes| {
            let coding = BlockCoding::Program { program, method: block.method };
            let number = writer.block(coding, bytes, block.digest).map_err(fail())?;
            block.items.iter().for_each(|item| places[item] = number);
            Ok(())
        })?;
    }
    let (mut numbers, mut jpegs) = (NumbersSummary::default(), JpegSummary::default());
    let put = |block: CodedBlock<GeneralCoding>| -> Result<(), Error> {
        let number = writer.block(BlockCoding::General(block.coding.method), &block.bytes, block.digest).map_err(fail())?;
        block.items.iter().for_each(|&item| places[item] = number);
        if let What::Jpeg { as_bytes } = block.coding.content {
            jpegs.files += block.items.len() as u64;
            jpegs.bytes += block.coding.raw_bytes;
            jpegs.coded_bytes += block.bytes.len() as u64;
            jpegs.as_bytes += as_bytes;
        }
        if block.coding.content == What::Numbers {
            numbers.bytes += block.coding.raw_bytes;
            numbers.coded_bytes += block.bytes.len() as u64;
            let way = match block.coding.method {
                GeneralMethod::Numbers => &mut numbers.as_numbers,
                GeneralMethod::Zstd => &mut numbers.by_zstd,
                GeneralMethod::Stored | GeneralMethod::Jpeg => &mut numbers.stored,
                GeneralMethod::Against => &mut numbers.against_base,
            };
            *way += block.coding.raw_bytes;
        }
        Ok(())
    };
    general::each(dataset, left, choose::DENSE, base, crew, put)?;
    numbers.files = left.iter().filter(|&&item| dataset.insides(item).is_some_and(|insides| insides.numbers.is_some())).count() as u64;
    let is_coded = |item: &usize| (places[*item] as usize) < n_program_blocks;
    let (recipes, recipe_places) = dataset.recipes_of((0..places.len()).filter(is_coded))?;
    let mut failed = None;
    let next = |number: usize| -> Result<container::Item, Error> {
        let (item, path) = (dataset.items.get(number)?, dataset.path(number)?);
        let block = places[number];
        let content = match item.state {
            ItemState::Copy(first) => Content::Copy { of: first as u32 },
            _ if block == u32::MAX => return Err(Error::NotReproduced { path }),
            ItemState::Image(picture) if is_coded(&number) => {
                let recipe = recipe_places.get(picture.recipe as usize).copied().flatten();
                let Some(recipe) = recipe else { return Err(Error::NotReproduced { path }) };
                Content::Image { block, height: picture.height, width: picture.width, recipe }
            }
            _ => Content::General { block, bytes: item.bytes },
        };
        Ok(container::Item { path, content })
    };
    dataset.files.cuts().iter().for_each(|cut| writer.cut(*cut));
    let items = (0..dataset.items.len()).map_while(|number| next(number).map_err(|error| failed = Some(error)).ok());
    let finished = writer.finish(items, &recipes, dataset.items.bytes());
    failed.map_or(Ok(()), Err)?;
    let (_, sizes) = finished.map_err(fail())?;
    Ok((archive_sizes(&sizes), numbers, jpegs))
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

/// Expands what was written and compares every item with what was read in the beginning. Gives back how many files are the same.
fn prove(dataset: &Dataset, out: &Output, options: &CompressOptions, base: Option<&BaseFile>, crew: &mut Crew<'_>) -> Result<u64, Error> {
    let mut reader = Reader::open(out.reopen()?, &options.limits).map_err(Error::codec(out.target()))?;
    let total = dataset.items.len();
    let pixels = reader.fidelity() == container::Fidelity::Pixels;
    let pool = crew.pool.clone();
    // Files made of pixels are compared with nothing: their samples are.
    let options =
        expand::Options { limits: &options.limits, wanted: None, pool: Some(&pool), files: !pixels, base: base.map(|base| base as &dyn Base) };
    let differs = |number: usize| Error::NotReproduced { path: dataset.path(number).unwrap_or_else(|_| number.to_string()) };
    let (mut is_done, mut done) = (vec![false; total], 0);
    // Of files in several pieces, the bytes that were equal so far.
    let mut begun: HashMap<usize, u64> = HashMap::new();
    expand::expand(&mut reader, &options, |part| {
        let number = part.item as usize;
        if number >= total || is_done[number] {
            return Err(Error::NotReproduced { path: part.item.to_string() });
        }
        let equal = begun.remove(&number).unwrap_or(0) + part.bytes.len() as u64;
        // Plain files made of pixels have sizes of their own.
        if !same(dataset, number, part)? || (part.last && !pixels && equal != dataset.items.get(number)?.bytes) {
            return Err(differs(number));
        }
        if part.last {
            is_done[number] = true;
            done += 1;
            if done % 64 == 0 || done == total {
                crew.progress("verifying", done, total);
            }
        } else {
            begun.insert(number, equal);
        }
        crew.check()
    })?;
    match is_done.iter().position(|done| !done) {
        Some(number) => Err(differs(number)),
        None => Ok(dataset.files.whole_count() as u64),
    }
}

fn same(dataset: &Dataset, number: usize, part: &Expanded) -> Result<bool, Error> {
    let item = dataset.items.get(number)?;
    let original = if let ItemState::Copy(first) = item.state { first } else { number };
    let pieces = dataset.insides(original).map_or(&[][..], |insides| &insides.pieces);
    let whole = part.start == 0 && part.last;
    Ok(match part.image {
        Some(_) => whole && part.digest == dataset.digest(original)?,
        None if pieces.is_empty() => whole && part.digest == dataset.items.get(original)?.file_digest,
        None => pieces.get((part.start / container::PIECE_BYTES) as usize) == Some(&part.digest),
    })
}
