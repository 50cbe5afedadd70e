//! `bench speed`: how quickly sets are coded and decoded under a given Program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::imagecodecs::ImageCodecs;
use super::kolmo;
use super::rate::data_folder;
use super::rival::{Rival as _, median};
use super::set::Set;
use super::table;
use crate::{child, workspace};

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct SpeedArgs {
    /// Folders of the data folder.
    #[arg(required = true)]
    sets: Vec<String>,
    /// Folder that holds the sets [default: ../shared/data if there is one, else what `dataset fetch` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Effort of the Programs; 3 to 6 learn networks of the same size, so that speed is the same and learning short.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    effort: u8,
    /// Sets that are compressed with --pixels.
    #[arg(long, value_name = "SET", value_delimiter = ',')]
    pixels: Vec<String>,
    /// How often each is timed, in turns; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
    /// Only these ways of coding.
    #[arg(long, value_delimiter = ',', default_values = ["direct", "adaptive"], value_parser = ["direct", "adaptive"])]
    codings: Vec<String>,
    /// Only these kernels [default: all that the machine has].
    #[arg(long, value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Folder of speed.csv and speed.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

const COLUMNS: [&str; 13] = [
    "date",
    "commit",
    "cpu",
    "set",
    "subpixels",
    "coding",
    "kernel",
    "threads",
    "bpsp",
    "encode_mb_per_s",
    "verify_mb_per_s",
    "expand_mb_per_s",
    "verify_to_jxl",
];

/// One way to decode one archive.
struct Way {
    coding: String,
    kernel: String,
    threads: usize,
    verify: Vec<f64>,
    expand: Vec<f64>,
}

/// An archive of a set under its Program.
struct Made {
    coding: String,
    archive: PathBuf,
    bytes: u64,
    encode: Vec<f64>,
}

/// Measures and writes the rows, a set at a time.
///
/// # Errors
/// If a set cannot be read, kolmo fails, or rivals.py cannot be understood.
pub(crate) fn run(args: &SpeedArgs) -> Result<()> {
    let root = workspace::root()?;
    let data = data_folder(args.data.as_deref(), &root)?;
    let program = kolmo::build(&root)?;
    let out = root.join(&args.out);
    let mut rows = table::read(&out.join("speed.csv"), &COLUMNS)?;
    for name in &args.sets {
        let set = Set::read(&data, name)?;
        let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
        let new = measure(args, &program, &set, scratch.path(), &root)?;
        // Set, coding, kernel, threads.
        let key = |row: &Vec<String>| [3, 5, 6, 7].map(|column| row[column].clone());
        rows.retain(|row| new.iter().all(|new| key(new) != key(row)));
        rows.extend(new);
        rows.sort_by_key(key);
        table::write(&out.join("speed.csv"), &COLUMNS, &rows)?;
        std::fs::write(out.join("speed.md"), markdown(&rows)).context("speed.md cannot be written")?;
    }
    Ok(())
}

fn measure(args: &SpeedArgs, program: &Path, set: &Set, scratch: &Path, root: &Path) -> Result<Vec<Vec<String>>> {
    let pixels: &[&str] = if args.pixels.contains(&set.name) { &["--pixels"] } else { &[] };
    let learned = scratch.join("set.kprog");
    println!("{}: learning a Program at effort {}", set.name, args.effort);
    let mut train = Command::new(program);
    train.arg("train").arg(&set.folder).arg("-o").arg(&learned).args(["-q", "--effort", &args.effort.to_string()]).args(pixels);
    child::measure_success(&mut train)?;
    let cores = workspace::cores();
    let make = |coding: &String| make(program, set, &learned, coding, pixels, scratch);
    let mut made = args.codings.iter().map(make).collect::<Result<Vec<_>>>()?;
    let mut ways = Vec::new();
    for made in &made {
        for kernel in kernels(program)?.into_iter().filter(|kernel| args.kernels.is_empty() || args.kernels.contains(&kernel.0)) {
            // The quickest kernel by threads; the others on one, to be compared with it.
            let threads = if kernel.1 { vec![1, cores] } else { vec![1] };
            ways.extend(threads.into_iter().map(|threads| Way {
                coding: made.coding.clone(),
                kernel: kernel.0.clone(),
                threads,
                verify: Vec::new(),
                expand: Vec::new(),
            }));
        }
    }
    for round in 0..args.repeat {
        println!("{}: round {} of {}", set.name, round + 1, args.repeat);
        for made in made.iter_mut().filter(|_| round > 0) {
            made.encode.extend(make(&made.coding)?.encode);
        }
        for way in &mut ways {
            let archive = &made.iter().find(|made| made.coding == way.coding).context("an archive for each coding")?.archive;
            let command = |name: &str| {
                let mut command = Command::new(program);
                command.env("KOLMO_KERNEL", &way.kernel).arg(name).arg(archive).args(["-q", "--threads", &way.threads.to_string()]);
                command
            };
            way.verify.push(child::measure_success(&mut command("verify"))?.seconds);
            let back = scratch.join("back");
            way.expand.push(child::measure_success(command("expand").arg("-o").arg(&back))?.seconds);
            std::fs::remove_dir_all(&back).with_context(|| format!("{} cannot be removed", back.display()))?;
        }
    }
    let jxl = jxl_seconds(set, root, cores, args.repeat.into(), scratch)?;
    let megabytes = set.subpixels() as f64 / 1e6;
    let mut rows = Vec::new();
    for way in &mut ways {
        let made = made.iter_mut().find(|made| made.coding == way.coding).context("an archive for each coding")?;
        let encode = median(&mut made.encode).context("timed at least once")?;
        let verify = median(&mut way.verify).context("timed at least once")?;
        let expand = median(&mut way.expand).context("timed at least once")?;
        let row = vec![
            workspace::today(),
            workspace::commit(root),
            workspace::cpu(),
            set.name.clone(),
            set.subpixels().to_string(),
            way.coding.clone(),
            way.kernel.clone(),
            way.threads.to_string(),
            format!("{:.4}", made.bytes as f64 * 8.0 / set.subpixels() as f64),
            if way.threads == cores { format!("{:.2}", megabytes / encode) } else { String::new() },
            format!("{:.2}", megabytes / verify),
            format!("{:.2}", megabytes / expand),
            jxl.filter(|_| way.threads == cores).map_or_else(String::new, |jxl| format!("{:.2}", jxl / verify)),
        ];
        println!("  {}", row[5..].join("  "));
        rows.push(row);
    }
    Ok(rows)
}

fn make(program: &Path, set: &Set, learned: &Path, coding: &str, pixels: &[&str], scratch: &Path) -> Result<Made> {
    let archive = scratch.join(format!("{coding}.kolmo"));
    if archive.exists() {
        std::fs::remove_file(&archive).with_context(|| format!("{} cannot be removed", archive.display()))?;
    }
    let mut compress = Command::new(program);
    compress.arg("compress").arg(&set.folder).arg("-o").arg(&archive).arg("--program").arg(learned);
    compress.args(["--json", "--coding", coding]).args(pixels);
    let outcome = child::measure_success(&mut compress)?;
    let summary = kolmo::last_line(&String::from_utf8_lossy(&outcome.stdout), "compress_summary")?;
    let encode = summary["coding"]["encode_seconds"].as_f64().context("compress_summary tells no encode_seconds")?;
    let bytes = summary["sizes"]["total"].as_u64().context("compress_summary tells no total")?;
    Ok(Made { coding: coding.to_owned(), archive, bytes, encode: vec![encode] })
}

/// The kernels that this machine has, and whether it is the one that is used: what kolmo says to a name that is none.
fn kernels(program: &Path) -> Result<Vec<(String, bool)>> {
    let output = Command::new(program).env("KOLMO_KERNEL", "?").args(["list", "none.kolmo"]).output().context("kolmo cannot be run")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let names = text.split_once("one of ").and_then(|(_, rest)| rest.split_once(", or unset")).context("kolmo names no kernels")?.0;
    let names: Vec<&str> = names.split(", ").collect();
    Ok(names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), i + 1 == names.len())).collect())
}

/// Seconds that JPEG XL takes to decode the set's images, one a thread; `None` if it is not installed.
fn jxl_seconds(set: &Set, root: &Path, threads: usize, repeat: usize, scratch: &Path) -> Result<Option<f64>> {
    let codecs = ImageCodecs { name: "jxl7", script: root.join("xtask/rivals.py"), threads, repeat };
    if let Some(reason) = codecs.missing() {
        println!("not found: jxl ({reason})");
        return Ok(None);
    }
    let measured = codecs.measure(set, scratch)?;
    let Some(first) = measured.first() else { bail!("rivals.py measured nothing") };
    println!("  {} {}: {:.2} s", first.tool, first.settings, first.decode_seconds.unwrap_or(f64::NAN));
    Ok(first.decode_seconds)
}

/// The rows of an earlier run; none if there was none.
fn markdown(rows: &[Vec<String>]) -> String {
    let mut text =
        String::from("# Speed\n\nWritten by `cargo xtask bench speed` from [speed.csv](speed.csv); [README.md](README.md) explains the columns.\n\n");
    text.push_str("| set | coding | kernel | threads | bpsp | encode MB/s | verify MB/s | expand MB/s | to JPEG XL | conditions |\n");
    text.push_str("|---|---|---|---:|---:|---:|---:|---:|---:|---|\n");
    for row in rows {
        let cells = [3, 5, 6, 7, 8, 9, 10, 11, 12].map(|column| row[column].clone()).join(" | ");
        text.push_str(&format!("| {cells} | {}, {}, {} |\n", row[2], row[0], row[1]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_a_row_under_its_columns() {
        let row: Vec<String> = COLUMNS.iter().map(|name| format!("a {name}")).collect();
        assert!(markdown(&[row]).contains("| a set | a coding | a kernel | a threads | a bpsp | a encode_mb_per_s | a verify_mb_per_s |"));
    }
}
