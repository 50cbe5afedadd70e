//! Checkpoints: float weights as safetensors, with a small JSON beside them that says how far training had come.

use std::path::{Path, PathBuf};

use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::effort::Plan;
use crate::error::Error;
use crate::net::Net;

/// How far training had come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being trained, and how.
    pub plan: Plan,
    /// Steps done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
}

/// Where the checkpoints of one group live.
#[derive(Debug, Clone)]
pub struct Place {
    weights: PathBuf,
    progress: PathBuf,
}

impl Place {
    /// `<folder>/<group>.safetensors` and `<folder>/<group>.json`.
    #[must_use]
    pub fn new(folder: &Path, group: &str) -> Self {
        Self { weights: folder.join(format!("{group}.safetensors")), progress: folder.join(format!("{group}.json")) }
    }

    /// Writes a checkpoint: first beside the old one, then in its place.
    ///
    /// # Errors
    /// `Checkpoint` names the file.
    pub fn save(&self, net: &Net, progress: &Progress) -> Result<(), Error> {
        let fresh = self.weights.with_extension("new.safetensors");
        if let Some(folder) = self.weights.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        let mut store = SafetensorsStore::from_file(&fresh).metadata("made_by", "kolmo").overwrite(true);
        net.save_into(&mut store).map_err(|error| failed(&fresh, error))?;
        let text = serde_json::to_vec_pretty(progress).map_err(|error| failed(&self.progress, error))?;
        std::fs::rename(&fresh, &self.weights).map_err(|error| failed(&self.weights, error))?;
        std::fs::write(&self.progress, text).map_err(|error| failed(&self.progress, error))
    }

    /// Reads a checkpoint, if there is one.
    ///
    /// # Errors
    /// `Checkpoint` names the file that cannot be read or does not fit.
    pub fn load(&self, device: &Device) -> Result<Option<(Net, Progress)>, Error> {
        if !self.progress.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&self.progress).map_err(|error| failed(&self.progress, error))?;
        let progress: Progress = serde_json::from_slice(&text).map_err(|error| failed(&self.progress, error))?;
        let mut net = Net::new(&progress.plan.shape, device);
        let loaded = net.load_from(&mut SafetensorsStore::from_file(&self.weights)).map_err(|error| failed(&self.weights, error))?;
        if !loaded.missing.is_empty() {
            return Err(failed(&self.weights, std::io::Error::other("tensors are missing")));
        }
        Ok(Some((net, progress)))
    }
}

fn failed(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Checkpoint { path: path.display().to_string(), source: error.into() }
}
