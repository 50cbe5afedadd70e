//! Files that hold images are cut where their images are, and all others are left whole.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::rebuild::rebuild;

/// An element of a picture that neighbours tell of: waves over some noise, another one for each image and channel.
fn wave(image: u64, channel: u64, y: u64, x: u64) -> u8 {
    let noise = (image * 7 + y * 31 + x * 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61;
    let wave = ((x as f64 / 5.0 + image as f64).sin() + (y as f64 / 7.0 + channel as f64 / 3.0).cos()) * 50.0 + 120.0;
    wave as u8 + noise as u8
}

fn noise(count: usize) -> Vec<u8> {
    (0..count as u64).map(|at| ((at + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40 ^ (at * at * 977) >> 3) as u8).collect()
}

fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn cut(file: &[u8]) -> Option<Vec<Part>> {
    let parts = parts(&mut Cursor::new(file), file.len() as u64);
    if let Some(parts) = &parts {
        assert_eq!(parts.iter().map(Part::bytes).sum::<u64>(), file.len() as u64, "parts make up the file");
        let mut at = 0;
        for part in parts {
            if let Part::Frames { count, frame } = part {
                for bytes in file[at..at + part.bytes() as usize].chunks_exact(frame.bytes() as usize) {
                    let (image, recipe) = frame.open(bytes).expect("an image");
                    assert_eq!(rebuild(&recipe, &image).expect("rebuilt"), bytes);
                    assert_eq!(frame_bytes(&recipe, image.width, image.height, image.layout), Some(frame.bytes()));
                }
                assert_eq!(*count, part.count());
            }
            at += part.bytes() as usize;
        }
    }
    parts
}

/// Layout, width, height and number of the images of a file that holds images of one kind.
fn images(file: &[u8]) -> Option<(String, u32, u32, u64)> {
    let parts = cut(file)?;
    let mut frames = parts.iter().filter_map(|part| match part {
        Part::Frames { count, frame } => Some((frame.layout.to_string(), frame.width, frame.height, *count)),
        Part::Bytes(_) => None,
    });
    let first = frames.next()?;
    assert_eq!(frames.next(), None);
    Some(first)
}

/// Pixel by pixel or plane by plane.
fn samples(count: u64, height: u64, width: u64, channels: u64, planar: bool) -> Vec<u8> {
    let mut all = Vec::new();
    for image in 0..count {
        let (outer, inner) = if planar { (channels, 1) } else { (1, channels) };
        for c in 0..outer {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                all.extend((0..inner).map(|inner| wave(image, c + inner, y, x)));
            }
        }
    }
    all
}

#[test]
fn arrays_are_seen_as_the_images_they_are() {
    let gray = samples(20, 28, 30, 1, false);
    let of = |descr: &str, shape: &str, data: &[u8]| images(&npy(descr, "False", shape, data));
    let is = |layout: &str, width, height, count| Some((layout.to_owned(), width, height, count));
    assert_eq!(of("|u1", "(20, 28, 30)", &gray), is("gray8", 30, 28, 20));
    assert_eq!(of("|i1", "(20, 28, 30, 1)", &gray), is("gray8", 30, 28, 20));
    assert_eq!(of("|u1", "(20, 1, 28, 30)", &gray), is("gray8", 30, 28, 20));
    assert_eq!(of("|u1", "(4, 5, 28, 30)", &gray), is("gray8", 30, 28, 20));
    assert_eq!(of("|u1", "(560, 30)", &gray), is("gray8", 30, 560, 1));
    assert_eq!(of("|u1", "(24, 784)", &samples(24, 28, 28, 1, false)), is("gray8", 28, 28, 24));
    let (mixed, planes) = (samples(6, 32, 32, 3, false), samples(6, 32, 32, 3, true));
    assert_eq!(of("|u1", "(6, 32, 32, 3)", &mixed), is("rgb8", 32, 32, 6));
    assert_eq!(of("|u1", "(6, 3, 32, 32)", &planes), is("rgb8", 32, 32, 6));
    assert_eq!(of("|u1", "(6, 3072)", &planes), is("rgb8", 32, 32, 6));
    assert_eq!(of("|u1", "(6, 3072)", &mixed), is("rgb8", 32, 32, 6));
    assert_eq!(of("|u1", "(192, 32, 3)", &mixed), is("rgb8", 32, 192, 1));
    assert_eq!(of("|u1", "(2, 3, 3, 32, 32)", &planes), is("rgb8", 32, 32, 6));
    // As Fortran has it, the first axis is contiguous.
    assert_eq!(images(&npy("|u1", "True", "(30, 28, 20)", &gray)), is("gray8", 30, 28, 20));
    let deep: Vec<u8> = gray.iter().flat_map(|&sample| (u16::from(sample) * 9).to_le_bytes()).collect();
    let turned: Vec<u8> = gray.iter().flat_map(|&sample| (i16::from(sample) * 9 - 900).to_be_bytes()).collect();
    assert_eq!(of("<u2", "(20, 28, 30)", &deep), is("gray16", 30, 28, 20));
    assert_eq!(of(">i2", "(20, 28, 30)", &turned), is("gray16", 30, 28, 20));
    let masks: Vec<u8> = gray.iter().map(|&sample| u8::from(sample > 128)).collect();
    assert_eq!(of("|b1", "(20, 28, 30)", &masks), is("gray1", 30, 28, 20));
}

#[test]
fn files_of_other_kinds_are_known_by_their_heads() {
    let gray = samples(20, 28, 30, 1, false);
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 28, 0, 0, 0, 30][..], &gray].concat();
    assert_eq!(images(&idx), Some(("gray8".to_owned(), 30, 28, 20)));
    assert_eq!(cut(&idx).unwrap()[0], Part::Bytes(16));

    let mut nifti = vec![0; 352];
    nifti[..4].copy_from_slice(&348i32.to_le_bytes());
    for (axis, size) in [3u16, 30, 28, 20].into_iter().enumerate() {
        nifti[40 + 2 * axis..][..2].copy_from_slice(&size.to_le_bytes());
    }
    nifti[70..72].copy_from_slice(&4u16.to_le_bytes());
    nifti[108..112].copy_from_slice(&352f32.to_le_bytes());
    nifti[344..348].copy_from_slice(b"n+1\0");
    nifti.extend(gray.iter().flat_map(|&sample| (i16::from(sample) - 100).to_le_bytes()));
    nifti.extend(b"an extension");
    assert_eq!(images(&nifti), Some(("gray16".to_owned(), 30, 28, 20)));
    assert_eq!(cut(&nifti).unwrap().last(), Some(&Part::Bytes(12)));

    let planes = samples(24, 32, 32, 3, true);
    let records =
        |labels: &[u8]| -> Vec<u8> { planes.chunks_exact(3072).enumerate().flat_map(|(n, image)| [&labels[n..=n], image].concat()).collect() };
    let labels: Vec<u8> = (0..24).map(|n| n % 10).collect();
    assert_eq!(images(&records(&labels)), Some(("rgb8".to_owned(), 32, 32, 24)));
    assert_eq!(cut(&records(&(0..24).collect::<Vec<u8>>())), None, "there are ten classes");
    let fine: Vec<u8> = planes.chunks_exact(3072).enumerate().flat_map(|(n, image)| [&[n as u8 % 20, n as u8 * 4][..], image].concat()).collect();
    assert_eq!(images(&fine), Some(("rgb8".to_owned(), 32, 32, 24)));

    let header = r#"{"x":{"dtype":"U8","shape":[20,28,30],"data_offsets":[8,16808]},"y":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[9; 8], &gray].concat();
    assert_eq!(images(&safetensors), Some(("gray8".to_owned(), 30, 28, 20)));
}

#[test]
fn what_neighbours_tell_nothing_of_is_no_image() {
    let of = |descr: &str, shape: &str, data: &[u8]| cut(&npy(descr, "False", shape, data));
    let noise = noise(64 * 64 * 12);
    assert_eq!(of("|u1", "(12, 64, 64)", &noise), None);
    assert_eq!(of("<u2", "(6, 64, 64)", &noise), None);
    assert_eq!(of("|u1", "(48, 1024)", &noise), None);
    assert_eq!(of("|u1", "(49152,)", &noise), None, "no rows");
    assert_eq!(of("<f4", "(3, 64, 64)", &noise), None, "no integers");
    assert_eq!(of("|u1", "(12, 64, 64)", &[0; 64 * 64 * 12]), None, "nothing to learn");
    assert_eq!(of("|u1", "(2, 28, 30)", &samples(2, 28, 30, 1, false)), None, "too few bytes");
    assert_eq!(cut(&noise), None);
    // Ids of words that have nothing to do with those above them.
    let ids: Vec<u8> = noise.chunks(2).flat_map(|pair| (u16::from_le_bytes([pair[0], pair[1]]) % 5000).to_le_bytes()).collect();
    assert_eq!(of("<u2", "(192, 128)", &ids), None);
}

proptest! {
    /// Whatever a head says, parts make up the file.
    #[test]
    fn any_head_is_safe(mut head in proptest::collection::vec(any::<u8>(), 0..80), kind in 0u8..4, axes in proptest::collection::vec(0u32..300, 0..5)) {
        let data = samples(8, 32, 32, 1, false);
        let file = match kind {
            0 => {
                head.splice(..0, [0, 0, 8, axes.len() as u8].into_iter().chain(axes.iter().flat_map(|axis| axis.to_be_bytes())));
                [head, data].concat()
            }
            1 => npy("|u1", "False", &format!("({})", axes.iter().map(|axis| format!("{axis}, ")).collect::<String>()), &data),
            2 => [b"\x93NUMPY".to_vec(), head, data].concat(),
            _ => {
                head.resize(352, 1);
                head[..4].copy_from_slice(&348i32.to_le_bytes());
                head[344..348].copy_from_slice(b"n+1\0");
                [head, data].concat()
            }
        };
        cut(&file);
    }

    /// A recipe of any bytes makes a file or an error, and says its length before.
    #[test]
    fn any_recipe_is_safe(rest in proptest::collection::vec(any::<u8>(), 0..12), flags in 0u8..10, layout in 0usize..4) {
        let layout: Layout = ["gray1", "gray16", "rgb8", "rgba16"][layout].parse().unwrap();
        let samples = vec![1; 6 * layout.channels() * layout.sample_bytes()];
        let image = Image::new(3, 2, layout, samples).unwrap();
        let recipe = [&[tag::FRAME, flags][..], &rest].concat();
        match rebuild(&recipe, &image) {
            Ok(file) => prop_assert_eq!(frame_bytes(&recipe, 3, 2, layout), Some(file.len() as u64)),
            Err(error) => prop_assert!(matches!(error.kind(), crate::ErrorKind::Corrupt | crate::ErrorKind::Truncated)),
        }
    }
}

#[test]
fn frames_of_other_lengths_or_depths_are_no_images() {
    let layout: Layout = "gray1".parse().unwrap();
    let frame = Frame { width: 2, height: 2, layout, lead: 1, flags: 0 };
    assert!(frame.open(&[9, 1, 0, 1, 0]).is_some());
    assert!(frame.open(&[9, 1, 0, 1]).is_none());
    assert!(frame.open(&[9, 1, 0, 1, 0, 0]).is_none());
    assert!(frame.open(&[9, 1, 0, 2, 0]).is_none());
}
