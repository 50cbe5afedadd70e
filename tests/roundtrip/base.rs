//! Checkpoints against the one before.

use std::fs;
use std::path::Path;

use kolmo::observe::{Event, Observer, Silent};
use kolmo::options::{CompressOptions, ExpandOptions, Limits};

use crate::corpus::checkpoint::{bf16_bytes, f16_bytes, f32_bytes, legacy, npy, safetensors, weights};
use crate::corpus::picture::Noise;
use crate::corpus::room::{Room, files, general};

/// Expands with a base, and expects what went in.
#[track_caller]
fn back_with(room: &Room, archive: &str, base: &Path) {
    let options = ExpandOptions { base: Some(base.to_owned()), ..ExpandOptions::default() };
    let out = room.at("out");
    kolmo::expand(&room.at(archive), &out, &options, &mut Silent).unwrap_or_else(|error| panic!("{error}"));
    assert!(files(&room.set()) == files(&out), "other files came out than went in");
    fs::remove_dir_all(out).expect("out");
    let verified = kolmo::verify(&room.at(archive), Some(&room.set()), &options, &mut Silent).expect("an archive");
    assert!(verified.differences.is_empty(), "{:?}", verified.differences);
}

fn against(base: &Path) -> CompressOptions {
    CompressOptions { base: Some(base.to_owned()), ..general() }
}

/// Moves each number by some of its last places; one of them becomes odd.
fn moved(values: &[f32], by: u64, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    let mut values: Vec<f32> =
        values.iter().map(|value| f32::from_bits(value.to_bits().wrapping_add(noise.below(2 * by) as u32).wrapping_sub(by as u32))).collect();
    values[7] = f32::from_bits(0xffc0_1234);
    values
}

#[test]
fn checkpoints_take_their_differences_to_the_one_before() {
    let room = Room::new();
    let (values, small) = (weights(30_000, 5, 9), weights(20, 2, 3));
    let odd = [f32::NAN, f32::from_bits(0xffc0_1234), f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-42];
    let net = |values: &[f32], small: &[f32], odd: &[f32], steps: u64| {
        let half: Vec<f32> = values.iter().take(5000).copied().collect();
        safetensors(&[
            ("w", "F32", &[300, 100], f32_bytes(values)),
            ("half", "F16", &[5000], f16_bytes(&half)),
            ("brain", "BF16", &[30_000], bf16_bytes(values)),
            ("small", "F32", &[20], f32_bytes(small)),
            ("odd", "F32", &[6], f32_bytes(odd)),
            ("frozen", "F64", &[200], vec![7; 1600]),
            ("steps", "I64", &[], steps.to_le_bytes().to_vec()),
        ])
    };
    let turned: Vec<f32> = odd.iter().rev().copied().collect();
    fs::write(room.at("before.safetensors"), net(&values, &small, &odd, 1000)).expect("the base");
    let after = net(&moved(&values, 100, 1), &moved(&small, 9, 2), &turned, 1007);
    room.put("after.safetensors", &after);
    let base = room.at("before.safetensors");
    let alone = room.there_and_back(&general()).sizes.total;
    fs::remove_file(room.at("x.kolmo")).expect("x.kolmo");
    let summary = room.compress("x.kolmo", &against(&base));
    back_with(&room, "x.kolmo", &base);
    assert_eq!((summary.numbers.against_base, summary.verified_files), (after.len() as u64, 1));
    // Differences of up to 100 last places take a byte a number; those in brain and half floats are hardly there.
    assert!(summary.sizes.total < 38_000 && alone > 110_000, "{} and {alone}", summary.sizes.total);

    // Other kinds of files, and a tensor that is another now.
    let array = |values: &[f32]| npy("<f4", "(30000,)", &f32_bytes(values));
    let old = |values: &[f32], bias: usize| legacy(&[("layer.weight", values.to_vec()), ("layer.bias", weights(bias, 3, 5))]);
    for (name, before, after) in [("a.npy", array(&values), array(&moved(&values, 50, 3))), ("b.th", old(&values, 7), old(&moved(&values, 50, 4), 8))]
    {
        let room = Room::new();
        let base = room.at(name);
        fs::write(&base, &before).expect("the base");
        room.put(name, &after);
        let summary = room.compress("x.kolmo", &against(&base));
        back_with(&room, "x.kolmo", &base);
        assert!(summary.numbers.against_base > 0 && summary.sizes.total < 34_000, "{name}: {}", summary.sizes.total);
        // The same file once more is a few bytes.
        let room = Room::new();
        room.put("new/name", &before);
        let summary = room.compress("x.kolmo", &against(&base));
        back_with(&room, "x.kolmo", &base);
        assert!(summary.sizes.total < 700, "{name}: {}", summary.sizes.total);
    }
}

#[test]
fn long_checkpoints_are_coded_against_a_base_piece_by_piece() {
    let room = Room::new();
    // The middle of three tensors goes on in the second piece, and a number of it lies across the cut.
    let mut noise = Noise::new(1);
    let lengths = [1 << 18, 1 << 24, 3001].map(|length| length as usize);
    let layers: Vec<Vec<u8>> =
        lengths.iter().map(|&length| (0..length).flat_map(|_| (0x3c00_0000 + (noise.number() as u32 >> 9)).to_le_bytes()).collect()).collect();
    let net = |layers: &[Vec<u8>], odd: &str| {
        let names = ["a", "b", "c"].map(|name| format!("{name}{odd}"));
        let tensors: Vec<_> = names
            .iter()
            .zip(&lengths)
            .zip(layers)
            .map(|((name, length), bytes)| (name.as_str(), "F32", std::slice::from_ref(length), bytes.clone()))
            .collect();
        safetensors(&tensors)
    };
    let base = room.at("before.safetensors");
    fs::write(&base, net(&layers, "")).expect("the base");
    let mut layers = layers;
    layers.iter_mut().for_each(|layer| layer.chunks_exact_mut(4).step_by(3).for_each(|number| number[0] ^= 5));
    let file = net(&layers, "");
    assert!(file.len() > 1 << 26 && (file.len() - 4 * lengths[2]) > 1 << 26);
    room.put("after.safetensors", &file);
    let summary = room.compress("x.kolmo", &against(&base));
    back_with(&room, "x.kolmo", &base);
    assert_eq!(summary.numbers.against_base, file.len() as u64);
    assert!(summary.percent_of_input < 12.0, "{}", summary.percent_of_input);
    let tensors = kolmo::tensors(&room.at("x.kolmo"), Some(&base), &Limits::default()).expect("tensors");
    assert_eq!(tensors.len(), 3);
    let options = ExpandOptions { base: Some(base), ..ExpandOptions::default() };
    kolmo::expand_tensor(&room.at("x.kolmo"), "after.safetensors::c", &room.at("c"), &options).expect("a tensor");
    assert!(fs::read(room.at("c")).expect("c") == layers[2]);
    // Within 200 MB, of which a piece and its base take the most.
    let limits = Limits { memory_bytes: 200 << 20, ..Limits::default() };
    kolmo::verify(&room.at("x.kolmo"), None, &ExpandOptions { limits, ..options }, &mut Silent).expect("room enough");
}

/// Writes to the base when the archive is proved.
struct Meddler<'a>(&'a Path);

impl Observer for Meddler<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Progress { stage: "storing", .. }) {
            let mut bytes = fs::read(self.0).expect("the base");
            *bytes.last_mut().expect("bytes") ^= 1;
            fs::write(self.0, &bytes).expect("the base");
        }
    }
}

#[test]
fn a_base_that_changes_meanwhile_is_refused() {
    let room = Room::new();
    let values = weights(2000, 5, 9);
    let net = |values: &[f32]| safetensors(&[("w", "F32", &[2000], f32_bytes(values))]);
    let base = room.at("before.safetensors");
    fs::write(&base, net(&values)).expect("the base");
    room.put("after.safetensors", &net(&moved(&values, 9, 1)));
    let error = kolmo::compress(&room.set(), &room.at("x.kolmo"), &against(&base), &mut Meddler(&base)).expect_err("a changed base");
    assert!(matches!(&error, kolmo::Error::Changed { path } if *path == base), "{error}");
    assert!(!room.at("x.kolmo").exists());
}
