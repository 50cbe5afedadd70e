//! Labelled images: one folder a class, decoded for learning a classifier. Nothing here is ever written back.
//!
//! ```text
//! DIR/cat/1.png          classes at once: dealt into parts by digest
//! DIR/train/cat/1.png    train/ and test/, perhaps validation/ (or val/): taken as they are;
//! DIR/test/cat/2.png     without a validation folder, about a tenth of train/ validates
//! ```

mod decode;
mod folder;

use std::collections::BTreeMap;
use std::path::Path;

use crate::digest::Digest;
use crate::split::{self, Part};
use crate::{Error, source};
pub use decode::Size;
use decode::{Picture, decode};
use folder::{Folders, find};

/// How images are read.
#[derive(Debug, Clone)]
pub struct LabelledOptions {
    /// Side to which every image is brought: its shorter side is scaled to it (triangle filter), then its middle is cut out. `None` takes
    /// images as they are; all must have one size then.
    pub size: Option<u32>,
    /// Seed of the split.
    pub seed: u64,
    /// Bytes that decoded samples may take.
    pub memory_bytes: u64,
}

impl Default for LabelledOptions {
    /// Images as they are, 4 GiB of samples.
    fn default() -> Self {
        Self { size: None, seed: 0, memory_bytes: 4 << 30 }
    }
}

/// A set of labelled images of one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labelled {
    /// Names of the classes, ascending bytewise; a label is an index here.
    pub classes: Vec<String>,
    /// 1 if all images are grey, else 3 (RGB); alpha is dropped.
    pub channels: usize,
    /// Rows and columns of every image.
    pub size: Size,
    /// The images, in order of their paths.
    pub images: Vec<LabelledImage>,
    /// What was left out, and what was decided.
    pub report: Report,
}

/// An image and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelledImage {
    /// Path below the root.
    pub path: String,
    /// Index of its class.
    pub label: usize,
    /// What it is for.
    pub part: Part,
    /// Samples of 8 bits, shape `[channels, rows, columns]`.
    pub samples: Vec<u8>,
}

/// What was left out, and what was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Files that cannot be decoded: (path, why).
    pub unreadable: Vec<(String, String)>,
    /// Copies: (path of the copy, path of the image that stays). Of copies across parts the one in the test part stays.
    pub duplicates: Vec<(String, String)>,
    /// Parts were given by folders; else they were dealt by digest.
    pub given_split: bool,
}

impl Labelled {
    /// The images of a part.
    pub fn of(&self, part: Part) -> impl Iterator<Item = &LabelledImage> {
        self.images.iter().filter(move |image| image.part == part)
    }
}

/// Reads the labelled images below `root`.
///
/// # Errors
/// [`Error::Labelled`] names the folder or file: no classes, a class with one image, a folder within a class, images of several sizes
/// without [`LabelledOptions::size`], a part without images; `LimitExceeded` before samples would pass the memory; `Io`.
pub fn read(root: &Path, options: &LabelledOptions) -> Result<Labelled, Error> {
    let folders = find(root)?;
    let mut report = Report { given_split: folders.given_split, ..Report::default() };
    let mut memory = options.memory_bytes;
    let mut found = Vec::new();
    for file in &folders.files {
        let bytes = source::read(&file.entry)?;
        match decode(&bytes, options.size) {
            Ok(picture) => {
                let held = picture.samples.len() as u64;
                memory =
                    memory.checked_sub(held).ok_or(Error::LimitExceeded { what: "the memory of decoded images", limit: options.memory_bytes })?;
                found.push(Found { digest: picture.digest(), picture, file: found_file(file) });
            }
            Err(reason) => report.unreadable.push((file.entry.path.clone(), reason)),
        }
    }
    let kept = distinct(found, &mut report);
    arrange(root, &folders, kept, options, report)
}

struct FoundFile {
    path: String,
    label: usize,
    given: Option<Part>,
}

struct Found {
    digest: Digest,
    picture: Picture,
    file: FoundFile,
}

fn found_file(file: &folder::LabelledFile) -> FoundFile {
    FoundFile { path: file.entry.path.clone(), label: file.label, given: file.part }
}

/// Leaves one image of each digest: the test part's rather than another's, else the first.
fn distinct(found: Vec<Found>, report: &mut Report) -> Vec<Found> {
    let rank = |image: &Found| match image.file.given {
        Some(Part::Test) => 0,
        Some(Part::Validation) => 1,
        _ => 2,
    };
    let mut stays: BTreeMap<Digest, (u8, String)> = BTreeMap::new();
    for image in &found {
        let entry = stays.entry(image.digest).or_insert_with(|| (rank(image), image.file.path.clone()));
        if rank(image) < entry.0 {
            *entry = (rank(image), image.file.path.clone());
        }
    }
    let mut kept = Vec::with_capacity(stays.len());
    for image in found {
        match stays.get(&image.digest) {
            Some((_, path)) if *path != image.file.path => report.duplicates.push((image.file.path, path.clone())),
            _ => kept.push(image),
        }
    }
    kept
}

fn arrange(root: &Path, folders: &Folders, kept: Vec<Found>, options: &LabelledOptions, report: Report) -> Result<Labelled, Error> {
    let wrong = |path: &str, what: String| Error::Labelled { path: root.join(path), what };
    let Some(first) = kept.first() else {
        let unreadable = report.unreadable.first().map_or_else(String::new, |(path, why)| format!(" ({path}: {why})"));
        return Err(wrong("", format!("there is no image here that can be read{unreadable}")));
    };
    let size = first.picture.size;
    if let Some(other) = kept.iter().find(|image| image.picture.size != size) {
        let what = format!(
            "this image is {}, but {} is {size}; images of one size are needed. Say --size N to scale and cut all to N x N",
            other.picture.size, first.file.path
        );
        return Err(wrong(&other.file.path, what));
    }
    let channels = if kept.iter().all(|image| image.picture.is_grey()) { 1 } else { 3 };
    let deal = |image: &Found| match (image.file.given, split::deal(&image.digest, options.seed)) {
        (Some(Part::Train), Part::Validation | Part::Test) if !folders.given_validation => Part::Validation,
        (Some(given), _) => given,
        (None, dealt) => dealt,
    };
    let images: Vec<LabelledImage> = kept
        .into_iter()
        .map(|image| LabelledImage { label: image.file.label, part: deal(&image), samples: image.picture.planes(channels), path: image.file.path })
        .collect();
    for (label, class) in folders.classes.iter().enumerate() {
        let of = images.iter().filter(|image| image.label == label);
        match of.clone().count() {
            0 => return Err(wrong(&folders.path_of(class), "this class has no image of its own that can be read".to_owned())),
            1 => {
                return Err(wrong(
                    &folders.path_of(class),
                    "this class has one image only; a class needs some to learn from and some to test".to_owned(),
                ));
            }
            _ if !of.clone().any(|image| image.part == Part::Train) => {
                return Err(wrong(
                    &folders.path_of(class),
                    "no image of this class is left to learn from; add images or try another --seed".to_owned(),
                ));
            }
            _ => {}
        }
    }
    for (part, name) in [(Part::Validation, "validation"), (Part::Test, "test")] {
        if !images.iter().any(|image| image.part == part) {
            return Err(wrong("", format!("no image falls to the {name} part; add images (about 60 are enough), or make a folder {name}/")));
        }
    }
    if folders.classes.len() < 2 {
        return Err(wrong("", "there is one class only; a classifier needs two".to_owned()));
    }
    Ok(Labelled { classes: folders.classes.clone(), channels, size, images, report })
}

#[cfg(test)]
mod tests;
