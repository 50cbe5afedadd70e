//! The IDX files of MNIST and its relatives: gzip, a magic number, big-endian sizes, bytes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::picture::Picture;

const IMAGES: &str = "-images-idx3-ubyte.gz";
const LABELS: &str = "-labels-idx1-ubyte.gz";

/// Unpacks pairs `PART-images-idx3-ubyte.gz` and `PART-labels-idx1-ubyte.gz` to `PART/LABEL/NUMBER.png`.
///
/// # Errors
/// If a file has no partner, is damaged, or the two disagree.
pub(super) fn unpack(files: &[PathBuf], into: &Path) -> Result<()> {
    let find = |name: &str| files.iter().find(|file| file.file_name().is_some_and(|found| found == name));
    let mut pairs = 0;
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(part) = name.strip_suffix(IMAGES) {
            let partner = format!("{part}{LABELS}");
            let labels = find(&partner).with_context(|| format!("{name} needs {partner}"))?;
            unpack_pair(file, labels, &into.join(part)).with_context(|| name.clone())?;
            pairs += 1;
        } else if !name.ends_with(LABELS) {
            bail!("{name} is neither …{IMAGES} nor …{LABELS}");
        }
    }
    if pairs * 2 != files.len() {
        bail!("{} files make {pairs} pairs", files.len());
    }
    Ok(())
}

fn unpack_pair(images: &Path, labels: &Path, into: &Path) -> Result<()> {
    let ([count, height, width], samples) = read::<3>(images)?;
    let ([n_labels], labels) = read::<1>(labels)?;
    if count != n_labels {
        bail!("{count} images, but {n_labels} labels");
    }
    let size = width as usize * height as usize;
    if size == 0 {
        bail!("images without pixels");
    }
    for (number, (samples, label)) in samples.chunks_exact(size).zip(labels).enumerate() {
        let picture = Picture::new(width, height, png::ColorType::Grayscale, png::BitDepth::Eight, samples.to_vec())?;
        picture.write(&into.join(format!("{label}/{number:05}.png")))?;
    }
    Ok(())
}

/// Sizes and bytes of an IDX file of `N` dimensions.
fn read<const N: usize>(path: &Path) -> Result<([u32; N], Vec<u8>)> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).with_context(|| format!("{}: no sound gzip", path.display()))?;
    let head = 4 + 4 * N;
    // Magic: two zeros, 8 for unsigned bytes, the number of dimensions.
    if bytes.len() < head || bytes[..4] != [0, 0, 8, N as u8] {
        bail!("{}: no IDX file of {N} dimensions of bytes", path.display());
    }
    let mut sizes = [0; N];
    for (size, field) in sizes.iter_mut().zip(bytes[4..head].chunks_exact(4)) {
        *size = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
    }
    let samples = bytes.split_off(head);
    let wanted = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size as usize));
    if wanted != Some(samples.len()) {
        bail!("{}: sizes {sizes:?}, but {} bytes", path.display(), samples.len());
    }
    Ok((sizes, samples))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::fingerprint;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(images: &[u8], labels: &[u8]) -> Result<(tempfile::TempDir, Vec<String>)> {
        let place = tempfile::tempdir().unwrap();
        let files = [("t-images-idx3-ubyte.gz", images), ("t-labels-idx1-ubyte.gz", labels)].map(|(name, bytes)| {
            let path = place.path().join(name);
            std::fs::write(&path, gz(bytes)).unwrap();
            path
        });
        let into = place.path().join("out");
        unpack(&files, &into)?;
        let paths = fingerprint::paths(&into)?;
        Ok((place, paths))
    }

    const IMAGES_HEAD: [u8; 16] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    const LABELS_FILE: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 7, 1];

    #[test]
    fn images_go_to_the_folder_of_their_label() {
        let images: Vec<u8> = IMAGES_HEAD.into_iter().chain(1..=12).collect();
        let (place, paths) = unpacked(&images, &LABELS_FILE).unwrap();
        assert_eq!(paths, ["t/1/00001.png", "t/7/00000.png"]);
        let picture = Picture::read(&std::fs::read(place.path().join("out/t/1/00001.png")).unwrap()).unwrap();
        assert_eq!((picture.width, picture.height, picture.samples), (3, 2, (7..=12).collect()));
    }

    #[test]
    fn damage_is_named() {
        let whole: Vec<u8> = IMAGES_HEAD.into_iter().chain(1..=12).collect();
        let one_label = [0, 0, 8, 1, 0, 0, 0, 1, 7];
        for (images, labels, says) in [
            (&whole[..20], &LABELS_FILE[..], "but 4 bytes"),
            (&whole[..7], &LABELS_FILE[..], "no IDX file of 3"),
            (&whole[..], &whole[..], "no IDX file of 1"),
            (&whole[..], &one_label[..], "2 images, but 1 labels"),
        ] {
            let error = format!("{:#}", unpacked(images, labels).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn partners_are_needed() {
        let error = unpack(&["x/t-images-idx3-ubyte.gz".into()], Path::new("out")).unwrap_err().to_string();
        assert!(error.contains("needs t-labels"), "{error}");
        assert!(unpack(&["x/t-labels-idx1-ubyte.gz".into()], Path::new("out")).is_err());
        assert!(unpack(&["x/readme".into()], Path::new("out")).is_err());
    }
}
