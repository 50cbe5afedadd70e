//! Passes training's progress on, and the wish to stop back.

use kolmo_model::Error as ModelError;
use kolmo_model::classify::arch::Parameters;
use kolmo_model::classify::train::{Epoch, Progress, Watch, Wish};

use crate::observe::{Event, Observer};
use crate::options::StopFlag;

/// What is done with the network after each epoch.
pub(super) type Keep<'a> = &'a mut dyn FnMut(&Parameters) -> Result<(), ModelError>;

pub(super) struct Watcher<'a> {
    /// For example `train`, `prune 50 %`, `tune`.
    pub(super) stage: String,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) stop: &'a StopFlag,
    pub(super) keep: Option<Keep<'a>>,
}

impl Watch for Watcher<'_> {
    fn step(&mut self, progress: &Progress) -> Wish {
        self.observer.event(&Event::Learning {
            stage: self.stage.clone(),
            step: progress.step,
            steps: progress.steps,
            loss: progress.loss,
            top1: 100.0 * progress.accuracy,
            images_per_second: progress.images_per_second,
            elapsed_seconds: progress.elapsed_seconds,
            eta_seconds: progress.eta_seconds,
        });
        self.stop.wish()
    }

    fn epoch(&mut self, row: &Epoch, parameters: &Parameters) -> Result<(), ModelError> {
        self.observer.event(&Event::Epoch { stage: self.stage.clone(), row: *row });
        self.keep.as_mut().map_or(Ok(()), |keep| keep(parameters))
    }
}
