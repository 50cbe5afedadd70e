//! `kolmo demo`: all five steps on a sample, in front of the user's eyes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Session, done};
use crate::args::{Demo, Device, Learning};
use crate::exit::{self, Failure};
use crate::render::{self, Detail, Paint};
use crate::sample::{self, Difference, File};

/// Training time: all five steps stay under two minutes on two cores.
const TRAINING: Duration = Duration::from_secs(60);
/// Size of the network.
const EFFORT: u8 = 4;

/// What the demonstration came to, `type` being `demo_summary` in JSON.
#[derive(Debug, Serialize)]
struct Comparison {
    files: u64,
    identical_files: u64,
    differences: Vec<Difference>,
    archive_bytes: u64,
    rate_bpsp: f64,
    png_bytes: u64,
    rivals: Vec<Rival>,
    seconds: f64,
}

/// What another coder made of the same pictures; measured once, see `assets/demo/README.md`.
#[derive(Debug, Serialize)]
struct Rival {
    name: &'static str,
    bytes: u64,
    rate_bpsp: f64,
}

pub(super) fn run(session: &Session<'_>, what: &Demo) -> Result<u8, Failure> {
    let begun = Instant::now();
    let mut watcher = session.watch();
    let temporary = tempfile::Builder::new().prefix("kolmo-demo-").tempdir();
    let temporary = temporary.map_err(|error| Failure::Io { what: "making a temporary folder".to_owned(), error })?;
    let room = what.keep.as_deref().unwrap_or(temporary.path());
    check_room(room, session.global.force)?;
    let (input, archive, output) = (room.join("fashion_mnist"), room.join("fashion_mnist.kolmo"), room.join("expanded"));

    let files = sample::files();
    sample::write(&files, &input).map_err(|(path, error)| Failure::Io { what: format!("writing {path}"), error })?;
    let learning = Learning {
        effort: EFFORT,
        time_budget: Some(TRAINING),
        device: Device::Auto,
        checkpoint: None,
        resume: false,
        no_priors: false,
        network: None,
        no_kinds: false,
    };
    let options = session.compress_options(Some(&learning), false);
    if !session.global.json && !session.global.quiet {
        session.output.text(&format!(" {}\n\n", sample::TITLE));
    }
    let summary = kolmo::compress(&input, &archive, &options, &mut watcher).map_err(Failure::about(&input))?;
    drop(watcher);
    let detail = if session.global.quiet { Detail::Brief } else { Detail::Steps };
    session.result("compress_summary", &summary, |paint| render::compress(&summary, detail, paint));

    expand_elsewhere(session, &archive, &output)?;
    let comparison = compare(&files, &output, summary.sizes.total, begun.elapsed());
    session.result("demo_summary", &comparison, |paint| text(&comparison, what.keep.as_deref(), paint));
    Ok(if comparison.differences.is_empty() { done() } else { exit::DIFFERENCE })
}

fn check_room(room: &Path, force: bool) -> Result<(), Failure> {
    let what = |error| Failure::Io { what: format!("making {}", room.display()), error };
    fs::create_dir_all(room).map_err(what)?;
    let filled = fs::read_dir(room).map_err(what)?.next().is_some();
    if filled && !force {
        return Err(Failure::Usage {
            what: format!("{} exists and is not empty", room.display()),
            help: "--force writes into it, --keep names another place".to_owned(),
        });
    }
    Ok(())
}

/// Expands in a process of its own that knows nothing but the archive.
fn expand_elsewhere(session: &Session<'_>, archive: &Path, output: &Path) -> Result<(), Failure> {
    let own = |error| Failure::Io { what: "starting kolmo once more".to_owned(), error };
    let mut command = Command::new(std::env::current_exe().map_err(own)?);
    command.arg("expand").arg(archive).arg("-o").arg(output).arg("--quiet");
    command.arg("--threads").arg(session.global.threads.to_string());
    command.arg("--max-memory").arg(session.global.max_memory.to_string());
    if session.global.force {
        command.arg("--force");
    }
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(own)?;
    if session.interrupt.stop.cancelled() {
        return Err(Failure::Cancelled);
    }
    match ended.code() {
        Some(0) => Ok(()),
        code => Err(Failure::Child { status: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(5) }),
    }
}

fn compare(files: &[File], output: &Path, archive_bytes: u64, elapsed: Duration) -> Comparison {
    let rate = |bytes: u64| 8.0 * bytes as f64 / sample::SUBPIXELS as f64;
    let differences = sample::differences(files, output);
    Comparison {
        files: files.len() as u64,
        identical_files: (files.len() - differences.len()) as u64,
        differences,
        archive_bytes,
        rate_bpsp: rate(archive_bytes),
        png_bytes: files.iter().map(|file| file.bytes.len() as u64).sum(),
        rivals: sample::RIVALS.iter().map(|&(name, bytes)| Rival { name, bytes, rate_bpsp: rate(bytes) }).collect(),
        seconds: elapsed.as_secs_f64(),
    }
}

fn text(comparison: &Comparison, kept: Option<&Path>, paint: Paint) -> String {
    let mut text = String::from("\n");
    let rate = |bytes: u64| 8.0 * bytes as f64 / sample::SUBPIXELS as f64;
    let mut row = |name: &str, bytes: u64, own: bool| {
        let line = format!("{name:<30}{:>12}{:>12} bpsp", format!("{} B", render::grouped(bytes)), render::rate(rate(bytes)));
        text += &format!(" {}\n", if own { paint.strong(&line) } else { line });
    };
    row("PNG files as they were", comparison.png_bytes, false);
    for rival in &comparison.rivals {
        row(rival.name, rival.bytes, false);
    }
    row("kolmo, Program included", comparison.archive_bytes, true);
    text += &format!(" {}\n\n", paint.faint("PNG and kolmo measured now; the others by assets/demo/rivals.py, pixels only"));
    for difference in comparison.differences.iter().take(10) {
        text += &format!(" {} {}   {}\n", paint.bad("differs"), difference.path, difference.reason);
    }
    let verdict = format!(
        "{}/{} files came back byte for byte from a fresh process",
        render::grouped(comparison.identical_files),
        render::grouped(comparison.files)
    );
    text += &format!(
        " {}   {}\n",
        if comparison.differences.is_empty() { paint.good(&verdict) } else { paint.bad(&verdict) },
        render::span(comparison.seconds)
    );
    if let Some(kept) = kept {
        text += &format!(" kept in {}\n", render::shown(&kept.display().to_string()));
    }
    text
}
