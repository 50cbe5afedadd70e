//! TIFF: one page of strips, uncompressed or deflated, by ourselves; all other kinds through `image`.
//!
//! The exact recipe keeps what stands around the strips, directory and all, so only files of one size share it.

use image::ImageFormat;

use crate::Error;
use crate::format::png_filter::Filters;
use crate::format::png_stream::Origin;
use crate::format::tiff_directory::{Coding, Directory, has_pages, plain_file};
use crate::format::{decoded, tag};
use crate::layout::{Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::pack;
use crate::recipe::{Reader, Writer};
use crate::zlib;

pub(crate) fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    if has_pages(bytes) {
        return Err(GeneralReason::Unsupported("TIFF: several pages".to_owned()));
    }
    if let Some(directory) = Directory::read(bytes) {
        limits.allow(directory.width, directory.height, directory.layout, bytes.len())?;
        if let Some(parted) = open_strips(bytes, &directory) {
            return Ok(parted);
        }
    }
    let decoded = decoded::decode(bytes, ImageFormat::Tiff, "TIFF", limits)?;
    let mut writer = Writer::new(tag::TIFF_PLAIN);
    writer.string(&decoded.icc_profile);
    match fidelity {
        Fidelity::Files => Err(GeneralReason::NotRepeatable),
        Fidelity::Pixels => Ok(Parted { image: decoded.image, recipe: writer.finish() }),
    }
}

/// `None` if the strips are damaged, out of order, or of a deflate we cannot repeat.
fn open_strips(bytes: &[u8], directory: &Directory) -> Option<Parted> {
    let &Directory { width, height, layout, coding, differences, rows_per_strip, big, ref strips } = directory;
    let deep = layout.bit_depth == 16;
    let row_bytes = pack::row_bytes(width, layout);
    let raster_bytes = row_bytes.checked_mul(height as usize)?;
    let strip_bytes = row_bytes * rows_per_strip as usize;
    let mut packed = Vec::with_capacity(raster_bytes.min(bytes.len() * 2));
    let mut gaps: Vec<&[u8]> = Vec::with_capacity(strips.len());
    let mut origin = None;
    let mut done = 0;
    for &(offset, size) in strips {
        let raw_bytes = strip_bytes.min(raster_bytes - packed.len());
        let stored = bytes.get(offset..offset.checked_add(size)?)?;
        gaps.push(bytes.get(done..offset)?);
        let taken = match coding {
            Coding::Plain => {
                packed.extend_from_slice(stored.get(..raw_bytes)?);
                raw_bytes
            }
            Coding::Deflate => {
                let (raw, taken) = zlib::inflate(stored, raw_bytes).ok()?;
                if raw.len() != raw_bytes {
                    return None;
                }
                if origin.is_none() {
                    origin = Some(Origin::search(&raw, &stored[..taken], &Filters::Uniform(0))?);
                }
                packed.extend_from_slice(&raw);
                taken
            }
        };
        done = offset + taken;
    }
    if deep && !big {
        swap(&mut packed);
    }
    if differences {
        packed.chunks_exact_mut(row_bytes).for_each(|row| sum_up(row, layout));
    }
    let mut writer = Writer::new(if deep { tag::TIFF_DEEP } else { tag::TIFF });
    if deep {
        writer.byte(big.into());
    }
    writer.number(u64::from(rows_per_strip));
    writer.byte(u8::from(differences));
    match origin {
        None => writer.byte(0),
        Some(origin) => {
            writer.byte(1);
            origin.write(&mut writer);
        }
    }
    gaps.iter().for_each(|gap| writer.string(gap));
    writer.string(bytes.get(done..)?);
    let image = Image::new(width, height, layout, pack::unpack(&packed, row_bytes, width, layout)).ok()?;
    Some(Parted { image, recipe: writer.finish() })
}

/// Differences from the pixel to the left become samples.
fn sum_up(row: &mut [u8], layout: Layout) {
    let channels = layout.channels();
    if layout.bit_depth == 16 {
        let row = row.as_chunks_mut::<2>().0;
        for i in channels..row.len() {
            row[i] = u16::from_be_bytes(row[i]).wrapping_add(u16::from_be_bytes(row[i - channels])).to_be_bytes();
        }
        return;
    }
    for i in channels..row.len() {
        row[i] = row[i].wrapping_add(row[i - channels]);
    }
}

/// Samples become differences from the pixel to the left.
fn take_differences(row: &mut [u8], layout: Layout) {
    let channels = layout.channels();
    if layout.bit_depth == 16 {
        let row = row.as_chunks_mut::<2>().0;
        for i in (channels..row.len()).rev() {
            row[i] = u16::from_be_bytes(row[i]).wrapping_sub(u16::from_be_bytes(row[i - channels])).to_be_bytes();
        }
        return;
    }
    for i in (channels..row.len()).rev() {
        row[i] = row[i].wrapping_sub(row[i - channels]);
    }
}

/// Samples of 16 bits with their bytes the other way round.
fn swap(packed: &mut [u8]) {
    packed.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
}

/// The same for samples of 16 bits.
pub(crate) fn rebuild_deep(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    match (reader.byte("recipe: TIFF byte order")?, image.layout.bit_depth) {
        (0, 16) => rebuild_strips(reader, image, false),
        (1, 16) => rebuild_strips(reader, image, true),
        _ => Err(Error::corrupt("recipe: TIFF byte order")),
    }
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    rebuild_strips(reader, image, true)
}

fn rebuild_strips(reader: &mut Reader<'_>, image: &Image, big: bool) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "recipe: TIFF strips";
    let rows_per_strip = reader.size(WHAT)?.min(image.height as usize);
    let differences = match reader.byte(WHAT)? {
        0 => false,
        1 if image.layout.bit_depth >= 8 => true,
        _ => return Err(Error::corrupt(WHAT)),
    };
    let origin = match reader.byte(WHAT)? {
        0 => None,
        1 => Some(Origin::read(reader)?),
        _ => return Err(Error::corrupt(WHAT)),
    };
    if rows_per_strip == 0 {
        return Err(Error::corrupt(WHAT));
    }
    let layout: Layout = image.layout;
    let row_bytes = pack::row_bytes(image.width, layout);
    let mut packed = pack::pack(image);
    if differences {
        packed.chunks_exact_mut(row_bytes).for_each(|row| take_differences(row, layout));
    }
    if !big {
        swap(&mut packed);
    }
    let mut file = Vec::new();
    for strip in packed.chunks(row_bytes * rows_per_strip) {
        file.extend_from_slice(reader.string(WHAT)?);
        match origin {
            None => file.extend_from_slice(strip),
            Some(origin) => file.extend_from_slice(&origin.deflate(strip)),
        }
    }
    file.extend_from_slice(reader.string(WHAT)?);
    Ok(file)
}

pub(crate) fn rebuild_plain(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    plain_file(image, reader.string("recipe: TIFF colour profile")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Colour;
    use crate::open::{Opened, open};
    use crate::rebuild::rebuild;
    use crate::zlib::Settings;

    /// A plain file whose one strip is replaced by `strip`; the entry for opacity becomes one for differences if asked.
    fn recoded(image: &Image, compression: u32, strip: &[u8], differences: bool) -> Vec<u8> {
        let plain = plain_file(image, &[]).unwrap();
        let start = u32::from_le_bytes(plain[4..8].try_into().unwrap()) as usize;
        let mut file = plain[..8].to_vec();
        file.extend_from_slice(strip);
        file.resize(file.len().next_multiple_of(2), 0);
        let moved = file.len();
        file[4..8].copy_from_slice(&(moved as u32).to_le_bytes());
        file.extend_from_slice(&plain[start..]);
        let entries = usize::from(u16::from_le_bytes([file[moved], file[moved + 1]]));
        for entry in file[moved + 2..][..entries * 12].chunks_exact_mut(12) {
            let value = u32::from_le_bytes(entry[8..].try_into().unwrap());
            let value = match u16::from_le_bytes([entry[0], entry[1]]) {
                258 if entry[4] > 2 => (value as usize + moved - start) as u32,
                259 => compression,
                279 => strip.len() as u32,
                338 if differences => {
                    entry[..2].copy_from_slice(&317u16.to_le_bytes());
                    2
                }
                _ => value,
            };
            entry[8..].copy_from_slice(&value.to_le_bytes());
        }
        file
    }

    /// LZW without a single match: 9-bit codes, the table cleared before they grow.
    fn lzw(bytes: &[u8]) -> Vec<u8> {
        let mut codes = Vec::new();
        for part in bytes.chunks(250) {
            codes.push(256u16);
            codes.extend(part.iter().map(|&byte| u16::from(byte)));
        }
        codes.push(257);
        let bits: Vec<u8> = codes.iter().flat_map(|code| (0..9).rev().map(move |bit| (code >> bit & 1) as u8)).collect();
        bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(i, bit)| bit << (7 - i)).sum()).collect()
    }

    fn image() -> Image {
        let samples = (0..40 * 30 * 4u32).map(|i| (i / 4 + i % 4 * 50 + ((i * i) >> 7 & 3)) as u8).collect();
        Image::new(40, 30, Layout::eight(Colour::Rgba), samples).unwrap()
    }

    fn deep_image() -> Image {
        let samples = (0..40 * 30 * 3u32).flat_map(|i| ((i * 97 + ((i * i) >> 5 & 31)) as u16).to_le_bytes()).collect();
        Image::new(40, 30, Layout::sixteen(Colour::Rgb), samples).unwrap()
    }

    fn deep_rgba() -> Image {
        let samples = (0..40 * 30 * 4u32).flat_map(|i| ((i / 4 * 97 + i % 4 * 9000) as u16).to_le_bytes()).collect();
        Image::new(40, 30, Layout::sixteen(Colour::Rgba), samples).unwrap()
    }

    /// Samples as a little-endian file has them.
    fn rows(image: &Image, differ: bool) -> Vec<u8> {
        let mut rows = pack::pack(image);
        if differ {
            rows.chunks_exact_mut(image.row_bytes()).for_each(|row| take_differences(row, image.layout));
        }
        if image.layout.bit_depth == 16 {
            swap(&mut rows);
        }
        rows
    }

    fn opened(file: &[u8], fidelity: Fidelity) -> Result<(Image, Vec<u8>), GeneralReason> {
        match open(file, fidelity, &OpenLimits::default()) {
            Opened::Image { image, recipe } => Ok((image, recipe)),
            Opened::General { reason } => Err(reason),
        }
    }

    #[test]
    fn deflated_strips_are_exact() {
        // An entry of files with opacity becomes the one for differences.
        for (image, differ) in [(image(), false), (image(), true), (deep_image(), false), (deep_rgba(), true)] {
            for level in [1, 6, 9] {
                let strip = zlib::deflate(Settings { level, ..Settings::PLAIN }, &rows(&image, differ));
                let file = recoded(&image, 8, &strip, differ);
                let (found, recipe) = opened(&file, Fidelity::Files).unwrap();
                assert_eq!(found, image);
                assert!(rebuild(&recipe, &image).unwrap() == file);
            }
        }
    }

    #[test]
    fn other_codings_keep_their_pixels() {
        let image = image();
        let file = recoded(&image, 5, &lzw(&image.samples), false);
        assert_eq!(opened(&file, Fidelity::Files), Err(GeneralReason::NotRepeatable));
        let (found, recipe) = opened(&file, Fidelity::Pixels).unwrap();
        assert_eq!(found, image);
        let plain = rebuild(&recipe, &image).unwrap();
        assert_eq!(opened(&plain, Fidelity::Files).unwrap().0, image);
    }

    #[test]
    fn a_colour_profile_survives_plain_rebuilding() {
        let image = image();
        let file = plain_file(&image, b"a profile").unwrap();
        let decoded = decoded::decode(&file, ImageFormat::Tiff, "TIFF", &OpenLimits::default()).unwrap();
        assert_eq!((decoded.image, decoded.icc_profile.as_slice()), (image, &b"a profile"[..]));
    }
}
