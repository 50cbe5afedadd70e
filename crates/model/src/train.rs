//! The training loop: from images to an integer Program.

mod coarse;
mod optimiser;
mod schedule;

use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use kolmo_codec::alphabet::Alphabet;
use kolmo_codec::colour::Colour;
use kolmo_codec::context::Plane;
use kolmo_codec::program::{Program, Wide};
use kolmo_codec::sample::Sample;

use crate::checkpoint::{self, Place};
use crate::device::Chosen;
use crate::effort::Plan;
use crate::error::Error;
use crate::evaluate::{self, SplitRates};
use crate::levels::Levels;
use crate::net::{Inputs, Net, NetShape};
use crate::quantise::{Symbols, dequantise, host, quantise};
use crate::sample::{Batch, Dealer, Patch, Sampler};
use optimiser::Optimiser;
use schedule::Schedule;

/// Times that the network is measured on validation images in the course of training.
const CHECKS: u64 = 20;
/// Checks without progress after which a phase ends.
const PATIENCE: u32 = 6;
/// Least progress that counts, bits per subpixel.
const PROGRESS: f64 = 2e-4;
/// Pixels of each part that rates are measured on.
const MEASURED_PIXELS: usize = 150_000;
/// Pixels of the validation part that a check measures.
const CHECKED_PIXELS: usize = 50_000;

/// Images of one sample layout, in coding order, by what they are for.
#[derive(Debug, Clone, Default)]
pub struct TrainSet<S = u8> {
    /// Learned from.
    pub train: Vec<Plane<S>>,
    /// Choose the checkpoint.
    pub validation: Vec<Plane<S>>,
    /// Only measured.
    pub test: Vec<Plane<S>>,
    /// Channel coded `i`th.
    pub order: Vec<u8>,
    /// Bits of a symbol.
    pub bit_depth: u8,
    /// How samples of 16 bits became symbols; see [`Program::wide`].
    pub wide: Option<Wide>,
    /// The colour space that symbols are of; see [`Program::colour`].
    pub colour: Option<Colour>,
}

impl<S> TrainSet<S> {
    /// The symbols.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet {
        Alphabet::new(self.bit_depth, self.wide.as_ref().map_or(0, |wide| wide.resolution))
    }
}

/// The order in which a pixel's channels are coded: alpha first, since what is transparent says most about the rest.
#[must_use]
pub fn coding_order(channels: usize) -> Vec<u8> {
    match channels {
        2 => vec![1, 0],
        4 => vec![3, 0, 1, 2],
        _ => (0..channels as u8).collect(),
    }
}

/// For each channel in coding order, the earlier one that its means follow: colours follow each other, nothing follows alpha, and chroma does not follow luma.
#[must_use]
pub fn follows(channels: usize, colour: Option<Colour>) -> Vec<Option<u8>> {
    if colour.is_some() {
        return vec![None; channels];
    }
    let first_colour = u8::from(channels == 2 || channels == 4);
    (0..channels as u8).map(|i| i.checked_sub(1).filter(|&before| before >= first_colour)).collect()
}

/// How training is run, besides its [`Plan`].
#[derive(Debug, Clone)]
pub struct Run {
    /// Seed of weights and sampling.
    pub seed: u64,
    /// Where it runs.
    pub device: Chosen,
    /// Time it may take; the schedule is compressed to fit.
    pub time_budget: Option<Duration>,
    /// Where checkpoints are kept.
    pub checkpoint: Option<Place>,
    /// Go on from the checkpoint.
    pub resume: bool,
    /// Begin with the weights of this Program instead of random ones, if it has the plan's shape.
    pub start: Option<Program>,
}

/// A look at training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The rounded network is being trained.
    pub tuning: bool,
    /// Steps done.
    pub step: u64,
    /// Steps planned.
    pub steps: u64,
    /// Smoothed loss, bits per subpixel.
    pub loss_bpsp: f64,
    /// Subpixels per second.
    pub samples_per_second: f64,
    /// Seconds so far.
    pub elapsed_seconds: f64,
    /// Seconds expected yet.
    pub eta_seconds: f64,
}

/// What a watcher wants of the training it watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Continue,
    /// End training, use the best network so far.
    Finish,
    /// End everything.
    Cancel,
}

/// Watches training, and may end it.
pub trait Watch {
    /// After each step.
    fn step(&mut self, progress: &Progress) -> Wish;
}

/// What training made.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The tuned Program.
    pub program: Program,
    /// Steps taken.
    pub steps: u64,
    /// Steps planned.
    pub planned_steps: u64,
    /// `done`, `early_stop`, `time_budget` or `interrupted`.
    pub stopped: &'static str,
    /// Wall time.
    pub seconds: f64,
    /// Rates of the float network.
    pub float: SplitRates,
    /// Rates of the same, rounded.
    pub quantised: SplitRates,
    /// Rates of the tuned Program.
    pub tuned: SplitRates,
}

/// Trains a network and lowers it to a Program.
///
/// # Errors
/// `InvalidArgument` for an empty set, `Checkpoint` for files that fail, `Cancelled` if the watcher says so.
pub fn train<S: Sample>(set: &TrainSet<S>, plan: &Plan, run: &Run, watch: &mut dyn Watch) -> Result<Trained, Error> {
    let device = run.device.device.clone().autodiff();
    let given = run.start.as_ref().filter(|given| given.order == set.order && given.bit_depth == set.bit_depth && given.colour == set.colour);
    let given = given.and_then(|given| dequantise(given, &device).ok()).filter(|(_, shape)| *shape == plan.shape);
    let mut start = (given.map_or_else(|| Net::seeded(&plan.shape, &device, run.seed), |(net, _)| net).weights(), 0);
    if let (true, Some(place)) = (run.resume, &run.checkpoint)
        && let Some((net, progress)) = place.load(&device)?
    {
        if progress.plan != *plan || progress.seed != run.seed {
            let what = "the checkpoint was made with another plan or seed; use the same --effort and --seed, or drop --resume".to_owned();
            return Err(Error::InvalidArgument { what });
        }
        start = (net.weights(), progress.step);
    }
    Trainer::new(set, plan, run, device)?.run(start.0, start.1, 1.0 - Plan::TUNING, None, watch)
}

/// Trains a Program further: all steps of the plan on the rounded network. The plan's shape is taken from the Program.
///
/// # Errors
/// As [`train`]; also `InvalidArgument` if the Program does not fit the set or was not made by this crate.
pub fn tune<S: Sample>(program: &Program, set: &TrainSet<S>, plan: &Plan, run: &Run, watch: &mut dyn Watch) -> Result<Trained, Error> {
    if program.order != set.order || program.bit_depth != set.bit_depth || program.wide != set.wide || program.colour != set.colour {
        return Err(Error::InvalidArgument { what: "the Program is for another sample layout".to_owned() });
    }
    let device = run.device.device.clone().autodiff();
    let (net, shape) = dequantise(program, &device)?;
    let plan = Plan { shape, ..plan.clone() };
    Trainer::new(set, &plan, run, device)?.run(net.weights(), 0, 0.0, Some(Levels::of(program)), watch)
}

/// Puts a batch on a device.
#[must_use]
pub fn upload(batch: &Batch, shape: &NetShape, device: &Device) -> Inputs {
    let around = batch.residuals.len() / shape.channels;
    Inputs {
        windows: Tensor::from_data(TensorData::new(batch.windows.clone(), [around, shape.inputs()]), device),
        residuals: Tensor::from_data(TensorData::new(batch.residuals.clone(), [around, shape.channels]), device),
        here: Tensor::from_data(TensorData::new(batch.here.clone(), [batch.here.len()]), device),
        near: Tensor::from_data(TensorData::new(batch.near.clone(), [batch.near.len()]), device),
    }
}

struct Trainer<'a, S> {
    set: &'a TrainSet<S>,
    plan: &'a Plan,
    run: &'a Run,
    sampler: Sampler,
    follows: Vec<Option<u8>>,
    /// With gradients.
    device: Device,
    /// A few images of each part: learned from, validation, test.
    measured: [Vec<Plane<S>>; 3],
    /// What chooses the checkpoint: patches of all validation images, of those learned from if there are none.
    checked: Vec<Patch>,
}

/// The best network so far, by its rate on the checked images.
struct Best {
    weights: Vec<f32>,
    rate: f64,
    checks_since: u32,
}

impl<'a, S: Sample> Trainer<'a, S> {
    fn new(set: &'a TrainSet<S>, plan: &'a Plan, run: &'a Run, device: Device) -> Result<Self, Error> {
        if set.train.iter().all(|plane| plane.shape().0 * plane.shape().1 == 0) {
            return Err(Error::InvalidArgument { what: "no image to learn from".to_owned() });
        }
        let follows = follows(plan.shape.channels, set.colour);
        let measured = [&set.train, &set.validation, &set.test].map(|part| some(part, MEASURED_PIXELS));
        let checked = spread(evaluate::patches(Self::choosing(set)), CHECKED_PIXELS);
        Ok(Self { set, plan, run, sampler: Sampler::new(&plan.shape, &follows), follows, device, measured, checked })
    }

    /// The images that choose the checkpoint.
    fn choosing(set: &TrainSet<S>) -> &[Plane<S>] {
        if set.validation.is_empty() { &set.train } else { &set.validation }
    }

    /// `floats` is the share of the schedule before rounding begins; how fine that is, is found then, unless it is given.
    fn run(&self, mut weights: Vec<f32>, first: u64, floats: f64, levels: Option<Levels>, watch: &mut dyn Watch) -> Result<Trained, Error> {
        let mut dealer = Dealer::new(&self.set.train, self.plan.patch_side, self.run.seed ^ first);
        let mut schedule = Schedule::new(self.plan, first, floats, self.run.time_budget);
        let mut optimiser = Optimiser::new(&self.plan.shape);
        let (mut best, mut float, mut rounded) = (None, None, None);
        let mut loss = None;
        let mut stopped = "done";
        let start = Instant::now();
        let mut step = first;
        while let Some(pace) = schedule.next(step) {
            if pace.rounded && float.is_none() {
                weights = settle(weights, &mut best);
                rounded = Some(levels.map_or_else(|| self.levels(&weights), Ok)?);
                float = Some(weights.clone());
                optimiser = Optimiser::new(&self.plan.shape);
                // What tuning begins with is its first candidate.
                self.check(&weights, rounded, &mut best);
            }
            let bits = self.step(&mut weights, &mut optimiser, &mut dealer, rounded, pace.learning_rate);
            step += 1;
            loss = Some(loss.map_or(bits, |loss: f64| loss * 0.98 + bits * 0.02));
            let elapsed = start.elapsed().as_secs_f64();
            let progress = Progress {
                tuning: pace.rounded,
                step,
                steps: schedule.planned(step),
                loss_bpsp: loss.unwrap_or(f64::NAN),
                samples_per_second: ((step - first) as f64) * (self.plan.batch_pixels * self.plan.shape.channels) as f64 / elapsed,
                elapsed_seconds: elapsed,
                eta_seconds: schedule.eta(step),
            };
            match watch.step(&progress) {
                Wish::Continue => {}
                Wish::Finish => {
                    stopped = "interrupted";
                    break;
                }
                Wish::Cancel => return Err(Error::Cancelled),
            }
            if step.is_multiple_of(self.plan.steps.div_ceil(CHECKS)) {
                if let Some(place) = &self.run.checkpoint {
                    place.save(&self.net(&weights), &checkpoint::Progress { plan: self.plan.clone(), step, seed: self.run.seed })?;
                }
                let (rate, stalled) = self.check(&weights, rounded, &mut best);
                if let Some(float) = float.as_ref().filter(|_| levels.is_none() && Self::has_failed(rounded, rate, best.as_ref())) {
                    tracing::debug!(rate, "tuning begins again, rounded as finely as can be");
                    (weights, rounded, best, optimiser) = (float.clone(), Some(Levels::FINEST), None, Optimiser::new(&self.plan.shape));
                    self.check(&weights, rounded, &mut best);
                } else if stalled && schedule.end_phase(step) {
                    stopped = "early_stop";
                }
            }
        }
        if schedule.out_of_time() && stopped == "done" {
            stopped = "time_budget";
        }
        self.check(&weights, rounded, &mut best);
        let tuned = settle(weights, &mut best);
        let float = float.unwrap_or_else(|| tuned.clone());
        // Coarse weights need tuning: without, they are as fine as can be.
        let fineness = rounded.or(levels).unwrap_or(Levels::FINEST);
        let quantised = self.lower(&float, fineness)?;
        let program = if rounded.is_some() { self.lower(&tuned, fineness)? } else { quantised.clone() };
        let rates = self.measured.each_ref().map(|planes| match planes.is_empty() {
            true => f64::NAN,
            false => evaluate::network(&float, &self.sampler, planes, &evaluate::patches(planes), self.set.alphabet(), None),
        });
        let quantised_rates = self.rates(&quantised)?;
        let tuned_rates = self.rates(&program)?;
        Ok(Trained {
            program,
            steps: step - first,
            planned_steps: self.plan.steps,
            stopped,
            seconds: start.elapsed().as_secs_f64(),
            float: SplitRates { train: rates[0], validation: rates[1], test: rates[2] },
            quantised: quantised_rates,
            tuned: tuned_rates,
        })
    }

    /// One batch: moves the weights, returns the batch's bits per subpixel.
    fn step(&self, weights: &mut [f32], optimiser: &mut Optimiser, dealer: &mut Dealer, rounded: Option<Levels>, learning_rate: f64) -> f64 {
        let patches = dealer.deal(&self.set.train, self.plan.batch_pixels);
        let (bits, samples, mut gradient) = if self.run.device.host {
            crate::host::gradient(weights, rounded, &self.sampler, &self.set.train, &patches, self.set.alphabet())
        } else {
            let net = Net::with_weights(&self.plan.shape, weights, &self.device);
            self.autodiff(&net, &self.sampler.gather(&self.set.train, &patches), rounded)
        };
        optimiser.step(weights, &mut gradient, learning_rate as f32);
        bits / samples as f64
    }

    /// The network as burn's modules, in the host's memory.
    fn net(&self, weights: &[f32]) -> Net {
        Net::with_weights(&self.plan.shape, weights, &Device::flex())
    }

    /// Bits, samples and gradients by burn's autodiff, on whatever device the network is.
    fn autodiff(&self, net: &Net, batch: &Batch, rounded: Option<Levels>) -> (f64, usize, Vec<f32>) {
        let outputs = net.forward(&upload(batch, &self.plan.shape, &self.device), rounded);
        let values: Vec<Vec<f32>> = outputs.iter().map(|output| host(output.clone().detach())).collect();
        let (bits, gradients) = self.sampler.loss(batch, &values, self.set.alphabet());
        // The loss and its gradient come from the host: a sum of outputs times their gradients has the same gradient everywhere below.
        let parts = outputs.into_iter().zip(gradients).map(|(output, gradient)| {
            let dims = output.dims();
            (output * Tensor::from_data(TensorData::new(gradient, dims), &self.device)).sum()
        });
        let gradients =
            parts.reduce(|sum, part| sum + part).map_or_else(GradientsParams::new, |sum| GradientsParams::from_grads(sum.backward(), net));
        (bits, batch.samples.len(), net.gradient(&gradients))
    }

    /// Measures the network on the checked images: their rate, and whether the phase has stopped making progress.
    fn check(&self, weights: &[f32], rounded: Option<Levels>, best: &mut Option<Best>) -> (f64, bool) {
        let rate = self.checked_rate(weights, rounded);
        tracing::debug!(rate, ?rounded, "checked");
        let before = best.as_ref().map_or(f64::INFINITY, |best| best.rate);
        let checks_since = if rate < before - PROGRESS { 0 } else { best.as_ref().map_or(0, |best| best.checks_since + 1) };
        match best {
            Some(best) if rate >= best.rate => best.checks_since = checks_since,
            _ => *best = Some(Best { weights: weights.to_vec(), rate, checks_since }),
        }
        (rate, checks_since >= PATIENCE)
    }

    /// The network's rate on what chooses the checkpoint, bits per subpixel.
    fn checked_rate(&self, weights: &[f32], rounded: Option<Levels>) -> f64 {
        evaluate::network(weights, &self.sampler, Self::choosing(self.set), &self.checked, self.set.alphabet(), rounded)
    }

    fn lower(&self, weights: &[f32], levels: Levels) -> Result<Program, Error> {
        let set = self.set;
        let symbols = Symbols { bit_depth: set.bit_depth, wide: set.wide.clone(), colour: set.colour };
        quantise(&self.net(weights), &self.plan.shape, &set.order, &self.follows, symbols, levels)
    }

    fn rates(&self, program: &Program) -> Result<SplitRates, Error> {
        let rate = |planes: &Vec<Plane<S>>| if planes.is_empty() { Ok(f64::NAN) } else { evaluate::program(program, planes) };
        let [train, validation, test] = &self.measured;
        Ok(SplitRates { train: rate(train)?, validation: rate(validation)?, test: rate(test)? })
    }
}

/// The best weights of a phase that has ended, and a clean slate for the next.
fn settle(last: Vec<f32>, best: &mut Option<Best>) -> Vec<f32> {
    best.take().map_or(last, |best| best.weights)
}

/// Evenly chosen images of about `pixels` pixels together.
fn some<S: Sample>(planes: &[Plane<S>], pixels: usize) -> Vec<Plane<S>> {
    let total: usize = planes.iter().map(|plane| plane.shape().0 * plane.shape().1).sum();
    let every = total.div_ceil(pixels.max(1)).max(1);
    planes.iter().step_by(every.min(planes.len().max(1))).cloned().collect()
}

/// Evenly chosen patches of about `pixels` pixels together, of all images: a single one may be unlike the others.
fn spread(patches: Vec<Patch>, pixels: usize) -> Vec<Patch> {
    let total: usize = patches.iter().map(|patch| patch.height * patch.width).sum();
    patches.into_iter().step_by(total.div_ceil(pixels.max(1)).max(1)).collect()
}

#[cfg(test)]
mod tests;
