//! Fingerprints of files and of folders.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use sha2::Digest as _;

/// A digest as the catalogue writes it: `sha256:<hex>` or `blake3:<hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256, what data sets publish.
    Sha256([u8; 32]),
    /// BLAKE3.
    Blake3([u8; 32]),
}

impl Digest {
    /// Digest of a file, of the same kind as `self`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn of_same_kind(&self, path: &Path) -> Result<Self> {
        match self {
            Self::Sha256(_) => sha256(path),
            Self::Blake3(_) => {
                let mut hasher = blake3::Hasher::new();
                each_chunk(path, |chunk| {
                    hasher.update(chunk);
                })?;
                Ok(Self::Blake3(*hasher.finalize().as_bytes()))
            }
        }
    }
}

/// SHA-256 of a file.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<Digest> {
    let mut hasher = sha2::Sha256::new();
    each_chunk(path, |chunk| hasher.update(chunk))?;
    Ok(Digest::Sha256(hasher.finalize().into()))
}

fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = reader.read(&mut chunk).with_context(|| format!("{} cannot be read", path.display()))?;
        if count == 0 {
            return Ok(());
        }
        take(&chunk[..count]);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::Blake3(bytes) => ("blake3", bytes),
        };
        write!(out, "{kind}:")?;
        bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, hex) = text.split_once(':').with_context(|| format!("digest `{text}` names no kind (sha256: or blake3:)"))?;
        if hex.len() != 64 || !hex.is_ascii() {
            bail!("digest `{text}` has not 64 hex digits");
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).with_context(|| format!("digest `{text}` is not hex"))?;
        }
        match kind {
            "sha256" => Ok(Self::Sha256(bytes)),
            "blake3" => Ok(Self::Blake3(bytes)),
            _ => bail!("digest kind `{kind}` is not known (sha256, blake3)"),
        }
    }
}

/// Paths of all files below a folder, relative, `/` between their parts, sorted by bytes. Symbolic links are not followed.
///
/// # Errors
/// If a folder cannot be read or a name is no UTF-8.
pub(crate) fn paths(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        for entry in std::fs::read_dir(&path).with_context(|| format!("{} cannot be read", path.display()))? {
            let entry = entry.with_context(|| format!("{} cannot be read", path.display()))?;
            let name = entry.file_name().into_string().map_err(|name| anyhow::anyhow!("{}: no UTF-8 name", name.display()))?;
            let kind = entry.file_type().with_context(|| format!("{} cannot be read", entry.path().display()))?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{prefix}{name}/")));
            } else if kind.is_file() {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Fingerprint of a folder: BLAKE3 over each file's path, length and content in the order of [`paths`].
///
/// # Errors
/// If anything cannot be read.
pub(crate) fn folder(folder: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in paths(folder)? {
        let content = std::fs::read(folder.join(&path)).with_context(|| format!("{path} cannot be read"))?;
        // Lengths before contents: no two folders can feed the same bytes.
        hasher.update(&(path.len() as u64).to_le_bytes()).update(path.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes()).update(&content);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_and_written() {
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(sha256(&file).unwrap().to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), sha256(&file).unwrap());
        let other = Digest::Blake3([0; 32]).of_same_kind(&file).unwrap();
        assert_eq!(other.to_string(), format!("blake3:{}", blake3::hash(b"abc").to_hex()));
    }

    #[test]
    fn odd_digests_are_refused() {
        for text in ["", "ba78", "sha256:ba78", "md5:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(format!("sha256:{}", "zz".repeat(32)).parse::<Digest>().is_err());
    }

    #[test]
    fn folders_are_told_apart_by_name_and_content() {
        let make = |files: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            for (path, content) in files {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            super::folder(folder.path()).unwrap()
        };
        let one = make(&[("a", "x"), ("b/c", "y")]);
        assert_eq!(one, make(&[("b/c", "y"), ("a", "x")]));
        assert_ne!(one, make(&[("a", "x"), ("b/d", "y")]));
        assert_ne!(one, make(&[("a", "xy"), ("b/c", "")]));
    }
}
