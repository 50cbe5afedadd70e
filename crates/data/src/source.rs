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

/// Lists the files below `root`, or `root` alone if it is a file.
///
/// - a link to a file is listed as the file; a link to a folder is skipped, unless it is `root` itself
/// - the order depends on the names alone: bytewise by `path`
///
/// # Errors
/// - `Io` with the path: `root` or a folder below it cannot be read
/// - `InvalidArgument`: a name is not UTF-8, or there is no file at all ([`Error::EmptyFolder`])
pub fn list(root: &Path) -> Result<Listing, Error> {
    let metadata = fs::metadata(root).map_err(io("read", root))?;
    let mut listing = Listing::default();
    if !metadata.is_dir() {
        // the name that was given, or the one behind `..`
        let named = if root.file_name().is_some() { root.to_owned() } else { fs::canonicalize(root).map_err(io("read", root))? };
        let name = named.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_utf8(root))?;
        if !metadata.is_file() {
            return Err(Error::InvalidArgument { what: "the input is neither a file nor a folder" });
        }
        listing.entries.push(Entry { path: name.to_owned(), file: root.to_owned(), bytes: metadata.len() });
        return Ok(listing);
    }
    // an own stack: folders may be nested deeper than threads have room for
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, path)) = folders.pop() {
        let mut is_empty = true;
        for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let entry = entry.map_err(io("list", &folder))?;
            is_empty = false;
            let file = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| not_utf8(&file))?;
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            visit(&entry, file, path, &mut folders, &mut listing)?;
        }
        if is_empty && !path.is_empty() {
            listing.empty_dirs.push(path);
        }
    }
    if listing.entries.is_empty() && listing.skipped.is_empty() {
        return Err(Error::EmptyFolder { path: root.to_owned() });
    }
    listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
    listing.skipped.sort();
    listing.empty_dirs.sort();
    Ok(listing)
}

fn visit(entry: &fs::DirEntry, file: PathBuf, path: String, folders: &mut Vec<(PathBuf, String)>, listing: &mut Listing) -> Result<(), Error> {
    let kind = entry.file_type().map_err(io("inspect", &file))?;
    if kind.is_dir() {
        folders.push((file, path));
        return Ok(());
    }
    let metadata = match fs::metadata(&file) {
        Ok(metadata) => metadata,
        Err(error) if kind.is_symlink() => {
            listing.skipped.push((path, format!("a link that leads nowhere ({error})")));
            return Ok(());
        }
        Err(error) => return Err(io("inspect", &file)(error)),
    };
    if metadata.is_file() {
        listing.entries.push(Entry { path, file, bytes: metadata.len() });
    } else {
        let reason = if metadata.is_dir() { "a link to a folder" } else { "neither a file nor a folder" };
        listing.skipped.push((path, reason.to_owned()));
    }
    Ok(())
}

/// The bytes of a file.
///
/// # Errors
/// `Io` with the path.
pub fn read(entry: &Entry) -> Result<Vec<u8>, Error> {
    fs::read(&entry.file).map_err(io("read", &entry.file))
}

/// Pairs of indices (the earlier, the later) of paths that are one path where case does not matter.
///
/// Such a dataset cannot be expanded whole on the default disks of Windows and macOS.
#[must_use]
pub fn case_collisions<P: AsRef<str>>(paths: &[P]) -> Vec<(usize, usize)> {
    // A row of short digests rather than a map of lowered paths: of a million paths that is a sixth of the memory.
    let short = |path: &P| u64::from_le_bytes(of_bytes(path.as_ref().to_lowercase().as_bytes()).0[..8].try_into().unwrap_or_default());
    let mut row: Vec<(u64, usize)> = paths.iter().map(short).zip(0..).collect();
    row.sort_unstable();
    let mut collisions = Vec::new();
    for like in row.chunk_by(|a, b| a.0 == b.0).filter(|like| like.len() > 1) {
        let mut first = HashMap::new();
        for &(_, i) in like {
            let earlier = *first.entry(paths[i].as_ref().to_lowercase()).or_insert(i);
            if earlier != i {
                collisions.push((earlier, i));
            }
        }
    }
    collisions.sort_unstable_by_key(|&(_, later)| later);
    collisions
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
        assert_eq!(case_collisions(&["a/X", "A/x", "b", "a/x"]), [(0, 1), (0, 3)]);
        assert_eq!(case_collisions(&["a", "b"]), []);
    }
}
