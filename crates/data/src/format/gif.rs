//! GIF of a single frame, as palette indices; only indices, palette and transparent index are kept.

use ::gif::{ColorOutput, DecodeOptions, Encoder, Frame, MemoryLimit};

use crate::Error;
use crate::format::{decoded, tag};
use crate::layout::{Colour, Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::recipe::{Reader, Writer};

fn unreadable(why: impl std::fmt::Display) -> GeneralReason {
    GeneralReason::Unreadable(format!("GIF: {why}"))
}

pub(crate) fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let parted = decoded::guard("GIF", || decode(bytes, limits))?;
    match fidelity {
        Fidelity::Files => Err(GeneralReason::NotRepeatable),
        Fidelity::Pixels => Ok(parted),
    }
}

fn decode(bytes: &[u8], limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let layout = Layout::eight(Colour::Indexed);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let memory = std::num::NonZeroU64::new(limits.subpixels).unwrap_or(std::num::NonZeroU64::MIN);
    options.set_memory_limit(MemoryLimit::Bytes(memory));
    let mut decoder = options.read_info(bytes).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    limits.allow(width.into(), height.into(), layout, bytes.len())?;
    let (samples, transparent, palette) = {
        let frame = decoder.read_next_frame().map_err(unreadable)?.ok_or_else(|| unreadable("no image"))?;
        if (frame.left, frame.top, frame.width, frame.height) != (0, 0, width, height) {
            return Err(GeneralReason::Unsupported("GIF: a frame smaller than its screen".to_owned()));
        }
        (frame.buffer.to_vec(), frame.transparent, frame.palette.clone())
    };
    let palette = match palette {
        Some(palette) => palette,
        None => decoder.global_palette().ok_or_else(|| unreadable("no palette"))?.to_vec(),
    };
    if decoder.next_frame_info().map_err(unreadable)?.is_some() {
        return Err(GeneralReason::Unsupported("GIF: animated".to_owned()));
    }
    let image = Image::new(width.into(), height.into(), layout, samples).map_err(unreadable)?;
    let mut writer = Writer::new(tag::GIF);
    writer.string(&palette);
    match transparent {
        None => writer.byte(0),
        Some(index) => writer.raw(&[1, index]),
    }
    Ok(Parted { image, recipe: writer.finish() })
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "recipe: GIF palette";
    let palette = reader.string(WHAT)?;
    let transparent = match reader.byte(WHAT)? {
        0 => None,
        1 => Some(reader.byte(WHAT)?),
        _ => return Err(Error::corrupt(WHAT)),
    };
    let side = |side: u32| u16::try_from(side).map_err(|_| Error::LimitExceeded { what: "GIF side", limit: u64::from(u16::MAX) });
    let (width, height) = (side(image.width)?, side(image.height)?);
    let n_colours = palette.len() / 3;
    if palette.len() % 3 != 0 || !(1..=256).contains(&n_colours) || image.layout.channels() != 1 {
        return Err(Error::corrupt(WHAT));
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, palette).map_err(|_| Error::corrupt(WHAT))?;
    let frame = Frame { width, height, transparent, buffer: image.samples.as_slice().into(), ..Frame::default() };
    encoder.write_frame(&frame).map_err(|_| Error::corrupt("recipe: GIF cannot hold this image"))?;
    drop(encoder); // writes the end mark
    Ok(file)
}
