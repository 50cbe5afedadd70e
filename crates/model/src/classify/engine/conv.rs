//! Convolutions as products of matrices: kernels times windows.

use std::cell::RefCell;

use crate::classify::graph::Extent;
use crate::product::{View, product};

/// Columns of windows that a product should have at least, so that it is worth packing the kernels.
const COLUMNS: usize = 512;

thread_local! {
    /// Room for windows; kept, because fresh memory costs more than filling it.
    static ROOM: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Where a kernel looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) before: Extent,
    pub(super) after: Extent,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) pad: usize,
}

impl Window {
    /// A fully connected layer is a kernel of one pixel on an image of one pixel.
    pub(super) const fn whole(before: Extent, after: Extent) -> Self {
        let before = Extent { channels: before.len(), height: 1, width: 1 };
        Self { before, after, kernel: 1, stride: 1, pad: 0 }
    }

    pub(super) const fn rows(&self) -> usize {
        self.before.channels * self.kernel * self.kernel
    }

    /// Windows are the values themselves.
    const fn is_plain(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == 0
    }

    /// Images whose windows are taken at once.
    fn images(&self, count: usize) -> usize {
        COLUMNS.div_ceil(self.after.pixels().max(1)).clamp(1, count.max(1))
    }

    /// For a row of windows at kernel column `kx`: the outputs `ox` whose input column lies inside, and the first such input column.
    fn inside(&self, kx: usize) -> (usize, usize, usize) {
        let first = self.pad.saturating_sub(kx).div_ceil(self.stride);
        let end = (self.before.width + self.pad).saturating_sub(kx).div_ceil(self.stride).min(self.after.width);
        (first.min(end), end, (first * self.stride + kx).saturating_sub(self.pad))
    }

    /// Calls `visit(row of windows, place in the input, outputs inside)` for each run of windows of the images `first..first + images`.
    fn runs(&self, count: usize, first: usize, images: usize, mut visit: impl FnMut(usize, Option<(usize, usize, usize)>)) {
        let pixels = self.before.pixels();
        for channel in 0..self.before.channels {
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let (start, end, column) = self.inside(kx);
                    let row = (channel * self.kernel + ky) * self.kernel + kx;
                    for image in 0..images {
                        let base = (channel * count + first + image) * pixels;
                        for oy in 0..self.after.height {
                            let place = row * images * self.after.pixels() + (image * self.after.height + oy) * self.after.width;
                            let y = (oy * self.stride + ky).checked_sub(self.pad).filter(|&y| y < self.before.height);
                            visit(place, y.filter(|_| start < end).map(|y| (base + y * self.before.width + column, start, end)));
                        }
                    }
                }
            }
        }
    }

    pub(super) fn gather(&self, from: &[f32], count: usize, first: usize, images: usize, windows: &mut [f32]) {
        let width = self.after.width;
        self.runs(count, first, images, |place, inside| {
            let row = &mut windows[place..place + width];
            let Some((source, start, end)) = inside else {
                row.fill(0.0);
                return;
            };
            row[..start].fill(0.0);
            row[end..].fill(0.0);
            if self.stride == 1 {
                row[start..end].copy_from_slice(&from[source..source + end - start]);
            } else {
                row[start..end].iter_mut().zip(from[source..].iter().step_by(self.stride)).for_each(|(to, from)| *to = *from);
            }
        });
    }

    pub(super) fn scatter(&self, windows: &[f32], count: usize, first: usize, images: usize, to: &mut [f32]) {
        self.runs(count, first, images, |place, inside| {
            let Some((target, start, end)) = inside else { return };
            let row = &windows[place + start..place + end];
            if self.stride == 1 {
                to[target..target + row.len()].iter_mut().zip(row).for_each(|(to, from)| *to += from);
            } else {
                to[target..].iter_mut().step_by(self.stride).zip(row).for_each(|(to, from)| *to += from);
            }
        });
    }
}

fn grown(room: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if room.len() < len {
        room.resize(len, 0.0);
    }
    &mut room[..len]
}

/// `[outputs, images, rows, columns]` of one group.
pub(super) fn forward(window: &Window, weight: &[f32], bias: Option<&Vec<f32>>, from: &[f32], count: usize) -> Vec<f32> {
    let (outputs, pixels, inner) = (window.after.channels, window.after.pixels(), window.rows());
    let mut out = vec![0.0; outputs * count * pixels];
    let kernels = View::rows(weight, inner);
    if window.is_plain() {
        product(kernels, View::rows(from, count * pixels), &mut out, count * pixels, (outputs, inner, count * pixels), false);
    } else {
        ROOM.with_borrow_mut(|(room, _)| {
            let step = window.images(count);
            for first in (0..count).step_by(step) {
                let images = step.min(count - first);
                let columns = images * pixels;
                let windows = grown(room, inner * columns);
                window.gather(from, count, first, images, windows);
                product(kernels, View::rows(windows, columns), &mut out[first * pixels..], count * pixels, (outputs, inner, columns), false);
            }
        });
    }
    if let Some(bias) = bias {
        for (row, bias) in out.chunks_exact_mut((count * pixels).max(1)).zip(bias) {
            row.iter_mut().for_each(|value| *value += bias);
        }
    }
    out
}

/// Gradients of weights and, if wanted, of the group's input.
pub(super) fn backward(window: &Window, weight: &[f32], from: &[f32], flow: &[f32], count: usize, wanted: bool) -> (Vec<f32>, Vec<f32>) {
    let (outputs, pixels, inner) = (window.after.channels, window.after.pixels(), window.rows());
    let mut of_weight = vec![0.0; weight.len()];
    let mut back = vec![0.0; if wanted { from.len() } else { 0 }];
    let kernels = View::rows(weight, inner).transposed();
    let width = count * pixels;
    if window.is_plain() {
        product(View::rows(flow, width), View::rows(from, width).transposed(), &mut of_weight, inner, (outputs, width, inner), false);
        if wanted {
            product(kernels, View::rows(flow, width), &mut back, width, (inner, outputs, width), false);
        }
        return (of_weight, back);
    }
    ROOM.with_borrow_mut(|(room, other_room)| {
        let step = window.images(count);
        for first in (0..count).step_by(step) {
            let images = step.min(count - first);
            let columns = images * pixels;
            let windows = grown(room, inner * columns);
            window.gather(from, count, first, images, windows);
            let flow = View::rows(&flow[first * pixels..], width);
            product(flow, View::rows(windows, columns).transposed(), &mut of_weight, inner, (outputs, columns, inner), first > 0);
            if wanted {
                let windows = grown(other_room, inner * columns);
                product(kernels, flow, windows, columns, (inner, outputs, columns), false);
                window.scatter(windows, count, first, images, &mut back);
            }
        }
    });
    (of_weight, back)
}
