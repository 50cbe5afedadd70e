//! Takes a file apart into samples and a *recipe* of which [`crate::rebuild`] makes the file again.

use std::fmt;

use crate::format::{bmp, dicom, gif, png, pnm, tiff, webp};
use crate::layout::{Image, Layout, subpixels};
use crate::rebuild::rebuild;

/// What a rebuilt file must have in common with the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fidelity {
    /// Every byte.
    Files,
    /// Every sample and the facts about the image (size, layout, palette, transparency, colour space, resolution); the
    /// container around them is written plainly.
    Pixels,
}

/// What opening one file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLimits {
    /// Subpixels of an image at most; opening holds up to about six bytes for each, twelve where samples have 16 bits.
    pub subpixels: u64,
    /// Subpixels for each byte of the file at most, on top of 4 Mi: a short file that declares a huge image is refused
    /// before anything is allocated.
    pub subpixels_per_file_byte: u64,
}

impl Default for OpenLimits {
    /// 2^28 subpixels, 2000 a file byte.
    fn default() -> Self {
        Self { subpixels: 1 << 28, subpixels_per_file_byte: 2000 }
    }
}

/// Allowed to any file, however short: a blank image of 1 bit a pixel deflates 8000:1.
const SLACK: u64 = 4 << 20;

impl OpenLimits {
    pub(crate) fn allow(&self, width: u32, height: u32, layout: Layout, file: usize) -> Result<(), GeneralReason> {
        let by_file = (file as u64).saturating_mul(self.subpixels_per_file_byte).saturating_add(SLACK);
        let limit = self.subpixels.min(by_file);
        match subpixels(width, height, layout) {
            Some(subpixels) if subpixels <= limit => Ok(()),
            _ => Err(GeneralReason::TooLarge { width, height, limit }),
        }
    }
}

/// Why a file is stored the general way instead of being learned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeneralReason {
    /// Its bytes are of no image format we know.
    NotAnImage,
    /// It should be an image but cannot be read: damaged, cut, or named like one. Says what is wrong.
    Unreadable(String),
    /// An image of a kind that is not learned. Says which.
    Unsupported(String),
    /// A JPEG file, whose samples are no more than a choice of its decoder: its coefficients are what is coded, by `kolmo_codec::jpeg`.
    Jpeg,
    /// An image, but its exact bytes cannot be rebuilt. [`Fidelity::Pixels`] would learn it.
    NotRepeatable,
    /// It declares more pixels than [`OpenLimits`] allow.
    TooLarge {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
        /// Subpixels allowed for this file.
        limit: u64,
    },
}

impl GeneralReason {
    /// Whether opening with [`Fidelity::Pixels`] would give an image.
    #[must_use]
    pub const fn pixels_would_learn(&self) -> bool {
        matches!(self, Self::NotRepeatable)
    }
}

impl fmt::Display for GeneralReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage => f.write_str("not an image"),
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Jpeg => f.write_str("JPEG: its coefficients are coded, not its pixels"),
            Self::NotRepeatable => f.write_str("exact bytes cannot be rebuilt from the pixels"),
            Self::TooLarge { width, height, limit } => {
                write!(f, "declares {width}x{height} pixels, more than the {limit} subpixels allowed for this file")
            }
        }
    }
}

/// A file taken apart, or the reason why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// An image and what rebuilding its file needs.
    Image {
        /// The samples.
        image: Image,
        /// For [`crate::rebuild::rebuild`]. Files of one encoder have the same recipe.
        recipe: Vec<u8>,
    },
    /// A file to store the general way.
    General {
        /// Why.
        reason: GeneralReason,
    },
}

/// What a format's reader returns.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) image: Image,
    pub(crate) recipe: Vec<u8>,
}

/// Image formats, told by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Pnm,
    Bmp,
    Tiff,
    WebP,
    Gif,
    Dicom,
    Jpeg,
    /// Known, but not learned.
    Other(&'static str),
}

fn sniff(bytes: &[u8]) -> Option<Format> {
    Some(match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Format::Png,
        [b'P', b'1'..=b'6', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Format::Pnm,
        [b'P', b'7', b'\n', ..] => Format::Other("PAM"),
        [b'B', b'M', _, _, _, _, _, _, _, _, _, _, _, _, 12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0, ..] => Format::Bmp,
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Format::Tiff,
        [b'I', b'I', 43, 0, ..] | [b'M', b'M', 0, 43, ..] => Format::Other("BigTIFF"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::WebP,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
        [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Format::Other("JPEG XL"),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => Format::Other("JPEG 2000"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Format::Other("AVIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', b'i' | b'f', ..] => Format::Other("HEIF"),
        head if dicom::is_dicom(head) => Format::Dicom,
        [b'8', b'B', b'P', b'S', 0, ..] => Format::Other("PSD"),
        _ => return None,
    })
}

/// Bytes of a file's head that tell what it may be.
pub const HEAD_BYTES: usize = 132;

/// Whether a file that begins with `head` ([`HEAD_BYTES`] tell) may be an image of a known format, learned or not.
#[must_use]
pub fn may_be_image(head: &[u8]) -> bool {
    sniff(head).is_some()
}

/// Takes a file apart. The format is told by the bytes, never by a name.
///
/// An image is returned only if rebuilding was tried: with [`Fidelity::Files`] [`crate::rebuild::rebuild`] gave exactly `bytes`,
/// with [`Fidelity::Pixels`] it gave a file that opens as an equal image. The result depends on the arguments alone.
///
/// ```
/// use kolmo_data::open::{Fidelity, OpenLimits, Opened, open};
/// let file = b"P5 2 1 255\n\x07\xff";
/// let Opened::Image { image, recipe } = open(file, Fidelity::Files, &OpenLimits::default()) else { panic!() };
/// assert_eq!((image.width, image.height, image.layout.to_string()), (2, 1, "gray8".to_owned()));
/// assert_eq!(image.samples, [7, 255]);
/// assert_eq!(kolmo_data::rebuild::rebuild(&recipe, &image)?, file);
/// # Ok::<(), kolmo_data::Error>(())
/// ```
#[must_use]
pub fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Opened {
    match open_verified(bytes, fidelity, limits) {
        Ok(Parted { image, recipe }) => Opened::Image { image, recipe },
        Err(reason) => Opened::General { reason },
    }
}

/// [`open`] of a file whose `path` is known: if its bytes are no image but its name says so, the reason tells.
///
/// The name decides nothing else.
#[must_use]
pub fn open_named(path: &str, bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Opened {
    const IMAGE_NAMES: [&str; 19] =
        ["png", "pbm", "pgm", "ppm", "pnm", "bmp", "dib", "tif", "tiff", "webp", "gif", "jpg", "jpeg", "jxl", "jp2", "avif", "heic", "psd", "dcm"];
    match open(bytes, fidelity, limits) {
        Opened::General { reason: GeneralReason::NotAnImage } => {
            let name = path.rsplit('/').next().unwrap_or(path);
            let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
            let reason = match extension {
                Some(extension) if IMAGE_NAMES.contains(&extension.as_str()) => {
                    GeneralReason::Unreadable(format!("named .{extension}, but its bytes are of no image format"))
                }
                _ => GeneralReason::NotAnImage,
            };
            Opened::General { reason }
        }
        opened => opened,
    }
}

fn open_verified(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let parted = open_unverified(bytes, fidelity, limits)?;
    // A recipe that outweighs what it describes is a file that carries something else.
    let recipe_limit = parted.image.samples.len().max(1 << 16);
    let rebuilt = rebuild(&parted.recipe, &parted.image).ok().filter(|_| parted.recipe.len() <= recipe_limit);
    let same = match (fidelity, &rebuilt) {
        (_, None) => false,
        (Fidelity::Files, Some(rebuilt)) => rebuilt == bytes,
        (Fidelity::Pixels, Some(rebuilt)) => {
            let limits = OpenLimits { subpixels_per_file_byte: u64::MAX, ..*limits };
            rebuilt == bytes || open_unverified(rebuilt, fidelity, &limits).is_ok_and(|again| again.image == parted.image)
        }
    };
    match (same, fidelity) {
        (true, _) => Ok(parted),
        (false, Fidelity::Files) => Err(GeneralReason::NotRepeatable),
        (false, Fidelity::Pixels) => Err(GeneralReason::Unsupported("its pixels cannot be written again".to_owned())),
    }
}

fn open_unverified(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    match sniff(bytes).ok_or(GeneralReason::NotAnImage)? {
        Format::Png => png::open(bytes, fidelity, limits),
        Format::Pnm => pnm::open(bytes, fidelity, limits),
        Format::Bmp => bmp::open(bytes, fidelity, limits),
        Format::Tiff => tiff::open(bytes, fidelity, limits),
        Format::WebP => webp::open(bytes, fidelity, limits),
        Format::Gif => gif::open(bytes, fidelity, limits),
        Format::Dicom => dicom::open(bytes, limits),
        Format::Jpeg => Err(GeneralReason::Jpeg),
        Format::Other(name) => Err(GeneralReason::Unsupported(name.to_owned())),
    }
}
