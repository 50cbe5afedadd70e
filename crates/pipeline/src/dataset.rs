//! Step 1: a folder as it is compressed: every file read, fingerprinted, opened, looked over and dealt.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use kolmo_codec::colour::Colour;
use kolmo_codec::container::RecipeBook;
use kolmo_data::clean::{self, Fact, State};
use kolmo_data::digest::{Digest, of_bytes};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::normalise;
use kolmo_data::open::{self, Fidelity, GeneralReason, OpenLimits, Opened};
use kolmo_data::split::{Part, deal};

use crate::error::Error;
use crate::files::Files;
use crate::item::{self, Found, Insides, Item, ItemState};
use crate::items::Items;
use crate::learn::FEWEST_TO_SPLIT;
use crate::options::CompressOptions;
use crate::origin::Origin;
use crate::picture::{Held, Picture, Room};
use crate::summary::{GroupSummary, NamedReason, PreprocessSummary};
use crate::work::Crew;

/// What an item takes of the memory at the peak, bytes, its samples and its path apart: lists of numbers while images are told apart and coded, and what
/// reading the archive back is charged for an item and each byte of its path. Measured between 500,000 and 1,000,000 pictures with paths of 12 bytes: 71 in all, 96 are counted.
const ITEM_BYTES: u64 = 72;
const PATH_BYTE: u64 = 2;

/// What a file takes, its path and the reason apart, that the summary names because it is no image.
const NAMED_BYTES: u64 = (size_of::<NamedReason>() + 32) as u64;

/// What samples leave to an item: what it once took, so that sets of which it takes no more than a quarter of the memory are learned from as ever. Of larger
/// sets a quarter it is, and no more pictures are held than take it: those of a few pixels take more than their samples.
const SPARED_BYTES: u64 = 700;

/// Subpixels of images that were converted from a colour space from which a Program of their own is worth it beside the others': some 100 kB once they are coded.
const LEAST_CONVERTED: u64 = 600_000;

/// Images of one sample layout, copies left out, or those of one kind among them; numbers of items, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) layout: Layout,
    /// The colour space that they were converted from.
    pub(crate) colour: Option<Colour>,
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
    pub(crate) const fn new(layout: Layout, colour: Option<Colour>) -> Self {
        Self { layout, colour, kind: 0, share: 1.0, looked_bytes: None, mixed: false, items: vec![], learnable: vec![] }
    }

    /// `rgb8`, or `rgb8-2` for the second kind of its layout; with the name of its colour space.
    pub(crate) fn name(&self) -> String {
        let colour = self.colour.map_or_else(String::new, |colour| format!("-{}", colour.name()));
        if self.kind == 0 { format!("{}{colour}", self.layout) } else { format!("{}{colour}-{}", self.layout, self.kind) }
    }
}

/// A dataset, ready to be learned and compressed.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) files: Files,
    /// One a file.
    pub(crate) items: Items,
    /// Those of all pictures.
    pub(crate) recipes: RecipeBook,
    pub(crate) groups: Vec<Group>,
    pub(crate) summary: PreprocessSummary,
    /// Samples that are in memory, by item.
    kept: HashMap<usize, Box<Held>>,
    fidelity: Fidelity,
    /// What reading an archive of it may hold at a time.
    pub(crate) memory_bytes: u64,
}

impl Dataset {
    /// The image of an item that is one, read again if its samples were not kept.
    ///
    /// # Errors
    /// `Changed` if the file is another now.
    pub(crate) fn open(&self, number: usize) -> Result<Cow<'_, Image>, Error> {
        if let Some(image) = self.image(number) {
            return Ok(Cow::Borrowed(image));
        }
        let path = self.path(number)?;
        let origin = self.files.origin_of(&path);
        let bytes = origin.read_all()?;
        let opened = if of_bytes(&bytes) != self.items.get(number)?.file_digest {
            None
        } else if let Some(frame) = origin.frame() {
            frame.open(&bytes).map(|(image, _)| image)
        } else {
            match open::open_named(&path, &bytes, self.fidelity, &OpenLimits::default()) {
                Opened::Image { image, .. } => Some(image),
                Opened::General { .. } => None,
            }
        };
        opened.map(Cow::Owned).ok_or(Error::Changed { path: origin.file })
    }

    /// The image of an item, if its samples are in memory.
    pub(crate) fn image(&self, number: usize) -> Option<&Image> {
        self.kept.get(&number).map(|held| &held.image)
    }

    /// Archive path of an item.
    pub(crate) fn path(&self, number: usize) -> Result<String, Error> {
        self.files.path(number)
    }

    /// What only few items have.
    pub(crate) fn insides(&self, number: usize) -> Option<&Insides> {
        self.items.insides(number)
    }

    /// Where the bytes of an item are.
    pub(crate) fn origin(&self, number: usize) -> Result<Origin, Error> {
        self.files.origin(number)
    }

    /// What is known of an item that is an image.
    pub(crate) fn picture(&self, number: usize) -> Result<Option<Picture>, Error> {
        Ok(self.items.get(number)?.picture().copied())
    }

    /// The same of all items `numbers` that are images.
    pub(crate) fn pictures<'a>(&'a self, numbers: &'a [usize]) -> impl Iterator<Item = Result<(usize, Picture), Error>> + 'a {
        numbers.iter().filter_map(|&number| Some(self.picture(number).transpose()?.map(|picture| (number, picture))))
    }

    /// Subpixels of all items `numbers` that are images.
    pub(crate) fn subpixels(&self, numbers: &[usize]) -> Result<u64, Error> {
        self.pictures(numbers).map(|picture| Ok(picture?.1.subpixels())).sum()
    }

    /// What archive and expansion of an item, no copy, are checked by: the file's digest, or the image's where only pixels count.
    pub(crate) fn digest(&self, number: usize) -> Result<Digest, Error> {
        let item = self.items.get(number)?;
        Ok(item.picture().filter(|_| self.fidelity == Fidelity::Pixels).map_or(item.file_digest, |picture| picture.digest))
    }

    /// The items that are no images and no copies.
    pub(crate) fn general(&self) -> Result<Vec<usize>, Error> {
        let mut general = Vec::new();
        for number in 0..self.items.len() {
            if matches!(self.items.get(number)?.state, ItemState::General | ItemState::Jpeg) {
                general.push(number);
            }
        }
        Ok(general)
    }

    /// The recipe of a picture.
    pub(crate) fn recipe(&self, picture: &Picture) -> &[u8] {
        self.recipes.get(picture.recipe).unwrap_or_default()
    }

    /// The recipes of items `numbers` that are images, in order of first use, and the number that each recipe of the dataset has there.
    pub(crate) fn recipes_of(&self, numbers: impl Iterator<Item = usize>) -> Result<(Cow<'_, RecipeBook>, Vec<Option<u32>>), Error> {
        let mut places = vec![None; self.recipes.len()];
        let mut order: Vec<u32> = Vec::new();
        for number in numbers {
            if let Some(picture) = self.picture(number)?
                && let Some(place @ None) = places.get_mut(picture.recipe as usize)
            {
                *place = Some(order.len() as u32);
                order.push(picture.recipe);
            }
        }
        if order.len() == self.recipes.len() && order.is_sorted() {
            return Ok((Cow::Borrowed(&self.recipes), places));
        }
        let mut book = RecipeBook::default();
        for recipe in order {
            book.intern(self.recipes.get(recipe).unwrap_or_default())?;
        }
        Ok((Cow::Owned(book), places))
    }

    /// Lets all go that is only needed until everything is coded: samples that were held to learn from, and groups.
    pub(crate) fn release(&mut self) {
        (self.kept, self.groups) = (HashMap::new(), vec![]);
    }

    /// Pixels of an item that is an image; of others 0.
    pub(crate) fn pixels(&self, number: usize) -> Result<u64, Error> {
        Ok(self.items.get(number)?.picture().map_or(0, Picture::pixels))
    }

    /// What a group's images may take once a Program codes them: what a look said, else three fifths of the entropy of their MED residuals (measured: 0.52 of
    /// it on kodak8, 0.65 on cifar10, 0.71 on fashion_mnist).
    pub(crate) fn expected_bytes(&self, group: &Group) -> Result<u64, Error> {
        if let Some(bytes) = group.looked_bytes {
            return Ok(bytes);
        }
        let (mut bits, mut pixels) = (0.0, 0);
        for picture in self.pictures(&group.items) {
            let (_, picture) = picture?;
            bits += picture.residual_bpsp * picture.subpixels() as f64;
            pixels += picture.pixels();
        }
        let saved = group.colour.map_or(0.0, |colour| colour.millibits_saved() as f64 / 1000.0 * pixels as f64);
        Ok(((0.6 * bits - saved).max(0.2 * bits) / 8.0) as u64)
    }

    /// The images of a group whose samples were kept, with the part each was dealt; `None` is left out of learning.
    pub(crate) fn dealt(&self, group: &Group) -> Vec<(&Image, Option<Part>)> {
        let part = |number: usize| group.learnable.binary_search_by_key(&number, |&(number, _)| number).ok().map(|at| group.learnable[at].1);
        group.items.iter().filter_map(|&number| Some((self.image(number)?, part(number)))).collect()
    }

    /// Those of `numbers`, ascending, whose samples are in memory, dealt by `seed`; all are learned from if they are few.
    pub(crate) fn deal(&self, numbers: impl Iterator<Item = usize>, seed: u64) -> Result<Vec<(usize, Part)>, Error> {
        let mut dealt = Vec::new();
        for number in numbers.filter(|&number| self.image(number).is_some()) {
            if let Some(picture) = self.picture(number)? {
                // By samples, so that one picture in two containers falls into one part.
                dealt.push((number, deal(&picture.digest, seed)));
            }
        }
        if dealt.len() < FEWEST_TO_SPLIT {
            dealt.iter_mut().for_each(|(_, part)| *part = Part::Train);
        }
        Ok(dealt)
    }

    /// What an item is the same as another by, and what is to be learned from it. Parts of files are copies of parts only.
    fn fact(&self, number: usize) -> Result<Fact, Error> {
        let item = self.items.get(number)?;
        let (mut digest, state) = match item.picture() {
            Some(picture) => {
                let of_pixels = || of_bytes(&[&picture.digest.0, self.recipe(picture)].concat());
                let digest = if self.fidelity == Fidelity::Pixels { of_pixels() } else { item.file_digest };
                (digest, State::Image(picture.outline()))
            }
            None => (item.file_digest, State::General),
        };
        if self.files.is_part(number) {
            digest = of_bytes(&[&digest.0, &b"part"[..]].concat());
        }
        Ok(Fact { digest, state })
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

    /// Bytes of samples that may be held beside what is `spared` for all that is known: coding and training have half of the memory, and learning makes planes
    /// of all samples.
    fn room(&self, spared: u64) -> u64 {
        let spared = spared.min(self.memory_bytes / 4);
        self.sample_bytes.min((self.memory_bytes / 2).saturating_sub(spared) / 2)
    }
}

/// Reads, fingerprints, opens, cleans, splits and groups `files`.
///
/// Samples are kept to learn from while there is room beside all that is known of the files; if there are more, a fair part of the images is.
pub(crate) fn load(files: Files, how: &Loading, crew: &mut Crew<'_>) -> Result<Dataset, Error> {
    let count = files.len();
    let known = (count as u64).saturating_mul(ITEM_BYTES).saturating_add(files.path_bytes().saturating_mul(PATH_BYTE));
    how.check(count, known)?;
    let spared = (count as u64).saturating_mul(SPARED_BYTES).saturating_add(files.path_bytes());
    let (mut items, mut recipes, mut summary) = (Items::new(files.aside()), RecipeBook::default(), Summary::default());
    let mut room = Room::new(how.room(spared), (how.memory_bytes / 4 / SPARED_BYTES) as usize);
    crew.each_of(
        "reading",
        0..count,
        |number| {
            let path = files.path(number)?;
            let found = item::read(&files.origin_of(&path), &path, files.size(number)?, how.fidelity)?;
            Ok((path, found))
        },
        |(path, Found { mut item, insides, image, reason })| {
            let number = items.len();
            let room_bytes = |recipes: &RecipeBook| how.room(spared.saturating_add(recipes.held_bytes()));
            match (&mut item.state, image) {
                (ItemState::Image(picture), Some((held, recipe))) => {
                    picture.recipe = recipes.intern(&recipe)?;
                    room.admit(number, &picture.digest, held, room_bytes(&recipes));
                }
                _ => room.limit(room_bytes(&recipes)),
            }
            summary.add(number, path, &item, reason);
            items.push(&item, insides)?;
            let few = summary.held_bytes.saturating_add(items.insides_bytes()).saturating_add(recipes.held_bytes());
            how.check(count, known.saturating_add(few))
        },
    )?;
    files.check_lengths()?;
    let (room_bytes, kept) = (room.bytes(), room.kept());
    let all = summary.told.images;
    if (kept.len() as u64) < all {
        let kept = kept.len();
        crew.note(format!(
            "{kept} of {all} images are learned from: the samples of more would take more memory than {room_bytes} bytes (--max-memory)"
        ));
    }
    let mut dataset = Dataset {
        files,
        items,
        recipes,
        groups: vec![],
        summary: PreprocessSummary::default(),
        kept,
        fidelity: how.fidelity,
        memory_bytes: how.memory_bytes,
    };
    let report = clean::review(count, |number| dataset.fact(number))?;
    dataset.summary = summary.whole(&dataset.files, &report)?;
    for &(copy, first) in &report.duplicates {
        let item = dataset.items.get(copy)?;
        dataset.items.set(copy, &Item { state: ItemState::Copy(first), ..item })?;
    }
    let mut groups: BTreeMap<(Layout, Option<Colour>), (Group, u64)> = BTreeMap::new();
    for number in 0..count {
        if let Some(Picture { layout, colour, .. }) = dataset.picture(number)? {
            let (group, subpixels) = groups.entry((layout, colour)).or_insert_with(|| (Group::new(layout, colour), 0));
            group.items.push(number);
            *subpixels += dataset.pixels(number)? * layout.channels() as u64;
        }
    }
    let groups = joined(groups);
    let left_out = report.left_out();
    drop(report);
    for (mut group, subpixels) in groups {
        let learnable = group.items.iter().copied().filter(|number| left_out.binary_search(number).is_err());
        group.learnable = dataset.deal(learnable, how.seed)?;
        if let Some(colour) = group.colour {
            let (images, layout, name) = (group.items.len(), group.layout, colour.name());
            let were = if images == 1 { "image was" } else { "images were" };
            crew.note(format!("{images} {layout} {were} converted from {name}: luma and chroma are learned and coded"));
        }
        let about = group_summary(&dataset, &group, subpixels);
        dataset.summary.groups.push(about);
        dataset.groups.push(group);
    }
    Ok(dataset)
}

/// Groups and their subpixels; what was converted from a colour space, but is too little for a Program of its own, is among the other images of its layout.
fn joined(mut groups: BTreeMap<(Layout, Option<Colour>), (Group, u64)>) -> Vec<(Group, u64)> {
    let small: Vec<_> =
        groups.iter().filter(|((_, colour), (_, subpixels))| colour.is_some() && *subpixels < LEAST_CONVERTED).map(|(key, _)| *key).collect();
    for key in small {
        if groups.contains_key(&(key.0, None))
            && let Some((few, more)) = groups.remove(&key)
            && let Some((group, subpixels)) = groups.get_mut(&(key.0, None))
        {
            group.items.extend(few.items);
            group.items.sort_unstable();
            *subpixels += more;
        }
    }
    groups.into_values().collect()
}

/// What is told of a dataset while its files are read.
#[derive(Default)]
struct Summary {
    told: PreprocessSummary,
    /// Files that cannot be read, as they may turn out to be copies, and why.
    unreadable: Vec<(usize, NamedReason)>,
    /// What all names take.
    held_bytes: u64,
}

impl Summary {
    fn add(&mut self, number: usize, path: String, item: &Item, reason: Option<GeneralReason>) {
        let told = &mut self.told;
        told.file_bytes += item.bytes;
        told.jpegs += u64::from(item.state == ItemState::Jpeg);
        if let Some(picture) = item.picture() {
            told.images += 1;
            told.subpixels += picture.subpixels();
            told.sample_bytes += picture.sample_bytes();
        }
        if let Some(reason) = reason {
            told.general_but_pixels_would_learn += u64::from(reason.pixels_would_learn());
            let named = NamedReason { path, reason: reason.to_string() };
            self.held_bytes += NAMED_BYTES + (named.path.len() + named.reason.len()) as u64;
            if matches!(reason, GeneralReason::Unreadable(_) | GeneralReason::TooLarge { .. }) {
                self.unreadable.push((number, named.clone()));
            }
            told.general.push(named);
        }
    }

    fn whole(self, files: &Files, report: &clean::Report) -> Result<PreprocessSummary, Error> {
        let Self { mut told, mut unreadable, .. } = self;
        told.files = files.whole_count() as u64;
        let named = |number: usize, reason: String| Ok::<_, Error>(NamedReason { path: files.path(number)?, reason });
        let copy = |&(copy, first): &(usize, usize)| named(copy, format!("a copy of {}", files.path(first)?));
        told.duplicates = report.duplicates.iter().map(copy).collect::<Result<_, _>>()?;
        told.outliers = report.outliers.iter().map(|outlier| named(outlier.index, outlier.to_string())).collect::<Result<_, _>>()?;
        unreadable.retain(|(number, _)| report.duplicates.binary_search_by_key(number, |&(copy, _)| copy).is_err());
        told.unreadable = unreadable.into_iter().map(|(_, named)| named).collect();
        Ok(told)
    }
}

fn group_summary(dataset: &Dataset, group: &Group, subpixels: u64) -> GroupSummary {
    let dealt = |wanted: Part| group.learnable.iter().filter(move |(_, part)| *part == wanted);
    // Whatever is learned from has its samples, and its sums, in memory.
    let sums = |&(number, _): &(usize, Part)| dataset.kept.get(&number).map(|held| &held.statistics);
    let scale = normalise::scale(group.layout, dealt(Part::Train).filter_map(sums));
    GroupSummary {
        layout: group.layout.to_string(),
        images: group.items.len() as u64,
        subpixels,
        train: dealt(Part::Train).count() as u64,
        validation: dealt(Part::Validation).count() as u64,
        test: dealt(Part::Test).count() as u64,
        mean: scale.mean,
        deviation: scale.deviation,
    }
}
