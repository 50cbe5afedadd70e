//! Colour spaces that RGB images were made from, and the way back.
//!
//! Many RGB images were converted from luma and chroma of 8 bits each: those of a JPEG file, those of a Photo CD (and so the Kodak images that everyone
//! measures with). Such a conversion hits a quarter or a tenth of all colours only. Who knows it codes luma and chroma, and saves 2.1 or 3.2 bits a pixel.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tables have an entry for each byte; their sums stay below 2^25, see the tests"
)]

mod tables;

use std::collections::HashSet;

use tables::{Solved, Tables};

/// A conversion of luma and two chromas, 8 bits each, to RGB. `FORMAT.md` has their integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Colour {
    /// `YCbCr` of JFIF (BT.601, full range), as libjpeg converts it with 16 bits of fraction.
    Jfif,
    /// `PhotoYCC` of Photo CD images, by the coefficients 1.3584, 2.2179 and 1.8215.
    PhotoCd,
}

/// Different colours that are looked at to find the space of an image, at least and at most; of all of them one in 128, and one more, may be none of the space's.
const LEAST_COLOURS: usize = 64;
const MOST_COLOURS: usize = 256;
/// Pixels that are looked at, at most.
const LOOKS: usize = 8192;

/// Symbols of an image, shape `[height, width, 3]`, and the pixels that they do not make: number of the pixel, and its RGB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// Luma, blue or first chroma, red or second chroma.
    pub symbols: Vec<u8>,
    /// In order.
    pub strays: Vec<(usize, [u8; 3])>,
}

impl Colour {
    /// All that are known.
    pub const ALL: [Self; 2] = [Self::Jfif, Self::PhotoCd];

    /// Bits a pixel that are saved, about: the logarithm of how many colours there are for each of its own.
    #[must_use]
    pub const fn millibits_saved(self) -> u64 {
        match self {
            Self::Jfif => 2_080,
            Self::PhotoCd => 3_220,
        }
    }

    /// As summaries have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jfif => "YCbCr",
            Self::PhotoCd => "PhotoYCC",
        }
    }

    /// Its number in a Program.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Jfif => 1,
            Self::PhotoCd => 2,
        }
    }

    /// The colour space of this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|colour| colour.code() == code)
    }

    /// The space that RGB samples, shape `[pixels, 3]`, were converted from, if that shows. Clipped and grey pixels say nothing.
    #[must_use]
    pub fn of(samples: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|colour| colour.made(samples))
    }

    fn made(self, samples: &[u8]) -> bool {
        let (pixels, _) = samples.as_chunks::<3>();
        let tables = Tables::of(self);
        let (mut seen, mut strays) = (HashSet::new(), 0);
        for pixel in pixels.iter().step_by(pixels.len().div_ceil(LOOKS).max(1)) {
            let says_nothing = tables::is_clipped(*pixel) || (pixel[0] == pixel[1] && pixel[1] == pixel[2]);
            if says_nothing || !seen.insert(*pixel) {
                continue;
            }
            strays += usize::from(tables.solve(*pixel).is_none());
            if strays > 1 + seen.len() / 128 {
                return false;
            }
            if seen.len() == MOST_COLOURS {
                break;
            }
        }
        seen.len() >= LEAST_COLOURS
    }

    /// Symbols of RGB samples, shape `[height, width, 3]`. Where several make the same pixel, because it is clipped, those most like its neighbours' are taken.
    #[must_use]
    pub fn symbols(self, samples: &[u8], width: usize) -> Converted {
        let tables = Tables::of(self);
        let (pixels, _) = samples.as_chunks::<3>();
        let mut symbols: Vec<[u8; 3]> = Vec::with_capacity(pixels.len());
        let (mut solved, mut strays) = (Solved::new(tables), Vec::new());
        for (number, &pixel) in pixels.iter().enumerate() {
            let near = |symbols: &[[u8; 3]]| {
                let west = (number % width.max(1)).checked_sub(1).map(|_| symbols[number - 1]);
                let north = number.checked_sub(width).map(|above| symbols[above]);
                match (west, north) {
                    (Some(west), Some(north)) => [0, 1, 2].map(|c| west[c].midpoint(north[c])),
                    (west, north) => west.or(north).unwrap_or(tables.grey()),
                }
            };
            let found = if tables::is_clipped(pixel) { tables.solve_clipped(pixel, near(&symbols)) } else { solved.symbols(pixel) };
            let found = found.unwrap_or_else(|| {
                strays.push((number, pixel));
                near(&symbols)
            });
            symbols.push(found);
        }
        Converted { symbols: symbols.into_flattened(), strays }
    }

    /// Turns symbols, shape `[pixels, 3]`, into the RGB samples that they make.
    pub fn samples(self, symbols: &mut [u8]) {
        let tables = Tables::of(self);
        for pixel in symbols.as_chunks_mut::<3>().0 {
            *pixel = tables.rgb(*pixel);
        }
    }
}

#[cfg(test)]
mod tests;
