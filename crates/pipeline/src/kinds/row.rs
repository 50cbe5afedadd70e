//! Images in a row, and where to cut it.

use std::collections::{HashMap, HashSet};

use kolmo_data::kinds::{Counts, Cuts, cheapest_cuts};
use kolmo_data::layout::Layout;
use rayon::prelude::*;

use super::{LEAST_BYTES, MOST_KINDS};
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::learn;
use crate::options::LearnOptions;
use crate::picture::Picture;
use crate::rating::{Rating, middle};
use crate::work::Crew;

/// Cuts lie between these parts of a row, about equal in samples.
const BUCKETS: usize = 32;
/// Side of the piece by which an image finds its kind.
const SIDE: usize = 128;
/// Images of which all orders are tried at once; of more, one after the other, as each takes memory.
const SIDE_BY_SIDE: usize = 1 << 17;
/// How often it does.
const ROUNDS: usize = 3;
/// Coded bytes of a Program for each multiply-accumulate a pixel: 0.85 to 0.97.
const PROGRAM_BYTES: f64 = 0.9;

/// What images are ordered by, and the words for it.
type Order = (&'static str, fn(usize, &Picture) -> f64);

/// What is known of every image at once.
const ORDERS: [Order; 5] = [
    ("path", |number, _| number as f64),
    ("size", |_, picture| picture.pixels() as f64),
    ("how hard they are to predict", |_, picture| picture.residual_bpsp),
    ("mean", |_, picture| mean(picture)),
    ("contrast", |_, picture| contrast(picture)),
];

fn mean(picture: &Picture) -> f64 {
    picture.sum as f64 / picture.subpixels().max(1) as f64
}

fn contrast(picture: &Picture) -> f64 {
    let squares = picture.sum_of_squares as f64 / picture.subpixels().max(1) as f64;
    squares - mean(picture).powi(2)
}

/// A group's images, in buckets along the order that tells their kinds apart best.
pub(super) struct Row {
    pub(super) order: &'static str,
    buckets: Vec<Vec<usize>>,
    /// Images that were counted, each as often as it has more samples than its piece.
    counts: Vec<(usize, Counts)>,
    /// Entry `k - 1` makes `k` kinds; cost in bytes, Programs included.
    pub(super) cuts: Vec<Cuts>,
}

impl Row {
    /// `None` if too little is known of the images.
    pub(super) fn best(dataset: &Dataset, group: &Group, options: &LearnOptions) -> Result<Option<Self>, Error> {
        let rating = Rating::new(dataset, group)?;
        let pieces: Vec<_> = rating.pieces().collect();
        // Counts of a piece stand for the whole image.
        let counted = |&(number, piece): &(usize, _)| {
            let mut counts = Counts::default();
            counts.add(&Counts::of_image(piece), dataset.subpixels(&[number])? as f64 / piece.subpixels().max(1) as f64);
            Ok((number, counts))
        };
        let counts: Vec<(usize, Counts)> = pieces.par_iter().map(counted).collect::<Result<_, Error>>()?;
        let expected_bytes = dataset.expected_bytes(group)? as f64;
        let is_counted: HashSet<usize> = counts.iter().map(|(number, _)| *number).collect();
        let program_bytes = |payload: f64| {
            let plan = learn::plan(options, group.layout, 0, payload as u64);
            PROGRAM_BYTES * plan.shape.macs_per_pixel() as f64
        };
        let of_order = |&(order, key): &Order| {
            let buckets = buckets(dataset, group, key)?;
            let mut counted = vec![Counts::default(); buckets.len()];
            let all = buckets.iter().enumerate().flat_map(|(at, bucket)| bucket.iter().map(move |&item| (item, at)));
            let places: HashMap<usize, usize> = all.filter(|(item, _)| is_counted.contains(item)).collect();
            for (number, counts) in &counts {
                if let Some(&at) = places.get(number) {
                    counted[at].add(counts, 1.0);
                }
            }
            let costs: Vec<Vec<f64>> = (0..buckets.len())
                .map(|from| {
                    let mut run = Counts::default();
                    let longer = counted[from..].iter().map(|bucket| {
                        run.add(bucket, 1.0);
                        run.bits()
                    });
                    longer.collect()
                })
                .collect();
            let all = costs.first().and_then(|costs| costs.last()).copied().unwrap_or(0.0);
            let bytes_a_bit = expected_bytes / all.max(1.0);
            let cost = |from: usize, to: usize| {
                let payload = costs[from][to - from - 1] * bytes_a_bit;
                let whole = to - from == buckets.len();
                if whole || payload >= LEAST_BYTES as f64 { payload + program_bytes(payload) } else { f64::INFINITY }
            };
            Ok(Self { order, cuts: cheapest_cuts(buckets.len(), MOST_KINDS, cost), buckets, counts: Vec::new() })
        };
        let mut best: Option<Self> = None;
        for orders in ORDERS.chunks(if group.items.len() > SIDE_BY_SIDE { 1 } else { ORDERS.len() }) {
            let rows: Vec<Self> = orders.par_iter().map(of_order).collect::<Result<_, Error>>()?;
            let rows = best.into_iter().chain(rows).filter(|row| row.cuts.len() > 1);
            best = rows.min_by(|a, b| a.least().total_cmp(&b.least()));
        }
        Ok(best.map(|row| Self { counts, ..row }))
    }

    fn least(&self) -> f64 {
        self.cuts.iter().map(|cuts| cuts.cost).fold(f64::INFINITY, f64::min)
    }

    /// Share of the bytes that the best cuts take off.
    pub(super) fn gain(&self) -> f64 {
        self.cuts.first().map_or(0.0, |whole| 1.0 - self.least() / whole.cost.max(1.0))
    }

    /// The items of each kind that these cuts make.
    pub(super) fn kinds(&self, cuts: usize) -> Vec<Vec<usize>> {
        self.cuts[cuts].runs().map(|(from, to)| self.buckets[from..to].concat()).collect()
    }

    /// The same, ascending, after images went to the kind whose counts code them shortest, [`ROUNDS`] times: no one order tells all kinds apart. Only the
    /// last time all of them do, before that those that were counted. Kinds may be left empty.
    ///
    /// # Errors
    /// Those of reading images anew.
    pub(super) fn gathered(&self, cuts: usize, dataset: &Dataset, layout: Layout, crew: &mut Crew<'_>) -> Result<Vec<Vec<usize>>, Error> {
        let mut tables: Vec<Counts> = vec![Counts::default(); self.cuts[cuts].ends.len()];
        let is_counted: HashSet<usize> = self.counts.iter().map(|(number, _)| *number).collect();
        let all = self.kinds(cuts).into_iter().zip(0..).flat_map(|(items, kind)| items.into_iter().map(move |item| (item, kind)));
        let kind_of: HashMap<usize, usize> = all.filter(|(item, _)| is_counted.contains(item)).collect();
        let first: Vec<usize> = self.counts.iter().map(|(number, _)| kind_of.get(number).copied().unwrap_or(0)).collect();
        self.counts.iter().zip(first).for_each(|((_, counts), kind)| tables[kind].add(counts, 1.0));
        for _ in 1..ROUNDS {
            let found: Vec<usize> = crew.pool.install(|| self.counts.par_iter().map(|(_, counts)| nearest(counts, &tables)).collect());
            tables = vec![Counts::default(); tables.len()];
            self.counts.iter().zip(found).for_each(|((_, counts), kind)| tables[kind].add(counts, 1.0));
        }
        let mut items = self.buckets.concat();
        items.sort_unstable();
        let piece = |number: usize| Ok::<_, Error>(Counts::of_image(&middle(&*dataset.open(number)?, SIDE, layout)?));
        let found = crew.map("telling apart", &items, |&number| Ok(nearest(&piece(number)?, &tables)))?;
        let mut kinds = vec![Vec::new(); tables.len()];
        items.into_iter().zip(found).for_each(|(number, kind)| kinds[kind].push(number));
        Ok(kinds)
    }
}

/// The table under which counts take least.
fn nearest(counts: &Counts, tables: &[Counts]) -> usize {
    let bits: Vec<f64> = tables.iter().map(|table| counts.bits_under(table)).collect();
    (0..bits.len()).min_by(|&a, &b| bits[a].total_cmp(&bits[b])).unwrap_or(0)
}

/// The items of a group by rising `key`, in at most [`BUCKETS`] parts.
fn buckets(dataset: &Dataset, group: &Group, key: fn(usize, &Picture) -> f64) -> Result<Vec<Vec<usize>>, Error> {
    // Fewer than 2^32 of either: there are no more items in an archive, and no more samples in an image that was opened.
    let placed = |(number, picture): (usize, Picture)| (key(number, &picture), number as u32, picture.subpixels() as u32);
    let mut row: Vec<(f64, u32, u32)> = dataset.pictures(&group.items).map(|picture| picture.map(placed)).collect::<Result<_, _>>()?;
    row.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let total: u64 = row.iter().map(|&(.., subpixels)| u64::from(subpixels)).sum::<u64>().max(1);
    let mut buckets: Vec<Vec<usize>> = Vec::new();
    let (mut passed, mut last) = (0, usize::MAX);
    for (_, number, subpixels) in row {
        let (number, subpixels) = (number as usize, u64::from(subpixels));
        let place = ((passed + subpixels / 2) as f64 / total as f64 * BUCKETS as f64) as usize;
        passed += subpixels;
        match buckets.last_mut() {
            Some(bucket) if place == last => bucket.push(number),
            _ => buckets.push(vec![number]),
        }
        last = place;
    }
    Ok(buckets)
}
