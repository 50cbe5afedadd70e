//! The one directory of a simple TIFF file, read and written.

use crate::Error;
use crate::layout::{Colour, Image, Layout};

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTES: u16 = 279;
const PLANAR: u16 = 284;
const PREDICTOR: u16 = 317;
const TILE_WIDTH: u16 = 322;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const ICC_PROFILE: u16 = 34675;

/// How the strips are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Deflate,
}

/// What is needed to read the strips of a simple file.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    pub(crate) coding: Coding,
    /// Each sample is stored as its difference from the one to its left.
    pub(crate) differences: bool,
    pub(crate) rows_per_strip: u32,
    /// Samples of 16 bits have their high byte first.
    pub(crate) big: bool,
    /// First byte and bytes of each strip, top to bottom.
    pub(crate) strips: Vec<(usize, usize)>,
}

/// Reads numbers in the file's byte order; `None` beyond its end.
struct Numbers<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Numbers<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let field = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u16::from_be_bytes(field) } else { u16::from_le_bytes(field) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let field = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) })
    }

    /// The values of the entry at `at`, if they are whole numbers without sign.
    fn values(&self, at: usize) -> Option<Vec<u32>> {
        let (kind, count) = (self.u16(at + 2)?, self.u32(at + 4)? as usize);
        let size = match kind {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let bytes = count.checked_mul(size)?;
        let start = if bytes <= 4 { at + 8 } else { self.u32(at + 8)? as usize };
        self.bytes.get(start..start.checked_add(bytes)?)?;
        (0..count)
            .map(|i| match size {
                1 => self.bytes.get(start + i).map(|&byte| u32::from(byte)),
                2 => self.u16(start + i * 2).map(u32::from),
                _ => self.u32(start + i * 4),
            })
            .collect()
    }
}

/// Whether the file has more than one page.
pub(crate) fn has_pages(bytes: &[u8]) -> bool {
    let numbers = Numbers { bytes, big: bytes.first() == Some(&b'M') };
    let next = || {
        let first = numbers.u32(4)? as usize;
        let entries = usize::from(numbers.u16(first)?);
        numbers.u32(first.checked_add(2 + entries * 12)?)
    };
    next().is_some_and(|next| next != 0)
}

impl Directory {
    /// `None` if the file is damaged or of a kind only `image` reads.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let numbers = Numbers { bytes, big: bytes.first() == Some(&b'M') };
        let first = numbers.u32(4)? as usize;
        let entries: Vec<(u16, usize)> = (0..usize::from(numbers.u16(first)?))
            .map(|i| first.checked_add(2 + i * 12).and_then(|at| Some((numbers.u16(at)?, at))))
            .collect::<Option<_>>()?;
        let values = |tag: u16| entries.iter().find(|entry| entry.0 == tag).map(|entry| numbers.values(entry.1));
        // a tag that is absent has its default; one that cannot be read makes the file not simple
        let one = |tag: u16, default: u32| match values(tag) {
            None => Some(default),
            Some(values) => match values?.as_slice() {
                [value] => Some(*value),
                _ => None,
            },
        };
        let all_are = |tag: u16, default: u32| match values(tag) {
            None => Some(default),
            Some(values) => {
                let values = values?;
                let first = *values.first()?;
                values.iter().all(|&value| value == first).then_some(first)
            }
        };
        let width = one(WIDTH, 0).filter(|&side| side > 0)?;
        let height = one(HEIGHT, 0).filter(|&side| side > 0)?;
        let simple = one(FILL_ORDER, 1)? == 1 && one(PLANAR, 1)? == 1 && all_are(SAMPLE_FORMAT, 1)? == 1 && one(TILE_WIDTH, 0)? == 0;
        let colour = match (one(PHOTOMETRIC, u32::MAX)?, one(SAMPLES, 1)?) {
            (0 | 1, 1) => Colour::Gray,
            (0 | 1, 2) => Colour::GrayAlpha,
            (2, 3) => Colour::Rgb,
            (2, 4) => Colour::Rgba,
            (3, 1) => Colour::Indexed,
            _ => return None,
        };
        let layout = Layout::new(colour, u8::try_from(all_are(BITS, 1)?).ok()?).ok()?;
        let coding = match one(COMPRESSION, 1)? {
            1 => Coding::Plain,
            8 | 32946 => Coding::Deflate,
            _ => return None,
        };
        let differences = match (one(PREDICTOR, 1)?, coding, layout.bit_depth) {
            (1, ..) | (_, Coding::Plain, _) => false,
            (2, Coding::Deflate, 8 | 16) => true,
            _ => return None,
        };
        let rows_per_strip = one(ROWS_PER_STRIP, u32::MAX)?.min(height);
        let (offsets, sizes) = (values(STRIP_OFFSETS)??, values(STRIP_BYTES)??);
        let whole = rows_per_strip > 0 && offsets.len() == sizes.len() && offsets.len() == height.div_ceil(rows_per_strip) as usize;
        let strips = offsets.iter().zip(&sizes).map(|(&offset, &size)| (offset as usize, size as usize)).collect();
        (simple && whole).then_some(Self { width, height, layout, coding, differences, rows_per_strip, big: numbers.big, strips })
    }
}

/// A little-endian file of one uncompressed strip: 8 bytes, the samples, the directory.
pub(crate) fn plain_file(image: &Image, icc_profile: &[u8]) -> Result<Vec<u8>, Error> {
    let photometric = match image.layout.colour {
        Colour::Gray | Colour::GrayAlpha => 1,
        Colour::Rgb | Colour::Rgba => 2,
        Colour::Indexed => return Err(Error::corrupt("recipe: TIFF kind for this sample layout")),
    };
    let limit = |_| Error::LimitExceeded { what: "TIFF file", limit: u64::from(u32::MAX) };
    let bits = u32::from(image.layout.bit_depth);
    if bits < 8 {
        return Err(Error::corrupt("recipe: TIFF kind for this sample layout"));
    }
    let strip_bytes = u32::try_from(image.samples.len()).map_err(limit)?;
    let channels = image.layout.channels();
    // the directory stands on an even byte; each value list too long for its entry follows it
    let directory = (8 + image.samples.len()).next_multiple_of(2);
    let has_alpha = channels.is_multiple_of(2);
    let n_entries = 9 + usize::from(has_alpha) + usize::from(!icc_profile.is_empty());
    let after = directory + 2 + n_entries * 12 + 4;
    let bits_at = u32::try_from(after).map_err(limit)?;
    let icc_at = u32::try_from(after + 8).map_err(limit)?;
    let icc_bytes = u32::try_from(icc_profile.len()).map_err(limit)?;
    u32::try_from(after + 8 + icc_profile.len()).map_err(limit)?;

    let each = bits;
    let bits = if channels <= 2 { (each << 16 | each) >> (32 - 16 * channels as u32) } else { bits_at };
    let (short, long, bytes) = (3u16, 4u16, 7u16);
    let mut entries = vec![
        (WIDTH, long, 1, image.width),
        (HEIGHT, long, 1, image.height),
        (BITS, short, channels as u32, bits),
        (COMPRESSION, short, 1, 1),
        (PHOTOMETRIC, short, 1, photometric),
        (STRIP_OFFSETS, long, 1, 8),
        (SAMPLES, short, 1, channels as u32),
        (ROWS_PER_STRIP, long, 1, image.height),
        (STRIP_BYTES, long, 1, strip_bytes),
    ];
    if has_alpha {
        entries.push((EXTRA_SAMPLES, short, 1, 2)); // opacity that the colours are not multiplied by
    }
    if !icc_profile.is_empty() {
        entries.push((ICC_PROFILE, bytes, icc_bytes, icc_at));
    }

    let mut file = Vec::with_capacity(after + 8 + icc_profile.len());
    file.extend_from_slice(b"II*\0");
    file.extend_from_slice(&(directory as u32).to_le_bytes());
    file.extend_from_slice(&image.samples);
    file.resize(directory, 0);
    file.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&count.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&0u32.to_le_bytes());
    file.extend_from_slice(&[each as u8, 0].repeat(4));
    file.extend_from_slice(icc_profile);
    Ok(file)
}
