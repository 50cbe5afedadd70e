//! The files of a dataset as they were listed: what finds each of them, most of it aside where there are many.

use std::path::{Path, PathBuf};

use kolmo_codec::names::check_path;
use kolmo_data::source::{self, Found};

use crate::error::Error;
use crate::pages::{Aside, Pages};
use crate::sorted::Unsorted;
use crate::work::Crew;

/// Bytes of paths, and of what else is known of listed files, that are in memory at most.
const TEXT_BYTES: u64 = 8 << 20;
const PLACE_BYTES: u64 = 4 << 20;

/// Bytes of a place: where a path ends and the size of its file.
const PLACE: usize = 16;

/// Paths of files below one root, numbered in the order of an archive.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    /// The root is a file itself, the only one.
    alone: bool,
    aside: Aside,
    /// All paths, one after another.
    texts: Pages,
    /// A place for each.
    places: Pages,
    count: usize,
    /// Of all files when they were listed.
    bytes: u64,
}

impl Files {
    fn below(root: &Path, alone: bool, aside: &Aside) -> Self {
        let (texts, places) = (aside.pages(TEXT_BYTES), aside.pages(PLACE_BYTES));
        Self { root: root.to_path_buf(), alone, aside: aside.clone(), texts, places, count: 0, bytes: 0 }
    }

    /// Where a path ends, and the size of its file.
    fn place(&self, number: usize) -> Result<(u64, u64), Error> {
        let mut place = [0; PLACE];
        self.places.read((number * PLACE) as u64, &mut place)?;
        let (end, size) = place.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        Ok((word(end), word(size)))
    }

    /// The archive path of a file.
    pub(crate) fn path(&self, number: usize) -> Result<String, Error> {
        let begin = if number == 0 { 0 } else { self.place(number - 1)?.0 };
        let mut path = vec![0; (self.place(number)?.0 - begin) as usize];
        self.texts.read(begin, &mut path)?;
        // Never changed: it was UTF-8 when it was put there.
        Ok(String::from_utf8_lossy(&path).into_owned())
    }

    /// Where a file is.
    pub(crate) fn file(&self, number: usize) -> Result<PathBuf, Error> {
        Ok(self.file_of(&self.path(number)?))
    }

    /// The same by its archive path.
    pub(crate) fn file_of(&self, path: &str) -> PathBuf {
        let mut file = self.root.clone();
        if !self.alone {
            file.extend(path.split('/'));
        }
        file
    }

    /// Bytes of a file when it was listed.
    pub(crate) fn size(&self, number: usize) -> Result<u64, Error> {
        Ok(self.place(number)?.1)
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Bytes of all paths.
    pub(crate) fn path_bytes(&self) -> u64 {
        self.texts.bytes()
    }

    /// Bytes of all files when they were listed.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where what is known of the files goes.
    pub(crate) const fn aside(&self) -> &Aside {
        &self.aside
    }

    fn push(&mut self, path: &str, size: u64) -> Result<(), Error> {
        let end = self.texts.append(path.as_bytes())? + path.len() as u64;
        let mut place = [0; PLACE];
        place[..8].copy_from_slice(&end.to_le_bytes());
        place[8..].copy_from_slice(&size.to_le_bytes());
        self.places.append(&place)?;
        self.count += 1;
        self.bytes += size;
        Ok(())
    }

    /// The first of every `step` files.
    pub(crate) fn every(&self, step: usize) -> Result<Self, Error> {
        let mut some = Self::below(&self.root, self.alone, &self.aside);
        for number in (0..self.count).step_by(step) {
            some.push(&self.path(number)?, self.size(number)?)?;
        }
        Ok(some)
    }
}

/// Lists the files to compress: all but `ours`, our own output and its temporary neighbour, should they lie in the same folder.
pub(crate) fn list(input: &Path, ours: &[&Path], aside: &Aside, crew: &mut Crew<'_>) -> Result<Files, Error> {
    let ours: Vec<PathBuf> = ours.iter().filter_map(|ours| ours.canonicalize().ok()).collect();
    let is_ours = |file: &Path| ours.iter().any(|ours| file.file_name() == ours.file_name() && file.canonicalize().ok().as_ref() == Some(ours));
    let (mut unsorted, mut skipped, mut empty_dirs) = (Unsorted::new(aside), Vec::new(), Vec::new());
    let mut seen = 0u64;
    source::walk(input, |found| {
        seen += 1;
        if seen.is_multiple_of(1024) {
            crew.check()?;
        }
        match found {
            Found::File(entry) if is_ours(&entry.file) => {}
            Found::File(entry) => unsorted.push(&entry.path, entry.bytes)?,
            Found::Skipped(path, reason) => skipped.push((path, reason)),
            Found::EmptyDir(path) => empty_dirs.push(path),
        }
        Ok::<(), Error>(())
    })?;
    skipped.sort();
    for (path, reason) in skipped {
        crew.note(format!("{path} is left out: {reason}"));
    }
    if let Some(first) = empty_dirs.iter().min() {
        crew.note(format!("{} empty folder(s) are not archived, e.g. {first}", empty_dirs.len()));
    }
    let mut files = Files::below(input, !input.is_dir(), aside);
    unsorted.each(|path, bytes| {
        check_path(path).map_err(|source| Error::Name { path: files.file_of(path), source })?;
        files.push(path, bytes)
    })?;
    if files.len() == 0 {
        return Err(kolmo_data::Error::EmptyFolder { path: input.to_path_buf() }.into());
    }
    if let Some((a, b)) = source::case_collision(files.len(), |number| files.path(number))? {
        let (a, b) = (files.path(a)?, files.path(b)?);
        crew.note(format!("{a} and {b} differ in case only: the archive cannot be expanded where case does not count"));
    }
    Ok(files)
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
        let aside = tempfile::tempdir().unwrap();
        let aside = Aside::new(aside.path(), 0);
        let files = list(folder.path(), &[], &aside, crew).unwrap();
        assert_eq!((files.len(), files.bytes(), files.path_bytes()), (4, 19, 19));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(files.path(number).unwrap(), *name);
            assert_eq!(std::fs::read(files.file(number).unwrap()).unwrap(), name.as_bytes());
            assert_eq!(files.size(number).unwrap(), name.len() as u64);
        }
        let some = files.every(3).unwrap();
        assert_eq!((some.path(0).unwrap().as_str(), some.path(1).unwrap().as_str(), some.len(), some.bytes()), ("a.txt", "z", 2, 6));
        assert!(some.path(2).is_err());
        let one = list(&folder.path().join("b/d"), &[], &aside, crew).unwrap();
        assert_eq!((one.path(0).unwrap().as_str(), one.file(0).unwrap()), ("d", folder.path().join("b/d")));
    }
}
