//! How finely the weights of a small set's Program are rounded: coarse ones take fewer bits, and tuning makes up for most of what they lose.

use kolmo_codec::sample::Sample;
use kolmo_codec::weights::encode_program;

use super::Trainer;
use crate::error::Error;
use crate::evaluate;
use crate::levels::Levels;

/// What tuning leaves of the loss that rounding more coarsely means. fashion_mnist, effort 3: 0.34 of it with 31 levels, 0.21 with 15.
const LEFT: f64 = 0.4;

impl<S: Sample> Trainer<'_, S> {
    /// The levels with which a Program and what the images take under it promise to be least, from float weights.
    pub(super) fn levels(&self, weights: &[f32]) -> Result<Levels, Error> {
        let parts = [&self.set.train, &self.set.validation, &self.set.test];
        let samples: u64 = parts.into_iter().flatten().map(|plane| plane.samples().len() as u64).sum();
        let rate = |rounded| evaluate::network(weights, &self.sampler, &self.checked, self.set.alphabet(), rounded);
        let mut best: Option<(f64, Levels)> = None;
        let finest = rate(Some(Levels::FINEST));
        for levels in Levels::ALL {
            let program = encode_program(&self.lower(weights, levels)?.to_bytes()).bytes.len();
            let rounded = if levels == Levels::FINEST { finest } else { rate(Some(levels)) };
            let bytes = program as f64 + samples as f64 / 8.0 * (finest + LEFT * (rounded - finest));
            tracing::debug!(levels = levels.largest(), program, rounded, bytes, "rounding");
            match best {
                Some((least, _)) if bytes >= least => break,
                _ => best = Some((bytes, levels)),
            }
        }
        Ok(best.map_or(Levels::FINEST, |(_, levels)| levels))
    }
}
