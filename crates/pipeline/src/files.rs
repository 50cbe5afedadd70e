//! The files of a dataset as they were listed: what takes least memory a file and still finds each of them.

use std::path::{Path, PathBuf};

use kolmo_codec::names::check_path;
use kolmo_data::source;

use crate::error::Error;
use crate::work::Crew;

/// Paths of files below one root, numbered in the order of an archive. Each is held once, one after another.
#[derive(Debug, Default)]
pub(crate) struct Files {
    root: PathBuf,
    /// The root is a file itself, the only one.
    alone: bool,
    paths: String,
    /// Where each path ends in `paths`.
    ends: Vec<usize>,
}

impl Files {
    /// The archive path of a file; empty if there is none of this number.
    pub(crate) fn path(&self, number: usize) -> &str {
        let begin = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|&end| self.paths.get(begin..end)).unwrap_or("")
    }

    /// Where a file is.
    pub(crate) fn file(&self, number: usize) -> PathBuf {
        let mut file = self.root.clone();
        if !self.alone {
            file.extend(self.path(number).split('/'));
        }
        file
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all paths.
    pub(crate) fn path_bytes(&self) -> u64 {
        self.paths.len() as u64
    }

    fn push(&mut self, path: &str) {
        self.paths.push_str(path);
        self.ends.push(self.paths.len());
    }
}

/// Files, and their sizes when they were listed.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) files: Files,
    /// Bytes, one entry a file.
    pub(crate) sizes: Vec<u64>,
}

impl Listed {
    fn below(root: &Path, alone: bool) -> Self {
        Self { files: Files { root: root.to_path_buf(), alone, ..Files::default() }, sizes: Vec::new() }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// The first of every `step` files.
    pub(crate) fn every(&self, step: usize) -> Self {
        let mut some = Self::below(&self.files.root, self.files.alone);
        for (number, &size) in self.sizes.iter().enumerate().step_by(step) {
            some.files.push(self.files.path(number));
            some.sizes.push(size);
        }
        some
    }
}

/// Lists the files to compress: all but `ours`, our own output and its temporary neighbour, should they lie in the same folder.
pub(crate) fn list(input: &Path, ours: &[&Path], crew: &mut Crew<'_>) -> Result<Listed, Error> {
    let mut listing = source::list(input)?;
    for ours in ours.iter().filter_map(|ours| ours.canonicalize().ok()) {
        let name = ours.file_name();
        listing.entries.retain(|entry| entry.file.file_name() != name || entry.file.canonicalize().ok().as_ref() != Some(&ours));
    }
    for (path, reason) in &listing.skipped {
        crew.note(format!("{path} is left out: {reason}"));
    }
    if let [first, rest @ ..] = &listing.empty_dirs[..] {
        crew.note(format!("{} empty folder(s) are not archived, e.g. {first}", rest.len() + 1));
    }
    if listing.entries.is_empty() {
        return Err(kolmo_data::Error::EmptyFolder { path: input.to_path_buf() }.into());
    }
    let mut listed = Listed::below(input, !input.is_dir());
    for entry in listing.entries {
        check_path(&entry.path).map_err(|source| Error::Name { path: entry.file, source })?;
        listed.files.push(&entry.path);
        listed.sizes.push(entry.bytes);
    }
    let paths: Vec<&str> = (0..listed.files.len()).map(|number| listed.files.path(number)).collect();
    if let Some(&(a, b)) = source::case_collisions(&paths).first() {
        let (a, b) = (paths[a], paths[b]);
        crew.note(format!("{a} and {b} differ in case only: the archive cannot be expanded where case does not count"));
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Silent;
    use crate::options::StopFlag;

    #[test]
    fn every_file_is_found_again_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.txt", "b/c/é.png", "b/d", "z"];
        for name in names {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, name).unwrap();
        }
        let (stop, mut observer) = (StopFlag::default(), Silent);
        let crew = &mut Crew::new(1, &stop, &mut observer).unwrap();
        let listed = list(folder.path(), &[], crew).unwrap();
        assert_eq!((listed.files.len(), listed.bytes(), listed.files.path_bytes()), (4, 19, 19));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(listed.files.path(number), *name);
            assert_eq!(std::fs::read(listed.files.file(number)).unwrap(), name.as_bytes());
        }
        let some = listed.every(3);
        assert_eq!((some.files.path(0), some.files.path(1), some.files.path(2), &some.sizes[..]), ("a.txt", "z", "", &[5, 1][..]));
        let one = list(&folder.path().join("b/d"), &[], crew).unwrap();
        assert_eq!((one.files.path(0), one.files.file(0)), ("d", folder.path().join("b/d")));
    }
}
