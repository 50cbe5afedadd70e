//! Images as 64 numbers, to find out which may resemble which.

use kolmo_data::layout::Image;
use rayon::prelude::*;

use super::{AT_ONCE, Shape};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::pages::Pages;
use crate::work::Crew;

/// Rows and columns of a sketch.
const SIDE: usize = 8;

/// What two sketches may differ by, for each 256 that one differs from its mean by.
const ALIKE: u32 = 128;
/// Least contrast of what is told apart: a step a cell.
const LEAST_CONTRAST: u32 = 64;

/// Means of one channel over an 8 x 8 grid, their own mean shifted to 128.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sketch {
    cells: [u8; SIDE * SIDE],
    /// Sum of absolute differences from 128.
    contrast: u32,
}

/// The channel that is looked at: green, if there is one.
pub(crate) fn channel(image: &Image) -> (usize, usize) {
    let channels = image.layout.channels();
    (if channels >= 3 { 1 } else { 0 }, channels)
}

impl Sketch {
    /// `None` of images with fewer pixels across than a sketch.
    pub(crate) fn of(image: &Image) -> Option<Self> {
        let (width, height) = (image.width as usize, image.height as usize);
        let (c, channels) = channel(image);
        if width < SIDE || height < SIDE {
            return None;
        }
        // Of 16ths of a mean.
        let mut means = [0u32; SIDE * SIDE];
        for (cell_y, row) in means.chunks_exact_mut(SIDE).enumerate() {
            let (top, bottom) = (cell_y * height / SIDE, (cell_y + 1) * height / SIDE);
            // Large cells are known from some of their rows.
            let every = (bottom - top).div_ceil(8);
            let mut sums = [0u64; SIDE];
            let mut rows = 0;
            for y in (top..bottom).step_by(every) {
                let samples = &image.samples[y * width * channels..][..width * channels];
                for (cell_x, sum) in sums.iter_mut().enumerate() {
                    let (left, right) = (cell_x * width / SIDE, (cell_x + 1) * width / SIDE);
                    *sum += samples[left * channels..right * channels].iter().skip(c).step_by(channels).map(|&sample| u64::from(sample)).sum::<u64>();
                }
                rows += 1;
            }
            for (cell_x, (mean, sum)) in row.iter_mut().zip(sums).enumerate() {
                let columns = (cell_x + 1) * width / SIDE - cell_x * width / SIDE;
                *mean = (16 * sum / (rows * columns as u64)) as u32;
            }
        }
        let level = means.iter().sum::<u32>() / means.len() as u32;
        let mut cells = [0; SIDE * SIDE];
        for (cell, mean) in cells.iter_mut().zip(means) {
            *cell = (128 + (mean.cast_signed() - level.cast_signed() + 8).div_euclid(16)).clamp(0, 255) as u8;
        }
        Some(Self { contrast: cells.iter().map(|&cell| u32::from(cell.abs_diff(128))).sum(), cells })
    }

    /// The sketch that a reference would have, for each way to turn it that makes it look like this one.
    pub(crate) fn turned(&self, turns: u8) -> Vec<(u8, [u8; SIDE * SIDE])> {
        let back = |turn: u8| {
            let mut cells = [0; SIDE * SIDE];
            for (at, &cell) in self.cells.iter().enumerate() {
                let (y, x) = turned(turn, at / SIDE, at % SIDE, SIDE, SIDE);
                cells[y * SIDE + x] = cell;
            }
            (turn, cells)
        };
        (0..turns).map(back).collect()
    }

    /// How far this one is from `cells`, those of a sketch of this contrast or about that; `None` if too far to be alike.
    pub(crate) fn distance(&self, cells: &[u8; SIDE * SIDE]) -> Option<u32> {
        let mut sum = 0u32;
        for (&a, &b) in self.cells.iter().zip(cells) {
            sum += u32::from(a.abs_diff(b));
        }
        (self.contrast >= LEAST_CONTRAST && sum * 256 <= self.contrast * ALIKE).then_some(sum)
    }
}

/// Where the turned image of `height` x `width` has what the image itself has at the result: see [`kolmo_codec::block::Reference`].
pub(crate) const fn turned(turn: u8, y: usize, x: usize, height: usize, width: usize) -> (usize, usize) {
    let y = if turn & 2 != 0 { height - 1 - y } else { y };
    let x = if turn & 1 != 0 { width - 1 - x } else { x };
    if turn & 4 != 0 { (x, y) } else { (y, x) }
}

/// Bytes of sketches that are in memory at most: those of 120,000 images.
const MEMORY_BYTES: u64 = 8 << 20;

/// Bytes of a sketch: its cells and its contrast, `u32::MAX` of an image that has none.
const RECORD: usize = SIDE * SIDE + 4;

/// Sketches of images of one shape.
#[derive(Debug)]
pub(crate) struct Sketches {
    records: Pages,
    /// Those that are sketched, ascending; `None`: all.
    seen: Option<Vec<usize>>,
}

impl Sketches {
    /// Of the images that are `seen`, or of all.
    pub(crate) fn of(dataset: &Dataset, images: &Shape, seen: Option<Vec<usize>>, crew: &Crew<'_>) -> Result<Self, Error> {
        let records = dataset.files.aside().pages(MEMORY_BYTES);
        let count = seen.as_ref().map_or(images.len(), Vec::len);
        for begin in (0..count).step_by(AT_ONCE) {
            crew.check()?;
            let sketched = |place: usize| {
                let at = seen.as_ref().map_or(place, |seen| seen[place]);
                Ok(Sketch::to_bytes(Sketch::of(&*dataset.open(images[at].0 as usize)?)))
            };
            let end = count.min(begin + AT_ONCE);
            let some = crew.pool.install(|| (begin..end).into_par_iter().map(sketched).collect::<Result<Vec<_>, Error>>())?;
            for record in some {
                records.append(&record)?;
            }
        }
        Ok(Self { records, seen })
    }

    /// The sketch of image `at`, if it was seen and has one.
    pub(crate) fn get(&self, at: usize) -> Result<Option<Sketch>, Error> {
        let place = self.seen.as_ref().map_or(Some(at), |seen| seen.binary_search(&at).ok());
        let Some(place) = place else { return Ok(None) };
        let mut record = [0; RECORD];
        self.records.read((place * RECORD) as u64, &mut record)?;
        Ok(Sketch::from_bytes(&record))
    }
}

impl Sketch {
    fn to_bytes(sketch: Option<Self>) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let (cells, contrast) = record.split_at_mut(SIDE * SIDE);
        if let Some(sketch) = &sketch {
            cells.copy_from_slice(&sketch.cells);
        }
        contrast.copy_from_slice(&sketch.map_or(u32::MAX, |sketch| sketch.contrast).to_le_bytes());
        record
    }

    fn from_bytes(record: &[u8; RECORD]) -> Option<Self> {
        let (cells, contrast) = record.split_at(SIDE * SIDE);
        let contrast = u32::from_le_bytes(contrast.try_into().ok()?);
        (contrast != u32::MAX).then_some(Self { cells: cells.try_into().ok()?, contrast })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(turn: u8, add: u8) -> Image {
        let sample = |y: usize, x: usize| ((y * y + 3 * x) % 97) as u8;
        let samples = (0..40 * 40).map(|at| {
            let (y, x) = turned(turn, at / 40, at % 40, 40, 40);
            sample(y, x) + add
        });
        Image::new(40, 40, "gray8".parse().expect("a layout"), samples.collect()).expect("an image")
    }

    #[test]
    fn turned_and_brighter_copies_are_found() {
        let plain = Sketch::of(&image(0, 0)).expect("large enough");
        for turn in 0..8 {
            let other = Sketch::of(&image(turn, 50)).expect("large enough");
            let nearest = other.turned(8).into_iter().filter_map(|(turn, cells)| Some((plain.distance(&cells)?, turn))).min().expect("alike");
            assert_eq!(nearest.1, turn);
            assert!(nearest.0 < 64, "{nearest:?}");
        }
        let small = Image::new(7, 40, "gray8".parse().expect("a layout"), vec![0; 280]).expect("an image");
        assert_eq!(Sketch::of(&small), None);
    }
}
