//! Whole conversations with the façade, without learning: Programs are given.

mod near;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kolmo_codec::program::{Dense, Head, Program, Stage, Tap};
use kolmo_codec::weights;
use kolmo_data::layout::Layout;

use super::*;
use crate::observe::{Event, Observer, Silent};
use crate::options::{CompressOptions, ExpandOptions, Fidelity, Limits, StopFlag};
use crate::output::Output;

/// A folder that goes away.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.at("in")).unwrap();
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.at("in").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// 60 images, a text, a copy, an empty file, something called .png.
    fn fill(&self) {
        for n in 0..60 {
            self.put(&format!("set/{n:03}.pgm"), &image(n));
        }
        self.put("set/again.pgm", &image(7));
        self.put("notes.txt", &b"what this is about. ".repeat(99));
        self.put("empty", b"");
        self.put("broken.png", b"\x89PNG\r\n\x1a\nno more of it");
    }

    /// Writes a Program file for grey images.
    fn program(&self) -> PathBuf {
        let path = self.at("gray.kprog");
        let layout: Layout = "gray8".parse().unwrap();
        let coded = weights::encode(&plain_program(layout).to_bytes());
        program_file::write(&[(layout, coded)], Output::create(&path, true).unwrap()).unwrap();
        path
    }

    fn options(&self) -> CompressOptions {
        CompressOptions { learn: None, program: Some(self.program()), ..CompressOptions::default() }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A ramp with noise of a few grey levels: nothing for zstd, something for a Program.
fn image(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 29
    };
    let samples = (0..32 * 32).map(|n| (20 + 3 * (n % 32) + 2 * (n / 32) + noise()) as u8);
    [b"P5 32 32 255\n".as_slice(), &samples.collect::<Vec<u8>>()].concat()
}

/// Predicts every sample by the mean of its neighbours.
pub(crate) fn plain_program(layout: Layout) -> Program {
    let dense = |n_in, n_out| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![0; n_out], biases: vec![0; n_out] };
    let taps = vec![Tap { dy: 0, dx: -1 }, Tap { dy: -1, dx: 0 }];
    let mut program = Program {
        bit_depth: layout.bit_depth,
        order: (0..layout.channels() as u8).collect(),
        stages: vec![Stage { taps, layers: vec![] }],
        heads: vec![],
        components: 1,
        spikes: vec![],
        wide: None,
        colour: None,
        hats: 0,
    };
    program.stages[0].layers = vec![dense(program.stage_inputs(0), 2)];
    let mut out = dense(2, program.head_outputs());
    out.biases = vec![0, 0, 1 << 12];
    program.heads.push(Head { hidden: vec![], out, follows: None });
    program
}

#[test]
fn each_image_takes_the_better_of_two_given_programs() {
    let scene = Scene::new();
    let mut expected = [0u64; 2];
    for n in 0..60 {
        // Every third image is noise that a narrow distribution does not expect.
        let mut image = image(n);
        if n % 3 == 0 {
            image
                .iter_mut()
                .skip(13)
                .zip(kolmo_data::digest::of_bytes(&[n as u8]).0.iter().cycle())
                .for_each(|(sample, noise)| *sample = sample.wrapping_mul(*noise));
        }
        expected[usize::from(n % 3 == 0)] += 1;
        scene.put(&format!("{n:03}.pgm"), &image);
    }
    let layout: Layout = "gray8".parse().unwrap();
    let (narrow, mut wide, mut wider) = (plain_program(layout), plain_program(layout), plain_program(layout));
    wide.heads[0].out.biases[2] = 5 << 12;
    wider.heads[0].out.biases[2] = -(5 << 12);
    let both = scene.at("both.kprog");
    let coded = [narrow, wide, wider].map(|program| (layout, weights::encode(&program.to_bytes())));
    program_file::write(&coded, Output::create(&both, true).unwrap()).unwrap();

    let archive = scene.at("x.kolmo");
    let options = CompressOptions { program: Some(both), ..scene.options() };
    let summary = compress(&scene.at("in"), &archive, &options, &mut Silent).unwrap();
    let alone = compress(&scene.at("in"), &scene.at("one.kolmo"), &scene.options(), &mut Silent).unwrap();
    assert!(summary.sizes.payload + summary.sizes.general < alone.sizes.payload + alone.sizes.general, "{:?} {:?}", summary.sizes, alone.sizes);
    let used: Vec<u64> = summary.programs.iter().map(|program| program.images).collect();
    assert!(used.len() == 2 && used.iter().sum::<u64>() == 60 && used.contains(&expected[0]), "{used:?}");
    assert_eq!(summary.programs.iter().map(|program| program.group.as_str()).collect::<Vec<_>>(), ["gray8"; 2]);
    expand(&archive, &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!(files(&scene.at("out")), files(&scene.at("in")));
    let inspected = inspect(&archive, &Limits::default()).unwrap();
    let kept = summary.programs.iter().filter(|program| program.kept).map(|program| program.images).collect::<Vec<_>>();
    assert_eq!(inspected.programs.iter().map(|program| program.images).collect::<Vec<_>>(), kept);
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let listing = kolmo_data::source::list(folder).unwrap();
    listing.entries.iter().map(|entry| (entry.path.clone(), fs::read(&entry.file).unwrap())).collect()
}

#[test]
fn everything_comes_back_and_adds_up() {
    let scene = Scene::new();
    scene.fill();
    let archive = scene.at("x.kolmo");
    let summary = compress(&scene.at("in"), &archive, &scene.options(), &mut Silent).unwrap();
    let bytes = fs::read(&archive).unwrap();
    let sizes = &summary.sizes;
    assert_eq!(sizes.total, bytes.len() as u64);
    assert_eq!(sizes.total, sizes.frame + sizes.programs + sizes.payload + sizes.index + sizes.recipes + sizes.general);
    assert_eq!((summary.verified_files, summary.preprocess.files, summary.preprocess.images), (64, 64, 61));
    assert!(summary.programs[0].kept, "{:?}", summary.programs[0]);
    assert_eq!(summary.coding.subpixels, 60 * 1024);
    assert!((summary.coding.payload_bytes as f64) < summary.coding.ideal_bytes * 1.005 + 8.0);
    // 3 bits of noise a sample, about 4 bits of it in the mean of two neighbours.
    assert!(summary.rate_bpsp > 2.9 && summary.rate_bpsp < 5.0, "{}", summary.rate_bpsp);
    assert_eq!(summary.preprocess.duplicates[0].path, "set/again.pgm");
    assert_eq!(summary.preprocess.unreadable[0].path, "broken.png");

    let expanded = expand(&archive, &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!((expanded.files, expanded.verified_files), (64, 64));
    assert_eq!(files(&scene.at("out")), files(&scene.at("in")));
    let verified = verify(&archive, Some(&scene.at("in")), &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!((verified.verified_files, verified.differences.len()), (64, 0));

    let items = list(&archive, &Limits::default()).unwrap();
    let methods: Vec<&str> = ["broken.png", "empty", "set/000.pgm", "set/again.pgm"]
        .iter()
        .map(|path| items.iter().find(|item| item.path == *path).unwrap().method.as_str())
        .collect();
    assert_eq!(methods, ["general", "general", "program", "copy"]);
    let inspected = inspect(&archive, &Limits::default()).unwrap();
    assert_eq!(inspected.sizes.total, sizes.total);
    assert_eq!((inspected.files, inspected.subpixels, inspected.programs[0].group.as_str()), (64, 60 * 1024, "gray8"));
    assert_eq!(scene.names(), ["gray.kprog", "in", "out", "x.kolmo"]);
}

#[test]
fn pixels_come_back_as_pixels() {
    let scene = Scene::new();
    scene.fill();
    let options = CompressOptions { fidelity: Fidelity::Pixels, ..scene.options() };
    let archive = scene.at("x.kolmo");
    let summary = compress(&scene.at("in"), &archive, &options, &mut Silent).unwrap();
    assert_eq!(summary.verified_files, 64);
    for folder in [Some(scene.at("in")), None] {
        let verified = verify(&archive, folder.as_deref(), &ExpandOptions::default(), &mut Silent).unwrap();
        assert_eq!((verified.verified_files, verified.differences.len()), (64, 0));
    }
    let mut other = image(3);
    *other.last_mut().unwrap() ^= 1;
    scene.put("set/003.pgm", &other);
    let verified = verify(&archive, Some(&scene.at("in")), &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!(verified.differences[0].reason, "differs first at row 31, column 31, channel 0");
}

#[test]
fn threads_do_not_change_the_archive() {
    let scene = Scene::new();
    scene.fill();
    let archive = |threads: usize| {
        let path = scene.at(&format!("{threads}.kolmo"));
        compress(&scene.at("in"), &path, &CompressOptions { threads, ..scene.options() }, &mut Silent).unwrap();
        fs::read(path).unwrap()
    };
    assert!(archive(1) == archive(3));
}

#[test]
fn noise_hardly_grows_and_a_useless_program_is_not_kept() {
    let scene = Scene::new();
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(90_000)
    .collect();
    scene.put("noise.bin", &noise);
    scene.put("noise.pgm", &[b"P5 300 300 255\n".as_slice(), &noise[1..], b"x"].concat());
    let summary = compress(&scene.at("in"), &scene.at("x.kolmo"), &scene.options(), &mut Silent).unwrap();
    assert!(!summary.programs[0].kept && !summary.programs[0].reason.is_empty());
    assert!(summary.sizes.total <= summary.preprocess.file_bytes * 1001 / 1000 + 1024, "{:?}", summary.sizes);
    assert_eq!(summary.sizes.programs, 0);
}

#[test]
fn outputs_are_not_overwritten_unasked_and_never_archived() {
    let scene = Scene::new();
    scene.fill();
    let archive = scene.at("in").join("self.kolmo");
    let options = CompressOptions { program: None, ..scene.options() };
    let first = compress(&scene.at("in"), &archive, &options, &mut Silent).unwrap();
    assert_eq!(first.preprocess.files, 64);
    let again = compress(&scene.at("in"), &archive, &options, &mut Silent).unwrap_err();
    assert!(matches!(again, Error::OutputExists { .. }));
    let forced = compress(&scene.at("in"), &archive, &CompressOptions { force: true, ..options }, &mut Silent).unwrap();
    assert_eq!((forced.preprocess.files, forced.sizes.total), (first.preprocess.files, first.sizes.total));
    let verified = verify(&archive, Some(&scene.at("in")), &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!(verified.differences.len(), 0);

    expand(&archive, &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap();
    fs::remove_file(scene.at("out/notes.txt")).unwrap();
    let refused = expand(&archive, &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(!scene.at("out/notes.txt").exists());
    let only = ExpandOptions { only: vec!["notes.txt".into()], ..ExpandOptions::default() };
    assert_eq!(expand(&archive, &scene.at("out"), &only, &mut Silent).unwrap().files, 1);
    let only = ExpandOptions { only: vec!["set/".into()], ..ExpandOptions::default() };
    assert_eq!(expand(&archive, &scene.at("part"), &only, &mut Silent).unwrap().files, 61);
    let only = ExpandOptions { only: vec!["nothing".into()], ..ExpandOptions::default() };
    assert_eq!(expand(&archive, &scene.at("none"), &only, &mut Silent).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(!scene.at("none").exists());
}

#[test]
fn differences_are_all_named() {
    let scene = Scene::new();
    scene.fill();
    let archive = scene.at("x.kolmo");
    compress(&scene.at("in"), &archive, &scene.options(), &mut Silent).unwrap();
    scene.put("notes.txt", b"what that is about. ");
    scene.put("new.txt", b"new");
    fs::remove_file(scene.at("in/empty")).unwrap();
    let verified = verify(&archive, Some(&scene.at("in")), &ExpandOptions::default(), &mut Silent).unwrap();
    let found: Vec<(&str, &str)> = verified.differences.iter().map(|d| (d.path.as_str(), d.reason.as_str())).collect();
    assert_eq!(found, [("empty", "missing in the folder"), ("notes.txt", "differs first at byte 7"), ("new.txt", "not in the archive")]);
    assert_eq!(verified.verified_files, 62);

    let mut bytes = fs::read(&archive).unwrap();
    let sizes = inspect(&archive, &Limits::default()).unwrap().sizes;
    bytes[80 + sizes.programs as usize + 9] ^= 1;
    fs::write(&archive, &bytes).unwrap();
    let verified = verify(&archive, None, &ExpandOptions::default(), &mut Silent).unwrap();
    assert_eq!(verified.differences.len(), 61);
    assert!(verified.differences[0].reason.contains("damaged in the archive"));
    let error = expand(&archive, &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    bytes.truncate(bytes.len() / 2);
    fs::write(&archive, &bytes).unwrap();
    let error = verify(&archive, None, &ExpandOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("x.kolmo"), "{error}");
    assert_eq!(scene.names(), ["gray.kprog", "in", "x.kolmo"]);
}

/// Asks to stop when the first event of a stage comes.
struct Impatient(StopFlag, &'static str);

impl Observer for Impatient {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Progress { stage, .. } if *stage == self.1) {
            self.0.request();
            self.0.request();
        }
    }
}

#[test]
fn a_cancelled_call_leaves_nothing_behind() {
    let scene = Scene::new();
    scene.fill();
    for stage in ["reading", "encoding", "storing", "verifying"] {
        let options = CompressOptions { stop: StopFlag::default(), ..scene.options() };
        let error = compress(&scene.at("in"), &scene.at("x.kolmo"), &options, &mut Impatient(options.stop.clone(), stage)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{stage}");
        assert_eq!(scene.names(), ["gray.kprog", "in"], "{stage}");
    }
    compress(&scene.at("in"), &scene.at("x.kolmo"), &scene.options(), &mut Silent).unwrap();
    let options = ExpandOptions::default();
    let error = expand(&scene.at("x.kolmo"), &scene.at("out"), &options, &mut Impatient(options.stop.clone(), "expanding")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(scene.names(), ["gray.kprog", "in", "x.kolmo"]);
}

#[test]
fn a_dry_run_writes_nothing_and_says_so() {
    let scene = Scene::new();
    scene.fill();
    let options = CompressOptions { dry_run: true, ..scene.options() };
    let guess = compress(&scene.at("in"), &scene.at("x.kolmo"), &options, &mut Silent).unwrap();
    assert!(guess.estimate && guess.archive.is_empty());
    assert_eq!(scene.names(), ["gray.kprog", "in"]);
    let real = compress(&scene.at("in"), &scene.at("x.kolmo"), &scene.options(), &mut Silent).unwrap();
    let error = guess.sizes.total as f64 / real.sizes.total as f64;
    assert!(error > 0.6 && error < 1.6, "{error}");
}

#[test]
fn unusable_inputs_are_named() {
    let scene = Scene::new();
    let compress = |options: &CompressOptions| compress(&scene.at("in"), &scene.at("x.kolmo"), options, &mut Silent).unwrap_err();
    assert_eq!(compress(&scene.options()).kind(), ErrorKind::InvalidArgument);
    scene.put("a.txt", b"a");
    let options = CompressOptions { program: Some(scene.at("in/a.txt")), ..scene.options() };
    let error = compress(&options);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("a.txt"), "{error}");
    #[cfg(unix)]
    {
        scene.put("back\\slash", b"a");
        let error = compress(&scene.options());
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("back\\slash"), "{error}");
    }
    let missing = expand(&scene.at("none.kolmo"), &scene.at("out"), &ExpandOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
    assert_eq!(scene.names(), ["gray.kprog", "in"]);
}

#[test]
fn more_files_than_memory_can_tell_apart_are_refused() {
    let scene = Scene::new();
    scene.fill();
    let options = CompressOptions { limits: Limits { memory_bytes: 4096, ..Limits::default() }, ..scene.options() };
    let error = compress(&scene.at("in"), &scene.at("x"), &options, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("--max-memory 1MiB"), "{error}");
    assert!(!scene.at("x").exists());
}
