//! What a later stage looks back at: the last columns of each row.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use crate::error::Error;
use crate::kernel::QUAD;
use crate::limits::Budget;
use crate::program::{Program, Stage, Tap};

/// The last columns of each row: features of a stage, and residuals.
pub(super) struct Ring {
    /// Features, filled up to a whole group of the kernel.
    pub(super) width: usize,
    pub(super) channels: usize,
    columns: usize,
    /// Shape `[rows, columns, width]`.
    features: Vec<u8>,
    /// Shape `[rows, columns, channels]`.
    residuals: Vec<i16>,
}

impl Ring {
    /// Memory for `rows` rows of features of `stage` that are looked back at through `taps`.
    pub(super) fn new(stage: &Stage, taps: &[Tap], program: &Program, slope: usize, rows: u64, budget: &mut Budget) -> Result<Self, Error> {
        // A row is read `slope * up - dx` columns behind where it has been written last.
        let lag = |tap: &Tap| (slope * usize::from(tap.dy.unsigned_abs())).saturating_add_signed(-isize::from(tap.dx));
        let columns = (taps.iter().map(lag).max().unwrap_or(0) + 1).next_power_of_two();
        let width = stage.features().next_multiple_of(QUAD);
        let channels = program.channels();
        let pixels = rows.saturating_mul(columns as u64);
        budget.take("features of a block", pixels, (width + 2 * channels) as u64)?;
        let pixels = usize::try_from(pixels).map_err(|_| Error::LimitExceeded { what: "features of a block", limit: budget.left() })?;
        Ok(Self { width, channels, columns, features: vec![0; pixels * width], residuals: vec![0; pixels * channels] })
    }

    /// Index of a pixel, for as long as it is kept.
    #[inline(always)]
    pub(super) const fn pixel(&self, row: usize, x: usize) -> usize {
        row * self.columns + (x & (self.columns - 1))
    }

    #[inline(always)]
    pub(super) fn features(&self, pixel: usize) -> &[u8] {
        &self.features[pixel * self.width..][..self.width]
    }

    #[inline(always)]
    pub(super) fn residuals(&self, pixel: usize) -> &[i16] {
        &self.residuals[pixel * self.channels..][..self.channels]
    }

    /// Keeps the features of a pixel, `width` values.
    #[inline(always)]
    pub(super) fn keep_features(&mut self, pixel: usize, features: &[u8]) {
        self.features[pixel * self.width..][..self.width].copy_from_slice(features);
    }

    /// Keeps the residuals of a pixel, one a channel.
    #[inline(always)]
    pub(super) fn keep_residuals(&mut self, pixel: usize, residuals: &[i16]) {
        self.residuals[pixel * self.channels..][..self.channels].copy_from_slice(residuals);
    }
}
