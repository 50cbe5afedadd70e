//! PNG files of every layout, made here chunk by chunk, against our reader and `image`'s.

use proptest::prelude::*;

use crate::format::png_chunk::{self, Header};
use crate::format::png_filter::{self, Filters, Rule};
use crate::format::png_stream::Origin;
use crate::layout::{Colour, Image, Layout};
use crate::open::{Fidelity, GeneralReason, OpenLimits, Opened, open, open_named};
use crate::pack;
use crate::rebuild::rebuild;
use crate::zlib::{self, Settings};

const LAYOUTS: [&str; 15] = [
    "gray1", "gray2", "gray4", "gray8", "gray16", "graya8", "graya16", "rgb8", "rgb16", "rgba8", "rgba16", "indexed1", "indexed2", "indexed4",
    "indexed8",
];

/// Smooth with some noise, so that filters and matches have something to do.
fn image(layout: Layout, width: u32, height: u32, seed: u64) -> Image {
    let n = width as usize * height as usize * layout.channels();
    let mut state = seed | 1;
    let samples = (0..n)
        .flat_map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let sample = ((i / 3) as u8).wrapping_add((state >> 61) as u8);
            match layout.bit_depth {
                16 => (u16::from(sample) * 131 + (state >> 50 & 63) as u16).to_le_bytes().to_vec(),
                _ => vec![sample & layout.max_sample() as u8],
            }
        })
        .collect();
    Image::new(width, height, layout, samples).unwrap()
}

fn images() -> impl Strategy<Value = Image> {
    (0..LAYOUTS.len(), 1..40u32, 1..30u32, any::<u64>())
        .prop_map(|(layout, width, height, seed)| image(LAYOUTS[layout].parse().unwrap(), width, height, seed))
}

/// How a test file is written.
#[derive(Debug, Clone)]
struct Style {
    filters: Filters,
    settings: Settings,
    header: Option<[u8; 2]>,
    data_size: usize,
    padding: u8,
    tail: &'static [u8],
}

impl Default for Style {
    fn default() -> Self {
        let filters = Filters::Rule(Rule::Pillow);
        Self { filters, settings: Settings::PLAIN, header: None, data_size: usize::MAX, padding: 0, tail: b"" }
    }
}

fn unit(layout: Layout) -> usize {
    (layout.bits_per_pixel() / 8).max(1)
}

fn begin(image: &Image, interlaced: bool) -> Vec<u8> {
    let Image { width, height, layout, .. } = *image;
    let mut file = png_chunk::begin(Header { width, height, layout, interlaced }).unwrap();
    png_chunk::push(*b"gAMA", &[0, 0, 0xb1, 0x8f], &mut file).unwrap();
    if layout.colour == Colour::Indexed {
        let palette: Vec<u8> = (0..=layout.max_sample() as u8).flat_map(|i| [i, 255 - i, i / 2]).collect();
        png_chunk::push(*b"PLTE", &palette, &mut file).unwrap();
    }
    png_chunk::push(*b"tEXt", b"Comment\0made for a test", &mut file).unwrap();
    file
}

fn end(mut file: Vec<u8>, data: &[u8], style: &Style) -> Vec<u8> {
    for data in data.chunks(style.data_size) {
        png_chunk::push(*b"IDAT", data, &mut file).unwrap();
    }
    png_chunk::push(*b"tIME", &[7, 0xdf, 10, 20, 18, 47, 55], &mut file).unwrap();
    png_chunk::push(*b"IEND", &[], &mut file).unwrap();
    file.extend_from_slice(style.tail);
    file
}

fn write(image: &Image, style: &Style) -> Vec<u8> {
    let layout = image.layout;
    let row_bytes = pack::row_bytes(image.width, layout);
    let mut packed = pack::pack(image);
    for row in packed.chunks_exact_mut(row_bytes) {
        row[row_bytes - 1] |= pack::padding_mask(image.width, layout) & style.padding;
    }
    let mut data = zlib::deflate(style.settings, &png_filter::filter(&packed, row_bytes, unit(layout), &style.filters));
    if let Some(header) = style.header {
        data[..2].copy_from_slice(&header);
    }
    end(begin(image, false), &data, style)
}

fn write_interlaced(image: &Image) -> Vec<u8> {
    let (width, height) = (image.width as usize, image.height as usize);
    let pixel = image.layout.channels() * image.layout.sample_bytes();
    let mut raw = Vec::new();
    for (x, y, dx, dy) in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] {
        let columns: Vec<usize> = (x..width).step_by(dx).collect();
        let rows: Vec<usize> = (y..height).step_by(dy).collect();
        if columns.is_empty() || rows.is_empty() {
            continue;
        }
        let samples = rows
            .iter()
            .flat_map(|y| columns.iter().map(move |x| (y * width + x) * pixel))
            .flat_map(|at| image.samples[at..at + pixel].to_vec())
            .collect();
        let pass = Image::new(columns.len() as u32, rows.len() as u32, image.layout, samples).unwrap();
        let row_bytes = pack::row_bytes(pass.width, pass.layout);
        let filters = Filters::Rule(Rule::Libpng);
        raw.extend(png_filter::filter(&pack::pack(&pass), row_bytes, unit(pass.layout), &filters));
    }
    end(begin(image, true), &Origin::PLAIN.deflate(&raw), &Style::default())
}

fn opened(file: &[u8], fidelity: Fidelity) -> Result<(Image, Vec<u8>), GeneralReason> {
    match open(file, fidelity, &OpenLimits::default()) {
        Opened::Image { image, recipe } => Ok((image, recipe)),
        Opened::General { reason } => Err(reason),
    }
}

/// What `image` reads, gray of few bits stretched back to its own range.
fn by_oracle(file: &[u8], layout: Layout) -> Vec<u8> {
    let decoded = image::load_from_memory_with_format(file, image::ImageFormat::Png).unwrap();
    if layout.bit_depth == 16 {
        return decoded.as_bytes().to_vec();
    }
    let stretch = 255 / layout.max_sample() as u8;
    decoded.as_bytes().iter().map(|byte| byte / stretch).collect()
}

fn styles() -> impl Strategy<Value = Style> {
    let filters = prop_oneof![
        (0..5u8).prop_map(Filters::Uniform),
        (0..5u8, 0..5u8).prop_map(|(first, rest)| Filters::First(first, rest)),
        prop_oneof![Just(Rule::Libpng), Just(Rule::Pillow), Just(Rule::PillowOptimised)].prop_map(Filters::Rule),
        prop::collection::vec(0..5u8, 30).prop_map(Filters::Rows),
    ];
    let settings = (1..=9u8, 8..=9u8, 0..=3u8).prop_map(|(level, mem_level, strategy)| Settings { level, mem_level, strategy, window_bits: 15 });
    let header = prop_oneof![Just(None), Just(Some([0x78, 0x01])), Just(Some([0x18, 0x19]))];
    let data_size = prop_oneof![Just(usize::MAX), 1..100usize];
    let tail = prop_oneof![Just(&b""[..]), Just(&b"trailing"[..])];
    (filters, settings, header, data_size, any::<u8>(), tail).prop_map(|(filters, settings, header, data_size, padding, tail)| Style {
        filters,
        settings,
        header,
        data_size,
        padding,
        tail,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_layout_and_style_rebuilds_exactly(image in images(), style in styles()) {
        let file = write(&image, &style);
        let (files, recipe) = opened(&file, Fidelity::Files).unwrap();
        prop_assert_eq!(&files, &image);
        prop_assert!(rebuild(&recipe, &image).unwrap() == file);
        let (pixels, recipe) = opened(&file, Fidelity::Pixels).unwrap();
        prop_assert_eq!(&pixels, &image);
        let plain = rebuild(&recipe, &image).unwrap();
        prop_assert!(opened(&plain, Fidelity::Files).is_ok_and(|(again, _)| again == image));
        prop_assert!(plain.windows(4).any(|kind| kind == b"gAMA") && !plain.windows(4).any(|kind| kind == b"tEXt"));
        if image.layout.colour != Colour::Indexed {
            prop_assert_eq!(by_oracle(&file, image.layout), image.samples);
        }
    }

    #[test]
    fn interlaced_files_keep_their_pixels(image in images()) {
        let file = write_interlaced(&image);
        prop_assert_eq!(opened(&file, Fidelity::Files), Err(GeneralReason::NotRepeatable));
        prop_assert_eq!(&opened(&file, Fidelity::Pixels).unwrap().0, &image);
        if image.layout.colour != Colour::Indexed {
            prop_assert_eq!(by_oracle(&file, image.layout), image.samples);
        }
    }
}

#[test]
fn files_of_one_encoder_share_a_recipe() {
    // trimmed windows as libpng writes them, whole ones as Pillow does; sizes differ, the recipe does not
    let (layout, files) = (Layout::eight(Colour::Gray), Fidelity::Files);
    let recipe = |width, height| {
        let image = image(layout, width, height, 7);
        opened(&write(&image, &Style::default()), files).unwrap().1
    };
    assert_eq!(recipe(100, 80), recipe(90, 70));
    let trimmed = |width: u32, height: u32| {
        let raw_bytes = (width + 1) * height;
        let code = (0..7).find(|code| raw_bytes <= 256 << code).unwrap_or(7);
        let check = |flags: u8| (u16::from(code << 4 | 8) << 8 | u16::from(flags)).is_multiple_of(31);
        let flags = (0x80..0xa0).find(|&flags| check(flags)).unwrap();
        let filters = Filters::Rule(Rule::Libpng);
        let style = Style { header: Some([code << 4 | 8, flags]), filters, ..Style::default() };
        opened(&write(&image(layout, width, height, 7), &style), files).unwrap().1
    };
    assert_eq!(trimmed(28, 28), trimmed(60, 50));
}

#[test]
fn damage_is_told_and_costs_nothing() {
    let image = image(Layout::eight(Colour::Rgb), 9, 7, 3);
    let file = write(&image, &Style::default());
    for n in 0..file.len() {
        assert!(opened(&file[..n], Fidelity::Pixels).is_err(), "cut at {n}");
    }
    for at in 8..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        let reason = opened(&damaged, Fidelity::Files).unwrap_err();
        assert!(matches!(reason, GeneralReason::Unreadable(_)), "byte {at}: {reason}");
    }
    let reason = opened(&file[..file.len() - 20], Fidelity::Files).unwrap_err();
    assert_eq!(reason.to_string(), "unreadable: PNG: the file ends early");
}

#[test]
fn a_huge_promise_is_refused_before_it_is_believed() {
    let mut header = vec![];
    header.extend(100_000u32.to_be_bytes());
    header.extend(100_000u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut file = png_chunk::SIGNATURE.to_vec();
    png_chunk::push(*b"IHDR", &header, &mut file).unwrap();
    png_chunk::push(*b"IDAT", &zlib::deflate(Settings::PLAIN, &[0; 1000]), &mut file).unwrap();
    png_chunk::push(*b"IEND", &[], &mut file).unwrap();
    let reason = opened(&file, Fidelity::Files).unwrap_err();
    assert!(matches!(reason, GeneralReason::TooLarge { width: 100_000, height: 100_000, .. }), "{reason}");
    // fewer pixels than the limit, but far more than 83 bytes can hold
    file[16..24].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
    let crc = zlib::crc32([b"IHDR", &file[16..29]]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(opened(&file, Fidelity::Files), Err(GeneralReason::TooLarge { limit, .. }) if limit < 5 << 20));
}

#[test]
fn kinds_that_are_not_learned_are_named() {
    let image = image(Layout::eight(Colour::Gray), 3, 3, 1);
    let mut animated = begin(&image, false);
    png_chunk::push(*b"acTL", &[0; 8], &mut animated).unwrap();
    let animated = end(animated, &[], &Style::default());
    assert_eq!(opened(&animated, Fidelity::Pixels), Err(GeneralReason::Unsupported("PNG: animated".to_owned())));

    let text = open_named("a/notes.PNG", b"just words", Fidelity::Files, &OpenLimits::default());
    let Opened::General { reason } = text else { panic!() };
    assert_eq!(reason.to_string(), "unreadable: named .png, but its bytes are of no image format");
}
