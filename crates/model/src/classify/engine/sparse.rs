//! Convolutions whose kernels are mostly zeros: only the others are multiplied.
//!
//! A plane with zeros around it is one row, and a kernel's place is an offset into that row: an output is a sum of shifted inputs, one for each weight. Kernels
//! with steps look at gathered windows instead. Gradients of weights are computed for those in the pattern only, so zeros have to stay zeros.

mod kernel;

use std::cell::RefCell;

use super::conv::Window;
use crate::classify::arch::Parameters;
use crate::classify::graph::{Extent, Graph, Node, Op};

/// Share of weights other than zero from which on the product of full matrices is quicker: level at 35 to 45 % for outputs of 49 to 784 pixels, at 20 % for 16,
/// whose rows are short (forwards and backwards, groups of 8 images, 3x3 kernels, Zen 4).
const fn densest(pixels: usize) -> f64 {
    if pixels < 32 { 0.15 } else { 0.35 }
}
/// Numbers of a source that are looked at over and over; they should stay in the second cache.
const BLOCK: usize = 1 << 16;

thread_local! {
    /// Room for planes with zeros around them, or windows.
    static ROOM: RefCell<(Vec<f32>, Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new(), Vec::new())) };
}

/// Where a layer's weights other than zero are.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    inner: usize,
    /// For each output where its entries begin; their columns are input x places of a kernel.
    starts: Vec<usize>,
    columns: Vec<u32>,
    /// The same by columns: output and entry.
    back_starts: Vec<usize>,
    back: Vec<(u32, u32)>,
}

impl Pattern {
    fn of(weight: &[f32], outputs: usize, pixels: usize) -> Option<Self> {
        let some = weight.iter().filter(|weight| **weight != 0.0).count();
        let inner = weight.len() / outputs.max(1);
        if some as f64 > densest(pixels) * weight.len() as f64 || u32::try_from(weight.len()).is_err() || inner == 0 {
            return None;
        }
        let (mut starts, mut columns) = (vec![0], Vec::with_capacity(some));
        let mut back_starts = vec![0; inner + 1];
        for row in weight.chunks_exact(inner) {
            for (column, _) in row.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                columns.push(column as u32);
                back_starts[column + 1] += 1;
            }
            starts.push(columns.len());
        }
        for column in 0..inner {
            back_starts[column + 1] += back_starts[column];
        }
        let (mut next, mut back) = (back_starts.clone(), vec![(0, 0); some]);
        for output in 0..outputs {
            for entry in starts[output]..starts[output + 1] {
                let place = &mut next[columns[entry] as usize];
                back[*place] = (output as u32, entry as u32);
                *place += 1;
            }
        }
        Some(Self { inner, starts, columns, back_starts, back })
    }

    /// For each entry its place in the layer's weights, ascending.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.starts.windows(2).enumerate();
        rows.flat_map(move |(output, ends)| self.columns[ends[0]..ends[1]].iter().map(move |&column| output * self.inner + column as usize))
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }
}

/// Patterns of the layers that have few enough weights.
#[derive(Debug, Clone, Default)]
pub struct Sparse {
    layers: Vec<Option<Pattern>>,
}

impl Sparse {
    /// The patterns of convolutions as `parameters` have them.
    #[must_use]
    pub fn of(graph: &Graph, parameters: &Parameters) -> Self {
        let mut layers = vec![None; graph.specs.len()];
        for (node, extent) in graph.nodes.iter().zip(&graph.extents[1..]) {
            if let Op::Conv { weight, .. } = node.op {
                layers[weight] = Pattern::of(&parameters[weight], graph.specs[weight].shape[0], extent.pixels());
            }
        }
        Self { layers }
    }

    /// Time of a training step, as a share of that of the whole network: layers with a pattern take a third where a fifth of their weights is left.
    #[must_use]
    pub fn work(&self, graph: &Graph) -> f64 {
        let of = |(node, extent): (&Node, &Extent)| match node.op {
            Op::Conv { weight, .. } => {
                let count = graph.specs[weight].count() as f64;
                let share = self.layer(weight).map_or(1.0, |pattern| (0.1 + 1.2 * pattern.len() as f64 / count).min(1.0));
                count * extent.pixels() as f64 * share
            }
            Op::Linear { weight, .. } => graph.specs[weight].count() as f64,
            _ => 0.0,
        };
        graph.nodes.iter().zip(&graph.extents[1..]).map(of).sum::<f64>() / (graph.macs() as f64).max(1.0)
    }

    /// Pattern of a tensor.
    pub(super) fn layer(&self, weight: usize) -> Option<&Pattern> {
        self.layers.get(weight).and_then(Option::as_ref)
    }

    /// For a tensor with a pattern, the places of its entries, ascending. Its gradient has a number for each of these.
    #[must_use]
    pub fn positions(&self, weight: usize) -> Option<Vec<usize>> {
        self.layer(weight).map(|pattern| pattern.positions().collect())
    }

    /// Values of the entries of each layer.
    pub(super) fn entries(&self, parameters: &Parameters) -> Vec<Vec<f32>> {
        let of = |(pattern, values): (&Option<Pattern>, &Vec<f32>)| {
            pattern.as_ref().map_or_else(Vec::new, |pattern| pattern.positions().map(|at| values[at]).collect())
        };
        self.layers.iter().zip(parameters).map(of).collect()
    }
}

/// How the planes of one group lie in a row.
struct Sheet {
    /// From a row of an image to the next.
    pitch: usize,
    /// From an image to the next.
    image: usize,
    /// Before the first and behind the last.
    margin: usize,
    /// Of one channel, without margins.
    len: usize,
}

impl Sheet {
    fn new(window: &Window, count: usize) -> Self {
        let pitch = window.before.width + window.pad;
        let image = (window.before.height + window.pad) * pitch;
        Self { pitch, image, margin: window.pad * (pitch + 1), len: count * image }
    }

    const fn channel(&self) -> usize {
        self.len + 2 * self.margin
    }

    /// Copies planes `[channels, images, rows, columns]` into place, zeros around.
    fn spread(&self, window: &Window, from: &[f32], to: &mut Vec<f32>) {
        let plane = window.before.pixels();
        let channels = from.len() / (self.len / self.image * plane).max(1);
        to.clear();
        to.resize(channels * self.channel(), 0.0);
        let images = from.chunks_exact((self.len / self.image * plane).max(1)).zip(to.chunks_exact_mut(self.channel()));
        for (from, to) in images {
            for (from, to) in from.chunks_exact(plane).zip(to[self.margin..].chunks_mut(self.image)) {
                for (from, to) in from.chunks_exact(window.before.width).zip(to.chunks_mut(self.pitch)) {
                    to[..from.len()].copy_from_slice(from);
                }
            }
        }
    }

    /// Takes the planes of one channel back out of a row of `len`.
    fn collect(&self, window: &Window, from: &[f32], to: &mut [f32]) {
        for (from, to) in from.chunks_exact(self.image).zip(to.chunks_exact_mut(window.before.pixels())) {
            for (from, to) in from.chunks_exact(self.pitch).zip(to.chunks_exact_mut(window.before.width)) {
                to.copy_from_slice(&from[..to.len()]);
            }
        }
    }

    /// Where each column of a kernel begins in a sheet of inputs.
    fn columns(&self, window: &Window) -> Vec<u32> {
        let places =
            |channel: usize| (0..window.kernel).flat_map(move |ky| (0..window.kernel).map(move |kx| channel * self.channel() + ky * self.pitch + kx));
        // margin = pad rows and pad columns before the first: the first place of a kernel looks exactly there
        (0..window.before.channels).flat_map(places).map(|place| place as u32).collect()
    }
}

/// Outputs have the inputs' size.
const fn keeps_size(window: &Window) -> bool {
    window.stride == 1 && window.kernel == 2 * window.pad + 1
}

/// Length of the parts in which rows are computed.
fn block(channels: usize) -> usize {
    (BLOCK / channels.max(1)).next_multiple_of(128).max(256)
}

/// `[outputs, images, rows, columns]` of one group; `entries` are the values of the pattern.
pub(super) fn forward(window: &Window, pattern: &Pattern, entries: &[f32], bias: Option<&Vec<f32>>, from: &[f32], count: usize) -> Vec<f32> {
    let (outputs, pixels) = (window.after.channels, window.after.pixels());
    let width = count * pixels;
    let mut out = vec![0.0; outputs * width];
    ROOM.with_borrow_mut(|(source, sheet_out, _)| {
        if keeps_size(window) {
            let sheet = Sheet::new(window, count);
            sheet.spread(window, from, source);
            let columns = sheet.columns(window);
            let places: Vec<u32> = pattern.columns.iter().map(|&column| columns[column as usize]).collect();
            sheet_out.resize(outputs * sheet.len, 0.0);
            sums(sheet_out, sheet.len, source, &pattern.starts, &places, entries, block(window.before.channels));
            for (from, to) in sheet_out.chunks_exact(sheet.len.max(1)).zip(out.chunks_exact_mut(width.max(1))) {
                sheet.collect(window, from, to);
            }
        } else {
            source.resize(window.rows() * width, 0.0);
            window.gather(from, count, 0, count, source);
            let places: Vec<u32> = pattern.columns.iter().map(|&column| (column as usize * width) as u32).collect();
            sums(&mut out, width, source, &pattern.starts, &places, entries, block(window.rows()));
        }
    });
    if let Some(bias) = bias {
        for (row, bias) in out.chunks_exact_mut(width.max(1)).zip(bias) {
            row.iter_mut().for_each(|value| *value += bias);
        }
    }
    out
}

/// Rows of `len` numbers, each the sum of the source's rows at its entries' places.
fn sums(out: &mut [f32], len: usize, source: &[f32], starts: &[usize], places: &[u32], values: &[f32], block: usize) {
    for begin in (0..len).step_by(block) {
        let end = (begin + block).min(len);
        for (row, ends) in out.chunks_exact_mut(len.max(1)).zip(starts.windows(2)) {
            let entries = ends[0]..ends[1];
            kernel::weighted(&mut row[begin..end], source, begin, &places[entries.clone()], &values[entries]);
        }
    }
}

/// Gradients of the entries and, if wanted, of the group's input.
pub(super) fn backward(
    window: &Window,
    pattern: &Pattern,
    entries: &[f32],
    from: &[f32],
    flow: &[f32],
    count: usize,
    wanted: bool,
) -> (Vec<f32>, Vec<f32>) {
    let width = count * window.after.pixels();
    let mut of_entries = vec![0.0; pattern.len()];
    let mut back = vec![0.0; if wanted { from.len() } else { 0 }];
    let values: Vec<f32> = if wanted { pattern.back.iter().map(|&(_, entry)| entries[entry as usize]).collect() } else { Vec::new() };
    ROOM.with_borrow_mut(|(source, flows, sheet_back)| {
        if keeps_size(window) {
            let sheet = Sheet::new(window, count);
            sheet.spread(window, from, source);
            let turned = Window { before: window.after, after: window.before, ..*window };
            sheet.spread(&turned, flow, flows);
            let columns = sheet.columns(window);
            let places: Vec<u32> = pattern.columns.iter().map(|&column| columns[column as usize]).collect();
            let rows = flows.chunks_exact(sheet.channel().max(1)).map(|row| &row[sheet.margin..][..sheet.len]);
            gradients(&mut of_entries, rows, sheet.len, source, &pattern.starts, &places, block(window.before.channels));
            if wanted {
                // a kernel's places, looked at from the other side
                let kernel = window.kernel * window.kernel;
                let reach = 2 * sheet.margin;
                let offsets: Vec<usize> = columns[..kernel].iter().map(|&place| reach - place as usize).collect();
                let mut places = Vec::with_capacity(pattern.len());
                for (column, ends) in pattern.back_starts.windows(2).enumerate() {
                    let offset = offsets[column % kernel];
                    places.extend(pattern.back[ends[0]..ends[1]].iter().map(|&(output, _)| (output as usize * sheet.channel() + offset) as u32));
                }
                let starts: Vec<usize> = pattern.back_starts.iter().step_by(kernel).copied().collect();
                sheet_back.resize(window.before.channels * sheet.len, 0.0);
                sums(sheet_back, sheet.len, flows, &starts, &places, &values, block(window.after.channels));
                for (from, to) in sheet_back.chunks_exact(sheet.len.max(1)).zip(back.chunks_exact_mut((count * window.before.pixels()).max(1))) {
                    sheet.collect(window, from, to);
                }
            }
        } else {
            source.resize(window.rows() * width, 0.0);
            window.gather(from, count, 0, count, source);
            let places: Vec<u32> = pattern.columns.iter().map(|&column| (column as usize * width) as u32).collect();
            gradients(&mut of_entries, flow.chunks_exact(width.max(1)), width, source, &pattern.starts, &places, block(window.rows()));
            if wanted {
                let places: Vec<u32> = pattern.back.iter().map(|&(output, _)| (output as usize * width) as u32).collect();
                sums(source, width, flow, &pattern.back_starts, &places, &values, block(window.after.channels));
                window.scatter(source, count, 0, count, &mut back);
            }
        }
    });
    (of_entries, back)
}

/// For each entry the product of its output's row and of the source's row at its place.
fn gradients<'r>(
    out: &mut [f32],
    rows: impl Iterator<Item = &'r [f32]> + Clone,
    len: usize,
    source: &[f32],
    starts: &[usize],
    places: &[u32],
    block: usize,
) {
    for begin in (0..len).step_by(block) {
        let end = (begin + block).min(len);
        for (row, ends) in rows.clone().zip(starts.windows(2)) {
            let entries = ends[0]..ends[1];
            kernel::products(&mut out[entries.clone()], &row[begin..end], source, begin, &places[entries]);
        }
    }
}
