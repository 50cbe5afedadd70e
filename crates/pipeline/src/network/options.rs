//! What a caller may choose.

use std::path::PathBuf;

use kolmo_model::classify::arch::Kind;
use kolmo_model::classify::compress::Recipe;
use kolmo_model::classify::images::{Augment, Normalisation};

use crate::options::{Limits, StopFlag};

/// Which images, and how they are read.
#[derive(Debug, Clone, Default)]
pub struct DataOptions {
    /// Side to which images are scaled and cut; `None` takes them as they are.
    pub size: Option<u32>,
    /// Normalisation of samples; `None` takes the network's own (ImageNet's for checkpoints that do not say), or measures it for a new one.
    pub normalisation: Option<Normalisation>,
    /// Seed of initial weights, order and augmentation; of the split too, unless the network says which it was trained on.
    pub seed: u64,
    /// Worker threads; 0 means one a core. Numbers do not depend on it.
    pub threads: usize,
}

/// How a network is trained.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The images.
    pub data: DataOptions,
    /// Which network.
    pub arch: Kind,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// What is done to training images.
    pub augment: Augment,
    /// Network to begin with, instead of random weights.
    pub from: Option<PathBuf>,
    /// File that gets the network after every epoch.
    pub checkpoint: Option<PathBuf>,
    /// Replace outputs that exist.
    pub force: bool,
    /// What reading may cost.
    pub limits: Limits,
    /// Asks a running call to stop early.
    pub stop: StopFlag,
}

impl Default for TrainOptions {
    /// A ResNet-18 for ten epochs of batches of 64 at 1e-3.
    fn default() -> Self {
        Self {
            data: DataOptions::default(),
            arch: Kind::ResNet18,
            epochs: 10,
            batch: 64,
            learning_rate: 1e-3,
            augment: Augment::default(),
            from: None,
            checkpoint: None,
            force: false,
            limits: Limits::default(),
            stop: StopFlag::default(),
        }
    }
}

/// How a network is made small.
#[derive(Debug, Clone, Default)]
pub struct CompressOptions {
    /// The images.
    pub data: DataOptions,
    /// Budget, strategy, training.
    pub recipe: Recipe,
    /// Fold normalisations into convolutions first.
    pub fold_norms: bool,
    /// Prefix of the files that get the curve of size and accuracy: `.txt`, `.csv`, `.svg`.
    pub sweep: Option<PathBuf>,
    /// Replace outputs that exist.
    pub force: bool,
    /// What reading may cost.
    pub limits: Limits,
    /// Asks a running call to stop early.
    pub stop: StopFlag,
}

/// How the integers of a network archive are trained further.
#[derive(Debug, Clone)]
pub struct TuneOptions {
    /// The images.
    pub data: DataOptions,
    /// Network whose answers are learned from besides the labels, for example the one that was compressed.
    pub teacher: Option<PathBuf>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// What is done to training images.
    pub augment: Augment,
    /// Replace outputs that exist.
    pub force: bool,
    /// What reading may cost.
    pub limits: Limits,
    /// Asks a running call to stop early.
    pub stop: StopFlag,
}

impl Default for TuneOptions {
    /// Two epochs at 3e-4.
    fn default() -> Self {
        Self {
            data: DataOptions::default(),
            teacher: None,
            epochs: 2,
            batch: 64,
            learning_rate: 3e-4,
            augment: Augment::default(),
            force: false,
            limits: Limits::default(),
            stop: StopFlag::default(),
        }
    }
}
