//! Image coders as programs: one call an image, or one call a mosaic of all images of a shape.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::rival::{Measured, Rival, version};
use super::set::Set;
use crate::picture::Picture;
use crate::{child, workspace};

/// An encoder and its decoder. In the arguments `{in}` and `{out}` stand for the files; the decoder writes PNG.
#[derive(Debug)]
pub(crate) struct PerImage {
    pub(crate) name: &'static str,
    pub(crate) encoder: &'static str,
    pub(crate) version_flag: &'static str,
    pub(crate) decoder: &'static str,
    pub(crate) decode: &'static [&'static str],
    /// Settings to measure: arguments, their name in the row, whether images are joined.
    pub(crate) settings: &'static [Setting],
}

/// One way to call an encoder.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) label: &'static str,
    pub(crate) encode: &'static [&'static str],
    pub(crate) mosaic: bool,
}

impl Rival for PerImage {
    fn name(&self) -> &'static str {
        self.name
    }

    fn missing(&self) -> Option<String> {
        let missing: Vec<&str> = [self.encoder, self.decoder].into_iter().filter(|program| workspace::on_path(program).is_none()).collect();
        (!missing.is_empty()).then(|| format!("{} not on PATH", missing.join(", ")))
    }

    fn measure(&self, set: &Set, scratch: &Path) -> Result<Vec<Measured>> {
        let version = version(self.encoder, self.version_flag).map_or_else(String::new, |version| format!(" {version}"));
        let single: Vec<&Picture> = set.images.iter().map(|image| &image.picture).collect();
        let joined = mosaics(&single)?;
        let joined: Vec<&Picture> = joined.iter().collect();
        let mut rows = Vec::new();
        for setting in self.settings {
            let pictures = if setting.mosaic { &joined } else { &single };
            let mut row = Measured {
                tool: format!("{}{version}", self.encoder),
                settings: setting.label.to_owned(),
                threads: 1,
                program_bytes: None,
                estimate_percent: None,
                payload_bytes: 0,
                total_bytes: 0,
                encode_seconds: Some(0.0),
                decode_seconds: Some(0.0),
                peak_bytes: None,
                identical: "yes".to_owned(),
            };
            let mut wrong = 0;
            for picture in pictures {
                wrong += usize::from(!self.add(&mut row, setting, picture, scratch)?);
            }
            if wrong > 0 {
                row.identical = format!("no: {wrong} of {} differ", pictures.len());
            }
            row.payload_bytes = row.total_bytes;
            rows.push(row);
        }
        Ok(rows)
    }
}

impl PerImage {
    /// Encodes and decodes one picture. Returns whether it came back.
    fn add(&self, row: &mut Measured, setting: &Setting, picture: &Picture, scratch: &Path) -> Result<bool> {
        let [input, coded, back] = ["in.png", "coded.bin", "back.png"].map(|name| scratch.join(name));
        picture.write(&input)?;
        let talk = scratch.join("stderr.txt");
        let encoded = run(self.encoder, setting.encode, &input, &coded, &talk)?;
        let decoded = run(self.decoder, self.decode, &coded, &back, &talk)?;
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        row.total_bytes += read(&coded)?.len() as u64;
        row.encode_seconds = row.encode_seconds.map(|seconds| seconds + encoded.seconds);
        row.decode_seconds = row.decode_seconds.map(|seconds| seconds + decoded.seconds);
        row.peak_bytes = row.peak_bytes.max(encoded.peak_bytes);
        let same = same(picture, &Picture::read(&read(&back)?)?)?;
        for path in [input, coded, back, talk] {
            std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        Ok(same)
    }
}

/// Whether what is seen came back, hidden colours included. Coders may store grey as RGB, and `djxl` writes 1-bit samples as 8-bit ones
/// of the same values.
fn same(before: &Picture, after: &Picture) -> Result<bool> {
    let shape = |picture: &Picture| (picture.width, picture.height, picture.channels());
    let unscaled = before.palette.is_none() && after.palette.is_none() && shape(before) == shape(after) && before.samples == after.samples;
    Ok(unscaled || before.rgba()? == after.rgba()?)
}

/// Runs a program; what it says on stderr goes to `talk`, and is told only if it fails.
fn run(program: &str, arguments: &[&str], from: &Path, into: &Path, talk: &Path) -> Result<child::Outcome> {
    let mut command = Command::new(program);
    for argument in arguments {
        match *argument {
            "{in}" => command.arg(from),
            "{out}" => command.arg(into),
            other => command.arg(other),
        };
    }
    command.stderr(Stdio::from(File::create(talk).with_context(|| format!("{} cannot be written", talk.display()))?));
    child::measure_success(&mut command).with_context(|| std::fs::read_to_string(talk).unwrap_or_default().trim().to_owned())
}

/// Joins all pictures of a shape and palette to one, row by row, as square as can be; empty places are zeros.
fn mosaics(pictures: &[&Picture]) -> Result<Vec<Picture>> {
    let mut groups: BTreeMap<String, Vec<&Picture>> = BTreeMap::new();
    for picture in pictures {
        let shape = (picture.width, picture.height, picture.color, picture.depth, &picture.palette, &picture.transparency);
        groups.entry(format!("{shape:?}")).or_default().push(picture);
    }
    groups.values().map(|group| mosaic(group)).collect()
}

fn mosaic(group: &[&Picture]) -> Result<Picture> {
    let first = group.first().context("a group without pictures")?;
    let columns = group.len().isqrt() + usize::from(group.len().isqrt().pow(2) < group.len());
    let rows = group.len().div_ceil(columns);
    let (tile_row, tile_height) = (first.width as usize * first.channels() * first.sample_bytes(), first.height as usize);
    let mut samples = vec![0; columns * tile_row * rows * tile_height];
    for (number, picture) in group.iter().enumerate() {
        let (row, column) = (number / columns, number % columns);
        for (y, line) in picture.samples.chunks_exact(tile_row).enumerate() {
            let start = ((row * tile_height + y) * columns + column) * tile_row;
            samples[start..start + tile_row].copy_from_slice(line);
        }
    }
    let whole = Picture::new(columns as u32 * first.width, rows as u32 * first.height, first.color, first.depth, samples)?;
    Ok(Picture { palette: first.palette.clone(), transparency: first.transparency.clone(), ..whole })
}

/// `cwebp` and `dwebp` of libwebp.
pub(crate) const WEBP: PerImage = PerImage {
    name: "webp",
    encoder: "cwebp",
    version_flag: "-version",
    decoder: "dwebp",
    decode: &["-quiet", "{in}", "-o", "{out}"],
    settings: &[Setting {
        label: "-lossless -exact -z 9; each image",
        encode: &["-quiet", "-lossless", "-exact", "-z", "9", "{in}", "-o", "{out}"],
        mosaic: false,
    }],
};

/// `cjxl` and `djxl` of libjxl.
pub(crate) const JXL: PerImage = PerImage {
    name: "jxl",
    encoder: "cjxl",
    version_flag: "--version",
    decoder: "djxl",
    decode: &["{in}", "{out}", "--num_threads=0"],
    settings: &[
        Setting { label: "-d 0 -e 7; each image", encode: &["{in}", "{out}", "-d", "0", "-e", "7", "--num_threads=0"], mosaic: false },
        Setting { label: "-d 0 -e 9; mosaic", encode: &["{in}", "{out}", "-d", "0", "-e", "9", "--num_threads=0"], mosaic: true },
    ],
};

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::bench::set::tests::small_set;

    const COPY: PerImage = PerImage {
        name: "copy",
        encoder: "cp",
        version_flag: "--version",
        decoder: "cp",
        decode: &["{in}", "{out}"],
        settings: &[
            Setting { label: "each", encode: &["{in}", "{out}"], mosaic: false },
            Setting { label: "mosaic", encode: &["{in}", "{out}"], mosaic: true },
        ],
    };

    #[test]
    fn images_are_measured_one_by_one_and_joined() {
        let (data, set) = small_set();
        let rows = COPY.measure(&set, data.path()).unwrap();
        let each: usize = set.images.iter().map(|image| image.picture.png().unwrap().len()).sum();
        assert_eq!((rows[0].total_bytes, rows[0].settings.as_str()), (each as u64, "each"));
        assert!(rows[1].total_bytes < rows[0].total_bytes && rows[1].total_bytes > 0);
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1, "scratch files are left");
    }

    #[test]
    fn a_decoder_that_gives_back_something_else_is_found_out() {
        let (data, set) = small_set();
        let other = data.path().join("other.png");
        Picture::new(12, 10, png::ColorType::Rgb, png::BitDepth::Eight, vec![0; 360]).unwrap().write(&other).unwrap();
        let script = data.path().join("liar");
        std::fs::write(&script, format!("#!/bin/sh\ncp '{}' \"$2\"\n", other.display())).unwrap();
        let script: &'static str = Box::leak(script.to_string_lossy().into_owned().into_boxed_str());
        let arguments: &'static [&'static str] = Box::leak(Box::new([script, "{in}", "{out}"]));
        let liar = PerImage { decoder: "sh", decode: arguments, ..COPY };
        assert_eq!(liar.measure(&set, data.path()).unwrap()[0].identical, "no: 3 of 3 differ");
    }

    #[test]
    fn the_same_in_another_layout_is_the_same() {
        use png::{
            BitDepth::{Eight, One},
            ColorType::{Grayscale, Rgb},
        };
        let make = |color, depth, samples: &[u8]| Picture::new(2, 1, color, depth, samples.to_vec()).unwrap();
        let grey = make(Grayscale, Eight, &[0, 255]);
        assert!(same(&grey, &make(Rgb, Eight, &[0, 0, 0, 255, 255, 255])).unwrap());
        assert!(same(&grey, &make(Grayscale, One, &[0, 1])).unwrap());
        assert!(same(&make(Grayscale, One, &[0, 1]), &make(Grayscale, Eight, &[0, 1])).unwrap());
        assert!(!same(&grey, &make(Grayscale, Eight, &[0, 254])).unwrap());
        assert!(!same(&grey, &make(Rgb, Eight, &[0, 0, 0, 255, 255, 254])).unwrap());
    }

    #[test]
    fn mosaics_hold_every_picture_in_its_place() {
        let tile = |value: u8| Picture::new(2, 1, png::ColorType::Grayscale, png::BitDepth::Eight, vec![value, value + 1]).unwrap();
        let other = Picture::new(1, 1, png::ColorType::Rgb, png::BitDepth::Eight, vec![1, 2, 3]).unwrap();
        let tiles: Vec<Picture> = (0..3).map(|at| tile(10 * at)).collect();
        let joined = mosaics(&[&tiles[0], &other, &tiles[1], &tiles[2]]).unwrap();
        assert_eq!(joined.len(), 2);
        let grey = joined.iter().find(|picture| picture.channels() == 1).unwrap();
        assert_eq!((grey.width, grey.height), (4, 2));
        assert_eq!(grey.samples, [0, 1, 10, 11, 20, 21, 0, 0]);
        assert!(joined.contains(&other));
    }
}
