//! Expanding never pulls in burn: a promise, so it is proved.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// What expanding is made of.
const FREE: [&str; 3] = ["kolmo-codec", "kolmo-data", "kolmo-verify"];
/// Crates whose names begin like this come with burn.
const FAMILY: [&str; 3] = ["burn", "cubecl", "cubek"];

/// Asks cargo twice: `cargo tree -i burn` has to fail for want of such a package, and the whole tree has to hold no relative of it.
///
/// # Errors
/// Names the crate that pulls burn in, and by which way.
pub(crate) fn check(root: &Path) -> Result<()> {
    for package in FREE {
        let inverse = tree(root, &["-p", package, "-e", "normal", "-i", "burn"])?;
        if !absent(inverse.status, &inverse.stdout, &inverse.stderr) {
            bail!("{package} pulls in burn, or cargo tree cannot tell:\n{}{}", inverse.stdout, inverse.stderr);
        }
        let whole = tree(root, &["-p", package, "-e", "normal", "--prefix", "none"])?;
        if whole.status != Some(0) || !whole.stdout.starts_with(package) {
            bail!("cargo tree -p {package} failed:\n{}{}", whole.stdout, whole.stderr);
        }
        if let Some(relative) = relative(&whole.stdout) {
            bail!("{package} pulls in {relative}, which comes with burn");
        }
    }
    Ok(())
}

struct Answer {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn tree(root: &Path, args: &[&str]) -> Result<Answer> {
    let output = workspace::cargo(root).arg("tree").args(args).output().context("cargo tree cannot be run")?;
    Ok(Answer {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Whether `cargo tree -i burn` said that there is no burn. It says so in two ways: exit 101 and no such package, or, where another
/// feature set of the workspace knows burn, exit 0 and an empty tree.
fn absent(status: Option<i32>, stdout: &str, stderr: &str) -> bool {
    let none = stderr.contains("package ID specification `burn` did not match any packages");
    let empty = stderr.contains("nothing to print");
    stdout.trim().is_empty() && ((status == Some(101) && none) || (status == Some(0) && empty))
}

fn relative(tree: &str) -> Option<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.into_iter().find(|name| FAMILY.iter().any(|family| name.split('-').next() == Some(family)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_counts() {
        let missing = "error: package ID specification `burn` did not match any packages\n";
        assert!(absent(Some(101), "", missing));
        assert!(absent(Some(0), "", "warning: nothing to print.\n"));
        assert!(!absent(Some(0), "burn v0.22.1\n└── kolmo-verify\n", ""));
        // A package that was renamed must not look like a proof.
        assert!(!absent(Some(101), "", "error: package ID specification `kolmo-verify` did not match any packages\n"));
        assert!(!absent(Some(101), "", "error: failed to parse manifest\n"));
        assert!(!absent(None, "", missing));
    }

    #[test]
    fn relatives_are_found_by_name() {
        assert_eq!(relative("kolmo-verify v0.1.0\nburn-tensor v0.22.1\n"), Some("burn-tensor"));
        assert_eq!(relative("kolmo-verify v0.1.0\ncubecl v0.6\n"), Some("cubecl"));
        assert_eq!(relative("kolmo-verify v0.1.0\nburnish v1.0.0\nblake3 v1\n"), None);
    }
}
