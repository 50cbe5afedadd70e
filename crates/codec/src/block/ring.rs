//! What a later stage looks back at: the last columns of each row.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use crate::context::MAX_CHANNELS;
use crate::error::Error;
use crate::kernel::QUAD;
use crate::limits::Budget;
use crate::program::{Stage, Tap};

/// The last columns of each row: features of a stage, and residuals.
pub(super) struct Ring {
    /// Features, filled up to a whole group of the kernel.
    pub(super) width: usize,
    /// Of the taps: rows above, columns to the left and to the right.
    up: usize,
    left: usize,
    right: usize,
    columns: usize,
    /// Shape `[rows, columns, width]`.
    features: Vec<u8>,
    /// Shape `[rows, columns]`.
    residuals: Vec<[i16; MAX_CHANNELS]>,
}

impl Ring {
    /// Memory for `rows` rows of features of `stage` that are looked back at through `taps`.
    pub(super) fn new(stage: &Stage, taps: &[Tap], slope: usize, rows: u64, budget: &mut Budget) -> Result<Self, Error> {
        // A row is read `slope * up - dx` columns behind where it has been written last.
        let lag = |tap: &Tap| (slope * usize::from(tap.dy.unsigned_abs())).saturating_add_signed(-isize::from(tap.dx));
        let columns = (taps.iter().map(lag).max().unwrap_or(0) + 1).next_power_of_two();
        let width = stage.features().next_multiple_of(QUAD);
        let pixels = rows.saturating_mul(columns as u64);
        budget.take("features of a block", pixels, (width + 2 * MAX_CHANNELS) as u64)?;
        let pixels = usize::try_from(pixels).map_err(|_| Error::LimitExceeded { what: "features of a block", limit: budget.left() })?;
        let most = |of: fn(&Tap) -> i8| taps.iter().map(|tap| usize::try_from(of(tap)).unwrap_or(0)).max().unwrap_or(0);
        let (up, left, right) = (most(|tap| -tap.dy), most(|tap| -tap.dx), most(|tap| tap.dx));
        Ok(Self { width, up, left, right, columns, features: vec![0; pixels * width], residuals: vec![[0; MAX_CHANNELS]; pixels] })
    }

    /// Index of a pixel, for as long as it is kept.
    #[inline(always)]
    pub(super) const fn pixel(&self, row: usize, x: usize) -> usize {
        row * self.columns + (x & (self.columns - 1))
    }

    /// Whether all taps see something.
    #[inline(always)]
    pub(super) const fn is_inside(&self, y: usize, x: usize, width: usize) -> bool {
        y >= self.up && x >= self.left && x + self.right < width
    }

    /// Writes the features of a pixel to `to`, which is just as long.
    #[inline(always)]
    pub(super) fn read_features(&self, pixel: usize, to: &mut [u8]) {
        copy(&self.features[pixel * self.width..][..self.width], to);
    }

    #[inline(always)]
    pub(super) fn residuals(&self, pixel: usize) -> [i16; MAX_CHANNELS] {
        self.residuals[pixel]
    }

    /// Keeps the features of a pixel, `width` values.
    #[inline(always)]
    pub(super) fn keep_features(&mut self, pixel: usize, features: &[u8]) {
        copy(features, &mut self.features[pixel * self.width..][..self.width]);
    }

    /// Keeps the residuals of a pixel.
    #[inline(always)]
    pub(super) fn keep_residuals(&mut self, pixel: usize, residuals: &[i16; MAX_CHANNELS]) {
        self.residuals[pixel] = *residuals;
    }
}

/// Copies features: usual numbers of them without a call.
#[inline(always)]
pub(super) fn copy(from: &[u8], to: &mut [u8]) {
    fn whole<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
        match (<&[u8; N]>::try_from(from), <&mut [u8; N]>::try_from(to)) {
            (Ok(from), Ok(to)) => {
                *to = *from;
                true
            }
            _ => false,
        }
    }
    if !whole::<32>(from, to) && !whole::<64>(from, to) && !whole::<48>(from, to) && !whole::<16>(from, to) {
        to.copy_from_slice(from);
    }
}
