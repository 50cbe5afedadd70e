//! Puts paths and other words in order, in bounded memory: parts of them in memory, and these parts one into the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};

use crate::error::Error;
use crate::pages::Aside;

/// Bytes of a part, paths and what belongs to them.
const PART_BYTES: u64 = 24 << 20;

/// Paths with a number each, in no order yet.
#[derive(Debug)]
pub(crate) struct Unsorted {
    aside: Aside,
    part: Part,
    /// Parts that are full, each in order, in a file without a name.
    files: Vec<File>,
}

/// Paths one after another.
#[derive(Debug, Default)]
struct Part {
    text: String,
    /// Where each path begins, its length and its number.
    rows: Vec<(u32, u32, u64)>,
}

impl Part {
    fn bytes(&self) -> u64 {
        self.text.len() as u64 + (self.rows.len() * size_of::<(u32, u32, u64)>()) as u64
    }

    fn push(&mut self, path: &str, number: u64) {
        self.rows.push((self.text.len() as u32, path.len() as u32, number));
        self.text.push_str(path);
    }

    fn path(&self, begin: u32, length: u32) -> &str {
        &self.text[begin as usize..][..length as usize]
    }

    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by(|a, b| self.path(a.0, a.1).cmp(self.path(b.0, b.1)).then(a.2.cmp(&b.2)));
        self.rows = rows;
    }
}

impl Unsorted {
    pub(crate) fn new(aside: &Aside) -> Self {
        Self { aside: aside.clone(), part: Part::default(), files: Vec::new() }
    }

    /// One more path.
    ///
    /// # Errors
    /// `Io` with the folder of temporary files, here and below.
    pub(crate) fn push(&mut self, path: &str, number: u64) -> Result<(), Error> {
        self.part.push(path, number);
        if self.part.bytes() >= self.aside.bytes(PART_BYTES) {
            self.part.sort();
            let file = self.kept().map_err(Error::io("sort the names of the files in a temporary file there", self.aside.folder()))?;
            self.files.push(file);
            self.part.text.clear();
            self.part.rows.clear();
        }
        Ok(())
    }

    /// The part in a file.
    fn kept(&self) -> io::Result<File> {
        let mut out = BufWriter::new(tempfile::tempfile_in(self.aside.folder())?);
        for &(begin, length, number) in &self.part.rows {
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&number.to_le_bytes())?;
            out.write_all(self.part.path(begin, length).as_bytes())?;
        }
        let mut file = out.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Hands out all paths in bytewise order, with their numbers; those that are the same by these.
    pub(crate) fn each(mut self, mut sink: impl FnMut(&str, u64) -> Result<(), Error>) -> Result<(), Error> {
        self.part.sort();
        let failed = || Error::io("read back the names of the files from a temporary file there", self.aside.folder());
        let mut parts: Vec<BufReader<File>> = self.files.into_iter().map(|file| BufReader::with_capacity(1 << 15, file)).collect();
        // The next path of each part. That in memory is the last one.
        let mut rest = self.part.rows.iter().map(|&(begin, length, number)| (self.part.path(begin, length).to_owned(), number));
        let mut next = BinaryHeap::new();
        let memory = parts.len();
        let mut following = |part: usize| if part == memory { Ok(rest.next()) } else { taken(&mut parts[part]) };
        for part in 0..=memory {
            next.extend(following(part).map_err(failed())?.map(|(path, number)| Reverse((path, number, part))));
        }
        while let Some(Reverse((path, number, part))) = next.pop() {
            sink(&path, number)?;
            next.extend(following(part).map_err(failed())?.map(|(path, number)| Reverse((path, number, part))));
        }
        Ok(())
    }
}

/// The next path of a part in a file.
fn taken(input: &mut impl Read) -> io::Result<Option<(String, u64)>> {
    let (mut length, mut number) = ([0; 4], [0; 8]);
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    input.read_exact(&mut number)?;
    let mut path = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut path)?;
    let path = String::from_utf8(path).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Some((path, u64::from_le_bytes(number))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_in_order_from_memory_and_from_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for memory_bytes in [1 << 16, 1 << 30] {
            let mut unsorted = Unsorted::new(&Aside::new(folder.path(), memory_bytes));
            for number in (0..1000u64).map(|n| n * 387 % 1000) {
                unsorted.push(&format!("é/{number:04}"), number).expect("room");
            }
            assert_eq!(unsorted.files.is_empty(), memory_bytes > 1 << 16);
            let mut seen = 0;
            let each = unsorted.each(|path, number| {
                assert_eq!((path, number), (format!("é/{seen:04}").as_str(), seen));
                seen += 1;
                Ok(())
            });
            each.expect("read back");
            assert_eq!(seen, 1000);
        }
        let mut lost = Unsorted::new(&Aside::new(&folder.path().join("missing"), 0));
        let error = lost.push("a", 0).expect_err("no such folder").to_string();
        assert!(error.contains("missing"), "{error}");
    }
}
