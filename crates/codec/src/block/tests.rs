//! Blocks come back, by any kernel, at the size their Program promises.

use super::*;
use crate::program::{Dense, Head, Stage, Tap, Wide};
use crate::{Limits, program};

pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as u32) % bound
    }

    fn dense(&mut self, n_in: usize, n_out: usize) -> Dense {
        Dense {
            n_in,
            n_out,
            weights: (0..n_in * n_out).map(|_| (self.roll(255) as i32 - 127) as i8).collect(),
            step_codes: (0..n_out).map(|_| 64 + self.roll(24) as u8).collect(),
            biases: (0..n_out).map(|_| (self.roll(2000) as i32 - 1000) as i16).collect(),
        }
    }
}

/// A Program of random weights: predictions are poor, but every wire is in use.
pub(super) fn random_program(dice: &mut Dice, channels: u8, bit_depth: u8) -> Program {
    random_wide_program(dice, channels, bit_depth, None)
}

/// The same for samples of 16 bits.
fn random_wide_program(dice: &mut Dice, channels: u8, bit_depth: u8, wide: Option<Wide>) -> Program {
    let taps: Vec<Tap> = [(0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-1, 3), (-2, 0), (-2, 1)].iter().map(|&(dy, dx)| Tap { dy, dx }).collect();
    let mut program = Program {
        bit_depth,
        order: (0..channels).rev().collect(),
        stages: vec![Stage { taps: taps.clone(), layers: Vec::new() }, Stage { taps: taps[..5].to_vec(), layers: Vec::new() }],
        heads: Vec::new(),
        components: 3,
        spikes: taps[..4].to_vec(),
        wide,
        colour: None,
        hats: 0,
    };
    for index in 0..2 {
        let inputs = program.stage_inputs(index);
        program.stages[index].layers = vec![dice.dense(inputs, 19), dice.dense(19, 12)];
    }
    for c in 0..channels {
        let hidden = vec![dice.dense(12 + usize::from(c), 9)];
        let out = dice.dense(9, program.head_outputs());
        program.heads.push(Head { hidden, out, follows: c.checked_sub(1) });
    }
    program.validate(&Limits::default()).expect("a valid Program");
    program
}

/// The same Program with hats, and weights for them.
fn placed(dice: &mut Dice, program: &Program, hats: u8) -> Program {
    let mut placed = Program { hats, ..program.clone() };
    let (inputs, units) = (placed.stage_inputs(0), program.stages[0].layers[0].n_out);
    placed.stages[0].layers[0] = dice.dense(inputs, units);
    placed.validate(&Limits::default()).expect("a valid Program");
    placed
}

#[test]
fn hats_tell_where_a_pixel_is_by_any_kernel() {
    let mut dice = Dice(21);
    let plain = [
        random_program(&mut dice, 1, 8),
        random_program(&mut dice, 1, 1),
        random_program(&mut dice, 3, 8),
        random_wide_program(&mut dice, 1, 12, Some(Wide { resolution: 3, values: vec![] })),
        Program { colour: Some(crate::colour::Colour::Jfif), ..random_program(&mut dice, 3, 8) },
    ];
    let shapes = [(5, 7), (1, 1), (40, 3), (2, 90), (0, 4), (33, 34)];
    for (plain, hats) in plain.iter().flat_map(|plain| [2, 3, 8, 16].map(|hats| (plain, hats))) {
        let program = placed(&mut dice, plain, hats);
        let bytes = program.to_bytes();
        assert_eq!((bytes[0], bytes[1], bytes[2]), (5, hats, plain.to_bytes()[0]), "the version, the hats, then what the Program would be without");
        assert_eq!(Program::from_bytes(&bytes, &Limits::default()).as_ref(), Ok(&program));
        let of_shape = |dice: &mut Dice, (height, width): (usize, usize)| match &program.wide {
            Some(_) => wide_samples(dice, &program, height * width),
            None => (0..height * width * program.channels()).map(|_| dice.roll(1 << program.bit_depth) as u8).collect(),
        };
        let samples = shapes.map(|shape| of_shape(&mut dice, shape));
        let images: Vec<_> = shapes.iter().zip(&samples).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
        let methods = [Method::Direct, Method::Lanes, Method::Adaptive];
        for method in methods.into_iter().take(if program.is_deep() { 2 } else { 3 }) {
            let encoded = encode_by(Kernel::Scalar, method, &program, &images).expect("encodes");
            for kernel in Kernel::all() {
                assert_eq!(encode_by(kernel, method, &program, &images).as_ref(), Ok(&encoded), "{kernel:?} {method:?}");
                let decoded = decode_by(kernel, method, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 26)).expect("decodes");
                assert!(decoded == samples, "{kernel:?} {method:?} {hats}");
            }
        }
    }
}

#[test]
fn programs_of_no_number_of_hats_are_refused() {
    let mut dice = Dice(22);
    let plain = random_program(&mut dice, 1, 8);
    let sound = placed(&mut dice, &plain, 2).to_bytes();
    for hats in [0, 1, 17, 255] {
        let bytes = [&[5, hats], &sound[2..]].concat();
        assert_eq!(Program::from_bytes(&bytes, &Limits::default()), Err(Error::corrupt("hats of a Program")), "{hats}");
        let given = Program { hats, ..plain.clone() };
        assert_eq!(given.validate(&Limits::default()).is_ok(), hats == 0, "{hats}");
    }
    // Three hats need weights that are not there; one Program of version 5 is not in another.
    assert!(Program::from_bytes(&[&[5, 3], &sound[2..]].concat(), &Limits::default()).is_err());
    let nested = Program::from_bytes(&[&[5, 2], &sound[..]].concat(), &Limits::default());
    assert_eq!(nested, Err(Error::Unsupported { what: "Program version", found: 5, known: 5 }));
    for cut in 0..3 {
        assert!(matches!(Program::from_bytes(&sound[..cut], &Limits::default()), Err(Error::Truncated { .. })), "{cut}");
    }
}

#[test]
fn random_programs_code_every_layout() {
    let mut dice = Dice(3);
    for channels in 1..=4u8 {
        for bit_depth in [1, 2, 4, 8] {
            let program = random_program(&mut dice, channels, bit_depth);
            let shapes = [(5, 7), (1, 1), (40, 3), (2, 90), (0, 4), (33, 34)];
            let samples = shapes.map(|(h, w)| (0..h * w * usize::from(channels)).map(|_| dice.roll(1 << bit_depth) as u8).collect::<Vec<_>>());
            let images: Vec<_> = shapes.iter().zip(&samples).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
            let encoded = encode(&program, &images).expect("encodes");
            let ideal_bytes = encoded.ideal_bits as f64 / 65_536.0 / 8.0;
            let coded = encoded.bytes.len() as f64;
            assert!((coded - ideal_bytes).abs() < ideal_bytes * 1e-4 + 8.0, "{coded} bytes, ideal {ideal_bytes}");
            let lanes = encode_as(Method::Lanes, &program, &images).expect("encodes");
            assert_eq!(lanes.ideal_bits, encoded.ideal_bits);
            assert!(lanes.bytes.len() <= encoded.bytes.len() + 128, "{} {coded}", lanes.bytes.len());
            for kernel in Kernel::all() {
                for (method, encoded) in [(Method::Direct, &encoded), (Method::Lanes, &lanes)] {
                    assert_eq!(&encode_by(kernel, method, &program, &images).expect("encodes"), encoded, "{kernel:?}");
                    let decoded = decode_by(kernel, method, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes");
                    assert_eq!(decoded, samples, "{kernel:?} {method:?}");
                }
            }
        }
    }
}

/// Samples of 16 bits, some steps from those before them, all of them symbols.
fn wide_samples(dice: &mut Dice, program: &Program, n: usize) -> Vec<u8> {
    let wide = program.wide.as_ref().expect("a wide Program");
    let symbols = if wide.values.is_empty() { 1 << program.bit_depth } else { wide.values.len() as u32 };
    let mut symbol = dice.roll(symbols);
    let all = (0..n).map(|_| {
        symbol = if dice.roll(20) == 0 { dice.roll(symbols) } else { (symbol + dice.roll(64)) % symbols };
        symbol as u16
    });
    let all: Vec<u16> = all.collect();
    wide.samples(all.into_iter()).expect("each symbol has a sample")
}

#[test]
fn random_programs_code_samples_of_16_bits() {
    let mut dice = Dice(11);
    let sixteenths: Vec<u16> = (0..4096).map(|value| value * 16 + 5).collect();
    let few: Vec<u16> = vec![0, 1, 2, 700, 701, 40_000, 65_535];
    let alphabets =
        [(9, 0, vec![]), (12, 3, vec![]), (12, 0, sixteenths), (13, 1, vec![]), (16, 0, vec![]), (16, 7, vec![]), (3, 0, few), (8, 0, vec![])];
    for channels in 1..=4u8 {
        for (bit_depth, resolution, values) in &alphabets {
            let wide = Wide { resolution: *resolution, values: values.clone() };
            let program = random_wide_program(&mut dice, channels, *bit_depth, Some(wide));
            let read = Program::from_bytes(&program.to_bytes(), &Limits::default());
            assert_eq!(read.as_ref(), Ok(&program));
            let shapes = [(5, 7), (1, 1), (30, 3), (2, 70), (0, 4), (19, 34)];
            let samples = shapes.map(|(h, w)| wide_samples(&mut dice, &program, h * w * usize::from(channels)));
            let images: Vec<_> = shapes.iter().zip(&samples).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
            let encoded = encode(&program, &images).expect("encodes");
            let (ideal_bytes, coded) = (encoded.ideal_bits as f64 / 65_536.0 / 8.0, encoded.bytes.len() as f64);
            assert!((coded - ideal_bytes).abs() < ideal_bytes * 1e-4 + 8.0, "{coded} bytes, ideal {ideal_bytes}");
            for kernel in Kernel::all() {
                let decoded = decode_by(kernel, Method::Direct, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes");
                assert_eq!(decoded, samples, "{kernel:?} {bit_depth} bits");
                let lanes = encode_by(kernel, Method::Lanes, &program, &images).expect("encodes");
                assert!(lanes.bytes.len() <= encoded.bytes.len() + 128);
                let decoded = decode_by(kernel, Method::Lanes, &program, &shapes, &lanes.bytes, &mut Budget::new(1 << 24)).expect("decodes");
                assert_eq!(decoded, samples, "{kernel:?} {bit_depth} bits, by lanes");
            }
            let adaptive = encode_as(Method::Adaptive, &program, &images);
            match program.is_deep() {
                true => {
                    assert_eq!(adaptive.unwrap_err().kind(), crate::ErrorKind::InvalidArgument);
                    let refused = decode_as(Method::Adaptive, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24));
                    assert_eq!(refused.unwrap_err().kind(), crate::ErrorKind::Unsupported);
                }
                false => {
                    let bytes = adaptive.expect("encodes").bytes;
                    let decoded = decode_as(Method::Adaptive, &program, &shapes, &bytes, &mut Budget::new(1 << 24));
                    assert_eq!(decoded.expect("decodes"), samples);
                }
            }
        }
    }
}

#[test]
fn samples_that_are_no_symbols_are_refused_both_ways() {
    let mut dice = Dice(12);
    let program = random_wide_program(&mut dice, 1, 9, Some(Wide { resolution: 0, values: (100..400).collect() }));
    for foreign in [[99, 0], [144, 1], [255, 255]] {
        let refused = encode(&program, &[ImageRef { height: 1, width: 1, samples: &foreign }]);
        assert_eq!(refused.unwrap_err().kind(), crate::ErrorKind::InvalidArgument);
    }
    // A code that says symbol 511, which stands for no sample.
    let wider = Program { wide: Some(Wide::default()), ..program.clone() };
    let bytes = encode(&wider, &[ImageRef { height: 1, width: 1, samples: &[255, 1] }]).expect("encodes").bytes;
    assert_eq!(decode(&program, &[(1, 1)], &bytes, &mut Budget::new(1 << 20)).unwrap_err().kind(), crate::ErrorKind::Corrupt);
    let symbol_0 = encode(&wider, &[ImageRef { height: 1, width: 1, samples: &[0, 0] }]).expect("encodes").bytes;
    assert_eq!(decode(&program, &[(1, 1)], &symbol_0, &mut Budget::new(1 << 20)).expect("decodes"), [[100, 0]]);
}

#[test]
fn alphabets_that_do_not_exist_are_refused() {
    let mut dice = Dice(13);
    let program = random_wide_program(&mut dice, 1, 12, Some(Wide { resolution: 2, values: (0..4000).collect() }));
    let bytes = program.to_bytes();
    // Version, bit depth, resolution; number of runs, left out before the run, its values less one.
    assert_eq!(bytes[..9], [3, 12, 2, 1, 0, 0, 0, 0x9f, 0x0f]);
    let refused = |changes: &[(usize, u8)]| {
        let mut bytes = bytes.clone();
        changes.iter().for_each(|&(at, value)| bytes[at] = value);
        Program::from_bytes(&bytes, &Limits::default()).map(|_| ()).unwrap_err().kind()
    };
    use crate::ErrorKind::{Corrupt, Unsupported};
    assert_eq!(refused(&[(0, 5)]), Unsupported);
    for changes in [&[(1, 17)][..], &[(1, 0)], &[(1, 11)], &[(2, 8)], &[(2, 255)], &[(7, 255), (8, 255), (5, 1)], &[(8, 0x10)]] {
        assert_eq!(refused(changes), Corrupt, "{changes:?}");
    }
    let shallow = Program { bit_depth: 8, ..program.clone() };
    assert!(shallow.validate(&Limits::default()).is_err(), "neither resolution nor 4,000 values go with 8 bits");
    let unsorted = Program { wide: Some(Wide { resolution: 0, values: vec![3, 3] }), ..program };
    assert!(unsorted.validate(&Limits::default()).is_err());
}

#[test]
fn a_constant_image_costs_next_to_nothing() {
    let tap = Tap { dy: 0, dx: -1 };
    let zero = |n_in: usize, n_out: usize| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![56; n_out], biases: vec![0; n_out] };
    let mut program = Program {
        bit_depth: 8,
        order: vec![0],
        stages: vec![Stage { taps: vec![tap], layers: vec![zero(1 + 1 + 5, 4)] }],
        heads: vec![Head { hidden: vec![], out: zero(4, 4), follows: None }],
        components: 1,
        spikes: vec![tap],
        wide: None,
        colour: None,
        hats: 0,
    };
    program.heads[0].out.biases[3] = 30_000; // the spike on W takes all but 2^-7.3 of the mass
    program.validate(&Limits::default()).expect("a valid Program");
    let samples = vec![77; 100 * 100];
    let encoded = encode(&program, &[ImageRef { height: 100, width: 100, samples: &samples }]).expect("encodes");
    // 10,000 samples at log2(1 + 2^-7.3) = 0.0091 bits each, 100 row starts from the sample above, one free start.
    assert!(encoded.bytes.len() < 24, "{}", encoded.bytes.len());
}

#[test]
fn damage_gives_errors_or_other_samples_never_a_panic() {
    let mut dice = Dice(9);
    let program = random_program(&mut dice, 3, 8);
    let samples: Vec<u8> = (0..20 * 21 * 3).map(|_| dice.roll(256) as u8).collect();
    let encoded = encode(&program, &[ImageRef { height: 20, width: 21, samples: &samples }]).expect("encodes");
    for cut in 0..encoded.bytes.len() {
        let got = decode(&program, &[(20, 21)], &encoded.bytes[..cut], &mut Budget::new(1 << 24));
        assert!(got.is_err() || got.is_ok_and(|images| images[0].len() == samples.len()));
    }
    for bit in 0..encoded.bytes.len() * 8 {
        let mut bytes = encoded.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let got = decode(&program, &[(20, 21)], &bytes, &mut Budget::new(1 << 24));
        // The last words hold a few bits that no symbol needs.
        assert!(bit / 8 + 8 >= bytes.len() || got.is_err() || got.is_ok_and(|images| images[0] != samples), "bit {bit}");
    }
    let refused = decode(&program, &[(1 << (usize::BITS * 5 / 8), 1 << (usize::BITS * 5 / 8))], &encoded.bytes, &mut Budget::new(1 << 24));
    assert!(matches!(refused, Err(Error::LimitExceeded { .. })), "{refused:?}");
    let refused = decode(&program, &[(1 << 15, 1 << 15)], &encoded.bytes, &mut Budget::new(u64::MAX));
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
}

#[test]
fn programs_survive_their_bytes_and_damage_is_refused_or_valid() {
    let mut dice = Dice(5);
    let program = random_program(&mut dice, 4, 8);
    let bytes = program.to_bytes();
    let limits = Limits::default();
    assert_eq!(program::Program::from_bytes(&bytes, &limits).as_ref(), Ok(&program));
    for cut in 0..bytes.len() {
        assert!(Program::from_bytes(&bytes[..cut], &limits).is_err());
    }
    for at in 0..bytes.len().min(200) {
        for value in [0, 1, 127, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(other) = Program::from_bytes(&damaged, &limits) {
                other.validate(&limits).expect("what is read is valid");
            }
        }
    }
}

#[test]
fn adaptive_blocks_come_back_by_any_kernel() {
    let mut dice = Dice(11);
    for channels in 1..=4u8 {
        for bit_depth in [1, 2, 4, 8] {
            let program = random_program(&mut dice, channels, bit_depth);
            let shapes = [(5, 7), (1, 1), (40, 3), (2, 90), (0, 4), (33, 34)];
            let samples = shapes.map(|(h, w)| (0..h * w * usize::from(channels)).map(|_| dice.roll(1 << bit_depth) as u8).collect::<Vec<_>>());
            let images: Vec<_> = shapes.iter().zip(&samples).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
            let encoded = encode_as(Method::Adaptive, &program, &images).expect("encodes");
            let ideal_bytes = encoded.ideal_bits as f64 / 65_536.0 / 8.0;
            assert!((encoded.bytes.len() as f64) < ideal_bytes * 1.001 + 9.0, "{} {ideal_bytes}", encoded.bytes.len());
            for kernel in Kernel::all() {
                assert_eq!(encode_by(kernel, Method::Adaptive, &program, &images).expect("encodes"), encoded, "{kernel:?}");
                let decoded = decode_by(kernel, Method::Adaptive, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 26)).expect("decodes");
                assert_eq!(decoded, samples, "{kernel:?} {channels} x {bit_depth} bits");
            }
        }
    }
}

#[test]
fn adaptive_coding_learns_what_the_program_does_not_know() {
    // Tiles of a texture that no neighbour foretells: a Program of random weights is lost, contexts of exact values are not.
    let mut dice = Dice(5);
    let program = random_program(&mut dice, 1, 8);
    let tile: Vec<u8> = (0..64).map(|_| dice.roll(256) as u8).collect();
    let samples: Vec<u8> = (0..128 * 128).map(|i| tile[(i / 128 % 8) * 8 + i % 8]).collect();
    let image = ImageRef { height: 128, width: 128, samples: &samples };
    let direct = encode(&program, &[image]).expect("encodes");
    let adaptive = encode_as(Method::Adaptive, &program, &[image]).expect("encodes");
    assert!(adaptive.bytes.len() * 3 < direct.bytes.len(), "{} {}", adaptive.bytes.len(), direct.bytes.len());
}

#[test]
fn large_blocks_are_coded_by_lanes_and_small_ones_are_not() {
    let mut dice = Dice(21);
    let program = random_program(&mut dice, 3, 8);
    let samples: Vec<u8> = (0..180 * 180 * 3).map(|_| dice.roll(256) as u8).collect();
    let large = ImageRef { height: 180, width: 180, samples: &samples };
    let small = ImageRef { height: 30, width: 180, samples: &samples[..30 * 180 * 3] };
    for (image, expected) in [(large, Method::Lanes), (small, Method::Direct)] {
        let (method, encoded) = encode_directly(&program, &[image]).expect("encodes");
        assert_eq!((method, &encoded), (expected, &encode_as(expected, &program, &[image]).expect("encodes")));
    }
}

#[test]
fn whatever_is_changed_in_lanes_is_noticed() {
    let mut dice = Dice(9);
    let program = random_program(&mut dice, 3, 8);
    let samples: Vec<u8> = (0..20 * 21 * 3).map(|i| (i / 7) as u8).collect();
    let encoded = encode_as(Method::Lanes, &program, &[ImageRef { height: 20, width: 21, samples: &samples }]).expect("encodes");
    let decoded = |bytes: &[u8]| decode_as(Method::Lanes, &program, &[(20, 21)], bytes, &mut Budget::new(1 << 24));
    assert_eq!(decoded(&encoded.bytes), Ok(vec![samples]));
    for bit in (0..encoded.bytes.len() * 8).step_by(37) {
        let mut bytes = encoded.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decoded(&bytes).expect_err("damage").kind(), crate::ErrorKind::Corrupt, "bit {bit}");
    }
    for cut in (0..encoded.bytes.len()).step_by(11) {
        assert_eq!(decoded(&encoded.bytes[..cut]).expect_err("a part").kind(), crate::ErrorKind::Corrupt, "cut at {cut}");
    }
    assert!(decoded(&[&encoded.bytes[..], &[1; 4]].concat()).is_err());
}

#[test]
fn adaptive_blocks_survive_damage() {
    let mut dice = Dice(8);
    let program = random_program(&mut dice, 3, 8);
    let samples: Vec<u8> = (0..20 * 30 * 3).map(|i| (i / 7) as u8).collect();
    let encoded = encode_as(Method::Adaptive, &program, &[ImageRef { height: 20, width: 30, samples: &samples }]).expect("encodes");
    for bit in (0..encoded.bytes.len() * 8).step_by(37) {
        let mut bytes = encoded.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match decode_as(Method::Adaptive, &program, &[(20, 30)], &bytes, &mut Budget::new(1 << 26)) {
            Ok(images) => assert_eq!(images[0].len(), samples.len()),
            Err(error) => assert_eq!(error.kind(), crate::ErrorKind::Corrupt),
        }
    }
    let starved = decode_as(Method::Adaptive, &program, &[(20, 30)], &encoded.bytes, &mut Budget::new(1 << 16)).expect_err("too little memory");
    assert_eq!(starved.kind(), crate::ErrorKind::LimitExceeded);
}

#[test]
fn adaptive_contexts_are_known_whatever_the_program_looks_at() {
    // A Program that sees only W asks for slope 1; the adaptive contexts look two columns further right.
    let tap = Tap { dy: 0, dx: -1 };
    let mut dice = Dice(4);
    let program = Program {
        bit_depth: 8,
        order: vec![0, 1, 2],
        stages: vec![Stage { taps: vec![tap], layers: vec![dice.dense(3 + 3 + 5, 4)] }],
        heads: (0..3).map(|c| Head { hidden: vec![], out: dice.dense(4 + c, 4), follows: None }).collect(),
        components: 1,
        spikes: vec![tap],
        wide: None,
        colour: None,
        hats: 0,
    };
    program.validate(&Limits::default()).expect("a valid Program");
    assert!(program.slope() <= REACH);
    let samples: Vec<u8> = (0..23 * 31 * 3u32).map(|i| (i / 11 + dice.roll(9)) as u8).collect();
    let encoded = encode_as(Method::Adaptive, &program, &[ImageRef { height: 23, width: 31, samples: &samples }]).expect("encodes");
    let decoded = decode_as(Method::Adaptive, &program, &[(23, 31)], &encoded.bytes, &mut Budget::new(1 << 26)).expect("decodes");
    assert_eq!(decoded, [samples]);
}
