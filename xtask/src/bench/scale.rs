//! `bench scale`: time and memory an item, and time to one item, as sets grow.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use super::kolmo;
use super::rival::median;
use crate::dataset::synthetic::{self, Kind};
use crate::{child, workspace};

/// How far sets grow.
#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// Small pictures, 16x16 RGB, in each set.
    #[arg(long, value_name = "IMAGES", value_delimiter = ',', default_values_t = [2_000, 20_000, 200_000])]
    tiny: Vec<u32>,
    /// Pictures of 100x100 RGB in each set.
    #[arg(long, value_name = "IMAGES", value_delimiter = ',', default_values_t = [1_000, 10_000])]
    small: Vec<u32>,
    /// Photographs of 2048x2048 RGB (12.6 MB) in each set.
    #[arg(long, value_name = "IMAGES", value_delimiter = ',', default_values_t = [10, 40])]
    large: Vec<u32>,
    /// What kolmo is told it may hold.
    #[arg(long, default_value = "1GiB")]
    max_memory: String,
    /// Folder of scale.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

const HEAD: &str = "| pictures | of | samples, MB | archive, bpsp | compress, µs an item | MB/s | peak MiB | verify, µs an item | MB/s | peak MiB | one item, ms |\n|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";

/// How often one item is expanded; the median counts.
const ROUNDS: usize = 7;

/// Measures and writes the table.
///
/// # Errors
/// If a set cannot be made, or kolmo fails.
pub(crate) fn run(args: &ScaleArgs) -> Result<()> {
    let root = workspace::root()?;
    let binary = kolmo::build(&root)?;
    let about = about(&root, &args.max_memory);
    let mut table = String::new();
    for (counts, side) in [(&args.tiny, 16), (&args.small, 100), (&args.large, 2048)] {
        for &count in counts {
            let row = measure(&binary, count, side, &args.max_memory)?;
            print!("{row}");
            table.push_str(&row);
            // After each row: large sets take minutes, and what was measured is not to be lost.
            std::fs::write(root.join(&args.out).join("scale.md"), about.clone() + HEAD + &table).context("scale.md cannot be written")?;
        }
    }
    Ok(())
}

/// What stands above the table.
fn about(root: &Path, max_memory: &str) -> String {
    format!(
        "# Scale\n\nWritten by `cargo xtask bench scale` on {}, {}, {} threads, commit {}. Pictures are photos-like ones of `cargo xtask dataset make`; all are coded directly with `--pixels`; learning is \
         given one second, so mostly it is the built-in Program that codes them; `--max-memory {max_memory}`. Times are wall times of whole processes: *compress* reads, codes, expands and compares; *one item* is \
         `kolmo expand ARCHIVE PATH` of the one in the middle, the median of {ROUNDS}. Peaks are of resident memory.\n\n",
        workspace::today(),
        workspace::cpu(),
        workspace::cores(),
        workspace::commit(root),
    )
}

fn measure(binary: &Path, count: u32, side: u32, max_memory: &str) -> Result<String> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let (folder, archive) = (scratch.path().join("set"), scratch.path().join("set.kolmo"));
    let middle = synthetic::fill(&folder, Kind::PhotosLike, count, (side, side), 0)?;
    let command = |name: &str| {
        let mut command = Command::new(binary);
        command.arg(name).args(["--max-memory", max_memory]);
        command
    };
    // Effort 1 and a second for learning: the built-in Program is what is measured.
    let mut compress = command("compress");
    compress.arg(&folder).arg("-o").arg(&archive).args(["--json", "--pixels", "--coding", "direct", "--effort", "1", "--time-budget", "1s"]);
    let compressed = child::measure_success(&mut compress)?;
    let summary = kolmo::last_line(&String::from_utf8_lossy(&compressed.stdout), "compress_summary")?;
    let verified = child::measure_success(command("verify").arg(&archive).arg("-q"))?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let back = scratch.path().join(format!("back{round}"));
        times.push(child::measure_success(command("expand").arg(&archive).arg(&middle).arg("-o").arg(back).arg("-q"))?.seconds * 1e3);
    }
    let megabytes = f64::from(count) * f64::from(side) * f64::from(side) * 3.0 / 1e6;
    let item = |outcome: &child::Outcome| {
        let mib = outcome.peak_bytes.map_or_else(String::new, |bytes| format!("{}", bytes >> 20));
        format!("{:.0} | {:.2} | {mib}", outcome.seconds * 1e6 / f64::from(count), megabytes / outcome.seconds)
    };
    Ok(format!(
        "| {count} | {side}x{side} | {megabytes:.1} | {:.3} | {} | {} | {:.1} |\n",
        summary["rate_bpsp"].as_f64().context("compress_summary tells no rate_bpsp")?,
        item(&compressed),
        item(&verified),
        median(&mut times).context("timed at least once")?
    ))
}
