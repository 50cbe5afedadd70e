//! Blocks of images that were converted from a colour space: symbols of that space, behind a table of the pixels that these do not make.

use super::{Encoded, ImageRef};
use crate::colour::Colour;
use crate::container::fields::{Fields, put_varint};
use crate::error::Error;
use crate::limits::Budget;
use crate::program::Program;

const WHAT: &str = "pixels beside a block's colour space";

/// Images as a Program of a colour space sees them; of any other Program as they are.
pub(super) enum Seen<'a> {
    Samples(&'a [ImageRef<'a>]),
    Symbols {
        /// Height, width, symbols.
        images: Vec<(usize, usize, Vec<u8>)>,
        table: Vec<u8>,
    },
}

impl<'a> Seen<'a> {
    /// # Errors
    /// `InvalidArgument` if an image has other than height x width x 3 samples.
    pub(super) fn new(program: &Program, images: &'a [ImageRef<'a>]) -> Result<Self, Error> {
        let Some(colour) = program.colour else { return Ok(Self::Samples(images)) };
        let (mut all, mut strays, mut before) = (Vec::with_capacity(images.len()), Vec::new(), 0);
        for image in images {
            if image.height.checked_mul(image.width).and_then(|pixels| pixels.checked_mul(3)) != Some(image.samples.len()) {
                return Err(Error::InvalidArgument { what: "an image has other than height x width x channels samples" });
            }
            let converted = colour.symbols(image.samples, image.width);
            strays.extend(converted.strays.into_iter().map(|(pixel, rgb)| (before + pixel, rgb)));
            before += image.height * image.width;
            all.push((image.height, image.width, converted.symbols));
        }
        let mut table = Vec::new();
        put_varint(&mut table, strays.len() as u64);
        let mut next = 0;
        for (pixel, rgb) in strays {
            put_varint(&mut table, (pixel - next) as u64);
            table.extend(rgb);
            next = pixel + 1;
        }
        Ok(Self::Symbols { images: all, table })
    }

    /// The images, symbols as samples.
    pub(super) fn images(&'a self) -> Vec<ImageRef<'a>> {
        match self {
            Self::Samples(images) => images.to_vec(),
            Self::Symbols { images, .. } => images.iter().map(|(height, width, symbols)| ImageRef { height: *height, width: *width, samples: symbols }).collect(),
        }
    }

    /// The block, with what has to stand before it.
    pub(super) fn complete(&self, encoded: Encoded) -> Encoded {
        match self {
            Self::Samples(_) => encoded,
            Self::Symbols { table, .. } => {
                let ideal_bits = encoded.ideal_bits + ((table.len() as u64) << 19);
                Encoded { bytes: [&table[..], &encoded.bytes].concat(), ideal_bits }
            }
        }
    }
}

/// Pixels of a block that are not of the colour space.
pub(super) struct Strays {
    colour: Colour,
    /// Number of the pixel in its block, and RGB.
    pixels: Vec<(u64, [u8; 3])>,
}

impl Strays {
    /// Reads what stands before a block of images of these shapes, if its Program has a colour space; gives back the block as well.
    pub(super) fn read<'a>(program: &Program, shapes: &[(usize, usize)], bytes: &'a [u8], budget: &mut Budget) -> Result<(Option<Self>, &'a [u8]), Error> {
        let Some(colour) = program.colour else { return Ok((None, bytes)) };
        let total = shapes.iter().map(|&(height, width)| (height as u64).saturating_mul(width as u64)).fold(0, u64::saturating_add);
        let mut fields = Fields::new(WHAT, bytes);
        let count = fields.varint()?;
        if count > total {
            return Err(fields.corrupt());
        }
        budget.take(WHAT, count, size_of::<(u64, [u8; 3])>() as u64)?;
        let (mut pixels, mut next) = (Vec::new(), 0u64);
        for _ in 0..count {
            let pixel = next.checked_add(fields.varint()?).filter(|&pixel| pixel < total).ok_or_else(|| fields.corrupt())?;
            pixels.push((pixel, [fields.u8()?, fields.u8()?, fields.u8()?]));
            next = pixel + 1;
        }
        Ok((Some(Self { colour, pixels }), fields.rest()))
    }

    /// Makes samples of symbols.
    pub(super) fn samples(&self, images: &mut [Vec<u8>]) {
        let (mut strays, mut before) = (self.pixels.iter().peekable(), 0u64);
        for image in images {
            self.colour.samples(image);
            let end = before + image.len() as u64 / 3;
            while let Some((pixel, rgb)) = strays.next_if(|(pixel, _)| *pixel < end) {
                let at = 3 * (pixel - before) as usize;
                image[at..at + 3].copy_from_slice(rgb);
            }
            before = end;
        }
    }
}
