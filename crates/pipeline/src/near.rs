//! Near-duplicates: images that resemble an earlier one, and blocks in which they are coded given it.

mod pair;
mod sketch;

use std::borrow::Cow;
use std::collections::BTreeMap;

use kolmo_codec::block::{MOST_WAVES, Reference, TURNS};
use kolmo_data::layout::Image;
use rayon::prelude::*;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::Picture;
use crate::work::Crew;
use pair::Pair;
use sketch::Sketches;

/// Images before an image by path, and on either side of it by brightness, that it may resemble.
const BEFORE: usize = 8;
const BESIDE: usize = 4;
/// Those of them, most alike by their sketches, that are looked at closely.
const CLOSELY: usize = 2;
/// Samples from which the image just before is looked at, whatever the sketches say: this takes 10 microseconds.
const LEAST_SAMPLES: u64 = 1 << 15;

/// Bits a sample that a reference has to promise. Promises are about twice what is kept of them.
const LEAST_SAVED: f64 = 0.2;
/// Share of a group's bits that references have to promise, so that anything is tried.
const LEAST_SHARE: f64 = 0.03;
/// Images that are looked at first: unless they promise half of that, no others are. Small images that all look alike, as clothes do, would take too long.
const PROBES: usize = 32;
/// Bits a sample takes, of the entropy of its simple residual: see [`Dataset::expected_bytes`].
const OF_SIMPLE: f64 = 0.6;

/// Pixels of a block of near-duplicates: room for some of them, within bounds.
const BLOCK_PIXELS: u64 = 1 << 20;
const MOST_BLOCK_PIXELS: u64 = 1 << 22;
const BLOCK_IMAGES: u64 = 4;

/// Images that are looked at between two looks at whether to go on.
const AT_ONCE: usize = 1 << 12;

/// Images that are coded together, ascending, and what each refers to: numbers are those of the run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) numbers: Vec<usize>,
    pub(crate) references: Vec<Option<Reference>>,
}

/// An image's reference, `image` being a number of an item, and the bits it may save.
type Link = (Reference, f64);

/// The links of images, by item.
type Links = BTreeMap<usize, Link>;

/// Runs of images that resemble each other, if there are enough to be worth a trial. Images that resemble none are in no run.
pub(crate) fn runs(dataset: &Dataset, numbers: &[usize], crew: &mut Crew<'_>) -> Result<Vec<Run>, Error> {
    // Of fewer bits there is little to differ in; deeper ones are coded directly.
    let Some(&first) = numbers.first().filter(|_| numbers.len() >= 2) else { return Ok(vec![]) };
    // All are of one layout.
    if dataset.picture(first)?.is_none_or(|picture| picture.layout.bit_depth != 8) {
        return Ok(vec![]);
    }
    // By numbers, not by whose samples are at hand: what is in memory changes no byte.
    let shapes = shapes(dataset, numbers)?;
    let is_probe = |at: usize| at.is_multiple_of(numbers.len().div_ceil(PROBES));
    let (probes, links) = links(dataset, &shapes, is_probe, crew)?;
    if promise(dataset, &probes, &links)? < LEAST_SHARE / 2.0 {
        return Ok(vec![]);
    }
    let (_, links) = self::links(dataset, &shapes, |_| true, crew)?;
    if promise(dataset, numbers, &links)? < LEAST_SHARE {
        return Ok(vec![]);
    }
    packed(dataset, &links)
}

/// Share of their bits that images may save.
fn promise(dataset: &Dataset, numbers: &[usize], links: &Links) -> Result<f64, Error> {
    let all = expected_bits(dataset, numbers)?;
    let saved = |(number, picture): (usize, Picture)| {
        links.get(&number).map_or(0.0, |(_, saved)| (saved * picture.subpixels() as f64).min(expected(&picture)))
    };
    let saved = dataset.pictures(numbers).map(|picture| picture.map(saved)).sum::<Result<f64, Error>>()?;
    Ok(saved / all.max(1.0))
}

/// Bits that images may take without references.
pub(crate) fn expected_bits(dataset: &Dataset, numbers: &[usize]) -> Result<f64, Error> {
    dataset.pictures(numbers).map(|picture| Ok(expected(&picture?.1))).sum()
}

fn expected(picture: &Picture) -> f64 {
    OF_SIMPLE * picture.residual_bpsp * picture.subpixels() as f64
}

/// Images of one shape, in order: numbers, and how bright they are.
type Shape = Vec<(u32, u32)>;

/// All images by height and width.
fn shapes(dataset: &Dataset, numbers: &[usize]) -> Result<BTreeMap<(u32, u32), Shape>, Error> {
    let mut shapes: BTreeMap<(u32, u32), Shape> = BTreeMap::new();
    for picture in dataset.pictures(numbers) {
        let (number, picture) = picture?;
        let level = 16 * picture.sum / picture.subpixels().max(1);
        shapes.entry((picture.height, picture.width)).or_default().push((number as u32, level as u32));
    }
    Ok(shapes)
}

/// The images that are `wanted`, counted through all shapes, and for each of them the earlier image that promises most, if any promises enough.
fn links(
    dataset: &Dataset,
    shapes: &BTreeMap<(u32, u32), Shape>,
    wanted: impl Fn(usize) -> bool,
    crew: &Crew<'_>,
) -> Result<(Vec<usize>, Links), Error> {
    let (mut looked, mut links, mut counted) = (Vec::new(), Links::new(), 0);
    for (&(height, width), images) in shapes {
        crew.check()?;
        let turns = if height == width { TURNS } else { TURNS / 2 };
        let mut by_level: Vec<u32> = (0..images.len() as u32).collect();
        by_level.sort_unstable_by_key(|&at| (images[at as usize].1, at));
        let mut rank = vec![0u32; images.len()];
        by_level.iter().zip(0..).for_each(|(&at, place)| rank[at as usize] = place);
        // Those that an image may resemble.
        let others = |at: usize| -> Vec<usize> {
            let rank = rank[at] as usize;
            let beside = by_level[rank.saturating_sub(BESIDE)..(rank + BESIDE + 1).min(images.len())].iter().map(|&other| other as usize);
            (at.saturating_sub(BEFORE)..at).chain(beside.filter(|&other| other < at)).collect()
        };
        let some: Vec<usize> = (0..images.len()).filter(|at| wanted(counted + at)).collect();
        let seen = if some.len() == images.len() {
            None
        } else {
            let mut seen: Vec<usize> = some.iter().flat_map(|&at| others(at).into_iter().chain([at])).collect();
            seen.sort_unstable();
            seen.dedup();
            Some(seen)
        };
        let sketches = Sketches::of(dataset, images, seen, crew)?;
        for some in some.chunks(AT_ONCE) {
            crew.check()?;
            let one = |&at: &usize| best_link(dataset, images, &sketches, at, &others(at), turns);
            let found = crew.pool.install(|| some.par_iter().map(one).collect::<Result<Vec<_>, _>>())?;
            looked.extend(some.iter().map(|&at| images[at].0 as usize));
            links.extend(some.iter().zip(found).filter_map(|(&at, link)| Some((images[at].0 as usize, link?))));
        }
        counted += images.len();
    }
    Ok((looked, links))
}

/// The best link of image `at` to one of `others` before it.
fn best_link(dataset: &Dataset, images: &Shape, sketches: &Sketches, at: usize, others: &[usize], turns: u8) -> Result<Option<Link>, Error> {
    let number = images[at].0 as usize;
    let Some(sketch) = sketches.get(at)? else { return Ok(None) };
    let turned = sketch.turned(turns);
    let mut near: Vec<(u32, usize, u8)> = Vec::new();
    for &other in others {
        let Some(sketch) = sketches.get(other)? else { continue };
        near.extend(turned.iter().filter_map(|&(turn, ref cells)| Some((sketch.distance(cells)?, other, turn))));
    }
    near.sort_unstable_by_key(|&(distance, other, turn)| (distance, at - other, turn));
    near.dedup_by_key(|&mut (_, other, turn)| (other, turn));
    near.truncate(CLOSELY);
    let samples = dataset.subpixels(&[number])?;
    let before = at.checked_sub(1).filter(|&before| samples >= LEAST_SAMPLES && !near.iter().any(|&(_, other, turn)| (other, turn) == (before, 0)));
    if near.is_empty() && before.is_none() {
        return Ok(None);
    }
    let image: Cow<'_, Image> = dataset.open(number)?;
    let mut best: Option<Link> = None;
    let mut look = |other: usize, turn: u8, only_alike: bool| -> Result<(), Error> {
        let number = images[other].0 as usize;
        let earlier = dataset.open(number)?;
        let Some(pair) = Pair::new(&image, &earlier, turn).filter(|pair| !only_alike || pair.alike()) else { return Ok(()) };
        let link = pair.reference(number);
        if link.1 >= LEAST_SAVED && best.is_none_or(|(_, saved)| link.1 > saved) {
            best = Some(link);
        }
        Ok(())
    };
    for (_, other, turn) in near {
        look(other, turn, false)?;
    }
    if let Some(before) = before {
        look(before, 0, true)?;
    }
    Ok(best)
}

/// Images that hang together, in runs of at most a block.
fn packed(dataset: &Dataset, links: &Links) -> Result<Vec<Run>, Error> {
    // The first image of what each hangs together with.
    let mut roots: BTreeMap<usize, usize> = BTreeMap::new();
    for (&number, (reference, _)) in links {
        let root = *roots.entry(reference.image).or_insert(reference.image);
        roots.insert(number, root);
    }
    let mut trees: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&number, &root) in &roots {
        trees.entry(root).or_default().push(number);
    }
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut filled = u64::MAX;
    for tree in trees.into_values() {
        let sizes = tree.iter().map(|&number| dataset.pixels(number)).collect::<Result<Vec<u64>, Error>>()?;
        let largest = sizes.iter().copied().max().unwrap_or(0);
        let most = (BLOCK_IMAGES * largest).clamp(BLOCK_PIXELS, MOST_BLOCK_PIXELS);
        let all: u64 = sizes.iter().sum();
        match runs.last_mut() {
            Some(run) if filled.saturating_add(all) <= BLOCK_PIXELS => {
                run.extend(tree);
                filled += all;
            }
            _ => {
                let parts = crate::coding::packed(&tree, |number| dataset.pixels(number), most)?;
                let last = parts.last().map_or(&[][..], Vec::as_slice);
                filled = last.iter().map(|&number| dataset.pixels(number)).sum::<Result<u64, Error>>()?;
                runs.extend(parts);
            }
        }
    }
    runs.into_iter().map(|run| referred(dataset, run, links)).collect()
}

/// A run with its references. Where an image's own is in another run, the nearest one before it in this run of the same shape may do.
fn referred(dataset: &Dataset, mut numbers: Vec<usize>, links: &Links) -> Result<Run, Error> {
    numbers.sort_unstable();
    let mut references: Vec<Option<Reference>> = Vec::with_capacity(numbers.len());
    let mut depths: Vec<usize> = Vec::with_capacity(numbers.len());
    for (at, &number) in numbers.iter().enumerate() {
        let place = |item: usize| numbers[..at].binary_search(&item).ok();
        let link = links.get(&number).map(|&(reference, _)| reference);
        let mut found = link.and_then(|reference| Some(Reference { image: place(reference.image)?, ..reference }));
        if let (Some(_), None, Some(before)) = (link, found, at.checked_sub(1)) {
            let (image, earlier) = (dataset.open(number)?, dataset.open(numbers[before])?);
            if (image.width, image.height) == (earlier.width, earlier.height)
                && let Some((reference, saved)) = Pair::new(&image, &earlier, 0).map(|pair| pair.reference(before))
                && saved >= LEAST_SAVED
            {
                found = Some(reference);
            }
        }
        let depth = found.map_or(0, |reference| depths[reference.image] + 1);
        let found = found.filter(|_| depth < MOST_WAVES);
        depths.push(if found.is_some() { depth } else { 0 });
        references.push(found);
    }
    Ok(Run { numbers, references })
}
