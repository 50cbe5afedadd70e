//! Steps 2, 3 and 5 for one group of images: train, round, tune.

use std::time::Duration;

use kolmo_codec::program::Program;
use kolmo_codec::sample::Sample;
use kolmo_data::layout::{Image, Layout};
use kolmo_data::split::Part;
use kolmo_model::checkpoint::Place;
use kolmo_model::effort::Plan;
use kolmo_model::train::{self, Progress, Run, TrainSet, Trained, Watch, Wish};

use crate::Error;
use crate::aligned::are_aligned;
use crate::choose::colour_name;
use crate::observe::{Event, Observer};
use crate::options::{LearnOptions, StopFlag};
use crate::summary::{ProgramSummary, RatesSummary, SplitRates};
use crate::symbols::Symbols;

/// Fewest images that are split at all; smaller groups are learned from whole, and measured on what they learned.
pub(crate) const FEWEST_TO_SPLIT: usize = 20;

/// Peak learning rate of the float network that begins as a built-in Program, against one that begins at random: in a short training it
/// should not forget. 200 images of photos100, effort 3: 3.467 bpsp with 1, 3.461 with 0.4, 3.460 with 0.15.
const FROM_PRIOR: f64 = 0.4;
/// Effort from which trainings are long enough to learn anew: cifar10 ended at 3.480 bpsp with 0.4, at 3.476 from random weights.
const LONG: u8 = 5;

/// Hats along each axis for images that show like things in like places. fashion_mnist, effort 3, bits a sample of what is learned from:
/// 3.007 without, 2.994 with 6, 2.992 with 10.
const HATS: usize = 8;

/// A Program and how it came about; `summary.sizes`, `kept` and `reason` are the caller's to fill in.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    /// The tuned Program.
    pub(crate) program: Program,
    /// Its history.
    pub(crate) summary: ProgramSummary,
}

/// What learning begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From<'a> {
    /// Random weights.
    Nothing,
    /// The weights of a built-in Program; a network of its shape is learned, then rounded.
    Prior(&'a Program),
    /// A Program that is trained further as it is, rounded.
    Tuned(&'a Program),
}

/// How the Program of one group is learned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesson<'a> {
    /// What the group is called, in reports and names of checkpoints.
    pub(crate) name: &'a str,
    pub(crate) from: From<'a>,
    /// Those of all images that are to be coded, also of those that are not learned from.
    pub(crate) symbols: &'a Symbols,
    pub(crate) options: &'a LearnOptions,
    /// What the images may take once coded.
    pub(crate) expected_bytes: u64,
    /// What may be spent of what the effort allows for one group, at most 1.
    pub(crate) share: f64,
    /// This group's share of the whole.
    pub(crate) time_budget: Option<Duration>,
    /// Fewer steps than planned, for a first look.
    pub(crate) most_steps: Option<u64>,
}

/// What learning a group of so many samples will do: the network that was asked for, or one that suits the bytes it is to code.
pub(crate) fn plan(options: &LearnOptions, layout: Layout, subpixels: u64, expected_bytes: u64) -> Plan {
    match options.network {
        Some(number) => Plan::of_network(options.effort, layout.channels(), subpixels, number.into()),
        None => Plan::new(options.effort, layout.channels(), subpixels, expected_bytes),
    }
}

/// Learns a Program from images of one layout.
///
/// The images come with what each is for; `None` leaves one out (copies, outliers).
///
/// # Errors
/// What training refuses, a given Program of another layout among it; `Cancelled` if `stop` says so.
pub(crate) fn learn_group(
    layout: Layout,
    images: &[(&Image, Option<Part>)],
    lesson: &Lesson<'_>,
    observer: &mut dyn Observer,
    stop: &StopFlag,
) -> Result<Learned, Error> {
    let symbols = lesson.symbols;
    let subpixels: u64 = images.iter().map(|(image, _)| image.subpixels()).sum();
    let mut plan = plan(lesson.options, layout, subpixels, lesson.expected_bytes);
    plan.shape.deep = symbols.is_deep();
    let mut run = run(lesson)?;
    if matches!(lesson.from, From::Nothing) && are_aligned(images.iter().map(|(image, _)| *image)) {
        plan.shape.hats = HATS;
    }
    if let From::Prior(program) = lesson.from {
        plan = plan.of_program(program, subpixels)?;
        run.start = Some(program.clone());
        plan.float_share = if lesson.options.effort < LONG { FROM_PRIOR } else { 1.0 };
    }
    plan = plan.shared(lesson.share);
    plan.steps = plan.steps.min(lesson.most_steps.unwrap_or(u64::MAX));
    let mut watcher = Watcher { group: lesson.name.to_owned(), observer, stop };
    let trained = if symbols.is_deep() {
        train(&train_set::<u16>(layout, symbols, images)?, lesson.from, &plan, &run, &mut watcher)?
    } else {
        train(&train_set::<u8>(layout, symbols, images)?, lesson.from, &plan, &run, &mut watcher)?
    };
    Ok(learned(layout, trained, &run))
}

fn train<S: Sample>(set: &TrainSet<S>, from: From<'_>, plan: &Plan, run: &Run, watcher: &mut Watcher<'_>) -> Result<Trained, Error> {
    Ok(match from {
        From::Tuned(program) => train::tune(program, set, plan, run, watcher)?,
        From::Nothing | From::Prior(_) => train::train(set, plan, run, watcher)?,
    })
}

fn run(lesson: &Lesson<'_>) -> Result<Run, Error> {
    let options = lesson.options;
    Ok(Run {
        seed: options.seed,
        device: kolmo_model::device::choose(options.device)?,
        time_budget: lesson.time_budget,
        checkpoint: options.checkpoint.as_ref().map(|folder| Place::new(folder, lesson.name)),
        resume: options.resume,
        start: None,
    })
}

fn train_set<S: Sample>(layout: Layout, symbols: &Symbols, images: &[(&Image, Option<Part>)]) -> Result<TrainSet<S>, Error> {
    let order = train::coding_order(layout.channels());
    let (bit_depth, wide, colour) = (symbols.bit_depth, symbols.wide.clone(), symbols.colour);
    let mut set = TrainSet { order: order.clone(), bit_depth, wide, colour, ..TrainSet::default() };
    for (image, part) in images {
        let Some(part) = part else { continue };
        let of_part = match part {
            Part::Train => &mut set.train,
            Part::Validation => &mut set.validation,
            Part::Test => &mut set.test,
        };
        of_part.push(symbols.plane(image, &order)?);
    }
    Ok(set)
}

fn learned(layout: Layout, trained: Trained, run: &Run) -> Learned {
    let rates = |rates: kolmo_model::evaluate::SplitRates| SplitRates { train: rates.train, validation: rates.validation, test: rates.test };
    let summary = ProgramSummary {
        group: layout.to_string(),
        colour: colour_name(&trained.program),
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
