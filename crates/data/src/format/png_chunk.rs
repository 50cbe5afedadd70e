//! The chunks of a PNG file.

use crate::Error;
use crate::layout::{Colour, Layout};
use crate::open::GeneralReason;
use crate::recipe::{Reader, Writer};
use crate::zlib;

/// What every PNG begins with.
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// A chunk without its length and check sum, which follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: [u8; 4],
    pub(crate) data: &'a [u8],
}

/// The image header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    pub(crate) interlaced: bool,
}

/// A PNG file taken apart; every check sum was right.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) header: Header,
    /// Chunks between the header and the image data.
    pub(crate) before: Vec<Chunk<'a>>,
    /// Sizes of the `IDAT` chunks.
    pub(crate) data_sizes: Vec<usize>,
    /// Their data.
    pub(crate) data: Vec<u8>,
    /// Chunks between the image data and `IEND`.
    pub(crate) after: Vec<Chunk<'a>>,
    /// What follows `IEND`.
    pub(crate) tail: &'a [u8],
}

fn unreadable(why: &str) -> GeneralReason {
    GeneralReason::Unreadable(format!("PNG: {why}"))
}

fn unsupported(why: &str) -> GeneralReason {
    GeneralReason::Unsupported(format!("PNG: {why}"))
}

/// Takes the next chunk off `left`.
fn next<'a>(left: &mut &'a [u8]) -> Result<Chunk<'a>, GeneralReason> {
    let truncated = || unreadable("the file ends early");
    let (length, rest) = left.split_first_chunk().ok_or_else(truncated)?;
    let (kind, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
    let (data, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(truncated)?;
    let (crc, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
    if zlib::crc32([kind, data]) != u32::from_be_bytes(*crc) {
        return Err(unreadable(&format!("wrong check sum in chunk {}", kind.escape_ascii())));
    }
    *left = rest;
    Ok(Chunk { kind: *kind, data })
}

impl Header {
    fn read(chunk: &Chunk<'_>) -> Result<Self, GeneralReason> {
        let fields: [u8; 13] = match (&chunk.kind, chunk.data.try_into()) {
            (b"IHDR", Ok(fields)) => fields,
            (b"CgBI", _) => return Err(unsupported("Apple's private variant")),
            _ => return Err(unreadable("no image header")),
        };
        let [w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, compression, filter, interlace] = fields;
        let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        if width == 0 || height == 0 {
            return Err(unreadable("no pixels"));
        }
        let colour = match colour {
            0 => Colour::Gray,
            2 => Colour::Rgb,
            3 => Colour::Indexed,
            4 => Colour::GrayAlpha,
            6 => Colour::Rgba,
            _ => return Err(unreadable("unknown colour type")),
        };
        let layout = Layout::new(colour, depth).map_err(|_| unreadable("unknown bit depth"))?;
        if compression != 0 || filter != 0 || interlace > 1 {
            return Err(unsupported("unknown compression, filter or interlace method"));
        }
        Ok(Self { width, height, layout, interlaced: interlace == 1 })
    }

    fn bytes(self) -> [u8; 13] {
        let [w0, w1, w2, w3] = self.width.to_be_bytes();
        let [h0, h1, h2, h3] = self.height.to_be_bytes();
        let colour = match self.layout.colour {
            Colour::Gray => 0,
            Colour::Rgb => 2,
            Colour::Indexed => 3,
            Colour::GrayAlpha => 4,
            Colour::Rgba => 6,
        };
        [w0, w1, w2, w3, h0, h1, h2, h3, self.layout.bit_depth, colour, 0, 0, u8::from(self.interlaced)]
    }
}

/// The header alone: cheap, before anything is allocated.
pub(crate) fn header(bytes: &[u8]) -> Result<Header, GeneralReason> {
    let mut left = bytes.strip_prefix(&SIGNATURE).ok_or_else(|| unreadable("no signature"))?;
    Header::read(&next(&mut left)?)
}

/// Takes a file apart.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parts<'_>, GeneralReason> {
    let mut left = bytes.strip_prefix(&SIGNATURE).ok_or_else(|| unreadable("no signature"))?;
    let header = Header::read(&next(&mut left)?)?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let (mut data_sizes, mut data) = (Vec::new(), Vec::new());
    loop {
        let chunk = next(&mut left)?;
        match &chunk.kind {
            b"IDAT" if after.is_empty() => {
                data_sizes.push(chunk.data.len());
                data.extend_from_slice(chunk.data);
            }
            b"IDAT" => return Err(unreadable("image data in two places")),
            b"IEND" if data_sizes.is_empty() => return Err(unreadable("no image data")),
            b"IEND" if chunk.data.is_empty() => break,
            b"IEND" | b"IHDR" => return Err(unreadable("a chunk that cannot be here")),
            b"acTL" => return Err(unsupported("animated")),
            b"PLTE" => before.push(chunk),
            [first, ..] if first.is_ascii_uppercase() => return Err(unsupported("unknown critical chunk")),
            _ if data_sizes.is_empty() => before.push(chunk),
            _ => after.push(chunk),
        }
    }
    let has_palette = before.iter().any(|chunk| &chunk.kind == b"PLTE");
    if header.layout.colour == Colour::Indexed && !has_palette {
        return Err(unreadable("no palette"));
    }
    Ok(Parts { header, before, data_sizes, data, after, tail: left })
}

/// Chunks that say something about the image itself; the rest is about the file (texts, times, private data).
pub(crate) fn is_image_fact(kind: [u8; 4]) -> bool {
    const FACTS: [&[u8; 4]; 14] =
        [b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"eXIf"];
    FACTS.contains(&&kind)
}

/// Appends a chunk with its length and check sum.
pub(crate) fn push(kind: [u8; 4], data: &[u8], file: &mut Vec<u8>) -> Result<(), Error> {
    let length = u32::try_from(data.len()).map_err(|_| Error::LimitExceeded { what: "PNG chunk", limit: u64::from(u32::MAX) })?;
    file.extend_from_slice(&length.to_be_bytes());
    file.extend_from_slice(&kind);
    file.extend_from_slice(data);
    file.extend_from_slice(&zlib::crc32([&kind, data]).to_be_bytes());
    Ok(())
}

/// Signature and image header.
pub(crate) fn begin(header: Header) -> Result<Vec<u8>, Error> {
    let mut file = SIGNATURE.to_vec();
    push(*b"IHDR", &header.bytes(), &mut file)?;
    Ok(file)
}

/// Writes chunks to a recipe.
pub(crate) fn write(chunks: &[Chunk<'_>], writer: &mut Writer) {
    writer.number(chunks.len() as u64);
    for chunk in chunks {
        writer.raw(&chunk.kind);
        writer.string(chunk.data);
    }
}

/// Copies chunks from a recipe to a file.
pub(crate) fn copy(reader: &mut Reader<'_>, file: &mut Vec<u8>) -> Result<(), Error> {
    for _ in 0..reader.number("PNG chunks")? {
        let kind = reader.raw(4, "PNG chunk")?;
        let data = reader.string("PNG chunk")?;
        push([kind[0], kind[1], kind[2], kind[3]], data, file)?;
    }
    Ok(())
}
