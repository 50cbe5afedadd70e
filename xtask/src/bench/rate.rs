//! `bench rate`: every tool on every set, into one file of rows.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::imagecodecs::ImageCodecs;
use super::kolmo::{self, Kolmo};
use super::per_image;
use super::raw_tar::RawTar;
use super::rival::{Measured, Rival};
use super::row::{self, Row};
use super::set::Set;
use super::stored::Stored;
use crate::{dataset, workspace};

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct RateArgs {
    /// Folders of the data folder.
    #[arg(required = true)]
    sets: Vec<String>,
    /// Folder that holds the sets [default: ../shared/data if there is one, else what `dataset fetch` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// kolmo's effort [default: kolmo's own].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    effort: Option<u8>,
    /// Sets that kolmo compresses with --pixels.
    #[arg(long, value_name = "SET", value_delimiter = ',')]
    pixels: Vec<String>,
    /// kolmo's time budget, such as 5m.
    #[arg(long, value_name = "TIME")]
    time_budget: Option<String>,
    /// Threads for kolmo and for whatever else can use them [default: one a core].
    #[arg(long)]
    threads: Option<usize>,
    /// kolmo's seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only these tools.
    #[arg(long, value_name = "TOOL", value_delimiter = ',', value_parser = ["kolmo", "png", "zstd", "xz", "webp", "jxl"])]
    tools: Vec<String>,
    /// How often decoding is timed; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
    /// Folder of rate.csv and rate.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

/// Measures and writes the rows, a set at a time, so that an error late loses nothing early.
///
/// # Errors
/// If a set cannot be read, a tool fails, or kolmo does not give back what it was given.
pub(crate) fn run(args: &RateArgs) -> Result<()> {
    let root = workspace::root()?;
    let data = data_folder(args.data.as_deref(), &root)?;
    if let Some(stray) = args.pixels.iter().find(|set| !args.sets.contains(set)) {
        bail!("--pixels names {stray}, which is not among the sets");
    }
    let rivals = present(tools(args, &root)?);
    if rivals.is_empty() {
        bail!("none of the tools can be measured here");
    }
    let out = root.join(&args.out);
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let [csv, table] = ["rate.csv", "rate.md"].map(|name| out.join(name));
    let mut rows = row::read(&csv)?;
    for name in &args.sets {
        let set = Set::read(&data, name)?;
        println!("{name}: {} images in {} files, {} subpixels", set.images.len(), set.n_files, set.subpixels());
        let mut new = Vec::new();
        for rival in &rivals {
            if set.is_deep() && rival.name().starts_with("webp") {
                println!("  {:<24} holds no samples of 16 bits", rival.name());
                continue;
            }
            let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
            for measured in rival.measure(&set, scratch.path()).with_context(|| format!("{} on {name}", rival.name()))? {
                let fields = fields(&measured, &set, &root);
                println!(
                    "  {:<24} {:<44} {:>12} bytes {:>8} bpsp {:>9} MB/s {}",
                    fields[8], fields[9], fields[12], fields[13], fields[15], fields[17]
                );
                new.push(fields);
            }
        }
        row::merge(&mut rows, new);
        std::fs::write(&csv, row::csv(&rows)).with_context(|| format!("{} cannot be written", csv.display()))?;
        std::fs::write(&table, row::markdown(&rows)).with_context(|| format!("{} cannot be written", table.display()))?;
    }
    Ok(())
}

/// The folder that holds the sets.
pub(super) fn data_folder(wished: Option<&Path>, root: &Path) -> Result<PathBuf> {
    let shared = || Some(root.join("../shared/data")).filter(|folder| folder.is_dir());
    wished.map(Path::to_path_buf).or_else(shared).map_or_else(dataset::cache_folder, Ok)
}

/// The tools asked for; image coders by their own programs where installed, else by imagecodecs.
fn tools(args: &RateArgs, root: &Path) -> Result<Vec<Box<dyn Rival>>> {
    let wanted = |name: &str| args.tools.is_empty() || args.tools.iter().any(|tool| tool == name);
    let threads = args.threads.unwrap_or_else(workspace::cores);
    let repeat = usize::from(args.repeat);
    let mut tools: Vec<Box<dyn Rival>> = Vec::new();
    if wanted("kolmo") {
        let program = kolmo::build(root)?;
        tools.push(Box::new(Kolmo {
            program,
            effort: args.effort,
            pixels: args.pixels.clone(),
            time_budget: args.time_budget.clone(),
            threads,
            seed: args.seed,
            repeat,
        }));
    }
    tools.push(Box::new(Stored { repeat }));
    tools.push(Box::new(RawTar { program: "zstd", level: &["-q", "-19"], repeat }));
    tools.push(Box::new(RawTar { program: "xz", level: &["-9"], repeat }));
    for program in [per_image::WEBP, per_image::JXL] {
        let codecs = ImageCodecs { name: program.name, script: root.join("xtask/rivals.py"), threads, repeat };
        match program.missing() {
            None => tools.push(Box::new(program)),
            Some(_) if wanted(program.name) && codecs.missing().is_none() => tools.push(Box::new(codecs)),
            Some(_) => tools.push(Box::new(program)),
        }
    }
    tools.retain(|tool| wanted(tool.name()));
    Ok(tools)
}

/// Those that can be measured; says which cannot, and why.
fn present(tools: Vec<Box<dyn Rival>>) -> Vec<Box<dyn Rival>> {
    let say = |tool: &dyn Rival, reason: &str| println!("not found: {} ({reason})", tool.name());
    tools.into_iter().filter(|tool| tool.missing().inspect(|reason| say(tool.as_ref(), reason)).is_none()).collect()
}

/// One measurement as a row.
fn fields(measured: &Measured, set: &Set, root: &Path) -> Row {
    let subpixels = set.subpixels();
    let megabytes = subpixels as f64 / 1e6;
    [
        workspace::today(),
        workspace::commit(root),
        workspace::cpu(),
        measured.threads.to_string(),
        set.name.clone(),
        set.digest.clone(),
        set.images.len().to_string(),
        subpixels.to_string(),
        measured.tool.clone(),
        measured.settings.clone(),
        measured.program_bytes.map_or_else(String::new, |bytes| bytes.to_string()),
        measured.payload_bytes.to_string(),
        measured.total_bytes.to_string(),
        format!("{:.4}", measured.total_bytes as f64 * 8.0 / subpixels as f64),
        measured.encode_seconds.map_or_else(String::new, |seconds| format!("{seconds:.1}")),
        measured.decode_seconds.map_or_else(String::new, |seconds| format!("{:.2}", megabytes / seconds)),
        measured.peak_bytes.map_or_else(String::new, |bytes| (bytes >> 20).to_string()),
        measured.identical.clone(),
        measured.estimate_percent.map_or_else(String::new, |percent| format!("{percent:+.2}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::set::tests::small_set;

    #[test]
    fn a_row_tells_its_conditions_and_its_rate() {
        let (_data, set) = small_set();
        let measured = Measured {
            tool: "x 1.0".into(),
            settings: "-9".into(),
            threads: 1,
            program_bytes: None,
            estimate_percent: None,
            payload_bytes: 270,
            total_bytes: 270,
            encode_seconds: Some(1.25),
            decode_seconds: Some(0.001),
            peak_bytes: Some(5 << 20),
            identical: "yes".into(),
        };
        let root = workspace::root().unwrap();
        let row = fields(&measured, &set, &root);
        assert_eq!(row[4..14], ["small", &set.digest, "3", "1080", "x 1.0", "-9", "", "270", "270", "2.0000"].map(str::to_owned));
        assert_eq!(row[14..], ["1.2", "1.08", "5", "yes", ""].map(str::to_owned));
        assert_eq!(row[0].len(), 10);
    }

    #[test]
    fn tools_that_are_not_there_are_left_out() {
        let there = RawTar { program: "cargo", level: &[], repeat: 1 };
        let gone = RawTar { program: "no-such-program-anywhere", level: &[], repeat: 1 };
        let found = present(vec![Box::new(there), Box::new(gone)]);
        assert_eq!(found.iter().map(|tool| tool.name()).collect::<Vec<_>>(), ["cargo"]);
    }
}
