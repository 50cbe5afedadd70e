//! `bench curve`: how rates fall with time spent learning, and with the size of the network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use super::kolmo;
use super::rate::data_folder;
use super::set::Set;
use super::table;
use crate::{child, workspace};

/// What to draw the curves of.
#[derive(Debug, Args)]
pub(crate) struct CurveArgs {
    /// Folders of the data folder.
    #[arg(required = true)]
    sets: Vec<String>,
    /// Folder that holds the sets [default: ../shared/data if there is one, else what `dataset fetch` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Time budgets of learning, at default effort [default: 5 to 160 seconds; none where only --networks is given].
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    seconds: Vec<u32>,
    /// Sizes of networks, each learned at default effort [default: 1 to 6; none where only --seconds is given].
    #[arg(long, value_name = "1..6", value_delimiter = ',')]
    networks: Vec<u8>,
    /// A rate whose time is asked for, bits per subpixel.
    #[arg(long, value_name = "BPSP", default_value_t = 3.75)]
    reach: f64,
    /// Folder of curve.csv and curve.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

/// What is measured where nothing is chosen.
const BUDGETS: [u32; 6] = [5, 10, 20, 40, 80, 160];
const NETWORKS: [u8; 6] = [1, 2, 3, 4, 5, 6];

/// Columns of `curve.csv`, in order.
const COLUMNS: [&str; 14] = [
    "date",
    "commit",
    "cpu",
    "threads",
    "set",
    "settings",
    "macs_per_pixel",
    "macs_per_subpixel",
    "steps",
    "learn_seconds",
    "compress_seconds",
    "total_bytes",
    "bpsp",
    "verify_mb_per_s",
];
const SET: usize = 4;
const SETTINGS: usize = 5;
const SECONDS: usize = 9;
const RATE: usize = 12;

/// Measures and writes the rows, one at a time.
///
/// # Errors
/// If a set cannot be read, or kolmo fails.
pub(crate) fn run(args: &CurveArgs) -> Result<()> {
    let root = workspace::root()?;
    let data = data_folder(args.data.as_deref(), &root)?;
    let binary = kolmo::build(&root)?;
    let out = root.join(&args.out);
    let mut rows = table::read(&out.join("curve.csv"), &COLUMNS)?;
    for name in &args.sets {
        let set = Set::read(&data, name)?;
        for settings in settings(&args.seconds, &args.networks) {
            let row = measure(&binary, &set, &settings, &root)?;
            println!("{name} {settings}: {} bpsp, {} s of learning", row[RATE], row[SECONDS]);
            put(&mut rows, row);
            table::write(&out.join("curve.csv"), &COLUMNS, &rows)?;
            std::fs::write(out.join("curve.md"), markdown(&rows, args.reach)).context("curve.md cannot be written")?;
        }
    }
    Ok(())
}

/// What to learn with, one after the other: all there is if nothing was chosen, else only what was.
fn settings(seconds: &[u32], networks: &[u8]) -> Vec<String> {
    let (seconds, networks) = if seconds.is_empty() && networks.is_empty() { (&BUDGETS[..], &NETWORKS[..]) } else { (seconds, networks) };
    let by_time = seconds.iter().map(|seconds| format!("--time-budget {seconds}s"));
    by_time.chain(networks.iter().map(|number| format!("--network {number}"))).collect()
}

/// Puts a row in the place of the one of the same set and settings; else among those of its set, budgets first, each by its number.
fn put(rows: &mut Vec<Vec<String>>, row: Vec<String>) {
    let order = |row: &[String]| {
        let (option, number) = row[SETTINGS].split_once(' ').unwrap_or_default();
        (option != "--time-budget", number.trim_end_matches('s').parse::<u32>().unwrap_or(u32::MAX))
    };
    rows.retain(|old| [SET, SETTINGS].iter().any(|&column| old[column] != row[column]));
    let of_set = |old: &Vec<String>| old[SET] == row[SET];
    let end = rows.iter().rposition(of_set).map_or(rows.len(), |last| last + 1);
    let place = rows.iter().position(|old| of_set(old) && order(old) > order(&row)).unwrap_or(end);
    rows.insert(place, row);
}

/// One archive, learned from random weights.
fn measure(binary: &Path, set: &Set, settings: &str, root: &Path) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let archive = scratch.path().join("set.kolmo");
    let mut compress = Command::new(binary);
    compress.arg("compress").arg(&set.folder).arg("-o").arg(&archive).args(["--json", "--no-priors", "--no-kinds", "--coding", "direct"]);
    let compressed = child::measure_success(compress.args(settings.split(' ')))?;
    let summary = kolmo::last_line(&String::from_utf8_lossy(&compressed.stdout), "compress_summary")?;
    let programs = summary["programs"].as_array().context("compress_summary tells of no programs")?;
    let largest = programs.iter().max_by_key(|program| program["macs_per_pixel"].as_u64()).context("nothing was learned")?;
    let number = |value: &serde_json::Value, what: &str| value.as_f64().with_context(|| format!("compress_summary tells no {what}"));
    let subpixels = number(&summary["preprocess"]["subpixels"], "subpixels")?;
    let macs = number(&largest["macs_per_pixel"], "macs_per_pixel")?;
    let mut seconds = 0.0;
    for program in programs {
        seconds += number(&program["seconds"], "seconds")?;
    }
    let verified = child::measure_success(Command::new(binary).args(["verify", "-q"]).arg(&archive))?;
    let pixels: f64 = set.images.iter().map(|image| image.picture.subpixels() as f64 / image.picture.channels() as f64).sum();
    let channels = set.subpixels() as f64 / pixels;
    Ok(vec![
        workspace::today(),
        workspace::commit(root),
        workspace::cpu(),
        workspace::cores().to_string(),
        set.name.clone(),
        settings.to_owned(),
        format!("{macs:.0}"),
        format!("{:.0}", macs / channels),
        format!("{:.0}", number(&largest["steps"], "steps")?),
        format!("{seconds:.1}"),
        format!("{:.1}", compressed.seconds),
        format!("{:.0}", number(&summary["sizes"]["total"], "total size")?),
        format!("{:.4}", number(&summary["rate_bpsp"], "rate_bpsp")?),
        format!("{:.2}", subpixels / verified.seconds / 1e6),
    ])
}

fn markdown(rows: &[Vec<String>], reach: f64) -> String {
    let mut text = "# Curves\n\nWritten by `cargo xtask bench curve` from [curve.csv](curve.csv). Whole archives, direct coding, Programs learned from random weights \
                    (`--no-priors --no-kinds`), default effort but for what stands in the first column. *Learning* is wall time of training; *compress* that of the whole command, the \
                    verifying expansion included; *MACs* are multiply-accumulates a subpixel.\n"
        .to_owned();
    let mut sets: Vec<&str> = rows.iter().map(|row| row[SET].as_str()).collect();
    sets.dedup();
    for set in sets {
        let of_set: Vec<&Vec<String>> = rows.iter().filter(|row| row[SET] == set).collect();
        text += &format!("\n## {set}\n\n");
        if let Some(seconds) = seconds_to(&of_set, reach) {
            text += &format!("{reach} bpsp are reached after {seconds:.0} s of learning, between two rows by the logarithm of time.\n\n");
        }
        text +=
            "| settings | MACs | steps | learning, s | compress, s | bpsp | verify, MB/s | conditions |\n|---|---:|---:|---:|---:|---:|---:|---|\n";
        for row in of_set {
            let [date, commit, cpu, threads, _, settings, _, macs, steps, learning, compress, _, bpsp, verify] = row.as_slice() else { continue };
            text += &format!(
                "| `{settings}` | {macs} | {steps} | {learning} | {compress} | {bpsp} | {verify} | {cpu}, {threads} threads, {date}, {commit} |\n"
            );
        }
    }
    text
}

/// Seconds of learning after which budgets reach a rate, if one falls short of it and the next does not.
fn seconds_to(rows: &[&Vec<String>], reach: f64) -> Option<f64> {
    let budgets = rows.iter().filter(|row| row[SETTINGS].starts_with("--time-budget"));
    let mut points: Vec<(f64, f64)> = budgets.filter_map(|row| Some((row[SECONDS].parse().ok()?, row[RATE].parse().ok()?))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.windows(2).find_map(|pair| {
        let [(early, above), (late, below)] = *pair else { return None };
        let share = (above - reach) / (above - below);
        (above > reach && below <= reach).then(|| (early.ln() + share * (late.ln() - early.ln())).exp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(settings: &str, seconds: &str, rate: &str) -> Vec<String> {
        let mut row = vec![String::new(); COLUMNS.len()];
        (row[SETTINGS], row[SECONDS], row[RATE]) = (settings.to_owned(), seconds.to_owned(), rate.to_owned());
        row
    }

    #[test]
    fn only_what_is_chosen_is_measured() {
        assert_eq!(settings(&[], &[2, 3]), ["--network 2", "--network 3"]);
        assert_eq!(settings(&[7], &[]), ["--time-budget 7s"]);
        assert_eq!(settings(&[], &[]).len(), BUDGETS.len() + NETWORKS.len());
    }

    #[test]
    fn rows_of_a_set_stay_together() {
        let mut rows = Vec::new();
        for (set, settings) in
            [("a", "--time-budget 20s"), ("a", "--network 1"), ("b", "--network 2"), ("a", "--network 3"), ("a", "--time-budget 5s")]
        {
            let mut row = row(settings, "1", "1");
            row[SET] = set.to_owned();
            put(&mut rows, row);
        }
        let mut again = row("--network 1", "2", "1");
        again[SET] = "a".to_owned();
        put(&mut rows, again);
        let told: Vec<String> = rows.iter().map(|row| format!("{} {} {}", row[SET], row[SETTINGS], row[SECONDS])).collect();
        assert_eq!(told, ["a --time-budget 5s 1", "a --time-budget 20s 1", "a --network 1 2", "a --network 3 1", "b --network 2 1"]);
    }

    #[test]
    fn a_rate_is_reached_between_two_budgets() {
        let rows = [row("--time-budget 40s", "40", "3.6"), row("--time-budget 10s", "10", "4.0"), row("--network 1", "20", "3.7")];
        let rows: Vec<&Vec<String>> = rows.iter().collect();
        // Half of the way, by the logarithm: 20 s.
        assert!((seconds_to(&rows, 3.8).unwrap() - 20.0).abs() < 1e-9);
        assert_eq!(seconds_to(&rows, 3.5), None, "never reached");
        assert_eq!(seconds_to(&rows, 4.1), None, "reached before the first");
    }
}
