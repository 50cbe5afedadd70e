//! An image of a dataset: its shape and what rebuilds it always, its samples while there is room for them.

use std::collections::BTreeMap;

use kolmo_data::digest::{Digest, of_image};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::statistics::{self, Outline, Statistics};

use crate::item::Item;

/// An image that can be rebuilt from samples and recipe.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    /// Of shape and samples.
    pub(crate) digest: Digest,
    /// Number of its recipe among those of the dataset.
    pub(crate) recipe: u32,
    /// See [`Statistics::residual_bpsp`].
    pub(crate) residual_bpsp: f64,
    /// Sum of all samples, whatever their channel.
    pub(crate) sum: u64,
    /// Sum of all squared samples.
    pub(crate) sum_of_squares: u64,
    /// `None` if it has to be read again.
    held: Option<Box<Held>>,
}

/// What is only known of a picture while its samples are in memory.
#[derive(Debug)]
struct Held {
    image: Image,
    statistics: Statistics,
}

impl Picture {
    /// A picture with samples; the number of its recipe is not known yet.
    pub(crate) fn new(image: Image) -> Self {
        let statistics = statistics::of_image(&image);
        Self {
            width: image.width,
            height: image.height,
            layout: image.layout,
            digest: of_image(&image),
            recipe: 0,
            residual_bpsp: statistics.residual_bpsp,
            sum: statistics.sum.iter().sum(),
            sum_of_squares: statistics.sum_of_squares.iter().sum(),
            held: Some(Box::new(Held { image, statistics })),
        }
    }

    /// Its samples, if they are in memory.
    pub(crate) fn image(&self) -> Option<&Image> {
        self.held.as_ref().map(|held| &held.image)
    }

    /// Its sums by channel, if its samples are in memory.
    pub(crate) fn statistics(&self) -> Option<&Statistics> {
        self.held.as_ref().map(|held| &held.statistics)
    }

    /// Lets its samples go.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }

    pub(crate) fn outline(&self) -> Outline {
        Outline { layout: self.layout, pixels: self.pixels(), residual_bpsp: self.residual_bpsp }
    }

    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(crate) fn subpixels(&self) -> u64 {
        self.pixels() * self.layout.channels() as u64
    }

    /// Of its samples as they are held, two bytes each above 8 bits.
    pub(crate) fn sample_bytes(&self) -> u64 {
        self.subpixels() * if self.layout.bit_depth > 8 { 2 } else { 1 }
    }
}

/// Decides which pictures keep their samples: all while there is room, then a fair part of them, the same one whatever their order.
///
/// A picture is kept if the first bytes of its digest are at most a bound, and the bound is halved whenever room runs out. The lowest of each
/// layout is kept in any case and takes no room, so that there is always something to learn from; of the others none is kept that would not fit alone.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: u64,
    held: u64,
    bound: u64,
    /// Key and item of the lowest picture.
    lowest: BTreeMap<Layout, (u64, usize)>,
}

impl Room {
    pub(crate) const fn new(bytes: u64) -> Self {
        Self { bytes, held: 0, bound: u64::MAX, lowest: BTreeMap::new() }
    }

    /// Bytes of samples that may be held.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes room for the last of `items`, which has just come, in at most `bytes` from now on; once less, it stays less.
    pub(crate) fn admit(&mut self, items: &mut [Item], bytes: u64) {
        self.bytes = self.bytes.min(bytes);
        self.place(items);
        while self.held > self.bytes {
            self.bound /= 2;
            self.release(items);
        }
    }

    fn place(&mut self, items: &mut [Item]) {
        let newest = items.len() - 1;
        let Some(picture) = items[newest].picture() else { return };
        let (layout, key) = (picture.layout, key(picture));
        let ordinary = match self.lowest.get(&layout).copied() {
            Some((lowest, _)) if lowest <= key => newest,
            before => {
                self.lowest.insert(layout, (key, newest));
                let Some((_, item)) = before else { return };
                item
            }
        };
        if let Some(picture) = items[ordinary].picture_mut() {
            self.take(picture);
        }
    }

    fn take(&mut self, picture: &mut Picture) {
        if key(picture) <= self.bound && bytes(picture) <= self.bytes {
            self.held += bytes(picture);
        } else {
            picture.release();
        }
    }

    /// Drops the samples of all that have come to lie above the bound.
    fn release(&mut self, items: &mut [Item]) {
        for (number, item) in items.iter_mut().enumerate() {
            let Some(picture) = item.picture_mut().filter(|picture| picture.held.is_some() && key(picture) > self.bound) else { continue };
            if self.lowest.get(&picture.layout).is_none_or(|&(_, lowest)| lowest != number) {
                self.held -= bytes(picture);
                picture.release();
            }
        }
    }
}

fn bytes(picture: &Picture) -> u64 {
    picture.image().map_or(0, |image| image.samples.len() as u64)
}

fn key(picture: &Picture) -> u64 {
    u64::from_le_bytes(picture.digest.0[..8].try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::item_of;

    #[test]
    fn all_are_kept_while_there_is_room_and_a_fair_part_afterwards() {
        let image =
            |seed: u32| Image::new(10, 10, "gray8".parse().expect("a layout"), (0..100).map(|at| (at * seed) as u8).collect()).expect("an image");
        let kept = |order: &[u32], bytes: u64| {
            let (mut room, mut items) = (Room::new(bytes), Vec::new());
            for &seed in order {
                items.push(item_of(Picture::new(image(seed))));
                room.admit(&mut items, bytes);
            }
            let held: u64 = items.iter().filter_map(Item::picture).map(super::bytes).sum();
            assert!(held == room.held + 100 && room.held <= bytes, "{held} of {bytes}");
            let has_samples = |item: &Item| item.picture().is_some_and(|picture| picture.image().is_some());
            let mut kept: Vec<u32> = order.iter().zip(&items).filter(|(_, item)| has_samples(item)).map(|(&seed, _)| seed).collect();
            kept.sort_unstable();
            kept
        };
        let forwards: Vec<u32> = (1..=64).collect();
        let backwards: Vec<u32> = (1..=64).rev().collect();
        assert_eq!(kept(&forwards, 6400), forwards);
        let some = kept(&forwards, 2000);
        assert!((4..=20).contains(&some.len()), "{some:?}");
        assert_eq!(kept(&backwards, 2000), some, "whatever their order");
        assert_eq!(kept(&forwards, 99).len(), 1, "one is always kept to learn from");
        assert_eq!(kept(&backwards, 99), kept(&forwards, 99));
    }
}
