//! What coding costs: `cargo bench --manifest-path benches/Cargo.toml`. `KOLMO_KERNEL` chooses the instructions.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kolmo_codec::block::{self, ImageRef, Method};
use kolmo_codec::cdf::Mixture;
use kolmo_codec::container::{BlockCoding, Content, Fidelity, Item, Reader, RecipeBook, Writer, block_digest};
use kolmo_codec::context::Plane;
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::limits::{Budget, Limits};
use kolmo_codec::program::{Dense, Head, Program, Stage, Tap};
use kolmo_codec::weights;

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % bound
    }

    fn layer(&mut self, n_in: usize, n_out: usize) -> Dense {
        Dense {
            n_in,
            n_out,
            weights: (0..n_in * n_out).map(|_| self.roll(255) as i8).map(|weight| weight.max(-127)).collect(),
            step_codes: (0..n_out).map(|_| 64 + self.roll(16) as u8).collect(),
            biases: (0..n_out).map(|_| self.roll(1000) as i16).collect(),
        }
    }
}

/// A network of the shape that photographs get by default (29 k multiply-accumulates a pixel), of weights without meaning.
fn program() -> Program {
    let mut dice = Dice(1);
    let taps: Vec<Tap> = (-3i8..=0).flat_map(|dy| (-3i8..=3).map(move |dx| Tap { dy, dx })).filter(|tap| tap.dy < 0 || tap.dx < 0).collect();
    let near = [(0, -1), (-1, 0), (-1, 1), (-1, -1)].map(|(dy, dx)| Tap { dy, dx });
    let mut program = Program {
        bit_depth: 8,
        order: vec![0, 1, 2],
        stages: vec![Stage { taps, layers: vec![] }, Stage { taps: near.to_vec(), layers: vec![] }],
        heads: vec![],
        components: 4,
        spikes: near.to_vec(),
        wide: None,
        colour: None,
        hats: 0,
    };
    program.stages[0].layers = vec![dice.layer(program.stage_inputs(0), 64), dice.layer(64, 32)];
    program.stages[1].layers = vec![dice.layer(program.stage_inputs(1), 64), dice.layer(64, 64)];
    for c in 0..3 {
        let outputs = program.head_outputs();
        program.heads.push(Head { hidden: vec![dice.layer(64 + c, 32)], out: dice.layer(32, outputs), follows: c.checked_sub(1).map(|c| c as u8) });
    }
    program
}

/// Distributions of the same kind, which no network makes: what is left is the walk, neighbours, and the entropy coder.
fn bare_program() -> Program {
    let program = program();
    let none = |n_in: usize, n_out: usize| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![24; n_out], biases: vec![0; n_out] };
    let mut bare = Program { stages: vec![Stage { taps: vec![program.spikes[0]], layers: vec![] }], heads: vec![], ..program };
    bare.stages[0].layers = vec![none(bare.stage_inputs(0), 1)];
    for c in 0..3 {
        let mut out = none(1 + c, bare.head_outputs());
        // Weights, means, scales of 2 to 16 levels; spikes of little weight.
        out.biases = vec![0, 0, -4096, -4096, 0, 100, -200, 50, 4096, 8192, 12_288, 16_384, -16_384, -16_384, -16_384, -16_384];
        bare.heads.push(Head { hidden: vec![], out, follows: c.checked_sub(1).map(|c| c as u8) });
    }
    bare
}

/// Smooth pictures with some noise, 100x100 RGB.
fn pictures(count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice(5);
    let picture = |n: usize, dice: &mut Dice| (0..30_000).map(|i| ((i / 300 + i % 300 / 3 + 40 * n) % 200) as u8 + dice.roll(20) as u8).collect();
    (0..count).map(|n| picture(n, &mut dice)).collect()
}

fn blocks(c: &mut Criterion) {
    let program = program();
    let pictures = pictures(8);
    let images: Vec<ImageRef<'_>> = pictures.iter().map(|samples| ImageRef { height: 100, width: 100, samples }).collect();
    let shapes = vec![(100, 100); images.len()];
    let mut group = c.benchmark_group(format!("block, {}", block::kernel()));
    group.sample_size(10).throughput(Throughput::Bytes(30_000 * images.len() as u64));
    let bare = bare_program();
    let ways = [
        ("direct, one after the other", Method::Direct, &program),
        ("direct", Method::Lanes, &program),
        ("direct without a network", Method::Lanes, &bare),
        ("adaptive", Method::Adaptive, &program),
    ];
    for (name, method, program) in ways {
        group.bench_function(format!("encode {name}"), |b| b.iter(|| block::encode_as(method, program, black_box(&images))));
        let bytes = block::encode_as(method, program, &images).expect("images fit").bytes;
        let decode = || block::decode_as(method, program, &shapes, black_box(&bytes), &mut Budget::new(1 << 30));
        group.bench_function(format!("decode {name}"), |b| b.iter(decode));
    }
    group.finish();
}

fn distributions(c: &mut Criterion) {
    let mut dice = Dice(2);
    let mut mixture = Mixture::new(8, 4, 6);
    let outputs: Vec<i32> = (0..18).map(|_| dice.roll(20_000) as i32 - 6_000).collect();
    let mut group = c.benchmark_group(format!("distribution, {}", block::kernel()));
    group.throughput(Throughput::Elements(1));
    group.bench_function("set, 4 components and 6 spikes", |b| b.iter(|| mixture.set(black_box(&outputs), 100, &[90_u8, 91, 100, 105, 110, 120])));
    group.bench_function("find without a window", |b| b.iter(|| mixture.find(black_box(9_000_000))));
    group.bench_function("share of a symbol", |b| b.iter(|| mixture.share(black_box(101))));
    group.finish();
}

fn inputs(c: &mut Criterion) {
    let program = program();
    let picture = &pictures(1)[0];
    let plane = Plane::new(100, 100, picture, &[0, 1, 2], 8).expect("samples fit");
    let mut window = vec![0; program.stage_inputs(0)];
    c.bench_function("gather a window of 24 taps", |b| {
        b.iter(|| plane.gather(&program.stages[0].taps, 0, 50, black_box(50), &plane.bases(50, 50), &mut window))
    });
}

fn programs(c: &mut Criterion) {
    let raw = program().to_bytes();
    let coded = weights::encode(&raw);
    c.bench_function("code a Program of 30 kB in all ways", |b| b.iter(|| weights::encode(black_box(&raw))));
    let decode = || weights::decode(coded.coder, black_box(&coded.bytes), raw.len() as u64, &mut Budget::new(1 << 20));
    c.bench_function("decode it", |b| b.iter(decode));
}

fn index(c: &mut Criterion) {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[]).expect("an archive");
    let mut items = Vec::new();
    for block in 0..100u32 {
        let parts: Vec<[u8; 32]> = (0..100).map(|i| [i; 32]).collect();
        writer.block(BlockCoding::General(GeneralMethod::Stored), &[7; 100], block_digest(&[7; 100], &parts)).expect("a block");
        items.extend((0..100).map(|i| Item { path: format!("set/{:05}.bin", block * 100 + i), content: Content::General { block, bytes: 1 } }));
    }
    let archive = writer.finish(items, &RecipeBook::default(), 10_000).expect("items fit").0.into_inner();
    let limits = Limits::default();
    c.bench_function("open an archive of 10,000 items", |b| b.iter(|| Reader::open(Cursor::new(black_box(&archive)), &limits)));
}

criterion_group!(benches, blocks, distributions, inputs, programs, index);
criterion_main!(benches);
