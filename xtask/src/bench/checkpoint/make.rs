//! The files that are measured: two trained networks, the same in half precision, and synthetic ones.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::child;

/// A file to measure.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// As ZipNN calls it.
    pub(crate) dtype: &'static str,
    pub(crate) synthetic: bool,
    /// The checkpoint before it.
    pub(crate) base: Option<PathBuf>,
}

impl File {
    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(std::fs::metadata(&self.path).with_context(|| format!("{} cannot be read", self.path.display()))?.len())
    }
}

/// A line of `kolmo list --tensors --json`.
#[derive(Debug, Deserialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<u64>,
    offset: usize,
    bytes: usize,
}

/// Half precision of both kinds.
const HALVES: [(&str, &str, &str); 2] = [("bf16", "BF16", "bfloat16"), ("f16", "F16", "float16")];

/// The networks of the set, each as it is and in half precision.
pub(crate) fn real(set: &Path, kolmo: &Path, scratch: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(set).with_context(|| format!("{} cannot be read; the set `checkpoint` is needed", set.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "th" || extension == "safetensors"));
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let tensors = tensors(kolmo, &path, scratch)?;
        files.push(File { name, path, dtype: "float32", synthetic: false, base: None });
        for (suffix, dtype, zipnn) in HALVES {
            let (name, path) = (format!("{stem} {suffix}"), scratch.join(format!("{stem}-{suffix}.safetensors")));
            write_half(&path, dtype, &tensors, &bytes)?;
            files.push(File { name, path, dtype: zipnn, synthetic: false, base: None });
        }
    }
    if files.is_empty() {
        bail!("{} holds no checkpoint", set.display())
    }
    Ok(files)
}

/// Its tensors in single precision, rounded.
fn write_half(path: &Path, dtype: &str, tensors: &[Tensor], bytes: &[u8]) -> Result<()> {
    let singles = tensors.iter().filter(|tensor| matches!(tensor.dtype.as_str(), "F32" | "Float"));
    let half = |tensor: &Tensor| (tensor.name.clone(), tensor.shape.clone(), halved(&bytes[tensor.offset..][..tensor.bytes], dtype));
    write(path, dtype, &singles.map(half).collect::<Vec<_>>())
}

/// The set's ResNet-20 after two epochs of further training, each with the same after one; none if the images are missing.
pub(crate) fn epochs(data: &Path, kolmo: &Path, scratch: &Path) -> Result<Vec<File>> {
    let (images, network) = (data.join("cifar10_jpeg"), data.join("checkpoint/resnet_cifar10_resnet20-12fca82f.th"));
    if !images.is_dir() || !network.is_file() {
        println!("checkpoints of two epochs are left out: the set `cifar10_jpeg` or the ResNet-20 is missing");
        return Ok(vec![]);
    }
    let (first, second) = (scratch.join("epoch1.safetensors"), scratch.join("epoch2.safetensors"));
    for (from, to) in [(&network, &first), (&first, &second)] {
        println!("training for {}", to.display());
        let words = ["model", "train", "--json", "--threads", "1", "--arch", "resnet20", "--epochs", "1", "--lr", "1e-4", "--from"];
        child::measure_success(Command::new(kolmo).args(words).arg(from).arg("--data").arg(&images).arg("-o").arg(to))?;
    }
    let mut files = Vec::new();
    for (suffix, dtype, zipnn) in [("f32", "F32", "float32"), HALVES[0], HALVES[1]] {
        let [before, after] = [&first, &second].map(|path| path.with_extension(format!("{suffix}.safetensors")));
        for (path, to) in [(&first, &before), (&second, &after)] {
            if dtype == "F32" {
                std::fs::copy(path, to).with_context(|| format!("{} cannot be written", to.display()))?;
            } else {
                let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
                write_half(to, dtype, &tensors(kolmo, path, scratch)?, &bytes)?;
            }
        }
        files.push(File { name: format!("resnet20 an epoch later {suffix}"), path: after, dtype: zipnn, synthetic: false, base: Some(before) });
    }
    Ok(files)
}

/// What kolmo finds in a checkpoint.
fn tensors(kolmo: &Path, file: &Path, scratch: &Path) -> Result<Vec<Tensor>> {
    let archive = scratch.join("tensors.kolmo");
    child::measure_success(Command::new(kolmo).args(["compress", "--json", "--force", "-o"]).arg(&archive).arg(file))?;
    let listed = child::measure_success(Command::new(kolmo).args(["list", "--tensors", "--json"]).arg(&archive))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("kolmo said `{line}`"))).collect()
}

/// Single precision rounded to half, ties to even.
fn halved(single: &[u8], dtype: &str) -> Vec<u8> {
    let values = single.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let half = if dtype == "BF16" { bf16 } else { f16 };
    values.flat_map(|bits| half(bits).to_le_bytes()).collect()
}

fn bf16(bits: u32) -> u16 {
    if f32::from_bits(bits).is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

fn f16(bits: u32) -> u16 {
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = f32::from_bits(bits & 0x7fff_ffff);
    if magnitude.is_nan() {
        return sign | 0x7e00;
    }
    // Subnormal halves are multiples of 2^-24: a sum that pushes the rest out of the mantissa rounds them, ties to even.
    if magnitude < 6.103_515_6e-5 {
        return sign | ((magnitude + 0.5).to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = (bits & 0x7fff_ffff) + 0xfff + (bits >> 13 & 1);
    let half = (rounded >> 13).saturating_sub(112 << 10);
    sign | half.min(0x7c00) as u16
}

/// A safetensors file with tensors of one type.
fn write(path: &Path, dtype: &str, tensors: &[(String, Vec<u64>, Vec<u8>)]) -> Result<()> {
    let mut at = 0;
    let mut header = serde_json::Map::new();
    for (name, shape, bytes) in tensors {
        header.insert(name.clone(), serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, at + bytes.len()] }));
        at += bytes.len();
    }
    let header = serde_json::to_vec(&header).context("a header is JSON")?;
    let file = std::fs::File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut out = std::io::BufWriter::new(file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.iter().try_for_each(|(_, _, bytes)| out.write_all(bytes))?;
    out.flush().with_context(|| format!("{} cannot be written", path.display()))
}

/// Elements of a synthetic tensor.
const TENSOR: usize = 1 << 22;

/// Normal values of deviation 0.02 (Box-Muller of splitmix64), `bytes` of them in single precision, and the same in half.
pub(crate) fn synthetic(scratch: &Path, bytes: u64) -> Result<Vec<File>> {
    let mut state = 0u64;
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut single = Vec::new();
    for number in 0..bytes.div_ceil(4 * TENSOR as u64) {
        let count = TENSOR.min((bytes / 4) as usize - number as usize * TENSOR);
        let mut values = Vec::with_capacity(4 * count + 8);
        while values.len() < 4 * count {
            let (radius, angle) = ((-2.0 * (1.0 - uniform()).ln()).sqrt() * 0.02, std::f32::consts::TAU * uniform());
            values.extend((radius * angle.cos()).to_le_bytes());
            values.extend((radius * angle.sin()).to_le_bytes());
        }
        values.truncate(4 * count);
        single.push((format!("layer{number}.weight"), vec![count as u64], values));
    }
    let mut files = Vec::new();
    for (suffix, dtype, zipnn) in [("f32", "F32", "float32"), HALVES[0], HALVES[1]] {
        let (name, path) = (format!("synthetic {suffix}"), scratch.join(format!("synthetic-{suffix}.safetensors")));
        if dtype == "F32" {
            write(&path, dtype, &single)?;
        } else {
            let half: Vec<_> = single.iter().map(|(name, shape, bytes)| (name.clone(), shape.clone(), halved(bytes, dtype))).collect();
            write(&path, dtype, &half)?;
        }
        files.push(File { name, path, dtype: zipnn, synthetic: true, base: None });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_even() {
        let (short, brain) = (|value: f32| f16(value.to_bits()), |value: f32| bf16(value.to_bits()));
        assert_eq!([short(1.0), short(-2.5), short(65_504.0), short(1e6), short(0.0)], [0x3c00, 0xc100, 0x7bff, 0x7c00, 0]);
        assert_eq!([short(6e-8), short(5.960_464_5e-8 * 2.5), short(6.1e-5)], [1, 2, 0x3ff]);
        assert_eq!([short(1.0 + 1.0 / 2048.0), short(1.0 + 3.0 / 2048.0)], [0x3c00, 0x3c02]);
        assert_eq!([short(f32::NAN) & 0x7c00, short(f32::NEG_INFINITY)], [0x7c00, 0xfc00]);
        assert_eq!([brain(1.0), brain(-0.5), brain(f32::INFINITY), brain(1.0 + 1.0 / 256.0)], [0x3f80, 0xbf00, 0x7f80, 0x3f80]);
    }
}
