//! Training the whole numbers further: integers move, zeros stay, steps stay.

use super::arch::Parameters;
use super::evaluate::{Score, log_softmax, scores};
use super::graph::Graph;
use super::images::Normalisation;
use super::quantise::{Code, Codes};
use super::train::{Epoch, Parts, Plan, Run, Teacher, Watch};
use crate::error::Error;

/// Share of the teacher in what a compressed network should answer.
const TEACHER_SHARE: f32 = 0.7;

/// What tuning gave.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// The integers.
    pub codes: Codes,
    /// All tensors, those with codes as the codes say.
    pub parameters: Parameters,
    /// Score of these on the validation images; its loss is never larger than what tuning began with.
    pub validation: Score,
    /// The curve.
    pub epochs: Vec<Epoch>,
    /// The watcher ended it.
    pub interrupted: bool,
}

/// Answers to learn from, besides the labels.
pub struct Lessons(pub(super) Teacher);

/// The answers of a network to all training images.
#[must_use]
pub fn lessons(graph: &Graph, parameters: &Parameters, normalisation: &Normalisation, parts: &Parts) -> Lessons {
    let scores = scores(graph, parameters, normalisation, &parts.train);
    let probabilities = scores.chunks_exact(graph.classes()).flat_map(|scores| log_softmax(scores).into_iter().map(f32::exp)).collect();
    Lessons(Teacher { probabilities, share: TEACHER_SHARE })
}

/// The tensors of a network whose weights are `codes`.
#[must_use]
pub fn lower(parameters: &Parameters, codes: &Codes) -> Parameters {
    parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map_or_else(|| values.clone(), Code::values)).collect()
}

/// Trains the integers of `codes`, with the tensors that have none. `parameters` are the weights before rounding, or the codes' own.
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
    let settled =
        parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map_or_else(|| values.clone(), |code| code.settle(values))).collect();
    let round = |moving: &Parameters| -> Parameters {
        let values = moving.iter().zip(codes).map(|(values, code)| match code {
            None => values.clone(),
            Some(code) => Code { integers: code.follow(values), ..code.clone() }.values(),
        });
        values.collect()
    };
    // weights that decay would drift across the edges of their cells for no reason
    let plan = Plan { weight_decay: 0.0, ..plan.clone() };
    let run = Run { graph, parts, normalisation, plan: &plan, lower: Some(&round), teacher: lessons.map(|lessons| &lessons.0), first_counts: true };
    let trained = run.run(settled, watch)?;
    let moved =
        trained.parameters.iter().zip(codes).map(|(values, code)| code.as_ref().map(|code| Code { integers: code.follow(values), ..code.clone() }));
    let codes: Codes = moved.collect();
    let parameters = lower(&trained.parameters, &codes);
    Ok(Tuned { codes, parameters, validation: trained.validation, epochs: trained.epochs, interrupted: trained.interrupted })
}
