//! Step 1: a folder as it is compressed: every file read, fingerprinted, opened, looked over and dealt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use kolmo_codec::container::RecipeBook;
use kolmo_data::clean::{self, Fact};
use kolmo_data::digest::{Digest, of_bytes};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::normalise;
use kolmo_data::open::{self, Fidelity, OpenLimits, Opened};
use kolmo_data::split::{Part, deal};

use crate::error::Error;
use crate::files::{Files, Listed};
use crate::item::{self, Found, Item, ItemState};
use crate::learn::FEWEST_TO_SPLIT;
use crate::options::CompressOptions;
use crate::picture::{Picture, Room};
use crate::summary::{GroupSummary, NamedReason, PreprocessSummary};
use crate::work::Crew;

/// What an item takes of the memory at the peak, bytes, its path and its samples apart. Measured between 20,000 and 60,000 pictures of 16x16 with paths of
/// 9 bytes: 660.
const ITEM_BYTES: u64 = 700;

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
    pub(crate) files: Files,
    /// One a file.
    pub(crate) items: Vec<Item>,
    /// Those of all pictures.
    pub(crate) recipes: RecipeBook,
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
        if let Some(image) = item.picture().and_then(Picture::image) {
            return Ok(Cow::Borrowed(image));
        }
        let file = self.file(number);
        let bytes = std::fs::read(&file).map_err(Error::io("read", &file))?;
        if of_bytes(&bytes) != item.file_digest {
            return Err(Error::Changed { path: file });
        }
        match open::open_named(self.path(number), &bytes, self.fidelity, &OpenLimits::default()) {
            Opened::Image { image, .. } => Ok(Cow::Owned(image)),
            Opened::General { .. } => Err(Error::Changed { path: file }),
        }
    }

    /// Archive path of an item.
    pub(crate) fn path(&self, number: usize) -> &str {
        self.files.path(number)
    }

    /// Where the file of an item is.
    pub(crate) fn file(&self, number: usize) -> PathBuf {
        self.files.file(number)
    }

    /// What archive and expansion of an item, no copy, are checked by: the file's digest, or the image's where only pixels count.
    pub(crate) fn digest(&self, number: usize) -> &Digest {
        let item = &self.items[number];
        item.picture().filter(|_| self.fidelity == Fidelity::Pixels).map_or(&item.file_digest, |picture| &picture.digest)
    }

    /// The recipe of a picture.
    pub(crate) fn recipe(&self, picture: &Picture) -> &[u8] {
        self.recipes.get(picture.recipe).unwrap_or_default()
    }

    /// Lets all samples go that were held to learn from.
    pub(crate) fn release(&mut self) {
        self.items.iter_mut().filter_map(Item::picture_mut).for_each(Picture::release);
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
        let bits: f64 = pictures.map(|picture| picture.residual_bpsp * picture.subpixels() as f64).sum();
        (0.6 * bits / 8.0) as u64
    }

    /// The images of a group whose samples were kept, with the part each was dealt; `None` is left out of learning.
    pub(crate) fn dealt(&self, group: &Group) -> Vec<(&Image, Option<Part>)> {
        let part = |number: usize| group.learnable.binary_search_by_key(&number, |&(number, _)| number).ok().map(|at| group.learnable[at].1);
        let kept = |number: usize| self.items[number].picture().and_then(Picture::image);
        group.items.iter().filter_map(|&number| Some((kept(number)?, part(number)))).collect()
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loading {
    pub(crate) fidelity: Fidelity,
    /// By which images are dealt.
    pub(crate) seed: u64,
    /// Bytes of samples that are held to learn from, at most.
    pub(crate) sample_bytes: u64,
    /// Bytes that all may take.
    pub(crate) memory_bytes: u64,
}

impl Loading {
    pub(crate) fn new(options: &CompressOptions) -> Self {
        Self {
            fidelity: options.fidelity,
            seed: options.learn.as_ref().map_or(0, |learn| learn.seed),
            sample_bytes: options.sample_bytes,
            memory_bytes: options.limits.memory_bytes,
        }
    }

    /// Whether what is known of all `files` leaves a quarter of the memory to work with.
    fn check(&self, files: usize, known: u64) -> Result<(), Error> {
        if known <= self.memory_bytes / 4 * 3 {
            return Ok(());
        }
        let (mebibytes, enough) = (known.div_ceil(1 << 20), ((known / 3 * 4) >> 20) + 1);
        let what = format!(
            "what has to be known of {files} files takes {mebibytes} MiB, too much of --max-memory; give --max-memory {enough}MiB, or compress parts of the folder into archives of their own"
        );
        Err(Error::InvalidArgument { what })
    }

    /// Bytes of samples that may be held beside `known` bytes: coding and training have half of the memory, and learning makes planes of all samples.
    fn room(&self, known: u64) -> u64 {
        self.sample_bytes.min((self.memory_bytes / 2).saturating_sub(known) / 2)
    }
}

/// Reads, fingerprints, opens, cleans, splits and groups the files that were `listed`.
///
/// Samples are kept to learn from while there is room beside all that is known of the files; if there are more, a fair part of the images is.
pub(crate) fn load(listed: Listed, how: &Loading, crew: &mut Crew<'_>) -> Result<Dataset, Error> {
    let Listed { files, sizes } = listed;
    let known = (files.len() as u64).saturating_mul(ITEM_BYTES).saturating_add(files.path_bytes());
    how.check(files.len(), known)?;
    let (mut items, mut facts, mut recipes) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()), RecipeBook::default());
    let mut room = Room::new(how.room(known));
    let numbers: Vec<usize> = (0..files.len()).collect();
    crew.each(
        "reading",
        &numbers,
        |&number| item::read(&files.file(number), files.path(number), sizes[number], how.fidelity),
        |Found { mut item, recipe, fact }| {
            if let Some(picture) = item.picture_mut() {
                picture.recipe = recipes.intern(&recipe)?;
            }
            items.push(item);
            facts.push(fact);
            room.admit(&mut items, how.room(known.saturating_add(recipes.held_bytes())));
            Ok(())
        },
    )?;
    drop((numbers, sizes));
    let pictures = items.iter().filter_map(Item::picture);
    let (all, kept) = pictures.fold((0, 0), |(all, kept), picture| (all + 1, kept + u64::from(picture.image().is_some())));
    if kept < all {
        let bytes = room.bytes();
        crew.note(format!("{kept} of {all} images are learned from: the samples of more would take more memory than {bytes} bytes (--max-memory)"));
    }
    let report = clean::review(&facts);
    let mut summary = summarise(&files, &items, &report);
    let mut groups: BTreeMap<Layout, Group> = BTreeMap::new();
    let mut is_copy = vec![false; items.len()];
    report.duplicates.iter().for_each(|&(copy, _)| is_copy[copy] = true);
    for (number, item) in items.iter().enumerate().filter(|(number, _)| !is_copy[*number]) {
        if let Some(picture) = item.picture() {
            groups.entry(picture.layout).or_insert_with(|| Group::new(picture.layout)).items.push(number);
        }
    }
    for number in report.learnable(&facts) {
        if let Some(picture) = items[number].picture().filter(|picture| picture.image().is_some())
            && let Some(group) = groups.get_mut(&picture.layout)
        {
            // By samples, so that one picture in two containers falls into one part.
            group.learnable.push((number, deal(&picture.digest, how.seed)));
        }
    }
    drop::<Vec<Fact>>(facts);
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in groups.iter_mut().filter(|group| group.learnable.len() < FEWEST_TO_SPLIT) {
        group.learnable.iter_mut().for_each(|(_, part)| *part = Part::Train);
    }
    summary.groups = groups.iter().map(|group| group_summary(group, &items)).collect();
    for (copy, first) in report.duplicates {
        items[copy].state = ItemState::Copy(first);
    }
    Ok(Dataset { files, items, recipes, groups, summary, fidelity: how.fidelity })
}

fn summarise(files: &Files, items: &[Item], report: &clean::Report) -> PreprocessSummary {
    let mut summary = PreprocessSummary { files: items.len() as u64, ..PreprocessSummary::default() };
    let named = |number: usize, reason: String| NamedReason { path: files.path(number).to_owned(), reason };
    for (number, item) in items.iter().enumerate() {
        summary.file_bytes += item.bytes;
        match &item.state {
            ItemState::Image(picture) => {
                summary.images += 1;
                summary.subpixels += picture.subpixels();
                summary.sample_bytes += picture.sample_bytes();
            }
            ItemState::General(reason) => {
                summary.general.push(named(number, reason.to_string()));
                summary.general_but_pixels_would_learn += u64::from(reason.pixels_would_learn());
            }
            ItemState::Copy(_) => {}
        }
    }
    summary.duplicates = report.duplicates.iter().map(|&(copy, first)| named(copy, format!("a copy of {}", files.path(first)))).collect();
    summary.outliers = report.outliers.iter().map(|outlier| named(outlier.index, outlier.to_string())).collect();
    summary.unreadable = report.unreadable.iter().map(|(number, reason)| named(*number, reason.clone())).collect();
    summary
}

fn group_summary(group: &Group, items: &[Item]) -> GroupSummary {
    let picture = |number: usize| items[number].picture();
    let dealt = |wanted: Part| group.learnable.iter().filter(move |(_, part)| *part == wanted);
    // Whatever is learned from has its samples, and its sums, in memory.
    let scale = normalise::scale(group.layout, dealt(Part::Train).filter_map(|&(number, _)| picture(number)?.statistics()));
    GroupSummary {
        layout: group.layout.to_string(),
        images: group.items.len() as u64,
        subpixels: group.items.iter().filter_map(|&number| picture(number)).map(Picture::subpixels).sum(),
        train: dealt(Part::Train).count() as u64,
        validation: dealt(Part::Validation).count() as u64,
        test: dealt(Part::Test).count() as u64,
        mean: scale.mean,
        deviation: scale.deviation,
    }
}
