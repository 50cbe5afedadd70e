//! `bench checkpoint`: network checkpoints, kolmo beside ZipNN and zstd; writes benches/checkpoint.md.

mod make;
mod measure;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::kolmo;
use super::rate::data_folder;
use super::rival::{script_missing, version};
use crate::workspace;
use measure::Row;

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// Folder that holds the set `checkpoint` [default: ../shared/data if there is one, else what `dataset fetch` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Size of the synthetic checkpoint in single precision, MiB; 0 leaves it out.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    synthetic: u64,
    /// Python that has ZipNN.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Folder of checkpoint.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

/// Measures every file by every tool.
///
/// # Errors
/// If the set is missing, a tool fails, or anything that came back is not what went in.
pub(crate) fn run(args: &CheckpointArgs) -> Result<()> {
    let root = workspace::root()?;
    let data = data_folder(args.data.as_deref(), &root)?;
    let program = kolmo::build(&root)?;
    let decoder = measure::build_decoder(&root)?;
    let script = root.join("xtask/zipnn_rival.py");
    let zipnn = script_missing(&args.python, &script);
    if let Some(why) = &zipnn {
        println!("zipnn is left out: {why}");
    }
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut files = make::real(&data.join("checkpoint"), &program, scratch.path())?;
    if args.synthetic > 0 {
        files.extend(make::synthetic(scratch.path(), args.synthetic << 20)?);
    }
    files.extend(make::epochs(&data, &program, scratch.path())?);
    let mut rows = Vec::new();
    for file in &files {
        println!("{}: {} bytes", file.name, file.bytes()?);
        rows.push(measure::kolmo(&program, &decoder, file, None, scratch.path())?);
        if let Some(base) = &file.base {
            rows.push(measure::kolmo(&program, &decoder, file, Some(base), scratch.path())?);
            if version("zstd", "--version").is_some() {
                rows.push(measure::zstd(file, Some(base), scratch.path())?);
            }
            rows.iter().rev().take(3).rev().for_each(|row| println!("  {}", line(row)));
            continue;
        }
        if zipnn.is_none() {
            rows.push(measure::zipnn(&args.python, &script, file)?);
        }
        if version("zstd", "--version").is_some() && !file.synthetic {
            rows.push(measure::zstd(file, None, scratch.path())?);
        }
        for row in rows.iter().filter(|row| row.file == file.name) {
            println!("  {}", line(row));
        }
    }
    let out = root.join(&args.out).join("checkpoint.md");
    std::fs::write(&out, page(&root, &rows, zipnn.as_deref())).with_context(|| format!("{} cannot be written", out.display()))?;
    println!("written to {}", out.display());
    if let Some(row) = rows.iter().find(|row| !row.identical) {
        bail!("{} does not give {} back", row.tool, row.file);
    }
    Ok(())
}

fn line(row: &Row) -> String {
    let speed = row.decode_seconds.map_or_else(String::new, |seconds| format!(", decodes {:.0} MB/s", row.bytes as f64 / seconds / 1e6));
    format!("{:<22} {:>12} bytes {:>8.3} %{speed}", row.tool, row.coded_bytes, 100.0 * row.coded_bytes as f64 / row.bytes as f64)
}

fn page(root: &Path, rows: &[Row], zipnn: Option<&str>) -> String {
    let mut text = format!(
        "# Checkpoints\n\nWritten by `cargo xtask bench checkpoint` on {}, {}, commit {}. kolmo's bytes are those of the whole archive of the one file, ZipNN's and zstd's of \
         the coded file. Decoding is timed on one thread, in processor time, the mean of rounds of at least 0.8 s: kolmo's codec on all blocks, from memory to memory that is used again as in expanding (without digests and files), \
         ZipNN's `decompress` of bytes. `bf16` and `f16` are made of the tensors in single precision, rounded; synthetic ones hold normal values of deviation 0.02 from a seed. \
         *An epoch later* is the ResNet-20 after a second epoch on the set `cifar10_jpeg` (`kolmo model train --lr 1e-4`), coded alone and against itself after the first.\n\n",
        workspace::today(),
        workspace::cpu(),
        workspace::commit(root)
    );
    if let Some(why) = zipnn {
        text.push_str(&format!("ZipNN was not measured: {why}.\n\n"));
    }
    text.push_str("| file | bytes | tool | coded bytes | % | decode MB/s |\n|---|---:|---|---:|---:|---:|\n");
    for row in rows {
        let speed = row.decode_seconds.map_or_else(String::new, |seconds| format!("{:.0}", row.bytes as f64 / seconds / 1e6));
        let percent = 100.0 * row.coded_bytes as f64 / row.bytes as f64;
        text.push_str(&format!("| {} | {} | {} | {} | {percent:.3} | {speed} |\n", row.file, row.bytes, row.tool, row.coded_bytes));
    }
    text
}
