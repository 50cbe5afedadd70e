//! How finely the weights of a small set's Program are rounded: coarse ones take fewer bits, and tuning makes up for most of what they lose.

use kolmo_codec::sample::Sample;
use kolmo_codec::weights::encode_program;

use super::{Best, Trainer};
use crate::error::Error;
use crate::levels::Levels;

/// Bytes of images above which weights are rounded as finely as they can be: there the Program is too small a part to gain by, and tuning is less steady with
/// few levels. nuclei (1.5 MB) went from 0.51 to 3.9 bpsp while it was tuned with 31.
const LARGE_BYTES: f64 = 300_000.0;
/// Tuning that is worse than where it began by this factor has failed.
const FAILED: f64 = 1.02;

/// What tuning leaves of the loss that rounding more coarsely means. fashion_mnist, effort 3: 0.34 of it with 31 levels, 0.21 with 15.
const LEFT: f64 = 0.4;

impl<S: Sample> Trainer<'_, S> {
    /// The levels with which a Program and what the images take under it promise to be least, from float weights.
    pub(super) fn levels(&self, weights: &[f32]) -> Result<Levels, Error> {
        let parts = [&self.set.train, &self.set.validation, &self.set.test];
        let samples: u64 = parts.into_iter().flatten().map(|plane| plane.samples().len() as u64).sum();
        let rate = |rounded| self.checked_rate(weights, rounded);
        let finest = rate(Some(Levels::FINEST));
        if samples as f64 / 8.0 * finest > LARGE_BYTES {
            return Ok(Levels::FINEST);
        }
        let mut best: Option<(f64, Levels)> = None;
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

    /// Whether tuning with these levels is to begin again with the finest: few levels can be too few to hold a network.
    pub(super) fn has_failed(levels: Option<Levels>, rate: f64, best: Option<&Best>) -> bool {
        levels.is_some_and(|levels| levels != Levels::FINEST) && best.is_some_and(|best| rate > best.rate * FAILED)
    }
}
