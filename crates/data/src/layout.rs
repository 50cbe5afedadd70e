//! The shape and sample type of an image.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// What the channels of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Colour {
    /// One channel of intensity.
    Gray,
    /// Intensity and opacity.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity.
    Rgba,
    /// One channel of indices into a palette that the recipe keeps.
    Indexed,
}

impl Colour {
    /// Samples per pixel, 1 to 4.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray | Self::Indexed => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::GrayAlpha => "graya",
            Self::Rgb => "rgb",
            Self::Rgba => "rgba",
            Self::Indexed => "indexed",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Gray => 0,
            Self::GrayAlpha => 1,
            Self::Rgb => 2,
            Self::Rgba => 3,
            Self::Indexed => 4,
        }
    }
}

const COLOURS: [Colour; 5] = [Colour::Gray, Colour::GrayAlpha, Colour::Rgb, Colour::Rgba, Colour::Indexed];

/// Sample layout: images of one layout can be learned together.
///
/// Written and parsed as a name: `gray1 gray2 gray4 gray8 gray16 graya8 graya16 rgb8 rgb16 rgba8 rgba16 indexed1 indexed2 indexed4 indexed8`.
///
/// ```
/// use kolmo_data::layout::{Colour, Layout};
/// let layout: Layout = "rgb8".parse()?;
/// assert_eq!(layout, Layout::new(Colour::Rgb, 8)?);
/// assert_eq!((layout.channels(), layout.code()), (3, 0x28));
/// assert_eq!(Layout::from_code(0x28)?.to_string(), "rgb8");
/// # Ok::<(), kolmo_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Layout {
    /// What the channels mean.
    pub colour: Colour,
    /// Bits of a sample: 1, 2, 4 or 8 for one channel, 8 for more; 16 for any but indices.
    pub bit_depth: u8,
}

impl Layout {
    /// A layout of this list: gray or indexed of 1, 2, 4 or 8 bits; any other colour of 8 bits; any but indexed of 16.
    ///
    /// # Errors
    /// `InvalidArgument` for any other depth.
    pub const fn new(colour: Colour, bit_depth: u8) -> Result<Self, Error> {
        match (colour.channels(), bit_depth) {
            (1, 1 | 2 | 4 | 8) | (_, 8) => Ok(Self { colour, bit_depth }),
            (_, 16) if !matches!(colour, Colour::Indexed) => Ok(Self { colour, bit_depth }),
            _ => Err(Error::InvalidArgument { what: "no sample layout has this colour and bit depth" }),
        }
    }

    /// 8-bit samples of `colour`.
    #[must_use]
    pub const fn eight(colour: Colour) -> Self {
        Self { colour, bit_depth: 8 }
    }

    /// 16-bit samples of `colour`, which is not indexed.
    pub(crate) const fn sixteen(colour: Colour) -> Self {
        Self { colour, bit_depth: 16 }
    }

    /// Bytes that hold a sample.
    #[must_use]
    pub const fn sample_bytes(self) -> usize {
        if self.bit_depth > 8 { 2 } else { 1 }
    }

    /// Samples per pixel, 1 to 4.
    #[must_use]
    pub const fn channels(self) -> usize {
        self.colour.channels()
    }

    /// The largest value a sample can take, `2^bit_depth - 1`.
    #[must_use]
    pub const fn max_sample(self) -> u16 {
        ((1u32 << self.bit_depth) - 1) as u16
    }

    /// One byte: colour (0 gray, 1 gray+alpha, 2 RGB, 3 RGBA, 4 indexed) in the high four bits, bit depth in the low four (0 for 16).
    #[must_use]
    pub const fn code(self) -> u8 {
        self.colour.code() << 4 | self.bit_depth & 15
    }

    /// The layout of a [`Layout::code`].
    ///
    /// # Errors
    /// `Unsupported` for a code of no known layout.
    pub fn from_code(code: u8) -> Result<Self, Error> {
        COLOURS
            .into_iter()
            .find(|colour| colour.code() == code >> 4)
            .and_then(|colour| Self::new(colour, if code & 15 == 0 { 16 } else { code & 15 }).ok())
            .ok_or(Error::Unsupported { what: "sample layout", found: u64::from(code) })
    }

    /// Bits of a pixel.
    pub(crate) const fn bits_per_pixel(self) -> usize {
        self.channels() * self.bit_depth as usize
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.colour.name(), self.bit_depth))
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = Error::InvalidArgument { what: "no sample layout has this name" };
        let digits = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
        let (colour, depth) = name.split_at(digits);
        let colour = COLOURS.into_iter().find(|known| known.name() == colour);
        match (colour, depth) {
            (Some(colour), "1") => Self::new(colour, 1),
            (Some(colour), "2") => Self::new(colour, 2),
            (Some(colour), "4") => Self::new(colour, 4),
            (Some(colour), "8") => Self::new(colour, 8),
            (Some(colour), "16") => Self::new(colour, 16),
            _ => Err(unknown),
        }
    }
}

/// Samples of one image.
///
/// - `samples`: shape `[height, width, channels]`, row by row from the top, channels interleaved; one byte a sample, or two of which the
///   lower comes first where samples have 16 bits
/// - holds: `width >= 1`, `height >= 1`, every sample below `2^bit_depth`
///
/// Made by [`Image::new`], which checks this.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Channels and bits of a sample.
    pub layout: Layout,
    /// The samples.
    pub samples: Vec<u8>,
}

impl Image {
    /// An image whose samples fit its shape.
    ///
    /// # Errors
    /// `InvalidArgument` if a side is 0, the number of samples is not `width * height * channels`, or a sample needs more bits than the layout has.
    pub fn new(width: u32, height: u32, layout: Layout, samples: Vec<u8>) -> Result<Self, Error> {
        let image = Self { width, height, layout, samples };
        image.check()?;
        Ok(image)
    }

    /// Samples, `width * height * channels`.
    #[must_use]
    pub fn subpixels(&self) -> u64 {
        (self.samples.len() / self.layout.sample_bytes()) as u64
    }

    /// Bytes of `samples` that hold a row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.row_samples() * self.layout.sample_bytes()
    }

    /// Samples in a row.
    pub(crate) fn row_samples(&self) -> usize {
        self.width as usize * self.layout.channels()
    }

    /// Fields are public, so whoever relies on the invariant asks first.
    pub(crate) fn check(&self) -> Result<(), Error> {
        Layout::new(self.layout.colour, self.layout.bit_depth)?;
        if self.width == 0 || self.height == 0 {
            return Err(Error::InvalidArgument { what: "an image has at least one pixel" });
        }
        let bytes = subpixels(self.width, self.height, self.layout).and_then(|subpixels| subpixels.checked_mul(self.layout.sample_bytes() as u64));
        if bytes != Some(self.samples.len() as u64) {
            return Err(Error::InvalidArgument { what: "an image has width x height x channels samples" });
        }
        let max = self.layout.max_sample();
        if max < 255 && self.samples.iter().any(|&sample| u16::from(sample) > max) {
            return Err(Error::InvalidArgument { what: "a sample is larger than its bit depth allows" });
        }
        Ok(())
    }
}

/// `width * height * channels`, `None` if that is more than a `u64` holds.
pub(crate) fn subpixels(width: u32, height: u32, layout: Layout) -> Option<u64> {
    (u64::from(width) * u64::from(height)).checked_mul(layout.channels() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "gray1 gray2 gray4 gray8 gray16 graya8 graya16 rgb8 rgb16 rgba8 rgba16 indexed1 indexed2 indexed4 indexed8";

    #[test]
    fn names_and_codes_go_there_and_back() {
        let mut codes = Vec::new();
        for name in NAMES.split(' ') {
            let layout: Layout = name.parse().unwrap();
            assert_eq!(layout.to_string(), name);
            assert_eq!(Layout::from_code(layout.code()).unwrap(), layout);
            codes.push(layout.code());
        }
        let known = (0..=255u8).filter(|&code| Layout::from_code(code).is_ok());
        codes.sort_unstable();
        assert_eq!(known.collect::<Vec<_>>(), codes);
        for wrong in ["", "rgb", "rgb0", "indexed16", "rgb12", "rgb4", "gray3", "gray08", "8", "grey8"] {
            assert!(wrong.parse::<Layout>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_image_has_the_samples_its_shape_asks_for() {
        let gray1 = Layout::new(Colour::Gray, 1).unwrap();
        assert!(Image::new(2, 1, gray1, vec![0, 1]).is_ok());
        assert!(Image::new(2, 1, gray1, vec![0, 2]).is_err());
        assert!(Image::new(2, 2, gray1, vec![0, 1]).is_err());
        assert!(Image::new(0, 1, gray1, vec![]).is_err());
        assert!(Image::new(u32::MAX, u32::MAX, Layout::eight(Colour::Rgba), vec![]).is_err());
        assert_eq!(gray1.max_sample(), 1);
        assert_eq!(Layout::eight(Colour::Rgb).max_sample(), 255);
    }
}
