//! A child process, with its wall time and its peak memory.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often memory and end are looked at. A peak reached within the last interval of a process may be missed.
const INTERVAL: Duration = Duration::from_millis(5);

/// What became of a child.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it said on stdout, if that was asked for. Stderr goes where ours goes.
    pub(crate) stdout: Vec<u8>,
    /// Wall time from start to end.
    pub(crate) seconds: f64,
    /// Highest resident memory seen, bytes; `None` where the system does not tell.
    pub(crate) peak_bytes: Option<u64>,
}

/// Runs a command to its end and measures it.
///
/// # Errors
/// If it cannot be started, or does not end within `limit` (it is ended then).
pub(crate) fn measure(command: &mut Command, limit: Option<Duration>) -> Result<Outcome> {
    run(command, Stdio::piped(), limit)
}

/// The same, for a child that has to succeed.
///
/// # Errors
/// As [`measure`], and if the child's exit status is not 0.
pub(crate) fn measure_success(command: &mut Command) -> Result<Outcome> {
    measure_into(command, Stdio::piped())
}

/// The same, with the child's stdout going elsewhere.
///
/// # Errors
/// As [`measure_success`].
pub(crate) fn measure_into(command: &mut Command, stdout: Stdio) -> Result<Outcome> {
    let outcome = run(command, stdout, None)?;
    if !outcome.status.success() {
        bail!("`{}` ended with {}", describe(command), outcome.status);
    }
    Ok(outcome)
}

fn run(command: &mut Command, stdout: Stdio, limit: Option<Duration>) -> Result<Outcome> {
    let name = describe(command);
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(stdout).spawn();
    let mut child = child.with_context(|| format!("`{name}` cannot be started"))?;
    // A thread of its own drains the pipe, or a talkative child would wait for us for ever.
    let pipe = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes)).map(|_| bytes)
    });
    let mut peak_bytes = None;
    let status = loop {
        peak_bytes = peak_bytes.max(peak_of(&child));
        if let Some(status) = child.try_wait().with_context(|| format!("`{name}` cannot be waited for"))? {
            break status;
        }
        if limit.is_some_and(|limit| start.elapsed() > limit) {
            child.kill().with_context(|| format!("`{name}` took too long and cannot be ended"))?;
            child.wait().with_context(|| format!("`{name}` cannot be waited for"))?;
            bail!("`{name}` did not end within {} s", limit.unwrap_or_default().as_secs());
        }
        std::thread::sleep(INTERVAL);
    };
    let seconds = start.elapsed().as_secs_f64();
    let stdout = match reader.join() {
        Ok(read) => read.with_context(|| format!("the output of `{name}` cannot be read"))?,
        Err(_) => bail!("the thread that read the output of `{name}` panicked"),
    };
    Ok(Outcome { status, stdout, seconds, peak_bytes })
}

/// High-water mark of a running child's resident memory.
fn peak_of(child: &Child) -> Option<u64> {
    high_water(&std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?)
}

fn high_water(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim();
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

/// Program and arguments, for messages.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn output_status_and_time_are_kept() {
        let outcome = measure(Command::new("sh").args(["-c", "echo hello; sleep 0.05; exit 3"]), None).unwrap();
        assert_eq!(outcome.stdout, b"hello\n");
        assert_eq!(outcome.status.code(), Some(3));
        assert!(outcome.seconds >= 0.05, "{}", outcome.seconds);
        if cfg!(target_os = "linux") {
            assert!(outcome.peak_bytes.unwrap() > 100_000);
        }
    }

    #[test]
    fn more_output_than_a_pipe_holds() {
        let outcome = measure_success(Command::new("sh").args(["-c", "head -c 300000 /dev/zero"])).unwrap();
        assert_eq!(outcome.stdout.len(), 300_000);
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let error = measure(Command::new("sleep").arg("60"), Some(Duration::from_millis(50))).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
    }

    #[test]
    fn failures_name_the_command() {
        let error = measure_success(Command::new("sh").args(["-c", "exit 4"])).unwrap_err();
        assert!(error.to_string().contains("sh -c exit 4"), "{error}");
        let error = measure(&mut Command::new("no-such-program-anywhere"), None).unwrap_err();
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t   12 kB\nVmRSS:\t 4 kB\n"), Some(12 * 1024));
        assert_eq!(high_water("Name:\tx\n"), None);
    }
}
