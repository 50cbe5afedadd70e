//! One image file as samples of 8 bits.

use std::fmt;
use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView, ImageReader};

use crate::digest::{self, Digest};

/// Largest side of a file that is decoded.
const LARGEST_SIDE: u32 = 1 << 14;

/// Rows and columns of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl fmt::Display for Size {
    /// Width first, as people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

pub(super) struct Picture {
    pub(super) size: Size,
    /// Shape `[rows, columns, channels]`; 1 or 3 channels.
    pub(super) samples: Vec<u8>,
    channels: usize,
}

/// Decodes a file of any format that this build reads; in words, why it cannot.
pub(super) fn decode(bytes: &[u8], side: Option<u32>) -> Result<Picture, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        return Err("no image format that kolmo reads".to_owned());
    }
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
    reader.limits(limits);
    let mut image = reader.decode().map_err(|error| error.to_string())?;
    if let Some(side) = side.filter(|&side| image.dimensions() != (side, side)) {
        image = fit(&image, side);
    }
    let size = Size { height: image.height() as usize, width: image.width() as usize };
    if size.height == 0 || size.width == 0 {
        return Err("the image has no pixels".to_owned());
    }
    let (samples, channels) = if image.color().has_color() { (image.into_rgb8().into_raw(), 3) } else { (image.into_luma8().into_raw(), 1) };
    Ok(Picture { size, samples, channels })
}

/// The shorter side scaled to `side`, then the middle.
fn fit(image: &DynamicImage, side: u32) -> DynamicImage {
    let (width, height) = image.dimensions();
    let short = u64::from(width.min(height).max(1));
    let scaled = |length: u32| ((u64::from(length) * u64::from(side) + short / 2) / short).clamp(u64::from(side), 1 << 16) as u32;
    let image = image.resize_exact(scaled(width), scaled(height), FilterType::Triangle);
    let (width, height) = image.dimensions();
    image.crop_imm((width - side) / 2, (height - side) / 2, side, side)
}

impl Picture {
    /// Of size and samples.
    pub(super) fn digest(&self) -> Digest {
        let mut bytes = Vec::with_capacity(self.samples.len() + 24);
        for number in [self.size.height, self.size.width, self.channels] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        bytes.extend_from_slice(&self.samples);
        digest::of_bytes(&bytes)
    }

    /// It has one channel, or three that are equal everywhere.
    pub(super) fn is_grey(&self) -> bool {
        self.channels == 1 || self.samples.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
    }

    /// The samples plane by plane, `channels` planes: grey is repeated, equal channels are taken once.
    pub(super) fn planes(&self, channels: usize) -> Vec<u8> {
        let plane = |channel: usize| self.samples.iter().skip(channel.min(self.channels - 1)).step_by(self.channels).copied();
        (0..channels).flat_map(plane).collect()
    }
}
