//! Downloads become folders of images.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::catalogue::Kind;
use super::{cifar, idx};

/// Unpacks the files of a set into a folder that exists and is empty.
///
/// # Errors
/// If an archive is damaged or names a path outside the folder.
pub(crate) fn unpack(kind: Kind, strip: usize, files: &[PathBuf], into: &Path) -> Result<()> {
    if kind == Kind::Idx {
        return idx::unpack(files, into);
    }
    for file in files {
        let name = || file.display().to_string();
        match kind {
            Kind::Images => {
                let to = into.join(file.file_name().with_context(name)?);
                std::fs::copy(file, &to).map(drop).with_context(|| format!("{} cannot be copied to {}", file.display(), to.display()))
            }
            Kind::TarGz => tar_gz(file, strip, into).with_context(name),
            Kind::Zip => zip(file, strip, into).with_context(name),
            Kind::Cifar10 => cifar::unpack(file, into).with_context(name),
            Kind::Idx => Ok(()),
        }?;
    }
    Ok(())
}

/// Calls `each` with the path and content of every regular file of a `.tar.gz`.
///
/// # Errors
/// If the archive is damaged, or `each` fails.
pub(super) fn each_of_tar_gz(archive: &Path, mut each: impl FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<()> {
    let file = File::open(archive).context("cannot be read")?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(io::BufReader::new(file)));
    for entry in archive.entries().context("no sound tar.gz")? {
        let mut entry = entry.context("no sound tar.gz")?;
        if entry.header().entry_type().is_file() {
            let path = String::from_utf8(entry.path_bytes().into_owned()).context("a name that is no UTF-8")?;
            each(&path, &mut entry).with_context(|| path.clone())?;
        }
    }
    Ok(())
}

fn tar_gz(archive: &Path, strip: usize, into: &Path) -> Result<()> {
    each_of_tar_gz(archive, |path, content| write(path, strip, content, into))
}

fn zip(archive: &Path, strip: usize, into: &Path) -> Result<()> {
    let file = File::open(archive).context("cannot be read")?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).context("no sound zip")?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).context("no sound zip")?;
        if entry.is_file() && !entry.is_symlink() {
            let path = entry.name().context("a name that is no UTF-8")?.into_owned();
            write(&path, strip, &mut entry, into).with_context(|| path.clone())?;
        }
    }
    Ok(())
}

/// Writes one file of an archive below `into`. What macOS adds to archives is left out.
fn write(path: &str, strip: usize, content: &mut dyn Read, into: &Path) -> Result<()> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if path.starts_with("__MACOSX/") || name.starts_with("._") || name == ".DS_Store" {
        return Ok(());
    }
    let target = into.join(inside(path, strip)?);
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let mut file = File::create_new(&target).with_context(|| format!("{} cannot be written", target.display()))?;
    io::copy(content, &mut file).with_context(|| format!("{} cannot be written", target.display()))?;
    Ok(())
}

/// The path without its first `strip` parts, if it stays inside the folder it is joined to.
fn inside(path: &str, strip: usize) -> Result<PathBuf> {
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) if !part.to_string_lossy().contains('\\') => parts.push(part),
            Component::CurDir => {}
            _ => bail!("leads outside the folder"),
        }
    }
    let kept: PathBuf = parts.get(strip..).unwrap_or_default().iter().collect();
    if kept.as_os_str().is_empty() {
        bail!("has no part left after the first {strip}");
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::fingerprint;

    fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // The name is set by hand: the library refuses the hostile ones.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (path, content) in entries {
            zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn unpacked(kind: Kind, strip: usize, bytes: &[u8]) -> Result<Vec<String>> {
        let place = tempfile::tempdir().unwrap();
        let (archive, into) = (place.path().join("a"), place.path().join("in/out"));
        std::fs::write(&archive, bytes).unwrap();
        std::fs::create_dir_all(&into).unwrap();
        unpack(kind, strip, &[archive], &into)?;
        let paths = fingerprint::paths(&into)?;
        Ok(paths.iter().map(|path| format!("{path}={}", std::fs::read_to_string(into.join(path)).unwrap())).collect())
    }

    const ENTRIES: [(&str, &[u8]); 4] = [("top/a.txt", b"one"), ("top/b/c.txt", b"two"), ("__MACOSX/top/._a.txt", b"x"), ("top/.DS_Store", b"x")];

    #[test]
    fn archives_unpack_without_their_top_folder() {
        let wanted = ["a.txt=one", "b/c.txt=two"];
        assert_eq!(unpacked(Kind::TarGz, 1, &tar_of(&ENTRIES)).unwrap(), wanted);
        assert_eq!(unpacked(Kind::Zip, 1, &zip_of(&ENTRIES)).unwrap(), wanted);
        assert_eq!(unpacked(Kind::Zip, 0, &zip_of(&ENTRIES[..1])).unwrap(), ["top/a.txt=one"]);
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        for path in ["../x.txt", "/x.txt", "a/../../x.txt"] {
            let error = format!("{:#}", unpacked(Kind::TarGz, 0, &tar_of(&[(path, b"x")])).unwrap_err());
            assert!(error.contains("leads outside"), "{path}: {error}");
        }
        assert!(inside("a\\..\\..\\x", 0).is_err());
        assert!(inside("a", 1).is_err());
        assert_eq!(inside("./a/b", 1).unwrap(), Path::new("b"));
    }

    #[test]
    fn damaged_archives_are_errors() {
        let mut cut = tar_of(&ENTRIES);
        cut.truncate(cut.len() / 2);
        assert!(unpacked(Kind::TarGz, 0, &cut).is_err());
        assert!(unpacked(Kind::Zip, 0, &zip_of(&ENTRIES)[..50]).is_err());
        // One name twice: the second would hide the first.
        assert!(unpacked(Kind::TarGz, 0, &tar_of(&[("a", b"x"), ("a", b"y")])).is_err());
    }
}
