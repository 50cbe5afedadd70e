//! BMP: uncompressed palette images of 1, 4 or 8 bits, RGB of 24 and RGBA of 32 bits by ourselves, all others through `image`.
//!
//! The recipe keeps the header (with palette and masks) with the fields that follow from the image set to 0, row padding
//! that is not 0, and what follows the pixels.

use image::ImageFormat;

use crate::Error;
use crate::format::{decoded, tag};
use crate::layout::{Colour, Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::pack;
use crate::recipe::{Reader, Writer};

/// File header and the part of the image header that all versions but the oldest share.
const HEADER_BYTES: usize = 54;

const FILE_SIZE: usize = 2;
const WIDTH: usize = 18;
const HEIGHT: usize = 22;
const IMAGE_SIZE: usize = 34;

/// Which fields follow from the image and the file.
const TOP_DOWN: u8 = 1;
const FILE_SIZE_FOLLOWS: u8 = 2;
const IMAGE_SIZE_FOLLOWS: u8 = 4;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Bytes of a row in the file: a multiple of four.
fn stride(row_bytes: usize) -> usize {
    row_bytes.next_multiple_of(4)
}

pub(crate) fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    match open_plain(bytes, limits) {
        Some(parted) => parted,
        None => {
            let image = decoded::decode(bytes, ImageFormat::Bmp, "BMP", limits)?.image;
            match fidelity {
                Fidelity::Files => Err(GeneralReason::NotRepeatable),
                Fidelity::Pixels => Ok(Parted { recipe: plain_recipe(image.layout), image }),
            }
        }
    }
}

/// `None` if the file is not of the simple kinds read here.
fn open_plain(bytes: &[u8], limits: &OpenLimits) -> Option<Result<Parted, GeneralReason>> {
    let offset = u32_at(bytes, 10)? as usize;
    let (header, rest) = bytes.split_at_checked(offset)?;
    let info_bytes = u32_at(header, 14)?;
    if header.len() < HEADER_BYTES || info_bytes < 40 {
        return None;
    }
    let bits_per_pixel = u16::from_le_bytes([header[28], header[29]]);
    let standard_masks = || {
        let alpha = if info_bytes >= 56 { u32_at(header, 66) } else { Some(0) };
        [54, 58, 62].map(|at| u32_at(header, at)) == [Some(0xff_0000), Some(0xff00), Some(0xff)] && matches!(alpha, Some(0 | 0xff00_0000))
    };
    let layout = match (bits_per_pixel, u32_at(header, 30)?) {
        (1 | 4 | 8, 0) => Layout::new(Colour::Indexed, bits_per_pixel as u8).ok()?,
        (24, 0) => Layout::eight(Colour::Rgb),
        (32, 0) => Layout::eight(Colour::Rgba),
        (32, 3) if standard_masks() => Layout::eight(Colour::Rgba),
        _ => return None,
    };
    let width = u32_at(header, WIDTH).filter(|&width| width > 0 && width <= i32::MAX as u32)?;
    let signed_height = u32_at(header, HEIGHT)? as i32;
    let (height, top_down) = (signed_height.unsigned_abs(), signed_height < 0);
    if height == 0 || height > i32::MAX as u32 {
        return None;
    }
    if let Err(reason) = limits.allow(width, height, layout, bytes.len()) {
        return Some(Err(reason));
    }
    let row_bytes = pack::row_bytes(width, layout);
    let raster_bytes = stride(row_bytes) * height as usize;
    let Some((raster, tail)) = rest.split_at_checked(raster_bytes) else {
        return Some(Err(GeneralReason::Unreadable("BMP: the file ends early".to_owned())));
    };

    let mut samples = Vec::with_capacity(row_bytes * height as usize);
    let mut padding = Vec::new();
    let n = width as usize * layout.channels();
    for y in 0..height as usize {
        let line = if top_down { y } else { height as usize - 1 - y };
        let line = &raster[line * stride(row_bytes)..][..stride(row_bytes)];
        pack::unpack_row(&line[..row_bytes], n, layout.bit_depth, &mut samples);
        padding.extend_from_slice(&line[row_bytes..]);
    }
    swap_red_and_blue(&mut samples, layout);

    let mut header = header.to_vec();
    let mut flags = if top_down { TOP_DOWN } else { 0 };
    put(&mut header, WIDTH, 0);
    put(&mut header, HEIGHT, 0);
    if u32_at(bytes, FILE_SIZE)? as usize == bytes.len() {
        flags |= FILE_SIZE_FOLLOWS;
        put(&mut header, FILE_SIZE, 0);
    }
    if u32_at(bytes, IMAGE_SIZE)? as usize == raster_bytes {
        flags |= IMAGE_SIZE_FOLLOWS;
        put(&mut header, IMAGE_SIZE, 0);
    }
    let mut writer = Writer::new(tag::BMP);
    writer.byte(flags);
    writer.string(&header);
    writer.string(if padding.iter().all(|&byte| byte == 0) { &[] } else { &padding });
    writer.string(tail);
    let image = Image::new(width, height, layout, samples).ok()?;
    Some(Ok(Parted { image, recipe: writer.finish() }))
}

fn swap_red_and_blue(samples: &mut [u8], layout: Layout) {
    if matches!(layout.colour, Colour::Rgb | Colour::Rgba) {
        samples.chunks_exact_mut(layout.channels()).for_each(|pixel| pixel.swap(0, 2));
    }
}

/// For pixels that `image` read, which are RGB or RGBA: version 3 of the header, or version 4 with masks.
fn plain_recipe(layout: Layout) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    header[..2].copy_from_slice(b"BM");
    header[26] = 1; // planes
    header[28] = layout.bits_per_pixel() as u8;
    let mut info_bytes = 40;
    if layout.colour == Colour::Rgba {
        info_bytes = 108;
        header[30] = 3; // masks follow
        [0xff_0000u32, 0xff00, 0xff, 0xff00_0000].iter().for_each(|mask| header.extend(mask.to_le_bytes()));
        header.extend(*b"BGRs"); // sRGB, as Windows spells it
        header.resize(14 + 108, 0);
    }
    let offset = header.len() as u32;
    put(&mut header, 10, offset);
    put(&mut header, 14, info_bytes);
    let mut writer = Writer::new(tag::BMP);
    writer.byte(FILE_SIZE_FOLLOWS | IMAGE_SIZE_FOLLOWS);
    writer.string(&header);
    writer.string(&[]);
    writer.string(&[]);
    writer.finish()
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    let flags = reader.byte("recipe: BMP flags")?;
    let mut header = reader.string("recipe: BMP header")?.to_vec();
    let padding = reader.string("recipe: BMP padding")?;
    let tail = reader.string("recipe: bytes after the BMP")?;
    let signed = |side: u32| i32::try_from(side).map_err(|_| Error::LimitExceeded { what: "BMP side", limit: i32::MAX as u64 });
    let (width, height) = (signed(image.width)?, signed(image.height)?);
    let row_bytes = pack::row_bytes(image.width, image.layout);
    let pad = stride(row_bytes) - row_bytes;
    let raster_bytes = stride(row_bytes) * image.height as usize;
    if header.len() < HEADER_BYTES
        || flags > (TOP_DOWN | FILE_SIZE_FOLLOWS | IMAGE_SIZE_FOLLOWS)
        || !(padding.is_empty() || padding.len() == pad * image.height as usize)
        || image.layout.colour == Colour::GrayAlpha
    {
        return Err(Error::corrupt("recipe: BMP header"));
    }
    let file_bytes = header.len() + raster_bytes + tail.len();
    let field = |bytes: usize| u32::try_from(bytes).map_err(|_| Error::LimitExceeded { what: "BMP file", limit: u64::from(u32::MAX) });
    let top_down = flags & TOP_DOWN != 0;
    put(&mut header, WIDTH, width as u32);
    put(&mut header, HEIGHT, if top_down { -height } else { height } as u32);
    if flags & FILE_SIZE_FOLLOWS != 0 {
        put(&mut header, FILE_SIZE, field(file_bytes)?);
    }
    if flags & IMAGE_SIZE_FOLLOWS != 0 {
        put(&mut header, IMAGE_SIZE, field(raster_bytes)?);
    }

    let mut file = header;
    file.reserve(raster_bytes + tail.len());
    let (mut row, height) = (Vec::with_capacity(image.row_samples()), image.height as usize);
    for line in 0..height {
        let y = if top_down { line } else { height - 1 - line };
        row.clear();
        row.extend_from_slice(&image.samples[y * image.row_samples()..][..image.row_samples()]);
        swap_red_and_blue(&mut row, image.layout);
        pack::pack_row(&row, image.layout.bit_depth, &mut file);
        match padding.get(y * pad..(y + 1) * pad) {
            Some(bytes) => file.extend_from_slice(bytes),
            None => file.resize(file.len() + pad, 0),
        }
    }
    file.extend_from_slice(tail);
    Ok(file)
}
