//! Training: Adam on cross-entropy, a cosine of learning rates, a measurement after every epoch.

use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::arch::Parameters;
use super::engine::{self, Sparse};
use super::evaluate::{Score, log_softmax, score};
use super::graph::{Graph, Role};
use super::images::{Augment, ImageSet, Normalisation};
use super::prune::Masks;
use super::quantise::{Code, Codes};
use crate::error::Error;
use crate::sample::Dice;
pub use crate::train::Wish;

/// Share of the steps in which the learning rate rises, and how many they are at least: Adam's first steps, which know no variance, would shake a trained network.
const WARM_UP: f64 = 0.05;
const WARM_UP_STEPS: f64 = 10.0;
/// Where the cosine of learning rates ends, of its peak.
const END: f64 = 0.01;
/// Adam's (Kingma and Ba 2015) usual constants.
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// How long and how to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a pass; 0 or more than there are: all.
    #[serde(default)]
    pub images: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Share of each weight that a step at learning rate 1 takes away (decoupled).
    pub weight_decay: f64,
    /// What is done to images.
    pub augment: Augment,
    /// Seed of order and augmentation.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { epochs: 10, images: 0, batch: 64, learning_rate: 1e-3, weight_decay: 1e-2, augment: Augment::default(), seed: 0 }
    }
}

/// Labelled images by what they are for.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Learned from.
    pub train: ImageSet,
    /// Chooses between networks.
    pub validation: ImageSet,
    /// Only measured.
    pub test: ImageSet,
}

/// A look at training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps planned.
    pub steps: u64,
    /// Smoothed loss of training batches, nats an image.
    pub loss: f64,
    /// Smoothed share of training images that were right.
    pub accuracy: f64,
    /// Images a second.
    pub images_per_second: f64,
    /// Seconds so far.
    pub elapsed_seconds: f64,
    /// Seconds expected yet.
    pub eta_seconds: f64,
}

/// A row of the loss curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean loss of the training batches as they went by, nats an image.
    pub train_loss: f64,
    /// Per cent of the training images that were right as they went by.
    pub train_top1: f64,
    /// Loss on the validation images.
    pub validation_loss: f64,
    /// Per cent of the validation images that are right.
    pub validation_top1: f64,
    /// At the end of the epoch.
    pub learning_rate: f64,
    /// Since the start of training.
    pub seconds: f64,
}

/// Watches training.
pub trait Watch {
    /// After each step.
    fn step(&mut self, progress: &Progress) -> Wish;
    /// After each epoch, with the network as it is now.
    ///
    /// # Errors
    /// Ends training.
    fn epoch(&mut self, _row: &Epoch, _parameters: &Parameters) -> Result<(), Error> {
        Ok(())
    }
}

/// What training gave.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The tensors of the epoch that did best on validation images.
    pub parameters: Parameters,
    /// Its score there.
    pub validation: Score,
    /// The curve.
    pub epochs: Vec<Epoch>,
    /// The watcher ended it.
    pub interrupted: bool,
}

/// How the tensors that move become those that compute. Zeros stay zeros; gradients pass straight through.
#[derive(Clone, Copy)]
pub(super) enum Lower<'a> {
    /// Zeros where a mask says so.
    Masked(&'a Masks),
    /// Rounded to integers that are not zero where a code's are not.
    Rounded(&'a Codes),
}

impl Lower<'_> {
    fn tensor(self, at: usize, values: &[f32]) -> Vec<f32> {
        match self {
            Self::Masked(masks) => masks[at]
                .as_ref()
                .map_or_else(|| values.to_vec(), |mask| values.iter().zip(mask).map(|(&value, &stays)| if stays { value } else { 0.0 }).collect()),
            Self::Rounded(codes) => {
                codes[at].as_ref().map_or_else(|| values.to_vec(), |code| Code { integers: code.follow(values), ..code.clone() }.values())
            }
        }
    }

    /// One weight that stays.
    fn weight(self, at: usize, place: usize, value: f32) -> f32 {
        match self {
            Self::Masked(_) => value,
            Self::Rounded(codes) => codes[at].as_ref().map_or(value, |code| code.nearest(place, value)),
        }
    }
}

/// What a network should answer to each training image instead of its label alone: probabilities, shape `[images, classes]`.
pub(super) struct Teacher(pub(super) Vec<f32>);

/// Trains `parameters` on `parts.train`.
///
/// # Errors
/// `Cancelled`, or what the watcher says.
pub fn train(
    graph: &Graph,
    parameters: Parameters,
    parts: &Parts,
    normalisation: &Normalisation,
    plan: &Plan,
    watch: &mut dyn Watch,
) -> Result<Trained, Error> {
    Run { graph, parts, normalisation, plan, lower: None, teacher: None, keep: Keep::LeastLoss }.run(parameters, watch)
}

pub(super) struct Run<'a> {
    pub(super) graph: &'a Graph,
    pub(super) parts: &'a Parts,
    pub(super) normalisation: &'a Normalisation,
    pub(super) plan: &'a Plan,
    pub(super) lower: Option<Lower<'a>>,
    pub(super) teacher: Option<&'a Teacher>,
    /// Which of its states is kept.
    pub(super) keep: Keep,
}

/// Which state of a training is kept, by the validation images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The epoch of least loss.
    LeastLoss,
    /// The same, the state that training begins with among them.
    LeastLossOrFirst,
    /// The last one: the learning rate has come down, and few images are a poor judge between epochs. Nothing is measured on the way.
    Last,
}

impl Run<'_> {
    fn lowered(&self, parameters: &Parameters) -> Parameters {
        self.lower.map_or_else(|| parameters.clone(), |lower| parameters.iter().enumerate().map(|(at, values)| lower.tensor(at, values)).collect())
    }

    /// Brings `lowered` up to date after a step; of tensors with a pattern only what may have moved.
    fn follow(&self, parameters: &Parameters, places: &[Option<Vec<usize>>], lowered: &mut Parameters) {
        let Some(lower) = self.lower else {
            lowered.iter_mut().zip(parameters).for_each(|(lowered, values)| lowered.clone_from(values));
            return;
        };
        lowered.par_iter_mut().zip(parameters).zip(places).enumerate().for_each(|(at, ((lowered, values), places))| match places {
            Some(places) => places.iter().for_each(|&place| lowered[place] = lower.weight(at, place, values[place])),
            None => *lowered = lower.tensor(at, values),
        });
    }

    pub(super) fn run(&self, mut parameters: Parameters, watch: &mut dyn Watch) -> Result<Trained, Error> {
        let plan = self.plan;
        let all = self.parts.train.len();
        let images = if plan.images == 0 { all } else { plan.images.min(all) };
        let batch = plan.batch.clamp(1, images.max(1));
        // a last batch of one image or few has no means worth normalising by
        let batches = (images + batch / 2) / batch;
        let steps = (batches.max(1) * plan.epochs) as u64;
        // masked and rounded networks: zeros stay zeros
        let mut lowered = self.lowered(&parameters);
        let sparse = if self.lower.is_some() { Sparse::of(self.graph, &lowered) } else { Sparse::default() };
        let mut adam = Adam::new(self.graph, &sparse);
        let mut dice = Dice::new(plan.seed ^ 0x7472_6169_6e00);
        let mut order: Vec<usize> = (0..all).collect();
        let start = Instant::now();
        let mut done = 0u64;
        let mut smooth: Option<(f64, f64)> = None;
        let mut best: Option<(Score, Parameters)> = None;
        let mut epochs = Vec::with_capacity(plan.epochs);
        let mut interrupted = false;
        if self.keep == Keep::LeastLossOrFirst {
            best = Some((score(self.graph, &lowered, self.normalisation, &self.parts.validation), parameters.clone()));
        }
        for epoch in 1..=plan.epochs {
            for i in (1..order.len()).rev() {
                order.swap(i, dice.below(i as u64 + 1) as usize);
            }
            let (mut loss_sum, mut right, mut seen) = (0.0, 0usize, 0usize);
            let mut rate = 0.0;
            for number in 0..batches.max(1) {
                let end = if number + 1 == batches.max(1) { images } else { (number + 1) * batch };
                let chosen = &order[number * batch..end];
                rate = learning_rate(plan.learning_rate, done, steps);
                let (loss, hits) = self.step((&mut parameters, &mut lowered), &sparse, chosen, rate, &mut adam, &mut dice);
                done += 1;
                (loss_sum, right, seen) = (loss_sum + loss, right + hits, seen + chosen.len());
                let now = (loss / chosen.len() as f64, hits as f64 / chosen.len() as f64);
                let mixed = smooth.map_or(now, |old| (old.0 * 0.95 + now.0 * 0.05, old.1 * 0.95 + now.1 * 0.05));
                smooth = Some(mixed);
                let elapsed = start.elapsed().as_secs_f64();
                let progress = Progress {
                    step: done,
                    steps,
                    loss: mixed.0,
                    accuracy: mixed.1,
                    images_per_second: (done as usize * batch) as f64 / elapsed.max(1e-9),
                    elapsed_seconds: elapsed,
                    eta_seconds: elapsed / done as f64 * (steps - done) as f64,
                };
                match watch.step(&progress) {
                    Wish::Continue => {}
                    Wish::Finish => interrupted = true,
                    Wish::Cancel => return Err(Error::Cancelled),
                }
                if interrupted {
                    break;
                }
            }
            if self.keep == Keep::Last {
                if interrupted {
                    break;
                }
                continue;
            }
            let validation = score(self.graph, &lowered, self.normalisation, &self.parts.validation);
            let row = Epoch {
                epoch,
                train_loss: loss_sum / seen.max(1) as f64,
                train_top1: 100.0 * right as f64 / seen.max(1) as f64,
                validation_loss: validation.loss,
                validation_top1: validation.top1(),
                learning_rate: rate,
                seconds: start.elapsed().as_secs_f64(),
            };
            tracing::info!(
                epoch,
                loss = row.train_loss,
                top1 = row.train_top1,
                validation_loss = row.validation_loss,
                validation_top1 = row.validation_top1,
                "epoch"
            );
            epochs.push(row);
            if best.as_ref().is_none_or(|(score, _)| validation.beats(score)) {
                best = Some((validation, parameters.clone()));
            }
            watch.epoch(&row, &lowered)?;
            if interrupted {
                break;
            }
        }
        let (validation, parameters) = match best {
            Some(best) => best,
            None if self.keep == Keep::Last => (Score { images: 0, right: 0, loss: f64::NAN }, parameters),
            None => (score(self.graph, &self.lowered(&parameters), self.normalisation, &self.parts.validation), parameters),
        };
        Ok(Trained { parameters, validation, epochs, interrupted })
    }

    /// One batch: its loss (sum over images, nats) and how many were right.
    fn step(
        &self,
        (parameters, lowered): (&mut Parameters, &mut Parameters),
        sparse: &Sparse,
        chosen: &[usize],
        rate: f64,
        adam: &mut Adam,
        dice: &mut Dice,
    ) -> (f64, usize) {
        let set = &self.parts.train;
        let input = set.batch(chosen, self.normalisation, Some((self.plan.augment, dice)));
        let (scores, tape) = engine::forward(self.graph, lowered, sparse, input, engine::MOMENTUM);
        let classes = self.graph.classes();
        let (mut loss, mut right) = (0.0, 0);
        let mut gradient = vec![0f32; scores.len()];
        let share = 1.0 / chosen.len() as f32;
        for ((&image, scores), gradient) in chosen.iter().zip(scores.chunks_exact(classes)).zip(gradient.chunks_exact_mut(classes)) {
            let label = set.labels()[image];
            let logs = log_softmax(scores);
            loss -= f64::from(logs[label]);
            right += usize::from(super::evaluate::best(scores) == label);
            for (class, gradient) in gradient.iter_mut().enumerate() {
                let target = self.teacher.map_or_else(|| f32::from(u8::from(class == label)), |teacher| teacher.0[image * classes + class]);
                *gradient = (logs[class].exp() - target) * share;
            }
        }
        let gradients = engine::backward(self.graph, lowered, sparse, tape, &gradient);
        for (at, spec) in self.graph.specs.iter().enumerate() {
            if !spec.role.is_learned() {
                parameters[at].clone_from(&lowered[at]);
            }
        }
        adam.step(self.graph, parameters, &gradients, rate as f32, self.plan.weight_decay as f32);
        self.follow(parameters, &adam.places, lowered);
        (loss, right)
    }
}

/// Up in a straight line, down in a cosine.
fn learning_rate(peak: f64, done: u64, steps: u64) -> f64 {
    let progress = done as f64 / steps.max(1) as f64;
    let warm = (WARM_UP * steps as f64).max(WARM_UP_STEPS.min(steps as f64 / 3.0)).max(1.0);
    let cosine = END + (1.0 - END) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
    peak * cosine * ((done + 1) as f64 / warm).min(1.0)
}

/// Adam's two means of each gradient.
struct Adam {
    first: Parameters,
    second: Parameters,
    /// Of tensors with a pattern, the places of the weights that move.
    places: Vec<Option<Vec<usize>>>,
    steps: i32,
}

impl Adam {
    fn new(graph: &Graph, sparse: &Sparse) -> Self {
        let places: Vec<Option<Vec<usize>>> = (0..graph.specs.len()).map(|at| sparse.positions(at)).collect();
        let zeros = || {
            let tensors = graph.specs.iter().zip(&places).map(|(spec, places)| match places {
                Some(places) => vec![0.0; places.len()],
                None if spec.role.is_learned() => vec![0.0; spec.count()],
                None => Vec::new(),
            });
            tensors.collect()
        };
        Self { first: zeros(), second: zeros(), places, steps: 0 }
    }

    fn step(&mut self, graph: &Graph, parameters: &mut Parameters, gradients: &Parameters, rate: f32, decay: f32) {
        self.steps += 1;
        let unbiased = |beta: f32| 1.0 - beta.powi(self.steps);
        let (scale, root) = (rate / unbiased(BETAS.0), unbiased(BETAS.1).sqrt());
        let moved = |value: &mut f32, g: f32, m: &mut f32, v: &mut f32, keep: f32| {
            *m = BETAS.0 * *m + (1.0 - BETAS.0) * g;
            *v = BETAS.1 * *v + (1.0 - BETAS.1) * g * g;
            *value = *value * keep - scale * *m / (v.sqrt() / root + EPSILON);
        };
        let tensors = graph.specs.iter().zip(parameters).zip(gradients).zip(self.first.iter_mut().zip(&mut self.second)).zip(&self.places);
        for ((((spec, values), gradient), (first, second)), places) in tensors.filter(|((((spec, _), _), _), _)| spec.role.is_learned()) {
            let keep = if spec.role == Role::Weight { 1.0 - rate * decay } else { 1.0 };
            if let Some(places) = places {
                for ((&place, &g), (m, v)) in places.iter().zip(gradient).zip(first.iter_mut().zip(second)) {
                    moved(&mut values[place], g, m, v, keep);
                }
                continue;
            }
            const CHUNK: usize = 1 << 14;
            let chunks = values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
            chunks.zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK))).for_each(|((values, gradient), (first, second))| {
                for ((value, &g), (m, v)) in values.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
                    moved(value, g, m, v, keep);
                }
            });
        }
    }
}
