//! Files that hold many images one after another, as arrays do: cut into *parts*, so that each image is one of its own.
//!
//! | kind | told by | images |
//! |---|---|---|
//! | NumPy `.npy`, `.npz` that is stored, safetensors, PyTorch | as in [`crate::tensor`] | arrays of bytes, booleans or 16-bit integers whose shape is that of images |
//! | IDX (MNIST and its kin) | its first four bytes | arrays of bytes, booleans or 16-bit integers, likewise |
//! | CIFAR-10 and CIFAR-100, binary | records of 3,073 or 3,074 bytes whose labels are below 10, or 20 and 100 | RGB 32x32, channel after channel, a label in front |
//! | NIfTI-1, `.nii` | its header | slices of 8 or 16 bits |
//!
//! What looks like images by its shape is taken for images only if neighbours tell of each other. Nothing is lost by a wrong guess: parts make up the file.
//!
//! ```
//! use kolmo_data::frames::{self, Part};
//! // IDX: 3 images of 40x50 bytes that rise from left to right.
//! let mut file = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 40, 0, 0, 0, 50];
//! file.extend((0..3 * 40 * 50).map(|at| (at % 50) as u8));
//! let parts = frames::parts(&mut std::io::Cursor::new(&file), file.len() as u64).expect("images");
//! let [Part::Bytes(16), Part::Frames { count: 3, frame }] = parts[..] else { panic!() };
//! let (image, recipe) = frame.open(&file[16..][..2000]).expect("an image");
//! assert_eq!((image.width, image.height, image.layout.to_string()), (50, 40, "gray8".to_owned()));
//! assert_eq!(kolmo_data::rebuild::rebuild(&recipe, &image)?, &file[16..][..2000]);
//! # Ok::<(), kolmo_data::Error>(())
//! ```

mod find;
mod known;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::format::dicom::turn_signs;
use crate::format::tag;
use crate::layout::{Image, Layout};
use crate::recipe::{Reader, Writer};

pub use find::parts;

/// Channels come one after another, each a plane, instead of pixel by pixel.
const PLANAR: u8 = 1;
/// The higher byte of a sample comes first.
const HIGH_FIRST: u8 = 2;
/// Samples are signed: the highest bit of each is turned over.
const SIGNED: u8 = 4;

/// Bytes in front of an image at most.
const MOST_LEAD: usize = 16;

/// How an image lies in a file, without a header of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Channels and bits of a sample; one of 1 bit takes a byte here.
    pub layout: Layout,
    /// Bytes in front of the samples: a label.
    pub lead: u32,
    flags: u8,
}

/// A run of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// So many bytes of anything, at least 1.
    Bytes(u64),
    /// Images of one kind.
    Frames {
        /// How many, at least 1.
        count: u64,
        /// Each of them.
        frame: Frame,
    },
}

impl Part {
    /// Its length.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => *bytes,
            Self::Frames { count, frame } => count.saturating_mul(frame.bytes()),
        }
    }

    /// Of how many parts it stands for: each image is one.
    #[must_use]
    pub const fn count(&self) -> u64 {
        match self {
            Self::Bytes(_) => 1,
            Self::Frames { count, .. } => *count,
        }
    }
}

impl Frame {
    /// Its bytes in the file, those in front included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        // A frame is made of shapes that were multiplied before.
        self.lead as u64 + self.width as u64 * self.height as u64 * (self.layout.channels() * self.layout.sample_bytes()) as u64
    }

    /// The image that `bytes` are, and what [`crate::rebuild::rebuild`] makes them of. `None` if they are not as many as [`Frame::bytes`], or a sample has more
    /// bits than its layout.
    #[must_use]
    pub fn open(&self, bytes: &[u8]) -> Option<(Image, Vec<u8>)> {
        let (lead, stored) = bytes.split_at_checked(self.lead as usize).filter(|_| bytes.len() as u64 == self.bytes())?;
        let mut samples = stored.to_vec();
        if self.flags & PLANAR != 0 {
            interleave(stored, &mut samples, self.layout);
        }
        if self.flags & HIGH_FIRST != 0 {
            swap(&mut samples);
        }
        if self.flags & SIGNED != 0 {
            turn_signs(&mut samples, self.layout);
        }
        let image = Image::new(self.width, self.height, self.layout, samples).ok()?;
        let mut recipe = Writer::new(tag::FRAME);
        recipe.byte(self.flags);
        recipe.string(lead);
        Some((image, recipe.finish()))
    }
}

/// Bytes of the file that a recipe makes of an image of `width` x `height` of a layout, if the recipe is that of a frame.
#[must_use]
pub fn frame_bytes(recipe: &[u8], width: u32, height: u32, layout: Layout) -> Option<u64> {
    let mut reader = Reader::new(recipe);
    let (_, lead) = (reader.byte("recipe").ok()? == tag::FRAME).then(|| fields(&mut reader, layout).ok())??;
    let samples = u64::from(width).checked_mul(height.into())?.checked_mul((layout.channels() * layout.sample_bytes()) as u64)?;
    samples.checked_add(lead.len() as u64)
}

fn fields<'a>(reader: &mut Reader<'a>, layout: Layout) -> Result<(u8, &'a [u8]), Error> {
    let flags = reader.byte("recipe: flags of a frame")?;
    let fits = |flag: u8, fits: bool| flags & flag == 0 || fits;
    let known = flags < 8 && fits(PLANAR, layout.channels() > 1) && fits(HIGH_FIRST, layout.bit_depth == 16) && fits(SIGNED, layout.bit_depth >= 8);
    let lead = reader.string("recipe: bytes in front of a frame")?;
    if known && lead.len() <= MOST_LEAD { Ok((flags, lead)) } else { Err(Error::corrupt("recipe: flags of a frame")) }
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    let (flags, lead) = fields(reader, image.layout)?;
    let mut file = Vec::with_capacity(lead.len() + image.samples.len());
    file.extend_from_slice(lead);
    file.extend_from_slice(&image.samples);
    let samples = &mut file[lead.len()..];
    if flags & PLANAR != 0 {
        planes(&image.samples, samples, image.layout);
    }
    if flags & SIGNED != 0 {
        turn_signs(samples, image.layout);
    }
    if flags & HIGH_FIRST != 0 {
        swap(samples);
    }
    Ok(file)
}

/// Planes of samples, pixel by pixel.
fn interleave(stored: &[u8], samples: &mut [u8], layout: Layout) {
    let (unit, channels) = (layout.sample_bytes(), layout.channels());
    for (c, plane) in stored.chunks_exact(stored.len() / channels).enumerate() {
        for (pixel, sample) in samples.chunks_exact_mut(unit * channels).zip(plane.chunks_exact(unit)) {
            pixel[c * unit..][..unit].copy_from_slice(sample);
        }
    }
}

/// The other way round.
fn planes(samples: &[u8], stored: &mut [u8], layout: Layout) {
    let (unit, channels) = (layout.sample_bytes(), layout.channels());
    let plane_bytes = stored.len() / channels;
    for (c, plane) in stored.chunks_exact_mut(plane_bytes).enumerate() {
        for (pixel, sample) in samples.chunks_exact(unit * channels).zip(plane.chunks_exact_mut(unit)) {
            sample.copy_from_slice(&pixel[c * unit..][..unit]);
        }
    }
}

/// Changes the order of the bytes of each sample.
fn swap(samples: &mut [u8]) {
    samples.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
}
