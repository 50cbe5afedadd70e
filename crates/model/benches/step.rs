//! Time of a training step at default effort, by thread count: `cargo bench -p kolmo-model --bench step`.
//!
//! No harness: it prints milliseconds of wall time a step, the median of five runs of ten steps each, beside those of the portable path.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and may end where it finds a bug")]

use std::time::Instant;

use kolmo_codec::context::Plane;
use kolmo_model::effort::Plan;
use kolmo_model::host::{self, HostNet};
use kolmo_model::levels::Levels;
use kolmo_model::sample::{Dealer, Dice, Sampler};
use kolmo_model::train::{coding_order, follows};
use kolmo_model::weights::Slots;

fn main() {
    let mut dice = Dice::new(1);
    let mut samples = Vec::new();
    for i in 0..100 * 100 * 3 {
        samples.push((i / 3 % 100 * 2) as u8 + dice.below(30) as u8);
    }
    let planes: Vec<Plane> = (0..50).map(|_| Plane::new(100, 100, &samples, &coding_order(3), 8).expect("a valid image")).collect();
    let plan = Plan::new(5, 3, 30_000_000, 15_000_000);
    let sampler = Sampler::new(&plan.shape, &follows(3, None));
    let weights: Vec<f32> = (0..Slots::new(&plan.shape).parameters).map(|_| (dice.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0) * 0.15).collect();
    let patches = Dealer::new(&planes, plan.patch_side, 3).deal(&planes, plan.batch_pixels);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for rounded in [None, Some(Levels::FINEST)] {
            let fastest = median(|| pool.install(|| host::gradient(&weights, rounded, &sampler, &planes, &patches, 8)).0);
            let portable = median(|| pool.install(|| HostNet::new(&plan.shape, &weights, rounded).gradient(&sampler, &planes, &patches, 8)).0);
            println!("{threads} threads, rounded {rounded:?}: {fastest:.2} ms a gradient, portable {portable:.2} ms");
        }
    }
}

/// Milliseconds of one call.
fn median(call: impl Fn() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            let sum: f64 = (0..10).map(|_| call()).sum();
            assert!(sum.is_finite());
            start.elapsed().as_secs_f64() * 100.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[2]
}
