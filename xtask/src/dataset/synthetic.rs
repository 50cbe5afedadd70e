//! Sets made from a seed, in integers only: the same arguments give the same samples everywhere.

mod noise;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::picture::Picture;
use crate::workspace;
use noise::{Noise, Random};

/// What to make.
#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// Kind of pictures.
    name: Kind,
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    images: u32,
    /// Width and height in pixels.
    #[arg(long, value_name = "WxH", default_value = "100x100", value_parser = parse_size)]
    size: (u32, u32),
    /// Another seed gives other pictures of the same kind.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder to make [default: NAME in the user's cache folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// RGB: smooth noise of several octaves, faint chroma, sensor noise.
    PhotosLike,
    /// 1 bit: lines of glyphs of one small alphabet, a few specks.
    Scans,
    /// RGBA: mirrored figures of few colours on transparent ground.
    Sprites,
    /// Grey: ramps in all directions.
    Gradient,
}

/// Names of the kinds.
pub(crate) fn names() -> Vec<String> {
    Kind::value_variants().iter().map(|kind| kind.name()).collect()
}

impl Kind {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    match sides {
        Some((width, height)) if (1..=8192).contains(&width) && (1..=8192).contains(&height) => Ok((width, height)),
        _ => Err("width and height of 1 to 8192, such as 100x100".to_owned()),
    }
}

/// Makes a set.
///
/// # Errors
/// If the folder exists or cannot be written.
pub(crate) fn make(args: &MakeArgs) -> Result<()> {
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => super::cache_folder()?.join(args.name.name()),
    };
    if folder.exists() {
        bail!("{} exists; choose another with --out", folder.display());
    }
    fill(&folder, args.name, args.images, args.size, args.seed)?;
    println!("{}: {} images in {}", args.name.name(), args.images, folder.display());
    Ok(())
}

/// Writes the pictures of a set and gives back the name of the one in the middle.
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn fill(folder: &Path, kind: Kind, images: u32, size: (u32, u32), seed: u64) -> Result<String> {
    let digits = images.to_string().len();
    let name = |index: u32| format!("{index:0digits$}.png");
    let next = AtomicU32::new(0);
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= images {
                return Ok(());
            }
            draw(kind, size, seed, index)?.write(&folder.join(name(index))).context("the set is not whole")?;
        }
    };
    // Each picture depends on its number alone, so it does not matter who draws it.
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workspace::cores()).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(name(images / 2))
}

/// One picture. Depends on its arguments alone, not on the pictures before it.
fn draw(kind: Kind, size: (u32, u32), seed: u64, index: u32) -> Result<Picture> {
    let random = Random::new(seed, u64::from(index));
    match kind {
        Kind::PhotosLike => photo(size, random),
        Kind::Scans => scan(size, Random::new(seed, u64::MAX), random),
        Kind::Sprites => sprite(size, random),
        Kind::Gradient => gradient(size, random),
    }
}

fn photo((width, height): (u32, u32), mut random: Random) -> Result<Picture> {
    let light = Noise::new(random.next(), 6);
    let chroma = [Noise::new(random.next(), 3), Noise::new(random.next(), 3)];
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let base = light.at(x, y);
            let (red, blue) = ((chroma[0].at(x, y) - 128) / 3, (chroma[1].at(x, y) - 128) / 3);
            // Two dice of a sensor: mean 0, deviation about 1.6.
            let mut grain = || (random.below(5) + random.below(5)) as i32 - 4;
            samples.extend([base + red, base - (red + blue) / 2, base + blue].map(|value| (value + grain()).clamp(0, 255) as u8));
        }
    }
    Picture::new(width, height, png::ColorType::Rgb, png::BitDepth::Eight, samples)
}

/// Glyphs are 5x7 cells; an alphabet belongs to a seed, so that a set repeats its glyphs.
fn scan((width, height): (u32, u32), mut alphabet: Random, mut random: Random) -> Result<Picture> {
    const GLYPHS: usize = 24;
    let glyphs: Vec<u64> = (0..GLYPHS).map(|_| alphabet.next() & alphabet.next().rotate_left(9)).collect();
    let mut samples = vec![1; width as usize * height as usize];
    for top in (3..height).step_by(11) {
        let end = width - random.below(u64::from(width / 3) + 1) as u32;
        for left in (3..end).step_by(7) {
            let glyph = random.below(GLYPHS as u64 + 4) as usize;
            let Some(cells) = glyphs.get(glyph) else { continue };
            for (row, column) in (0..7).flat_map(|row| (0..5).map(move |column| (row, column))) {
                let (y, x) = (top + row, left + column);
                if y < height && x < end && cells >> (row * 5 + column) & 1 == 1 {
                    samples[(y * width + x) as usize] = 0;
                }
            }
        }
    }
    for sample in &mut samples {
        if random.below(500) == 0 {
            *sample ^= 1;
        }
    }
    Picture::new(width, height, png::ColorType::Grayscale, png::BitDepth::One, samples)
}

fn sprite((width, height): (u32, u32), mut random: Random) -> Result<Picture> {
    let mut colour = || {
        let bits = random.next().to_le_bytes();
        [bits[0], bits[1], bits[2], 255]
    };
    let colours = [[0, 0, 0, 255], colour(), colour(), colour()];
    let shape = Noise::new(random.next(), 3);
    let pattern = Noise::new(random.next(), 2);
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            // Mirrored left and right, thinner towards the border.
            let side = x.min(width - 1 - x);
            let edge = side.min(y.min(height - 1 - y)) * 512 / width.min(height).max(1);
            let body = shape.at(side, y) + edge.min(128) as i32 - 128;
            let pixel = match body {
                ..40 => [0, 0, 0, 0],
                40..56 => colours[0],
                _ => colours[1 + (pattern.at(side, y) as usize / 86).min(2)],
            };
            samples.extend(pixel);
        }
    }
    Picture::new(width, height, png::ColorType::Rgba, png::BitDepth::Eight, samples)
}

fn gradient((width, height): (u32, u32), mut random: Random) -> Result<Picture> {
    let mut slope = |side: u32| (random.below(513) as i64 - 256) * 256 / i64::from(side);
    let (across, down) = (slope(width), slope(height));
    let start = random.below(256) as i64 * 256;
    // A ramp that reaches white or black turns round.
    let fold = |height: i64| height.min(510 * 256 - height) / 256;
    let value = |x: u32, y: u32| fold((start + i64::from(x) * across + i64::from(y) * down).rem_euclid(510 * 256));
    let samples = (0..height).flat_map(|y| (0..width).map(move |x| value(x, y) as u8)).collect();
    Picture::new(width, height, png::ColorType::Grayscale, png::BitDepth::Eight, samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint;

    fn samples(kind: Kind, seed: u64) -> Vec<u8> {
        (0..4).flat_map(|index| draw(kind, (64, 48), seed, index).unwrap().samples).collect()
    }

    #[test]
    fn each_kind_is_the_same_everywhere() {
        for (kind, digest) in [
            (Kind::PhotosLike, "c9f22810df522721"),
            (Kind::Scans, "5fb73ed58c2c6488"),
            (Kind::Sprites, "28c7d5d697c1624c"),
            (Kind::Gradient, "5d53f7243fd4edec"),
        ] {
            assert_eq!(blake3::hash(&samples(kind, 1)).to_hex()[..16], *digest, "{kind:?}");
        }
    }

    #[test]
    fn pictures_differ_by_seed_and_by_number() {
        for kind in Kind::value_variants() {
            assert_ne!(samples(*kind, 1), samples(*kind, 2), "{kind:?}");
            assert_ne!(draw(*kind, (64, 48), 1, 0).unwrap(), draw(*kind, (64, 48), 1, 1).unwrap(), "{kind:?}");
        }
    }

    #[test]
    fn each_kind_looks_like_its_name() {
        use png::ColorType::{Grayscale, Rgb, Rgba};
        let of = |kind| draw(kind, (64, 48), 3, 0).unwrap();
        assert_eq!(Kind::value_variants().iter().map(|kind| of(*kind).color).collect::<Vec<_>>(), [Rgb, Grayscale, Rgba, Grayscale]);
        // Of four pictures of 3072 pixels.
        let ink = samples(Kind::Scans, 3).iter().filter(|sample| **sample == 0).count();
        assert!((400..4000).contains(&ink), "{ink}");
        let clear = samples(Kind::Sprites, 3).chunks_exact(4).filter(|pixel| pixel[3] == 0).count();
        assert!((600..9000).contains(&clear), "{clear}");
        // Neighbours in a photograph are alike, and not equal.
        let photo = of(Kind::PhotosLike).samples;
        let steps: u64 = photo.windows(4).map(|pair| u64::from(pair[0].abs_diff(pair[3]))).sum();
        let mean = steps as f64 / photo.len() as f64;
        assert!((1.0..12.0).contains(&mean), "{mean}");
    }

    #[test]
    fn odd_sizes_are_drawn_and_silly_ones_refused() {
        for kind in Kind::value_variants() {
            for size in [(1, 1), (1, 9), (200, 3)] {
                draw(*kind, size, 0, 0).unwrap();
            }
        }
        assert_eq!(parse_size("3x4"), Ok((3, 4)));
        for odd in ["", "3", "0x4", "3x", "9000x1", "-1x4"] {
            assert!(parse_size(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_made_set_is_the_same_twice_and_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let args = |out: &str| MakeArgs { name: Kind::Sprites, images: 11, size: (9, 7), seed: 5, out: Some(place.path().join(out)) };
        make(&args("a")).unwrap();
        make(&args("b")).unwrap();
        let paths = fingerprint::paths(&place.path().join("a")).unwrap();
        assert_eq!((paths.len(), paths[10].as_str()), (11, "10.png"));
        assert_eq!(fingerprint::folder(&place.path().join("a")).unwrap(), fingerprint::folder(&place.path().join("b")).unwrap());
        assert!(make(&args("a")).unwrap_err().to_string().contains("exists"));
    }
}
