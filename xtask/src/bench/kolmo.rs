//! kolmo itself, by its command line and its `--json`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::rival::{Measured, Rival, median};
use super::set::{Set, first_difference};
use crate::picture::Picture;
use crate::{child, fingerprint, workspace};

/// How kolmo is called.
#[derive(Debug)]
pub(crate) struct Kolmo {
    pub(crate) program: PathBuf,
    /// `--effort`, where given.
    pub(crate) effort: Option<u8>,
    /// Sets whose pixels and image facts have to come back, not their files' bytes.
    pub(crate) pixels: Vec<String>,
    pub(crate) time_budget: Option<String>,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) repeat: usize,
}

/// What a bench needs of the line `compress_summary`.
#[derive(Debug, Deserialize)]
struct CompressSummary {
    schema: u32,
    fidelity: String,
    preprocess: Preprocess,
    sizes: Sizes,
    #[serde(default)]
    programs: Vec<ProgramSummary>,
    verified_files: u64,
}

#[derive(Debug, Deserialize)]
struct ProgramSummary {
    candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    estimated_bytes: u64,
    real_bytes: Option<u64>,
    chosen: bool,
}

impl CompressSummary {
    /// By how many per cent the ways that were chosen were expected to take more bytes than they took, all of them together.
    fn estimate_percent(&self) -> Option<f64> {
        let chosen = self.programs.iter().flat_map(|program| &program.candidates).filter(|candidate| candidate.chosen);
        let sums = chosen.filter_map(|candidate| Some((candidate.estimated_bytes, candidate.real_bytes?)));
        let (estimated, real) = sums.fold((0, 0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
        (real > 0).then(|| (estimated as f64 / real as f64 - 1.0) * 100.0)
    }
}

#[derive(Debug, Deserialize)]
struct Preprocess {
    files: u64,
    subpixels: u64,
}

#[derive(Debug, Deserialize)]
struct Sizes {
    total: u64,
    programs: u64,
    payload: u64,
}

/// Builds the binary that users get.
///
/// # Errors
/// If it does not build.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    let status = workspace::cargo(root).args(["build", "--release", "-p", "kolmo-cli"]).status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("kolmo does not build");
    }
    Ok(workspace::target_dir(root).join("release").join(format!("kolmo{}", std::env::consts::EXE_SUFFIX)))
}

impl Kolmo {
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).args(["--threads", &self.threads.to_string()]);
        command
    }

    fn compress(&self, set: &Set, pixels: bool, archive: &Path) -> Result<(child::Outcome, CompressSummary)> {
        let mut command = self.command("compress");
        command.arg(&set.folder).arg("-o").arg(archive).args(["--json", "--seed", &self.seed.to_string()]);
        if let Some(effort) = self.effort {
            command.args(["--effort", &effort.to_string()]);
        }
        if let Some(budget) = &self.time_budget {
            command.args(["--time-budget", budget]);
        }
        if pixels {
            command.arg("--pixels");
        }
        let outcome = child::measure_success(&mut command)?;
        let summary = last_summary(&String::from_utf8_lossy(&outcome.stdout))?;
        Ok((outcome, summary))
    }

    fn settings(&self, pixels: bool) -> String {
        let effort = self.effort.map_or_else(|| "default effort".to_owned(), |effort| format!("--effort {effort}"));
        let budget = self.time_budget.as_ref().map_or_else(String::new, |budget| format!(" --time-budget {budget}"));
        let seed = if self.seed == 0 { String::new() } else { format!(" --seed {}", self.seed) };
        format!("{effort}{budget}{seed}{}", if pixels { " --pixels" } else { "" })
    }
}

impl Rival for Kolmo {
    fn name(&self) -> &'static str {
        "kolmo"
    }

    fn missing(&self) -> Option<String> {
        (!self.program.is_file()).then(|| format!("{} is not there", self.program.display()))
    }

    fn measure(&self, set: &Set, scratch: &Path) -> Result<Vec<Measured>> {
        let pixels = self.pixels.contains(&set.name);
        let archive = scratch.join("set.kolmo");
        let (compress, summary) = self.compress(set, pixels, &archive)?;
        check(&summary, set, pixels, &archive)?;
        let back = scratch.join("back");
        let mut timings = Vec::new();
        let mut peak_bytes = compress.peak_bytes;
        for _ in 0..self.repeat {
            if back.exists() {
                std::fs::remove_dir_all(&back).with_context(|| format!("{} cannot be removed", back.display()))?;
            }
            let expand = child::measure_success(self.command("expand").arg(&archive).arg("-o").arg(&back))?;
            peak_bytes = peak_bytes.max(expand.peak_bytes);
            timings.push(expand.seconds);
        }
        let identical = if pixels {
            child::measure_success(self.command("verify").arg(&archive).arg(&set.folder))?;
            let compared = compare_pixels(set, &back)?;
            format!("{compared}/{compared} pixels")
        } else {
            if let Some(difference) = first_difference(&set.folder, &back)? {
                bail!("{}: what came back is not what went in: {difference}", set.name);
            }
            format!("{0}/{0} files", set.n_files)
        };
        std::fs::remove_dir_all(&back).with_context(|| format!("{} cannot be removed", back.display()))?;
        std::fs::remove_file(&archive).with_context(|| format!("{} cannot be removed", archive.display()))?;
        Ok(vec![Measured {
            tool: "kolmo".to_owned(),
            settings: self.settings(pixels),
            threads: self.threads,
            estimate_percent: summary.estimate_percent(),
            program_bytes: Some(summary.sizes.programs),
            payload_bytes: summary.sizes.payload,
            total_bytes: summary.sizes.total,
            encode_seconds: Some(compress.seconds),
            decode_seconds: median(&mut timings),
            peak_bytes,
            identical,
        }])
    }
}

/// The summary in the last line of type `compress_summary`.
fn last_summary(stdout: &str) -> Result<CompressSummary> {
    let summary: CompressSummary =
        serde_json::from_value(last_line(stdout, "compress_summary")?).context("compress_summary lacks a field the bench needs")?;
    if summary.schema != 1 {
        bail!("compress_summary of schema {}; the bench knows 1", summary.schema);
    }
    Ok(summary)
}

/// The last line of type `kind` among JSON Lines.
///
/// # Errors
/// If there is none.
pub(crate) fn last_line(stdout: &str, kind: &str) -> Result<serde_json::Value> {
    let mut lines = stdout.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.find(|value| value["type"] == kind).with_context(|| format!("kolmo printed no {kind}"))
}

/// Whether the summary says what can be seen from outside.
fn check(summary: &CompressSummary, set: &Set, pixels: bool, archive: &Path) -> Result<()> {
    let bytes = std::fs::metadata(archive).with_context(|| format!("{} is not there", archive.display()))?.len();
    if bytes != summary.sizes.total {
        bail!("the archive has {bytes} bytes, kolmo says {}", summary.sizes.total);
    }
    let fidelity = if pixels { "pixels" } else { "files" };
    if summary.fidelity != fidelity {
        bail!("kolmo kept {} where {fidelity} were asked for", summary.fidelity);
    }
    if summary.preprocess.files != set.n_files as u64 || summary.verified_files != set.n_files as u64 {
        bail!("{} files: kolmo found {} and verified {}", set.n_files, summary.preprocess.files, summary.verified_files);
    }
    if summary.preprocess.subpixels != set.subpixels() {
        // The rate refers to what we count; kolmo stores an image it cannot take apart the general way, and says which.
        eprintln!("note: {} has {} subpixels, kolmo learned {} of them", set.name, set.subpixels(), summary.preprocess.subpixels);
    }
    Ok(())
}

/// Compares samples, shape, depth, palette and transparency of every image, and the bytes of everything else. Returns the images compared.
fn compare_pixels(set: &Set, back: &Path) -> Result<u64> {
    let (ours, theirs) = (fingerprint::paths(&set.folder)?, fingerprint::paths(back)?);
    if ours != theirs {
        let odd = ours.iter().chain(&theirs).find(|path| ours.contains(path) != theirs.contains(path));
        bail!("{}: {} is only on one side", set.name, odd.map_or("a file", String::as_str));
    }
    let mut compared = 0;
    for path in ours {
        let bytes = std::fs::read(back.join(&path)).with_context(|| format!("{path} cannot be read"))?;
        match set.images.iter().find(|image| image.path == path) {
            Some(image) => {
                if Picture::read(&bytes).with_context(|| format!("{path} came back unreadable"))? != image.picture {
                    bail!("{}: pixels or facts of {path} differ", set.name);
                }
                compared += 1;
            }
            None => {
                if bytes != std::fs::read(set.folder.join(&path)).with_context(|| format!("{path} cannot be read"))? {
                    bail!("{}: {path} differs", set.name);
                }
            }
        }
    }
    Ok(compared)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::bench::set::tests::small_set;

    /// A stand-in for the binary: its archive is a tar, its summary says `$SAYS`.
    fn stand_in(folder: &Path, summary: &str, spoil: &str) -> PathBuf {
        let script = format!(
            "#!/bin/sh\nset -e\ncase $1 in\ncompress) tar -cf \"$6\" -C \"$4\" .; echo '{{\"type\":\"progress\"}}'; size=$(wc -c < \"$6\"); echo '{summary}' | sed \"s/SIZE/$size/\";;\nexpand) mkdir \"$6\"; tar -xf \"$4\" -C \"$6\"; cd \"$6\"; {spoil};;\nverify) test -f \"$4\" -a -d \"$5\";;\nesac\n"
        );
        let path = folder.join("kolmo");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    const SUMMARY: &str = r#"{"type":"compress_summary","schema":1,"fidelity":"files","preprocess":{"files":4,"subpixels":1080},"sizes":{"total":SIZE,"programs":100,"payload":200},"programs":[{"candidates":[{"estimated_bytes":102,"real_bytes":100,"chosen":true},{"estimated_bytes":7,"real_bytes":3,"chosen":false}]},{"candidates":[{"estimated_bytes":99,"real_bytes":100,"chosen":true},{"estimated_bytes":500,"real_bytes":null,"chosen":true}]}],"verified_files":4,"rate_bpsp":null}"#;

    fn measured(summary: &str, spoil: &str, pixels: bool) -> Result<Measured> {
        let (data, set) = small_set();
        let program = stand_in(data.path(), summary, spoil);
        let pixels = if pixels { vec!["small".to_owned()] } else { vec![] };
        let kolmo = Kolmo { program, effort: Some(3), pixels, time_budget: Some("1m".into()), threads: 2, seed: 0, repeat: 2 };
        let scratch = tempfile::tempdir().unwrap();
        Ok(kolmo.measure(&set, scratch.path())?.remove(0))
    }

    #[test]
    fn files_that_come_back_make_a_row() {
        let row = measured(SUMMARY, "true", false).unwrap();
        assert_eq!((row.program_bytes, row.payload_bytes, row.identical.as_str()), (Some(100), 200, "4/4 files"));
        assert_eq!(row.settings, "--effort 3 --time-budget 1m");
        assert_eq!(row.estimate_percent.map(|percent| format!("{percent:.3}")), Some("0.500".to_owned()), "of what was chosen and coded");
        assert!(row.total_bytes > 2000 && row.decode_seconds.unwrap() > 0.0);
    }

    #[test]
    fn pixels_that_come_back_make_a_row() {
        let summary = SUMMARY.replace("\"files\",", "\"pixels\",");
        let row = measured(&summary, "true", true).unwrap();
        assert_eq!((row.identical.as_str(), row.settings.as_str()), ("3/3 pixels", "--effort 3 --time-budget 1m --pixels"));
        let error = measured(&summary, "cp 0.png 1.png", true).unwrap_err().to_string();
        assert!(error.contains("pixels or facts of 1.png differ"), "{error}");
        let error = measured(&summary, "echo x >> SOURCE.txt", true).unwrap_err().to_string();
        assert!(error.contains("SOURCE.txt differs"), "{error}");
        let error = measured(&summary, "mv 0.png 9.png", true).unwrap_err().to_string();
        assert!(error.contains("0.png is only on one side"), "{error}");
    }

    #[test]
    fn what_is_wrong_makes_no_row() {
        for (summary, spoil, says) in [
            (SUMMARY, "rm 1.png", "1.png is missing"),
            (SUMMARY, "echo x >> 1.png", "1.png differs from byte"),
            (SUMMARY, "exit 3", "ended with exit status: 3"),
            ("no json", "true", "printed no compress_summary"),
            (&SUMMARY.replace("SIZE", "7"), "true", "bytes, kolmo says 7"),
            (&SUMMARY.replace("\"schema\":1", "\"schema\":2"), "true", "schema 2"),
            (&SUMMARY.replace("\"verified_files\":4", "\"verified_files\":3"), "true", "verified 3"),
            (&SUMMARY.replace("\"files\",", "\"pixels\","), "true", "kept pixels where files"),
            (&SUMMARY.replace(",\"payload\":200", ""), "true", "lacks a field"),
        ] {
            let error = format!("{:#}", measured(summary, spoil, false).unwrap_err());
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
