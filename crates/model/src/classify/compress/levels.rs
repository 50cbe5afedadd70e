//! How few weights are enough.

use super::search::{Measured, Search};
use super::{Follow, check};
use crate::classify::arch::Parameters;
use crate::classify::prune::{Masks, masked, masks};
use crate::classify::train::{Keep, Lower, Run};
use crate::error::Error;

/// Share of the epochs that pruning may take.
const TIME: f64 = 0.4;
/// Share of the budget that pruning may take; rounding needs the rest.
const BUDGET: f64 = 0.5;
/// Trainings that are planned for.
const RUNGS: f64 = 6.0;
/// Share of the weights that stays from a level to the next, while all goes well.
const LEVEL: f64 = 0.5;
/// Points of accuracy that training is sure to bring back: a level that loses no more at once is passed over, the next one is trained instead.
const EASY: f64 = 5.0;
/// Levels closer than this are not told apart.
const NEAR: f64 = 1.25;

/// A network with few weights.
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
        let (mut passed, mut fails): (f64, Option<f64>) = (1.0, None);
        loop {
            let keep = fails.map_or(good.keep.min(passed) * LEVEL, |fails| (good.keep * fails).sqrt());
            if fails.is_some_and(|fails| good.keep < NEAR * fails) || keep < fewest {
                break;
            }
            check(follow)?;
            let stage = format!("prune to {:.1} %", 100.0 * keep);
            follow.stage(&stage);
            let chosen = masks(&network.graph, &good.parameters, keep);
            let mut now = masked(&good.parameters, &chosen);
            let mut measured = self.measure(&now);
            let at_once = measured.score.top1();
            let mut fits = self.within(&measured, BUDGET, self.recipe.margin);
            if !fits && fails.is_none() && rung > 0.0 && self.before.score.top1() - at_once <= EASY {
                passed = keep;
                continue;
            }
            let mut trained = 0;
            while !fits && trained < 2 && rung > 0.0 && self.spent + rung <= end + 1e-9 && !self.interrupted {
                (now, measured) = self.train_masked(now, &chosen, rung, follow)?;
                fits = self.within(&measured, BUDGET, self.recipe.margin);
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
                good = Pruned { parameters: now, keep };
            } else {
                fails = Some(keep);
                if trained == 0 && rung > 0.0 {
                    break;
                }
            }
        }
        Ok(good)
    }

    /// Trains what a mask leaves.
    fn train_masked(
        &mut self,
        parameters: Parameters,
        chosen: &Masks,
        epochs: f64,
        follow: &mut dyn Follow,
    ) -> Result<(Parameters, Measured), Error> {
        let network = self.network;
        let plan = self.plan(epochs, self.recipe.learning_rate);
        let run = Run {
            graph: &network.graph,
            parts: self.parts,
            normalisation: &network.about.normalisation,
            plan: &plan,
            lower: Some(Lower::Masked(chosen)),
            teacher: self.lessons.as_ref().map(|lessons| &lessons.0),
            keep: Keep::Last,
        };
        let trained = run.run(parameters, follow.watch())?;
        self.interrupted |= trained.interrupted;
        let parameters = masked(&trained.parameters, chosen);
        let measured = self.measure(&parameters);
        Ok((parameters, measured))
    }
}
