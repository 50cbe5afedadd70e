//! Pictures as files. PNG is written by a recipe spelled out here after RECIPE.md, so these files are also a second reader's view of it.

use kolmo_data::layout::{Colour, Image};
use kolmo_data::rebuild::rebuild;

fn string(recipe: &mut Vec<u8>, bytes: &[u8]) {
    assert!(bytes.len() < 1 << 14, "two bytes of LEB128 are enough here");
    if bytes.len() >= 0x80 {
        recipe.push(bytes.len() as u8 & 0x7f | 0x80);
        recipe.push((bytes.len() >> 7) as u8);
    } else {
        recipe.push(bytes.len() as u8);
    }
    recipe.extend_from_slice(bytes);
}

/// Row filters and level of a PNG, as RECIPE.md numbers them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder {
    /// 0 to 4: that filter for every row; 5 to 7: by a rule.
    pub(crate) filters: u8,
    /// zlib's level.
    pub(crate) level: u8,
}

/// As libpng writes at its defaults.
pub(crate) const LIBPNG: Encoder = Encoder { filters: 5, level: 6 };

/// The palette of every indexed file: a ramp of colours.
pub(crate) fn palette(image: &Image) -> Vec<u8> {
    (0..=image.layout.max_sample() as u8).flat_map(|n| [n, 255 - n, n / 2]).collect()
}

/// The recipe of a PNG that `encoder` wrote.
pub(crate) fn png_recipe(image: &Image, encoder: Encoder) -> Vec<u8> {
    let mut recipe = vec![1];
    let mut chunks: Vec<(&[u8; 4], Vec<u8>)> = vec![(b"gAMA", vec![0, 0, 0xb1, 0x8f])];
    if image.layout.colour == Colour::Indexed {
        chunks.push((b"PLTE", palette(image)));
    }
    recipe.push(chunks.len() as u8);
    for (kind, data) in chunks {
        recipe.extend_from_slice(kind);
        string(&mut recipe, &data);
    }
    recipe.push(0); // padding bits are 0
    recipe.push(encoder.filters);
    recipe.extend([encoder.level << 4 | 8, 15, 4, 0x78, 0x9c]); // memLevel 8, default strategy, window of 2^15, the usual header
    string(&mut recipe, b""); // nothing after the zlib stream
    recipe.push(0); // one IDAT
    recipe.push(0); // no chunks after it
    string(&mut recipe, b"");
    recipe
}

/// A PNG that stock zlib wrote.
pub(crate) fn png(image: &Image, encoder: Encoder) -> Vec<u8> {
    rebuild(&png_recipe(image, encoder), image).expect("a recipe that fits")
}

/// A PNG whose samples are stored by no deflate of stock zlib at levels 1 to 9: cut into stored blocks of odd sizes.
pub(crate) fn odd_png(image: &Image) -> Vec<u8> {
    let colour = match image.layout.colour {
        Colour::Gray => 0,
        Colour::Rgb => 2,
        Colour::Indexed => 3,
        Colour::GrayAlpha => 4,
        Colour::Rgba => 6,
    };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [image.width.to_be_bytes().as_slice(), &image.height.to_be_bytes(), &[image.layout.bit_depth, colour, 0, 0, 0]].concat();
    chunk(&mut file, b"IHDR", &header);
    if image.layout.colour == Colour::Indexed {
        chunk(&mut file, b"PLTE", &palette(image));
    }
    let raw: Vec<u8> = packed_rows(image).iter().flat_map(|row| [&[0], row.as_slice()].concat()).collect();
    let mut stream = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = raw.chunks(77).collect();
    for (number, block) in blocks.iter().enumerate() {
        stream.push(u8::from(number + 1 == blocks.len()));
        stream.extend((block.len() as u16).to_le_bytes());
        stream.extend((!(block.len() as u16)).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (a, b) = raw.iter().fold((1u32, 0u32), |(a, b), &byte| ((a + u32::from(byte)) % 65_521, (a + u32::from(byte) + b) % 65_521));
    stream.extend((b << 16 | a).to_be_bytes());
    chunk(&mut file, b"IDAT", &stream);
    chunk(&mut file, b"IEND", b"");
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let body = [kind.as_slice(), data].concat();
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let crc = !body.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit));
    file.extend((data.len() as u32).to_be_bytes());
    file.extend_from_slice(&body);
    file.extend(crc.to_be_bytes());
}

/// Rows with samples of less than 8 bits side by side, the first in the high bits.
fn packed_rows(image: &Image) -> Vec<Vec<u8>> {
    let depth = usize::from(image.layout.bit_depth);
    let pack = |samples: &[u8]| samples.iter().enumerate().fold(0u8, |byte, (n, sample)| byte | sample << (8 - depth * (n + 1)));
    let row = |row: &[u8]| row.chunks(8 / depth).map(pack).collect();
    image.samples.chunks(image.width as usize * image.layout.channels()).map(row).collect()
}

/// A binary PNM: P4 for gray1, P5 for gray8 and for 12 bits of gray16, P6 for rgb8.
pub(crate) fn pnm(image: &Image) -> Vec<u8> {
    let (kind, max) = match (image.layout.colour, image.layout.bit_depth) {
        (Colour::Gray, 1) => ("P4", ""),
        (Colour::Gray, 8) => ("P5", "\n255"),
        (Colour::Rgb, 8) => ("P6", "\n255"),
        (Colour::Gray, 16) => ("P5", "\n4095"),
        _ => panic!("no PNM holds {}", image.layout),
    };
    let mut file = format!("{kind}\n{} {}{max}\n", image.width, image.height).into_bytes();
    if image.layout.bit_depth == 1 {
        // In PBM a 1 is black; `data` keeps the bits as they are.
        file.extend(packed_rows(image).concat());
    } else if image.layout.bit_depth == 16 {
        image.samples.chunks(2).for_each(|pair| file.extend([pair[1], pair[0]]));
    } else {
        file.extend_from_slice(&image.samples);
    }
    file
}

/// A DICOM file of gray16 samples: implicit value representations, little-endian, signed or not.
pub(crate) fn dicom(image: &Image, signed: bool) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend(b"DICM\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0");
    let facts = [(2, 1), (0x10, image.height), (0x11, image.width), (0x100, 16), (0x101, 12), (0x103, signed.into())];
    for (element, value) in facts {
        file.extend([0x28, 0, element as u8, (element >> 8) as u8, 2, 0, 0, 0]);
        file.extend((value as u16).to_le_bytes());
    }
    file.extend([0xe0, 0x7f, 0x10, 0]);
    file.extend((image.samples.len() as u32).to_le_bytes());
    image.samples.chunks(2).for_each(|pair| file.extend([pair[0], if signed { pair[1] ^ 0x80 } else { pair[1] }]));
    file
}

/// A text PNM: P2 for gray8, P3 for rgb8, a row a line.
pub(crate) fn text_pnm(image: &Image) -> Vec<u8> {
    let kind = if image.layout.channels() == 1 { "P2" } else { "P3" };
    let mut text = format!("{kind}\n# from a seed\n{} {}\n255\n", image.width, image.height);
    for row in image.samples.chunks(image.width as usize * image.layout.channels()) {
        let numbers: Vec<String> = row.iter().map(u8::to_string).collect();
        text.push_str(&numbers.join(" "));
        text.push('\n');
    }
    text.into_bytes()
}

/// A BMP, bottom-up: 24 bits for rgb8, a palette for the indexed.
pub(crate) fn bmp(image: &Image) -> Vec<u8> {
    let bits = image.layout.bit_depth as usize * image.layout.channels();
    let colours = if image.layout.colour == Colour::Indexed { 1usize << bits } else { 0 };
    let stride = (image.width as usize * bits).div_ceil(32) * 4;
    let offset = 54 + 4 * colours;
    let rows = stride * image.height as usize;
    let mut file = b"BM".to_vec();
    for number in [offset + rows, 0, offset, 40, image.width as usize, image.height as usize] {
        file.extend((number as u32).to_le_bytes());
    }
    file.extend(1u16.to_le_bytes());
    file.extend((bits as u16).to_le_bytes());
    for number in [0, rows, 2835, 2835, colours, 0] {
        file.extend((number as u32).to_le_bytes());
    }
    if colours > 0 {
        palette(image).chunks(3).for_each(|rgb| file.extend([rgb[2], rgb[1], rgb[0], 0]));
    }
    for mut row in packed_rows(image).into_iter().rev() {
        if image.layout.colour == Colour::Rgb {
            row.chunks_mut(3).for_each(|pixel| pixel.swap(0, 2));
        }
        row.resize(stride, 0);
        file.extend(row);
    }
    file
}
