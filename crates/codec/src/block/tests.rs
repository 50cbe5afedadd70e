//! Blocks come back, by any kernel, at the size their Program promises.

use super::*;
use crate::program::{Dense, Head, Stage, Tap};
use crate::{Limits, program};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: u32) -> u32 {
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
fn random_program(dice: &mut Dice, channels: u8, bit_depth: u8) -> Program {
    let taps: Vec<Tap> = [(0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-1, 3), (-2, 0), (-2, 1)].iter().map(|&(dy, dx)| Tap { dy, dx }).collect();
    let mut program = Program {
        bit_depth,
        order: (0..channels).rev().collect(),
        stages: vec![Stage { taps: taps.clone(), layers: Vec::new() }, Stage { taps: taps[..5].to_vec(), layers: Vec::new() }],
        heads: Vec::new(),
        components: 3,
        spikes: taps[..4].to_vec(),
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
            for kernel in Kernel::all() {
                let decoded = decode_by(kernel, Method::Direct, &program, &shapes, &encoded.bytes, &mut Budget::new(1 << 24)).expect("decodes");
                assert_eq!(decoded, samples, "{kernel:?}");
            }
        }
    }
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
    let refused = decode(&program, &[(1 << 40, 1 << 40)], &encoded.bytes, &mut Budget::new(1 << 24));
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
    };
    program.validate(&Limits::default()).expect("a valid Program");
    assert!(program.slope() <= REACH);
    let samples: Vec<u8> = (0..23 * 31 * 3u32).map(|i| (i / 11 + dice.roll(9)) as u8).collect();
    let encoded = encode_as(Method::Adaptive, &program, &[ImageRef { height: 23, width: 31, samples: &samples }]).expect("encodes");
    let decoded = decode_as(Method::Adaptive, &program, &[(23, 31)], &encoded.bytes, &mut Budget::new(1 << 26)).expect("decodes");
    assert_eq!(decoded, [samples]);
}
