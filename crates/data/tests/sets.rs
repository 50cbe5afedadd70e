//! Real sets rebuild byte for byte.
//!
//! The sets are looked for in `$KOLMO_DATA`, else in `shared/data` beside the repository. `KOLMO_DATA_ALL=1` tries every
//! file instead of 50 a set; with `--nocapture` the figures are shown.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so, and figures are what the long run is for")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kolmo_data::clean::{Fact, State};
use kolmo_data::open::{Fidelity, GeneralReason, OpenLimits, Opened};
use kolmo_data::{clean, digest, open, rebuild, source, statistics};

/// The folder of sets, or a loud message.
fn sets() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("KOLMO_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no data sets in {} (set KOLMO_DATA to test with real files)", folder.display());
    None
}

/// What a run over one set found.
#[derive(Debug, Default)]
struct Run {
    images: usize,
    not_repeatable: usize,
    other_images: usize,
    samples: u64,
    recipes: HashMap<Vec<u8>, usize>,
    facts: Vec<Fact>,
    open: Duration,
    rebuild: Duration,
}

fn review(run: &Run) -> clean::Report {
    clean::review(run.facts.len(), |index| Ok::<_, ()>(run.facts[index])).unwrap()
}

fn run(set: &Path, fidelity: Fidelity, n: usize) -> Run {
    let listing = source::list(set).unwrap();
    let images: Vec<_> = listing.entries.iter().filter(|entry| entry.path.ends_with(".png")).collect();
    let step = if std::env::var_os("KOLMO_DATA_ALL").is_some() { 1 } else { (images.len() / n).max(1) };
    let mut run = Run::default();
    for entry in images.into_iter().step_by(step) {
        let bytes = source::read(entry).unwrap();
        let start = Instant::now();
        let opened = open::open_named(&entry.path, &bytes, fidelity, &OpenLimits::default());
        run.open += start.elapsed();
        let state = match opened {
            Opened::Image { image, recipe } => {
                let start = Instant::now();
                let file = rebuild::rebuild(&recipe, &image).unwrap();
                run.rebuild += start.elapsed();
                if fidelity == Fidelity::Files {
                    assert!(file == bytes, "{}", entry.path);
                }
                run.images += 1;
                run.samples += image.subpixels();
                *run.recipes.entry(recipe).or_default() += 1;
                State::Image(statistics::of_image(&image).outline())
            }
            Opened::General { reason } => {
                match reason {
                    GeneralReason::NotRepeatable => run.not_repeatable += 1,
                    _ => run.other_images += 1,
                }
                State::General
            }
        };
        run.facts.push(Fact { digest: digest::of_bytes(&bytes), state });
    }
    let report = review(&run);
    let speed = |time: Duration| run.samples as f64 / 1e6 / time.as_secs_f64().max(1e-9);
    let bytes: usize = run.recipes.keys().map(Vec::len).sum();
    let most = run.recipes.values().max().copied().unwrap_or_default();
    eprintln!(
        "{:<14} {fidelity:?}: {} images, {} not repeatable, {} other; {} recipes of {bytes} bytes (most common {most}); \
         open {:.1} s, {:.1} MB/s, rebuild {:.1} MB/s; {} copies, {} outliers",
        set.file_name().unwrap().to_string_lossy(),
        run.images,
        run.not_repeatable,
        run.other_images,
        run.recipes.len(),
        run.open.as_secs_f64(),
        speed(run.open),
        speed(run.rebuild),
        report.duplicates.len(),
        report.outliers.len(),
    );
    for outlier in &report.outliers {
        eprintln!("    {outlier}");
    }
    run
}

#[test]
fn sets_of_stock_zlib_rebuild_exactly() {
    let Some(sets) = sets() else { return };
    for name in ["photos100", "cifar10", "fashion_mnist", "nuclei", "omniglot"] {
        let run = run(&sets.join(name), Fidelity::Files, 50);
        assert!(run.images >= 50, "{name}: {} images", run.images);
        assert_eq!((run.not_repeatable, run.other_images), (0, 0), "{name}");
        assert!(run.recipes.len() <= 20, "{name}: {} recipes", run.recipes.len());
        assert!(review(&run).outliers.len() * 50 <= run.facts.len(), "{name}: too many outliers");
    }
}

#[test]
fn sets_of_optimisers_keep_their_pixels() {
    let Some(sets) = sets() else { return };
    for (name, n) in [("emoji_noto64", 50), ("kodak8", 2)] {
        let run = run(&sets.join(name), Fidelity::Pixels, n);
        assert!(run.images >= n, "{name}: {} images", run.images);
        assert_eq!((run.not_repeatable, run.other_images), (0, 0), "{name}");
        assert!(run.recipes.len() <= 20, "{name}: {} recipes", run.recipes.len());
        if std::env::var_os("KOLMO_DATA_ALL").is_some() {
            self::run(&sets.join(name), Fidelity::Files, n); // how long refusing them takes
        }
    }
}

/// The samples of a set's images of one layout and shape, as an array of NumPy's would hold them.
fn array(set: &Path, descr: &str) -> Option<(Vec<u8>, u64)> {
    let mut samples: Vec<Vec<u8>> = Vec::new();
    let mut first = None;
    for entry in source::list(set).unwrap().entries.iter().filter(|entry| entry.path.ends_with(".png")).take(60) {
        if let Opened::Image { image, .. } = open::open(&source::read(entry).unwrap(), Fidelity::Pixels, &OpenLimits::default())
            && *first.get_or_insert((image.layout, image.height, image.width)) == (image.layout, image.height, image.width)
        {
            samples.push(image.samples);
        }
    }
    let (layout, height, width) = first?;
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {height}, {width}, {}), }}\n", samples.len(), layout.channels());
    let file = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &samples.concat()].concat();
    Some((file, samples.len() as u64))
}

#[test]
fn arrays_of_every_set_are_seen_as_its_images() {
    let Some(sets) = sets() else { return };
    for (set, descr) in [
        ("fashion_mnist", "|u1"),
        ("cifar10", "|u1"),
        ("photos100", "|u1"),
        ("emoji_noto64", "|u1"),
        ("em_membrane", "|u1"),
        ("aerials", "|u1"),
        ("gray16", "<u2"),
        ("omniglot", "|b1"),
    ] {
        let Some((file, images)) = array(&sets.join(set), descr) else { continue };
        let parts = kolmo_data::frames::parts(&mut std::io::Cursor::new(&file), file.len() as u64).unwrap_or_default();
        assert!(parts.iter().any(|part| matches!(part, kolmo_data::frames::Part::Frames { count, .. } if *count == images)), "{set}: {parts:?}");
    }
}
