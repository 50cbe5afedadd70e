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
            Self::Symbols { images, .. } => {
                images.iter().map(|(height, width, symbols)| ImageRef { height: *height, width: *width, samples: symbols }).collect()
            }
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
    pub(super) fn read<'a>(
        program: &Program,
        shapes: &[(usize, usize)],
        bytes: &'a [u8],
        budget: &mut Budget,
    ) -> Result<(Option<Self>, &'a [u8]), Error> {
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

#[cfg(test)]
mod tests {
    use super::super::tests::{Dice, random_program};
    use super::super::*;
    use crate::Limits;
    use crate::colour::Colour;

    #[test]
    fn converted_images_come_back_and_so_do_pixels_beside_their_colour_space() {
        let mut dice = Dice(9);
        for colour in Colour::ALL {
            let program = Program { colour: Some(colour), ..random_program(&mut dice, 3, 8) };
            assert_eq!(Program::from_bytes(&program.to_bytes(), &Limits::default()).expect("a Program"), program);
            let shapes = [(9, 14), (0, 3), (1, 1), (20, 5)];
            let mut images = shapes.map(|(height, width)| (0..height * width * 3).map(|_| dice.roll(256) as u8).collect::<Vec<_>>());
            images.iter_mut().for_each(|image| colour.samples(image));
            // Some pixels are none of the space's: the first and the last of an image among them.
            for (image, pixel) in [(0, 0), (0, 7), (0, 9 * 14 - 1), (2, 0), (3, 50)] {
                images[image][3 * pixel..][..3].copy_from_slice(&[20 + pixel as u8, 200, 90]);
            }
            let refs: Vec<_> = shapes.iter().zip(&images).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
            for method in [Method::Direct, Method::Lanes, Method::Adaptive, Method::References] {
                let encoded = encode_as(method, &program, &refs).expect("encodes");
                let decoded = decode_as(method, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes");
                assert_eq!(decoded, images, "{colour:?} {method:?}");
            }
            let references = [None, None, None, Some(Reference { image: 0, turn: 4, down: 1, right: 0 })];
            let encoded = encode_by_references(&program, &refs, &references).expect("encodes");
            let decoded = decode_as(Method::References, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes");
            assert_eq!(decoded, images);
            let (method, encoded) = encode_directly(&program, &refs).expect("encodes");
            assert_eq!(decode_as(method, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes"), images);
        }
    }

    #[test]
    fn tables_that_no_encoder_writes_are_refused() {
        let program = Program { colour: Some(Colour::PhotoCd), ..random_program(&mut Dice(2), 3, 8) };
        let samples = [135; 2 * 3 * 3];
        let sound = encode(&program, &[ImageRef { height: 2, width: 3, samples: &samples }]).expect("encodes").bytes;
        let decode = |table: &[u8], budget: u64| {
            decode(&program, &[(2, 3)], &[table, &sound[1..]].concat(), &mut Budget::new(budget)).map(|images| images[0].clone())
        };
        assert_eq!(sound[0], 0, "no pixel is beside the space: 135 is a shade of grey that it has");
        assert_eq!(decode(&[0], 1 << 20).expect("sound"), samples);
        let mut one = samples;
        one[15..].copy_from_slice(&[1, 2, 3]);
        assert_eq!(decode(&[1, 5, 1, 2, 3], 1 << 20).expect("the last pixel"), one);
        // More of them than pixels, one behind the last pixel, and numbers that wrap.
        for table in
            [&[7, 0, 1, 2, 3][..], &[1, 6, 1, 2, 3], &[2, 5, 1, 2, 3, 0, 1, 2, 3], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert!(matches!(decode(table, 1 << 20), Err(Error::Corrupt { .. })), "{table:?}");
        }
        assert!(matches!(decode(&[6], 20), Err(Error::LimitExceeded { .. })));
        let empty = crate::block::decode(&program, &[(2, 3)], &[], &mut Budget::new(1 << 20));
        assert!(matches!(empty, Err(Error::Truncated { .. } | Error::Corrupt { .. })), "{empty:?}");
        // Only RGB of 8 bits has a colour space, and only known ones are read.
        for program in [
            Program { colour: Some(Colour::Jfif), ..random_program(&mut Dice(3), 4, 8) },
            Program { colour: Some(Colour::Jfif), ..random_program(&mut Dice(3), 3, 7) },
        ] {
            assert!(program.validate(&Limits::default()).is_err());
        }
        let mut bytes = program.to_bytes();
        assert_eq!(bytes[..3], [4, 8, 2]);
        bytes[2] = 3;
        let unknown = Program::from_bytes(&bytes, &Limits::default());
        assert!(matches!(unknown, Err(Error::Unsupported { found: 3, .. })), "{unknown:?}");
        let short = [ImageRef { height: 2, width: 3, samples: &samples[1..] }];
        assert!(matches!(encode(&program, &short), Err(Error::InvalidArgument { .. })));
    }
}
