//! What a block's coefficients should be for the picture to go on smoothly across its upper and left border.
//!
//! A line of a block is a sum of cosines; half a sample beyond its last column all of them are 1 or -1, half a sample before its first all are 1. If the
//! picture is continuous there, sums over the block to the left and over this one agree, frequency by frequency of the other direction; so with all but one
//! coefficient of a line known, the last is foretold. After Lepton (Horn et al., NSDI 2017), which does so for the first row and column.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "coefficients are clamped to 2^14, sums of eight times 2^13 are of 64 bits"
)]

use super::scan::Block;

/// Column of a coefficient in zigzag order above its row, both 0..8: `8 * row + column`.
pub(super) const PLACE: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43,
    36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// `2^13 / sqrt(2)`.
const ROOT: i32 = 5793;

/// `round(2^13 * cos((2x + 1) u pi / 16))`, for `u = 0` divided by the root of 2; shape `[x, u]`.
const COSINES: [[i32; 8]; 8] = [
    [5793, 8035, 7568, 6811, 5793, 4551, 3135, 1598],
    [5793, 6811, 3135, -1598, -5793, -8035, -7568, -4551],
    [5793, 4551, -3135, -8035, -5793, 1598, 7568, 6811],
    [5793, 1598, -7568, -4551, 5793, 6811, -3135, -8035],
    [5793, -1598, -7568, 4551, 5793, -6811, -3135, 8035],
    [5793, -4551, -3135, 8035, -5793, -1598, 7568, -6811],
    [5793, -6811, 3135, 1598, -5793, 8035, -7568, 4551],
    [5793, -8035, 7568, -6811, 5793, -4551, 3135, -1598],
];

/// Sums at a border, for each frequency along it.
pub(super) type Edge = [i32; 8];

/// Steps of a component's coefficients.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) quant: [i32; 64],
    /// `2^18` (four times `2^16`) through step and weight of a coefficient in a sum down a column, and along a row.
    down: [i32; 64],
    along: [i32; 64],
}

impl Steps {
    pub(super) fn new(quant: &[u16; 64]) -> Self {
        let mut steps = Self { quant: quant.map(i32::from), down: [0; 64], along: [0; 64] };
        for (k, place) in PLACE.into_iter().enumerate() {
            let (u, v) = (place % 8, place / 8);
            let through = |weight: i32| ((1i64 << 31) / i64::from(weight) / i64::from(steps.quant[k])) as i32;
            let (down, along) = (through(weight(v)), through(weight(u)));
            (steps.down[k], steps.along[k]) = (down, along);
        }
        steps
    }

    fn value(&self, block: &Block, k: usize) -> i32 {
        (i32::from(block[k]) * self.quant[k]).clamp(-(1 << 14), 1 << 14)
    }

    /// Sums over a whole block at its lower and its right border.
    pub(super) fn beyond(&self, block: &Block) -> (Edge, Edge) {
        let (mut lower, mut right) = ([0; 8], [0; 8]);
        for k in 0..64 {
            if block[k] != 0 {
                let (u, v) = (usize::from(PLACE[k] % 8), usize::from(PLACE[k] / 8));
                let value = self.value(block, k);
                let sign = |at: usize| if at.is_multiple_of(2) { 1 } else { -1 };
                lower[u] += sign(v) * ((value * weight(v as u8)) >> 13);
                right[v] += sign(u) * ((value * weight(u as u8)) >> 13);
            }
        }
        (lower, right)
    }
}

/// Weight of frequency 0 in a sum, or of any other, unit 2^-13.
const fn weight(frequency: u8) -> i32 {
    if frequency == 0 { ROOT } else { 1 << 13 }
}

/// What is left of the sums above and to the left once the coefficients known so far are taken off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    upper: Option<Edge>,
    left: Option<Edge>,
}

impl Open {
    pub(super) const fn new(upper: Option<Edge>, left: Option<Edge>) -> Self {
        Self { upper, left }
    }

    /// What coefficient `k` should be by the block above and by that to the left, unit 1/4 step; 0 without one.
    #[inline(always)]
    pub(super) fn foretold(&self, steps: &Steps, k: usize) -> (i32, i32) {
        let (u, v) = (usize::from(PLACE[k] % 8), usize::from(PLACE[k] / 8));
        let part = |edge: Option<Edge>, at: usize, through: i32| {
            edge.map_or(0, |edge| ((i64::from(edge[at]) * i64::from(through)) >> 16).clamp(-(1 << 16), 1 << 16) as i32)
        };
        (part(self.upper, u, steps.down[k]), part(self.left, v, steps.along[k]))
    }

    /// Takes coefficient `k` of `block` off.
    #[inline(always)]
    pub(super) fn take(&mut self, steps: &Steps, block: &Block, k: usize) {
        let (u, v) = (PLACE[k] % 8, PLACE[k] / 8);
        let value = steps.value(block, k);
        if let Some(upper) = &mut self.upper {
            upper[usize::from(u)] -= (value * weight(v)) >> 13;
        }
        if let Some(left) = &mut self.left {
            left[usize::from(v)] -= (value * weight(u)) >> 13;
        }
    }

    /// What DC should be by each sample of the upper border, then of the left one, all other coefficients being taken off; unit one step of DC. How many there are.
    pub(super) fn dc(&self, steps: &Steps, estimates: &mut [i32; 16]) -> usize {
        let mut n = 0;
        for edge in [self.upper, self.left].into_iter().flatten() {
            for cosines in &COSINES {
                let sum: i64 = cosines.iter().zip(edge).map(|(&cosine, edge)| i64::from(cosine) * i64::from(edge)).sum();
                // A sample has a half of DC in these sums.
                estimates[n] = (sum >> 12) as i32 / steps.quant[0];
                n += 1;
            }
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_goes_on_is_foretold() {
        // Two blocks of one wave, half a sample apart at the border, so that both are even there.
        let steps = Steps::new(&[2; 64]);
        let mut block: Block = [0; 64];
        (block[0], block[1], block[5], block[2]) = (100, -40, 20, 7);
        // Mirrored at the right border: frequencies of odd number turn their sign.
        let mirrored = |across: bool| {
            let mut other = block;
            for k in 0..64 {
                let at = if across { PLACE[k] % 8 } else { PLACE[k] / 8 };
                other[k] = if at % 2 == 1 { -block[k] } else { block[k] };
            }
            other
        };
        let (_, right) = steps.beyond(&block);
        let (lower, _) = steps.beyond(&block);
        let mut from_left = Open::new(None, Some(right));
        let to_the_right = mirrored(true);
        (1..64).rev().for_each(|k| from_left.take(&steps, &to_the_right, k));
        let mut estimates = [0; 16];
        assert_eq!(from_left.dc(&steps, &mut estimates), 8);
        assert!(estimates[..8].iter().all(|estimate| (estimate - 100).abs() <= 1), "{estimates:?}");
        let mut from_above = Open::new(Some(lower), None);
        let below = mirrored(false);
        (3..64).rev().for_each(|k| from_above.take(&steps, &below, k));
        let (down, along) = from_above.foretold(&steps, 1);
        assert!((down - 4 * -40).abs() <= 2 && along == 0, "{down} for four times -40");
    }
}
