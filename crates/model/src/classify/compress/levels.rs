//! How few weights are enough.

use super::search::Search;
use super::{Follow, check};
use crate::classify::arch::Parameters;
use crate::classify::prune::{Masks, masked, masks};
use crate::classify::train::{Keep, Lower, Run};
use crate::error::Error;

/// Share of the epochs that pruning may take.
const TIME: f64 = 0.45;
/// Share of the budget that pruning may take; rounding needs the rest.
const BUDGET: f64 = 0.5;
/// Trainings that are planned for.
const RUNGS: f64 = 4.0;
/// Steps in which the weights of a level go, each followed by training, and one more part of training behind them.
const PARTS: u32 = 3;
/// Of the margin of the budget: what is pruned is still rounded and tuned.
const MARGIN: f64 = 0.5;
/// Share of the weights that stays from a level to the next, while all goes well.
const LEVEL: f64 = 0.5;
/// Points of accuracy that training is sure to bring back: a level that loses no more at once is passed over, the next one is begun from there instead.
const EASY: f64 = 5.0;
/// Levels closer than this are not told apart.
const NEAR: f64 = 1.25;

/// The share of the weights to try next: half of what passed, then between that and what failed, at last what passed without being trained.
fn next(good: f64, passed: f64, fails: Option<f64>) -> Option<f64> {
    let Some(fails) = fails else { return Some(passed * LEVEL) };
    if passed >= NEAR * fails { Some((passed * fails).sqrt()) } else { (passed < good).then_some(passed) }
}

/// A network with few weights.
#[derive(Clone)]
pub(super) struct Pruned {
    pub(super) parameters: Parameters,
    /// Share of the weights that stayed.
    pub(super) keep: f64,
}

impl Search<'_> {
    /// Halves the weights again and again, training where that is needed, then looks between the last level that is good enough and the first that is not.
    pub(super) fn prune(&mut self, follow: &mut dyn Follow) -> Result<Pruned, Error> {
        let network = self.network;
        let all: usize = network.graph.weights().iter().map(|&at| network.graph.specs[at].count()).sum();
        let fewest = network.graph.weights().len() as f64 / all.max(1) as f64;
        let end = TIME * self.epochs;
        let rung = end / RUNGS;
        let mut good = Pruned { parameters: network.parameters.clone(), keep: 1.0 };
        let mut passed = good.clone();
        let mut fails: Option<f64> = None;
        while let Some(keep) = next(good.keep, passed.keep, fails).filter(|&keep| keep >= fewest) {
            check(follow)?;
            let stage = format!("prune to {:.1} %", 100.0 * keep);
            follow.stage(&stage);
            let chosen = masks(&network.graph, &passed.parameters, keep);
            let mut now = (self.calibrated(&masked(&passed.parameters, &chosen)), chosen);
            let mut measured = self.measure(&now.0);
            let at_once = measured.score.top1();
            let mut fits = self.within(&measured, BUDGET, MARGIN * self.recipe.margin);
            if !fits && fails.is_none() && rung > 0.0 && self.before.score.top1() - at_once <= EASY {
                follow.note(format!("{stage} of the weights: {at_once:.2} % of the validation images right without training; fewer will do"));
                passed = Pruned { parameters: now.0, keep };
                continue;
            }
            let mut trained = 0;
            while !fits && trained < 2 && rung > 0.0 && self.spent + 2.0 * rung <= end + 1e-9 && !self.interrupted {
                now = if trained == 0 { self.take_away(&passed, keep, rung, follow)? } else { self.train_masked(now.0, now.1, rung, follow)? };
                measured = self.measure(&now.0);
                fits = self.within(&measured, BUDGET, MARGIN * self.recipe.margin);
                trained += 1;
            }
            follow.note(format!(
                "{stage} of the weights: {:.2} % of the validation images right (at first {:.2} %, at once {at_once:.2} %), loss {:.4}{}",
                measured.score.top1(),
                self.before.score.top1(),
                measured.score.loss,
                self.so_far()
            ));
            if fits {
                good = Pruned { parameters: now.0, keep };
                passed = good.clone();
            } else {
                fails = Some(keep);
                if keep >= passed.keep {
                    passed = good.clone();
                }
                if trained == 0 && rung > 0.0 {
                    break;
                }
            }
        }
        let left = end - self.spent;
        if passed.keep >= good.keep || left <= 1e-9 || self.interrupted {
            return Ok(good);
        }
        // what passed was never trained: what is left of the time is for it
        follow.stage(&format!("prune to {:.1} %", 100.0 * passed.keep));
        let chosen = masks(&network.graph, &passed.parameters, passed.keep);
        let (parameters, _) = self.train_masked(passed.parameters.clone(), chosen, left, follow)?;
        let lost = self.before.score.top1() - self.measure(&parameters).score.top1();
        Ok(if lost <= self.recipe.max_drop { Pruned { parameters, keep: passed.keep } } else { good })
    }

    /// Takes weights away in parts and trains behind each, so that the network never has far to come back.
    fn take_away(&mut self, from: &Pruned, keep: f64, epochs: f64, follow: &mut dyn Follow) -> Result<(Parameters, Masks), Error> {
        let mut now = (from.parameters.clone(), Masks::new());
        for part in 1..=PARTS {
            let share = from.keep * (keep / from.keep).powf(f64::from(part) / f64::from(PARTS));
            let chosen = masks(&self.network.graph, &now.0, share);
            let parts = if part == PARTS { 2.0 } else { 1.0 };
            now = self.train_masked(masked(&now.0, &chosen), chosen, epochs * parts / f64::from(PARTS + 1), follow)?;
            if self.interrupted && part < PARTS {
                // what was asked for, without more training
                let chosen = masks(&self.network.graph, &now.0, keep);
                return Ok((self.calibrated(&masked(&now.0, &chosen)), chosen));
            }
        }
        Ok(now)
    }

    /// Trains what a mask leaves.
    fn train_masked(&mut self, parameters: Parameters, chosen: Masks, epochs: f64, follow: &mut dyn Follow) -> Result<(Parameters, Masks), Error> {
        let network = self.network;
        let plan = self.plan(epochs, &parameters);
        let run = Run {
            graph: &network.graph,
            parts: self.parts,
            normalisation: &network.about.normalisation,
            plan: &plan,
            lower: Some(Lower::Masked(&chosen)),
            teacher: self.lessons.as_ref().map(|lessons| &lessons.0),
            keep: Keep::Last,
        };
        let trained = run.run(parameters, follow.watch())?;
        self.interrupted |= trained.interrupted;
        Ok((self.calibrated(&masked(&trained.parameters, &chosen)), chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn levels_halve_then_close_in_and_end_at_what_is_proven() {
        assert_eq!(next(1.0, 1.0, None), Some(0.5));
        assert_eq!(next(1.0, 0.5, None), Some(0.25));
        let between = next(1.0, 0.25, Some(0.125)).unwrap();
        assert!(0.125 < between && between < 0.25);
        // passed, never trained: it has to be before it counts
        assert_eq!(next(1.0, 0.25, Some(0.22)), Some(0.25));
        assert_eq!(next(0.25, 0.25, Some(0.22)), None);
        assert_eq!(next(1.0, 1.0, Some(0.9)), None);
    }
}
