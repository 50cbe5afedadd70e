//! Prune, allocate, round, code, tune, until the accuracy budget binds.

use kolmo_codec::general;
use kolmo_codec::network::{self as codec, Sizes};
use serde::{Deserialize, Serialize};

use super::allocate::{Choice, Strategy, allocate, bytes_of};
use super::arch::Parameters;
use super::archive::{from_archive, to_archive};
use super::evaluate::{Score, log_softmax, score, scores};
use super::graph::Role;
use super::images::{Augment, ImageSet};
use super::network::Network;
use super::prune::{Masks, kept_at, masked, masks};
use super::quantise::{BITS, Codes, LAMBDA, Rounding, quantise};
use super::train::{Parts, Plan, Run, Watch};
use super::tune::{Lessons, Tuned, lessons, lower, tune};
use crate::error::Error;

/// How a network is made small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Points of validation accuracy that may be lost.
    pub max_drop: f64,
    /// How bits are given to tensors.
    #[serde(skip)]
    pub strategy: Strategy,
    /// A step for each output channel instead of one for the tensor.
    pub by_channel: bool,
    /// Passes over the training images after each level of pruning that needs them.
    pub prune_epochs: f64,
    /// Passes over the training images after each rounding.
    pub tune_epochs: f64,
    /// Most roundings that are tuned.
    pub rounds: usize,
    /// Training images that losses of single tensors are measured on.
    pub calibration: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// What is done to training images.
    pub augment: Augment,
    /// Seed of order and augmentation.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            max_drop: 0.5,
            strategy: Strategy::Dynamic,
            by_channel: true,
            prune_epochs: 1.0,
            tune_epochs: 1.0,
            rounds: 4,
            calibration: 128,
            batch: 64,
            learning_rate: 3e-4,
            augment: Augment::default(),
            seed: 0,
        }
    }
}

/// Follows the work.
pub trait Follow {
    /// A stage begins; training within it is called `stage`.
    fn stage(&mut self, stage: &str);
    /// Something a user should know.
    fn note(&mut self, text: String);
    /// Countable work went on.
    fn progress(&mut self, stage: &'static str, done: usize, total: usize);
    /// Watches training.
    fn watch(&mut self) -> &mut dyn Watch;
    /// Everything should end.
    fn cancelled(&self) -> bool;
}

/// A network of some size that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Whole archive.
    pub bytes: u64,
    /// Weights other than zero.
    pub nonzero: usize,
    /// Trained after rounding.
    pub tuned: bool,
    /// Score on the validation images.
    pub validation: Score,
    /// Score on the test images, where it was measured.
    pub test: Option<Score>,
}

/// What became of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Its values.
    pub count: usize,
    /// Those other than zero.
    pub nonzero: usize,
    /// Bits of an integer; 0 for a tensor that is kept exactly.
    pub bits: u8,
    /// Range-coded alone, its predictor beginning anew; bytes.
    pub bytes: u64,
}

/// Bytes after each step, all of the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Table {
    /// 32-bit floats.
    pub raw: u64,
    /// 32-bit floats other than zero, and a byte each for the zeros before it.
    pub pruned: u64,
    /// What a script would do: every weight as 8 bits by its output channel's largest, all by zstd at level 19.
    pub int8_zstd: u64,
    /// Integers of as many bits as their tensors got, and what is exact.
    pub quantised: u64,
    /// The archive by Huffman coding.
    pub huffman: u64,
    /// By LZ77.
    pub lz77: u64,
    /// By context-adaptive range coding.
    pub range: u64,
    /// By the shortest of them, after tuning.
    pub tuned: u64,
}

/// Scores on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stages {
    /// The network as it was given (normalisations folded, if so wished).
    pub before: [Score; 2],
    /// After pruning, with the training it needed.
    pub pruned: [Score; 2],
    /// After rounding and coding, before tuning.
    pub coded: [Score; 2],
    /// What is in the archive.
    pub tuned: [Score; 2],
}

/// A network made small.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// The archive's bytes.
    pub bytes: Vec<u8>,
    /// Where they go.
    pub sizes: Sizes,
    /// Bytes after each step.
    pub table: Table,
    /// Validation and test scores after each step.
    pub stages: Stages,
    /// Tensor by tensor.
    pub tensors: Vec<TensorReport>,
    /// All that was measured on the way.
    pub candidates: Vec<Candidate>,
    /// Share of the weights that pruning kept.
    pub kept: f64,
    /// Validation accuracy stays within the budget.
    pub within_budget: bool,
}

/// Makes `network` small.
///
/// # Errors
/// `InvalidArgument` for a recipe that makes no sense, `Cancelled`.
pub fn compress(network: &Network, parts: &Parts, recipe: &Recipe, follow: &mut dyn Follow) -> Result<Compressed, Error> {
    let sane = recipe.max_drop.is_finite() && recipe.max_drop >= 0.0 && recipe.learning_rate > 0.0 && recipe.batch >= 2;
    if !sane || !(0.0..=1000.0).contains(&recipe.prune_epochs) || !(0.0..=1000.0).contains(&recipe.tune_epochs) {
        let what = "the accuracy budget must be 0 or more, the learning rate above 0, batches at least 2, epochs 0 to 1000".to_owned();
        return Err(Error::InvalidArgument { what });
    }
    let search = Search::new(network, parts, recipe, follow)?;
    search.run(follow)
}

struct Search<'a> {
    network: &'a Network,
    parts: &'a Parts,
    recipe: &'a Recipe,
    lessons: Option<Lessons>,
    before: Score,
}

/// A rounding that was coded and measured.
struct Rounded {
    codes: Codes,
    parameters: Parameters,
    bytes: u64,
    validation: Score,
}

impl<'a> Search<'a> {
    fn new(network: &'a Network, parts: &'a Parts, recipe: &'a Recipe, follow: &mut dyn Follow) -> Result<Self, Error> {
        follow.stage("measure");
        let before = network.score(&parts.validation);
        let learns = recipe.prune_epochs > 0.0 || recipe.tune_epochs > 0.0;
        let lessons = learns.then(|| lessons(&network.graph, &network.parameters, &network.about.normalisation, parts));
        Ok(Self { network, parts, recipe, lessons, before })
    }

    fn score(&self, parameters: &Parameters, set: &ImageSet) -> Score {
        score(&self.network.graph, parameters, &self.network.about.normalisation, set)
    }

    /// Images that may be lost on the validation set.
    fn within(&self, score: &Score, share: f64) -> bool {
        let lost = self.before.top1() - score.top1();
        lost <= share * self.recipe.max_drop + 1e-9
    }

    fn plan(&self, epochs: f64) -> Plan {
        let images = self.parts.train.len();
        let whole = epochs.floor().max(0.0) as usize;
        // a part of an epoch is an epoch of fewer images
        let (epochs, images) = if whole >= 1 { (whole, 0) } else { (usize::from(epochs > 0.0), ((epochs * images as f64) as usize).max(1)) };
        Plan {
            epochs,
            images,
            batch: self.recipe.batch,
            learning_rate: self.recipe.learning_rate,
            weight_decay: 0.0,
            augment: self.recipe.augment,
            seed: self.recipe.seed,
        }
    }

    fn run(&self, follow: &mut dyn Follow) -> Result<Compressed, Error> {
        let (pruned, kept) = self.prune(follow)?;
        check(follow)?;
        let mut candidates = Vec::new();
        let choices = self.choices(&pruned, follow)?;
        let rounded = self.round_to_budget(&pruned, &choices, &mut candidates, follow)?;
        let (best, coded) = self.tune_while_it_fits(&pruned, &choices, rounded, &mut candidates, follow)?;
        self.finish(&pruned, kept, best, coded, candidates, follow)
    }

    /// Prunes level by level, training where a level needs it, while half of the budget is left.
    fn prune(&self, follow: &mut dyn Follow) -> Result<(Parameters, f64), Error> {
        const SHARE: f64 = 0.5;
        let graph = &self.network.graph;
        let (mut best, mut kept) = (self.network.parameters.clone(), 1.0);
        for level in 1..24 {
            check(follow)?;
            let keep = kept_at(level);
            let stage = format!("prune to {:.1} %", 100.0 * keep);
            follow.stage(&stage);
            let chosen = masks(graph, &best, keep);
            let next = masked(&best, &chosen);
            let at_once = self.score(&next, &self.parts.validation);
            tracing::info!(level, keep, top1 = at_once.top1(), "pruned");
            let (next, validation) = if self.within(&at_once, SHARE / 2.0) || self.recipe.prune_epochs <= 0.0 {
                (next, at_once)
            } else {
                let trained = self.train_masked(&next, &chosen, follow)?;
                if trained.1 {
                    return Ok((best, kept));
                }
                (trained.0, trained.2)
            };
            follow.note(format!(
                "{stage} of the weights: {:.2} % of the validation images right (before {:.2} %)",
                validation.top1(),
                self.before.top1()
            ));
            if !self.within(&validation, SHARE) {
                break;
            }
            (best, kept) = (next, keep);
        }
        Ok((best, kept))
    }

    /// Trains what a mask leaves: the tensors, whether it was interrupted, and the score.
    fn train_masked(&self, parameters: &Parameters, chosen: &Masks, follow: &mut dyn Follow) -> Result<(Parameters, bool, Score), Error> {
        let network = self.network;
        let lower = |moving: &Parameters| masked(moving, chosen);
        let plan = self.plan(self.recipe.prune_epochs);
        let run = Run {
            graph: &network.graph,
            parts: self.parts,
            normalisation: &network.about.normalisation,
            plan: &plan,
            lower: Some(&lower),
            teacher: self.lessons.as_ref().map(|lessons| &lessons.0),
            first_counts: true,
        };
        let trained = run.run(parameters.clone(), follow.watch())?;
        Ok((lower(&trained.parameters), trained.interrupted, trained.validation))
    }

    fn rounding(&self) -> Rounding {
        Rounding { by_channel: self.recipe.by_channel, lambda: LAMBDA }
    }

    /// For each tensor of weights what each number of bits would cost and lose. Loss is the divergence of the network's answers to calibration images
    /// from its own when only this tensor is rounded, nats an image.
    fn choices(&self, pruned: &Parameters, follow: &mut dyn Follow) -> Result<Vec<Vec<Choice>>, Error> {
        follow.stage("allocate");
        let graph = &self.network.graph;
        let normalisation = &self.network.about.normalisation;
        let images = self.parts.train.some(self.recipe.calibration.max(1));
        let classes = graph.classes();
        let logs = |parameters: &Parameters| -> Vec<f32> {
            scores(graph, parameters, normalisation, &images).chunks_exact(classes).flat_map(log_softmax).collect()
        };
        let own = logs(pruned);
        let weights = graph.weights();
        let mut choices = Vec::with_capacity(weights.len());
        let mut trial = pruned.clone();
        for (number, &at) in weights.iter().enumerate() {
            let spec = &graph.specs[at];
            let mut of = Vec::with_capacity(BITS.len());
            for bits in BITS {
                check(follow)?;
                let code = quantise(spec, &pruned[at], bits, &self.rounding());
                let bytes = codec::range_bytes(&spec.shape, bits, &code.integers)?;
                trial[at] = code.values();
                let loss = divergence(&own, &logs(&trial)) / images.len() as f64;
                of.push(Choice { bits, bytes, loss });
                // more bits than lose nothing are never chosen, and measuring them takes as long
                if loss < 1e-5 {
                    let last = Choice { bytes: bytes + 1, ..of[of.len() - 1] };
                    of.resize(BITS.len(), last);
                    break;
                }
            }
            trial[at].clone_from(&pruned[at]);
            tracing::info!(tensor = spec.name, ?of, "choices");
            choices.push(of);
            follow.progress("measuring tensors", number + 1, weights.len());
        }
        Ok(choices)
    }

    /// Rounds to a choice for every tensor, codes and measures.
    fn round(&self, pruned: &Parameters, choices: &[Vec<Choice>], chosen: &[usize]) -> Result<Rounded, Error> {
        let graph = &self.network.graph;
        let mut codes: Codes = vec![None; graph.specs.len()];
        for ((&at, choices), &chosen) in graph.weights().iter().zip(choices).zip(chosen) {
            codes[at] = Some(quantise(&graph.specs[at], &pruned[at], choices[chosen].bits, &self.rounding()));
        }
        let parameters = lower(pruned, &codes);
        let (bytes, _) = codec::write(&to_archive(self.network, &parameters, &codes))?;
        let validation = self.score(&parameters, &self.parts.validation);
        Ok(Rounded { codes, parameters, bytes: bytes.len() as u64, validation })
    }

    /// The smallest rounding within the budget before tuning, by bisection over sizes; the largest if none is.
    fn round_to_budget(
        &self,
        pruned: &Parameters,
        choices: &[Vec<Choice>],
        candidates: &mut Vec<Candidate>,
        follow: &mut dyn Follow,
    ) -> Result<(u64, Rounded), Error> {
        follow.stage("round");
        let extreme = |pick: fn(u64, u64) -> u64, start| choices.iter().map(|of| of.iter().map(|choice| choice.bytes).fold(start, pick)).sum::<u64>();
        let (mut low, mut high) = (extreme(u64::min, u64::MAX), extreme(u64::max, 0));
        let whole = allocate(choices, high, self.recipe.strategy).unwrap_or_else(|| vec![BITS.len() - 1; choices.len()]);
        let mut best = (bytes_of(choices, &whole), self.round(pruned, choices, &whole)?);
        candidates.push(candidate(&best.1, false));
        high = high.min(best.0);
        for step in 0..7 {
            check(follow)?;
            // sizes are compared by their ratio
            let middle = (low as f64 * high as f64).sqrt() as u64;
            follow.progress("rounding", step + 1, 7);
            let Some(chosen) = allocate(choices, middle, self.recipe.strategy) else {
                low = middle;
                continue;
            };
            let rounded = self.round(pruned, choices, &chosen)?;
            tracing::info!(bytes = rounded.bytes, top1 = rounded.validation.top1(), "rounded");
            candidates.push(candidate(&rounded, false));
            if self.within(&rounded.validation, 1.0) {
                high = middle;
                best = (middle, rounded);
            } else {
                low = middle;
            }
            if high as f64 / (low as f64) < 1.05 {
                break;
            }
        }
        Ok(best)
    }

    /// Tunes ever smaller roundings while they end within the budget. Gives the smallest that does, and its score before tuning.
    fn tune_while_it_fits(
        &self,
        pruned: &Parameters,
        choices: &[Vec<Choice>],
        (mut target, first): (u64, Rounded),
        candidates: &mut Vec<Candidate>,
        follow: &mut dyn Follow,
    ) -> Result<(Rounded, Score), Error> {
        let coded = first.validation;
        if self.recipe.tune_epochs <= 0.0 || self.recipe.rounds == 0 {
            return Ok((first, coded));
        }
        let mut best: Option<(Rounded, Score)> = None;
        let mut now = first;
        // tuning pays for more than rounding alone could lose: begin a third below what fits without
        let mut factor = 0.65;
        let (mut fits, mut fails): (Option<u64>, Option<u64>) = (None, None);
        let fallback = Rounded { codes: now.codes.clone(), parameters: now.parameters.clone(), ..now };
        let fallback_fits = self.within(&fallback.validation, 1.0);
        for round in 0..self.recipe.rounds {
            check(follow)?;
            let wanted = match (fits, fails) {
                (Some(fits), Some(fails)) => (fits as f64 * fails as f64).sqrt() as u64,
                (None, Some(fails)) => (fails as f64 * 1.25) as u64,
                _ => (target as f64 * factor) as u64,
            };
            let Some(chosen) = allocate(choices, wanted, self.recipe.strategy) else {
                if fails.is_some() {
                    break;
                }
                fails = Some(wanted);
                continue;
            };
            now = self.round(pruned, choices, &chosen)?;
            candidates.push(candidate(&now, false));
            follow.stage(&format!("tune {}", round + 1));
            let before = now.validation;
            let tuned = self.tune(pruned, &now, follow)?;
            let (bytes, _) = codec::write(&to_archive(self.network, &tuned.parameters, &tuned.codes))?;
            let interrupted = tuned.interrupted;
            let tuned = Rounded { codes: tuned.codes, parameters: tuned.parameters, bytes: bytes.len() as u64, validation: tuned.validation };
            candidates.push(candidate(&tuned, true));
            follow.note(format!(
                "{} bytes: {:.2} % of the validation images right, {:.2} % before tuning (at first {:.2} %)",
                tuned.bytes,
                tuned.validation.top1(),
                before.top1(),
                self.before.top1()
            ));
            if self.within(&tuned.validation, 1.0) {
                (target, fits, factor) = (wanted, Some(wanted), 0.65);
                if best.as_ref().is_none_or(|(best, _)| tuned.bytes < best.bytes) {
                    best = Some((tuned, before));
                }
            } else {
                fails = Some(fails.map_or(wanted, |fails| fails.max(wanted)));
                if best.is_none() && !fallback_fits {
                    // nothing fits yet: what comes nearest is kept
                    let nearest = (tuned, before);
                    best = best.filter(|best| !nearest.0.validation.beats(&best.0.validation)).or(Some(nearest));
                }
            }
            if interrupted || fits.zip(fails).is_some_and(|(fits, fails)| fits as f64 / (fails as f64) < 1.08) {
                break;
            }
        }
        Ok(match best {
            Some(best) if self.within(&best.0.validation, 1.0) || !fallback_fits => best,
            _ => (fallback, coded),
        })
    }

    fn tune(&self, pruned: &Parameters, rounded: &Rounded, follow: &mut dyn Follow) -> Result<Tuned, Error> {
        let (graph, normalisation) = (&self.network.graph, &self.network.about.normalisation);
        let plan = self.plan(self.recipe.tune_epochs);
        tune(graph, pruned, &rounded.codes, self.lessons.as_ref(), self.parts, normalisation, &plan, follow.watch())
    }

    /// Writes the archive, expands it, and measures what came out.
    fn finish(
        &self,
        pruned: &Parameters,
        kept: f64,
        best: Rounded,
        coded: Score,
        mut candidates: Vec<Candidate>,
        follow: &mut dyn Follow,
    ) -> Result<Compressed, Error> {
        follow.stage("expand and measure");
        let network = self.network;
        let archive = to_archive(network, &best.parameters, &best.codes);
        let (bytes, sizes) = codec::write(&archive)?;
        let expanded = codec::read(&bytes, &kolmo_codec::Limits::default())?;
        if expanded != archive {
            return Err(Error::InvalidArgument { what: "the archive does not give the network back; please report this".to_owned() });
        }
        let (from, codes) = from_archive("the archive just written", &expanded)?;
        let both = |parameters: &Parameters| [&self.parts.validation, &self.parts.test].map(|set| self.score(parameters, set));
        let untuned: Codes = network
            .graph
            .specs
            .iter()
            .zip(&best.codes)
            .zip(pruned)
            .map(|((spec, code), values)| code.as_ref().map(|code| quantise(spec, values, code.bits, &self.rounding())))
            .collect();
        let untuned_parameters = lower(pruned, &untuned);
        check(follow)?;
        let (untuned_bytes, untuned_sizes) = codec::write(&to_archive(network, &untuned_parameters, &untuned))?;
        let stages = Stages {
            before: [self.before, self.score(&network.parameters, &self.parts.test)],
            pruned: both(pruned),
            coded: [coded, self.score(&untuned_parameters, &self.parts.test)],
            tuned: both(&from.parameters),
        };
        let within_budget = self.within(&stages.tuned[0], 1.0);
        for candidate in candidates.iter_mut().filter(|candidate| candidate.bytes == bytes.len() as u64) {
            candidate.test = Some(stages.tuned[1]);
        }
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.tuned && candidate.bytes == untuned_bytes.len() as u64) {
            candidate.test = Some(stages.coded[1]);
        }
        let by = |integers: u64| untuned_sizes.total - untuned_sizes.integers + integers;
        let weights: usize = network.graph.weights().iter().map(|&at| pruned[at].iter().filter(|value| **value != 0.0).count()).sum();
        let exact =
            4 * (network.graph.parameters() - network.graph.weights().iter().map(|&at| network.graph.specs[at].count()).sum::<usize>()) as u64;
        let packed: u64 =
            untuned.iter().flatten().map(|code| (code.integers.len() as u64 * u64::from(code.bits)).div_ceil(8) + 4 * code.steps.len() as u64).sum();
        let table = Table {
            raw: 4 * network.graph.parameters() as u64,
            pruned: if kept < 1.0 { 5 * weights as u64 + exact } else { 4 * network.graph.parameters() as u64 },
            int8_zstd: int8_zstd(network)?,
            quantised: packed + exact,
            huffman: by(untuned_sizes.coders.huffman),
            lz77: by(untuned_sizes.coders.lz77),
            range: by(untuned_sizes.coders.range),
            tuned: bytes.len() as u64,
        };
        let tensors = network.graph.specs.iter().zip(&codes).map(|(spec, code)| -> Result<TensorReport, Error> {
            Ok(match code {
                None => TensorReport { name: spec.name.clone(), count: spec.count(), nonzero: spec.count(), bits: 0, bytes: 4 * spec.count() as u64 },
                Some(code) => TensorReport {
                    name: spec.name.clone(),
                    count: spec.count(),
                    nonzero: code.nonzero(),
                    bits: code.bits,
                    bytes: codec::range_bytes(&spec.shape, code.bits, &code.integers)?,
                },
            })
        });
        let tensors = tensors.collect::<Result<_, _>>()?;
        Ok(Compressed { bytes, sizes, table, stages, tensors, candidates, kept, within_budget })
    }
}

/// Bytes of the network as it was given, its weights as 8 bits with a step an output channel, by zstd at level 19.
fn int8_zstd(network: &Network) -> Result<u64, Error> {
    let mut bytes = Vec::new();
    for (spec, values) in network.graph.specs.iter().zip(&network.parameters) {
        if spec.role != Role::Weight {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            continue;
        }
        let row = (spec.count() / spec.shape.first().copied().unwrap_or(1).max(1)).max(1);
        let tops: Vec<f32> = values.chunks(row).map(|row| row.iter().fold(0f32, |top, value| top.max(value.abs())).max(f32::MIN_POSITIVE)).collect();
        bytes.extend(tops.iter().flat_map(|top| (top / 127.0).to_le_bytes()));
        bytes.extend(values.chunks(row).zip(&tops).flat_map(|(row, top)| row.iter().map(move |value| (value / top * 127.0).round() as i8 as u8)));
    }
    Ok(general::encode(&bytes)?.1.len() as u64)
}

fn candidate(rounded: &Rounded, tuned: bool) -> Candidate {
    let nonzero = rounded.codes.iter().flatten().map(super::quantise::Code::nonzero).sum();
    Candidate { bytes: rounded.bytes, nonzero, tuned, validation: rounded.validation, test: None }
}

/// Sum over images of the divergence of the answers `theirs` from `own`, both natural logarithms of probabilities; at least 0.
fn divergence(own: &[f32], theirs: &[f32]) -> f64 {
    own.iter().zip(theirs).map(|(own, theirs)| f64::from(own.exp()) * f64::from(own - theirs)).sum::<f64>().max(0.0)
}

fn check(follow: &dyn Follow) -> Result<(), Error> {
    if follow.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
