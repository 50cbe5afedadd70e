//! One tool on one file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::make::File;
use crate::{child, fingerprint, workspace};

/// What was measured.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) tool: String,
    pub(crate) coded_bytes: u64,
    pub(crate) decode_seconds: Option<f64>,
    pub(crate) identical: bool,
}

/// Builds the codec's example that times blocks.
pub(crate) fn build_decoder(root: &Path) -> Result<PathBuf> {
    let status = workspace::cargo(root).args(["build", "--release", "-p", "kolmo-codec", "--example", "numbers"]).status();
    if !status.context("cargo cannot be run")?.success() {
        bail!("the example `numbers` of kolmo-codec does not build");
    }
    Ok(workspace::target_dir(root).join("release/examples").join(format!("numbers{}", std::env::consts::EXE_SUFFIX)))
}

/// Alone or against `base`.
pub(crate) fn kolmo(program: &Path, decoder: &Path, file: &File, base: Option<&Path>, scratch: &Path) -> Result<Row> {
    let with = || base.into_iter().flat_map(|base| [OsStr::new("--base"), base.as_os_str()]);
    let (archive, back) = (scratch.join("x.kolmo"), scratch.join("back"));
    child::measure_success(Command::new(program).args(["compress", "--json", "--force", "-o"]).arg(&archive).arg(&file.path).args(with()))?;
    child::measure_success(Command::new(program).args(["expand", "--json", "--force", "-o"]).arg(&back).arg(&archive).args(with()))?;
    let expanded = back.join(file.path.file_name().unwrap_or_default());
    let identical = fingerprint::sha256(&expanded)? == fingerprint::sha256(&file.path)?;
    std::fs::remove_dir_all(&back).with_context(|| format!("{} cannot be removed", back.display()))?;
    let timed = child::measure_success(Command::new(decoder).arg(&archive).args(base))?;
    let text = String::from_utf8_lossy(&timed.stdout).into_owned();
    let seconds = text.split_once("decoded in ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let coded_bytes = std::fs::metadata(&archive).context("the archive cannot be read")?.len();
    let decode_seconds = Some(seconds.with_context(|| format!("the example said `{text}`"))?);
    let tool = if base.is_some() { "kolmo --base" } else { "kolmo" }.to_owned();
    Ok(Row { file: file.name.clone(), bytes: file.bytes()?, tool, coded_bytes, decode_seconds, identical })
}

/// A line of `xtask/zipnn_rival.py`.
#[derive(Debug, Deserialize)]
struct Line {
    tool: String,
    total_bytes: u64,
    decode_seconds: f64,
    identical: bool,
}

pub(crate) fn zipnn(python: &Path, script: &Path, file: &File) -> Result<Row> {
    let mut command = Command::new(python);
    command.arg(script).arg(&file.path).arg(file.dtype);
    let outcome = child::measure_success(&mut command)?;
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    // ZipNN itself may print lines of its own.
    let line = text.lines().find(|line| line.starts_with('{')).with_context(|| format!("zipnn_rival.py said `{text}`"))?;
    let line: Line = serde_json::from_str(line).with_context(|| format!("zipnn_rival.py said `{line}`"))?;
    let decode_seconds = Some(line.decode_seconds);
    Ok(Row {
        file: file.name.clone(),
        bytes: file.bytes()?,
        tool: line.tool,
        coded_bytes: line.total_bytes,
        decode_seconds,
        identical: line.identical,
    })
}

/// zstd -19 for its size, with `base` for a dictionary; its speed is not a coder's of numbers.
pub(crate) fn zstd(file: &File, base: Option<&Path>, scratch: &Path) -> Result<Row> {
    let packed = scratch.join("x.zst");
    let patch = || base.map(|base| format!("--patch-from={}", base.display()));
    let tool = if base.is_some() { "zstd -19 --patch-from" } else { "zstd -19" }.to_owned();
    child::measure_success(Command::new("zstd").args(["-19", "-q", "-f", "-o"]).arg(&packed).args(patch()).arg(&file.path))?;
    let coded_bytes = std::fs::metadata(&packed).context("zstd's file cannot be read")?.len();
    child::measure_success(Command::new("zstd").args(["-t", "-q"]).args(patch()).arg(&packed))?;
    Ok(Row { file: file.name.clone(), bytes: file.bytes()?, tool, coded_bytes, decode_seconds: None, identical: true })
}
