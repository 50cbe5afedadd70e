//! The integer Program: a small validated network that says how likely each next sample is.
//!
//! All values on its wires are integers of unit 1/32. Weights are `i8` times a step of `2^(-code/8)`, one step an output unit.
//! `FORMAT.md` holds the same in words.

mod check;
mod wide;
mod wire;

use crate::alphabet::Alphabet;
use crate::colour::Colour;
use crate::error::Error;
use crate::sample::Sample as _;

pub use wide::Wide;

/// A causal position relative to the sample being coded: earlier in its row, or in a row above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Rows down; 0 or negative.
    pub dy: i8,
    /// Columns right; negative where `dy` is 0.
    pub dx: i8,
}

/// One fully connected layer in integers.
///
/// Output unit `o` is `clamp(round(acc * step) + bias)`, with `acc = sum_i weights[o][i] * x[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// Inputs.
    pub n_in: usize,
    /// Output units.
    pub n_out: usize,
    /// Shape `[n_out, n_in]`, each in -127..=127.
    pub weights: Vec<i8>,
    /// Per unit: the weight step is `2^(-code/8)`.
    pub step_codes: Vec<u8>,
    /// Per unit: 1/16 of the output's unit for hidden layers (2^-9), the output's unit (2^-12) for the last layer of a head.
    pub biases: Vec<i16>,
}

/// Layers that run once a pixel, on what `taps` show.
///
/// Stage 0 sees samples through its taps. A later stage sees the features of the stage before it here, and features and true residuals
/// of that stage at its taps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Where it looks.
    pub taps: Vec<Tap>,
    /// ReLU layers, outputs 0..=127.
    pub layers: Vec<Dense>,
}

/// Layers that turn the last stage's features into the distribution of one channel's sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// ReLU layers; the first also sees the residuals of channels coded earlier in this pixel.
    pub hidden: Vec<Dense>,
    /// Linear layer: for `K` components `K` weights (log2), `K` means, `K` scales (log2), then one weight a spike; unit 2^-12.
    pub out: Dense,
    /// The mean is relative to the base plus the residual of this channel (an index into the coding order), if any.
    pub follows: Option<u8>,
}

/// An integer network with everything that decoding needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Bits of a symbol, 1..=8, or 1..=16 where samples are wide; the alphabet is `0..2^bit_depth`.
    pub bit_depth: u8,
    /// How samples of 16 bits become symbols; `None` where samples have up to 8 bits and are the symbols.
    pub wide: Option<Wide>,
    /// The colour space that symbols are of, if their images were converted from one to RGB; `None` where samples are the symbols.
    pub colour: Option<Colour>,
    /// Hats along each axis, 2..=[`MOST_HATS`], 0 for none: triangular functions that tell stage 0 where a pixel is in its image. Their tops, of value 32, stand evenly
    /// from the first row or column to the last; each falls to 0 at those beside it.
    pub hats: u8,
    /// Coding order: entry `i` is the channel coded `i`th; a permutation of `0..channels`.
    pub order: Vec<u8>,
    /// At least one.
    pub stages: Vec<Stage>,
    /// One a channel, in coding order.
    pub heads: Vec<Head>,
    /// Logistic components of a mixture.
    pub components: usize,
    /// Positions whose exact value gets mass of its own.
    pub spikes: Vec<Tap>,
}

/// Inputs that tell stage 0 what is near a pixel of any image: top, left and right distance, parities of y and x. Hats, if there are any, follow.
pub(crate) const POSITION_INPUTS: usize = 5;

/// Most hats along an axis.
pub const MOST_HATS: u8 = 16;

impl Program {
    /// Channels of a pixel.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.order.len()
    }

    /// Bits of a symbol.
    #[must_use]
    pub const fn bit_depth(&self) -> u8 {
        self.bit_depth
    }

    /// Its symbols; the Program is valid.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet {
        Alphabet::new(self.bit_depth, self.wide.as_ref().map_or(0, |wide| wide.resolution))
    }

    /// Whether symbols have more than 8 bits.
    #[must_use]
    pub const fn is_deep(&self) -> bool {
        self.bit_depth > 8
    }

    /// Bits of a sample as images hold it: 16, or those of a symbol.
    #[must_use]
    pub const fn sample_bits(&self) -> u8 {
        if self.wide.is_some() { 16 } else { self.bit_depth }
    }

    /// Components of each mixture.
    #[must_use]
    pub const fn components(&self) -> usize {
        self.components
    }

    /// Positions whose exact value gets mass.
    #[must_use]
    pub fn spikes(&self) -> usize {
        self.spikes.len()
    }

    /// Inputs of stage `index`.
    #[must_use]
    pub fn stage_inputs(&self, index: usize) -> usize {
        let channels = self.channels();
        let taps = self.stages.get(index).map_or(0, |stage| stage.taps.len());
        match index.checked_sub(1).and_then(|before| self.stages.get(before)) {
            None => {
                let levels = if self.is_deep() { u16::LEVELS } else { u8::LEVELS };
                let place = usize::from(self.hats).saturating_mul(2).saturating_add(POSITION_INPUTS);
                taps.saturating_add(levels).saturating_mul(channels).saturating_add(place)
            }
            Some(before) => before.features().saturating_add(taps.saturating_mul(before.features().saturating_add(channels))),
        }
    }

    /// Outputs of each head.
    #[must_use]
    pub fn head_outputs(&self) -> usize {
        self.components.saturating_mul(3).saturating_add(self.spikes.len())
    }

    /// Every layer, in the order in which it is stored.
    pub fn layers(&self) -> impl Iterator<Item = &Dense> {
        let stages = self.stages.iter().flat_map(|stage| &stage.layers);
        stages.chain(self.heads.iter().flat_map(|head| head.hidden.iter().chain([&head.out])))
    }

    /// Weights, steps and biases.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.layers().map(|layer| (layer.weights.len() as u64).saturating_add((layer.n_out as u64).saturating_mul(2))).sum()
    }

    /// Multiply-accumulates spent on one pixel.
    #[must_use]
    pub fn macs_per_pixel(&self) -> u64 {
        self.layers().map(|layer| layer.weights.len() as u64).sum()
    }

    /// Columns by which each row must lag behind the row above, so that all its taps are known.
    #[must_use]
    pub fn slope(&self) -> usize {
        let taps = self.stages.iter().flat_map(|stage| &stage.taps).chain(&self.spikes);
        let lag = |tap: &Tap| match tap.dy {
            0 => 0,
            dy => i32::from(tap.dx).max(0).checked_div(i32::from(dy).abs()).map_or(0, |lag| lag.saturating_add(1)),
        };
        usize::try_from(taps.map(lag).max().unwrap_or(0).max(1)).unwrap_or(1)
    }

    /// Checks every invariant that decoding relies on.
    ///
    /// # Errors
    /// `Corrupt` names the field that contradicts another, `LimitExceeded` the one that is too large.
    pub fn validate(&self, limits: &crate::Limits) -> Result<(), Error> {
        check::program(self, limits)
    }
}

impl Stage {
    /// Outputs of the last layer.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.n_out)
    }
}
