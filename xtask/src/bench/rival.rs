//! What every tool that is measured can do.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::set::Set;

/// What was measured of one tool with one setting on one set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// Tool with its version, where it tells one.
    pub(crate) tool: String,
    pub(crate) settings: String,
    pub(crate) threads: usize,
    /// Bytes of learned Programs; rivals have none.
    pub(crate) program_bytes: Option<u64>,
    /// By how many per cent what was chosen was expected to take more than it took; rivals expect nothing.
    pub(crate) estimate_percent: Option<f64>,
    /// Bytes of coded samples.
    pub(crate) payload_bytes: u64,
    /// Everything that is needed to get the samples back.
    pub(crate) total_bytes: u64,
    pub(crate) encode_seconds: Option<f64>,
    /// Median of the repeats.
    pub(crate) decode_seconds: Option<f64>,
    pub(crate) peak_bytes: Option<u64>,
    /// What came back, compared: `yes`, or what was compared and found equal, or why it is not.
    pub(crate) identical: String,
}

/// A tool, or a family of settings of one.
pub(crate) trait Rival {
    /// Name for `--tools`.
    fn name(&self) -> &'static str;

    /// Why it cannot be measured on this machine, if so.
    fn missing(&self) -> Option<String>;

    /// Compresses, expands, compares.
    ///
    /// # Errors
    /// If the tool fails or cannot be understood.
    fn measure(&self, set: &Set, scratch: &Path) -> Result<Vec<Measured>>;
}

/// Why a script of rivals cannot run, if so; without arguments it only looks for what it needs.
pub(crate) fn script_missing(python: &Path, script: &Path) -> Option<String> {
    match Command::new(python).arg(script).stdin(Stdio::null()).output() {
        Err(error) => Some(format!("{} cannot be run: {error}", python.display())),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The middle of several timings.
pub(crate) fn median(timings: &mut [f64]) -> Option<f64> {
    timings.sort_by(f64::total_cmp);
    timings.get(timings.len() / 2).copied()
}

/// First line that a program prints when asked for its version, shortened.
pub(crate) fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split([' ', ',', '\n']).map(|word| word.trim_start_matches('v')).find(|word| is_version(word)).map(str::to_owned)
}

/// Numbers with points between them.
fn is_version(word: &str) -> bool {
    word.split('.').count() >= 2 && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn versions_are_numbers_with_points() {
        assert!(is_version("1.5.4") && is_version("0.11"));
        assert!(!is_version("5") && !is_version("a.b") && !is_version("1."));
        assert!(version("cargo", "--version").is_some_and(|version| version.starts_with("1.")));
        assert_eq!(version("no-such-program-anywhere", "--version"), None);
    }
}
