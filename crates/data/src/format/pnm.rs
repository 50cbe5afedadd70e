//! PNM: `P1` to `P6` with values up to 65535.
//!
//! The recipe keeps the magic digit, the largest value and everything between the numbers of the header; width and height come
//! from the image. Text files (`P1` to `P3`) are rebuilt from what separates samples, pixels, rows and lines.

use crate::Error;
use crate::format::tag;
use crate::layout::{Colour, Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Parted};
use crate::pack;
use crate::recipe::{Reader, Writer};

/// Longest separator a text recipe may repeat: rebuilding stays below this many bytes a sample.
pub(crate) const SEPARATOR_BYTES: usize = 16;

fn unreadable(why: &str) -> GeneralReason {
    GeneralReason::Unreadable(format!("PNM: {why}"))
}

/// Reads numbers and what stands between them.
struct Scanner<'a> {
    left: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.left.split_at(n);
        self.left = tail;
        head
    }

    /// White space and comments.
    fn gap(&mut self) -> &'a [u8] {
        let mut n = 0;
        while let Some(byte) = self.left.get(n) {
            n += match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => 1,
                b'#' => self.left[n..].iter().position(|&b| b == b'\n').unwrap_or(self.left.len() - n),
                _ => break,
            };
        }
        self.take(n)
    }

    fn number(&mut self) -> Result<u32, GeneralReason> {
        let digits = self.left.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(self.take(digits)).unwrap_or_default();
        text.parse().map_err(|_| unreadable(if self.left.is_empty() { "the file ends early" } else { "a number is missing" }))
    }

    /// A pixel of `P1`: digits may stand side by side.
    fn digit(&mut self) -> Result<u32, GeneralReason> {
        match self.left.first() {
            Some(b'0' | b'1') => Ok(u32::from(self.take(1)[0] - b'0')),
            Some(_) => Err(unreadable("a pixel is neither 0 nor 1")),
            None => Err(unreadable("the file ends early")),
        }
    }
}

/// The numbers of a header and what stands before each.
struct Header<'a> {
    kind: u8,
    width: u32,
    height: u32,
    max: Option<u32>,
    gaps: [&'a [u8]; 3],
}

impl<'a> Header<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, GeneralReason> {
        let kind = scanner.take(2)[1];
        let before_width = scanner.gap();
        let width = scanner.number()?;
        let before_height = scanner.gap();
        let height = scanner.number()?;
        let (before_max, max) = match kind {
            b'1' | b'4' => (&[][..], None),
            _ => (scanner.gap(), Some(scanner.number()?)),
        };
        if let Some(0 | 0x1_0000..) = max {
            return Err(unreadable("the largest value is not within 1..=65535"));
        }
        if width == 0 || height == 0 {
            return Err(unreadable("no pixels"));
        }
        Ok(Self { kind, width, height, max, gaps: [before_width, before_height, before_max] })
    }

    const fn colour(&self) -> Colour {
        if matches!(self.kind, b'3' | b'6') { Colour::Rgb } else { Colour::Gray }
    }

    /// Bits of a sample where they do not depend on the samples.
    fn whole(&self) -> Layout {
        if self.max > Some(255) { Layout::sixteen(self.colour()) } else { Layout::eight(self.colour()) }
    }

    /// Gray values up to 1, 3 or 15 are samples of 1, 2 or 4 bits if they keep their word.
    fn layout(&self, samples: &[u8]) -> Layout {
        let bit_depth = match self.max {
            None | Some(1) => 1,
            Some(3) => 2,
            Some(15) => 4,
            _ => return self.whole(),
        };
        match Layout::new(self.colour(), bit_depth) {
            Ok(layout) if samples.iter().all(|&sample| u16::from(sample) <= layout.max_sample()) => layout,
            _ => Layout::eight(self.colour()),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.byte(self.kind);
        writer.number(u64::from(self.max.unwrap_or(0)));
        self.gaps.iter().for_each(|gap| writer.string(gap));
    }

    fn parted(&self, samples: Vec<u8>, recipe: Vec<u8>) -> Result<Parted, GeneralReason> {
        let layout = self.layout(&samples);
        let image = Image::new(self.width, self.height, layout, samples).map_err(|_| unreadable("sizes contradict each other"))?;
        Ok(Parted { image, recipe })
    }
}

/// Copies a header from a recipe to a file, with the image's size; returns the magic digit.
fn copy_header(reader: &mut Reader<'_>, image: &Image, file: &mut Vec<u8>) -> Result<u8, Error> {
    const WHAT: &str = "recipe: PNM header";
    let kind = reader.byte(WHAT)?;
    let max = reader.number(WHAT)?;
    file.extend_from_slice(&[b'P', kind]);
    let numbers = [Some(u64::from(image.width)), Some(u64::from(image.height)), (max > 0).then_some(max)];
    for number in numbers {
        file.extend_from_slice(reader.string(WHAT)?);
        if let Some(number) = number {
            file.extend_from_slice(number.to_string().as_bytes());
        }
    }
    Ok(kind)
}

pub(crate) fn open(bytes: &[u8], _: Fidelity, limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let mut scanner = Scanner { left: bytes };
    let header = Header::read(&mut scanner)?;
    limits.allow(header.width, header.height, header.whole(), bytes.len())?;
    if matches!(header.kind, b'1'..=b'3') { open_text(&header, scanner) } else { open_binary(&header, &scanner) }
}

fn open_binary(header: &Header<'_>, scanner: &Scanner<'_>) -> Result<Parted, GeneralReason> {
    let (end, raster) = match scanner.left.split_first() {
        Some((&end, raster)) if end.is_ascii_whitespace() => (end, raster),
        _ => return Err(unreadable("no white space after the header")),
    };
    let one_bit = header.kind == b'4';
    let stored = if one_bit { Layout::new(header.colour(), 1).unwrap_or(header.whole()) } else { header.whole() };
    let row_bytes = pack::row_bytes(header.width, stored);
    let (raster, tail) = raster.split_at_checked(row_bytes * header.height as usize).ok_or_else(|| unreadable("the file ends early"))?;
    let mut writer = Writer::new(tag::PNM);
    header.write(&mut writer);
    writer.byte(end);
    writer.string(tail);
    header.parted(pack::unpack(raster, row_bytes, header.width, stored), writer.finish())
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    let mut file = Vec::with_capacity(image.samples.len() + 64);
    let kind = copy_header(reader, image, &mut file)?;
    file.push(reader.byte("recipe: PNM header")?);
    match (kind, image.layout.bit_depth) {
        (b'4', 1) => file.extend_from_slice(&pack::pack(image)),
        (b'4', _) => return Err(Error::corrupt("recipe: PNM kind for this sample layout")),
        (_, 16) => file.extend_from_slice(&pack::pack(image)),
        _ => file.extend_from_slice(&image.samples),
    }
    file.extend_from_slice(reader.string("recipe: bytes after the PNM")?);
    Ok(file)
}

/// What stands after the samples of a text file.
#[derive(Debug, Default)]
struct Separators<'a> {
    /// Within a pixel, after a pixel, after a row, at a line's end that is no row's end.
    between: [&'a [u8]; 4],
    /// Samples a line where lines end within rows; 0 if they do not.
    line_samples: usize,
    /// Lines are counted from the start of each row.
    restart: bool,
}

impl Separators<'_> {
    /// What stands after sample `i`, given samples of a pixel and of a row.
    fn after(&self, i: usize, channels: usize, row: usize) -> &[u8] {
        let column = i % row + 1;
        let counted = if self.restart { column } else { i + 1 };
        let place = if self.line_samples > 0 && counted.is_multiple_of(self.line_samples) && !(self.restart && column == row) {
            3
        } else if column == row {
            2
        } else {
            usize::from(column.is_multiple_of(channels))
        };
        self.between[place]
    }
}

fn open_text(header: &Header<'_>, mut scanner: Scanner<'_>) -> Result<Parted, GeneralReason> {
    let channels = header.colour().channels();
    let row = header.width as usize * channels;
    let n = row * header.height as usize;
    let max = header.max.unwrap_or(1);
    let before = scanner.gap();
    let mut samples = Vec::new();
    let mut separators = Separators::default();
    let mut tail: &[u8] = &[];
    for i in 0..n {
        let value = if header.kind == b'1' { scanner.digit()? } else { scanner.number()? };
        if value > max {
            return Err(unreadable("a sample is larger than the largest value"));
        }
        match max {
            ..=255 => samples.push(value as u8),
            _ => samples.extend_from_slice(&(value as u16).to_le_bytes()),
        }
        let gap = scanner.gap();
        if gap.is_empty() && header.kind != b'1' && i + 1 < n {
            return Err(unreadable(if scanner.left.is_empty() { "the file ends early" } else { "a number is missing" }));
        }
        let usual = if gap.len() <= SEPARATOR_BYTES { gap } else { b"\n" };
        match i + 1 {
            done if done == n => tail = gap,
            done if done == row => separators.between[2] = usual,
            done if done == channels => separators.between[1] = usual,
            1 => separators.between[0] = usual,
            _ => {}
        }
        if separators.line_samples == 0 && (i + 1) % row != 0 && gap.contains(&b'\n') {
            separators.line_samples = i + 1;
            separators.between[3] = usual;
        }
    }
    if separators.between[1].contains(&b'\n') {
        separators.line_samples = 0; // a line a pixel (or sample): nothing more to say
    }
    separators.restart = separators.between[2].contains(&b'\n');

    let mut writer = Writer::new(tag::PNM_TEXT);
    header.write(&mut writer);
    writer.string(before);
    separators.between.iter().for_each(|separator| writer.string(separator));
    writer.number(separators.line_samples as u64);
    writer.byte(u8::from(separators.restart));
    writer.string(tail);
    writer.string(scanner.left);
    header.parted(samples, writer.finish())
}

pub(crate) fn rebuild_text(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "recipe: PNM separators";
    let mut file = Vec::with_capacity(64);
    copy_header(reader, image, &mut file)?;
    file.extend_from_slice(reader.string(WHAT)?);
    let mut separators = Separators::default();
    for separator in &mut separators.between {
        *separator = reader.string(WHAT)?;
        if separator.len() > SEPARATOR_BYTES {
            return Err(Error::corrupt(WHAT));
        }
    }
    separators.line_samples = reader.size(WHAT)?;
    separators.restart = reader.byte(WHAT)? != 0;
    let (channels, row) = (image.layout.channels(), image.row_samples());
    let longest = separators.between.iter().map(|separator| separator.len()).max().unwrap_or(0);
    file.reserve_exact(image.samples.len().saturating_mul(3 + longest));
    let unit = image.layout.sample_bytes();
    let n = image.samples.len() / unit;
    for (i, sample) in image.samples.chunks_exact(unit).enumerate() {
        push_decimal(sample.iter().rev().fold(0, |value, &byte| value << 8 | u16::from(byte)), &mut file);
        if i + 1 < n {
            file.extend_from_slice(separators.after(i, channels, row));
        }
    }
    file.extend_from_slice(reader.string(WHAT)?);
    file.extend_from_slice(reader.string("recipe: bytes after the PNM")?);
    Ok(file)
}

fn push_decimal(value: u16, file: &mut Vec<u8>) {
    for place in [10_000, 1000, 100, 10] {
        if value >= place {
            file.push(b'0' + (value / place % 10) as u8);
        }
    }
    file.push(b'0' + (value % 10) as u8);
}
