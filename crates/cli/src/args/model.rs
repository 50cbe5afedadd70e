//! What may be said to `kolmo model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A user's own network, step by step. All of it runs on the CPU.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Learn an image classifier from a folder with one folder a class, on the CPU
    Train(ModelTrain),
    /// Make a network small within an accuracy budget, and prove it
    Compress(ModelCompress),
    /// Write the network of an archive as .safetensors
    Expand(ModelExpand),
    /// Compare an archive with a network, number by number, and measure it
    Verify(ModelVerify),
    /// Train the integers of an archive further
    Tune(ModelTune),
    /// Measure a network on the validation and test images of a folder
    Eval(ModelEval),
}

/// Which images, and how they are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Images")]
pub(crate) struct Images {
    /// Folder with one folder a class, or with train/ and test/ (and validation/) of such folders
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Scale the shorter side of every image to N and cut out the middle; without it all images must have one size
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: Option<u32>,
    /// Means subtracted from samples in 0..1, one a channel [default: the network's own; ImageNet's for foreign checkpoints]
    #[arg(long, value_name = "M,..", value_delimiter = ',', requires = "std")]
    pub(crate) mean: Vec<f32>,
    /// Deviations that samples are divided by
    #[arg(long, value_name = "D,..", value_delimiter = ',', requires = "mean")]
    pub(crate) std: Vec<f32>,
}

/// `kolmo model train`.
#[derive(Debug, Args)]
pub(crate) struct ModelTrain {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Network: resnet18, resnet20, resnet32, resnet44, resnet56 or small
    #[arg(long, value_name = "NAME", default_value = "resnet18")]
    pub(crate) arch: String,
    /// Network to write, a .safetensors file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) passes: Passes,
    /// Begin with this network instead of random weights
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Keep the network in this file after every epoch
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

/// How a network is trained. Classifiers are trained on the CPU.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Training, on the CPU")]
pub(crate) struct Passes {
    /// Passes over the training images [default: 10 for `train`, 2 for `tune`]
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) batch: usize,
    /// Peak of Adam's learning rate [default: 1e-3 for `train`, 3e-4 for `tune`]
    #[arg(long, value_name = "RATE")]
    pub(crate) lr: Option<f64>,
    /// Change training images: mirrored, or moved by up to an eighth of their side
    #[arg(long, value_name = "flip,shift", value_delimiter = ',', value_enum, default_value = "none")]
    pub(crate) augment: Vec<Change>,
}

/// A change of a training image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Change {
    /// Left to right, every second time.
    Flip,
    /// Padded and cut: moved by up to an eighth of the side.
    Shift,
    /// As they are.
    None,
}

/// `kolmo model eval`.
#[derive(Debug, Args)]
pub(crate) struct ModelEval {
    /// Network: .safetensors, .pt, .pth or .th file, or a network archive
    #[arg(value_name = "NETWORK")]
    pub(crate) network: PathBuf,
    #[command(flatten)]
    pub(crate) images: Images,
}

/// `kolmo model compress`.
#[derive(Debug, Args)]
pub(crate) struct ModelCompress {
    /// Network: .safetensors, .pt, .pth or .th file
    #[arg(value_name = "NETWORK")]
    pub(crate) network: PathBuf,
    #[command(flatten)]
    pub(crate) images: Images,
    /// Archive to write [default: NETWORK.kolmo beside the network]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Points of validation top-1 that may be lost
    #[arg(long, value_name = "POINTS", default_value_t = 0.5)]
    pub(crate) max_drop: f64,
    /// How bits are given to tensors
    #[arg(long, value_enum, default_value_t = Allocation::Dynamic)]
    pub(crate) strategy: Allocation,
    /// Fold BatchNorm into the convolutions before it (their biases are kept exactly then)
    #[arg(long)]
    pub(crate) fold_norms: bool,
    /// One step a tensor instead of one an output channel
    #[arg(long)]
    pub(crate) tensor_steps: bool,
    /// Passes over the training images in all; 0 trains nothing, fractions count [default: some ten minutes of two cores, 4 to 40]
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<f64>,
    /// Standard errors of a measured drop that have to fit into the budget too: validation images are few
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) margin: f64,
    /// Training images that the loss of each tensor is measured on
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) calibration: usize,
    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) batch: usize,
    /// Peak of Adam's learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-4)]
    pub(crate) lr: f64,
    /// Change training images: mirrored, or moved by up to an eighth of their side
    #[arg(long, value_name = "flip,shift", value_delimiter = ',', value_enum, default_value = "none")]
    pub(crate) augment: Vec<Change>,
    /// Write the curve of size and accuracy to OUT.txt, OUT.csv and OUT.svg
    #[arg(long, value_name = "OUT")]
    pub(crate) sweep: Option<PathBuf>,
}

/// How bits are given to tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Allocation {
    /// Least sum of measured losses within the bytes, by dynamic programming.
    Dynamic,
    /// Step by step what loses least for a byte.
    Greedy,
    /// The same bits for every tensor.
    Fixed,
}

/// `kolmo model expand`.
#[derive(Debug, Args)]
pub(crate) struct ModelExpand {
    /// Network archive
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Network to write [default: ARCHIVE.safetensors beside the archive]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `kolmo model verify`.
#[derive(Debug, Args)]
pub(crate) struct ModelVerify {
    /// Network archive
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Network to compare with, number by number
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Folder of images to measure on, as of `model train`
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Scale the shorter side of every image to N and cut out the middle
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: Option<u32>,
}

/// `kolmo model tune`.
#[derive(Debug, Args)]
pub(crate) struct ModelTune {
    /// Network archive
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    #[command(flatten)]
    pub(crate) images: Images,
    /// Archive to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Learn from the answers of this network besides the labels, for example the one that was compressed
    #[arg(long, value_name = "FILE")]
    pub(crate) teacher: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passes: Passes,
}
