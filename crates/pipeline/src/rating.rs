//! What a group of images would take under a Program, from a small part of it.

use kolmo_codec::block::{self, ImageRef, Method};
use kolmo_codec::program::Program;
use kolmo_data::layout::{Image, Layout};
use kolmo_data::statistics;
use rayon::prelude::*;

use crate::coding::{Way, adaptive_pays};
use crate::dataset::{Dataset, Group};
use crate::error::Error;

/// Images that are looked at, and fewer of them where a difference of some per cent is all that counts.
const IMAGES: usize = 400;
const FEW_IMAGES: usize = 128;
/// Pixels of all of them together, for each of that many images.
const PIXELS_AN_IMAGE: usize = 10_000;
/// Least side of what is cut out of an image: the entropy of less would be too low.
const LEAST_SIDE: usize = 100;
/// One of so many pixels, if the pieces are full, is coded adaptively, which is slow; more of smaller pieces, as adaptive coding needs some to learn from.
const ADAPTIVE_EVERY: usize = 10;

/// Pieces of a group's images, and how hard they are to predict beside all of them.
pub(crate) struct Rating {
    pieces: Vec<Image>,
    /// The item that each piece is of.
    numbers: Vec<usize>,
    /// Bits that the entropy of simple residuals gives, of the pieces and of all images.
    simple: (f64, f64),
    subpixels: (u64, u64),
    /// Pixels to code adaptively.
    adaptive_pixels: usize,
}

impl Rating {
    /// Cuts a piece out of the middle of evenly chosen images.
    pub(crate) fn new(dataset: &Dataset, group: &Group) -> Result<Self, Error> {
        Self::of(dataset, group, IMAGES)
    }

    /// The same of a third of the images and pixels.
    pub(crate) fn quick(dataset: &Dataset, group: &Group) -> Result<Self, Error> {
        Self::of(dataset, group, FEW_IMAGES)
    }

    fn of(dataset: &Dataset, group: &Group, images: usize) -> Result<Self, Error> {
        let pixels = images * PIXELS_AN_IMAGE;
        let side = ((pixels / group.items.len().clamp(1, images)) as f64).sqrt() as usize;
        let adaptive_pixels = pixels / ADAPTIVE_EVERY;
        let mut rating = Self { pieces: Vec::new(), numbers: Vec::new(), simple: (0.0, 0.0), subpixels: (0, 0), adaptive_pixels };
        for picture in dataset.pictures(&group.items) {
            let (_, picture) = picture?;
            rating.simple.1 += picture.residual_bpsp * picture.subpixels() as f64;
            rating.subpixels.1 += picture.subpixels();
        }
        let kept: Vec<_> = group.items.iter().filter_map(|&number| Some((number, dataset.image(number)?))).collect();
        let every = kept.len().div_ceil(images).max(1);
        for (place, (number, image)) in kept.into_iter().enumerate() {
            if place % every == every / 2 {
                let piece = middle(image, side.max(LEAST_SIDE), group.layout)?;
                rating.simple.0 += statistics::of_image(&piece).residual_bpsp * piece.subpixels() as f64;
                rating.subpixels.0 += piece.subpixels();
                rating.pieces.push(piece);
                rating.numbers.push(number);
            }
        }
        Ok(rating)
    }

    /// The pieces, each with the number of its item.
    pub(crate) fn pieces(&self) -> impl ExactSizeIterator<Item = (usize, &Image)> {
        self.numbers.iter().copied().zip(&self.pieces)
    }

    /// Bytes of the group's payload by direct coding.
    pub(crate) fn direct_bytes(&self, program: &Program) -> Result<u64, Error> {
        Ok(self.bytes(&self.direct_bits(program)?))
    }

    /// Ideal bits of each piece by direct coding, unit 2^-16.
    pub(crate) fn direct_bits(&self, program: &Program) -> Result<Vec<u64>, Error> {
        self.pieces.par_iter().map(|piece| ideal_bits(Method::Direct, program, std::slice::from_ref(piece))).collect()
    }

    /// Bytes of the group's payload, if the pieces take so many bits each.
    pub(crate) fn bytes(&self, bits: &[u64]) -> u64 {
        if self.pieces.is_empty() {
            return 0;
        }
        let bits = bits.iter().sum::<u64>() as f64 / 65_536.0;
        // Pieces that are harder than the rest tell of more bits than the rest takes.
        let blank = self.simple.0 <= 0.0 || self.simple.1 <= 0.0;
        let scale = if blank { self.subpixels.1 as f64 / self.subpixels.0.max(1) as f64 } else { self.simple.1 / self.simple.0 };
        (bits * scale / 8.0) as u64
    }

    /// The rate of a payload of so many bytes.
    pub(crate) fn bits_a_subpixel(&self, bytes: u64) -> f64 {
        bytes as f64 * 8.0 / self.subpixels.1.max(1) as f64
    }

    /// How the group would be coded under a Program, and the bytes of its payload; `direct` are those of direct coding.
    pub(crate) fn judged(&self, program: &Program, direct: u64, way: Way) -> Result<(Method, u64), Error> {
        if matches!(way, Way::Fixed(Method::Direct | Method::Lanes)) || program.is_deep() {
            return Ok((Method::Direct, direct));
        }
        let adaptive = (direct as f64 * self.adaptive_share(program)?) as u64;
        Ok(match way {
            Way::IfAdaptiveSaves(share) if !adaptive_pays(adaptive, direct, share) => (Method::Direct, direct),
            _ => (Method::Adaptive, adaptive),
        })
    }

    /// What adaptive coding of some pieces, as one block, takes of direct coding.
    fn adaptive_share(&self, program: &Program) -> Result<f64, Error> {
        let pixels: usize = self.pieces.iter().map(|piece| piece.width as usize * piece.height as usize).sum();
        let some: Vec<Image> = self.pieces.iter().step_by(pixels.div_ceil(self.adaptive_pixels).max(1)).cloned().collect();
        let (adaptive, direct) = (ideal_bits(Method::Adaptive, program, &some)?, ideal_bits(Method::Direct, program, &some)?);
        Ok(adaptive as f64 / direct.max(1) as f64)
    }
}

/// Cross-entropy of images as one block, 2^-16 bits.
pub(crate) fn ideal_bits(method: Method, program: &Program, images: &[Image]) -> Result<u64, Error> {
    let refs = images.iter().map(|image| ImageRef { height: image.height as usize, width: image.width as usize, samples: &image.samples });
    Ok(block::encode_as(method, program, &refs.collect::<Vec<_>>())?.ideal_bits)
}

/// At most `side` x `side` pixels from the middle.
pub(crate) fn middle(image: &Image, side: usize, layout: Layout) -> Result<Image, Error> {
    let (width, height) = (image.width as usize, image.height as usize);
    let (columns, rows) = (width.min(side), height.min(side));
    let (left, top) = ((width - columns) / 2, (height - rows) / 2);
    let pixel = image.samples.len() / (width * height).max(1);
    let rows_of = image.samples.chunks_exact(width * pixel).skip(top).take(rows);
    let samples = rows_of.flat_map(|row| &row[left * pixel..(left + columns) * pixel]).copied().collect();
    Ok(Image::new(columns as u32, rows as u32, layout, samples)?)
}
