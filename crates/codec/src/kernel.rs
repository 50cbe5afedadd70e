//! Fully connected layers on a batch of pixels, in integers: one tile at a time, by the best instructions the machine has.
//!
//! The scalar tile defines the result; each faster one equals it on every input, because sums of integers below 2^31 do not depend on order.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::program::Dense;
use crate::tables::STEP;

/// Output units of a tile.
pub(crate) const LANES: usize = 16;
/// Pixels of a tile.
pub(crate) const CELLS: usize = 8;
/// Sums of a tile, `[pixel][unit]`.
pub(crate) type Tile = [[i32; LANES]; CELLS];

/// Which instructions compute tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// Plain Rust.
    Scalar,
    /// AVX2, 16-bit pairs.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with VNNI, 16-bit pairs.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The fastest this machine has.
    pub(crate) fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self::Scalar)
    }

    /// All this machine has, slowest first.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut, reason = "only x86-64 adds to it"))]
        let mut all = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self::Avx2);
            }
            if x86::has_avx512() {
                all.push(Self::Avx512);
            }
        }
        all
    }
}

/// A layer laid out for tiles.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) n_out: usize,
    /// Pairs of inputs, the last filled up with a zero weight.
    pairs: usize,
    /// Shape `[ceil(n_out / LANES), pairs, LANES, 2]`.
    weights: Vec<i16>,
    /// One a panel of `LANES` units.
    scales: Vec<Scale>,
    /// Bounds of the outputs.
    bounds: (i64, i64),
}

/// How the sums of one panel become outputs: `(sum * factor + offset) >> shift`.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) factor: [i64; LANES],
    pub(crate) offset: [i64; LANES],
    pub(crate) shift: [i64; LANES],
}

impl Packed {
    /// A ReLU layer: outputs 0..=127 of unit 1/32, biases of unit 2^-9.
    pub(crate) fn hidden(layer: &Dense) -> Self {
        Self::new(layer, 15, 4, (0, 127))
    }

    /// A linear layer: outputs of unit 2^-12, biases too.
    pub(crate) fn linear(layer: &Dense) -> Self {
        Self::new(layer, 8, 0, (-(1 << 30), 1 << 30))
    }

    fn new(layer: &Dense, unit_shift: i64, bias_bits: i64, bounds: (i64, i64)) -> Self {
        let (pairs, panels) = (layer.n_in.div_ceil(2), layer.n_out.div_ceil(LANES));
        let mut weights = vec![0i16; panels * pairs * LANES * 2];
        let mut scales = vec![Scale { factor: [0; LANES], offset: [0; LANES], shift: [0; LANES] }; panels];
        for o in 0..layer.n_out {
            let (panel, lane) = (o / LANES, o % LANES);
            for i in 0..layer.n_in {
                weights[((panel * pairs + i / 2) * LANES + lane) * 2 + i % 2] = layer.weights[o * layer.n_in + i].into();
            }
            let code = i64::from(layer.step_codes[o]);
            let shift = unit_shift + (code >> 3);
            let scale = &mut scales[panel];
            scale.factor[lane] = STEP[(code & 7) as usize];
            scale.shift[lane] = shift;
            scale.offset[lane] = (i64::from(layer.biases[o]) << (shift - bias_bits)) + (1 << (shift - 1));
        }
        Self { n_out: layer.n_out, pairs, weights, scales, bounds }
    }

    /// Values from one pixel's inputs to the next pixel's: inputs, filled up with zeros to a whole pair.
    pub(crate) fn input_stride(&self) -> usize {
        self.pairs * 2
    }

    /// Values from one pixel's outputs to the next pixel's: outputs, filled up to a whole panel.
    pub(crate) fn output_stride(&self) -> usize {
        self.scales.len() * LANES
    }

    /// Runs the layer on `cells` pixels and hands runs of outputs to `store(pixel, first unit, values)`.
    ///
    /// `inputs` has shape `[cells, stride]`; entries past the layer's inputs, up to `input_stride`, meet zero weights.
    pub(crate) fn run(&self, kernel: Kernel, inputs: &[i16], stride: usize, cells: usize, mut store: impl FnMut(usize, usize, &[i32])) {
        assert!(stride >= self.input_stride() && inputs.len() >= cells * stride);
        let mut tile: Tile = [[0; LANES]; CELLS];
        for (panel, scale) in self.scales.iter().enumerate() {
            let weights = &self.weights[panel * self.pairs * LANES * 2..][..self.pairs * LANES * 2];
            let units = (self.n_out - panel * LANES).min(LANES);
            for first in (0..cells).step_by(CELLS) {
                let count = (cells - first).min(CELLS);
                let inputs = &inputs[first * stride..][..(count - 1) * stride + self.input_stride()];
                compute(kernel, weights, inputs, stride, count, scale, self.bounds, &mut tile);
                for (cell, values) in tile[..count].iter().enumerate() {
                    store(first + cell, panel * LANES, &values[..units]);
                }
            }
        }
    }
}

/// Sums and scales one tile of `count` pixels.
#[expect(clippy::too_many_arguments, reason = "a tile is all of these; a struct would only rename them")]
#[inline]
fn compute(kernel: Kernel, weights: &[i16], inputs: &[i16], stride: usize, count: usize, scale: &Scale, bounds: (i64, i64), tile: &mut Tile) {
    match kernel {
        Kernel::Scalar => {
            sum(weights, inputs, stride, count, tile);
            finish(tile, count, scale, bounds);
        }
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => x86::avx2(weights, inputs, stride, count, scale, bounds, tile),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => x86::avx512(weights, inputs, stride, count, scale, bounds, tile),
    }
}

/// `tile[cell][lane] = sum over inputs of weight * input`.
fn sum(weights: &[i16], inputs: &[i16], stride: usize, count: usize, tile: &mut Tile) {
    for (cell, sums) in tile[..count].iter_mut().enumerate() {
        *sums = [0; LANES];
        for (panel, pair) in weights.chunks_exact(2 * LANES).zip(inputs[cell * stride..].chunks_exact(2)) {
            let (a, b) = (i32::from(pair[0]), i32::from(pair[1]));
            for (sum, weight) in sums.iter_mut().zip(panel.chunks_exact(2)) {
                *sum += i32::from(weight[0]) * a + i32::from(weight[1]) * b;
            }
        }
    }
}

/// Turns sums into outputs, in place.
#[inline(always)]
fn finish(tile: &mut Tile, count: usize, scale: &Scale, bounds: (i64, i64)) {
    for sums in &mut tile[..count] {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let scaled = (i64::from(*sum) * scale.factor[lane] + scale.offset[lane]) >> scale.shift[lane];
            *sum = scaled.clamp(bounds.0, bounds.1) as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_equals_plain_arithmetic() {
        let mut state = 7u64;
        let mut next = move |bound: i64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as i64 % bound
        };
        for (n_in, n_out, cells) in [(1, 1, 1), (2, 16, 8), (77, 33, 13), (160, 64, 64), (31, 20, 5)] {
            for extreme in [false, true] {
                let weights = (0..n_in * n_out).map(|_| if extreme { 127 } else { (next(255) - 127) as i8 }).collect();
                let step_codes = (0..n_out).map(|_| next(120) as u8).collect();
                let biases = (0..n_out).map(|_| (next(65_535) - 32_767) as i16).collect();
                let layer = Dense { n_in, n_out, weights, step_codes, biases };
                let stride = n_in.next_multiple_of(2) + 4;
                let inputs: Vec<i16> = (0..cells * stride).map(|_| if extreme { -255 } else { (next(511) - 255) as i16 }).collect();
                for (packed, unit_shift, bias_bits) in [(Packed::hidden(&layer), 15, 4), (Packed::linear(&layer), 8, 0)] {
                    for kernel in Kernel::all() {
                        let mut seen = 0;
                        packed.run(kernel, &inputs, stride, cells, |cell, unit, values| {
                            for (o, &value) in (unit..).zip(values) {
                                let sum: i64 = (0..n_in).map(|i| i64::from(layer.weights[o * n_in + i]) * i64::from(inputs[cell * stride + i])).sum();
                                let shift = unit_shift + i64::from(layer.step_codes[o] >> 3);
                                let step = STEP[usize::from(layer.step_codes[o] & 7)];
                                let exact = (sum * step + (i64::from(layer.biases[o]) << (shift - bias_bits)) + (1 << (shift - 1))) >> shift;
                                assert_eq!(i64::from(value), exact.clamp(packed.bounds.0, packed.bounds.1), "{kernel:?} {n_in}x{n_out} {cell} {o}");
                                seen += 1;
                            }
                        });
                        assert_eq!(seen, cells * n_out);
                    }
                }
            }
        }
    }
}
