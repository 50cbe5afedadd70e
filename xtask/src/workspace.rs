//! Where we are: the workspace, its commit, the machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

/// The folder of the workspace's `Cargo.toml`.
///
/// # Errors
/// If xtask was not started by cargo inside a workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let here = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::current_dir().context("the current folder cannot be read")?,
    };
    here.ancestors()
        .find(|folder| is_workspace(folder))
        .map(Path::to_path_buf)
        .with_context(|| format!("no workspace at or above {}; start this with `cargo xtask`", here.display()))
}

fn is_workspace(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}

/// `cargo`, the one that started us.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

/// Paths of files that are or could be committed, relative to the root, sorted.
///
/// # Errors
/// If git is missing or this is no clone.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git cannot be run; tidy lists files with it")?;
    if !listed.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim());
    }
    let mut paths: Vec<String> =
        String::from_utf8_lossy(&listed.stdout).split('\0').filter(|path| !path.is_empty() && root.join(path).is_file()).map(str::to_owned).collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}

/// Short hash of the commit, `+` behind it if anything but `benches/` differs from it; `uncommitted` if there is none.
pub(crate) fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "--short=10", "HEAD"]) {
        None => "uncommitted".to_owned(),
        Some(hash) => match git(&["status", "--porcelain", "--", ".", ":!benches"]) {
            Some(changes) if changes.is_empty() => hash,
            _ => format!("{hash}+"),
        },
    }
}

/// Model name of the processor as the system tells it; with its family and model where the name has no number, as in virtual machines that call
/// processors of all generations alike.
pub(crate) fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu_of(&text).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn cpu_of(cpuinfo: &str) -> Option<String> {
    let field = |wanted: &str| {
        let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.find_map(|(key, value)| (key.trim() == wanted).then(|| value.trim()))
    };
    let name = field("model name")?;
    match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) if !name.contains(|c: char| c.is_ascii_digit()) => Some(format!("{name} family {family} model {model}")),
        _ => Some(name.to_owned()),
    }
}

/// Threads the machine offers.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Today in UTC, `YYYY-MM-DD`.
pub(crate) fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    date_of_day(seconds / 86_400)
}

/// Date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn date_of_day(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}

/// The first program of that name on `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_one_name_are_told_apart() {
        let epyc = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu_of(epyc).unwrap(), "AMD EPYC family 26 model 2");
        let xeon = "cpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Processor @ 2.50GHz\n";
        assert_eq!(cpu_of(xeon).unwrap(), "Intel(R) Xeon(R) Processor @ 2.50GHz");
        assert_eq!(cpu_of(""), None);
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(date_of_day(0), "1970-01-01");
        assert_eq!(date_of_day(58), "1970-02-28");
        assert_eq!(date_of_day(59), "1970-03-01");
        assert_eq!(date_of_day(11_016), "2000-02-29");
        assert_eq!(date_of_day(20_780), "2026-11-23");
    }

    #[test]
    fn the_workspace_is_found_from_a_member() {
        let root = root().unwrap();
        assert!(root.join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(on_path("cargo").is_some());
        assert!(on_path("no-such-program-anywhere").is_none());
    }
}
