//! House rules that no other tool checks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::test_command;
use crate::workspace;

/// Files longer than this hold more than one noun.
const MAX_LINES: usize = 600;
/// Larger files are data, not text that people wrote.
const MAX_TEXT_BYTES: u64 = 4 << 20;
/// Files that a reader of the repository may count on.
const REQUIRED: [&str; 8] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "Cargo.lock",
    "rust-toolchain.toml",
    "benches/README.md",
    "crates/codec/FORMAT.md",
];
/// Names that tell nobody where to look.
const NAMELESS: [&str; 4] = ["common.rs", "structs.rs", "utils.rs", "helpers.rs"];
/// Beginnings of paths that exist on one machine only. Written in halves, or this file would find itself.
const MACHINE_PATHS: [&str; 5] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/t", "mp/"), concat!("/ho", "me/"), concat!("C:\\Us", "ers\\")];
/// Macros that stand for work not done.
const UNDONE: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];
/// The only place packages come from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Which crates each of ours may name: the doors of the house.
const DOORS: [(&str, &[&str]); 7] = [
    ("kolmo-data", &[]),
    ("kolmo-codec", &[]),
    ("kolmo-model", &["kolmo-codec"]),
    ("kolmo-verify", &["kolmo-codec", "kolmo-data"]),
    ("kolmo", &["kolmo-codec", "kolmo-data", "kolmo-model", "kolmo-verify"]),
    ("kolmo-cli", &["kolmo"]),
    ("xtask", &[]),
];

/// Checks all files that are or could be committed.
///
/// # Errors
/// Lists every finding.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    for path in workspace::files(root)? {
        let file = root.join(&path);
        let bytes = std::fs::metadata(&file).with_context(|| format!("{path} cannot be read"))?.len();
        let content = if bytes > MAX_TEXT_BYTES { Vec::new() } else { std::fs::read(&file).with_context(|| format!("{path} cannot be read"))? };
        files.insert(path, String::from_utf8(content).unwrap_or_default());
    }
    let findings = findings(&files);
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "));
}

/// Findings in a tree of `path → text` (empty for files that are no text), in the order of paths.
fn findings(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut found: Vec<String> = REQUIRED.iter().filter(|path| !files.contains_key(**path)).map(|path| format!("{path}: missing")).collect();
    if let Some(Err(error)) = files.get("README.md").map(|text| test_command::parse(text)) {
        found.push(format!("{error:#}"));
    }
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let source = path.ends_with(".rs") && (path.starts_with("xtask/src/") || (path.starts_with("crates/") && path.contains("/src/")));
        if source {
            let lines = text.lines().count();
            if lines > MAX_LINES {
                found.push(format!("{path}: {lines} lines, {MAX_LINES} at most; two nouns in one file are two files"));
            }
            if NAMELESS.contains(&name) {
                found.push(format!("{path}: name it after a noun of the domain"));
            }
        }
        if path.ends_with(".rs") {
            found.extend(lines_with(path, text, &UNDONE, |_, _| true));
        }
        if name == "Cargo.lock" {
            found.extend(foreign_sources(path, text));
        } else {
            found.extend(lines_with(path, text, &MACHINE_PATHS, starts_a_path));
        }
        if name == "Cargo.toml" && (path.starts_with("crates/") || path.starts_with("xtask/")) {
            found.extend(manifest_findings(path, text));
        }
        if path.starts_with("crates/") && path.ends_with("/src/lib.rs") {
            found.extend(front_page_findings(path, text));
        }
    }
    found
}

/// Lines that hold one of the words where `counts(line, position)`.
fn lines_with(path: &str, text: &str, words: &[&str], counts: impl Fn(&str, usize) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in words {
            if line.match_indices(word).any(|(position, _)| counts(line, position)) {
                found.push(format!("{path}:{}: `{word}`", number + 1));
            }
        }
    }
    found
}

/// Whether a path starts at that byte: what stands before it is no part of a longer path, a URL or a variable.
fn starts_a_path(line: &str, position: usize) -> bool {
    let before = line.get(..position).and_then(|before| before.chars().next_back());
    !before.is_some_and(|before| before.is_alphanumeric() || "./_-~}*".contains(before))
}

/// Packages of a lock file that come from anywhere else.
fn foreign_sources(path: &str, lock: &str) -> Vec<String> {
    let sources = lock.lines().enumerate().filter_map(|(number, line)| Some((number, line.strip_prefix("source = ")?.trim_matches('"'))));
    sources.filter(|(_, source)| *source != SOURCE).map(|(number, source)| format!("{path}:{}: source {source}", number + 1)).collect()
}

/// A member inherits the lints and keeps to its doors.
fn manifest_findings(path: &str, text: &str) -> Vec<String> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let mut found = Vec::new();
    if manifest.contains_key("workspace") {
        return found; // A workspace of its own, such as a fuzz crate.
    }
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    if inherits != Some(true) {
        found.push(format!("{path}: needs `[lints] workspace = true`"));
    }
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str).unwrap_or_default();
    let Some((_, doors)) = DOORS.iter().find(|(member, _)| *member == name) else {
        found.push(format!("{path}: `{name}` has no doors yet; a new crate comes alone, with its reason"));
        return found;
    };
    let named = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    for neighbour in named.filter(|neighbour| DOORS.iter().any(|(member, _)| member == neighbour)) {
        if !doors.contains(&neighbour.as_str()) {
            found.push(format!("{path}: there is no door from {name} to {neighbour}"));
        }
    }
    found
}

/// A crate opens with what it is for and an example that is tested.
fn front_page_findings(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") && !text.contains("#![doc = include_str!(") {
        found.push(format!("{path}: opens with a `//!` page"));
    }
    let fences = ["```", "```rust", "```no_run"];
    let example = text.lines().filter_map(|line| line.strip_prefix("//!")).any(|line| fences.contains(&line.trim()));
    if !example && !text.contains("#![doc = include_str!(") {
        found.push(format!("{path}: has no doctested example"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"kolmo-data\"\n[lints]\nworkspace = true\n";

    /// A tree without findings.
    fn tidy_tree() -> BTreeMap<String, String> {
        let mut files: BTreeMap<String, String> = REQUIRED.iter().map(|path| ((*path).to_owned(), String::new())).collect();
        files.insert("README.md".into(), "<!-- ci:test -->\n```sh\ncargo test --release --workspace\n```\n".into());
        files.insert("crates/data/Cargo.toml".into(), MANIFEST.into());
        files.insert("crates/data/src/lib.rs".into(), "//! Data.\n//!\n//! ```\n//! assert!(true);\n//! ```\n".into());
        files
    }

    /// What is found when one file of the tidy tree is another.
    fn found_with(path: &str, text: &str) -> Vec<String> {
        let mut files = tidy_tree();
        files.insert(path.to_owned(), text.to_owned());
        findings(&files)
    }

    #[test]
    fn a_tidy_tree_has_no_findings() {
        assert_eq!(findings(&tidy_tree()), Vec::<String>::new());
    }

    #[test]
    fn each_rule_is_found_and_named() {
        let long = "// x\n".repeat(MAX_LINES + 1);
        let path = format!("//! see {}here\n", MACHINE_PATHS[1]);
        let undone = format!("fn f() {{\n    {})\n}}\n", UNDONE[0]);
        for (file, text, says) in [
            ("crates/data/src/open.rs", long.as_str(), "601 lines"),
            ("xtask/src/ci.rs", long.as_str(), "601 lines"),
            ("crates/data/src/utils.rs", "", "noun of the domain"),
            ("docs/guide.md", path.as_str(), "docs/guide.md:1"),
            ("tests/roundtrip.rs", undone.as_str(), "tests/roundtrip.rs:2"),
            ("Cargo.lock", "source = \"registry+https://mirror.example/index\"\n", "Cargo.lock:1: source"),
            ("crates/data/Cargo.toml", "[package]\nname = \"kolmo-data\"\n", "needs `[lints] workspace = true`"),
            ("crates/data/Cargo.toml", "[package\n", "crates/data/Cargo.toml"),
            ("crates/new/Cargo.toml", "[package]\nname = \"kolmo-new\"\n[lints]\nworkspace = true\n", "no doors yet"),
            ("crates/data/src/lib.rs", "pub mod x;\n", "opens with a"),
            ("crates/data/src/lib.rs", "//! Data.\n//! ```text\n//! x\n//! ```ignore\n", "no doctested example"),
            ("README.md", "# kolmo\n", "ci:test"),
        ] {
            let found = found_with(file, text);
            assert!(found.iter().any(|finding| finding.contains(says)), "{file}: {found:?}");
        }
    }

    #[test]
    fn doors_are_kept() {
        let wrong = format!("{MANIFEST}[dependencies]\nkolmo-codec.workspace = true\nserde = \"1\"\n");
        assert_eq!(found_with("crates/data/Cargo.toml", &wrong), ["crates/data/Cargo.toml: there is no door from kolmo-data to kolmo-codec"]);
        let right = "[package]\nname = \"kolmo-verify\"\n[dependencies]\nkolmo-codec.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(found_with("crates/verify/Cargo.toml", right), Vec::<String>::new());
    }

    #[test]
    fn missing_files_are_named() {
        let mut files = tidy_tree();
        files.remove("crates/codec/FORMAT.md");
        assert_eq!(findings(&files), ["crates/codec/FORMAT.md: missing"]);
    }

    #[test]
    fn longer_paths_and_addresses_are_no_machine_paths() {
        let path = MACHINE_PATHS[0];
        assert!(starts_a_path(&format!("see {path}x"), 4));
        assert!(starts_a_path(path, 0));
        for before in ["https://example.org", "..", "a/b", "$X_"] {
            assert!(!starts_a_path(&format!("{before}{path}x"), before.len()), "{before}");
        }
    }
}
