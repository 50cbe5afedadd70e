//! Training learns, keeps its promises about repeatability and stopping, and survives a restart.

use super::*;
use crate::device::{DeviceChoice, choose};

struct Quiet(u64, Wish);

impl Watch for Quiet {
    fn step(&mut self, progress: &Progress) -> Wish {
        if progress.step >= self.0 { self.1 } else { Wish::Continue }
    }
}

/// Smooth ramps with a little noise: 8 bits a sample as they stand, about 2 once the slope is known.
fn ramps(n: usize, channels: usize) -> Vec<Plane> {
    let mut dice = crate::sample::Dice::new(4);
    let order = coding_order(channels);
    let image = |slope: u64, dice: &mut crate::sample::Dice| {
        let sample = |i: usize, dice: &mut crate::sample::Dice| {
            let (y, x, c) = (i / channels / 24, i / channels % 24, i % channels);
            ((x as u64 * slope + y as u64 * 3 + 40 * c as u64 + dice.below(4)) % 256) as u8
        };
        (0..24 * 24 * channels).map(|i| sample(i, dice)).collect::<Vec<u8>>()
    };
    (0..n as u64).map(|i| Plane::new(24, 24, &image(1 + i % 5, &mut dice), &order, 8).expect("valid image")).collect()
}

fn tiny_plan(channels: usize) -> Plan {
    let mut plan = Plan::new(1, channels, 0, 0);
    (plan.steps, plan.batch_pixels) = (120, 1024);
    plan
}

fn set(channels: usize) -> TrainSet {
    let (train, validation, order) = (ramps(12, channels), ramps(2, channels), coding_order(channels));
    TrainSet { train, validation, order, bit_depth: 8, ..TrainSet::default() }
}

fn run() -> Run {
    Run { seed: 1, device: choose(DeviceChoice::Cpu).expect("the CPU is there"), time_budget: None, checkpoint: None, resume: false, start: None }
}

#[test]
fn learns_and_repeats() {
    for channels in [1, 3, 4] {
        let (set, plan) = (set(channels), tiny_plan(channels));
        let first = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains");
        assert!(first.tuned.train < 4.0, "{channels} channels: {:?}", first.tuned);
        assert!(first.tuned.test.is_nan() && first.tuned.validation < 4.2);
        assert_eq!((first.steps, first.stopped), (120, "done"));
        let again = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains");
        assert_eq!(first.program, again.program, "same seed, same Program");
    }
}

#[test]
fn stops_when_asked_and_resumes() {
    let (set, plan) = (set(1), tiny_plan(1));
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run { checkpoint: Some(Place::new(folder.path(), "gray8")), resume: true, ..run() };
    let stopped = train(&set, &plan, &run, &mut Quiet(50, Wish::Finish)).expect("stops with what it has");
    assert_eq!((stopped.steps, stopped.stopped), (50, "interrupted"));
    assert!(matches!(train(&set, &plan, &run, &mut Quiet(55, Wish::Cancel)), Err(Error::Cancelled)));
    let resumed = train(&set, &plan, &run, &mut Quiet(u64::MAX, Wish::Continue)).expect("resumes");
    assert!(resumed.steps < 90, "{} steps from a checkpoint at 48 or later", resumed.steps);
    assert!(resumed.tuned.train < stopped.tuned.train);
    let other = Plan { steps: 60, ..plan };
    assert!(matches!(train(&set, &other, &run, &mut Quiet(u64::MAX, Wish::Continue)), Err(Error::InvalidArgument { .. })));
}

#[test]
fn a_program_is_tuned_from_where_it_is() {
    let (set, plan) = (set(3), tiny_plan(3));
    let trained = train(&set, &plan, &run(), &mut Quiet(60, Wish::Finish)).expect("trains");
    let tuned = tune(&trained.program, &set, &Plan { steps: 60, ..plan }, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("tunes");
    assert!(tuned.tuned.train < trained.tuned.train, "{:?} {:?}", tuned.tuned, trained.tuned);
    assert!((tuned.quantised.train - trained.tuned.train).abs() < 0.02, "it starts from the Program: {:?} {:?}", tuned.quantised, trained.tuned);
}

/// What the float network of a Program makes of what was learned from, beside what the Program itself does.
#[track_caller]
fn is_the_network_rounded<S: Sample>(program: &Program, set: &TrainSet<S>) {
    let (net, shape) = dequantise(program, &Device::flex()).expect("a shape of ours");
    assert_eq!(shape.macs_per_pixel(), program.macs_per_pixel());
    let (sampler, patches) = (Sampler::new(&shape, &follows(shape.channels, None)), evaluate::patches(&set.train));
    let float = evaluate::network(&net.weights(), &sampler, &set.train, &patches, set.alphabet(), Some(Levels::of(program)));
    let exact = evaluate::program(program, &set.train).expect("fits");
    assert!((float - exact).abs() < 0.01, "{float} {exact}");
}

#[test]
fn the_rounded_network_is_the_program() {
    let (set, plan) = (set(3), tiny_plan(3));
    let trained = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains");
    is_the_network_rounded(&trained.program, &set);
}

/// Grey images of 24 x 24 samples, sparse dots: one of two pixels in a square in the middle, one of thirty elsewhere.
fn dotted(n: usize) -> Vec<Plane> {
    let mut dice = crate::sample::Dice::new(14);
    let mut sample = |i: usize| {
        let (y, x) = (i / 24, i % 24);
        let is_middle = (9..15).contains(&y) && (9..15).contains(&x);
        if dice.below(if is_middle { 2 } else { 30 }) == 0 { 200 } else { 100 }
    };
    (0..n).map(|_| Plane::new(24, 24, &(0..24 * 24).map(&mut sample).collect::<Vec<u8>>(), &[0], 8).expect("valid image")).collect()
}

#[test]
fn networks_learn_where_things_are_and_stay_so() {
    let (train_part, validation) = (dotted(60), dotted(6));
    let set = TrainSet { train: train_part, validation, order: vec![0], bit_depth: 8, ..TrainSet::default() };
    let mut plan = Plan { steps: 600, ..tiny_plan(1) };
    let mut learn = |hats: usize| {
        plan.shape.hats = hats;
        train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains")
    };
    let (blind, placed) = (learn(0), learn(8));
    assert_eq!((blind.program.hats, placed.program.hats), (0, 8));
    assert!(placed.tuned.train < 0.95 * blind.tuned.train, "{:?} {:?}", placed.tuned, blind.tuned);
    is_the_network_rounded(&placed.program, &set);
    let tuned = tune(&placed.program, &set, &Plan { steps: 40, ..tiny_plan(1) }, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("tunes");
    assert_eq!(tuned.program.hats, 8);
    assert!(tuned.tuned.validation <= placed.tuned.validation, "{:?} {:?}", tuned.tuned, placed.tuned);
    // A training that begins with it goes on where it is.
    let given = Run { start: Some(placed.program.clone()), ..run() };
    let again = train(&set, &Plan { steps: 40, ..plan.clone() }, &given, &mut Quiet(1, Wish::Finish)).expect("trains");
    assert!(again.float.train < 0.97 * blind.tuned.train, "{:?} {:?}", again.float, blind.tuned);
}

/// Ramps of 12 bits whose noise is 32 symbols: some steps of 2^3.
fn deep_set(channels: usize) -> TrainSet<u16> {
    let mut dice = crate::sample::Dice::new(5);
    let order = coding_order(channels);
    let alphabet = Alphabet::new(12, 3);
    let image = |slope: u64, dice: &mut crate::sample::Dice| {
        let sample = |i: usize, dice: &mut crate::sample::Dice| {
            let (y, x, c) = (i / channels / 24, i / channels % 24, i % channels);
            (16 * (x as u64 * slope + y as u64 * 3 + 20 * c as u64) + dice.below(64)) as u16
        };
        (0..24 * 24 * channels).map(|i| sample(i, dice)).collect::<Vec<u16>>()
    };
    let planes = |n: u64, dice: &mut crate::sample::Dice| {
        (0..n).map(|i| Plane::new(24, 24, &image(1 + i % 5, dice), &order, alphabet).expect("valid image")).collect::<Vec<_>>()
    };
    let wide = Some(Wide { resolution: 3, values: vec![] });
    let (train, validation) = (planes(12, &mut dice), planes(2, &mut dice));
    TrainSet { train, validation, order: order.clone(), bit_depth: 12, wide, ..TrainSet::default() }
}

#[test]
fn deep_samples_are_learned_and_rounded_alike() {
    for channels in [1, 3] {
        let (set, mut plan) = (deep_set(channels), tiny_plan(channels));
        (plan.shape.deep, plan.steps) = (true, 240);
        plan.shape.hats = if channels == 1 { 8 } else { 0 };
        let trained = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains");
        // The noise alone takes 6 bits, samples as they stand 12.
        assert!((6.0..8.0).contains(&trained.tuned.train), "{channels} channels: {:?}", trained.tuned);
        assert_eq!(dequantise(&trained.program, &Device::flex()).expect("a shape of ours").1, plan.shape);
        is_the_network_rounded(&trained.program, &set);
        let tuned = tune(&trained.program, &set, &Plan { steps: 60, ..plan }, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("tunes");
        // What the checkpoint is chosen by.
        assert!(tuned.tuned.validation <= trained.tuned.validation, "{:?} {:?}", tuned.tuned, trained.tuned);
    }
}

#[test]
fn an_empty_set_is_refused() {
    let empty = TrainSet::<u8> { order: vec![0], bit_depth: 8, ..TrainSet::default() };
    assert!(matches!(train(&empty, &tiny_plan(1), &run(), &mut Quiet(1, Wish::Finish)), Err(Error::InvalidArgument { .. })));
}

/// A few steps through wgpu, on whatever adapter there is, end where the CPU's end. `cargo xtask ci --gpu` runs it.
#[cfg(feature = "gpu")]
#[test]
fn wgpu_smoke() {
    let device = choose(DeviceChoice::Gpu).expect("a GPU, or a software Vulkan driver");
    let (set, plan) = (set(1), Plan { steps: 5, batch_pixels: 256, ..tiny_plan(1) });
    let gpu = train(&set, &plan, &Run { device, ..run() }, &mut Quiet(u64::MAX, Wish::Continue)).expect("trains on the GPU");
    let cpu = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains on the CPU");
    assert!(gpu.tuned.train.is_finite() && (gpu.tuned.train - cpu.tuned.train).abs() < 1.0, "gpu {:?}, cpu {:?}", gpu.tuned, cpu.tuned);
}

/// Flat images with one line of two: little to say, so each weight counts.
#[test]
fn weights_of_a_small_set_are_rounded_coarsely_and_stay_so() {
    let order = coding_order(1);
    let image = |k: usize| (0..32 * 32).map(|i| if (i % 32 + k) % 16 < 8 { 40 } else { 200 }).collect::<Vec<u8>>();
    let plane = |k: usize| Plane::new(32, 32, &image(k), &order, 8).expect("valid image");
    let set = TrainSet { train: (0..6).map(plane).collect(), order: order.clone(), bit_depth: 8, ..TrainSet::default() };
    let plan = Plan { steps: 200, batch_pixels: 512, ..tiny_plan(1) };
    let trained = train(&set, &plan, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("trains");
    let levels = Levels::of(&trained.program);
    assert!(levels < Levels::FINEST, "{levels:?}: {:?}", trained.tuned);
    let tuned = tune(&trained.program, &set, &Plan { steps: 40, ..plan }, &run(), &mut Quiet(u64::MAX, Wish::Continue)).expect("tunes");
    assert_eq!(Levels::of(&tuned.program), levels);
}

#[test]
fn checks_look_at_all_images() {
    let side = [(100, 70), (64, 64), (1, 1), (300, 40)];
    let planes = side.map(|(rows, columns)| Plane::new(rows, columns, &vec![0u8; rows * columns], &[0], Alphabet::new(8, 0)).expect("valid image"));
    let all = evaluate::patches(&planes);
    let pixels = |patches: &[Patch]| patches.iter().map(|patch| patch.height * patch.width).sum::<usize>();
    assert_eq!(pixels(&all), side.iter().map(|(rows, columns)| rows * columns).sum::<usize>());
    let some = spread(all.clone(), 8_000);
    assert!((4_000..16_000).contains(&pixels(&some)), "{} pixels", pixels(&some));
    for image in [0, 1, 3] {
        assert!(some.iter().any(|patch| patch.image == image), "none of image {image}");
    }
    assert_eq!(spread(all.clone(), 1_000_000), all);
}
