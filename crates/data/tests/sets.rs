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
