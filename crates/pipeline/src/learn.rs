//! Steps 2, 3 and 5 for one group of images: train, round, tune.

use std::time::Duration;

use kolmo_codec::context::Plane;
use kolmo_codec::program::Program;
use kolmo_data::layout::{Image, Layout};
use kolmo_data::split::Part;
use kolmo_model::checkpoint::Place;
use kolmo_model::effort::Plan;
use kolmo_model::train::{self, Progress, Run, TrainSet, Trained, Watch, Wish};

use crate::Error;
use crate::observe::{Event, Observer};
use crate::options::{LearnOptions, StopFlag};
use crate::summary::{ProgramSummary, RatesSummary, SplitRates};

/// Fewest images that are split at all; smaller groups are learned from whole, and measured on what they learned.
pub(crate) const FEWEST_TO_SPLIT: usize = 20;

/// A Program and how it came about; `summary.sizes`, `kept` and `reason` are the caller's to fill in.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    /// The tuned Program.
    pub(crate) program: Program,
    /// Its history.
    pub(crate) summary: ProgramSummary,
}

/// Learns a Program from images of one layout, or trains a `given` one further.
///
/// The images come with what each is for; `None` leaves one out (copies, outliers). `expected_bytes` is what they may take once coded,
/// `time_budget` this group's share of the whole.
///
/// # Errors
/// What training refuses, a given Program of another layout among it; `Cancelled` if `stop` says so.
#[expect(clippy::too_many_arguments, reason = "what is learned, how, and who watches; a struct would be used once")]
pub(crate) fn learn_group(
    layout: Layout,
    images: &[(&Image, Option<Part>)],
    given: Option<&Program>,
    expected_bytes: u64,
    options: &LearnOptions,
    time_budget: Option<Duration>,
    observer: &mut dyn Observer,
    stop: &StopFlag,
) -> Result<Learned, Error> {
    let set = train_set(layout, images)?;
    let subpixels: u64 = images.iter().map(|(image, _)| image.samples.len() as u64).sum();
    let plan = Plan::new(options.effort, layout.channels(), subpixels, expected_bytes);
    let run = run(layout, options, time_budget)?;
    let mut watcher = Watcher { group: layout.to_string(), observer, stop };
    let trained = match given {
        None => train::train(&set, &plan, &run, &mut watcher)?,
        Some(program) => train::tune(program, &set, &plan, &run, &mut watcher)?,
    };
    Ok(learned(layout, trained, &run))
}

fn run(layout: Layout, options: &LearnOptions, time_budget: Option<Duration>) -> Result<Run, Error> {
    Ok(Run {
        seed: options.seed,
        device: kolmo_model::device::choose(options.device)?,
        time_budget,
        checkpoint: options.checkpoint.as_ref().map(|folder| Place::new(folder, &layout.to_string())),
        resume: options.resume,
    })
}

fn train_set(layout: Layout, images: &[(&Image, Option<Part>)]) -> Result<TrainSet, Error> {
    let order = train::coding_order(layout.channels());
    let mut set = TrainSet { order: order.clone(), bit_depth: layout.bit_depth, ..TrainSet::default() };
    for (image, part) in images {
        let plane = Plane::new(image.height as usize, image.width as usize, &image.samples, &order, layout.bit_depth)?;
        match part {
            Some(Part::Train) => set.train.push(plane),
            Some(Part::Validation) => set.validation.push(plane),
            Some(Part::Test) => set.test.push(plane),
            None => {}
        }
    }
    Ok(set)
}

fn learned(layout: Layout, trained: Trained, run: &Run) -> Learned {
    let rates = |rates: kolmo_model::evaluate::SplitRates| SplitRates { train: rates.train, validation: rates.validation, test: rates.test };
    let summary = ProgramSummary {
        group: layout.to_string(),
        parameters: trained.program.parameters(),
        macs_per_pixel: trained.program.macs_per_pixel(),
        steps: trained.steps,
        planned_steps: trained.planned_steps,
        stopped: trained.stopped.to_owned(),
        seconds: trained.seconds,
        device: run.device.name.clone(),
        rates: RatesSummary { float: rates(trained.float), quantised: rates(trained.quantised), tuned: rates(trained.tuned) },
        ..ProgramSummary::default()
    };
    Learned { program: trained.program, summary }
}

/// Passes progress on, and the wish to stop back.
struct Watcher<'a> {
    group: String,
    observer: &'a mut dyn Observer,
    stop: &'a StopFlag,
}

impl Watch for Watcher<'_> {
    fn step(&mut self, progress: &Progress) -> Wish {
        self.observer.event(&Event::Training {
            group: self.group.clone(),
            tuning: progress.tuning,
            step: progress.step,
            steps: progress.steps,
            loss_bpsp: progress.loss_bpsp,
            samples_per_second: progress.samples_per_second,
            elapsed_seconds: progress.elapsed_seconds,
            eta_seconds: progress.eta_seconds,
        });
        self.stop.wish()
    }
}
