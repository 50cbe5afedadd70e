//! A user's own image classifier: trained, made small under an accuracy budget, expanded, verified, measured, trained further.

mod compress;
mod data;
mod evaluate;
mod expand;
mod file;
mod options;
mod summary;
mod sweep;
mod threads;
mod train;
mod tune;
mod verify;
mod watch;

pub use compress::compress;
pub use evaluate::evaluate;
pub use expand::expand;
pub use options::{CompressOptions, DataOptions, TrainOptions, TuneOptions};
pub use summary::{
    ArchiveSummary, CandidateSummary, CompressSummary, DataSummary, Difference, EpochSummary, EvaluateSummary, ExpandSummary, ScoreSummary,
    ScoresSummary, StagesSummary, TrainSummary, TuneSummary, VerifySummary,
};
pub use train::train;
pub use tune::tune;
pub use verify::verify;

pub use kolmo_model::Error as ModelError;
pub use kolmo_model::classify::allocate::Strategy;
pub use kolmo_model::classify::arch::Kind;
pub use kolmo_model::classify::compress::{Recipe, Table, TensorReport};
pub use kolmo_model::classify::images::{Augment, Normalisation};
