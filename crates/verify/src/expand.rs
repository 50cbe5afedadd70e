//! Expands an archive, block by block, on all threads of the current rayon pool.

mod line;

use std::io::{Read, Seek};
use std::panic::AssertUnwindSafe;

use kolmo_codec::against::{Base, BaseId};
use kolmo_codec::container::{Block, BlockCoding, Content, Contents, Fidelity, Index, Part, ProgramEntry, Reader};
use kolmo_codec::limits::{Budget, Limits};
use kolmo_codec::program::Program;
use kolmo_codec::{block, general};
use kolmo_data::digest::{Digest, of_bytes, of_image};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::rebuild::{check as check_recipe, most_bytes, rebuild};

use crate::Error;
use crate::spares::Spares;
use line::Line;

/// Blocks read ahead for each thread: enough to even out blocks of unequal cost, few enough to bound the memory.
const IN_FLIGHT: usize = 3;

/// Bytes of the lists that name each item of a block while it is expanded: part, shape and what comes out, its bytes apart.
const LISTED_BYTES: u64 = (size_of::<Part>() + size_of::<(usize, usize)>() + size_of::<Expanded>()) as u64;

/// What is expanded, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What it may cost.
    pub limits: &'a Limits,
    /// For every item (of [`blocks`]: for every block) whether it is wanted; `None` means all.
    pub wanted: Option<&'a [bool]>,
    /// The threads that decode; `None` means those of the current rayon pool.
    pub pool: Option<&'a rayon::ThreadPool>,
    /// Whether files are made of images of an archive of fidelity `pixels`; without, [`Expanded::bytes`] is empty there. Their samples are what is
    /// compared, and compressing them again takes a good part of the time.
    pub files: bool,
    /// What numbers may be coded against; see [`bases`].
    pub base: Option<&'a dyn Base>,
}

impl<'a> Options<'a> {
    /// Everything, within `limits`.
    #[must_use]
    pub const fn all(limits: &'a Limits) -> Self {
        Self { limits, wanted: None, pool: None, files: true, base: None }
    }

    fn wants(&self, number: u32) -> bool {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.wanted.is_none_or(|wanted| wanted.get(at).copied().unwrap_or(false))
    }

    fn threads(&self) -> usize {
        self.pool.map_or_else(rayon::current_num_threads, rayon::ThreadPool::current_num_threads)
    }

    /// Runs `work` on this thread; what it spawns runs on the pool's.
    fn in_place_scope<'scope, T>(&self, work: impl FnOnce(&rayon::Scope<'scope>) -> T) -> T {
        match self.pool {
            Some(pool) => pool.in_place_scope(work),
            None => rayon::in_place_scope(work),
        }
    }
}

/// An item, or a piece of a long one, whose block's digest was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// Number of the item.
    pub item: u32,
    /// Where in the file `bytes` begin.
    pub start: u64,
    /// Bytes of the file. In an archive of fidelity `pixels`, for images, a plain file with the same samples and facts.
    pub bytes: Vec<u8>,
    /// Whether the file ends with them.
    pub last: bool,
    /// Digest of the item, or of the piece: of its bytes; of the image in an archive of fidelity `pixels`.
    pub digest: Digest,
    /// The samples, if it is an image.
    pub image: Option<Image>,
}

/// What became of one block.
#[derive(Debug)]
pub struct Outcome {
    /// Number of the block.
    pub block: u32,
    /// Its parts in order, or what is wrong with it.
    pub result: Result<Vec<Expanded>, Error>,
}

/// The Programs of an archive, decoded and checked against the layouts they claim.
///
/// # Errors
/// `Corrupt`, `Truncated`, `Unsupported`, `LimitExceeded`.
pub fn programs<R>(reader: &Reader<R>, limits: &Limits, budget: &mut Budget) -> Result<Vec<(Layout, Program)>, Error> {
    let decode = |entry: &ProgramEntry| {
        let layout = layout(entry)?;
        let program = Program::from_bytes(&entry.raw(budget)?, limits)?;
        if program.channels() != layout.channels() || program.sample_bits() != layout.bit_depth {
            return Err(kolmo_codec::Error::Corrupt { what: "Program: it does not fit its sample layout", offset: None }.into());
        }
        Ok((layout, program))
    };
    reader.programs().iter().map(decode).collect()
}

fn layout(entry: &ProgramEntry) -> Result<Layout, Error> {
    let unknown = kolmo_codec::Error::Corrupt { what: "Program: its sample layout", offset: None };
    entry.layout.parse().map_err(|_| unknown.into())
}

/// The files that numbers of an archive are coded against, each once, in the order of their blocks; of all blocks, or of those that are `wanted`.
/// A block too damaged to say so is passed over: expanding it tells.
///
/// # Errors
/// `LimitExceeded`, `Io`.
pub fn bases<R: Read + Seek>(reader: &mut Reader<R>, wanted: Option<&[bool]>) -> Result<Vec<BaseId>, Error> {
    let mut budget = reader.budget();
    let mut bases: Vec<BaseId> = Vec::new();
    for number in (0u32..).take(reader.index().blocks.len()) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if wanted.is_none_or(|wanted| wanted.get(at).copied().unwrap_or(false))
            && let Some(base) = reader.base_of(number, &mut budget)?
            && !bases.iter().any(|known| known.is(&base))
        {
            budget.take("names of bases", (base.name.len() as u64).saturating_add(size_of::<BaseId>() as u64), 1)?;
            bases.push(base);
        }
    }
    Ok(bases)
}

/// The blocks that hold the items `wanted`, or that of which those are copies.
#[must_use]
pub fn blocks_of(contents: &Contents, wanted: impl Fn(u32) -> bool) -> Vec<bool> {
    let copies = Copies::new(contents.index());
    let needed = |item: u32| wanted(item) || copies.of(item).any(&wanted);
    (0u32..).take(contents.index().blocks.len()).map(|block| contents.items_of(block).iter().any(|&item| needed(item))).collect()
}

/// Which later items are copies of an item: eight bytes a copy, as there may be millions.
#[derive(Debug, Default)]
pub struct Copies {
    /// An item and a copy of it, in rising order.
    pairs: Vec<(u32, u32)>,
}

impl Copies {
    /// Those of an index.
    #[must_use]
    pub fn new(index: &Index) -> Self {
        let copy = |(content, number)| if let Content::Copy { of } = content { Some((of, number)) } else { None };
        let mut pairs: Vec<(u32, u32)> = index.items.contents().zip(0u32..).filter_map(copy).collect();
        pairs.sort_unstable();
        Self { pairs }
    }

    /// The copies of `item`, in order.
    pub fn of(&self, item: u32) -> impl Iterator<Item = u32> {
        let from = self.pairs.partition_point(|&(of, _)| of < item);
        self.pairs.iter().skip(from).take_while(move |&&(of, _)| of == item).map(|&(_, copy)| copy)
    }
}

/// Expands blocks in order and hands each outcome to `sink`, right or wrong.
///
/// This thread reads and hands out, those of the pool decode. At most a few blocks a thread are in memory at a time, and all of them
/// together stay inside `limits`.
///
/// # Errors
/// Whatever `sink` returns; errors of the Programs; `Io`, `Truncated` while reading.
pub fn blocks<R: Read + Seek, E: From<Error>>(
    reader: &mut Reader<R>,
    options: &Options<'_>,
    sink: impl FnMut(Outcome) -> Result<(), E>,
) -> Result<(), E> {
    blocks_with(reader, options, &|_| options.files, &Spares::default(), sink)
}

/// The same, with buffers that `sink` may give back. `files` says for each item whether its file is made where that is not what is compared.
fn blocks_with<R: Read + Seek, E: From<Error>>(
    reader: &mut Reader<R>,
    options: &Options<'_>,
    files: &(dyn Fn(u32) -> bool + Sync),
    spares: &Spares,
    mut sink: impl FnMut(Outcome) -> Result<(), E>,
) -> Result<(), E> {
    let mut budget = reader.budget();
    let programs = programs(reader, options.limits, &mut budget)?;
    let left = budget.left();
    spares.allow(left / 8);
    let numbers: Vec<u32> = (0u32..).take(reader.index().blocks.len()).filter(|&block| options.wants(block)).collect();
    let in_flight = options.threads().saturating_mul(IN_FLIGHT).min(numbers.len()).max(1);
    // The spares' part is nobody's share.
    let share = left.saturating_sub(left / 8).checked_div(in_flight as u64).unwrap_or(0);
    let contents = reader.contents();
    let how = How { files, base: options.base };
    options.in_place_scope(|scope| {
        let mut line = Line::default();
        let (mut started, mut done) = (0, 0);
        while let Some(&number) = numbers.get(done) {
            while let Some(&number) = numbers.get(started).filter(|_| started.saturating_sub(done) < in_flight) {
                let mut budget = Budget::new(share);
                match reader.block_bytes(number, &mut budget) {
                    Ok(bytes) => {
                        let (contents, programs, sender) = (&contents, &programs, line.sender());
                        scope.spawn(move |_| {
                            // A panic is handed on rather than waited for in vain.
                            let run = AssertUnwindSafe(|| expand_block(contents, programs, number, &bytes, how, &mut budget, spares));
                            // Nobody listens any more if the sink has given up.
                            let _ = sender.send((number, std::panic::catch_unwind(run)));
                        });
                    }
                    Err(error @ kolmo_codec::Error::LimitExceeded { .. }) => line.put(number, Err(error.into())),
                    Err(error) => return Err(Error::from(error).into()),
                }
                started = started.saturating_add(1);
            }
            let mut result = line.take(number);
            if matches!(&result, Err(error) if error.kind() == crate::ErrorKind::LimitExceeded) {
                // It gets all the memory there is; what is under way ends first, and is done again.
                line.clear();
                spares.clear();
                started = done.saturating_add(1);
                let mut budget = Budget::new(left);
                let bytes = reader.block_bytes(number, &mut budget).map_err(Error::from)?;
                result = expand_block(&contents, &programs, number, &bytes, how, &mut budget, spares);
            }
            sink(Outcome { block: number, result })?;
            done = done.saturating_add(1);
        }
        Ok(())
    })
}

/// The parts of one block, with all the memory that the archive does not hold; an image's needs the Programs.
pub(crate) fn one<R: Read + Seek>(
    reader: &mut Reader<R>,
    number: u32,
    programs: &[(Layout, Program)],
    base: Option<&dyn Base>,
) -> Result<Vec<Expanded>, Error> {
    let mut budget = reader.budget();
    let bytes = reader.block_bytes(number, &mut budget)?;
    expand_block(reader, programs, number, &bytes, How { files: &|_| true, base }, &mut budget, &Spares::default())
}

/// Hands out every file of the archive, copies included, a long one in pieces that follow each other. Nothing is handed out before the
/// digest of its block was found right.
///
/// # Errors
/// The first thing that is wrong, or whatever `sink` returns.
pub fn expand<R: Read + Seek, E: From<Error>>(
    reader: &mut Reader<R>,
    options: &Options<'_>,
    mut sink: impl FnMut(&Expanded) -> Result<(), E>,
) -> Result<(), E> {
    let copies = Copies::new(reader.index());
    let is_wanted = |item: u32| options.wants(item);
    let block_wanted = blocks_of(reader, is_wanted);
    let spares = Spares::default();
    // A block's digest asks for the samples of all its images, not for their files.
    let is_asked = |item: u32| options.files && (is_wanted(item) || copies.of(item).any(is_wanted));
    blocks_with(reader, &Options { wanted: Some(&block_wanted), ..*options }, &is_asked, &spares, |outcome| {
        for mut expanded in outcome.result? {
            let original = expanded.item;
            if is_wanted(original) {
                sink(&expanded)?;
            }
            for copy in copies.of(original).filter(|&copy| is_wanted(copy)) {
                expanded.item = copy;
                sink(&expanded)?;
            }
            spares.give(expanded.bytes);
        }
        Ok(())
    })
}

/// What [`Options`] say about each block.
#[derive(Clone, Copy)]
struct How<'a> {
    files: &'a (dyn Fn(u32) -> bool + Sync),
    base: Option<&'a dyn Base>,
}

fn expand_block(
    contents: &Contents,
    programs: &[(Layout, Program)],
    number: u32,
    coded: &[u8],
    how: How<'_>,
    budget: &mut Budget,
    spares: &Spares,
) -> Result<Vec<Expanded>, Error> {
    let index = contents.index();
    budget.take("items of a block", contents.items_of(number).len() as u64, LISTED_BYTES)?;
    let parts = &contents.parts(number)[..];
    let path = |part: Option<&Part>| {
        let item = part.and_then(|part| usize::try_from(part.item).ok()).and_then(|item| index.items.get(item));
        item.map_or_else(String::new, |item| item.path.to_owned())
    };
    let in_block = |source| Error::Block { path: path(parts.first()), others: (parts.len() as u64).saturating_sub(1), source };
    let no_block = || kolmo_codec::Error::Corrupt { what: "index", offset: None };
    let block = usize::try_from(number).ok().and_then(|number| index.blocks.get(number)).ok_or_else(no_block)?;
    let expanded = match block.coding {
        BlockCoding::General(method) => {
            let total = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes)).ok_or_else(no_block)?;
            let mut raw = spares.take(total);
            general::decode_into(method, coded, total, how.base, budget, &mut raw).map_err(in_block)?;
            if parts.len() > 1 {
                // Every part is copied out of the solid block.
                budget.take("general block", total, 1).map_err(in_block)?;
            }
            general_parts(index, parts, raw).ok_or_else(no_block)?
        }
        BlockCoding::Program { program, method } => {
            let (layout, program) = usize::try_from(program).ok().and_then(|at| programs.get(at)).ok_or_else(no_block)?;
            let samples = block::decode_as(method, program, &shapes(index, parts), coded, budget).map_err(in_block)?;
            let mut expanded = Vec::new();
            for (part, samples) in parts.iter().zip(samples) {
                let count = samples.len() as u64;
                let (recipe, image) = image_of(contents, part, *layout, samples).ok_or_else(no_block)?;
                // What making it takes for a while, and what of it stays.
                let most = most_bytes(recipe, count);
                budget.take("file of an image", most, 1).map_err(in_block)?;
                let are_pixels = contents.fidelity() == Fidelity::Pixels;
                let bytes =
                    if are_pixels && !(how.files)(part.item) { check_recipe(recipe, &image).map(|()| Vec::new()) } else { rebuild(recipe, &image) };
                let bytes = bytes.map_err(|source| Error::Rebuild { path: path(Some(part)), source })?;
                budget.give(most.saturating_sub(bytes.capacity() as u64));
                let digest = if are_pixels { of_image(&image) } else { of_bytes(&bytes) };
                expanded.push(Expanded { item: part.item, start: 0, bytes, last: true, digest, image: Some(image) });
            }
            expanded
        }
    };
    check(block, coded, &expanded).map_err(in_block)?;
    Ok(expanded)
}

fn check(block: &Block, coded: &[u8], expanded: &[Expanded]) -> Result<(), kolmo_codec::Error> {
    block.check(coded, expanded.iter().map(|expanded| &expanded.digest.0))
}

fn shapes(index: &Index, parts: &[Part]) -> Vec<(usize, usize)> {
    let shape = |part: &Part| match index.items.content(usize::try_from(part.item).ok()?)? {
        Content::Image { height, width, .. } => Some((usize::try_from(height).ok()?, usize::try_from(width).ok()?)),
        _ => None,
    };
    parts.iter().filter_map(shape).collect()
}

fn image_of<'a>(contents: &'a Contents, part: &Part, layout: Layout, samples: Vec<u8>) -> Option<(&'a [u8], Image)> {
    match contents.index().items.content(usize::try_from(part.item).ok()?)? {
        Content::Image { height, width, recipe, .. } => Some((contents.recipe(recipe)?, Image::new(width, height, layout, samples).ok()?)),
        _ => None,
    }
}

fn general_parts(index: &Index, parts: &[Part], raw: Vec<u8>) -> Option<Vec<Expanded>> {
    let expanded = |part: &Part, bytes: Vec<u8>| {
        let whole = match index.items.content(usize::try_from(part.item).ok()?)? {
            Content::General { bytes, .. } => bytes,
            _ => return None,
        };
        let last = part.start.checked_add(part.bytes)? == whole;
        let digest = of_bytes(&bytes);
        Some(Expanded { item: part.item, start: part.start, bytes, last, digest, image: None })
    };
    if let [part] = parts {
        return Some(vec![expanded(part, raw)?]);
    }
    let mut rest = raw.as_slice();
    let mut all = Vec::new();
    for part in parts {
        let (bytes, tail) = rest.split_at_checked(usize::try_from(part.bytes).ok()?)?;
        rest = tail;
        all.push(expanded(part, bytes.to_vec())?);
    }
    Some(all)
}

#[cfg(test)]
mod tests;
