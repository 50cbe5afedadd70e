//! What a caller may choose.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

pub use kolmo_codec::block::{Method, kernel, kernels};
pub use kolmo_codec::limits::Limits;
pub use kolmo_data::open::Fidelity;
pub use kolmo_model::device::DeviceChoice;
use kolmo_model::train::Wish;

/// How a dataset is compressed.
#[derive(Debug, Clone)]
pub struct CompressOptions {
    /// Whole files byte for byte, or pixels and image facts only.
    pub fidelity: Fidelity,
    /// How Programs are learned. `None` stores everything the general way.
    pub learn: Option<LearnOptions>,
    /// A Program made by [`crate::train`]: used as it is where the sample layout fits, nothing is learned then.
    pub program: Option<PathBuf>,
    /// A checkpoint that tensors are coded against, where that pays; expanding needs it then.
    pub base: Option<PathBuf>,
    /// How samples are coded under a Program. `None` takes, for each group of images, adaptive coding where it saves enough.
    pub coding: Option<Method>,
    /// Worker threads; 0 means one a core. Part of what makes an archive repeatable: same seed, device and threads, same bytes.
    pub threads: usize,
    /// Bytes of samples that are held to learn from; of more images than that a fair part is, chosen by their digests. The others are read
    /// again when they are coded.
    pub sample_bytes: u64,
    /// Replace an output that exists.
    pub force: bool,
    /// Only look and estimate; nothing is written.
    pub dry_run: bool,
    /// What reading may cost.
    pub limits: Limits,
    /// Asks a running call to stop early.
    pub stop: StopFlag,
}

impl Default for CompressOptions {
    fn default() -> Self {
        Self {
            fidelity: Fidelity::Files,
            learn: Some(LearnOptions::default()),
            program: None,
            base: None,
            coding: None,
            threads: 0,
            sample_bytes: 256 << 20,
            force: false,
            dry_run: false,
            limits: Limits::default(),
            stop: StopFlag::default(),
        }
    }
}

/// How a Program is learned from a group of images.
#[derive(Debug, Clone)]
pub struct LearnOptions {
    /// Size of the network and length of training, 1 (seconds) to 9 (an hour); see [`kolmo_model::effort`].
    pub effort: u8,
    /// Upper bound on training time over all groups; the schedule is planned to fit.
    pub time_budget: Option<Duration>,
    /// Seed of initial weights, sampling and the train/validation/test split.
    pub seed: u64,
    /// Where training runs. Coding always runs on the CPU, in integers.
    pub device: DeviceChoice,
    /// Folder in which checkpoints are kept, so that an interrupted training can be resumed.
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint found in `checkpoint`.
    pub resume: bool,
    /// Use built-in Programs where they pay, and begin learning with what they know.
    pub priors: bool,
    /// Size of the networks that are learned, 1 (smallest) to [`kolmo_model::effort::Plan::NETWORKS`]; `None`: as effort and the group's images have it. A network of a given size begins
    /// with random weights.
    pub network: Option<u8>,
    /// Learn several Programs for images of one sample layout where these are of several kinds and it pays; not under a `time_budget`, which looks at kinds would
    /// overstep.
    pub kinds: bool,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            effort: 5,
            time_budget: None,
            seed: 0,
            device: DeviceChoice::Auto,
            checkpoint: None,
            resume: false,
            priors: true,
            network: None,
            kinds: true,
        }
    }
}

/// How an archive is expanded.
#[derive(Debug, Clone, Default)]
pub struct ExpandOptions {
    /// Worker threads; 0 means one a core.
    pub threads: usize,
    /// Replace files that exist.
    pub force: bool,
    /// Only these items (archive paths); empty means all.
    pub only: Vec<String>,
    /// The checkpoint that the archive was coded against, if it was.
    pub base: Option<PathBuf>,
    /// What reading may cost.
    pub limits: Limits,
    /// Asks a running call to stop early.
    pub stop: StopFlag,
}

/// A request to stop, shared between a signal handler and a running call.
///
/// First request: training ends and its best checkpoint is used. Second: the call returns `Error::Cancelled` and leaves nothing behind.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicU8>);

impl StopFlag {
    /// Asks once more, and tells how often it has been asked.
    pub fn request(&self) -> u8 {
        self.0.fetch_add(1, Ordering::SeqCst).saturating_add(1)
    }
    /// Training should end with what it has.
    pub fn stop_training(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 1
    }
    /// Everything should end.
    pub fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 2
    }
    /// The same as training is told.
    pub(crate) fn wish(&self) -> Wish {
        match self.0.load(Ordering::SeqCst) {
            0 => Wish::Continue,
            1 => Wish::Finish,
            _ => Wish::Cancel,
        }
    }
}
