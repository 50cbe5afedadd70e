//! A layer laid out for the kernels.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]
#![cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128"))),
    allow(dead_code, reason = "where there is but the scalar kernel, no other layout is asked for")
)]

use super::{Kernel, LANES, PAIR, QUAD};
use crate::program::Dense;
use crate::tables::STEP;

/// Where an input of a layer lies in a pixel's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Position in the narrow row; the value is 0..=127.
    Narrow(usize),
    /// Position in the wide row; the value is -255..=255, or what 16 bits hold.
    Wide(usize),
    /// A sample less a base: positions of the sample (0..=255) in the narrow row and of the base in the wide row. Only where [`Packed::takes_samples`].
    Sample(usize, usize),
}

/// A layer laid out for the kernels.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// Groups of narrow inputs.
    pub(super) quads: usize,
    /// Groups of wide inputs.
    pub(super) pairs: usize,
    /// Weights of narrow inputs, shape `[panels, quads, LANES, QUAD]`; 0 where there is no input or unit. Not for the scalar kernel.
    narrow: Vec<i8>,
    /// Weights of wide inputs, shape `[panels, pairs, LANES, PAIR]`. Not for the scalar kernel.
    wide: Vec<i16>,
    /// What sums begin with, one a lane: 128 times the weights of narrow inputs if these are samples, from which NEON takes 128 to have 7 bits and a sign. Else
    /// there are none.
    #[cfg(target_arch = "aarch64")]
    pub(super) starts: Vec<[i32; LANES]>,
    /// All weights, for the scalar kernel only: shape `[panels, narrow inputs, then wide ones, LANES]`.
    plain: Vec<i16>,
    /// One a panel.
    pub(super) scales: Vec<Scale>,
    /// Bounds of the outputs.
    pub(super) bounds: (i64, i64),
    /// Whether every output fits 31 bits before it is bounded, and no shift is longer than 32: see [`Scale::left`].
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 asks"))]
    pub(super) is_small: bool,
}

/// How the sums of one panel become outputs: `(sum * factor + offset) >> shift`. Units past the layer's have all three 0.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    /// One a lane, at most 2^15.
    pub(super) factor: [i32; LANES],
    /// Shape `[2, LANES / 2]`: even lanes, then odd ones.
    pub(super) offset: [[i64; LANES / 2]; 2],
    /// Likewise.
    pub(super) shift: [[i64; LANES / 2]; 2],
    /// By how much the products of odd lanes rise to have their outputs in the upper 32 of 64 bits: 32 less the shift.
    pub(super) left: [i64; LANES / 2],
}

impl Packed {
    /// A ReLU layer: outputs 0..=127 of unit 1/32, biases of unit 2^-9. `place(i)` says where input `i` is.
    pub(crate) fn hidden(kernel: Kernel, layer: &Dense, place: impl Fn(usize) -> Input) -> Self {
        Self::new(kernel, layer, place, 15, 4, (0, 127))
    }

    /// A linear layer: outputs of unit 2^-12, biases too.
    pub(crate) fn linear(kernel: Kernel, layer: &Dense, place: impl Fn(usize) -> Input) -> Self {
        Self::new(kernel, layer, place, 8, 0, (-(1 << 30), 1 << 30))
    }

    fn new(kernel: Kernel, layer: &Dense, place: impl Fn(usize) -> Input, unit_shift: i64, bias_bits: i64, bounds: (i64, i64)) -> Self {
        let places: Vec<Input> = (0..layer.n_in).map(place).collect();
        let end = |of: fn(&Input) -> Option<usize>| places.iter().filter_map(of).map(|at| at + 1).max().unwrap_or(0);
        let narrow_place = |input: &Input| if let Input::Narrow(at) | Input::Sample(at, _) = input { Some(*at) } else { None };
        let wide_place = |input: &Input| if let Input::Wide(at) | Input::Sample(_, at) = input { Some(*at) } else { None };
        let (quads, pairs) = (end(narrow_place).div_ceil(QUAD), end(wide_place).div_ceil(PAIR));
        let panels = layer.n_out.div_ceil(LANES);
        let scalar = kernel == Kernel::Scalar;
        let lanes = |wanted: bool, inputs: usize| if wanted { panels * inputs * LANES } else { 0 };
        let mut narrow = vec![0i8; lanes(!scalar, quads * QUAD)];
        let mut wide = vec![0i16; lanes(!scalar, pairs * PAIR)];
        let mut plain = vec![0i16; lanes(scalar, quads * QUAD + pairs * PAIR)];
        let none = Scale { factor: [0; LANES], offset: [[0; LANES / 2]; 2], shift: [[0; LANES / 2]; 2], left: [0; LANES / 2] };
        let mut scales = vec![none; panels];
        #[cfg(target_arch = "aarch64")]
        let starts = starts(layer, &places);
        for (o, weights) in layer.weights.chunks_exact(layer.n_in.max(1)).enumerate() {
            let (panel, lane) = (o / LANES, o % LANES);
            for (&weight, &place) in weights.iter().zip(&places) {
                match place {
                    Input::Narrow(at) if scalar => plain[(panel * (quads * QUAD + pairs * PAIR) + at) * LANES + lane] = weight.into(),
                    Input::Wide(at) if scalar => plain[(panel * (quads * QUAD + pairs * PAIR) + quads * QUAD + at) * LANES + lane] = weight.into(),
                    Input::Narrow(at) => narrow[((panel * quads + at / QUAD) * LANES + lane) * QUAD + at % QUAD] = weight,
                    Input::Wide(at) => wide[((panel * pairs + at / PAIR) * LANES + lane) * PAIR + at % PAIR] = weight.into(),
                    Input::Sample(at, base) => {
                        narrow[((panel * quads + at / QUAD) * LANES + lane) * QUAD + at % QUAD] = weight;
                        let to = &mut wide[((panel * pairs + base / PAIR) * LANES + lane) * PAIR + base % PAIR];
                        *to = to.wrapping_sub(weight.into());
                    }
                }
            }
        }
        let mut is_small = true;
        for (o, (&code, &bias)) in layer.step_codes.iter().zip(&layer.biases).enumerate() {
            let (scale, lane) = (&mut scales[o / LANES], o % LANES);
            let shift = unit_shift + i64::from(code >> 3);
            scale.factor[lane] = STEP[usize::from(code & 7)] as i32;
            scale.shift[lane % 2][lane / 2] = shift;
            scale.offset[lane % 2][lane / 2] = (i64::from(bias) << (shift - bias_bits)) + (1 << (shift - 1));
            if lane % 2 == 1 {
                scale.left[lane / 2] = 32 - shift;
            }
            let largest = |place: &Input| if let Input::Narrow(_) = place { 127 } else { i64::from(i16::MAX) };
            let weights = &layer.weights[o * layer.n_in..][..layer.n_in];
            let sum: i64 = weights.iter().zip(&places).map(|(&weight, place)| i64::from(weight.unsigned_abs()) * largest(place)).sum();
            let output = (sum.min(i32::MAX.into()) * i64::from(scale.factor[lane]) + scale.offset[lane % 2][lane / 2].abs()) >> shift;
            is_small &= shift <= 32 && output < bounds.1.max(1 << 30);
        }
        Self {
            quads,
            pairs,
            narrow,
            wide,
            #[cfg(target_arch = "aarch64")]
            starts,
            plain,
            scales,
            bounds,
            is_small,
        }
    }

    /// Whether the inputs of a layer can be samples ([`Input::Sample`]), the first `inputs` of them being differences to the bases of `channels` in turn.
    ///
    /// Not every kernel multiplies bytes of 8 bits; what is taken away with a base is the sum of its weights, which has to fit 16 bits.
    pub(crate) fn takes_samples(kernel: Kernel, layer: &Dense, inputs: usize, channels: usize) -> bool {
        let fits = |weights: &[i8]| {
            let of = |c: usize| weights[..inputs].iter().skip(c).step_by(channels).map(|&weight| i32::from(weight)).sum::<i32>();
            (0..channels).all(|c| i16::try_from(-of(c)).is_ok())
        };
        kernel.has_bytes() && layer.weights.chunks_exact(layer.n_in.max(1)).all(fits)
    }

    /// Values from one pixel's wide inputs to the next pixel's, if nothing else asks for more.
    pub(crate) const fn wide_stride(&self) -> usize {
        self.pairs * PAIR
    }

    /// Values from one pixel's narrow inputs to the next pixel's, if nothing else asks for more.
    pub(crate) const fn narrow_stride(&self) -> usize {
        self.quads * QUAD
    }

    /// Values from one pixel's outputs to the next pixel's: outputs, filled up to whole panels.
    pub(crate) fn output_stride(&self) -> usize {
        self.scales.len() * LANES
    }

    /// Weights of one panel: those of narrow inputs, shape `[quads, LANES, QUAD]`, and of wide ones, `[pairs, LANES, PAIR]`.
    #[inline]
    pub(super) fn panel(&self, panel: usize) -> (&[i8], &[i16]) {
        let (narrow, wide) = (self.quads * LANES * QUAD, self.pairs * LANES * PAIR);
        (&self.narrow[panel * narrow..][..narrow], &self.wide[panel * wide..][..wide])
    }

    /// All weights of one panel, for the scalar kernel: those of narrow inputs and those of wide ones, one input after the other.
    pub(super) fn plain_panel(&self, panel: usize) -> (&[i16], &[i16]) {
        let (narrow, wide) = (self.quads * QUAD * LANES, self.pairs * PAIR * LANES);
        self.plain[panel * (narrow + wide)..][..narrow + wide].split_at(narrow)
    }
}

/// See [`Packed::starts`].
#[cfg(target_arch = "aarch64")]
fn starts(layer: &Dense, places: &[Input]) -> Vec<[i32; LANES]> {
    if !places.iter().any(|place| matches!(place, Input::Sample(..))) {
        return Vec::new();
    }
    let mut starts = vec![[0; LANES]; layer.n_out.div_ceil(LANES)];
    for (start, weights) in starts.as_flattened_mut().iter_mut().zip(layer.weights.chunks_exact(layer.n_in.max(1))) {
        let narrow = weights.iter().zip(places).filter(|(_, place)| !matches!(place, Input::Wide(_)));
        *start = 128 * narrow.map(|(&weight, _)| i32::from(weight)).sum::<i32>();
    }
    starts
}

impl Scale {
    /// Turns the sum of one lane into an output.
    #[inline(always)]
    pub(super) fn finish(&self, lane: usize, sum: i32, bounds: (i64, i64)) -> i64 {
        let (offset, shift) = (self.offset[lane % 2][lane / 2], self.shift[lane % 2][lane / 2]);
        ((i64::from(sum) * i64::from(self.factor[lane]) + offset) >> shift).clamp(bounds.0, bounds.1)
    }
}
