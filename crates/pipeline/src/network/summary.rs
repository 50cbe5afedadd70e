//! What a call about a network found out: plain data, ready for JSON.

use kolmo_codec::network::Sizes;
use kolmo_model::classify::compress::{Stages, Table, TensorReport};
use kolmo_model::classify::evaluate::Score;
use kolmo_model::classify::train::Epoch;
use serde::Serialize;

use crate::summary::NamedReason;

/// The images.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DataSummary {
    /// Names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// Rows of an image.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels as they are in the files: 1 or 3.
    pub channels: usize,
    /// Images learned from.
    pub train: usize,
    /// Images that choose between networks.
    pub validation: usize,
    /// Images only measured.
    pub test: usize,
    /// Parts were folders, not dealt by digest.
    pub given_split: bool,
    /// Files that could not be decoded.
    pub unreadable: Vec<NamedReason>,
    /// Copies that were left out.
    pub duplicates: Vec<NamedReason>,
}

/// How good a network is on a part.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ScoreSummary {
    /// Images measured.
    pub images: usize,
    /// Images whose highest score is their label's.
    pub right: usize,
    /// The same in per cent.
    pub top1: f64,
    /// Cross-entropy, nats an image.
    pub loss: f64,
}

impl From<Score> for ScoreSummary {
    fn from(score: Score) -> Self {
        Self { images: score.images, right: score.right, top1: score.top1(), loss: score.loss }
    }
}

/// How good a network is on both parts that it was not trained on.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ScoresSummary {
    /// Images that choose between networks.
    pub validation: ScoreSummary,
    /// Images only measured.
    pub test: ScoreSummary,
}

/// A row of the loss curve.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct EpochSummary {
    /// The row.
    #[serde(flatten)]
    pub row: Epoch,
}

/// What training did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrainSummary {
    /// The network written.
    pub output: String,
    /// The loss curve written beside it.
    pub curve: String,
    /// Name of the architecture.
    pub arch: String,
    /// Numbers it is made of.
    pub parameters: usize,
    /// Multiply-accumulates an image.
    pub macs: u64,
    /// The images.
    pub data: DataSummary,
    /// The loss curve.
    pub epochs: Vec<EpochSummary>,
    /// The network that was written.
    pub scores: ScoresSummary,
    /// Training was stopped early.
    pub interrupted: bool,
    /// Size of the file.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}

/// What a measurement found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EvaluateSummary {
    /// The network or network archive.
    pub network: String,
    /// Name of the architecture.
    pub arch: String,
    /// Numbers it is made of.
    pub parameters: usize,
    /// The images.
    pub data: DataSummary,
    /// The measurement.
    pub scores: ScoresSummary,
    /// Wall time.
    pub seconds: f64,
}

/// A network of some size that was measured.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct CandidateSummary {
    /// Whole archive.
    pub bytes: u64,
    /// Weights other than zero.
    pub nonzero: usize,
    /// Trained after rounding.
    pub tuned: bool,
    /// On the validation images.
    pub validation: ScoreSummary,
    /// On the test images, where it was measured.
    pub test: Option<ScoreSummary>,
}

/// Scores after each step.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct StagesSummary {
    /// As given.
    pub before: ScoresSummary,
    /// After pruning and the training it needed.
    pub pruned: ScoresSummary,
    /// After rounding and coding, before tuning.
    pub coded: ScoresSummary,
    /// What is in the archive.
    pub tuned: ScoresSummary,
}

impl From<Stages> for StagesSummary {
    fn from(stages: Stages) -> Self {
        let of = |[validation, test]: [Score; 2]| ScoresSummary { validation: validation.into(), test: test.into() };
        Self { before: of(stages.before), pruned: of(stages.pruned), coded: of(stages.coded), tuned: of(stages.tuned) }
    }
}

/// Where the bytes of a network archive go.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ArchiveSummary {
    /// Names, shapes, the text about the network; header and digests.
    pub frame: u64,
    /// Tensors that are kept exactly.
    pub exact: u64,
    /// Steps.
    pub steps: u64,
    /// Integers.
    pub integers: u64,
    /// The coder that made the integers shortest: `raw`, `huffman`, `lz77` or `range`.
    pub coder: String,
    /// Integers as one or two bytes each.
    pub plain: u64,
    /// Integers by Huffman coding.
    pub huffman: u64,
    /// Integers by LZ77.
    pub lz77: u64,
    /// Integers by context-adaptive range coding.
    pub range: u64,
}

impl From<Sizes> for ArchiveSummary {
    fn from(sizes: Sizes) -> Self {
        Self {
            frame: sizes.total - sizes.exact - sizes.steps - sizes.integers,
            exact: sizes.exact,
            steps: sizes.steps,
            integers: sizes.integers,
            coder: sizes.coder.map_or("", |coder| coder.name()).to_owned(),
            plain: sizes.coders.plain,
            huffman: sizes.coders.huffman,
            lz77: sizes.coders.lz77,
            range: sizes.coders.range,
        }
    }
}

/// What compressing did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CompressSummary {
    /// The archive written.
    pub archive: String,
    /// Name of the architecture.
    pub arch: String,
    /// Numbers it is made of.
    pub parameters: usize,
    /// The images.
    pub data: DataSummary,
    /// How bits were given to tensors.
    pub strategy: String,
    /// Points that could be lost.
    pub max_drop: f64,
    /// Validation accuracy stays within the budget.
    pub within_budget: bool,
    /// Share of the weights that pruning kept.
    pub kept_percent: f64,
    /// Normalisations were folded into convolutions.
    pub folded: bool,
    /// Bytes after each step.
    pub table: Table,
    /// Scores after each step.
    pub stages: StagesSummary,
    /// Where the bytes of the archive go.
    pub sizes: ArchiveSummary,
    /// Tensor by tensor.
    pub tensors: Vec<TensorReport>,
    /// All that was measured on the way, smallest first.
    pub candidates: Vec<CandidateSummary>,
    /// Size of the file given.
    pub input_bytes: u64,
    /// Size of the archive.
    pub bytes: u64,
    /// 32-bit floats over archive.
    pub times_smaller: f64,
    /// Files with the curve of size and accuracy.
    pub curves: Vec<String>,
    /// Wall time.
    pub seconds: f64,
}

/// What expanding did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExpandSummary {
    /// The network written.
    pub output: String,
    /// Name of the architecture.
    pub arch: String,
    /// Tensors.
    pub tensors: usize,
    /// Of them, those that are integers.
    pub quantised: usize,
    /// Size of the archive.
    pub archive_bytes: u64,
    /// Size of the network.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}

/// What differs in a tensor.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Difference {
    /// Its name.
    pub tensor: String,
    /// One clause.
    pub reason: String,
}

/// What verifying found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifySummary {
    /// The archive; its digests hold.
    pub archive: String,
    /// Name of the architecture.
    pub arch: String,
    /// Tensors in it.
    pub tensors: usize,
    /// Of them, those that are the other network's, number by number.
    pub equal_tensors: usize,
    /// The others.
    pub differences: Vec<Difference>,
    /// Score of the archive's network, where images were given.
    pub scores: Option<ScoresSummary>,
    /// Score of the other network.
    pub against_scores: Option<ScoresSummary>,
    /// Test images to which both give the same class.
    pub same_answers: Option<usize>,
    /// Largest difference between scores of both for one image and class.
    pub largest_score_difference: Option<f64>,
    /// Size of the archive.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}

/// What tuning did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TuneSummary {
    /// The archive written.
    pub archive: String,
    /// Name of the architecture.
    pub arch: String,
    /// The images.
    pub data: DataSummary,
    /// The loss curve.
    pub epochs: Vec<EpochSummary>,
    /// The archive given.
    pub before: ScoresSummary,
    /// The archive written.
    pub after: ScoresSummary,
    /// Size of the archive given.
    pub bytes_before: u64,
    /// Size of the archive written.
    pub bytes: u64,
    /// Tuning was stopped early.
    pub interrupted: bool,
    /// Wall time.
    pub seconds: f64,
}
