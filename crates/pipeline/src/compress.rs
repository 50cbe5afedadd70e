//! A dataset becomes an archive that is proved before it has a name.

use std::path::Path;
use std::time::Instant;

use kolmo_codec::against::Base;
use kolmo_codec::container::{self, BlockCoding, Content, Reader, RecipeBook, Writer};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::weights::CodedProgram;
use kolmo_data::layout::Layout;
use kolmo_data::open::Fidelity;
use kolmo_verify::expand::{self, Expanded};

use crate::base::{BaseFile, Previous};
use crate::choose::{self, Chosen};
use crate::coding::{CodedBlock, ProgramCoded, Way};
use crate::dataset::{self, Dataset, Loading};
use crate::error::Error;
use crate::files;
use crate::general::{self, GeneralCoding};
use crate::item::ItemState;
use crate::observe::{Event, Observer, Step};
use crate::options::CompressOptions;
use crate::output::{self, Output};
use crate::summary::{ArchiveSizes, BaseSummary, CompressSummary, NumbersSummary};
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
        previous.pair(&mut dataset, crew);
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
    let mut left: Vec<usize> = (0..dataset.items.len()).filter(|&n| matches!(dataset.items[n].state, ItemState::General(_))).collect();
    for (group, chosen) in dataset.groups.iter().zip(programs) {
        let Some(Chosen { program, summary: mut about, .. }) = chosen else {
            left.extend(&group.items);
            continue;
        };
        about.images = group.items.len() as u64;
        match choose::decide(&dataset, group, &program, Way::new(options), &mut about, &aside, crew)? {
            Some((coded_program, coded)) => kept.push(Kept { layout: group.layout, program: coded_program, coded }),
            None => left.extend(&group.items),
        }
        summary.programs.push(about);
    }
    left.sort_unstable();
    // All is learned: what is left to do needs no samples, but the index needs memory.
    dataset.release();
    for group in &kept {
        summary.coding.ideal_bytes += group.coded.ideal_bits / 8.0;
        summary.coding.payload_bytes += group.coded.blocks.bytes();
        summary.coding.subpixels += group.coded.subpixels;
    }
    (summary.sizes, summary.numbers) = write(&dataset, kept, &left, options, base, &mut out, crew)?;
    summary.base = base.filter(|_| summary.numbers.against_base > 0).map(|base| BaseSummary::of(base.id()));
    if let Some(base) = base.filter(|_| summary.base.is_none() && dataset.items.iter().any(|item| !item.twins().is_empty())) {
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
    let listed = files::list(input, &output.names(), crew)?;
    dataset::load(listed, &Loading::new(options), crew)
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
    let mut n_program_blocks = 0;
    for (Kept { coded, .. }, program) in kept.into_iter().zip(0u32..) {
        n_program_blocks += coded.blocks.places().len();
        coded.blocks.each(|block, bytes| {
            let coding = BlockCoding::Program { program, method: block.method };
            let number = writer.block(coding, bytes, block.digest).map_err(fail())?;
            block.items.iter().for_each(|&item| places[item] = Some(number));
            Ok(())
        })?;
    }
    let mut numbers = NumbersSummary::default();
    let put = |block: CodedBlock<GeneralCoding>| -> Result<(), Error> {
        let number = writer.block(BlockCoding::General(block.coding.method), &block.bytes, block.digest).map_err(fail())?;
        block.items.iter().for_each(|&item| places[item] = Some(number));
        if block.coding.of_numbers {
            numbers.bytes += block.coding.raw_bytes;
            numbers.coded_bytes += block.bytes.len() as u64;
            let way = match block.coding.method {
                GeneralMethod::Numbers => &mut numbers.as_numbers,
                GeneralMethod::Zstd => &mut numbers.by_zstd,
                GeneralMethod::Stored => &mut numbers.stored,
                GeneralMethod::Against => &mut numbers.against_base,
            };
            *way += block.coding.raw_bytes;
        }
        Ok(())
    };
    general::each(dataset, left, choose::DENSE, base, crew, put)?;
    numbers.files = left.iter().filter(|&&item| dataset.items[item].numbers().is_some()).count() as u64;
    let mut recipes = RecipeBook::default();
    let mut items = Vec::with_capacity(dataset.items.len());
    for (number, (item, place)) in dataset.items.iter().zip(places).enumerate() {
        let content = match (&item.state, place) {
            (ItemState::Copy(first), _) => Content::Copy { of: *first as u32 },
            (ItemState::Image(picture), Some(block)) if (block as usize) < n_program_blocks => {
                Content::Image { block, height: picture.height, width: picture.width, recipe: recipes.intern(dataset.recipe(picture))? }
            }
            (_, Some(block)) => Content::General { block, bytes: item.bytes },
            (_, None) => return Err(Error::NotReproduced { path: dataset.path(number).to_owned() }),
        };
        items.push(container::Item { path: dataset.path(number).to_owned(), content });
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
fn prove(dataset: &Dataset, out: &Output, options: &CompressOptions, base: Option<&BaseFile>, crew: &mut Crew<'_>) -> Result<u64, Error> {
    let mut reader = Reader::open(out.reopen()?, &options.limits).map_err(Error::codec(out.target()))?;
    let total = dataset.items.len();
    let mut equal = vec![0u64; total];
    let pool = crew.pool.clone();
    let options = expand::Options { limits: &options.limits, wanted: None, pool: Some(&pool), files: true, base: base.map(|base| base as &dyn Base) };
    let differs = |number: usize| Error::NotReproduced { path: dataset.path(number).to_owned() };
    let mut done = 0;
    expand::expand(&mut reader, &options, |part| {
        let number = part.item as usize;
        if number >= total {
            return Err(Error::NotReproduced { path: part.item.to_string() });
        }
        if !same(dataset, number, part) {
            return Err(differs(number));
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
    for (number, (item, equal)) in dataset.items.iter().zip(equal).enumerate() {
        // Plain files made of pixels have sizes of their own.
        if equal != item.bytes && !pixels {
            return Err(differs(number));
        }
    }
    if done < total {
        return Err(differs(done));
    }
    Ok(done as u64)
}

fn same(dataset: &Dataset, number: usize, part: &Expanded) -> bool {
    let original = match dataset.items[number].state {
        ItemState::Copy(first) => first,
        _ => number,
    };
    let item = &dataset.items[original];
    let piece = item.pieces().get((part.start / container::PIECE_BYTES) as usize);
    let whole = part.start == 0 && part.last;
    match part.image {
        Some(_) => whole && part.digest == *dataset.digest(original),
        None if item.pieces().is_empty() => whole && part.digest == item.file_digest,
        None => piece == Some(&part.digest),
    }
}
