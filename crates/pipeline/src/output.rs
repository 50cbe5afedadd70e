//! Outputs that exist whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::Error;

/// Names of temporary neighbours begin like this.
const PREFIX: &str = ".kolmo-";

/// A file that takes its name when it is complete; until then it is a temporary neighbour that goes away by itself.
#[derive(Debug)]
pub(crate) struct Output {
    target: PathBuf,
    file: NamedTempFile,
    force: bool,
}

/// Refuses an output that exists, before any work is done.
pub(crate) fn check_free(target: &Path, force: bool) -> Result<(), Error> {
    let exists = target.symlink_metadata().is_ok();
    if exists && (!force || target.is_dir()) {
        return Err(Error::OutputExists { path: target.to_path_buf() });
    }
    Ok(())
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Output {
    /// Opens the temporary neighbour.
    pub(crate) fn create(target: &Path, force: bool) -> Result<Self, Error> {
        check_free(target, force)?;
        let mut builder = Builder::new();
        builder.prefix(PREFIX).suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any new file: what the umask leaves of it.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(target)).map_err(Error::io("write there", target))?;
        Ok(Self { target: target.to_path_buf(), file, force })
    }

    /// The file, to write to.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// The folder that it is written to.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file.path().parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
    }

    /// The final name, for messages.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Both names: what the call must not take for an input.
    pub(crate) fn names(&self) -> [&Path; 2] {
        [&self.target, self.file.path()]
    }

    /// Opens the temporary file again, to read it back.
    pub(crate) fn reopen(&self) -> Result<File, Error> {
        self.file.reopen().map_err(Error::io("read back", &self.target))
    }

    /// Gives the file its name.
    pub(crate) fn persist(self) -> Result<(), Error> {
        self.file.as_file().sync_all().map_err(Error::io("write", &self.target))?;
        let named = if self.force { self.file.persist(&self.target) } else { self.file.persist_noclobber(&self.target) };
        match named {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::OutputExists { path: self.target }),
            Err(error) => Err(Error::Io { action: "rename the finished file", path: self.target, source: error.error }),
        }
    }
}

/// A folder that is filled aside and published when it is complete.
#[derive(Debug)]
pub(crate) struct Staging {
    target: PathBuf,
    is_new: bool,
    aside: TempDir,
    /// Archive paths of the files that were written, a line each; none if the folder is new and published as it is.
    written: String,
    /// The folder that was made last: asking again for each file would take a third of the time of small ones.
    folder: PathBuf,
    /// The file of which a part was written last, and where it is.
    part_of: Option<(String, File)>,
}

impl Staging {
    /// Opens a temporary folder beside `target`, or inside it if it exists. Refuses if one of `paths` exists there and `force` is not set.
    pub(crate) fn create<'a>(target: &Path, paths: impl IntoIterator<Item = &'a str>, force: bool) -> Result<Self, Error> {
        let is_new = target.symlink_metadata().is_err();
        for path in paths {
            let file = kolmo_verify::paths::below(target, path)?;
            if !is_new {
                check_free(&file, force)?;
            }
        }
        if !is_new && !target.is_dir() {
            return Err(Error::OutputExists { path: target.to_path_buf() });
        }
        let beside = if is_new { folder_of(target) } else { target };
        let aside = Builder::new().prefix(PREFIX).tempdir_in(beside).map_err(Error::io("write there", target))?;
        // The temporary folder is private; what becomes the target is a folder as any other.
        std::fs::create_dir(aside.path().join("files")).map_err(Error::io("write there", target))?;
        Ok(Self { target: target.to_path_buf(), is_new, aside, written: String::new(), folder: PathBuf::new(), part_of: None })
    }

    /// Whether names that differ in case only are one name here.
    pub(crate) fn folds_case(&self) -> Result<bool, Error> {
        let probe = self.aside.path().join("case");
        File::create(&probe).map_err(Error::io("write there", &self.target))?;
        Ok(self.aside.path().join("CASE").exists())
    }

    /// Creates the file for an archive path (`start` 0) or opens it again to append.
    pub(crate) fn write(&mut self, path: &str, start: u64, bytes: &[u8]) -> Result<(), Error> {
        use std::io::Write as _;
        let file = kolmo_verify::paths::below(&self.aside.path().join("files"), path)?;
        let shown = self.target.join(path);
        let failed = || Error::io("write", &shown);
        let mut out = if start == 0 {
            self.prepare(path, &file).map_err(failed())?;
            File::create(&file).map_err(failed())?
        } else {
            File::options().append(true).open(&file).map_err(failed())?
        };
        out.write_all(bytes).map_err(failed())
    }

    /// Writes a part of the file for an archive path, which is created when its first part comes; parts come in any order.
    pub(crate) fn write_part(&mut self, path: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let shown = self.target.join(path);
        let failed = || Error::io("write", &shown);
        let (name, mut out) = match self.part_of.take().filter(|(last, _)| last == path) {
            Some(held) => held,
            None => {
                let file = kolmo_verify::paths::below(&self.aside.path().join("files"), path)?;
                if file.symlink_metadata().is_err() {
                    self.prepare(path, &file).map_err(failed())?;
                }
                (path.to_owned(), File::options().write(true).create(true).truncate(false).open(&file).map_err(failed())?)
            }
        };
        out.seek(SeekFrom::Start(offset)).map_err(failed())?;
        out.write_all(bytes).map_err(failed())?;
        self.part_of = Some((name, out));
        Ok(())
    }

    /// Makes the folder of a file that is not there yet, and remembers the file.
    fn prepare(&mut self, path: &str, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent().filter(|folder| *folder != self.folder) {
            std::fs::create_dir_all(folder)?;
            self.folder = folder.to_path_buf();
        }
        if !self.is_new {
            // No path holds a line end.
            self.written.push_str(path);
            self.written.push('\n');
        }
        Ok(())
    }

    /// Moves everything to where it belongs.
    pub(crate) fn publish(mut self, force: bool) -> Result<(), Error> {
        // A file that is open is not moved everywhere.
        self.part_of = None;
        if self.is_new {
            return std::fs::rename(self.aside.path().join("files"), &self.target).map_err(Error::io("rename the finished folder", &self.target));
        }
        for path in self.written.lines() {
            let from = kolmo_verify::paths::below(&self.aside.path().join("files"), path)?;
            let to = kolmo_verify::paths::below(&self.target, path)?;
            check_free(&to, force)?;
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            }
            std::fs::rename(&from, &to).map_err(Error::io("rename the finished file", &to))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x.kolmo");
        let mut output = Output::create(&target, false).unwrap();
        output.file().write_all(b"whole").unwrap();
        assert!(!target.exists());
        output.persist().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        assert!(matches!(Output::create(&target, false), Err(Error::OutputExists { .. })));
        let mut dropped = Output::create(&target, true).unwrap();
        dropped.file().write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(listing(folder.path()), ["x.kolmo"]);
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        assert!(matches!(Output::create(&folder.path().join("no/x.kolmo"), false), Err(Error::Io { .. })));
        assert!(matches!(Output::create(folder.path(), true), Err(Error::OutputExists { .. })));
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let mut staging = Staging::create(&target, ["a/b.txt"], false).unwrap();
        staging.write("a/b.txt", 0, b"one, ").unwrap();
        staging.write("a/b.txt", 5, b"two").unwrap();
        assert!(!target.exists());
        staging.publish(false).unwrap();
        assert_eq!(std::fs::read(target.join("a/b.txt")).unwrap(), b"one, two");
        assert!(matches!(Staging::create(&target, ["a/b.txt"], false), Err(Error::OutputExists { .. })));
        drop(Staging::create(&target, ["c.txt"], false).unwrap());
        let mut staging = Staging::create(&target, ["a/b.txt", "c.txt"], true).unwrap();
        staging.write("a/b.txt", 0, b"new").unwrap();
        staging.write("c.txt", 0, b"").unwrap();
        staging.write_part("d/e.npy", 3, b"two").unwrap();
        staging.write_part("d/f.npy", 0, b"other").unwrap();
        staging.write_part("d/e.npy", 0, b"one").unwrap();
        staging.publish(true).unwrap();
        assert_eq!(std::fs::read(target.join("a/b.txt")).unwrap(), b"new");
        assert_eq!(
            (std::fs::read(target.join("d/e.npy")).unwrap(), std::fs::read(target.join("d/f.npy")).unwrap()),
            (b"onetwo".to_vec(), b"other".to_vec())
        );
        assert_eq!(listing(&target), ["a", "c.txt", "d"]);
        assert_eq!(listing(folder.path()), ["out"]);
    }
}
