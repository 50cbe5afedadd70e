//! A room to play in: `set` is the data, other names are free. It goes away by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kolmo::observe::Silent;
use kolmo::options::{CompressOptions, ExpandOptions, LearnOptions};
use kolmo::summary::{CompressSummary, VerifySummary};
use tempfile::TempDir;

pub(crate) struct Room {
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(room.at("set")).expect("set");
        room
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn set(&self) -> PathBuf {
        self.at("set")
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.set(), name, bytes);
    }

    /// Compresses the set to `archive`.
    pub(crate) fn compress(&self, archive: &str, options: &CompressOptions) -> CompressSummary {
        kolmo::compress(&self.set(), &self.at(archive), options, &mut Silent).expect("a set can be compressed")
    }

    /// Expands `archive` to `output`.
    pub(crate) fn expand(&self, archive: &str, output: &str) -> BTreeMap<String, Vec<u8>> {
        kolmo::expand(&self.at(archive), &self.at(output), &ExpandOptions::default(), &mut Silent).expect("an archive expands");
        files(&self.at(output))
    }

    pub(crate) fn verify(&self, archive: &str) -> VerifySummary {
        kolmo::verify(&self.at(archive), Some(&self.set()), &ExpandOptions::default(), &mut Silent).expect("an archive can be verified")
    }

    /// Compresses, expands, and expects every file back byte for byte.
    #[track_caller]
    pub(crate) fn there_and_back(&self, options: &CompressOptions) -> CompressSummary {
        let summary = self.compress("x.kolmo", options);
        let (before, after) = (files(&self.set()), self.expand("x.kolmo", "out"));
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        for (path, bytes) in &before {
            assert!(*bytes == after[path], "{path} came back with other bytes");
        }
        assert_eq!(summary.verified_files, before.len() as u64);
        assert_eq!(summary.sizes.total, fs::metadata(self.at("x.kolmo")).expect("the archive").len());
        let parts = &summary.sizes;
        assert_eq!(parts.total, parts.frame + parts.programs + parts.payload + parts.index + parts.recipes + parts.general);
        let verified = self.verify("x.kolmo");
        assert!(verified.differences.is_empty(), "{:?}", verified.differences);
        fs::remove_dir_all(self.at("out")).expect("out");
        summary
    }
}

/// Learns for a second or two.
pub(crate) fn quick() -> LearnOptions {
    LearnOptions { effort: 1, priors: false, ..LearnOptions::default() }
}

/// Learns quickly.
pub(crate) fn learning() -> CompressOptions {
    CompressOptions { learn: Some(quick()), ..CompressOptions::default() }
}

/// Learns nothing and is given nothing.
pub(crate) fn general() -> CompressOptions {
    CompressOptions { learn: None, ..CompressOptions::default() }
}

/// Is given the Programs of a file.
pub(crate) fn given(program: &Path) -> CompressOptions {
    CompressOptions { program: Some(program.to_owned()), ..general() }
}

/// Writes a file below `folder`.
pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, bytes).expect("a file");
}

/// Every file below `folder`, by its path with `/`.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{prefix}{}", entry.file_name().into_string().expect("UTF-8"));
            if entry.file_type().expect("a type").is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else {
                found.insert(name, fs::read(entry.path()).expect("a file"));
            }
        }
    }
    found
}

/// What zstd makes of all files together: the archive that holds nothing but them.
pub(crate) fn by_zstd(folder: &Path) -> u64 {
    let all: Vec<u8> = files(folder).into_values().flatten().collect();
    kolmo_codec::general::encode(&all).expect("zstd has memory").1.len() as u64
}
