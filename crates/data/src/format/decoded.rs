//! Images read by the `image` crate where we have no reader of our own.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{ColorType, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::layout::{Colour, Image, Layout};
use crate::open::{GeneralReason, OpenLimits};

/// Samples and the colour profile, if there is one.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) image: Image,
    pub(crate) icc_profile: Vec<u8>,
}

/// Decodes `bytes`; `name` is how reasons call the format.
///
/// A panic in a decoder that is not ours must not cost the user the whole run: the file is unreadable then.
pub(crate) fn decode(bytes: &[u8], format: ImageFormat, name: &str, limits: &OpenLimits) -> Result<Decoded, GeneralReason> {
    guard(name, || decode_unguarded(bytes, format, name, limits))
}

/// Runs a decoder that is not ours.
pub(crate) fn guard<T>(name: &str, decode: impl FnOnce() -> Result<T, GeneralReason>) -> Result<T, GeneralReason> {
    // Nothing the closure touches outlives it but immutable bytes, so no broken state can be seen afterwards.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(GeneralReason::Unreadable(format!("{name}: its decoder gave up"))))
}

fn decode_unguarded(bytes: &[u8], format: ImageFormat, name: &str, limits: &OpenLimits) -> Result<Decoded, GeneralReason> {
    let reason = |error: image::ImageError| match error {
        image::ImageError::Unsupported(error) => GeneralReason::Unsupported(format!("{name}: {error}")),
        error => GeneralReason::Unreadable(format!("{name}: {error}")),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut memory = Limits::default();
    memory.max_alloc = Some(limits.subpixels.saturating_mul(4).saturating_add(1 << 20));
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    if decoder.original_color_type() == ExtendedColorType::Cmyk8 {
        return Err(GeneralReason::Unsupported(format!("{name}: CMYK")));
    }
    let colour = match decoder.color_type() {
        ColorType::L8 => Colour::Gray,
        ColorType::La8 => Colour::GrayAlpha,
        ColorType::Rgb8 => Colour::Rgb,
        ColorType::Rgba8 => Colour::Rgba,
        ColorType::L16 => Colour::Gray,
        ColorType::La16 => Colour::GrayAlpha,
        ColorType::Rgb16 => Colour::Rgb,
        ColorType::Rgba16 => Colour::Rgba,
        _ => return Err(GeneralReason::Unsupported(format!("{name}: samples of more than 16 bits"))),
    };
    let deep = decoder.color_type().bytes_per_pixel() as usize > colour.channels();
    let layout = if deep { Layout::sixteen(colour) } else { Layout::eight(colour) };
    let (width, height) = decoder.dimensions();
    limits.allow(width, height, layout, bytes.len())?;
    let icc_profile = decoder.icc_profile().map_err(reason)?.unwrap_or_default();
    let n = usize::try_from(decoder.total_bytes()).map_err(|_| GeneralReason::Unreadable(format!("{name}: sizes contradict each other")))?;
    let mut samples = vec![0; n];
    decoder.read_image(&mut samples).map_err(reason)?;
    if deep {
        samples.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| *pair = u16::from_ne_bytes(*pair).to_le_bytes());
    }
    let image = Image::new(width, height, layout, samples).map_err(|error| GeneralReason::Unreadable(format!("{name}: {error}")))?;
    Ok(Decoded { image, icc_profile })
}
