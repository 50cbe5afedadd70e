//! Pooling, and the shortcut without weights.

use super::conv::Window;
use crate::classify::graph::Extent;

/// For each output of one plane: the place of the largest input in its window, the first of equals.
fn largest(window: &Window, plane: &[f32], mut visit: impl FnMut(usize, usize)) {
    let (before, after) = (window.before, window.after);
    let span = |at: usize, side: usize| {
        let start = at * window.stride;
        (start.saturating_sub(window.pad), (start + window.kernel).saturating_sub(window.pad).min(side))
    };
    for oy in 0..after.height {
        for ox in 0..after.width {
            let ((top, bottom), (left, right)) = (span(oy, before.height), span(ox, before.width));
            let mut best = top * before.width + left;
            for y in top..bottom {
                for place in y * before.width + left..y * before.width + right {
                    if plane[place] > plane[best] {
                        best = place;
                    }
                }
            }
            visit(oy * after.width + ox, best);
        }
    }
}

pub(super) fn max(window: &Window, from: &[f32], count: usize) -> Vec<f32> {
    let (inner, outer) = (window.before.pixels(), window.after.pixels());
    let mut out = vec![0.0; window.after.channels * count * outer];
    for (plane, out) in from.chunks_exact(inner).zip(out.chunks_exact_mut(outer)) {
        largest(window, plane, |to, best| out[to] = plane[best]);
    }
    out
}

pub(super) fn max_backward(window: &Window, from: &[f32], flow: &[f32], count: usize) -> Vec<f32> {
    let (inner, outer) = (window.before.pixels(), window.after.pixels());
    let mut back = vec![0.0; window.before.channels * count * inner];
    for ((plane, flow), back) in from.chunks_exact(inner).zip(flow.chunks_exact(outer)).zip(back.chunks_exact_mut(inner)) {
        largest(window, plane, |to, best| back[best] += flow[to]);
    }
    back
}

pub(super) fn mean(before: Extent, from: &[f32]) -> Vec<f32> {
    let pixels = before.pixels();
    from.chunks_exact(pixels).map(|plane| plane.iter().sum::<f32>() / pixels as f32).collect()
}

pub(super) fn mean_backward(before: Extent, flow: &[f32]) -> Vec<f32> {
    let pixels = before.pixels();
    flow.iter().flat_map(|flow| std::iter::repeat_n(flow / pixels as f32, pixels)).collect()
}

/// Visits each pixel of the shortcut: its place in the input and in the output.
fn crossing(before: Extent, after: Extent, pad: usize, count: usize, mut visit: impl FnMut(usize, usize)) {
    for plane in 0..before.channels * count {
        for y in 0..after.height {
            for x in 0..after.width {
                let from = plane * before.pixels() + 2 * y * before.width + 2 * x;
                visit(from, (pad * count + plane) * after.pixels() + y * after.width + x);
            }
        }
    }
}

pub(super) fn shortcut(before: Extent, after: Extent, pad: usize, from: &[f32], count: usize) -> Vec<f32> {
    let mut out = vec![0.0; after.len() * count];
    crossing(before, after, pad, count, |place, to| out[to] = from[place]);
    out
}

pub(super) fn shortcut_backward(before: Extent, after: Extent, pad: usize, flow: &[f32], count: usize) -> Vec<f32> {
    let mut back = vec![0.0; before.len() * count];
    crossing(before, after, pad, count, |place, from| back[place] = flow[from]);
    back
}
