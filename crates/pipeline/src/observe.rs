//! What a caller may watch while a call runs.

use serde::Serialize;

/// The five steps, in the order in which a summary shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Read, fingerprint, clean, normalise, split.
    Preprocess,
    /// Train a causal network.
    Generate,
    /// Quantise it and code it.
    CompressProgram,
    /// Code the samples, expand what was written, compare.
    Expand,
    /// Train the quantised Program, evaluate it.
    Tune,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A training step of one group.
    Training {
        /// Sample layout of the group, e.g. `rgb8`.
        group: String,
        /// `false` while the float network learns, `true` while the quantised Program is tuned.
        tuning: bool,
        /// Steps done.
        step: u64,
        /// Steps planned.
        steps: u64,
        /// Smoothed training loss, bits per subpixel.
        loss_bpsp: f64,
        /// Subpixels learned from per second.
        samples_per_second: f64,
        /// Seconds this group's training has taken.
        elapsed_seconds: f64,
        /// Seconds it is expected to take yet.
        eta_seconds: f64,
    },
    /// A training step of a user's network.
    Learning {
        /// For example `train`, `prune`, `tune`.
        stage: String,
        /// Steps done.
        step: u64,
        /// Steps planned.
        steps: u64,
        /// Smoothed training loss, nats an image.
        loss: f64,
        /// Smoothed share of training images that were right, per cent.
        top1: f64,
        /// Images learned from per second.
        images_per_second: f64,
        /// Seconds this stage has taken.
        elapsed_seconds: f64,
        /// Seconds it is expected to take yet.
        eta_seconds: f64,
    },
    /// An epoch of a user's network ended.
    Epoch {
        /// As of [`Event::Learning`].
        stage: String,
        /// The row of the loss curve.
        #[serde(flatten)]
        row: kolmo_model::classify::train::Epoch,
    },
    /// Countable work went on.
    Progress {
        /// Short verb phrase: `reading`, `encoding`, `verifying`, `expanding`.
        stage: &'static str,
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
    },
    /// Something a user should know, one sentence.
    Note {
        /// The sentence.
        text: String,
    },
}

/// Receives events. Called from the thread that made the call; must return quickly.
pub trait Observer {
    /// One event.
    fn event(&mut self, event: &Event);
}

/// Watches nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}
