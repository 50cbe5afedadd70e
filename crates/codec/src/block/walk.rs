//! The order in which the samples of a block are coded.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

use super::machine::{Cell, Code, Machine};
use super::{BATCH, References};
use crate::context::Plane;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;
use crate::program::Program;
use crate::sample::Sample;

/// Visits every sample of the planes in coding order, wave by wave, each row `slope` columns behind the one above; `code` says what to keep there.
pub(super) fn walk<S: Sample>(
    program: &Program,
    kernel: Kernel,
    slope: usize,
    planes: &mut [Plane<S>],
    references: &References,
    budget: &mut Budget,
    code: &mut impl Code<S>,
) -> Result<(), Error> {
    let mut machine = Machine::new(program, kernel, slope, planes, budget)?;
    // Images that still have pixels to come: number, first row among the rows of all, and the step after their last.
    let mut active: Vec<(usize, usize, usize)> = Vec::with_capacity(planes.len());
    let mut cells = Vec::with_capacity(BATCH);
    for wave in 0..references.waves() {
        code.begin(planes, wave);
        let mut rows = 0;
        for (image, plane) in planes.iter().enumerate() {
            if plane.height > 0 && plane.width > 0 && references.wave(image) == wave {
                active.push((image, rows, plane.width + slope * (plane.height - 1)));
            }
            rows += plane.height;
        }
        for step in 0.. {
            active.retain(|&(_, _, end)| step < end);
            if active.is_empty() {
                break;
            }
            for &(image, first_row, _) in &active {
                let (height, width) = planes[image].shape();
                let first = (step + 1).saturating_sub(width).div_ceil(slope);
                let last = (step / slope + 1).min(height);
                for y in first..last {
                    cells.push(Cell { image, y, x: step - slope * y, row: first_row + y });
                    if cells.len() == BATCH {
                        machine.batch(planes, &cells, code)?;
                        cells.clear();
                    }
                }
            }
            if !cells.is_empty() {
                machine.batch(planes, &cells, code)?;
                cells.clear();
            }
        }
    }
    Ok(())
}
