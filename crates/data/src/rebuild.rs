//! Makes a file again of its samples and its recipe.
//!
#![doc = include_str!("../RECIPE.md")]

use crate::Error;
use crate::format::{bmp, dicom, gif, png, pnm, tag, tiff, webp};
use crate::frames;
use crate::layout::Image;
use crate::recipe::Reader;

/// Bytes that [`rebuild`] may hold, its result included, for an image of `samples` samples: what a caller with a budget pays first.
#[must_use]
pub fn most_bytes(recipe: &[u8], samples: u64) -> u64 {
    // Text spells a sample in up to 3 digits and a separator; all else is made beside the samples, filtered and deflated on the way.
    let a_sample = if recipe.first() == Some(&tag::PNM_TEXT) { 3 + pnm::SEPARATOR_BYTES as u64 } else { 3 };
    samples.saturating_mul(a_sample).saturating_add(recipe.len() as u64).saturating_add(3 * 4096)
}

/// The file that `recipe` describes, with the samples, size and layout of `image`.
///
/// Recipes and images of any origin are safe to pass: memory stays below a small multiple of `image.samples` and `recipe`.
///
/// # Errors
/// - `InvalidArgument`: `image` breaks its own invariant
/// - `Corrupt`, `Truncated`: the recipe contradicts itself or does not fit the image
/// - `Unsupported`: the recipe is of a kind this version does not know
/// - `LimitExceeded`: the image is larger than the file format can say
pub fn rebuild(recipe: &[u8], image: &Image) -> Result<Vec<u8>, Error> {
    run(recipe, image, true)
}

/// Whether [`rebuild`] would make a file, without the compression that takes most of its time. For recipes of fidelity `pixels`, whose files
/// are compared with nothing.
///
/// # Errors
/// Those of [`rebuild`].
pub fn check(recipe: &[u8], image: &Image) -> Result<(), Error> {
    // Sizes of chunks may ask for as many bytes as there would be: then only making the file tells.
    run(recipe, image, false).or_else(|_| run(recipe, image, true)).map(|_| ())
}

fn run(recipe: &[u8], image: &Image, whole: bool) -> Result<Vec<u8>, Error> {
    image.check()?;
    let mut reader = Reader::new(recipe);
    let kind = reader.byte("recipe")?;
    if image.layout.bit_depth == 16 && matches!(kind, tag::BMP | tag::TIFF | tag::WEBP | tag::GIF) {
        return Err(Error::corrupt("recipe: kind for this sample layout"));
    }
    let file = match kind {
        tag::PNG => png::rebuild(&mut reader, image, whole)?,
        tag::PNM => pnm::rebuild(&mut reader, image)?,
        tag::PNM_TEXT => pnm::rebuild_text(&mut reader, image)?,
        tag::BMP => bmp::rebuild(&mut reader, image)?,
        tag::TIFF => tiff::rebuild(&mut reader, image)?,
        tag::TIFF_PLAIN => tiff::rebuild_plain(&mut reader, image)?,
        tag::WEBP => webp::rebuild(&mut reader, image)?,
        tag::GIF => gif::rebuild(&mut reader, image)?,
        tag::TIFF_DEEP => tiff::rebuild_deep(&mut reader, image)?,
        tag::DICOM => dicom::rebuild(&mut reader, image)?,
        tag::FRAME => frames::rebuild(&mut reader, image)?,
        found => return Err(Error::Unsupported { what: "recipe kind", found: u64::from(found) }),
    };
    reader.end()?;
    Ok(file)
}
