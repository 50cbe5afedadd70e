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

/// Steps at efforts 1 to 9.
///
/// | effort | steps | network | photos100 on two cores |
/// |---|---|---|---|
/// | 1 | 300 | small | 15 s |
/// | 2 | 800 | small | 30 s |
/// | 3 | 2,000 | by dataset | 1.5 min |
/// | 4 | 4,000 | by dataset | 3 min |
/// | 5 | 7,500 | by dataset | 6 min |
/// | 6 | 12,000 | by dataset | 10 min |
/// | 7 | 20,000 | one size up | 25 min |
/// | 8 | 40,000 | one size up | 50 min |
/// | 9 | 80,000 | two sizes up | 3 h |
const STEPS: [u64; 9] = [300, 800, 2_000, 4_000, 7_500, 12_000, 20_000, 40_000, 80_000];

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
        Self { shape, steps: STEPS[effort - 1], batch_pixels: 8192, patch_side: 16, learning_rate: 3e-3 }
    }
}
