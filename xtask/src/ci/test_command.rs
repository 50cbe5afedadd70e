//! The test command, as the README tells it to people: CI runs that one, so the two cannot part.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Stands on a line of its own in README.md; the fenced block after it holds one command.
const MARKER: &str = "<!-- ci:test -->";

/// Arguments for cargo of the README's test command.
///
/// # Errors
/// If README.md, its marker, or exactly one `cargo test` command after it is missing.
pub(crate) fn read(root: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("README.md")).context("README.md cannot be read")?;
    parse(&text)
}

/// The same from the README's text.
///
/// # Errors
/// If the marker, or exactly one `cargo test` command after it is missing.
pub(crate) fn parse(readme: &str) -> Result<Vec<String>> {
    let mut lines = readme.lines().map(str::trim).skip_while(|line| *line != MARKER).skip(1).skip_while(|line| line.is_empty());
    if !lines.next().is_some_and(|line| line.starts_with("```")) {
        bail!("README.md needs a line `{MARKER}`, and after it a fenced block with the test command");
    }
    let block: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let [command] = block[..] else {
        bail!("README.md: the block after `{MARKER}` has to hold one command, not {}", block.len());
    };
    let words: Vec<&str> = command.split_whitespace().collect();
    let ["cargo", rest @ ..] = &words[..] else {
        bail!("README.md: `{command}` is no cargo command");
    };
    if rest.first() != Some(&"test") || rest.iter().any(|word| word.contains(['"', '\'', '$', ';', '&', '|', '>', '\\'])) {
        bail!("README.md: `{command}` has to be a plain `cargo test` without quotes or shell signs, since no shell runs it");
    }
    Ok(rest.iter().map(|word| (*word).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_block_is_the_command() {
        let readme = "# x\n```sh\ncargo build\n```\n<!-- ci:test -->\n\n```sh\n# everything\ncargo test --release --workspace\n```\n";
        assert_eq!(parse(readme).unwrap(), ["test", "--release", "--workspace"]);
    }

    #[test]
    fn anything_else_says_what_is_missing() {
        let block = |inner: &str| format!("<!-- ci:test -->\n```sh\n{inner}\n```\n");
        for (readme, says) in [
            ("# x\n```sh\ncargo test\n```\n".to_owned(), "needs a line"),
            ("<!-- ci:test -->\ncargo test\n".to_owned(), "needs a line"),
            (block(""), "not 0"),
            (block("cargo test\ncargo fmt"), "not 2"),
            (block("make test"), "no cargo command"),
            (block("cargo build"), "plain `cargo test`"),
            (block("cargo test && rm x"), "plain `cargo test`"),
        ] {
            let error = parse(&readme).unwrap_err().to_string();
            assert!(error.contains(says), "{readme:?}: {error}");
        }
    }
}
