//! A folder of images as a bench sees it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::fingerprint;
use crate::picture::Picture;

/// A set, read whole.
#[derive(Debug)]
pub(crate) struct Set {
    /// Name of its folder.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// [`fingerprint::folder`] of everything in it.
    pub(crate) digest: String,
    /// Images with their paths, sorted by path.
    pub(crate) images: Vec<Image>,
    /// All files, also those that are no images.
    pub(crate) n_files: usize,
}

/// One image file.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) path: String,
    /// The file.
    pub(crate) bytes: Vec<u8>,
    pub(crate) picture: Picture,
}

impl Set {
    /// Reads `data/NAME`. Files that are named like images but cannot be read are told on stderr and left out of the count
    /// of subpixels.
    ///
    /// # Errors
    /// If the folder cannot be read or holds no image.
    pub(crate) fn read(data: &Path, name: &str) -> Result<Self> {
        let folder = data.join(name);
        let mut images = Vec::new();
        let paths = fingerprint::paths(&folder)?;
        let n_files = paths.len();
        for path in paths.into_iter().filter(|path| Picture::is_named(path)) {
            let bytes = std::fs::read(folder.join(&path)).with_context(|| format!("{path} cannot be read"))?;
            match Picture::read(&bytes) {
                Ok(picture) => images.push(Image { path, bytes, picture }),
                Err(error) => eprintln!("note: {name}/{path} is not counted as an image: {error:#}"),
            }
        }
        if images.is_empty() {
            bail!("{} holds no image", folder.display());
        }
        let digest = fingerprint::folder(&folder)?;
        Ok(Self { name: name.to_owned(), folder, digest, images, n_files })
    }

    /// Whether some samples have 16 bits.
    pub(crate) fn is_deep(&self) -> bool {
        self.images.iter().any(|image| image.picture.sample_bytes() == 2)
    }

    /// Samples of all images: what rates refer to.
    pub(crate) fn subpixels(&self) -> u64 {
        self.images.iter().map(|image| image.picture.subpixels()).sum()
    }
}

/// First difference between two folders: every file of `one` is in `other` with the same bytes, and nothing else is.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn first_difference(one: &Path, other: &Path) -> Result<Option<String>> {
    let (ours, theirs) = (fingerprint::paths(one)?, fingerprint::paths(other)?);
    if let Some(missing) = ours.iter().find(|path| theirs.binary_search(path).is_err()) {
        return Ok(Some(format!("{missing} is missing")));
    }
    if let Some(surplus) = theirs.iter().find(|path| ours.binary_search(path).is_err()) {
        return Ok(Some(format!("{surplus} was not there before")));
    }
    for path in &ours {
        let read = |folder: &Path| std::fs::read(folder.join(path)).with_context(|| format!("{} cannot be read", folder.join(path).display()));
        let (left, right) = (read(one)?, read(other)?);
        if left != right {
            let at = left.iter().zip(&right).position(|(left, right)| left != right).unwrap_or(left.len().min(right.len()));
            return Ok(Some(format!("{path} differs from byte {at} on ({} and {} bytes)", left.len(), right.len())));
        }
    }
    Ok(None)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A set of three small images and a text file, in a folder that lives as long as the first value.
    pub(crate) fn small_set() -> (tempfile::TempDir, Set) {
        let data = tempfile::tempdir().unwrap();
        for number in 0..3_u8 {
            let samples = (0..12 * 10 * 3).map(|at| (at / 3) as u8 ^ number).collect();
            let picture = Picture::new(12, 10, png::ColorType::Rgb, png::BitDepth::Eight, samples).unwrap();
            picture.write(&data.path().join(format!("small/{number}.png"))).unwrap();
        }
        std::fs::write(data.path().join("small/SOURCE.txt"), "made").unwrap();
        let set = Set::read(data.path(), "small").unwrap();
        (data, set)
    }

    #[test]
    fn a_set_counts_its_images_alone() {
        let (_data, set) = small_set();
        assert_eq!((set.images.len(), set.n_files, set.subpixels()), (3, 4, 3 * 360));
        assert_eq!(set.images[2].path, "2.png");
    }

    #[test]
    fn folders_without_images_are_refused() {
        let data = tempfile::tempdir().unwrap();
        assert!(Set::read(data.path(), "none").is_err());
        std::fs::create_dir(data.path().join("text")).unwrap();
        std::fs::write(data.path().join("text/a.png"), "no image").unwrap();
        assert!(Set::read(data.path(), "text").unwrap_err().to_string().contains("holds no image"));
    }

    #[test]
    fn differences_are_found_and_placed() {
        let (data, set) = small_set();
        let other = data.path().join("other");
        std::fs::create_dir(&other).unwrap();
        for path in fingerprint::paths(&set.folder).unwrap() {
            std::fs::copy(set.folder.join(&path), other.join(&path)).unwrap();
        }
        assert_eq!(first_difference(&set.folder, &other).unwrap(), None);
        std::fs::write(other.join("SOURCE.txt"), "mode").unwrap();
        let found = first_difference(&set.folder, &other).unwrap().unwrap();
        assert!(found.starts_with("SOURCE.txt differs from byte 1 on"), "{found}");
        std::fs::write(other.join("x"), "").unwrap();
        assert_eq!(first_difference(&set.folder, &other).unwrap().unwrap(), "x was not there before");
        std::fs::remove_file(other.join("1.png")).unwrap();
        assert_eq!(first_difference(&set.folder, &other).unwrap().unwrap(), "1.png is missing");
    }
}
