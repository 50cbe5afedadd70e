//! The smallest rounding that tuning brings back into the budget.

use kolmo_codec::network as codec;

use super::levels::Pruned;
use super::search::Search;
use super::{Candidate, Follow, check};
use crate::classify::allocate::{Choice, allocate, bytes_of};
use crate::classify::arch::Parameters;
use crate::classify::archive::to_archive;
use crate::classify::evaluate::Answers;
use crate::classify::quantise::{Code, Codes, quantise};
use crate::classify::train::Keep;
use crate::classify::tune::{lower, tune_and_keep};
use crate::error::Error;

/// Roundings that are tuned, each with as many epochs; as many are left to the one that is chosen.
const ROUNDS: usize = 4;
/// Bytes of the next rounding while all goes well, of the last.
const SMALLER: f64 = 0.7;
/// Sizes closer than this are not told apart.
const NEAR: f64 = 1.07;
/// Sizes that are tried without tuning.
const TRIES: usize = 6;

/// A rounding that was coded and measured.
#[derive(Clone)]
pub(super) struct Rounded {
    /// Of each tensor's choices.
    pub(super) chosen: Vec<usize>,
    pub(super) codes: Codes,
    pub(super) parameters: Parameters,
    /// Before rounding.
    moving: Parameters,
    pub(super) bytes: u64,
    pub(super) measured: Answers,
}

impl Search<'_> {
    /// Rounds to ever fewer bytes and tunes, while tuning ends within the budget.
    pub(super) fn rounds(&mut self, pruned: &Pruned, choices: &[Vec<Choice>], follow: &mut dyn Follow) -> Result<Rounded, Error> {
        let (first_bytes, first) = self.without_tuning(&pruned.parameters, choices, follow)?;
        let rung = (self.epochs - self.spent) / (ROUNDS + 1) as f64;
        if rung <= 0.0 || self.interrupted {
            return Ok(first);
        }
        let mut best = first;
        let mut is_safe = self.within(&best.measured, 1.0, self.recipe.margin);
        let (mut fits, mut fails): (Option<u64>, Option<u64>) = (None, None);
        for round in 0..ROUNDS {
            check(follow)?;
            let wanted = match (fits, fails) {
                (Some(fits), Some(fails)) => (fits as f64 * fails as f64).sqrt() as u64,
                (None, Some(fails)) => (fails as f64 / SMALLER.sqrt()) as u64,
                (fits, None) => (fits.unwrap_or(first_bytes) as f64 * SMALLER) as u64,
            };
            let Some(chosen) = allocate(choices, wanted, self.recipe.strategy) else {
                if fails.replace(wanted).is_some() {
                    break;
                }
                continue;
            };
            let rounded = self.round(&best.moving, choices, &chosen)?;
            let at_once = rounded.measured.score.top1();
            self.candidates.push(candidate(&rounded, false));
            follow.stage(&format!("tune {}", round + 1));
            let tuned = self.tune(rounded, rung, follow)?;
            follow.note(format!(
                "{} bytes: {:.2} % of the validation images right, {at_once:.2} % before tuning (at first {:.2} %), loss {:.4}{}",
                tuned.bytes,
                tuned.measured.score.top1(),
                self.before.score.top1(),
                tuned.measured.score.loss,
                self.so_far()
            ));
            let safe = self.within(&tuned.measured, 1.0, self.recipe.margin);
            if safe {
                fits = Some(wanted);
            } else {
                fails = Some(fails.map_or(wanted, |fails| fails.max(wanted)));
            }
            let bare = |rounded: &Rounded| self.within(&rounded.measured, 1.0, 0.0);
            // safe before within the budget before beyond it; then small, or, beyond it, good
            let better = match (safe, is_safe) {
                (true, true) => tuned.bytes < best.bytes,
                (safe, was) if safe != was => safe,
                _ => match (bare(&tuned), bare(&best)) {
                    (true, true) => tuned.bytes < best.bytes,
                    (false, false) => tuned.measured.score.beats(&best.measured.score),
                    (fits, _) => fits,
                },
            };
            if better {
                (best, is_safe) = (tuned, safe);
            }
            if self.interrupted || fits.zip(fails).is_some_and(|(fits, fails)| (fits as f64) < NEAR * fails as f64) {
                break;
            }
        }
        if self.interrupted {
            return Ok(best);
        }
        follow.stage("tune the last");
        let left = (self.epochs - self.spent).min(2.0 * rung);
        let last = self.tune(best.clone(), left, follow)?;
        // less loss may still be fewer images
        let keeps = self.within(&last.measured, 1.0, if is_safe { self.recipe.margin } else { 0.0 });
        Ok(if keeps || !is_safe && !self.within(&best.measured, 1.0, 0.0) { last } else { best })
    }

    /// Rounds to a choice for every tensor, codes and measures.
    fn round(&self, moving: &Parameters, choices: &[Vec<Choice>], chosen: &[usize]) -> Result<Rounded, Error> {
        let codes = self.codes(moving, choices, chosen);
        let parameters = self.calibrated(&lower(moving, &codes));
        let (bytes, _) = codec::write(&to_archive(self.network, &parameters, &codes))?;
        let measured = self.measure(&parameters);
        Ok(Rounded { chosen: chosen.to_vec(), codes, parameters, moving: moving.clone(), bytes: bytes.len() as u64, measured })
    }

    /// Codes of a choice for every tensor.
    pub(super) fn codes(&self, moving: &Parameters, choices: &[Vec<Choice>], chosen: &[usize]) -> Codes {
        let graph = &self.network.graph;
        let mut codes: Codes = vec![None; graph.specs.len()];
        for ((&at, choices), &chosen) in graph.weights().iter().zip(choices).zip(chosen) {
            let Choice { bits, lambda, .. } = choices[chosen];
            codes[at] = Some(quantise(&graph.specs[at], &moving[at], bits, &self.rounding(lambda)));
        }
        codes
    }

    /// The smallest rounding within the budget before tuning, by bisection over sizes, and its bytes by the choices; the largest if none is.
    fn without_tuning(&mut self, pruned: &Parameters, choices: &[Vec<Choice>], follow: &mut dyn Follow) -> Result<(u64, Rounded), Error> {
        follow.stage("round");
        let extreme = |pick: fn(u64, u64) -> u64, start| choices.iter().map(|of| of.iter().map(|choice| choice.bytes).fold(start, pick)).sum::<u64>();
        let (mut low, mut high) = (extreme(u64::min, u64::MAX), extreme(u64::max, 0));
        let whole = allocate(choices, high, self.recipe.strategy).unwrap_or_else(|| vec![0; choices.len()]);
        let mut best = (bytes_of(choices, &whole), self.round(pruned, choices, &whole)?);
        self.candidates.push(candidate(&best.1, false));
        high = high.min(best.0);
        for step in 0..TRIES {
            check(follow)?;
            // sizes are compared by their ratio
            let middle = (low as f64 * high as f64).sqrt() as u64;
            follow.progress("rounding", step + 1, TRIES);
            let Some(chosen) = allocate(choices, middle, self.recipe.strategy) else {
                low = middle;
                continue;
            };
            let rounded = self.round(pruned, choices, &chosen)?;
            tracing::info!(bytes = rounded.bytes, top1 = rounded.measured.score.top1(), "rounded");
            self.candidates.push(candidate(&rounded, false));
            if self.within(&rounded.measured, 1.0, 0.0) {
                high = middle;
                best = (middle, rounded);
            } else {
                low = middle;
            }
            if (high as f64) < NEAR * low as f64 {
                break;
            }
        }
        Ok(best)
    }

    /// Trains the integers further.
    fn tune(&mut self, rounded: Rounded, epochs: f64, follow: &mut dyn Follow) -> Result<Rounded, Error> {
        let network = self.network;
        let plan = self.plan(epochs, &rounded.parameters);
        let (graph, normalisation) = (&network.graph, &network.about.normalisation);
        let tuned = tune_and_keep(
            graph,
            &rounded.moving,
            &rounded.codes,
            self.lessons.as_ref(),
            self.parts,
            normalisation,
            &plan,
            Keep::Last,
            follow.watch(),
        )?;
        self.interrupted |= tuned.interrupted;
        let parameters = self.calibrated(&tuned.parameters);
        let (bytes, _) = codec::write(&to_archive(network, &parameters, &tuned.codes))?;
        let measured = self.measure(&parameters);
        let tuned = Rounded { chosen: rounded.chosen, codes: tuned.codes, parameters, moving: tuned.moving, bytes: bytes.len() as u64, measured };
        self.candidates.push(candidate(&tuned, true));
        Ok(tuned)
    }
}

fn candidate(rounded: &Rounded, tuned: bool) -> Candidate {
    let nonzero = rounded.codes.iter().flatten().map(Code::nonzero).sum();
    Candidate { bytes: rounded.bytes, nonzero, tuned, validation: rounded.measured.score, test: None }
}
