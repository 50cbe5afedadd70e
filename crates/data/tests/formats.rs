//! PNM, BMP, TIFF, WebP and GIF files, made by hand or by `image`, go there and back.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use kolmo_data::layout::{Image, Layout};
use kolmo_data::open::{Fidelity, GeneralReason, OpenLimits, Opened, open};
use kolmo_data::rebuild::{check, rebuild};
use proptest::prelude::*;

fn samples(n: usize, max: u8, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..n)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((i / 2) as u8).wrapping_add((state >> 61) as u8) & max
        })
        .collect()
}

fn make(layout: &str, width: u32, height: u32, seed: u64) -> Image {
    let layout: Layout = layout.parse().unwrap();
    let n = (width * height) as usize * layout.channels();
    let samples = match layout.bit_depth {
        16 => samples(n, 255, seed).into_iter().enumerate().flat_map(|(i, low)| (u16::from(low) + 251 * i as u16).to_le_bytes()).collect(),
        _ => samples(n, layout.max_sample() as u8, seed),
    };
    Image::new(width, height, layout, samples).unwrap()
}

fn opened(file: &[u8], fidelity: Fidelity) -> Result<(Image, Vec<u8>), GeneralReason> {
    match open(file, fidelity, &OpenLimits::default()) {
        Opened::Image { image, recipe } => Ok((image, recipe)),
        Opened::General { reason } => Err(reason),
    }
}

/// Opens exactly, holds `image`, and gives the recipe.
#[track_caller]
fn exact(file: &[u8], image: &Image) -> Vec<u8> {
    let (found, recipe) = opened(file, Fidelity::Files).unwrap();
    assert_eq!(&found, image);
    assert!(rebuild(&recipe, image).unwrap() == file);
    assert_eq!(&opened(file, Fidelity::Pixels).unwrap().0, image);
    check(&recipe, image).unwrap();
    recipe
}

/// Every prefix of a recipe is refused or accepted as when a file is made of it.
#[track_caller]
fn checks_like_rebuilding(recipe: &[u8], image: &Image) {
    for end in 0..=recipe.len() {
        let (checked, rebuilt) = (check(&recipe[..end], image).err(), rebuild(&recipe[..end], image).err());
        assert_eq!(checked.map(|error| error.to_string()), rebuilt.map(|error| error.to_string()), "{end} of {}", recipe.len());
    }
}

/// Keeps its pixels, but not its bytes.
#[track_caller]
fn pixels_only(file: &[u8]) -> Image {
    assert_eq!(opened(file, Fidelity::Files), Err(GeneralReason::NotRepeatable));
    let (image, recipe) = opened(file, Fidelity::Pixels).unwrap();
    let plain = rebuild(&recipe, &image).unwrap();
    assert_eq!(opened(&plain, Fidelity::Pixels).unwrap().0, image);
    checks_like_rebuilding(&recipe, &image);
    image
}

fn packed(image: &Image) -> Vec<u8> {
    let depth = usize::from(image.layout.bit_depth);
    if depth == 16 {
        return image.samples.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    }
    let row = image.width as usize * image.layout.channels();
    let byte = |group: &[u8]| group.iter().enumerate().map(|(i, sample)| sample << (8 - depth * (i + 1))).sum::<u8>();
    image.samples.chunks(row).flat_map(|row| row.chunks(8 / depth).map(byte)).collect()
}

fn pnm(kind: u8, image: &Image, between: &str, max: Option<u16>) -> Vec<u8> {
    let mut file = format!("P{kind}{between}{} {}", image.width, image.height);
    if let Some(max) = max {
        file += &format!("\n{max}");
    }
    file.push('\n');
    file.into_bytes()
}

fn pnm_text(kind: u8, image: &Image, max: Option<u16>, separators: [&str; 3], end: &str) -> Vec<u8> {
    let mut file = pnm(kind, image, "\n# by hand\n", max);
    let (channels, row) = (image.layout.channels(), image.width as usize * image.layout.channels());
    let unit = if image.layout.bit_depth == 16 { 2 } else { 1 };
    let n = image.samples.len() / unit;
    for (i, sample) in image.samples.chunks(unit).enumerate() {
        let sample = sample.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
        file.extend(sample.to_string().into_bytes());
        let place = if (i + 1) % row == 0 { 2 } else { usize::from((i + 1) % channels == 0) };
        file.extend(if i + 1 == n { end } else { separators[place] }.bytes());
    }
    file
}

/// A BMP with a version 3 header.
fn bmp(image: &Image, top_down: bool, padding: u8, tail: &[u8]) -> Vec<u8> {
    let bits = image.layout.channels() * usize::from(image.layout.bit_depth);
    let row_bytes = (image.width as usize * bits).div_ceil(8);
    let stride = row_bytes.next_multiple_of(4);
    let palette: Vec<u8> = if bits <= 8 { (0..1u16 << bits).flat_map(|i| [i as u8, 255 - i as u8, 7, 0]).collect() } else { vec![] };
    let offset = 54 + palette.len();
    let mut file = b"BM".to_vec();
    file.extend(((offset + stride * image.height as usize + tail.len()) as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend((offset as u32).to_le_bytes());
    file.extend(40u32.to_le_bytes());
    file.extend(image.width.to_le_bytes());
    file.extend((if top_down { -(image.height as i32) } else { image.height as i32 }).to_le_bytes());
    file.extend([1, 0, bits as u8, 0]);
    file.extend([0; 24]);
    file.extend(palette);
    let mut rows: Vec<Vec<u8>> = packed(image).chunks(row_bytes).map(<[u8]>::to_vec).collect();
    if !top_down {
        rows.reverse();
    }
    for mut row in rows {
        if bits >= 24 {
            row.chunks_exact_mut(bits / 8).for_each(|pixel| pixel.swap(0, 2));
        }
        row.resize(stride, padding);
        file.extend(row);
    }
    file.extend(tail);
    file
}

/// A TIFF of plain strips, in either byte order.
fn tiff(image: &Image, rows_per_strip: u32, big: bool, gap: usize) -> Vec<u8> {
    let channels = image.layout.channels();
    let strips: Vec<Vec<u8>> = {
        let packed = packed(image);
        let row_bytes = packed.len() / image.height as usize;
        // 16-bit samples stand in the file's byte order.
        let ordered = |strip: &[u8]| match (image.layout.bit_depth, big) {
            (16, false) => strip.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect(),
            _ => strip.to_vec(),
        };
        packed.chunks(row_bytes * rows_per_strip as usize).map(ordered).collect()
    };
    let u16_of = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let u32_of = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    file.extend([0; 4]);
    let mut place = |bytes: &[u8]| {
        file.resize(file.len() + gap, 0xee);
        file.extend(bytes);
        (file.len() - bytes.len()) as u32
    };
    let offsets: Vec<u32> = strips.iter().map(|strip| place(strip)).collect();
    let list = |values: &[u32]| values.iter().flat_map(|&value| u32_of(value)).collect::<Vec<u8>>();
    let sizes: Vec<u32> = strips.iter().map(|strip| strip.len() as u32).collect();
    let (offsets_at, sizes_at) = (place(&list(&offsets)), place(&list(&sizes)));
    let bits: Vec<u8> = (0..channels).flat_map(|_| u16_of(image.layout.bit_depth.into())).collect();
    let bits_at = place(&bits);
    let inline = |at: u32, values: &[u32]| if values.len() == 1 { values[0] } else { at };
    let short = |value: u16| {
        u32::from_be_bytes(if big {
            let [a, b] = value.to_be_bytes();
            [a, b, 0, 0]
        } else {
            let [a, b] = value.to_be_bytes();
            [0, 0, a, b]
        })
    };
    let photometric = match image.layout.to_string().as_str() {
        name if name.starts_with("gray") => 1,
        name if name.starts_with("rgb") => 2,
        _ => 3,
    };
    let bits = match channels {
        1 => short(image.layout.bit_depth.into()),
        2 => u32::from(image.layout.bit_depth) * 0x0001_0001,
        _ => bits_at,
    };
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 4, 1, image.width),
        (257, 4, 1, image.height),
        (258, 3, channels as u32, bits),
        (259, 3, 1, short(1)),
        (262, 3, 1, short(photometric)),
        (273, 4, strips.len() as u32, inline(offsets_at, &offsets)),
        (277, 3, 1, short(channels as u16)),
        (278, 4, 1, rows_per_strip),
        (279, 4, strips.len() as u32, inline(sizes_at, &sizes)),
    ];
    let directory = file.len() as u32;
    file[4..8].copy_from_slice(&u32_of(directory));
    file.extend(u16_of(9));
    for (tag, kind, count, value) in entries {
        file.extend([u16_of(tag), u16_of(kind)].concat());
        file.extend([u32_of(count), u32_of(value)].concat());
    }
    file.extend([0; 4]);
    file
}

/// One element of a DICOM data set.
fn element(explicit: bool, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    match (explicit, matches!(vr, b"OB" | b"OW" | b"SQ")) {
        (false, _) => bytes.extend((value.len() as u32).to_le_bytes()),
        (true, false) => bytes.extend([vr.to_vec(), (value.len() as u16).to_le_bytes().to_vec()].concat()),
        (true, true) => bytes.extend([vr.to_vec(), vec![0, 0], (value.len() as u32).to_le_bytes().to_vec()].concat()),
    }
    bytes.extend(value);
    bytes
}

/// A DICOM file with a sequence of unsaid length before the samples.
fn dicom(image: &Image, explicit: bool, signed: bool, frames: u32, tail: &[u8]) -> Vec<u8> {
    let number = |value: u32| (value as u16).to_le_bytes();
    let mut file = vec![7; 128];
    file.extend(b"DICM");
    file.extend(element(true, (2, 0), b"UL", &26u32.to_le_bytes()));
    file.extend(element(true, (2, 0x10), b"UI", if explicit { b"1.2.840.10008.1.2.1\0" } else { b"1.2.840.10008.1.2\0" }));
    let inside = element(explicit, (8, 0x1150), b"UI", b"1.2.3\0");
    let ends = |tag: u16| [0xfffeu16, tag, 0, 0].map(u16::to_le_bytes).concat();
    let mut sequence = element(explicit, (8, 0x1140), b"SQ", b"");
    let at = sequence.len() - 4;
    sequence[at..].fill(0xff);
    sequence.extend([[0xfffeu16, 0xe000, 0xffff, 0xffff].map(u16::to_le_bytes).concat(), inside, ends(0xe00d), ends(0xe0dd)].concat());
    file.extend(sequence);
    file.extend(element(explicit, (0x28, 2), b"US", &number(image.layout.channels() as u32)));
    file.extend(element(explicit, (0x28, 6), b"US", &number(0)));
    file.extend(element(explicit, (0x28, 8), b"IS", format!("{frames} ").as_bytes()));
    file.extend(element(explicit, (0x28, 0x10), b"US", &number(image.height / frames)));
    file.extend(element(explicit, (0x28, 0x11), b"US", &number(image.width)));
    file.extend(element(explicit, (0x28, 0x100), b"US", &number(image.layout.bit_depth.into())));
    file.extend(element(explicit, (0x28, 0x103), b"US", &number(signed.into())));
    let mut samples = image.samples.clone();
    if signed {
        let unit = usize::from(image.layout.bit_depth / 8);
        samples.iter_mut().skip(unit - 1).step_by(unit).for_each(|high| *high ^= 0x80);
    }
    file.extend(element(explicit, (0x7fe0, 0x10), b"OW", &samples));
    file.extend(tail);
    file
}

#[test]
fn dicom_that_is_coded_or_cut_goes_the_general_way() {
    let file = dicom(&make("gray16", 5, 4, 1), true, false, 1, b"");
    for cut in 0..file.len() {
        assert!(opened(&file[..cut], Fidelity::Files).is_err(), "{cut}");
    }
    let at = file.windows(19).position(|bytes| bytes == b"1.2.840.10008.1.2.1").unwrap();
    let mut jpeg = file;
    jpeg[at..at + 19].copy_from_slice(b"1.2.840.10008.1.2.4");
    let told = opened(&jpeg, Fidelity::Files);
    assert_eq!(told, Err(GeneralReason::Unsupported("DICOM: compressed, deflated or big-endian samples".to_owned())));
}

fn sizes() -> impl Strategy<Value = (u32, u32, u64)> {
    (1..24u32, 1..16u32, any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn binary_pnm((width, height, seed) in sizes(), tail in prop_oneof![Just(""), Just("\nmore")]) {
        for (kind, layout, max) in
            [(4, "gray1", None), (5, "gray8", Some(255)), (5, "gray4", Some(15)), (5, "gray8", Some(200)), (6, "rgb8", Some(255)), (5, "gray16", Some(65_535)), (6, "rgb16", Some(4095))]
        {
            let image = make(layout, width, height, seed);
            let mut file = pnm(kind, &image, "\n# made by hand\n", max);
            file.extend(if kind == 4 || image.layout.bit_depth == 16 { packed(&image) } else { image.samples.clone() });
            file.extend(tail.bytes());
            exact(&file, &image);
        }
    }

    #[test]
    fn text_pnm((width, height, seed) in sizes()) {
        for (kind, layout, max) in [(1, "gray1", None), (2, "gray8", Some(255)), (2, "gray2", Some(3)), (3, "rgb8", Some(255)), (2, "gray16", Some(65_535))] {
            let image = make(layout, width, height, seed);
            for separators in [[" ", " ", "\n"], ["\n", "\n", "\n"], [" ", "  ", " \n"], [" ", "\t", "\r\n"]] {
                exact(&pnm_text(kind, &image, max, separators, "\n"), &image);
            }
            if kind == 1 {
                exact(&pnm_text(kind, &image, max, ["", "", "\n"], ""), &image);
            }
        }
    }

    #[test]
    fn plain_bmp((width, height, seed) in sizes(), top_down: bool, padding in prop_oneof![Just(0u8), any::<u8>()]) {
        for layout in ["indexed1", "indexed4", "indexed8", "rgb8", "rgba8"] {
            let image = make(layout, width, height, seed);
            exact(&bmp(&image, top_down, padding, b""), &image);
            exact(&bmp(&image, top_down, padding, b"tail"), &image);
        }
    }

    #[test]
    fn plain_tiff((width, height, seed) in sizes(), rows in 1..20u32, big: bool, gap in 0..3usize) {
        for layout in ["gray1", "gray4", "gray8", "graya8", "rgb8", "rgba8", "indexed8", "gray16", "graya16", "rgb16", "rgba16"] {
            let image = make(layout, width, height, seed);
            exact(&tiff(&image, rows.min(height), big, gap), &image);
        }
    }

    #[test]
    fn plain_dicom((width, height, seed) in sizes(), kind in 0..8u32) {
        let (explicit, signed, frames) = (kind & 1 == 1, kind & 2 != 0, 1 + (kind >> 2));
        for layout in ["gray8", "rgb8", "gray16", "rgb16"] {
            let image = make(layout, width, height * frames, seed);
            for tail in [&b""[..], b"\0", &[0xfc, 0xff, 0xfc, 0xff, b'O', b'B', 0, 0, 2, 0, 0, 0, 1, 2]] {
                exact(&dicom(&image, explicit, signed, frames, tail), &image);
            }
        }
    }

    #[test]
    fn lossless_webp((width, height, seed) in sizes()) {
        for (layout, colour) in [("rgb8", ExtendedColorType::Rgb8), ("rgba8", ExtendedColorType::Rgba8)] {
            let image = make(layout, width, height, seed);
            let mut file = Vec::new();
            let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut file);
            encoder.set_icc_profile(b"a profile".to_vec()).unwrap();
            encoder.write_image(&image.samples, width, height, colour).unwrap();
            prop_assert_eq!(&pixels_only(&file), &image);
            let recipe = opened(&file, Fidelity::Pixels).unwrap().1;
            prop_assert!(rebuild(&recipe, &image).unwrap().windows(9).any(|bytes| bytes == b"a profile"));
        }
    }

    #[test]
    fn single_gif((width, height, seed) in sizes(), transparent: bool) {
        let image = make("indexed4", width, height, seed);
        let palette: Vec<u8> = (0..16).flat_map(|i| [i, i * 2, 255 - i]).collect();
        let mut file = Vec::new();
        let mut encoder = gif::Encoder::new(&mut file, width as u16, height as u16, &palette).unwrap();
        let frame = gif::Frame {
            width: width as u16,
            height: height as u16,
            buffer: image.samples.clone().into(),
            transparent: transparent.then_some(3),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).unwrap();
        drop(encoder);
        let found = pixels_only(&file);
        prop_assert_eq!((found.layout.to_string(), &found.samples), ("indexed8".to_owned(), &image.samples));
        let recipe = opened(&file, Fidelity::Pixels).unwrap().1;
        let plain = rebuild(&recipe, &found).unwrap();
        let of = |file: &[u8]| image::load_from_memory_with_format(file, ImageFormat::Gif).map(|image| image.into_rgba8());
        // the `image` of this build may come without GIF; where it has it, colours must agree
        if let (Ok(before), Ok(after)) = (of(&file), of(&plain)) {
            prop_assert_eq!(before, after);
        }
    }
}

#[test]
fn animated_gif_goes_the_general_way() {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, 2, 1, &[0, 0, 0, 255, 255, 255]).unwrap();
    for _ in 0..2 {
        let frame = gif::Frame { width: 2, height: 1, buffer: vec![0, 1].into(), ..gif::Frame::default() };
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    assert_eq!(opened(&file, Fidelity::Pixels), Err(GeneralReason::Unsupported("GIF: animated".to_owned())));
}

#[test]
fn tiff_by_image_is_exact_or_keeps_its_pixels() {
    let image = make("rgb8", 21, 13, 5);
    let mut file = Cursor::new(Vec::new());
    image::codecs::tiff::TiffEncoder::new(&mut file).write_image(&image.samples, 21, 13, ExtendedColorType::Rgb8).unwrap();
    let file = file.into_inner();
    exact(&file, &image);
    // planar data is of a kind only `image` could read; here the samples of one file are declared so
    let pages = {
        let mut file = file;
        let directory = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
        let entries = usize::from(u16::from_le_bytes(file[directory..directory + 2].try_into().unwrap()));
        file[directory + 2 + entries * 12] = 8;
        file
    };
    assert_eq!(opened(&pages, Fidelity::Pixels), Err(GeneralReason::Unsupported("TIFF: several pages".to_owned())));
}

#[test]
fn odd_bmp_keeps_its_pixels() {
    // 16 bits a pixel, 5 for each colour
    let mut file = bmp(&make("rgb8", 4, 3, 1), false, 0, b"");
    file[28] = 16;
    file.truncate(54 + 4 * 2 * 3);
    let image = pixels_only(&file);
    assert_eq!((image.width, image.height, image.layout.to_string()), (4, 3, "rgb8".to_owned()));
}

#[test]
fn what_cannot_be_read_says_why() {
    let unreadable = |file: &[u8]| match opened(file, Fidelity::Files) {
        Err(GeneralReason::Unreadable(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unreadable(b"P5\n2 2\n255\n\0\0\0"), "PNM: the file ends early");
    assert_eq!(unreadable(b"P2\n2 2\n255\n1 2 3"), "PNM: the file ends early");
    assert_eq!(unreadable(b"P2\n2 1\n9\n1 10\n"), "PNM: a sample is larger than the largest value");
    assert_eq!(unreadable(b"P5\n0 2\n255\n"), "PNM: no pixels");
    assert_eq!(unreadable(b"P5\n2 x\n255\n"), "PNM: a number is missing");
    let bmp = bmp(&make("rgb8", 4, 3, 1), false, 0, b"");
    assert_eq!(unreadable(&bmp[..bmp.len() - 1]), "BMP: the file ends early");
    let unsupported = |file: &[u8]| match opened(file, Fidelity::Files) {
        Err(GeneralReason::Unsupported(what)) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(unsupported(b"\xff\x0a and so on"), "JPEG XL");
    assert_eq!(opened(b"\xff\xd8\xff\xe0 and so on", Fidelity::Files), Err(GeneralReason::Jpeg));
    assert_eq!(opened(b"", Fidelity::Files), Err(GeneralReason::NotAnImage));
    assert_eq!(opened(b"Plain words", Fidelity::Files), Err(GeneralReason::NotAnImage));
    let huge = opened(b"P6 100000 100000 255\n", Fidelity::Files).unwrap_err();
    assert!(matches!(huge, GeneralReason::TooLarge { .. }), "{huge}");
}

#[test]
fn oddly_written_numbers_are_not_repeatable_but_readable() {
    assert_eq!(pixels_only(b"P5\n02 1\n255\nab").samples, b"ab");
    assert_eq!(pixels_only(b"P2\n3 2\n255\n1 2  3\n4 5 6\n").samples, [1, 2, 3, 4, 5, 6]);
}
