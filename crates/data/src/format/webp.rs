//! WebP, lossless, through `image`; only pixels and colour profile are kept.

use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

use crate::Error;
use crate::format::{decoded, tag};
use crate::layout::{Colour, Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::recipe::{Reader, Writer};

/// The largest side a WebP image has (VP8L: 14 bits).
const MAX_SIDE: u32 = 1 << 14;

/// The kinds of the chunks of a RIFF file.
fn chunk_kinds(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    let mut left = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, rest) = left.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = (u32::from_le_bytes(*size) as usize).next_multiple_of(2);
        left = rest.get(size..).unwrap_or_default();
        Some(*kind)
    })
}

pub(crate) fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let has = |kind: &[u8; 4]| chunk_kinds(bytes).any(|each| &each == kind);
    if has(b"ANIM") || has(b"ANMF") {
        return Err(GeneralReason::Unsupported("WebP: animated".to_owned()));
    }
    if has(b"VP8 ") {
        return Err(GeneralReason::Unsupported("WebP: lossy".to_owned()));
    }
    let decoded = decoded::decode(bytes, ImageFormat::WebP, "WebP", limits)?;
    let mut writer = Writer::new(tag::WEBP);
    writer.string(&decoded.icc_profile);
    match fidelity {
        Fidelity::Files => Err(GeneralReason::NotRepeatable),
        Fidelity::Pixels => Ok(Parted { image: decoded.image, recipe: writer.finish() }),
    }
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    let icc_profile = reader.string("recipe: WebP colour profile")?;
    let colour = match image.layout {
        Layout { colour: Colour::Rgb, .. } => ExtendedColorType::Rgb8,
        Layout { colour: Colour::Rgba, .. } => ExtendedColorType::Rgba8,
        _ => return Err(Error::corrupt("recipe: WebP for this sample layout")),
    };
    if image.width > MAX_SIDE || image.height > MAX_SIDE {
        return Err(Error::LimitExceeded { what: "WebP side", limit: u64::from(MAX_SIDE) });
    }
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut file);
    if !icc_profile.is_empty() {
        encoder.set_icc_profile(icc_profile.to_vec()).map_err(|_| Error::corrupt("recipe: WebP colour profile"))?;
    }
    encoder.encode(&image.samples, image.width, image.height, colour).map_err(|_| Error::corrupt("recipe: WebP cannot hold this image"))?;
    Ok(file)
}
