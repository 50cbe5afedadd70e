//! PNG: gray, gray+alpha, RGB, RGBA and palette images of up to 16 bits a sample.
//!
//! The recipe of a file, after its tag: chunks before the image data; padding bits; row filters; deflate settings; bytes
//! after the end of the zlib stream; sizes of the `IDAT` chunks; chunks after them; bytes after `IEND`. Width, height and
//! layout come from the image, so files of one encoder share their recipe.

use crate::Error;
use crate::format::png_chunk::{self, Header, Parts};
use crate::format::png_filter::{self, Filters, Rule};
use crate::format::png_stream::Origin;
use crate::format::tag;
use crate::layout::{Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::pack;
use crate::recipe::{Reader, Writer};
use crate::zlib::{self, InflateError};

fn unreadable(why: &str) -> GeneralReason {
    GeneralReason::Unreadable(format!("PNG: {why}"))
}

/// Bytes of a pixel as filters count them.
fn filter_unit(layout: Layout) -> usize {
    (layout.bits_per_pixel() / 8).max(1)
}

pub(crate) fn open(bytes: &[u8], fidelity: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let Header { width, height, layout, .. } = png_chunk::header(bytes)?;
    limits.allow(width, height, layout, bytes.len())?;
    let parts = png_chunk::parse(bytes)?;
    if parts.header.interlaced {
        let image = deinterlace(&parts)?;
        return match fidelity {
            Fidelity::Files => Err(GeneralReason::NotRepeatable),
            Fidelity::Pixels => Ok(Parted { image, recipe: plain(&parts) }),
        };
    }
    let row_bytes = pack::row_bytes(width, layout);
    let (filtered, stream_bytes) = inflate(&parts.data, (row_bytes + 1) * height as usize)?;
    let (used, packed) = png_filter::unfilter(&filtered, row_bytes, filter_unit(layout)).ok_or_else(|| unreadable("unknown row filter"))?;
    let image = image(width, height, layout, pack::unpack(&packed, row_bytes, width, layout))?;
    if fidelity == Fidelity::Pixels {
        return Ok(Parted { image, recipe: plain(&parts) });
    }
    let (stream, after_stream) = parts.data.split_at(stream_bytes);
    // Only libpng trims the window that the stream's first byte declares.
    let likely = if stream.first().is_some_and(|cmf| cmf >> 4 < 7) { Rule::Libpng } else { Rule::Pillow };
    let filters = Filters::detect(&used, &packed, filter_unit(layout), likely);
    let origin = Origin::search(&filtered, stream, &filters).ok_or(GeneralReason::NotRepeatable)?;

    let mut writer = Writer::new(tag::PNG);
    png_chunk::write(&parts.before, &mut writer);
    match pack::padding_bits(&packed, width, layout) {
        None => writer.byte(0),
        Some(bits) => {
            writer.byte(1);
            writer.raw(&bits);
        }
    }
    filters.write(&mut writer);
    origin.write(&mut writer);
    writer.string(after_stream);
    write_sizes(&parts.data_sizes, &mut writer);
    png_chunk::write(&parts.after, &mut writer);
    writer.string(parts.tail);
    Ok(Parted { image, recipe: writer.finish() })
}

fn image(width: u32, height: u32, layout: Layout, samples: Vec<u8>) -> Result<Image, GeneralReason> {
    Image::new(width, height, layout, samples).map_err(|_| unreadable("sizes contradict each other"))
}

/// The image data of exactly `expected` bytes, and how many bytes of `data` the zlib stream takes.
fn inflate(data: &[u8], expected: usize) -> Result<(Vec<u8>, usize), GeneralReason> {
    let (raw, taken) = zlib::inflate(data, expected).map_err(|error| match error {
        InflateError::Corrupt => unreadable("corrupt image data"),
        InflateError::Truncated => unreadable("the image data ends early"),
        InflateError::TooLong => unreadable("more image data than pixels"),
    })?;
    if raw.len() == expected { Ok((raw, taken)) } else { Err(unreadable("fewer image data than pixels")) }
}

/// A recipe that keeps what is said about the image and nothing about the file.
fn plain(parts: &Parts<'_>) -> Vec<u8> {
    let facts = |chunks: &[png_chunk::Chunk<'_>], writer: &mut Writer| {
        let facts: Vec<_> = chunks.iter().filter(|chunk| png_chunk::is_image_fact(chunk.kind)).cloned().collect();
        png_chunk::write(&facts, writer);
    };
    let layout = parts.header.layout;
    let photo_like = layout.bit_depth >= 8 && layout.colour != crate::layout::Colour::Indexed;
    let filters = if photo_like { Filters::Rule(Rule::Libpng) } else { Filters::Uniform(0) };
    let mut writer = Writer::new(tag::PNG);
    facts(&parts.before, &mut writer);
    writer.byte(0);
    filters.write(&mut writer);
    Origin::PLAIN.write(&mut writer);
    writer.string(&[]);
    write_sizes(&[0], &mut writer);
    facts(&parts.after, &mut writer);
    writer.string(&[]);
    writer.finish()
}

/// One chunk: 0. Chunks of one size and a last one of 1 to that many bytes: 1, the size. Else: 2, all sizes but the last.
fn write_sizes(sizes: &[usize], writer: &mut Writer) {
    let (last, full) = sizes.split_last().expect("the parser saw an IDAT chunk");
    match full.first() {
        None => writer.number(0),
        Some(&size) if full.iter().all(|&each| each == size) && (1..=size).contains(last) => {
            writer.number(1);
            writer.number(size as u64);
        }
        Some(_) => {
            writer.number(2);
            writer.number(full.len() as u64);
            full.iter().for_each(|&size| writer.number(size as u64));
        }
    }
}

/// Appends the `IDAT` chunks.
fn push_data(reader: &mut Reader<'_>, data: &[u8], file: &mut Vec<u8>) -> Result<(), Error> {
    const WHAT: &str = "recipe: PNG chunk sizes";
    match reader.number(WHAT)? {
        0 => png_chunk::push(*b"IDAT", data, file),
        1 => {
            let size = reader.size(WHAT)?;
            if size == 0 {
                return Err(Error::corrupt(WHAT));
            }
            data.chunks(size).try_for_each(|data| png_chunk::push(*b"IDAT", data, file))
        }
        2 => {
            let mut left = data;
            for _ in 0..reader.number(WHAT)? {
                let (head, tail) = left.split_at_checked(reader.size(WHAT)?).ok_or(Error::corrupt(WHAT))?;
                png_chunk::push(*b"IDAT", head, file)?;
                left = tail;
            }
            png_chunk::push(*b"IDAT", left, file)
        }
        _ => Err(Error::corrupt(WHAT)),
    }
}

/// The file of a recipe; if it is not to be `whole`, without its compressed samples, but all of the recipe is read.
pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image, whole: bool) -> Result<Vec<u8>, Error> {
    let (width, height, layout) = (image.width, image.height, image.layout);
    let mut file = png_chunk::begin(Header { width, height, layout, interlaced: false })?;
    png_chunk::copy(reader, &mut file)?;

    let row_bytes = pack::row_bytes(width, layout);
    let mut packed = pack::pack(image);
    match reader.byte("recipe: PNG padding")? {
        0 => {}
        1 => {
            let mask = pack::padding_mask(width, layout);
            let bits = reader.raw(height as usize, "recipe: PNG padding")?;
            for (row, bits) in packed.chunks_exact_mut(row_bytes).zip(bits) {
                row[row_bytes - 1] |= bits & mask;
            }
        }
        _ => return Err(Error::corrupt("recipe: PNG padding")),
    }
    let filters = Filters::read(reader, height as usize)?;
    let origin = Origin::read(reader)?;
    let filtered = if whole { png_filter::filter(&packed, row_bytes, filter_unit(layout), &filters) } else { Vec::new() };
    let mut data = origin.deflate(&filtered);
    data.extend_from_slice(reader.string("recipe: bytes after the PNG stream")?);
    push_data(reader, &data, &mut file)?;
    png_chunk::copy(reader, &mut file)?;
    png_chunk::push(*b"IEND", &[], &mut file)?;
    file.extend_from_slice(reader.string("recipe: bytes after the PNG")?);
    Ok(file)
}

/// Column and row where each of Adam7's passes begins, and its steps (PNG specification, 8.2).
const PASSES: [(u32, u32, u32, u32); 7] = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

fn deinterlace(parts: &Parts<'_>) -> Result<Image, GeneralReason> {
    let Header { width, height, layout, .. } = parts.header;
    let passes = PASSES.map(|(x, y, dx, dy)| {
        let (columns, rows) = (width.saturating_sub(x).div_ceil(dx), height.saturating_sub(y).div_ceil(dy));
        let row_bytes = pack::row_bytes(columns, layout);
        let bytes = if columns == 0 { 0 } else { (row_bytes + 1) * rows as usize };
        (x as usize, y as usize, dx as usize, dy as usize, columns, row_bytes, bytes)
    });
    let (raw, _) = inflate(&parts.data, passes.iter().map(|pass| pass.6).sum())?;
    // Bytes of samples.
    let channels = layout.channels() * layout.sample_bytes();
    let row_samples = width as usize * channels;
    let mut samples = vec![0; row_samples * height as usize];
    let mut left = raw.as_slice();
    for (x, y, dx, dy, columns, row_bytes, bytes) in passes {
        let (filtered, rest) = left.split_at(bytes);
        left = rest;
        if filtered.is_empty() {
            continue;
        }
        let (_, packed) = png_filter::unfilter(filtered, row_bytes, filter_unit(layout)).ok_or_else(|| unreadable("unknown row filter"))?;
        let pass = pack::unpack(&packed, row_bytes, columns, layout);
        for (row, line) in pass.chunks_exact(columns as usize * channels).enumerate() {
            let target = &mut samples[(y + row * dy) * row_samples..][..row_samples];
            for (column, pixel) in line.chunks_exact(channels).enumerate() {
                target[(x + column * dx) * channels..][..channels].copy_from_slice(pixel);
            }
        }
    }
    image(width, height, layout, samples)
}
