//! Sets with near-duplicates take less, come back, and say so; sets without keep their bytes.

use kolmo_data::layout::Image;

use super::*;
use crate::dataset::{self, Loading};
use crate::files;
use crate::near::runs;
use crate::options::Method;
use crate::pages::Aside;
use crate::work::Crew;

const SIDE: usize = 40;

/// A rough scene that nothing but another shot of it could predict, seen `down` and `right` of its corner, a little brighter and with noise of its own.
fn shot(scene: usize, down: usize, right: usize, shot: usize) -> Vec<u8> {
    let hash = |a: usize, b: usize| (a.wrapping_mul(2_654_435_761) ^ b.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 16 & 0xffff;
    let sample = |at: usize| {
        let (y, x) = (at / SIDE + down, at % SIDE + right);
        let cell = hash(1000 * scene + y / 8, x / 8) % 120;
        (20 + cell + hash(scene * 100 + y, x) % 60 + 3 * shot + hash(at, scene * 10 + shot) % 3) as u8
    };
    (0..SIDE * SIDE).map(sample).collect()
}

fn pgm(samples: &[u8]) -> Vec<u8> {
    [format!("P5 {SIDE} {SIDE} 255\n").as_bytes(), samples].concat()
}

/// Four shots of each of six scenes: as it is, mirrored, moved, and once more as the first; their names tell nothing of them.
fn shots(scene: &Scene) {
    for number in 0..24 {
        let (of, take) = (number % 6, number / 6);
        let mut samples = shot(of, usize::from(take == 2), usize::from(take == 2), take);
        if take == 1 {
            samples.chunks_exact_mut(SIDE).for_each(<[u8]>::reverse);
        }
        scene.put(&format!("{number:02}.pgm"), &pgm(&samples));
    }
}

#[test]
fn near_duplicates_are_coded_given_each_other() {
    let scene = Scene::new();
    shots(&scene);
    for scene_of_its_own in 50..56 {
        scene.put(&format!("{scene_of_its_own}.pgm"), &pgm(&shot(scene_of_its_own, 0, 0, 0)));
    }
    let compressed = |name: &str, coding: Option<Method>| {
        let options = CompressOptions { coding, ..scene.options() };
        let summary = compress(&scene.at("in"), &scene.at(name), &options, &mut Silent).unwrap();
        expand(&scene.at(name), &scene.at(&format!("{name}.out")), &ExpandOptions::default(), &mut Silent).unwrap();
        assert_eq!(files(&scene.at(&format!("{name}.out"))), files(&scene.at("in")));
        summary
    };
    let adaptive = compressed("adaptive", Some(Method::Adaptive));
    assert_eq!((adaptive.programs[0].coding.as_str(), adaptive.programs[0].referring), ("adaptive", 0), "as was wished");
    let by_default = compressed("default", None);
    assert_eq!((by_default.programs[0].coding.as_str(), by_default.programs[0].referring), ("near-duplicate", 18));
    assert!(by_default.sizes.payload * 10 < adaptive.sizes.payload * 7, "{} of {}", by_default.sizes.payload, adaptive.sizes.payload);
    assert_eq!(inspect(&scene.at("default"), &Limits::default()).unwrap().programs[0].coding, "near-duplicate");
    let wished = compressed("wished", Some(Method::References));
    assert_eq!(wished.programs[0].referring, 18);
    // The same bytes by any number of threads.
    for threads in [1, 3] {
        let options = CompressOptions { threads, force: true, ..scene.options() };
        compress(&scene.at("in"), &scene.at("again"), &options, &mut Silent).unwrap();
        assert!(fs::read(scene.at("again")).unwrap() == fs::read(scene.at("default")).unwrap(), "{threads} threads");
    }
}

#[test]
fn images_that_are_read_again_find_each_other() {
    let scene = Scene::new();
    shots(&scene);
    let bytes = |sample_bytes: u64| {
        let options = CompressOptions { sample_bytes, force: true, ..scene.options() };
        compress(&scene.at("in"), &scene.at("x"), &options, &mut Silent).unwrap();
        fs::read(scene.at("x")).unwrap()
    };
    assert!(bytes(1 << 20) == bytes((12 * SIDE * SIDE) as u64), "with half of the samples at hand");
}

/// The runs of the images in `in`.
fn runs_of(scene: &Scene) -> Vec<crate::near::Run> {
    let (stop, mut observer) = (StopFlag::default(), Silent);
    let mut crew = Crew::new(1, &stop, &mut observer).unwrap();
    let aside = Aside::new(&scene.at(""), 1 << 30);
    let listed = files::list(&scene.at("in"), &[], true, &aside, &mut crew).unwrap();
    let dataset = dataset::load(listed, &Loading::new(&scene.options()), &mut crew).unwrap();
    runs(&dataset, &dataset.groups[0].items, &mut crew).unwrap()
}

#[test]
fn sets_without_near_duplicates_have_no_runs() {
    let scene = Scene::new();
    scene.fill();
    assert_eq!(runs_of(&scene), [], "one ramp, but each with noise of its own");
    let scene = Scene::new();
    (0..50).for_each(|number| scene.put(&format!("{number:02}.pgm"), &pgm(&shot(number, 0, 0, 0))));
    assert_eq!(runs_of(&scene), [], "scenes of one kind");
    scene.put("20x.pgm", &pgm(&shot(20, 0, 0, 1)));
    assert_eq!(runs_of(&scene), [], "two that are alike are too few among 51");
}

#[test]
fn long_rows_of_near_duplicates_are_cut_into_blocks() {
    let (scene, side) = (Scene::new(), 600);
    let hash = |a: usize, b: usize| (a.wrapping_mul(2_654_435_761) ^ b.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 20 & 127;
    for frame in 0..9 {
        // The scene changes a little with each frame.
        let samples = (0..side * side).map(|at| if hash(at, frame) < 2 { 9 } else { (60 + hash(at / side, at % side)) as u8 }).collect();
        let image = Image::new(side as u32, side as u32, "gray8".parse().unwrap(), samples).unwrap();
        scene.put(&format!("{frame}.pgm"), &[format!("P5 {side} {side} 255\n").as_bytes(), &image.samples].concat());
    }
    let runs = runs_of(&scene);
    assert!(runs.iter().all(|run| run.numbers.len() <= 4 && run.references[0].is_none()), "{runs:?}");
    for run in &runs {
        assert!(run.references.iter().skip(1).zip(0..).all(|(reference, before)| reference.is_some_and(|found| found.image <= before)), "{run:?}");
    }
}
