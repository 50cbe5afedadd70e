//! DICOM: one or more frames of uncompressed samples of 8 or 16 bits, little-endian.
//!
//! The recipe keeps what stands before and after the samples. Frames stand one below the other in the image. Signed samples are coded with
//! their sign bit turned over, so that their order is that of numbers without sign.

use crate::Error;
use crate::format::tag;
use crate::layout::{Colour, Image, Layout};
use crate::open::{GeneralReason, OpenLimits, Parted};
use crate::recipe::{Reader, Writer};

/// Where the data set begins: 128 bytes of any meaning, then `DICM` (PS3.10, 7.1).
const PREAMBLE: usize = 128;
const MAGIC: &[u8; 4] = b"DICM";
/// Sequences inside sequences that are followed.
const DEEPEST: usize = 16;
/// A length that is not said: an item or sequence ends with a delimiter (PS3.5, 7.5).
const UNDEFINED: u32 = u32::MAX;

/// Transfer syntaxes of plain samples (PS3.5, A.1 and A.2).
const IMPLICIT: &[u8] = b"1.2.840.10008.1.2";
const EXPLICIT: &[u8] = b"1.2.840.10008.1.2.1";

const TRANSFER_SYNTAX: u32 = 0x0002_0010;
const SAMPLES_PER_PIXEL: u32 = 0x0028_0002;
const PLANAR: u32 = 0x0028_0006;
const FRAMES: u32 = 0x0028_0008;
const ROWS: u32 = 0x0028_0010;
const COLUMNS: u32 = 0x0028_0011;
const BITS_ALLOCATED: u32 = 0x0028_0100;
const SIGNED: u32 = 0x0028_0103;
const PIXEL_DATA: u32 = 0x7fe0_0010;
const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;

/// Whether a file that begins with `head` is one.
pub(crate) fn is_dicom(head: &[u8]) -> bool {
    head.get(PREAMBLE..PREAMBLE + MAGIC.len()) == Some(MAGIC.as_slice())
}

fn unreadable(why: &str) -> GeneralReason {
    GeneralReason::Unreadable(format!("DICOM: {why}"))
}

fn unsupported(what: &str) -> GeneralReason {
    GeneralReason::Unsupported(format!("DICOM: {what}"))
}

/// An element: its tag, and where its value lies.
struct Element {
    tag: u32,
    start: usize,
    length: u32,
    /// Its value is a sequence, or may be one.
    nests: bool,
}

/// Walks the elements of a data set.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    /// The next element; `None` at or beyond the end. Does not pass its value.
    fn next(&mut self, explicit: bool) -> Option<Element> {
        let tag = u32::from(self.u16(self.at)?) << 16 | u32::from(self.u16(self.at + 2)?);
        // Items and delimiters have no value representation in any syntax.
        let (start, length, nests) = if !explicit || tag >> 16 == 0xfffe {
            (self.at + 8, self.u32(self.at + 4)?, true)
        } else {
            let vr: [u8; 2] = *self.bytes.get(self.at + 4..)?.first_chunk()?;
            match &vr {
                // 32-bit lengths (PS3.5, 7.1.2).
                b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV" => {
                    (self.at + 12, self.u32(self.at + 8)?, matches!(&vr, b"SQ" | b"UN"))
                }
                _ => (self.at + 8, self.u16(self.at + 6)?.into(), false),
            }
        };
        self.at = start;
        Some(Element { tag, start, length, nests })
    }

    /// Passes an element's value.
    fn pass(&mut self, element: &Element, explicit: bool, depth: usize) -> Option<()> {
        if element.length != UNDEFINED {
            self.at = element.start.checked_add(element.length as usize).filter(|&end| end <= self.bytes.len())?;
            return Some(());
        }
        if !element.nests || depth == DEEPEST {
            return None;
        }
        let end = if element.tag == ITEM { ITEM_END } else { SEQUENCE_END };
        loop {
            let inner = self.next(explicit)?;
            if inner.tag == end {
                return Some(());
            }
            self.pass(&inner, explicit, depth + 1)?;
        }
    }

    fn value(&self, element: &Element) -> Option<&'a [u8]> {
        self.bytes.get(element.start..element.start.checked_add(element.length as usize)?)
    }
}

/// What is said about the samples.
struct Facts {
    layout: Layout,
    width: u32,
    height: u32,
    signed: bool,
    /// Where the samples lie.
    start: usize,
    end: usize,
}

impl Facts {
    fn read(bytes: &[u8]) -> Result<Self, GeneralReason> {
        let mut walk = Walk { bytes, at: PREAMBLE + MAGIC.len() };
        let mut explicit = true;
        let mut syntax: &[u8] = &[];
        let (mut samples, mut planar, mut frames, mut rows, mut columns, mut bits, mut signed) = (1, 0, 1, 0, 0, 0, 0);
        let data = loop {
            // The file's own group 2 is explicit whatever follows (PS3.10, 7.1).
            let in_head = walk.u16(walk.at) == Some(2);
            if !in_head && explicit {
                explicit = match syntax {
                    IMPLICIT => false,
                    EXPLICIT => true,
                    _ => return Err(unsupported("compressed, deflated or big-endian samples")),
                };
            }
            let element = walk.next(explicit).ok_or_else(|| unreadable("no samples, or cut short"))?;
            if element.tag == PIXEL_DATA {
                break element;
            }
            let number = || walk.value(&element).and_then(|value| value.first_chunk()).map_or(0, |&pair| u16::from_le_bytes(pair));
            match element.tag {
                TRANSFER_SYNTAX => {
                    let value = walk.value(&element).unwrap_or_default();
                    syntax = value.strip_suffix(b"\0").unwrap_or(value);
                }
                SAMPLES_PER_PIXEL => samples = number(),
                PLANAR => planar = number(),
                ROWS => rows = number(),
                COLUMNS => columns = number(),
                BITS_ALLOCATED => bits = number(),
                SIGNED => signed = number(),
                FRAMES => {
                    let text = walk.value(&element).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
                    frames = text.trim_matches([' ', '\0']).parse::<u32>().map_err(|_| unreadable("number of frames"))?;
                }
                _ => {}
            }
            walk.pass(&element, explicit, 0).ok_or_else(|| unreadable("an element that does not end"))?;
        };
        let colour = match (samples, planar) {
            (1, _) => Colour::Gray,
            (3, 0) => Colour::Rgb,
            _ => return Err(unsupported("other than one sample a pixel, or three side by side")),
        };
        let layout = match bits {
            8 => Layout::eight(colour),
            16 => Layout::sixteen(colour),
            _ => return Err(unsupported("samples of other than 8 or 16 bits")),
        };
        let height = u32::from(rows).checked_mul(frames).filter(|&height| height > 0 && columns > 0).ok_or_else(|| unreadable("no pixels"))?;
        Ok(Self { layout, width: columns.into(), height, signed: signed == 1, start: data.start, end: walk_end(bytes, &data)? })
    }
}

/// Where the samples end.
fn walk_end(bytes: &[u8], data: &Element) -> Result<usize, GeneralReason> {
    match data.length {
        UNDEFINED => Err(unsupported("samples in fragments")),
        length => data.start.checked_add(length as usize).filter(|&end| end <= bytes.len()).ok_or_else(|| unreadable("the file ends early")),
    }
}

pub(crate) fn open(bytes: &[u8], limits: &OpenLimits) -> Result<Parted, GeneralReason> {
    let facts = Facts::read(bytes)?;
    limits.allow(facts.width, facts.height, facts.layout, bytes.len())?;
    let needed = facts.width as usize * facts.height as usize * facts.layout.channels() * facts.layout.sample_bytes();
    let stored = &bytes[facts.start..facts.end];
    let mut samples = stored.get(..needed).ok_or_else(|| unreadable("fewer samples than pixels"))?.to_vec();
    if facts.signed {
        turn_signs(&mut samples, facts.layout);
    }
    let mut writer = Writer::new(tag::DICOM);
    writer.byte(facts.signed.into());
    writer.string(&bytes[..facts.start]);
    writer.string(&bytes[facts.start + needed..]);
    let image = Image::new(facts.width, facts.height, facts.layout, samples).map_err(|_| unreadable("sizes contradict each other"))?;
    Ok(Parted { image, recipe: writer.finish() })
}

/// Turns the sign bit of every sample over.
pub(crate) fn turn_signs(samples: &mut [u8], layout: Layout) {
    let unit = layout.sample_bytes();
    samples.iter_mut().skip(unit - 1).step_by(unit).for_each(|high| *high ^= 0x80);
}

pub(crate) fn rebuild(reader: &mut Reader<'_>, image: &Image) -> Result<Vec<u8>, Error> {
    let signed = match reader.byte("recipe: DICOM signs")? {
        flag @ (0 | 1) if image.layout.bit_depth >= 8 => flag == 1,
        _ => return Err(Error::corrupt("recipe: DICOM signs")),
    };
    let before = reader.string("recipe: bytes before the DICOM samples")?;
    let mut file = Vec::with_capacity(before.len() + image.samples.len());
    file.extend_from_slice(before);
    file.extend_from_slice(&image.samples);
    if signed {
        turn_signs(&mut file[before.len()..], image.layout);
    }
    file.extend_from_slice(reader.string("recipe: bytes after the DICOM samples")?);
    Ok(file)
}
