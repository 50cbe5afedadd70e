//! How much to spend: network sizes and training lengths by effort and dataset size.

use serde::{Deserialize, Serialize};

use burn::tensor::Device;
use kolmo_codec::program::Program;

use crate::error::Error;
use crate::net::NetShape;
use crate::quantise::dequantise;

/// What training will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// 1 to 9.
    pub effort: usize,
    /// The network.
    pub shape: NetShape,
    /// Steps in all; the last [`Plan::TUNING`] of them train the rounded network.
    pub steps: u64,
    /// Pixels of a batch.
    pub batch_pixels: usize,
    /// Side of a training patch.
    pub patch_side: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of it that the float network gets: less than 1 where it begins with what another one knows.
    pub float_share: f64,
}

/// Multiply-accumulates that training may spend at efforts 1 to 9, forwards only, in units of 10^12; a step costs its batch times the
/// network's MACs a pixel, but no training is longer than [`MOST_STEPS`] allows.
///
/// Two cores of 2023 whose AVX-512 multiplies bf16 need about 60 seconds of CPU time for 10^12, gradients and optimiser included, so half a
/// minute when nothing else runs; with AVX-512 but without bf16 (a Xeon of 2.5 GHz) some 200.
const SPENT: [f64; 9] = [0.05, 0.15, 0.5, 1.2, 3.0, 6.0, 15.0, 40.0, 100.0];
/// Longest training by effort, steps: small networks have learned what they can long before their share is spent.
const MOST_STEPS: [u64; 9] = [800, 2_000, 8_000, 24_000, 48_000, 80_000, 120_000, 200_000, 300_000];

/// Peak learning rate; the steps from which on long trainings take less, and the largest of [`SIZES`] whose trainings do not.
const PEAK: f64 = 3e-3;
const FULL_RATE_STEPS: f64 = 3_000.0;
const LARGEST_AT_FULL_RATE: usize = 3;

/// Shortest training, steps.
const FEWEST_STEPS: u64 = 100;

/// Most times that every pixel of a dataset is seen.
const MOST_EPOCHS: u64 = 200;

/// Sizes of a network besides its channels and spikes.
struct Size {
    /// Units of the first stage's layers; the last are its features.
    first: [usize; 2],
    /// Units of the second stage's layers.
    second: &'static [usize],
    head: usize,
    components: usize,
    reach: usize,
}

/// Networks, smallest first.
const SIZES: [Size; 6] = [
    Size { first: [24, 12], second: &[24], head: 16, components: 3, reach: 2 },
    Size { first: [32, 16], second: &[32, 32], head: 24, components: 3, reach: 3 },
    Size { first: [48, 24], second: &[48, 48], head: 32, components: 4, reach: 3 },
    Size { first: [64, 32], second: &[64, 64], head: 32, components: 4, reach: 3 },
    Size { first: [96, 48], second: &[96, 96], head: 48, components: 5, reach: 4 },
    Size { first: [128, 64], second: &[128, 128], head: 64, components: 5, reach: 4 },
];

/// Peak learning rate of a training.
///
/// Long ones of large networks need less: at the full rate weights wander, units die, and more steps made the result worse. photos100 with network 5,
/// direct: 3.523 bpsp after 11,472 steps, 3.553 after 22,945 and 3.587 after 152,970; with half the rate 3.513 after 11,472. Up to network 4 both end
/// alike, or the full rate does better, where a small dataset is seen many times (cifar10, 100,000 steps: 3.467 against 3.477).
fn peak(shape: &NetShape, steps: u64) -> f64 {
    let is_large = shape.first.first() > Some(&SIZES[LARGEST_AT_FULL_RATE].first[0]);
    if is_large { PEAK * (FULL_RATE_STEPS / steps as f64).sqrt().min(1.0) } else { PEAK }
}

/// Steps of so many pixels that an effort can pay for.
fn affordable(effort: usize, batch_pixels: usize, shape: &NetShape) -> f64 {
    SPENT[effort - 1] * 1e12 / (batch_pixels as u64 * shape.macs_per_pixel()) as f64
}

impl Plan {
    /// Share of the steps that train the rounded network.
    pub const TUNING: f64 = 0.2;
    /// Sizes that a network may have.
    pub const NETWORKS: usize = SIZES.len();

    /// The plan for a dataset of `subpixels` samples that will take about `expected_bytes` once they are coded.
    ///
    /// The network grows with what it has to code, because its own size counts: about 0.9 bytes a weight, worth it while that is one or two
    /// hundredths of the whole.
    #[must_use]
    pub fn new(effort: u8, channels: usize, subpixels: u64, expected_bytes: u64) -> Self {
        let effort = usize::from(effort.clamp(1, 9));
        let class = match expected_bytes {
            0..150_000 => 0,
            150_000..900_000 => 1,
            900_000..1_300_000 => 2,
            1_300_000..6_000_000 => 3,
            _ => 4,
        };
        // From effort 7 on images are coded adaptively, which takes longer than the largest of these networks. cifar10 (2.7 MB) does not fill
        // number 5: 0.3 % more than with number 4.
        let sizes = match effort {
            1..=2 => [0, 1, 1, 1, 1],
            3..=6 => [0, 1, 2, 3, 3],
            7..=8 => [1, 2, 3, 3, 4],
            _ => [2, 3, 3, 3, 5],
        };
        Self::of_network(effort as u8, channels, subpixels, sizes[class] + 1)
    }

    /// The plan with the network of this number, 1 (smallest) to [`Plan::NETWORKS`] (others: the nearest), whatever the dataset.
    #[must_use]
    pub fn of_network(effort: u8, channels: usize, subpixels: u64, number: usize) -> Self {
        let Size { first, second, head, components, reach } = SIZES[number.clamp(1, SIZES.len()) - 1];
        let shape = NetShape { channels, reach, first: first.to_vec(), second: second.to_vec(), head, components, spikes: 6, deep: false, hats: 0 };
        Self::of_shape(usize::from(effort.clamp(1, 9)), shape, subpixels)
    }

    /// The same dataset and effort with the network that a Program is.
    ///
    /// # Errors
    /// `InvalidArgument` if this version cannot train it.
    pub fn of_program(&self, program: &Program, subpixels: u64) -> Result<Self, Error> {
        let (_, shape) = dequantise(program, &Device::flex())?;
        Ok(Self::of_shape(self.effort, shape, subpixels))
    }

    /// The same for one of several kinds of images that share what the effort may spend; `share` is at most 1.
    #[must_use]
    pub fn shared(mut self, share: f64) -> Self {
        let affordable = affordable(self.effort, self.batch_pixels, &self.shape) * share;
        self.steps = self.steps.min((affordable as u64).max(FEWEST_STEPS));
        self.learning_rate = peak(&self.shape, self.steps);
        self
    }

    fn of_shape(effort: usize, shape: NetShape, subpixels: u64) -> Self {
        // Many small steps on many small patches. photos100, 0.35e12 MACs, test images: 4,096 pixels end at 3.546 bpsp, 8,192 at 3.565;
        // patches of side 8 at 3.569, of side 16 at 3.582 (with 8,192).
        let batch_pixels = 4096;
        let affordable = affordable(effort, batch_pixels, &shape);
        let epochs = MOST_EPOCHS * (subpixels / shape.channels.max(1) as u64) / batch_pixels as u64;
        let steps = (affordable as u64).min(MOST_STEPS[effort - 1]).min(epochs).max(FEWEST_STEPS);
        let learning_rate = peak(&shape, steps);
        Self { effort, shape, steps, batch_pixels, patch_side: 8, learning_rate, float_share: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_grow_with_what_they_code_and_with_effort() {
        let macs = |effort, bytes| Plan::new(effort, 3, 30_000_000, bytes).shape.macs_per_pixel();
        for effort in 1..=9 {
            let by_bytes = [100_000, 500_000, 1_000_000, 3_000_000, 13_000_000].map(|bytes| macs(effort, bytes));
            assert!(by_bytes.is_sorted(), "effort {effort}: {by_bytes:?}");
        }
        assert_eq!([5, 7, 9].map(|effort| macs(effort, 13_000_000)), [29_088, 63_840, 107_648]);
        assert_eq!([5, 7, 9].map(|effort| macs(effort, 3_000_000)), [29_088; 3]);
    }

    #[test]
    fn long_trainings_of_large_networks_take_less_than_the_full_rate() {
        let rate = |effort, number| Plan::of_network(effort, 3, 30_000_000, number).learning_rate;
        assert_eq!((rate(8, 4), rate(5, 3)), (PEAK, PEAK));
        assert!(rate(5, 5) < 0.6 * PEAK && rate(8, 5) < 0.3 * rate(5, 5), "{} {}", rate(5, 5), rate(8, 5));
        let short = Plan::of_network(1, 3, 30_000_000, 5);
        assert!(short.steps < 3_000 && short.learning_rate == PEAK);
    }
}
