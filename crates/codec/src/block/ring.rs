//! What a later stage looks back at: the last columns of each row.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use super::machine::Cell;
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
    pub(super) fn read_features<const WIDTH: usize>(&self, pixel: usize, to: &mut [u8]) {
        copy::<WIDTH>(&self.features[pixel * self.width..][..self.width], to);
    }

    #[inline(always)]
    pub(super) fn residuals(&self, pixel: usize) -> [i16; MAX_CHANNELS] {
        self.residuals[pixel]
    }

    /// Keeps the features of pixels, which begin `stride` values apart.
    pub(super) fn keep_features<const WIDTH: usize>(&mut self, cells: &[Cell], features: &[u8], stride: usize) {
        for (cell, features) in cells.iter().zip(features.chunks_exact(stride)) {
            let pixel = self.pixel(cell.row, cell.x);
            copy::<WIDTH>(&features[..self.width], &mut self.features[pixel * self.width..][..self.width]);
        }
    }

    /// Keeps the residuals of a pixel.
    #[inline(always)]
    pub(super) fn keep_residuals(&mut self, pixel: usize, residuals: &[i16; MAX_CHANNELS]) {
        self.residuals[pixel] = *residuals;
    }
}

/// Copies `WIDTH` features, or (0) as many as there are.
#[inline(always)]
pub(super) fn copy<const WIDTH: usize>(from: &[u8], to: &mut [u8]) {
    match (from.first_chunk::<WIDTH>(), to.first_chunk_mut::<WIDTH>()) {
        (Some(from), Some(to)) if WIDTH > 0 => *to = *from,
        _ => to.copy_from_slice(from),
    }
}
