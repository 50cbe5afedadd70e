//! The pictures `demo` learns: 2,000 of Fashion-MNIST's test images, inside the binary.
//!
//! `assets/demo/README.md` says where they come from, under which licence, and how the file is made.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

/// What the sample is, in a clause.
pub(crate) const TITLE: &str = "2,000 pictures of clothes, 28x28 grey, from Fashion-MNIST (Zalando SE, MIT licence)";
/// Samples of all pictures: 2,000 x 28 x 28.
pub(crate) const SUBPIXELS: u64 = 1_568_000;

/// Records one after another: path length (u16) and path, file length (u32) and file; numbers little-endian.
const SAMPLE: &[u8] = include_bytes!("../../../assets/demo/fashion_mnist.sample");

/// What other coders made of the same pictures, all of them joined to one mosaic where that helps them.
///
/// From `python3 assets/demo/rivals.py assets/demo/fashion_mnist.sample`: libjxl 0.11.2, libwebp 1.6.0, liblzma of Python 3.11.
pub(crate) const RIVALS: [(&str, u64); 4] = [
    ("JPEG XL, each picture", 838_046),
    ("WebP lossless, one mosaic", 772_360),
    ("xz -9e, raw samples", 748_028),
    ("JPEG XL effort 9, one mosaic", 667_144),
];

/// One file of the sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    /// Path, `/` between folders.
    pub(crate) path: &'static str,
    /// Content.
    pub(crate) bytes: &'static [u8],
}

/// A file whose expansion is not what went in.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    /// Its path.
    pub(crate) path: String,
    /// One clause.
    pub(crate) reason: String,
}

/// All files.
///
/// # Panics
/// If the sample was built wrong.
pub(crate) fn files() -> Vec<File> {
    let mut rest = SAMPLE;
    let mut files = Vec::new();
    while !rest.is_empty() {
        let (file, tail) = record(rest).expect("the embedded sample is whole");
        files.push(file);
        rest = tail;
    }
    files
}

fn record(bytes: &'static [u8]) -> Option<(File, &'static [u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (path, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((File { path: std::str::from_utf8(path).ok()?, bytes }, rest))
}

/// Writes all files under `folder`.
///
/// # Errors
/// The path and why it could not be written.
pub(crate) fn write(files: &[File], folder: &Path) -> Result<(), (String, io::Error)> {
    for file in files {
        let path = folder.join(file.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, file.bytes)).map_err(|error| (path.display().to_string(), error))?;
    }
    Ok(())
}

/// Files under `folder` that are not, byte for byte, what the sample holds.
pub(crate) fn differences(files: &[File], folder: &Path) -> Vec<Difference> {
    let difference = |file: &File| {
        let reason = match fs::read(folder.join(file.path)) {
            Ok(bytes) if bytes == file.bytes => return None,
            Ok(bytes) => match bytes.iter().zip(file.bytes).position(|(found, expected)| found != expected) {
                Some(at) => format!("first differs at byte {at}"),
                None => format!("{} bytes instead of {}", bytes.len(), file.bytes.len()),
            },
            Err(error) => error.to_string(),
        };
        Some(Difference { path: file.path.to_owned(), reason })
    };
    files.iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_2000_png_files_in_order() {
        let files = files();
        assert_eq!(files.len(), 2000);
        assert!(files.iter().all(|file| file.bytes.starts_with(b"\x89PNG\r\n\x1a\n")));
        assert!(files.windows(2).all(|pair| pair[0].path.as_bytes() < pair[1].path.as_bytes()));
        assert_eq!(files.iter().map(|file| file.bytes.len()).sum::<usize>(), 1_023_874);
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let files = &files()[..4];
        let folder = tempfile::tempdir().unwrap();
        write(files, folder.path()).unwrap();
        assert!(differences(files, folder.path()).is_empty());
        let at = |file: &File| folder.path().join(file.path);
        let mut flipped = files[0].bytes.to_vec();
        flipped[20] ^= 1;
        fs::write(at(&files[0]), flipped).unwrap();
        fs::write(at(&files[1]), &files[1].bytes[..9]).unwrap();
        fs::remove_file(at(&files[2])).unwrap();
        let found = differences(files, folder.path());
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].reason, "first differs at byte 20");
        assert!(found[1].reason.starts_with("9 bytes instead of "));
    }
}
