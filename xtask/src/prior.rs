//! Makes a built-in Program: images at several sizes, learned by `kolmo train`, the Program as archives hold it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use image::{DynamicImage, imageops::FilterType};

use crate::bench::kolmo;
use crate::{child, workspace};

/// Bytes of an archive before its Programs, and where their length stands.
const HEADER_BYTES: usize = 80;
const PROGRAMS_LENGTH_AT: usize = 32;

/// Bytes of a Program's entry before its coded bytes, and where their length stands.
const HEAD_BYTES: usize = 10;
const CODED_LENGTH_AT: usize = 6;

/// Sample layout of a built-in Program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Samples {
    /// One channel.
    Gray8,
    /// Three.
    Rgb8,
    /// Three and opacity.
    Rgba8,
}

/// What to learn from, and how long.
#[derive(Debug, Args)]
pub(crate) struct PriorArgs {
    /// Name of the Program; it goes to crates/codec/priors/NAME.prior, for `kolmo_codec::prior` to list.
    name: String,
    /// Folder of images whose licences allow it.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// What its samples are.
    #[arg(long, value_enum, default_value_t = Samples::Rgb8)]
    samples: Samples,
    /// Sides of the images that are learned from, per cent of those given: so that it knows sharp pictures and smooth ones. Pictures with opacity are better
    /// drawn at several sizes than scaled.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [100, 75, 60, 50, 40, 30, 25])]
    sizes: Vec<u32>,
    /// Learn from the files as they are, neither scaled nor converted: drawings of one bit, and pictures drawn at several sizes.
    #[arg(long, conflicts_with_all = ["samples", "sizes"])]
    as_stored: bool,
    /// As `kolmo train` knows it; 3 to 6 differ by time alone.
    #[arg(long, default_value_t = 6)]
    effort: u8,
    /// Size of its network, 1 to 6 [default: as `kolmo train` has it].
    #[arg(long, value_name = "1..6", value_parser = clap::value_parser!(u8).range(1..=6))]
    network: Option<u8>,
}

/// Makes one.
///
/// # Errors
/// If there is no image, or learning fails.
pub(crate) fn run(args: &PriorArgs) -> Result<()> {
    let root = workspace::root()?;
    let binary = kolmo::build(&root)?;
    let work = tempfile::tempdir().context("no temporary folder")?;
    let scaled = work.path().join("images");
    let folder = if args.as_stored { &args.images } else { &scaled };
    if !args.as_stored {
        std::fs::create_dir(&scaled).with_context(|| format!("{} cannot be made", scaled.display()))?;
        let count = resize(&args.images, args.samples, &args.sizes, &scaled)?;
        println!("{count} images at {} sizes", args.sizes.len());
    }
    let learned = work.path().join("learned.kprog");
    let mut train = Command::new(binary);
    train.args(["train", "--no-priors", "--no-kinds", "--seed", "1", "--effort"]).arg(args.effort.to_string()).arg(folder).arg("-o").arg(&learned);
    if let Some(network) = args.network {
        train.args(["--network", &network.to_string()]);
    }
    child::measure_into(&mut train, Stdio::inherit())?;
    let entry = programs(&std::fs::read(&learned).with_context(|| format!("{} cannot be read", learned.display()))?)?;
    let coded = entry.get(CODED_LENGTH_AT..HEAD_BYTES).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    if entry.len() != HEAD_BYTES + coded as usize {
        bail!("{} holds images of several sample layouts: a built-in Program is for one", args.images.display());
    }
    let path = root.join("crates/codec/priors").join(format!("{}.prior", args.name));
    std::fs::write(&path, &entry).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("{}: {} bytes, BLAKE3 {}", path.display(), entry.len(), blake3::hash(&entry));
    Ok(())
}

/// Writes the images of `from` to `to` as PNG, each at all sizes.
fn resize(from: &Path, samples: Samples, sizes: &[u32], to: &Path) -> Result<usize> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(from)
        .with_context(|| format!("{} cannot be listed", from.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    let mut count = 0;
    for path in paths.iter().filter(|path| image::ImageFormat::from_path(path).is_ok()) {
        let picture = image::open(path).with_context(|| format!("{} cannot be read as an image", path.display()))?;
        for &size in sizes {
            let side = |pixels: u32| (pixels * size / 100).max(1);
            let small = match size {
                100 => picture.clone(),
                _ => picture.resize_exact(side(picture.width()), side(picture.height()), FilterType::Lanczos3),
            };
            let small = match samples {
                Samples::Gray8 => DynamicImage::from(small.to_luma8()),
                Samples::Rgb8 => DynamicImage::from(small.to_rgb8()),
                Samples::Rgba8 => DynamicImage::from(small.to_rgba8()),
            };
            let file = to.join(format!("{count:05}_{size}.png"));
            small.save(&file).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        count += 1;
    }
    if count == 0 {
        bail!("{} holds no image", from.display());
    }
    Ok(count)
}

/// The Programs of an archive, as they stand in it.
fn programs(archive: &[u8]) -> Result<Vec<u8>> {
    let length = archive.get(PROGRAMS_LENGTH_AT..PROGRAMS_LENGTH_AT + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let programs = length.and_then(|length| archive.get(HEADER_BYTES..HEADER_BYTES.checked_add(usize::try_from(length).ok()?)?));
    programs.map(<[u8]>::to_vec).context("`kolmo train` wrote no archive")
}
