//! What is known of millions of files: bytes in pages, those used last in memory, all others in a file without a name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Bytes of a page: little enough to read for one record.
const PAGE_BYTES: usize = 1 << 14;

/// Pages that are in memory at least.
const LEAST_PAGES: u64 = 4;

/// Where pages go that memory has no room for, and how much room there is.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    folder: PathBuf,
    memory_bytes: u64,
}

impl Aside {
    /// In `folder`; `memory_bytes` are those that all may take.
    pub(crate) fn new(folder: &Path, memory_bytes: u64) -> Self {
        Self { folder: folder.to_path_buf(), memory_bytes }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// No pages yet; at most `bytes` of them will be in memory, and a 64th of all that may be.
    pub(crate) fn pages(&self, bytes: u64) -> Pages {
        let most = (self.bytes(bytes) / PAGE_BYTES as u64).max(LEAST_PAGES) as usize;
        Pages { folder: self.folder.clone(), cache: Mutex::new(Cache { most, ..Cache::default() }) }
    }

    /// At most `bytes`, and a 64th of all that may be in memory.
    pub(crate) fn bytes(&self, bytes: u64) -> u64 {
        bytes.min(self.memory_bytes / 64)
    }
}

/// Bytes that are appended, and read and changed in place, by any thread.
#[derive(Debug)]
pub(crate) struct Pages {
    folder: PathBuf,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// Made when the first page has to go.
    file: Option<File>,
    bytes: u64,
    /// Pages that `bytes` take.
    pages: u64,
    /// How many may be held.
    most: usize,
    held: Vec<Held>,
    /// Which page is held where.
    places: HashMap<u64, usize>,
    /// Where to look for the next page to go.
    hand: usize,
}

/// A page in memory.
#[derive(Debug)]
struct Held {
    page: u64,
    bytes: Box<[u8]>,
    /// Not in the file as it is.
    changed: bool,
    /// Used since the hand came by.
    used: bool,
}

impl Pages {
    /// Appends bytes. Says where they begin.
    ///
    /// # Errors
    /// `Io` with the folder, here and below.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<u64, Error> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = cache.bytes;
        cache.write(begin, bytes, &self.folder).map_err(Error::io(WRITE, &self.folder))?;
        Ok(begin)
    }

    /// Writes over bytes that were appended.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.write(at, bytes, &self.folder).map_err(Error::io(WRITE, &self.folder))
    }

    /// Reads bytes that were appended.
    pub(crate) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.read(at, out, &self.folder).map_err(Error::io(READ, &self.folder))
    }

    /// How many there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

const WRITE: &str = "keep what is known of the files in a temporary file there";
const READ: &str = "read back what is known of the files from a temporary file there";

impl Cache {
    fn write(&mut self, at: u64, mut bytes: &[u8], folder: &Path) -> io::Result<()> {
        let mut at = at;
        while !bytes.is_empty() {
            let (page, from) = split(at);
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - from));
            let held = self.hold(page, folder)?;
            held.bytes[from..from + now.len()].copy_from_slice(now);
            held.changed = true;
            at += now.len() as u64;
            self.bytes = self.bytes.max(at);
            bytes = later;
        }
        Ok(())
    }

    fn read(&mut self, at: u64, out: &mut [u8], folder: &Path) -> io::Result<()> {
        if at + out.len() as u64 > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut done) = (at, 0);
        while done < out.len() {
            let (page, from) = split(at);
            let count = (out.len() - done).min(PAGE_BYTES - from);
            let held = self.hold(page, folder)?;
            out[done..done + count].copy_from_slice(&held.bytes[from..from + count]);
            at += count as u64;
            done += count;
        }
        Ok(())
    }

    /// A page, which is one of those there are or the next one.
    fn hold(&mut self, page: u64, folder: &Path) -> io::Result<&mut Held> {
        let place = match self.places.get(&page) {
            Some(&place) => place,
            None => self.fetch(page, folder)?,
        };
        let held = &mut self.held[place];
        held.used = true;
        Ok(held)
    }

    /// Brings a page into memory. Says where it is.
    fn fetch(&mut self, page: u64, folder: &Path) -> io::Result<usize> {
        let place = if self.held.len() < self.most {
            self.held.push(Held { page, bytes: vec![0; PAGE_BYTES].into(), changed: false, used: false });
            self.held.len() - 1
        } else {
            self.free(folder)?
        };
        let held = &mut self.held[place];
        (held.page, held.changed) = (page, false);
        if page < self.pages {
            // Whatever is not in memory is in the file.
            let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
            let read = file.seek(SeekFrom::Start(page * PAGE_BYTES as u64)).and_then(|_| file.read_exact(&mut held.bytes));
            if let Err(error) = read {
                // Nothing is here now.
                held.page = u64::MAX;
                return Err(error);
            }
        } else {
            held.bytes.fill(0);
            self.pages = page + 1;
        }
        self.places.insert(page, place);
        Ok(place)
    }

    /// Lets a page go that was not used for a while. Says where it was.
    fn free(&mut self, folder: &Path) -> io::Result<usize> {
        loop {
            let place = self.hand;
            self.hand = (place + 1) % self.held.len();
            let held = &mut self.held[place];
            if std::mem::take(&mut held.used) {
                continue;
            }
            if held.changed {
                let file = match &mut self.file {
                    Some(file) => file,
                    none => none.insert(tempfile::tempfile_in(folder)?),
                };
                file.seek(SeekFrom::Start(held.page * PAGE_BYTES as u64))?;
                file.write_all(&held.bytes)?;
            }
            self.places.remove(&held.page);
            return Ok(place);
        }
    }
}

/// The page of a byte, and where it is in it.
const fn split(at: u64) -> (u64, usize) {
    (at / PAGE_BYTES as u64, (at % PAGE_BYTES as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: usize = 100;

    fn record(number: u64, seed: u64) -> Vec<u8> {
        (0..RECORD as u64).map(|at| (number * 31 + at * 7 + seed) as u8).collect()
    }

    #[test]
    fn bytes_come_back_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for memory_bytes in [0, 64 << 20] {
            let pages = Aside::new(folder.path(), memory_bytes).pages(1 << 20);
            for number in 0..2000 {
                assert_eq!(pages.append(&record(number, 0)).expect("room"), number * RECORD as u64);
            }
            let in_memory = pages.cache.lock().expect("no panic").file.is_none();
            assert_eq!(in_memory, memory_bytes > 0, "a file is made only if it is needed");
            for number in (0..2000).step_by(3) {
                pages.write(number * RECORD as u64, &record(number, 1)).expect("room");
            }
            let read = |number: u64| {
                let mut out = [0; RECORD];
                pages.read(number * RECORD as u64, &mut out).map(|()| out.to_vec())
            };
            for number in (0..2000).map(|n| n * 707 % 2000) {
                assert_eq!(read(number).expect("read back"), record(number, u64::from(number % 3 == 0)), "{number}");
            }
            assert!(read(2000).is_err(), "there are no more");
            let held = pages.cache.lock().expect("no panic").held.len();
            assert!(held <= LEAST_PAGES as usize || memory_bytes > 0, "{held}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");
    }

    #[test]
    fn threads_share_pages() {
        let folder = tempfile::tempdir().expect("a folder");
        let pages = Aside::new(folder.path(), 0).pages(0);
        for number in 0..2000 {
            pages.append(&record(number, 0)).expect("room");
        }
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let pages = &pages;
                scope.spawn(move || {
                    for number in (thread..2000).step_by(4) {
                        let mut out = [0; RECORD];
                        pages.read(number * RECORD as u64, &mut out).expect("read back");
                        assert_eq!(out[..], record(number, 0));
                        pages.write(number * RECORD as u64, &record(number, 1)).expect("room");
                    }
                });
            }
        });
        let mut out = [0; RECORD];
        pages.read(1999 * RECORD as u64, &mut out).expect("read back");
        assert_eq!(out[..], record(1999, 1));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_with_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing");
        let pages = Aside::new(&missing, 0).pages(0);
        let full = |pages: &Pages| (0..2000).find_map(|number| pages.append(&record(number, 0)).err()).expect("no room").to_string();
        let said = full(&pages);
        assert!(said.contains("missing") && said.contains("temporary file"), "{said}");
        // What is in memory is still there, and the error comes again.
        let mut out = [0; RECORD];
        pages.read(0, &mut out).expect("in memory");
        assert_eq!(out[..], record(0, 0));
        assert!(pages.append(&record(0, 0)).is_err());

        let name = folder.path().join("read only");
        std::fs::write(&name, b"").expect("a file");
        let pages = Aside::new(folder.path(), 0).pages(0);
        pages.cache.lock().expect("no panic").file = Some(File::open(&name).expect("a file"));
        assert!(full(&pages).contains("temporary file"));
    }
}
