//! What a search knows: the network, its images, the accuracy budget, and how much training is left.

use std::time::Instant;

use super::{Candidate, Follow, Recipe};
use crate::classify::arch::Parameters;
use crate::classify::evaluate::{Score, answers};
use crate::classify::graph::Graph;
use crate::classify::images::ImageSet;
use crate::classify::network::Network;
use crate::classify::train::{Parts, Plan};
use crate::classify::tune::{Lessons, lessons};

/// Multiply-accumulates of training, forwards and backwards, that a search takes unless it is told otherwise: six epochs of 7,200 images 28x28 for a
/// ResNet-18.
const MACS: f64 = 6e13;
/// Fewest and most epochs of such a search.
const EPOCHS: (f64, f64) = (4.0, 40.0);
/// Fewest epochs that are worth a teacher: its answers to all training images take a third of one.
const LESSONS: f64 = 4.0;
/// Rise of the loss, nats, that goes with a lost point of accuracy. Few images that are right by luck do not hide a larger one.
const NATS_A_POINT: f64 = 0.05;

pub(super) struct Search<'a> {
    pub(super) network: &'a Network,
    pub(super) parts: &'a Parts,
    pub(super) recipe: &'a Recipe,
    pub(super) lessons: Option<Lessons>,
    pub(super) before: Measured,
    pub(super) candidates: Vec<Candidate>,
    /// Epochs in all, and those that were trained.
    pub(super) epochs: f64,
    pub(super) spent: f64,
    /// Nothing is trained any more.
    pub(super) interrupted: bool,
    begun: Instant,
    runs: u64,
}

/// A score on the validation images, image by image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) score: Score,
    right: Vec<bool>,
}

impl<'a> Search<'a> {
    pub(super) fn new(network: &'a Network, parts: &'a Parts, recipe: &'a Recipe, follow: &mut dyn Follow) -> Self {
        follow.stage("measure");
        let before = measure(network, &network.parameters, &parts.validation);
        let epochs = recipe.epochs.unwrap_or_else(|| default_epochs(&network.graph, parts.train.len()));
        let lessons = (epochs >= LESSONS).then(|| lessons(&network.graph, &network.parameters, &network.about.normalisation, parts));
        if epochs > 0.0 {
            follow.note(format!(
                "the network as given: {:.2} % of the validation images right; at most {epochs:.1} epochs of {} images follow",
                before.score.top1(),
                parts.train.len()
            ));
        }
        Self {
            network,
            parts,
            recipe,
            lessons,
            before,
            candidates: Vec::new(),
            epochs,
            spent: 0.0,
            interrupted: false,
            begun: Instant::now(),
            runs: 0,
        }
    }

    pub(super) fn measure(&self, parameters: &Parameters) -> Measured {
        measure(self.network, parameters, &self.parts.validation)
    }

    /// Whether a network loses at most a share of the budget, with `margin` standard errors to spare, and no more loss than goes with that.
    pub(super) fn within(&self, measured: &Measured, share: f64, margin: f64) -> bool {
        let allowed = share * self.recipe.max_drop;
        let images = measured.right.len().max(1) as f64;
        let lost = self.before.score.top1() - measured.score.top1();
        // images that only one of the two gets right are what the difference is made of
        let changed = measured.right.iter().zip(&self.before.right).filter(|(now, before)| now != before).count() as f64;
        let error = 100.0 * changed.sqrt() / images;
        lost + margin * error <= allowed + 1e-9 && measured.score.loss <= self.before.score.loss + allowed * NATS_A_POINT + 1e-9
    }

    /// A plan of so many epochs; every run has its own order of images.
    pub(super) fn plan(&mut self, epochs: f64) -> Plan {
        self.runs += 1;
        self.spent += epochs;
        let whole = epochs.ceil().max(1.0);
        Plan {
            epochs: whole as usize,
            images: ((epochs / whole * self.parts.train.len() as f64).round() as usize).max(1),
            batch: self.recipe.batch,
            learning_rate: self.recipe.learning_rate,
            weight_decay: 0.0,
            augment: self.recipe.augment,
            seed: self.recipe.seed ^ self.runs << 32,
        }
    }

    /// How far the work is, for people.
    pub(super) fn so_far(&self) -> String {
        if self.spent <= 0.0 {
            return String::new();
        }
        let left = self.begun.elapsed().as_secs_f64() / self.spent * (self.epochs - self.spent).max(0.0);
        format!(" ({:.1} of at most {:.1} epochs, {:.0} min left at most)", self.spent, self.epochs, (left / 60.0).ceil())
    }
}

fn measure(network: &Network, parameters: &Parameters, set: &ImageSet) -> Measured {
    let (score, right) = answers(&network.graph, parameters, &network.about.normalisation, set);
    Measured { score, right }
}

fn default_epochs(graph: &Graph, images: usize) -> f64 {
    let epoch = 3.0 * graph.macs() as f64 * images.max(1) as f64;
    (MACS / epoch.max(1.0)).clamp(EPOCHS.0, EPOCHS.1)
}
