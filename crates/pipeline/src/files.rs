//! The files of a dataset as they were listed: what finds each of them, most of it aside where there are many.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kolmo_codec::container::Cut;
use kolmo_codec::names::check_path;
use kolmo_data::frames::{self, Part};
use kolmo_data::source::{self, Found};

use crate::error::Error;
use crate::origin::{Origin, Section};
use crate::pages::{Aside, Pages};
use crate::sorted::Unsorted;
use crate::work::Crew;

/// Bytes of paths, and of what else is known of listed files, that are in memory at most.
const TEXT_BYTES: u64 = 8 << 20;
const PLACE_BYTES: u64 = 4 << 20;

/// Bytes of a place: where a path ends and the size of its file.
const PLACE: usize = 16;

/// Items of one file at most, if it is cut.
const MOST_PARTS: u64 = 1 << 24;

/// Paths of files below one root, numbered in the order of an archive. A file that holds many images stands for a folder of its parts, each an item.
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
    /// The parts of files that are cut, by the path of the file.
    parts: Arc<BTreeMap<String, Vec<Part>>>,
    /// Which items these are, in order.
    cuts: Vec<Cut>,
}

impl Files {
    fn below(root: &Path, alone: bool, aside: &Aside) -> Self {
        let (texts, places) = (aside.pages(TEXT_BYTES), aside.pages(PLACE_BYTES));
        Self { root: root.to_path_buf(), alone, aside: aside.clone(), texts, places, count: 0, bytes: 0, parts: Arc::default(), cuts: vec![] }
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

    /// Where the bytes of an item are.
    pub(crate) fn origin(&self, number: usize) -> Result<Origin, Error> {
        Ok(self.origin_of(&self.path(number)?))
    }

    /// The same by its archive path.
    pub(crate) fn origin_of(&self, path: &str) -> Origin {
        // Nothing else lies below a file.
        match path.rsplit_once('/').and_then(|(file, part)| Some((file, self.parts.get(file)?, part))) {
            Some((file, parts, part)) => Origin { file: self.file_of(file), section: part.parse().ok().and_then(|part| Section::of(parts, part)) },
            None => Origin::whole(self.file_of(path)),
        }
    }

    /// Where a file is, by its archive path.
    fn file_of(&self, path: &str) -> PathBuf {
        let mut file = self.root.clone();
        if !self.alone {
            file.extend(path.split('/'));
        }
        file
    }

    /// How many files there are, each that is cut counted once.
    pub(crate) fn whole_count(&self) -> usize {
        self.count - self.cuts.iter().map(|cut| cut.count as usize - 1).sum::<usize>()
    }

    /// The items of files that are cut, in order.
    pub(crate) fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// Whether an item is a part of a file.
    pub(crate) fn is_part(&self, number: usize) -> bool {
        let at = self.cuts.partition_point(|cut| cut.end() as usize <= number);
        self.cuts.get(at).is_some_and(|cut| cut.first as usize <= number)
    }

    /// Refuses files that are cut and have another length now than when they were listed: their parts would not make them up.
    pub(crate) fn check_lengths(&self) -> Result<(), Error> {
        for (path, parts) in self.parts.iter() {
            let file = self.file_of(path);
            let length = std::fs::metadata(&file).map_err(Error::io("read", &file))?.len();
            if length != parts.iter().map(Part::bytes).sum::<u64>() {
                return Err(Error::Changed { path: file });
            }
        }
        Ok(())
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
        if let Some((file, _)) = path.rsplit_once('/')
            && self.parts.contains_key(file)
        {
            // All that lies below a file is its parts, and they come one after another.
            let before = self.count.checked_sub(1).map(|before| self.path(before)).transpose()?;
            let goes_on = before.as_deref().and_then(|before| before.rsplit_once('/')).is_some_and(|(before, _)| before == file);
            match self.cuts.last_mut() {
                Some(cut) if goes_on => cut.count += 1,
                _ => self.cuts.push(Cut { first: self.count as u32, count: 1 }),
            }
        }
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
        let mut some = Self { parts: self.parts.clone(), ..Self::below(&self.root, self.alone, &self.aside) };
        for number in (0..self.count).step_by(step) {
            some.push(&self.path(number)?, self.size(number)?)?;
        }
        Ok(some)
    }
}

/// Lists the files to compress: all but `ours`, our own output and its temporary neighbour, should they lie in the same folder. If asked to, files that hold many
/// images are `cut` into them.
pub(crate) fn list(input: &Path, ours: &[&Path], cut: bool, aside: &Aside, crew: &mut Crew<'_>) -> Result<Files, Error> {
    let ours: Vec<PathBuf> = ours.iter().filter_map(|ours| ours.canonicalize().ok()).collect();
    let is_ours = |file: &Path| ours.iter().any(|ours| file.file_name() == ours.file_name() && file.canonicalize().ok().as_ref() == Some(ours));
    let (mut unsorted, mut skipped, mut empty_dirs) = (Unsorted::new(aside), Vec::new(), Vec::new());
    let mut cut_files = BTreeMap::new();
    let mut seen = 0u64;
    source::walk(input, |found| {
        seen += 1;
        if seen.is_multiple_of(1024) {
            crew.check()?;
        }
        match found {
            Found::File(entry) if is_ours(&entry.file) => {}
            Found::File(entry) => match if cut { parts(&entry) } else { None } {
                Some(parts) => {
                    for (path, bytes) in part_paths(&entry.path, &parts) {
                        unsorted.push(&path, bytes)?;
                    }
                    cut_files.insert(entry.path, parts);
                }
                None => unsorted.push(&entry.path, entry.bytes)?,
            },
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
    let mut files = Files { parts: Arc::new(cut_files), ..Files::below(input, !input.is_dir(), aside) };
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

/// The parts of a file that holds many images. What cannot be read is told when it is read as a whole.
fn parts(entry: &source::Entry) -> Option<Vec<Part>> {
    let parts = frames::parts(&mut std::fs::File::open(&entry.file).ok()?, entry.bytes)?;
    let count = parts.iter().map(Part::count).fold(0, u64::saturating_add);
    (count <= MOST_PARTS).then_some(parts)
}

/// Paths and sizes of the parts of the file `path`: numbers below it, of equal length, so that they stand in order.
fn part_paths<'a>(path: &'a str, parts: &'a [Part]) -> impl Iterator<Item = (String, u64)> + 'a {
    let count: u64 = parts.iter().map(Part::count).sum();
    let digits = count.saturating_sub(1).max(1).ilog10() as usize + 1;
    let sizes = parts.iter().flat_map(|part| std::iter::repeat_n(part.bytes() / part.count(), part.count() as usize));
    sizes.enumerate().map(move |(number, bytes)| (format!("{path}/{number:0digits$}"), bytes))
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
        let files = list(folder.path(), &[], true, &aside, crew).unwrap();
        assert_eq!((files.len(), files.bytes(), files.path_bytes()), (4, 19, 19));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(files.path(number).unwrap(), *name);
            assert_eq!(files.origin(number).unwrap().read_all().unwrap(), name.as_bytes());
            assert_eq!(files.size(number).unwrap(), name.len() as u64);
        }
        let some = files.every(3).unwrap();
        assert_eq!((some.path(0).unwrap().as_str(), some.path(1).unwrap().as_str(), some.len(), some.bytes()), ("a.txt", "z", 2, 6));
        assert!(some.path(2).is_err());
        assert!(!some.is_part(0));
        let one = list(&folder.path().join("b/d"), &[], true, &aside, crew).unwrap();
        assert_eq!((one.path(0).unwrap().as_str(), one.origin(0).unwrap()), ("d", Origin::whole(folder.path().join("b/d"))));
    }

    #[test]
    fn a_file_of_images_is_a_folder_of_its_parts_and_must_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let array = [&[0, 0, 8, 3, 0, 0, 0, 11, 0, 0, 0, 20, 0, 0, 0, 20][..], &(0..4400).map(|at| (at % 20) as u8).collect::<Vec<u8>>()].concat();
        std::fs::write(folder.path().join("b"), &array).unwrap();
        // Sorts before what lies below `b`, though after `b` itself.
        std::fs::write(folder.path().join("b-"), b"between").unwrap();
        let (stop, mut observer) = (StopFlag::default(), Silent);
        let crew = &mut Crew::new(1, &stop, &mut observer).unwrap();
        let aside = tempfile::tempdir().unwrap();
        let aside = Aside::new(aside.path(), 0);
        let files = list(folder.path(), &[], true, &aside, crew).unwrap();
        assert_eq!((files.len(), files.whole_count(), files.cuts()), (13, 2, &[Cut { first: 1, count: 12 }][..]));
        assert_eq!([0, 1, 12].map(|number| files.is_part(number)), [false, true, true]);
        assert_eq!((files.path(1).unwrap().as_str(), files.path(12).unwrap().as_str(), files.size(12).unwrap()), ("b/00", "b/11", 400));
        let whole: Vec<u8> = (1..13).flat_map(|number| files.origin(number).unwrap().read_all().unwrap()).collect();
        assert!(whole == array);
        let some = files.every(5).unwrap();
        assert_eq!((some.len(), some.whole_count()), (3, 2));
        files.check_lengths().unwrap();
        std::fs::write(folder.path().join("b"), &array[1..]).unwrap();
        assert!(matches!(files.check_lengths(), Err(Error::Changed { .. })));
        let left_whole = list(folder.path(), &[], false, &aside, crew).unwrap();
        assert_eq!((left_whole.len(), left_whole.cuts().len()), (2, 0));
    }
}
