//! Step 1: a folder as it is compressed: every file read, fingerprinted, opened, looked over and dealt.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kolmo_codec::container::PIECE_BYTES;
use kolmo_codec::names::check_path;
use kolmo_data::clean::{self, Fact, State};
use kolmo_data::digest::{Digest, of_bytes, of_image};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::normalise;
use kolmo_data::open::{self, Fidelity, GeneralReason, OpenLimits, Opened};
use kolmo_data::source::{self, Entry};
use kolmo_data::split::{Part, deal};
use kolmo_data::statistics::{self, Statistics};
use kolmo_data::tensor::{self, Numbers};

use crate::error::Error;
use crate::learn::FEWEST_TO_SPLIT;
use crate::summary::{GroupSummary, NamedReason, PreprocessSummary};
use crate::work::Crew;

/// Files longer than this are not opened as images, so that reading one never takes the memory away.
const MAX_OPEN_BYTES: u64 = 1 << 30;

/// A file of the dataset.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    /// What archive and expansion are checked by: the file's digest, or the image's where only pixels count.
    pub(crate) digest: Digest,
    /// Digest of the file's bytes (of the digests of its pieces, if it was not read as a whole).
    pub(crate) file_digest: Digest,
    /// Digests of its pieces, if it is longer than one.
    pub(crate) pieces: Vec<Digest>,
    pub(crate) state: ItemState,
    /// The numbers in it, if it is no image.
    pub(crate) numbers: Option<Numbers>,
}

/// What a file was found to be.
#[derive(Debug)]
pub(crate) enum ItemState {
    /// An image that can be rebuilt from samples and recipe.
    Image { image: Image, recipe: Vec<u8>, statistics: Statistics },
    /// Anything else, and why.
    General(GeneralReason),
    /// The same as the item of this number.
    Copy(usize),
}

/// Images of one sample layout, copies left out; numbers of items, ascending.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) layout: Layout,
    pub(crate) items: Vec<usize>,
    /// Those to learn from, with the part they were dealt.
    pub(crate) learnable: Vec<(usize, Part)>,
}

/// A dataset, ready to be learned and compressed.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) items: Vec<Item>,
    pub(crate) groups: Vec<Group>,
    pub(crate) summary: PreprocessSummary,
}

impl Dataset {
    /// The image of an item that is one.
    pub(crate) fn image(&self, item: usize) -> Option<(&Image, &[u8])> {
        match &self.items.get(item)?.state {
            ItemState::Image { image, recipe, .. } => Some((image, recipe)),
            _ => None,
        }
    }

    /// What a group's images may take once a Program codes them: three fifths of the entropy of their MED residuals (measured: 0.52 of
    /// it on kodak8, 0.65 on cifar10, 0.71 on fashion_mnist).
    pub(crate) fn expected_bytes(&self, group: &Group) -> u64 {
        let bits = group.items.iter().map(|&number| match &self.items[number].state {
            ItemState::Image { image, statistics, .. } => statistics.residual_bpsp * image.subpixels() as f64,
            _ => 0.0,
        });
        (0.6 * bits.sum::<f64>() / 8.0) as u64
    }

    /// The images of a group with the part each was dealt; `None` is left out of learning.
    pub(crate) fn dealt(&self, group: &Group) -> Vec<(&Image, Option<Part>)> {
        let part = |number: usize| group.learnable.binary_search_by_key(&number, |&(number, _)| number).ok().map(|at| group.learnable[at].1);
        group.items.iter().filter_map(|&number| Some((self.image(number)?.0, part(number)))).collect()
    }
}

/// Lists the files to compress: all but `ours`, our own output and its temporary neighbour, should they lie in the same folder.
pub(crate) fn list(input: &Path, ours: &[&Path], crew: &mut Crew<'_>) -> Result<Vec<Entry>, Error> {
    let mut listing = source::list(input)?;
    for ours in ours.iter().filter_map(|ours| ours.canonicalize().ok()) {
        let name = ours.file_name();
        listing.entries.retain(|entry| entry.file.file_name() != name || entry.file.canonicalize().ok().as_ref() != Some(&ours));
    }
    for (path, reason) in &listing.skipped {
        crew.note(format!("{path} is left out: {reason}"));
    }
    if let [first, rest @ ..] = &listing.empty_dirs[..] {
        crew.note(format!("{} empty folder(s) are not archived, e.g. {first}", rest.len() + 1));
    }
    if listing.entries.is_empty() {
        return Err(kolmo_data::Error::EmptyFolder { path: input.to_path_buf() }.into());
    }
    for entry in &listing.entries {
        check_path(&entry.path).map_err(|source| Error::Name { path: entry.file.clone(), source })?;
    }
    if let Some(&(a, b)) = source::case_collisions(&listing.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>()).first() {
        let (a, b) = (&listing.entries[a].path, &listing.entries[b].path);
        crew.note(format!("{a} and {b} differ in case only: the archive cannot be expanded where case does not count"));
    }
    Ok(listing.entries)
}

/// Reads, fingerprints, opens, cleans, splits and groups `entries`.
pub(crate) fn load(entries: &[Entry], fidelity: Fidelity, seed: u64, crew: &mut Crew<'_>) -> Result<Dataset, Error> {
    let loaded = crew.map("reading", entries, |entry| item(entry, fidelity))?;
    let (mut items, identities): (Vec<Item>, Vec<Digest>) = loaded.into_iter().unzip();
    let fact = |(item, identity): (&Item, &Digest)| Fact {
        digest: *identity,
        state: match &item.state {
            ItemState::Image { statistics, .. } => State::Image(statistics.clone()),
            ItemState::General(reason) => State::General(reason.clone()),
            ItemState::Copy(_) => unreachable!("copies are found below"),
        },
    };
    let facts: Vec<Fact> = items.iter().zip(&identities).map(fact).collect();
    let report = clean::review(&facts);
    let mut summary = summarise(&items, &report);
    let mut groups: BTreeMap<Layout, Group> = BTreeMap::new();
    let mut is_copy = vec![false; items.len()];
    report.duplicates.iter().for_each(|&(copy, _)| is_copy[copy] = true);
    for (number, item) in items.iter().enumerate().filter(|(number, _)| !is_copy[*number]) {
        if let ItemState::Image { image, .. } = &item.state {
            let empty = || Group { layout: image.layout, items: vec![], learnable: vec![] };
            groups.entry(image.layout).or_insert_with(empty).items.push(number);
        }
    }
    for number in report.learnable(&facts) {
        if let State::Image(statistics) = &facts[number].state
            && let Some(group) = groups.get_mut(&statistics.layout)
            && let ItemState::Image { image, .. } = &items[number].state
        {
            // By samples, so that one picture in two containers falls into one part.
            group.learnable.push((number, deal(&of_image(image), seed)));
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in groups.iter_mut().filter(|group| group.learnable.len() < FEWEST_TO_SPLIT) {
        group.learnable.iter_mut().for_each(|(_, part)| *part = Part::Train);
    }
    summary.groups = groups.iter().map(|group| group_summary(group, &facts)).collect();
    for (copy, first) in report.duplicates {
        items[copy].state = ItemState::Copy(first);
    }
    Ok(Dataset { items, groups, summary })
}

/// One item, and what it is the same as another by.
fn item(entry: &Entry, fidelity: Fidelity) -> Result<(Item, Digest), Error> {
    let whole = if entry.bytes > PIECE_BYTES { may_be_image(&entry.file)? && entry.bytes <= MAX_OPEN_BYTES } else { true };
    let (bytes, file_digest, pieces, mut state) = if whole {
        let bytes = source::read(entry)?;
        let long = bytes.len() as u64 > PIECE_BYTES;
        let pieces = if long { bytes.chunks(PIECE_BYTES as usize).map(of_bytes).collect() } else { vec![] };
        let state = match open::open_named(&entry.path, &bytes, fidelity, &OpenLimits::default()) {
            Opened::Image { image, recipe } => ItemState::Image { statistics: statistics::of_image(&image), image, recipe },
            Opened::General { reason } => ItemState::General(reason),
        };
        (bytes.len() as u64, of_bytes(&bytes), pieces, state)
    } else {
        let pieces = piece_digests(&entry.file)?;
        let bytes = pieces.iter().map(|(bytes, _)| bytes).sum();
        let pieces: Vec<Digest> = pieces.into_iter().map(|(_, digest)| digest).collect();
        let digest = of_bytes(&pieces.iter().flat_map(|digest| digest.0).collect::<Vec<u8>>());
        let too_long = entry.bytes > MAX_OPEN_BYTES && may_be_image(&entry.file)?;
        let reason = if too_long { GeneralReason::Unsupported("images of more than 1 GiB are not opened".into()) } else { GeneralReason::NotAnImage };
        (bytes, digest, pieces, ItemState::General(reason))
    };
    let numbers = match &mut state {
        ItemState::General(reason) if *reason == GeneralReason::NotAnImage => numbers(entry, bytes, reason)?,
        _ => None,
    };
    let (digest, identity) = match &state {
        ItemState::Image { image, recipe, .. } if fidelity == Fidelity::Pixels => {
            let digest = of_image(image);
            (digest, of_bytes(&[&digest.0, &recipe[..]].concat()))
        }
        _ => (file_digest, file_digest),
    };
    Ok((Item { path: entry.path.clone(), file: entry.file.clone(), bytes, digest, file_digest, pieces, state, numbers }, identity))
}

/// Whether the first bytes are those of an image.
fn may_be_image(file: &Path) -> Result<bool, Error> {
    let mut head = Vec::new();
    let input = std::fs::File::open(file).map_err(Error::io("read", file))?;
    input.take(open::HEAD_BYTES as u64).read_to_end(&mut head).map_err(Error::io("read", file))?;
    Ok(open::may_be_image(&head))
}

/// The numbers of a file that is no image. What begins like a checkpoint and is none is told by `reason`.
fn numbers(entry: &Entry, bytes: u64, reason: &mut GeneralReason) -> Result<Option<Numbers>, Error> {
    let mut input = std::io::BufReader::new(std::fs::File::open(&entry.file).map_err(Error::io("read", &entry.file))?);
    match tensor::find(&mut input, bytes) {
        Ok(numbers) => Ok(numbers),
        Err(why) => {
            *reason = GeneralReason::Unreadable(why.to_string());
            Ok(None)
        }
    }
}

fn piece_digests(file: &Path) -> Result<Vec<(u64, Digest)>, Error> {
    let mut input = std::fs::File::open(file).map_err(Error::io("read", file))?;
    let mut pieces = Vec::new();
    loop {
        let mut piece = Vec::new();
        (&mut input).take(PIECE_BYTES).read_to_end(&mut piece).map_err(Error::io("read", file))?;
        if piece.is_empty() {
            return Ok(pieces);
        }
        pieces.push((piece.len() as u64, of_bytes(&piece)));
    }
}

fn summarise(items: &[Item], report: &clean::Report) -> PreprocessSummary {
    let mut summary = PreprocessSummary { files: items.len() as u64, ..PreprocessSummary::default() };
    let named = |number: usize, reason: String| NamedReason { path: items[number].path.clone(), reason };
    for item in items {
        summary.file_bytes += item.bytes;
        match &item.state {
            ItemState::Image { image, .. } => {
                summary.images += 1;
                summary.subpixels += image.subpixels();
                summary.sample_bytes += image.samples.len() as u64;
            }
            ItemState::General(reason) => {
                summary.general.push(NamedReason { path: item.path.clone(), reason: reason.to_string() });
                summary.general_but_pixels_would_learn += u64::from(reason.pixels_would_learn());
            }
            ItemState::Copy(_) => {}
        }
    }
    summary.duplicates = report.duplicates.iter().map(|&(copy, first)| named(copy, format!("a copy of {}", items[first].path))).collect();
    summary.outliers = report.outliers.iter().map(|outlier| named(outlier.index, outlier.to_string())).collect();
    summary.unreadable = report.unreadable.iter().map(|(number, reason)| named(*number, reason.clone())).collect();
    summary
}

fn group_summary(group: &Group, facts: &[Fact]) -> GroupSummary {
    let statistics = |number: usize| match &facts[number].state {
        State::Image(statistics) => Some(statistics),
        State::General(_) => None,
    };
    let dealt = |wanted: Part| group.learnable.iter().filter(move |(_, part)| *part == wanted);
    let scale = normalise::scale(group.layout, dealt(Part::Train).filter_map(|&(number, _)| statistics(number)));
    let subpixels = |number: &usize| statistics(*number).map_or(0, |statistics| statistics.pixels * group.layout.channels() as u64);
    GroupSummary {
        layout: group.layout.to_string(),
        images: group.items.len() as u64,
        subpixels: group.items.iter().map(subpixels).sum(),
        train: dealt(Part::Train).count() as u64,
        validation: dealt(Part::Validation).count() as u64,
        test: dealt(Part::Test).count() as u64,
        mean: scale.mean,
        deviation: scale.deviation,
    }
}
