//! Step 1: a folder as it is compressed: every file read, fingerprinted, opened, looked over and dealt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kolmo_codec::container::PIECE_BYTES;
use kolmo_codec::names::check_path;
use kolmo_data::clean::{self, Fact, State};
use kolmo_data::digest::{Digest, of_bytes};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::normalise;
use kolmo_data::open::{self, Fidelity, GeneralReason, OpenLimits, Opened};
use kolmo_data::source::{self, Entry};
use kolmo_data::split::{Part, deal};
use kolmo_data::tensor::{self, Numbers};

use crate::base::Twin;
use crate::error::Error;
use crate::learn::FEWEST_TO_SPLIT;
use crate::picture::{Picture, Room};
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
    /// Its tensors that have a twin in the base, in order.
    pub(crate) twins: Vec<Twin>,
}

/// What a file was found to be.
#[derive(Debug)]
pub(crate) enum ItemState {
    /// An image that can be rebuilt from samples and recipe.
    Image(Box<Picture>),
    /// Anything else, and why.
    General(GeneralReason),
    /// The same as the item of this number.
    Copy(usize),
}

impl Item {
    pub(crate) fn picture(&self) -> Option<&Picture> {
        match &self.state {
            ItemState::Image(picture) => Some(picture),
            _ => None,
        }
    }

    pub(crate) fn picture_mut(&mut self) -> Option<&mut Picture> {
        match &mut self.state {
            ItemState::Image(picture) => Some(picture),
            _ => None,
        }
    }
}

/// Images of one sample layout, copies left out, or those of one kind among them; numbers of items, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) layout: Layout,
    /// Number of the kind, from 1; 0 if all images of the layout are one.
    pub(crate) kind: u64,
    /// What learning it may spend of what learning one group may spend, at most 1.
    pub(crate) share: f64,
    /// What its images may take once a Program codes them, bytes; `None` before anything looked.
    pub(crate) looked_bytes: Option<u64>,
    /// Its images are of several kinds, which one Program codes nevertheless.
    pub(crate) mixed: bool,
    pub(crate) items: Vec<usize>,
    /// Those to learn from, with the part they were dealt.
    pub(crate) learnable: Vec<(usize, Part)>,
}

impl Group {
    /// Of all images of a layout, none yet.
    pub(crate) const fn new(layout: Layout) -> Self {
        Self { layout, kind: 0, share: 1.0, looked_bytes: None, mixed: false, items: vec![], learnable: vec![] }
    }

    /// `rgb8`, or `rgb8-2` for the second kind of its layout.
    pub(crate) fn name(&self) -> String {
        if self.kind == 0 { self.layout.to_string() } else { format!("{}-{}", self.layout, self.kind) }
    }
}

/// A dataset, ready to be learned and compressed.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) items: Vec<Item>,
    pub(crate) groups: Vec<Group>,
    pub(crate) summary: PreprocessSummary,
    fidelity: Fidelity,
}

impl Dataset {
    /// The image of an item that is one, read again if its samples were not kept.
    ///
    /// # Errors
    /// `Changed` if the file is another now.
    pub(crate) fn open(&self, number: usize) -> Result<Cow<'_, Image>, Error> {
        let item = &self.items[number];
        if let Some(image) = item.picture().and_then(|picture| picture.samples.as_ref()) {
            return Ok(Cow::Borrowed(image));
        }
        let changed = || Error::Changed { path: item.file.clone() };
        let bytes = std::fs::read(&item.file).map_err(Error::io("read", &item.file))?;
        if of_bytes(&bytes) != item.file_digest {
            return Err(changed());
        }
        match open::open_named(&item.path, &bytes, self.fidelity, &OpenLimits::default()) {
            Opened::Image { image, .. } => Ok(Cow::Owned(image)),
            Opened::General { .. } => Err(changed()),
        }
    }

    /// Pixels of an item that is an image; of others 0.
    pub(crate) fn pixels(&self, number: usize) -> u64 {
        self.items[number].picture().map_or(0, Picture::pixels)
    }

    /// What a group's images may take once a Program codes them: what a look said, else three fifths of the entropy of their MED residuals (measured: 0.52 of
    /// it on kodak8, 0.65 on cifar10, 0.71 on fashion_mnist).
    pub(crate) fn expected_bytes(&self, group: &Group) -> u64 {
        if let Some(bytes) = group.looked_bytes {
            return bytes;
        }
        let pictures = group.items.iter().filter_map(|&number| self.items[number].picture());
        let bits: f64 = pictures.map(|picture| picture.statistics.residual_bpsp * picture.subpixels() as f64).sum();
        (0.6 * bits / 8.0) as u64
    }

    /// The images of a group whose samples were kept, with the part each was dealt; `None` is left out of learning.
    pub(crate) fn dealt(&self, group: &Group) -> Vec<(&Image, Option<Part>)> {
        let part = |number: usize| group.learnable.binary_search_by_key(&number, |&(number, _)| number).ok().map(|at| group.learnable[at].1);
        let kept = |number: usize| self.items[number].picture().and_then(|picture| picture.samples.as_ref());
        group.items.iter().filter_map(|&number| Some((kept(number)?, part(number)))).collect()
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
///
/// At most `sample_bytes` of samples are kept to learn from; if there are more, a fair part of the images is.
pub(crate) fn load(entries: &[Entry], fidelity: Fidelity, seed: u64, sample_bytes: u64, crew: &mut Crew<'_>) -> Result<Dataset, Error> {
    let (mut items, mut identities, mut room) = (Vec::new(), Vec::new(), Room::new(sample_bytes));
    crew.each(
        "reading",
        entries,
        |entry| item(entry, fidelity),
        |(item, identity)| {
            items.push(item);
            identities.push(identity);
            room.admit(&mut items);
            Ok(())
        },
    )?;
    let pictures = items.iter().filter_map(Item::picture);
    let (all, kept) = pictures.fold((0, 0), |(all, kept), picture| (all + 1, kept + u64::from(picture.samples.is_some())));
    if kept < all {
        crew.note(format!(
            "{kept} of {all} images are learned from: the samples of more would take more memory than {sample_bytes} bytes (--max-memory)"
        ));
    }
    let fact = |(item, identity): (&Item, &Digest)| Fact {
        digest: *identity,
        state: match &item.state {
            ItemState::Image(picture) => State::Image(picture.statistics.clone()),
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
        if let Some(picture) = item.picture() {
            groups.entry(picture.layout).or_insert_with(|| Group::new(picture.layout)).items.push(number);
        }
    }
    for number in report.learnable(&facts) {
        if let State::Image(statistics) = &facts[number].state
            && let Some(group) = groups.get_mut(&statistics.layout)
            && let Some(picture) = items[number].picture().filter(|picture| picture.samples.is_some())
        {
            // By samples, so that one picture in two containers falls into one part.
            group.learnable.push((number, deal(&picture.digest, seed)));
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
    Ok(Dataset { items, groups, summary, fidelity })
}

/// One item, and what it is the same as another by.
fn item(entry: &Entry, fidelity: Fidelity) -> Result<(Item, Digest), Error> {
    let whole = if entry.bytes > PIECE_BYTES { may_be_image(&entry.file)? && entry.bytes <= MAX_OPEN_BYTES } else { true };
    let (bytes, file_digest, pieces, mut state) = if whole {
        let bytes = source::read(entry)?;
        let long = bytes.len() as u64 > PIECE_BYTES;
        let pieces = if long { bytes.chunks(PIECE_BYTES as usize).map(of_bytes).collect() } else { vec![] };
        let state = match open::open_named(&entry.path, &bytes, fidelity, &OpenLimits::default()) {
            Opened::Image { image, recipe } => ItemState::Image(Box::new(Picture::new(image, recipe))),
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
        ItemState::Image(picture) if fidelity == Fidelity::Pixels => (picture.digest, of_bytes(&[&picture.digest.0, &picture.recipe[..]].concat())),
        _ => (file_digest, file_digest),
    };
    Ok((Item { path: entry.path.clone(), file: entry.file.clone(), bytes, digest, file_digest, pieces, state, numbers, twins: vec![] }, identity))
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
            ItemState::Image(picture) => {
                summary.images += 1;
                summary.subpixels += picture.subpixels();
                summary.sample_bytes += picture.sample_bytes();
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An item that is this picture, of no file.
    pub(crate) fn item_of(picture: Picture) -> Item {
        let digest = picture.digest;
        let state = ItemState::Image(Box::new(picture));
        Item { path: String::new(), file: PathBuf::new(), bytes: 0, digest, file_digest: digest, pieces: vec![], state, numbers: None, twins: vec![] }
    }
}
