//! Named tensors in files: `.safetensors` both ways, `.pt`, `.pth` and `.th` to read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::store::{ModuleStore, PytorchStore};
use burn::tensor::DType;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::Error;

/// A tensor of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes of its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// The file, for messages.
    pub path: String,
    /// Tensors of floats, as 32-bit floats.
    pub tensors: BTreeMap<String, Array>,
    /// Strings beside the tensors (`.safetensors` only).
    pub metadata: BTreeMap<String, String>,
    /// Counters of batches that normalisations keep; no network computes with them, but a file that had them gets them back.
    pub counters: BTreeMap<String, i64>,
}

/// What PyTorch's normalisations count; loading a state without it is allowed.
const COUNTER: &str = "num_batches_tracked";
/// What `DataParallel` puts before every name.
const PARALLEL: &str = "module.";

impl Checkpoint {
    /// Reads a file: PyTorch's if it ends in `.pt`, `.pth` or `.th`, else safetensors. The prefix `module.` is taken off.
    ///
    /// # Errors
    /// `Checkpoint` names the file, `Tensor` also the tensor.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let mut checkpoint = match extension {
            "pt" | "pth" | "th" => read_pytorch(path)?,
            _ => {
                let bytes = std::fs::read(path).map_err(|error| failed(path, error))?;
                parse_safetensors(path, &bytes)?
            }
        };
        if !checkpoint.tensors.is_empty() && checkpoint.tensors.keys().all(|name| name.starts_with(PARALLEL)) {
            let plain = |name: &str| name.strip_prefix(PARALLEL).unwrap_or(name).to_owned();
            checkpoint.tensors = checkpoint.tensors.into_iter().map(|(name, array)| (plain(&name), array)).collect();
            checkpoint.counters = checkpoint.counters.into_iter().map(|(name, count)| (plain(&name), count)).collect();
        }
        Ok(checkpoint)
    }

    /// A `.safetensors` file with these tensors, counters and strings.
    ///
    /// # Errors
    /// `Checkpoint`, which cannot happen for tensors whose shapes fit their values.
    pub fn to_safetensors(
        tensors: &[(String, Array)],
        counters: &BTreeMap<String, i64>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, Error> {
        let counts: Vec<[u8; 8]> = counters.values().map(|count| count.to_le_bytes()).collect();
        let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, array)| array.values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
        let made = |error: safetensors::SafeTensorError| Error::Checkpoint { path: "safetensors".to_owned(), source: error.into() };
        let mut views = Vec::with_capacity(tensors.len());
        for ((name, array), bytes) in tensors.iter().zip(&bytes) {
            views.push((name.as_str(), TensorView::new(Dtype::F32, array.shape.clone(), bytes).map_err(made)?));
        }
        for (name, count) in counters.keys().zip(&counts) {
            views.push((name.as_str(), TensorView::new(Dtype::I64, Vec::new(), count).map_err(made)?));
        }
        let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
        safetensors::serialize(views, (!metadata.is_empty()).then_some(metadata)).map_err(made)
    }
}

fn parse_safetensors(path: &Path, bytes: &[u8]) -> Result<Checkpoint, Error> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| failed(path, error))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| failed(path, error))?;
    let mut checkpoint = Checkpoint { path: path.display().to_string(), ..Checkpoint::default() };
    checkpoint.metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    for (name, view) in file.tensors() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => words(data, f32::from_le_bytes),
            Dtype::F64 => words(data, |word| f64::from_le_bytes(word) as f32),
            Dtype::F16 => words(data, |word| half::f16::from_le_bytes(word).to_f32()),
            Dtype::BF16 => words(data, |word| half::bf16::from_le_bytes(word).to_f32()),
            Dtype::I64 if name.ends_with(COUNTER) && data.len() == 8 => {
                checkpoint.counters.insert(name, count(data));
                continue;
            }
            other => return Err(not_floats(path, &name, &format!("{other:?}"))),
        };
        checkpoint.tensors.insert(name, Array { shape: view.shape().to_vec(), values });
    }
    Ok(checkpoint)
}

fn read_pytorch(path: &Path) -> Result<Checkpoint, Error> {
    if let Err(error) = std::fs::File::open(path) {
        return Err(failed(path, error));
    }
    let open = || PytorchStore::from_file(path).map_indices_contiguous(false);
    let mut inner = open().with_top_level_key("state_dict");
    let mut outer = open();
    // A training script's checkpoint holds the state beside other things; a plain state dict has no such key.
    let found = match inner.get_all_tensors() {
        Ok(found) if !found.is_empty() => found,
        _ => outer.get_all_tensors().map_err(|error| failed(path, error))?,
    };
    let mut checkpoint = Checkpoint { path: path.display().to_string(), ..Checkpoint::default() };
    for (name, tensor) in found {
        let data = tensor.to_bytes().map_err(|error| failed(path, error))?;
        let values = match tensor.dtype {
            DType::F32 => words(&data, f32::from_le_bytes),
            DType::F64 => words(&data, |word| f64::from_le_bytes(word) as f32),
            DType::F16 => words(&data, |word| half::f16::from_le_bytes(word).to_f32()),
            DType::BF16 => words(&data, |word| half::bf16::from_le_bytes(word).to_f32()),
            DType::I64 if name.ends_with(COUNTER) && data.len() == 8 => {
                checkpoint.counters.insert(name.clone(), count(&data));
                continue;
            }
            other => return Err(not_floats(path, name, &format!("{other:?}"))),
        };
        let shape: Vec<usize> = tensor.shape.to_vec();
        if shape.iter().product::<usize>() != values.len() {
            let what = format!("has shape {shape:?} but {} values", values.len());
            return Err(Error::Tensor { path: path.display().to_string(), name: name.clone(), what });
        }
        checkpoint.tensors.insert(name.clone(), Array { shape, values });
    }
    Ok(checkpoint)
}

fn words<const N: usize, T>(data: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&word| value(word)).collect()
}

fn count(data: &[u8]) -> i64 {
    words(data, |word: [u8; 8]| i64::from_le_bytes(word)).first().copied().unwrap_or_default()
}

fn not_floats(path: &Path, name: &str, dtype: &str) -> Error {
    let what = format!("has values of type {dtype}; floats of 16, 32 or 64 bits are needed");
    Error::Tensor { path: path.display().to_string(), name: name.to_owned(), what }
}

fn failed(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Checkpoint { path: path.display().to_string(), source: error.into() }
}

#[cfg(test)]
mod tests;
