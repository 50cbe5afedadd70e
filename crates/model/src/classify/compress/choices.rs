//! What bits would cost and lose, tensor by tensor.

use kolmo_codec::network as codec;

use super::search::Search;
use super::{Follow, check};
use crate::classify::allocate::Choice;
use crate::classify::arch::Parameters;
use crate::classify::calibrate::scores_by_batch;
use crate::classify::evaluate::log_softmax;
use crate::classify::quantise::{BITS, LAMBDAS, Rounding, quantise};
use crate::error::Error;

/// A loss below this, nats an image, is as good as none: more bits are not measured.
const NOTHING: f64 = 1e-4;

impl Search<'_> {
    pub(super) fn rounding(&self, lambda: f64) -> Rounding {
        Rounding { by_channel: self.recipe.by_channel, lambda }
    }

    /// For each tensor of weights what each number of bits at each price would cost and lose. Loss is the divergence of the network's answers to calibration
    /// images from its own when only this tensor is rounded, nats an image, normalisations following.
    pub(super) fn choices(&self, pruned: &Parameters, follow: &mut dyn Follow) -> Result<Vec<Vec<Choice>>, Error> {
        follow.stage("allocate");
        let graph = &self.network.graph;
        let normalisation = &self.network.about.normalisation;
        let images = self.parts.train.some(self.recipe.calibration.max(1));
        let classes = graph.classes();
        let logs = |parameters: &Parameters| -> Vec<f32> {
            scores_by_batch(graph, parameters, normalisation, &images).chunks_exact(classes).flat_map(log_softmax).collect()
        };
        let own = logs(pruned);
        let weights = graph.weights();
        let mut choices = Vec::with_capacity(weights.len());
        let mut trial = pruned.clone();
        for (number, &at) in weights.iter().enumerate() {
            let spec = &graph.specs[at];
            let mut of: Vec<Choice> = Vec::with_capacity(BITS.len() * LAMBDAS.len());
            for (row, lambda) in LAMBDAS.into_iter().enumerate() {
                for bits in BITS {
                    check(follow)?;
                    let code = quantise(spec, &pruned[at], bits, &self.rounding(lambda));
                    let bytes = codec::range_bytes(&spec.shape, bits, &code.integers)?;
                    trial[at] = code.values();
                    let loss = divergence(&own, &logs(&trial)) / images.len() as f64;
                    of.push(Choice { bits, lambda, bytes, loss });
                    if loss < NOTHING {
                        break;
                    }
                }
                // every tensor has a place for every number of bits; those that were not measured are never better
                let last = of[of.len() - 1];
                of.resize(BITS.len() * (row + 1), Choice { bytes: last.bytes + 1, ..last });
            }
            trial[at].clone_from(&pruned[at]);
            tracing::info!(tensor = spec.name, ?of, "choices");
            choices.push(of);
            follow.progress("measuring tensors", number + 1, weights.len());
        }
        Ok(choices)
    }
}

/// Sum over images of the divergence of the answers `theirs` from `own`, both natural logarithms of probabilities; at least 0.
fn divergence(own: &[f32], theirs: &[f32]) -> f64 {
    own.iter().zip(theirs).map(|(own, theirs)| f64::from(own.exp()) * f64::from(own - theirs)).sum::<f64>().max(0.0)
}
