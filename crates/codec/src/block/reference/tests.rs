//! References: tables are checked, whatever is seen comes back, and near-duplicates take less by it.

use super::*;
use crate::block::adaptively::encode_by_references_by;
use crate::block::tests::{Dice, random_program};
use crate::block::{Encoded, ImageRef, Method, decode_as, decode_by, encode_as, encode_by_references};
use crate::error::ErrorKind;
use crate::kernel::Kernel;
use crate::program::Program;

const SHAPES: [(usize, usize); 7] = [(24, 33), (24, 33), (0, 5), (33, 24), (1, 1), (24, 33), (3, 90)];

/// An image of this shape with some noise on a slope.
fn picture(dice: &mut Dice, (height, width): (usize, usize), channels: usize, bit_depth: u8) -> Vec<u8> {
    let level = |at: usize| (at / channels % width * 3 + at / channels / width * 2 + at % channels * 9) as u32;
    (0..height * width * channels).map(|at| ((level(at) + dice.roll(5)) % (1 << bit_depth)) as u8).collect()
}

fn moved(image: usize, turn: u8, down: i32, right: i32) -> Option<Reference> {
    Some(Reference { image, turn, down, right })
}

/// One image of each kind: none, plain, of another shape, far outside, in a chain.
fn references() -> [Option<Reference>; 7] {
    [None, Some(Reference::plain(0)), None, moved(1, 5, 0, -3), moved(0, 3, MOST_MOVED, -MOST_MOVED), moved(3, 6, 1, 2), moved(4, 7, 0, 0)]
}

fn images<'a>(samples: &'a [Vec<u8>]) -> Vec<ImageRef<'a>> {
    SHAPES.iter().zip(samples).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect()
}

#[test]
fn any_references_come_back_by_any_kernel() {
    let mut dice = Dice(21);
    for (channels, bit_depth) in [(1, 8), (2, 4), (3, 8), (4, 1)] {
        let program = random_program(&mut dice, channels, bit_depth);
        let samples = SHAPES.map(|shape| picture(&mut dice, shape, channels.into(), bit_depth));
        let images = images(&samples);
        let encoded = encode_by_references(&program, &images, &references()).expect("encodes");
        for kernel in Kernel::all() {
            assert_eq!(encode_by_references_by(kernel, &program, &images, &references()).as_ref(), Ok(&encoded), "{kernel:?}");
            let decoded = decode_by(kernel, Method::References, &program, &SHAPES, &encoded.bytes, &mut Budget::new(1 << 26)).expect("decodes");
            assert_eq!(decoded, samples, "{kernel:?}");
        }
        // Without any, it is an adaptive block behind a table of zeros.
        let plain = encode_as(Method::References, &program, &images).expect("encodes");
        let adaptive = encode_as(Method::Adaptive, &program, &images).expect("encodes");
        assert_eq!(plain.bytes, [&[0; SHAPES.len()][..], &adaptive.bytes].concat());
    }
}

/// A noisy image and what `change` makes of it.
fn twins(change: impl Fn(&[u8]) -> Vec<u8>) -> (Program, [Vec<u8>; 2]) {
    let mut dice = Dice(4);
    let program = random_program(&mut dice, 1, 8);
    let first: Vec<u8> = (0..64 * 64).map(|_| dice.roll(200) as u8).collect();
    let second = change(&first);
    (program, [first, second])
}

fn coded(program: &Program, samples: &[Vec<u8>; 2], reference: Reference) -> (Encoded, Encoded) {
    let images = samples.each_ref().map(|samples| ImageRef { height: 64, width: 64, samples });
    let by = encode_by_references(program, &images, &[None, Some(reference)]).expect("encodes");
    (by, encode_as(Method::Adaptive, program, &images).expect("encodes"))
}

#[test]
fn twins_take_little_more_than_one() {
    let at = |y: usize, x: usize| y * 64 + x;
    type Change = fn(usize, usize) -> (usize, usize);
    // Where the twin's sample at (y, x) is from.
    let turned: [(u8, Change); 8] = [
        (0, |y, x| (y, x)),
        (1, |y, x| (y, 63 - x)),
        (2, |y, x| (63 - y, x)),
        (3, |y, x| (63 - y, 63 - x)),
        (4, |y, x| (x, y)),
        (5, |y, x| (63 - x, y)),
        (6, |y, x| (x, 63 - y)),
        (7, |y, x| (63 - x, 63 - y)),
    ];
    for (turn, from) in turned {
        let (program, samples) = twins(|first| {
            let sample = |at: usize| {
                let (y, x) = from(at / 64, at % 64);
                first[y * 64 + x] + 7
            };
            (0..64 * 64).map(sample).collect()
        });
        let reference = Reference { turn, ..Reference::plain(0) };
        let (by, adaptive) = coded(&program, &samples, reference);
        assert!(by.bytes.len() * 10 < adaptive.bytes.len() * 7, "turn {turn}: {} of {}", by.bytes.len(), adaptive.bytes.len());
    }
    let (program, samples) = twins(|first| (0..64 * 64).map(|here| first[at((here / 64 + 5).min(63), (here % 64).saturating_sub(9))]).collect());
    let (by, adaptive) = coded(&program, &samples, Reference { down: 5, right: -9, ..Reference::plain(0) });
    // What was repeated along the border is cheap in any case.
    assert!(by.bytes.len() * 4 < adaptive.bytes.len() * 3, "moved: {} of {}", by.bytes.len(), adaptive.bytes.len());
}

#[test]
fn impossible_references_are_refused() {
    let shapes = [(3, 4), (0, 7), (5, 2)];
    let refused = |of: &[Option<Reference>]| References::new(of, &shapes).expect_err("refused").kind() == ErrorKind::InvalidArgument;
    assert!(refused(&[Some(Reference::plain(0)), None, None]), "itself");
    assert!(refused(&[Some(Reference::plain(2)), None, None]), "a later one");
    assert!(refused(&[None, None, Some(Reference::plain(1))]), "one without pixels");
    assert!(refused(&[None, moved(0, 8, 0, 0), None]), "a ninth symmetry");
    assert!(refused(&[None, moved(0, 0, MOST_MOVED + 1, 0), None]) && refused(&[None, moved(0, 0, 0, i32::MIN), None]), "too far");
    assert!(refused(&[None, None]) && refused(&[None, None, None, None]), "other than one an image");
    let chain: Vec<_> = (0..=MOST_WAVES).map(|image| image.checked_sub(1).map(Reference::plain)).collect();
    let shapes = vec![(1, 1); chain.len()];
    assert!(References::new(&chain[..MOST_WAVES], &shapes[1..]).is_ok());
    assert!(References::new(&chain, &shapes).is_err(), "a chain too long");
}

#[test]
fn tables_are_read_as_written_or_refused() {
    let shapes = &SHAPES[..];
    let mut table = Vec::new();
    References::new(&references(), shapes).expect("sound").write(&mut table);
    let read = |bytes: &[u8]| References::read(bytes, shapes, &mut Budget::new(1 << 12)).map(|(read, rest)| (read.of, rest.len()));
    assert_eq!(read(&[&table[..], b"rest"].concat()), Ok((references().to_vec(), 4)));
    for cut in 0..table.len() {
        assert_eq!(read(&table[..cut]).expect_err("cut").kind(), ErrorKind::Truncated, "{cut}");
    }
    for (what, table) in [
        ("itself or a later one", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("far before the first", &[0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("one without pixels", &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        ("a ninth symmetry", &[0, 1, 8, 0, 0, 0, 0, 0, 0, 0]),
        ("too far", &[0, 1, 0, 0x82, 0x80, 0x04, 0, 0, 0, 0, 0, 0]),
        ("beyond 32 bits", &[0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0, 0, 0]),
        ("a longer spelling", &[0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(read(table).expect_err(what).kind(), ErrorKind::Corrupt, "{what}");
    }
    let starved = References::read(&table, shapes, &mut Budget::new(64)).expect_err("too little memory");
    assert_eq!(starved.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn damage_is_survived() {
    let mut dice = Dice(9);
    let program = random_program(&mut dice, 3, 8);
    let samples = SHAPES.map(|shape| picture(&mut dice, shape, 3, 8));
    let encoded = encode_by_references(&program, &images(&samples), &references()).expect("encodes");
    let decoded = |bytes: &[u8], memory| decode_as(Method::References, &program, &SHAPES, bytes, &mut Budget::new(memory));
    let table = 40 * 8;
    for bit in (0..table).chain((table..encoded.bytes.len() * 8).step_by(331)) {
        let mut bytes = encoded.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match decoded(&bytes, 1 << 26) {
            Ok(images) => assert!(images.iter().zip(&samples).all(|(image, samples)| image.len() == samples.len())),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Truncated), "bit {bit}: {error:?}"),
        }
    }
    let least = (12..26).find(|&log2| decoded(&encoded.bytes, 1 << log2).is_ok()).expect("enough at last");
    assert_eq!(decoded(&encoded.bytes, (1 << least) / 2).expect_err("too little memory").kind(), ErrorKind::LimitExceeded);
}
