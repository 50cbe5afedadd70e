//! Training the whole numbers further: integers move, zeros stay, steps stay.

use super::arch::Parameters;
use super::evaluate::{Score, best, log_softmax, scores};
use super::graph::Graph;
use super::images::Normalisation;
use super::prune::masked;
use super::quantise::{Code, Codes, shape};
use super::train::{Epoch, Keep, Lower, Parts, Plan, Run, Teacher, Watch};
use crate::error::Error;

/// Share of the teacher in what a compressed network should answer to an image that the teacher knows; the label has the rest. What the teacher gets wrong is
/// learned from labels alone.
const TEACHER_SHARE: f32 = 0.5;
/// Share of the target that all classes have alike (label smoothing, Szegedy et al. 2016): without it a network that learns from few images for long grows surer than it
/// is right, and its loss says little.
const SMOOTH: f32 = 0.1;

/// What tuning gave.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// The integers.
    pub codes: Codes,
    /// All tensors, those with codes as the codes say.
    pub parameters: Parameters,
    /// The same before rounding: where the next rounding may begin.
    pub moving: Parameters,
    /// Score of these on the validation images; of none, where the last state is kept unmeasured.
    pub validation: Score,
    /// The curve.
    pub epochs: Vec<Epoch>,
    /// The watcher ended it.
    pub interrupted: bool,
}

/// Answers to learn from, besides the labels.
pub struct Lessons(pub(super) Teacher);

/// Lessons from the answers of a network to all training images.
#[must_use]
pub fn lessons(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, parts: &Parts) -> Lessons {
    let scores = scores(graph, parameters, normalisation, &parts.train);
    let mut targets = Vec::with_capacity(scores.len());
    for (scores, &label) in scores.chunks_exact(graph.classes()).zip(parts.train.labels()) {
        let share = if best(scores) == label { TEACHER_SHARE } else { 0.0 };
        let answers = log_softmax(scores).into_iter().map(f32::exp).enumerate();
        let even = SMOOTH / graph.classes() as f32;
        targets.extend(answers.map(|(class, answer)| {
            let own = share * answer + (1.0 - share) * f32::from(u8::from(class == label));
            (1.0 - SMOOTH) * own + even
        }));
    }
    Lessons(Teacher(targets))
}

/// The tensors of a network whose weights are `codes`.
#[must_use]
pub fn lower(parameters: &Parameters, codes: &Codes) -> Parameters {
    parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map_or_else(|| values.clone(), Code::values)).collect()
}

/// Trains the integers of `codes`, with the tensors that have none. `parameters` are the weights before rounding, or the codes' own. What comes back has no
/// larger loss on the validation images than what goes in.
///
/// # Errors
/// `Cancelled`, or what the watcher says.
#[expect(clippy::too_many_arguments, reason = "a network, its codes, its lessons, its images, and how; a struct would be used once")]
pub fn tune(
    graph: &Graph,
    parameters: &Parameters,
    codes: &Codes,
    lessons: Option<&Lessons>,
    parts: &Parts,
    normalisation: &Normalisation,
    plan: &Plan,
    watch: &mut dyn Watch,
) -> Result<Tuned, Error> {
    tune_and_keep(graph, parameters, codes, lessons, parts, normalisation, plan, Keep::LeastLossOrFirst, watch)
}

/// The same, with a say in which state is kept.
#[expect(clippy::too_many_arguments, reason = "a network, its codes, its lessons, its images, and how; a struct would be used once")]
pub(super) fn tune_and_keep(
    graph: &Graph,
    parameters: &Parameters,
    codes: &Codes,
    lessons: Option<&Lessons>,
    parts: &Parts,
    normalisation: &Normalisation,
    plan: &Plan,
    keep: Keep,
    watch: &mut dyn Watch,
) -> Result<Tuned, Error> {
    let settled =
        parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map_or_else(|| values.clone(), |code| code.settle(values))).collect();
    // weights that decay would drift across the edges of their cells for no reason
    let plan = Plan { weight_decay: 0.0, ..plan.clone() };
    let run = Run { graph, parts, normalisation, plan: &plan, lower: Some(Lower::Rounded(codes)), teacher: lessons.map(|lessons| &lessons.0), keep };
    let trained = run.run(settled, watch)?;
    let moved =
        trained.parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map(|code| Code { integers: code.follow(values), ..code.clone() }));
    // weights that were zero may have been pushed, but never counted
    let moving = masked(&trained.parameters, &shape(codes));
    let codes: Codes = moved.collect();
    let parameters = lower(&trained.parameters, &codes);
    Ok(Tuned { codes, parameters, moving, validation: trained.validation, epochs: trained.epochs, interrupted: trained.interrupted })
}
