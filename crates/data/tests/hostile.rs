//! Damaged files and hostile recipes: an answer or an error, never a panic.

use kolmo_data::ErrorKind;
use kolmo_data::layout::{Image, Layout};
use kolmo_data::open::{Fidelity, OpenLimits, Opened, open};
use kolmo_data::rebuild::rebuild;
use proptest::prelude::*;

const LAYOUTS: [&str; 11] = ["gray1", "gray2", "gray4", "gray8", "graya8", "rgb8", "rgba8", "indexed1", "indexed2", "indexed4", "indexed8"];

fn blank(layout: &str, width: u32, height: u32) -> Image {
    let layout: Layout = layout.parse().unwrap();
    let n = (width * height) as usize * layout.channels();
    Image::new(width, height, layout, (0..n).map(|i| i as u8 & layout.max_sample() as u8).collect()).unwrap()
}

/// A small file of every format, and both recipes of each.
fn files() -> Vec<Vec<u8>> {
    use image::{ExtendedColorType::Rgb8, ImageEncoder, codecs};
    let image = blank("rgb8", 5, 4);
    let mut all = vec![b"P6 5 4 255\n".to_vec(), b"P3\n5 4\n255\n".to_vec()];
    all[0].extend(&image.samples);
    for row in image.samples.chunks(15) {
        let row: Vec<String> = row.iter().map(u8::to_string).collect();
        all[1].extend((row.join(" ") + "\n").bytes());
    }
    let mut bmp = Vec::new();
    codecs::bmp::BmpEncoder::new(&mut bmp).write_image(&image.samples, 5, 4, Rgb8).unwrap();
    let mut tiff = std::io::Cursor::new(Vec::new());
    codecs::tiff::TiffEncoder::new(&mut tiff).write_image(&image.samples, 5, 4, Rgb8).unwrap();
    let mut webp = Vec::new();
    codecs::webp::WebPEncoder::new_lossless(&mut webp).write_image(&image.samples, 5, 4, Rgb8).unwrap();
    let mut png = Vec::new();
    codecs::png::PngEncoder::new(&mut png).write_image(&image.samples, 5, 4, Rgb8).unwrap();
    let mut gif = Vec::new();
    let mut encoder = gif::Encoder::new(&mut gif, 5, 4, &[0, 0, 0, 9, 9, 9]).unwrap();
    let frame = gif::Frame { width: 5, height: 4, buffer: vec![1; 20].into(), ..gif::Frame::default() };
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    all.extend([bmp, tiff.into_inner(), webp, png, gif]);
    all
}

fn recipes() -> Vec<(Vec<u8>, Image)> {
    let mut all = Vec::new();
    for file in files() {
        for fidelity in [Fidelity::Files, Fidelity::Pixels] {
            if let Opened::Image { image, recipe } = open(&file, fidelity, &OpenLimits::default()) {
                // a plain file may itself be exact, with a recipe of another kind
                let rebuilt = rebuild(&recipe, &image).unwrap();
                all.push((recipe, image));
                if let Opened::Image { image, recipe } = open(&rebuilt, Fidelity::Files, &OpenLimits::default()) {
                    all.push((recipe, image));
                }
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup();
    let mut kinds: Vec<u8> = all.iter().map(|(recipe, _)| recipe[0]).collect();
    kinds.dedup();
    assert!(kinds.len() >= 7, "kinds of recipes: {kinds:?}");
    all
}

#[test]
fn every_bit_flip_and_every_cut_of_a_file_is_answered() {
    for file in files() {
        for fidelity in [Fidelity::Files, Fidelity::Pixels] {
            for n in 0..file.len() {
                let _ = open(&file[..n], fidelity, &OpenLimits::default());
            }
            for bit in 0..file.len() * 8 {
                let mut damaged = file.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                if let (Fidelity::Files, Opened::Image { image, recipe }) = (fidelity, open(&damaged, fidelity, &OpenLimits::default())) {
                    assert!(rebuild(&recipe, &image).unwrap() == damaged);
                }
            }
        }
    }
}

#[test]
fn every_bit_flip_and_every_cut_of_a_recipe_is_answered() {
    for (recipe, image) in recipes() {
        for n in 0..recipe.len() {
            let error = rebuild(&recipe[..n], &image).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Corrupt), "{error}");
        }
        let mut longer = recipe.clone();
        longer.push(0);
        assert_eq!(rebuild(&longer, &image).unwrap_err().kind(), ErrorKind::Corrupt);
        for bit in 0..recipe.len() * 8 {
            let mut damaged = recipe.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = rebuild(&damaged, &image);
        }
        for layout in LAYOUTS {
            for (width, height) in [(1, 1), (5, 4), (7, 3), (1, 300)] {
                let _ = rebuild(&recipe, &blank(layout, width, height));
            }
        }
    }
}

#[test]
fn an_image_that_breaks_its_invariant_is_refused() {
    let recipe = recipes().remove(0).0;
    let mut image = blank("rgb8", 5, 4);
    image.samples.pop();
    assert_eq!(rebuild(&recipe, &image).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut image = blank("gray8", 5, 4);
    image.layout.bit_depth = 3;
    assert_eq!(rebuild(&recipe, &image).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(rebuild(&[99], &blank("gray8", 1, 1)).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(rebuild(&[], &blank("gray8", 1, 1)).unwrap_err().kind(), ErrorKind::Truncated);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_recipe_is_answered_within_bounds(
        kind in 0..10u8,
        fields in prop::collection::vec(prop_oneof![0..12u8, any::<u8>()], 0..40),
        layout in 0..LAYOUTS.len(),
        (width, height) in (1..20u32, 1..20u32),
    ) {
        let recipe = [vec![kind], fields].concat();
        if let Ok(file) = rebuild(&recipe, &blank(LAYOUTS[layout], width, height)) {
            // worst case: text of three digits and 16 bytes between samples, or a PNG chunk for every byte
            prop_assert!(file.len() < 2000 + 40 * (width * height * 4) as usize, "{}", file.len());
        }
    }

    #[test]
    fn any_bytes_behind_a_magic_number_are_answered(
        magic in 0..7usize,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        pixels: bool,
    ) {
        let magic: &[u8] = [
            &b"\x89PNG\r\n\x1a\n"[..], b"P6 ", b"P2 ", b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", b"II*\0\x08\0\0\0", b"GIF89a",
            b"RIFF\0\0\0\0WEBPVP8L",
        ][magic];
        let fidelity = if pixels { Fidelity::Pixels } else { Fidelity::Files };
        let _ = open(&[magic, &bytes].concat(), fidelity, &OpenLimits::default());
    }
}
