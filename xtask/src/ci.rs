//! What CI runs, cheapest first.

mod burn_free;
mod gpu;
mod test_command;
mod tidy;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::{child, workspace};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Also build the feature `gpu` and train a few steps through wgpu. Adds most of an hour to a clean build.
    #[arg(long)]
    gpu: bool,
    /// Also run the codec's tests under AddressSanitizer, every kernel of this machine among them. Adds minutes.
    #[arg(long)]
    asan: bool,
    /// Only these stages, in CI's order.
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    only: Vec<Stage>,
}

/// The stages, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// `cargo fmt --check`.
    Fmt,
    /// House rules that no other tool checks.
    Tidy,
    /// Expanding links no burn.
    BurnFree,
    /// `cargo clippy`, warnings are errors.
    Clippy,
    /// The test command of the README.
    Test,
    /// `cargo doc`, warnings are errors.
    Doc,
    /// The codec's tests under AddressSanitizer.
    Asan,
    /// A few training steps through wgpu.
    Gpu,
}

const ORDER: [Stage; 8] = [Stage::Fmt, Stage::Tidy, Stage::BurnFree, Stage::Clippy, Stage::Test, Stage::Doc, Stage::Asan, Stage::Gpu];

/// Where the sanitizer's runtime is at hand.
const ASAN_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the stages and stops at the first failure.
///
/// # Errors
/// Names the stage that failed and how to run it alone.
pub(crate) fn run(args: &CiArgs) -> Result<()> {
    let root = workspace::root()?;
    let stages = chosen(args);
    if stages.is_empty() {
        bail!("nothing to run: the stages `asan` and `gpu` need --asan and --gpu");
    }
    let begin = Instant::now();
    for stage in stages {
        let name = name(stage);
        let start = Instant::now();
        println!("... {name}");
        run_stage(stage, &root).with_context(|| format!("stage {name} failed; again with `cargo xtask ci --only {name}`"))?;
        println!("ok  {name:<10} {:7.1} s", start.elapsed().as_secs_f64());
    }
    println!("ok  {:<10} {:7.1} s", "all", begin.elapsed().as_secs_f64());
    Ok(())
}

fn chosen(args: &CiArgs) -> Vec<Stage> {
    let wanted = |stage: &Stage| args.only.is_empty() || args.only.contains(stage);
    let asked_for = |stage: &Stage| match stage {
        Stage::Asan => args.asan,
        Stage::Gpu => args.gpu,
        _ => true,
    };
    ORDER.into_iter().filter(wanted).filter(asked_for).collect()
}

fn name(stage: Stage) -> String {
    stage.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn run_stage(stage: Stage, root: &Path) -> Result<()> {
    match stage {
        Stage::Fmt => cargo(root, &["fmt", "--all", "--check"], &[]),
        Stage::Tidy => tidy::check(root),
        Stage::BurnFree => burn_free::check(root),
        // All three of clippy, test and doc use the release profile. Clippy and doc then share one checked burn, and the tests build the
        // only compiled one, which the benches and users' builds use as well.
        Stage::Clippy => cargo(root, &["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"], &[]),
        Stage::Test => {
            let command = test_command::read(root)?;
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            cargo(root, &words, &[])
        }
        Stage::Doc => cargo(root, &["doc", "--workspace", "--no-deps", "--release"], &[("RUSTDOCFLAGS", "-D warnings")]),
        // The flag is not a stable one, though the runtime comes with every toolchain: the compiler is told to take it all the same. Another set of flags has a
        // folder of its own, or all else would be built anew each time.
        Stage::Asan => cargo(
            root,
            &["test", "--release", "--package", "kolmo-codec", "--lib", "--target", ASAN_TARGET, "--target-dir", "target/asan"],
            &[("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zsanitizer=address")],
        ),
        Stage::Gpu => gpu::check(root),
    }
}

/// Runs cargo with its output going where ours goes.
fn cargo(root: &Path, args: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    let mut command = workspace::cargo(root);
    command.args(args).envs(variables.iter().copied());
    succeed(&mut command)
}

fn succeed(command: &mut Command) -> Result<()> {
    let name = child::describe(command);
    let status = command.status().with_context(|| format!("`{name}` cannot be started"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_run_in_order_and_long_ones_only_when_asked_for() {
        let args = |asan: bool, gpu: bool, only: &[Stage]| CiArgs { gpu, asan, only: only.to_vec() };
        assert_eq!(chosen(&args(false, false, &[])), ORDER[..6]);
        assert_eq!(chosen(&args(true, true, &[])), ORDER);
        assert_eq!(chosen(&args(true, false, &[])), ORDER[..7]);
        assert_eq!(chosen(&args(false, false, &[Stage::Doc, Stage::Fmt])), [Stage::Fmt, Stage::Doc]);
        assert_eq!(chosen(&args(false, true, &[Stage::Gpu])), [Stage::Gpu]);
        assert!(chosen(&args(false, false, &[Stage::Gpu, Stage::Asan])).is_empty());
    }

    #[test]
    fn stages_are_called_by_their_command_line_names() {
        assert_eq!(ORDER.map(name), ["fmt", "tidy", "burn-free", "clippy", "test", "doc", "asan", "gpu"]);
    }
}
