//! CIFAR-10's binary batches: a byte of label, then 3072 bytes, channel after channel.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::unpack::each_of_tar_gz;
use crate::picture::Picture;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;

/// Unpacks `cifar-10-binary.tar.gz` to `train/CLASS/BATCH_ROW.png` and `test/CLASS/ROW.png`.
///
/// # Errors
/// If the archive is damaged, lacks the names of the classes, or holds no batch.
pub(super) fn unpack(archive: &Path, into: &Path) -> Result<()> {
    let mut classes = Vec::new();
    let mut batches = BTreeMap::new();
    each_of_tar_gz(archive, |path, content| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let mut bytes = Vec::new();
        if name == "batches.meta.txt" {
            content.read_to_end(&mut bytes)?;
            classes = String::from_utf8(bytes)?.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        } else if name.ends_with(".bin") {
            content.read_to_end(&mut bytes)?;
            batches.insert(name.to_owned(), bytes);
        }
        Ok(())
    })?;
    if batches.is_empty() {
        bail!("no batch of CIFAR-10 is inside");
    }
    for (name, bytes) in batches {
        let batch = name.strip_suffix(".bin").unwrap_or(&name);
        let prefix = match batch.strip_prefix("data_batch_") {
            Some(number) => ("train", format!("{number}_")),
            None if batch == "test_batch" => ("test", String::new()),
            None => bail!("{name} is no batch of CIFAR-10"),
        };
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            bail!("{name}: {} bytes are no whole records of {RECORD}", bytes.len());
        }
        for (row, record) in bytes.chunks_exact(RECORD).enumerate() {
            let class = classes
                .get(usize::from(record[0]))
                .with_context(|| format!("{name}: record {row} has label {} of {} classes", record[0], classes.len()))?;
            let path = into.join(format!("{}/{class}/{}{row:05}.png", prefix.0, prefix.1));
            interleave(&record[1..])?.write(&path)?;
        }
    }
    Ok(())
}

fn interleave(planes: &[u8]) -> Result<Picture> {
    let samples = (0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]]).collect();
    Picture::new(SIDE as u32, SIDE as u32, png::ColorType::Rgb, png::BitDepth::Eight, samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn unpacked(entries: &[(&str, &[u8])]) -> Result<(tempfile::TempDir, Vec<String>)> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.tar.gz");
        std::fs::write(&path, archive(entries)).unwrap();
        unpack(&path, &place.path().join("out"))?;
        let paths = fingerprint::paths(&place.path().join("out"))?;
        Ok((place, paths))
    }

    fn record(label: u8) -> Vec<u8> {
        let mut record = vec![label];
        record.extend([10; PLANE]);
        record.extend([20; PLANE]);
        record.extend([30; PLANE]);
        record
    }

    const META: (&str, &[u8]) = ("c/batches.meta.txt", b"airplane\nautomobile\n\n");

    #[test]
    fn records_become_pictures_in_folders_of_their_class() {
        let two = [record(1), record(0)].concat();
        let (place, paths) = unpacked(&[META, ("c/data_batch_3.bin", &two), ("c/test_batch.bin", &record(1)), ("c/readme.html", b"x")]).unwrap();
        assert_eq!(paths, ["test/automobile/00000.png", "train/airplane/3_00001.png", "train/automobile/3_00000.png"]);
        let picture = Picture::read(&std::fs::read(place.path().join("out").join(&paths[0])).unwrap()).unwrap();
        assert_eq!((picture.width, picture.height), (32, 32));
        assert!(picture.samples.chunks_exact(3).all(|pixel| pixel == [10, 20, 30]));
    }

    #[test]
    fn damage_is_named() {
        for (batch, says) in [
            (("c/data_batch_1.bin", &record(2)[..]), "label 2 of 2 classes"),
            (("c/data_batch_1.bin", &record(1)[1..]), "no whole records"),
            (("c/other.bin", &record(1)[..]), "no batch of CIFAR-10"),
            (("c/readme.html", &b"x"[..]), "no batch of CIFAR-10 is inside"),
        ] {
            let error = format!("{:#}", unpacked(&[META, batch]).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
