//! How much to spend: network sizes and training lengths by effort and dataset size.

use serde::{Deserialize, Serialize};

use crate::net::NetShape;

/// What training will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
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
}

/// Multiply-accumulates that training may spend at efforts 1 to 9, forwards only, in units of 10^12; a step costs its batch times the
/// network's MACs a pixel, but no training is longer than [`MOST_STEPS`] allows.
///
/// Two cores of 2023 with AVX-512 do 10^12 in about 70 seconds, gradients included.
const SPENT: [f64; 9] = [0.05, 0.15, 0.5, 1.2, 3.0, 6.0, 15.0, 40.0, 100.0];
/// Longest training by effort, steps: small networks have learned what they can long before their share is spent.
const MOST_STEPS: [u64; 9] = [400, 1_000, 4_000, 12_000, 24_000, 40_000, 60_000, 100_000, 150_000];

/// Most times that every pixel of a dataset is seen.
const MOST_EPOCHS: u64 = 200;

/// Networks by size: layers of the first stage (the last are its features), of the second, units of a head, components, reach.
const SIZES: [(&[usize], &[usize], usize, usize, usize); 5] = [
    (&[24, 12], &[24], 16, 3, 2),
    (&[32, 16], &[32, 32], 24, 3, 3),
    (&[48, 24], &[48, 48], 32, 4, 3),
    (&[64, 32], &[64, 64], 32, 4, 3),
    (&[96, 48], &[96, 96], 48, 5, 4),
];

impl Plan {
    /// Share of the steps that train the rounded network.
    pub const TUNING: f64 = 0.2;

    /// The plan for a dataset of `subpixels` samples to learn from.
    ///
    /// The network grows with the dataset, because its own size counts: about 0.9 bytes a weight, worth it while it is a hundredth of what
    /// it codes.
    #[must_use]
    pub fn new(effort: u8, channels: usize, subpixels: u64) -> Self {
        let effort = usize::from(effort.clamp(1, 9));
        let by_dataset = match subpixels {
            0..600_000 => 0,
            600_000..2_500_000 => 1,
            2_500_000..5_000_000 => 2,
            _ => 3,
        };
        let size = match effort {
            1..=2 => by_dataset.min(1),
            3..=6 => by_dataset,
            7..=8 => by_dataset + 1,
            _ => by_dataset + 2,
        };
        let (first, second, head, components, reach) = SIZES[size.min(SIZES.len() - 1)];
        let shape = NetShape { channels, reach, first: first.to_vec(), second: second.to_vec(), head, components, spikes: 6 };
        let batch_pixels = 8192;
        let affordable = SPENT[effort - 1] * 1e12 / (batch_pixels as u64 * shape.macs_per_pixel()) as f64;
        let epochs = MOST_EPOCHS * (subpixels / channels.max(1) as u64) / batch_pixels as u64;
        let steps = (affordable as u64).min(MOST_STEPS[effort - 1]).min(epochs).max(100);
        Self { shape, steps, batch_pixels, patch_side: 16, learning_rate: 3e-3 }
    }
}
