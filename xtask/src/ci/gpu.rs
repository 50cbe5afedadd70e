//! A few training steps through wgpu, on a real adapter or a software one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{child, workspace};

/// Name of the test that trains through wgpu and compares with the CPU.
const TEST: &str = "wgpu_smoke";
const PACKAGE: &str = "kolmo-model";
/// On a software adapter the first step compiles shaders for one to two minutes; a loaded machine takes several times as long.
const LIMIT: Duration = Duration::from_secs(30 * 60);
const HINT: &str = "no Vulkan adapter; a software one serves: apt-get install -y --no-install-recommends mesa-vulkan-drivers libvulkan1";

/// Builds the tests of the model with the feature `gpu` and runs the one named `wgpu_smoke`.
///
/// # Errors
/// If there is no adapter (before the long build, where we can tell), the build fails, the test is missing, fails, or hangs.
pub(crate) fn check(root: &Path) -> Result<()> {
    if cfg!(target_os = "linux") && !has_driver() {
        bail!(HINT);
    }
    let mut run = 0;
    for program in build(root)? {
        if !holds_test(&program)? {
            continue;
        }
        let mut command = std::process::Command::new(&program);
        command.args([TEST, "--nocapture", "--include-ignored"]).current_dir(root.join("crates/model"));
        command.env("CUBECL_AUTOTUNE_LEVEL", "minimal");
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
        }
        let outcome = child::measure(&mut command, Some(LIMIT))?;
        let said = String::from_utf8_lossy(&outcome.stdout);
        print!("{said}");
        if !outcome.status.success() {
            let hint = if said.to_lowercase().contains("adapter") { format!("\n{HINT}") } else { String::new() };
            bail!("`{}` ended with {}{hint}", child::describe(&command), outcome.status);
        }
        run += passed(&said);
    }
    if run == 0 {
        bail!("no test of {PACKAGE} is named `{TEST}`: nothing was tried");
    }
    Ok(())
}

/// Whether a Vulkan driver is declared where the loader looks for them.
fn has_driver() -> bool {
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        if let Some(files) = std::env::var_os(variable) {
            return std::env::split_paths(&files).any(|file| file.exists());
        }
    }
    let mut folders = vec![PathBuf::from("/usr/share/vulkan/icd.d"), "/usr/local/share/vulkan/icd.d".into(), "/etc/vulkan/icd.d".into()];
    folders.extend(std::env::var_os("XDG_DATA_HOME").map(|data| PathBuf::from(data).join("vulkan/icd.d")));
    folders.iter().any(|folder| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
}

/// Test programs of the model, built with the feature.
fn build(root: &Path) -> Result<Vec<PathBuf>> {
    let mut command = workspace::cargo(root);
    command.args(["test", "--release", "-p", PACKAGE, "--features", "gpu", "--no-run", "--message-format", "json-render-diagnostics"]);
    let output = command.stderr(Stdio::inherit()).output().context("cargo cannot be run")?;
    if !output.status.success() {
        bail!("`{}` ended with {}", child::describe(&command), output.status);
    }
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// Test programs among cargo's messages.
fn executables(messages: &str) -> Vec<PathBuf> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    parsed
        .filter(|message| message["reason"] == "compiler-artifact" && message["profile"]["test"] == true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect()
}

fn holds_test(program: &Path) -> Result<bool> {
    let listed = std::process::Command::new(program).args([TEST, "--list", "--include-ignored"]).output();
    let listed = listed.with_context(|| format!("{} cannot be run", program.display()))?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.ends_with(": test")))
}

/// Tests that passed, by libtest's last line.
fn passed(said: &str) -> u64 {
    let results = said.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|line| line.split_once(" passed")?.0.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_read_from_cargos_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":false},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":\"a/deps/kolmo_model-1\"}\n",
            "running\n{\"reason\":\"build-finished\",\"success\":true}\n"
        );
        assert_eq!(executables(messages), [PathBuf::from("a/deps/kolmo_model-1")]);
    }

    #[test]
    fn passed_tests_are_counted() {
        assert_eq!(passed("x\ntest result: ok. 2 passed; 0 failed; 0 ignored\n"), 2);
        assert_eq!(passed("test result: FAILED. 0 passed; 1 failed\n"), 0);
        assert_eq!(passed(""), 0);
    }
}
