//! Lists and reads the files of a dataset, in one order forever.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::digest::of_bytes;

/// One file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Path below the root, parts separated by `/` on every system.
    pub path: String,
    /// Where it is.
    pub file: PathBuf,
    /// Its size when it was listed, bytes.
    pub bytes: u64,
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Files, in bytewise order of `path`.
    pub entries: Vec<Entry>,
    /// Paths that are not listed, with one clause why: links to folders (a loop would never end), links that lead
    /// nowhere, pipes, sockets and devices.
    pub skipped: Vec<(String, String)>,
    /// Paths of folders that hold nothing at all.
    pub empty_dirs: Vec<String>,
}

/// What a walk through a folder comes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File(Entry),
    /// See [`Listing::skipped`].
    Skipped(String, String),
    /// See [`Listing::empty_dirs`].
    EmptyDir(String),
}

/// Lists the files below `root`, or `root` alone if it is a file.
///
/// - a link to a file is listed as the file; a link to a folder is skipped, unless it is `root` itself
/// - the order depends on the names alone: bytewise by `path`
///
/// # Errors
/// - `Io` with the path: `root` or a folder below it cannot be read
/// - `InvalidArgument`: a name is not UTF-8, or there is no file at all ([`Error::EmptyFolder`])
pub fn list(root: &Path) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    walk(root, |found| {
        match found {
            Found::File(entry) => listing.entries.push(entry),
            Found::Skipped(path, reason) => listing.skipped.push((path, reason)),
            Found::EmptyDir(path) => listing.empty_dirs.push(path),
        }
        Ok::<(), Error>(())
    })?;
    if listing.entries.is_empty() && listing.skipped.is_empty() {
        return Err(Error::EmptyFolder { path: root.to_owned() });
    }
    listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
    listing.skipped.sort();
    listing.empty_dirs.sort();
    Ok(listing)
}

/// The same for folders of any size: tells `sink` of each thing as it is found, in no order, and holds none.
///
/// # Errors
/// Those of [`list`] but for a folder without files, which is none; those of `sink`.
pub fn walk<E: From<Error>>(root: &Path, mut sink: impl FnMut(Found) -> Result<(), E>) -> Result<(), E> {
    let metadata = fs::metadata(root).map_err(io("read", root))?;
    if !metadata.is_dir() {
        // the name that was given, or the one behind `..`
        let named = if root.file_name().is_some() { root.to_owned() } else { fs::canonicalize(root).map_err(io("read", root))? };
        let name = named.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_utf8(root))?;
        if !metadata.is_file() {
            return Err(Error::InvalidArgument { what: "the input is neither a file nor a folder" }.into());
        }
        return sink(Found::File(Entry { path: name.to_owned(), file: root.to_owned(), bytes: metadata.len() }));
    }
    // an own stack of paths: folders may be nested deeper than threads have room for
    let mut folders = vec![String::new()];
    while let Some(path) = folders.pop() {
        let mut folder = root.to_owned();
        folder.extend(path.split('/').filter(|part| !part.is_empty()));
        let mut is_empty = true;
        for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let entry = entry.map_err(io("list", &folder))?;
            is_empty = false;
            let file = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| not_utf8(&file))?;
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            match visit(&entry, file, path)? {
                Visited::Folder(path) => folders.push(path),
                Visited::Other(found) => sink(found)?,
            }
        }
        if is_empty && !path.is_empty() {
            sink(Found::EmptyDir(path))?;
        }
    }
    Ok(())
}

enum Visited {
    Folder(String),
    Other(Found),
}

fn visit(entry: &fs::DirEntry, file: PathBuf, path: String) -> Result<Visited, Error> {
    let kind = entry.file_type().map_err(io("inspect", &file))?;
    if kind.is_dir() {
        return Ok(Visited::Folder(path));
    }
    let metadata = match fs::metadata(&file) {
        Ok(metadata) => metadata,
        Err(error) if kind.is_symlink() => {
            return Ok(Visited::Other(Found::Skipped(path, format!("a link that leads nowhere ({error})"))));
        }
        Err(error) => return Err(io("inspect", &file)(error)),
    };
    Ok(Visited::Other(if metadata.is_file() {
        Found::File(Entry { path, file, bytes: metadata.len() })
    } else {
        let reason = if metadata.is_dir() { "a link to a folder" } else { "neither a file nor a folder" };
        Found::Skipped(path, reason.to_owned())
    }))
}

/// The bytes of a file.
///
/// # Errors
/// `Io` with the path.
pub fn read(entry: &Entry) -> Result<Vec<u8>, Error> {
    fs::read(&entry.file).map_err(io("read", &entry.file))
}

/// Paths whose digests are compared at a time: 16 MB of them.
const COMPARED: usize = 1 << 20;

/// The first path, of `count` that are asked for by number, that is the same as an earlier one where case does not matter: numbers of the earlier and the later.
///
/// Such a dataset cannot be expanded whole on the default disks of Windows and macOS.
///
/// # Errors
/// Those of `path`.
pub fn case_collision<P: AsRef<str>, E>(count: usize, path: impl Fn(usize) -> Result<P, E>) -> Result<Option<(usize, usize)>, E> {
    // A row of short digests rather than a map of lowered paths; of millions of paths, some at a time: those whose digests leave the same rest.
    let rests = count.div_ceil(COMPARED) as u64;
    let mut first: Option<(usize, usize)> = None;
    for rest in 0..rests {
        let mut row: Vec<(u64, usize)> = Vec::new();
        for number in 0..count {
            let digest = of_bytes(path(number)?.as_ref().to_lowercase().as_bytes());
            let short = u64::from_le_bytes(digest.0[..8].try_into().unwrap_or_default());
            if short % rests == rest {
                row.push((short, number));
            }
        }
        row.sort_unstable();
        for like in row.chunk_by(|a, b| a.0 == b.0).filter(|like| like.len() > 1) {
            let mut seen = HashMap::new();
            for &(_, number) in like {
                let earlier = *seen.entry(path(number)?.as_ref().to_lowercase()).or_insert(number);
                if earlier != number && first.is_none_or(|(_, later)| number < later) {
                    first = Some((earlier, number));
                }
            }
        }
    }
    Ok(first)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

fn not_utf8(path: &Path) -> Error {
    Error::NotUtf8 { path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, file.to_str().unwrap().len().to_string()).unwrap();
        }
        folder
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn order_is_bytewise_by_whole_path() {
        let folder = folder(&["b", "a/z", "a-b", "a/B", "A", "a.txt", "ä"]);
        fs::create_dir_all(folder.path().join("empty/inner")).unwrap();
        let listing = list(folder.path()).unwrap();
        assert_eq!(paths(&listing), ["A", "a-b", "a.txt", "a/B", "a/z", "b", "ä"]);
        assert_eq!(listing.empty_dirs, ["empty/inner"]);
        let entry = &listing.entries[3];
        assert_eq!(read(entry).unwrap().len() as u64, entry.bytes);
    }

    #[test]
    fn a_file_may_be_the_root() {
        let folder = folder(&["x/one.png"]);
        let listing = list(&folder.path().join("x/one.png")).unwrap();
        assert_eq!(paths(&listing), ["one.png"]);
        assert!(read(&listing.entries[0]).is_ok());
    }

    #[test]
    fn nothing_to_read_is_said() {
        let folder = folder(&[]);
        fs::create_dir(folder.path().join("inner")).unwrap();
        let error = list(folder.path()).unwrap_err();
        assert!(matches!(error, Error::EmptyFolder { .. }), "{error}");
        let missing = folder.path().join("missing");
        let error = list(&missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("missing"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_never_lead_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = folder(&["in/file", "other"]);
        symlink("../other", folder.path().join("in/link")).unwrap();
        symlink("..", folder.path().join("in/up")).unwrap();
        symlink("self", folder.path().join("self")).unwrap();
        symlink("nowhere", folder.path().join("lost")).unwrap();
        let listing = list(folder.path()).unwrap();
        assert_eq!(paths(&listing), ["in/file", "in/link", "other"]);
        let skipped: Vec<_> = listing.skipped.iter().map(|skipped| skipped.0.as_str()).collect();
        assert_eq!(skipped, ["in/up", "lost", "self"]);
        assert_eq!(read(&listing.entries[1]).unwrap(), read(&listing.entries[2]).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_named() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["ok"]);
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.png")), b"").unwrap();
        let error = list(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("bad"), "{error}");
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let folder = folder(&["gone"]);
        let listing = list(folder.path()).unwrap();
        fs::remove_file(folder.path().join("gone")).unwrap();
        let error = read(&listing.entries[0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn case_alone_does_not_tell_files_apart_everywhere() {
        let first = |paths: &[&str]| case_collision(paths.len(), |number| Ok::<_, Error>(paths[number].to_owned())).unwrap();
        assert_eq!(first(&["a/X", "b", "A/x", "a/x"]), Some((0, 2)));
        assert_eq!(first(&["a", "b"]), None);
    }
}
