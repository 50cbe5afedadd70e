//! An image of a dataset: its shape and what rebuilds it always, its samples while there is room for them.

use std::collections::{BTreeMap, HashMap};

use kolmo_codec::colour::Colour;
use kolmo_data::digest::{Digest, of_image};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::statistics::{self, Outline, Statistics};

/// An image that can be rebuilt from samples and recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    /// The colour space that it was converted from, if that shows.
    pub(crate) colour: Option<Colour>,
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
}

/// What is only known of a picture while its samples are in memory.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) image: Image,
    /// Its sums by channel.
    pub(crate) statistics: Statistics,
}

impl Held {
    fn bytes(&self) -> u64 {
        self.image.samples.len() as u64
    }
}

impl Picture {
    /// What is known of an image, and what is held of it; the number of its recipe is not known yet.
    pub(crate) fn of(image: Image) -> (Self, Held) {
        let statistics = statistics::of_image(&image);
        let picture = Self {
            width: image.width,
            height: image.height,
            layout: image.layout,
            colour: if image.layout.channels() == 3 && image.layout.bit_depth == 8 { Colour::of(&image.samples) } else { None },
            digest: of_image(&image),
            recipe: 0,
            residual_bpsp: statistics.residual_bpsp,
            sum: statistics.sum.iter().sum(),
            sum_of_squares: statistics.sum_of_squares.iter().sum(),
        };
        (picture, Held { image, statistics })
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
    /// Pictures that may keep their samples, however few these are.
    most: usize,
    bound: u64,
    /// Key and number of the lowest picture.
    lowest: BTreeMap<Layout, (u64, usize)>,
    /// Those that keep their samples, by number, with their keys.
    kept: HashMap<usize, (u64, Box<Held>)>,
}

impl Room {
    pub(crate) fn new(bytes: u64, most: usize) -> Self {
        Self { bytes, held: 0, most, bound: u64::MAX, lowest: BTreeMap::new(), kept: HashMap::new() }
    }

    /// Bytes of samples that may be held.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The pictures that keep their samples, by number.
    pub(crate) fn kept(self) -> HashMap<usize, Box<Held>> {
        self.kept.into_iter().map(|(number, (_, held))| (number, held)).collect()
    }

    /// Makes room for the samples of the next picture, of this `number` and `digest`, in at most `bytes` from now on; once less, it stays less.
    pub(crate) fn admit(&mut self, number: usize, digest: &Digest, held: Held, bytes: u64) {
        self.bytes = self.bytes.min(bytes);
        let (layout, key) = (held.image.layout, u64::from_le_bytes(digest.0[..8].try_into().unwrap_or_default()));
        self.kept.insert(number, (key, Box::new(held)));
        let ordinary = match self.lowest.get(&layout).copied() {
            Some((lowest, _)) if lowest <= key => Some(number),
            before => {
                self.lowest.insert(layout, (key, number));
                before.map(|(_, number)| number)
            }
        };
        if let Some((number, key, bytes)) = ordinary.and_then(|number| self.kept.get(&number).map(|(key, held)| (number, *key, held.bytes()))) {
            if key <= self.bound && bytes <= self.bytes {
                self.held += bytes;
            } else {
                self.kept.remove(&number);
            }
        }
        self.shrink();
    }

    /// From now on there are at most `bytes`.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.bytes = self.bytes.min(bytes);
        self.shrink();
    }

    /// Drops the samples of all that have come to lie above the bound.
    fn shrink(&mut self) {
        while self.held > self.bytes || self.kept.len() > self.most.saturating_add(self.lowest.len()) {
            self.bound /= 2;
            let Self { held, bound, lowest, kept, .. } = self;
            kept.retain(|number, (key, picture)| {
                let stays = *key <= *bound || lowest.get(&picture.image.layout).is_some_and(|(_, lowest)| lowest == number);
                if !stays {
                    *held -= picture.bytes();
                }
                stays
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_kept_while_there_is_room_and_a_fair_part_afterwards() {
        let image =
            |seed: u32| Image::new(10, 10, "gray8".parse().expect("a layout"), (0..100).map(|at| (at * seed) as u8).collect()).expect("an image");
        let kept = |order: &[u32], bytes: u64, most: usize| {
            let mut room = Room::new(bytes, most);
            for (number, &seed) in order.iter().enumerate() {
                let (picture, held) = Picture::of(image(seed));
                room.admit(number, &picture.digest, held, bytes);
            }
            let held: u64 = room.kept.values().map(|(_, held)| held.bytes()).sum();
            assert!(held == room.held + 100 && room.held <= bytes, "{held} of {bytes}");
            let mut kept: Vec<u32> = room.kept().keys().map(|&number| order[number]).collect();
            kept.sort_unstable();
            kept
        };
        let forwards: Vec<u32> = (1..=64).collect();
        let backwards: Vec<u32> = (1..=64).rev().collect();
        assert_eq!(kept(&forwards, 6400, 64), forwards);
        let some = kept(&forwards, 2000, 64);
        assert!((4..=20).contains(&some.len()), "{some:?}");
        assert_eq!(kept(&backwards, 2000, 64), some, "whatever their order");
        assert_eq!(kept(&forwards, 6400, 20), some, "no more than may be, however small");
        assert_eq!(kept(&forwards, 99, 64).len(), 1, "one is always kept to learn from");
        assert_eq!(kept(&backwards, 99, 64), kept(&forwards, 99, 64));
    }
}
