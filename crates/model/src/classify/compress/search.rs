//! What a search knows: the network, its images, the accuracy budget, and how much training is left.

use std::time::Instant;

use super::{Candidate, Follow, Recipe};
use crate::classify::arch::Parameters;
use crate::classify::calibrate::calibrated;
use crate::classify::engine::Sparse;
use crate::classify::evaluate::{Answers, answers};
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
/// Training images that normalisations are measured on.
const CALIBRATION: usize = 1024;
/// Rise of the loss, nats, that goes with a lost point of accuracy. Few images that are right by luck do not hide a larger one.
const NATS_A_POINT: f64 = 0.05;

pub(super) struct Search<'a> {
    pub(super) network: &'a Network,
    pub(super) parts: &'a Parts,
    pub(super) recipe: &'a Recipe,
    pub(super) lessons: Option<Lessons>,
    /// What normalisations are measured on.
    calibration: ImageSet,
    pub(super) before: Answers,
    pub(super) candidates: Vec<Candidate>,
    /// Work in all, and what of it is done, in epochs of the whole network.
    pub(super) epochs: f64,
    pub(super) spent: f64,
    /// Nothing is trained any more.
    pub(super) interrupted: bool,
    begun: Instant,
    runs: u64,
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
            calibration: parts.train.some(CALIBRATION),
            before,
            candidates: Vec::new(),
            epochs,
            spent: 0.0,
            interrupted: false,
            begun: Instant::now(),
            runs: 0,
        }
    }

    pub(super) fn measure(&self, parameters: &Parameters) -> Answers {
        measure(self.network, parameters, &self.parts.validation)
    }

    /// The parameters with normalisations measured anew, or as they are where training images say that these are better.
    pub(super) fn calibrated(&self, parameters: &Parameters) -> Parameters {
        let anew = calibrated(&self.network.graph, parameters, &self.network.about.normalisation, &self.calibration);
        let loss = |parameters: &Parameters| measure(self.network, parameters, &self.calibration).tempered_loss;
        if loss(&anew) < loss(parameters) { anew } else { parameters.clone() }
    }

    /// Whether a network loses at most a share of the budget, with `margin` standard errors to spare, and no more loss than goes with that.
    pub(super) fn within(&self, measured: &Answers, share: f64, margin: f64) -> bool {
        let allowed = share * self.recipe.max_drop;
        let images = measured.right.len().max(1) as f64;
        let lost = self.before.score.top1() - measured.score.top1();
        // images that only one of the two gets right are what the difference is made of
        let changed = measured.right.iter().zip(&self.before.right).filter(|(now, before)| now != before).count() as f64;
        let error = 100.0 * changed.sqrt() / images;
        lost + margin * error <= allowed + 1e-9 && measured.tempered_loss <= self.before.tempered_loss + allowed * NATS_A_POINT + 1e-9
    }

    /// A plan that takes as long as so many epochs of the whole network, for one with the zeros of `parameters`; every run has its own order of images.
    pub(super) fn plan(&mut self, epochs: f64, parameters: &Parameters) -> Plan {
        self.runs += 1;
        self.spent += epochs;
        let epochs = epochs / Sparse::of(&self.network.graph, parameters).work(&self.network.graph);
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
        format!(
            " (as long as {:.1} of at most {:.1} epochs of the whole network, {:.0} min left at most)",
            self.spent,
            self.epochs,
            (left / 60.0).ceil()
        )
    }
}

fn measure(network: &Network, parameters: &Parameters, set: &ImageSet) -> Answers {
    answers(&network.graph, parameters, &network.about.normalisation, set)
}

fn default_epochs(graph: &Graph, images: usize) -> f64 {
    let epoch = 3.0 * graph.macs() as f64 * images.max(1) as f64;
    (MACS / epoch.max(1.0)).clamp(EPOCHS.0, EPOCHS.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::arch::Kind;
    use crate::classify::evaluate::Score;
    use crate::classify::graph::Extent;
    use crate::classify::images::Normalisation;
    use crate::classify::train::Watch;

    struct Quiet;

    impl Follow for Quiet {
        fn stage(&mut self, _: &str) {}
        fn note(&mut self, _: String) {}
        fn progress(&mut self, _: &'static str, _: usize, _: usize) {}
        fn watch(&mut self) -> &mut dyn Watch {
            unreachable!("nothing is trained here")
        }
        fn cancelled(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_drop_counts_with_the_images_that_changed() {
        let extent = Extent { channels: 1, height: 8, width: 8 };
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let network = Network::new(Kind::Small, extent, classes, Normalisation { mean: vec![0.5], deviation: vec![0.5] }, 1);
        let mut parts = Parts::default();
        for part in [&mut parts.train, &mut parts.validation] {
            *part = ImageSet::new(extent);
            (0..100).for_each(|image| part.push(&[image; 64], 0).unwrap());
        }
        let recipe = Recipe { max_drop: 2.0, epochs: Some(0.0), ..Recipe::default() };
        let mut search = Search::new(&network, &parts, &recipe, &mut Quiet);
        search.before =
            Answers { score: Score { images: 100, right: 90, loss: 0.3 }, right: (0..100).map(|image| image < 90).collect(), tempered_loss: 0.3 };
        let measured = |first: usize, end: usize, loss| {
            let right: Vec<bool> = (0..100).map(|image| (first..end).contains(&image)).collect();
            Answers { score: Score { images: 100, right: end - first, loss: 0.9 }, right, tempered_loss: loss }
        };
        assert!(search.within(&search.before, 0.0, 3.0));
        // one image lost: one point, and one point of error
        assert!(search.within(&measured(0, 89, 0.3), 1.0, 1.0) && !search.within(&measured(0, 89, 0.3), 1.0, 1.1));
        assert!(!search.within(&measured(0, 89, 0.3), 0.4, 0.0));
        // as many right as before, but ten others: an error of four and a half points
        assert!(search.within(&measured(10, 100, 0.3), 1.0, 0.0) && !search.within(&measured(10, 100, 0.3), 1.0, 1.0));
        // right by luck
        assert!(!search.within(&measured(0, 90, 0.41), 1.0, 0.0));
        let (first, second) = (search.plan(1.5, &network.parameters), search.plan(0.25, &network.parameters));
        assert_eq!((first.epochs, first.images, second.epochs, second.images), (2, 75, 1, 25));
        assert_ne!(first.seed, second.seed);
        assert_eq!(default_epochs(&network.graph, 100), EPOCHS.1);
        assert_eq!(default_epochs(&network.graph, 1 << 40), EPOCHS.0);
    }
}
