//! Every kernel equals plain arithmetic, at the bounds too.

use super::*;
use crate::program::Dense;
use crate::tables::STEP;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as i64 % bound
    }
}

/// Inputs, units, pixels, and how many of the inputs are wide.
const SHAPES: [(usize, usize, usize, usize); 8] =
    [(1, 1, 1, 0), (1, 1, 1, 1), (2, 16, 8, 1), (77, 33, 13, 77), (160, 64, 64, 0), (31, 20, 5, 7), (172, 64, 21, 12), (66, 50, 9, 2)];

#[test]
fn every_kernel_equals_plain_arithmetic() {
    let mut dice = Dice(7);
    for (n_in, n_out, cells, n_wide) in SHAPES {
        // Deep samples differ by up to what 16 bits hold.
        for (extreme, widest) in
            [(-1, 255), (0, 255), (1, 255), (0, 32_767), (1, 32_767)].into_iter().filter(|&(_, widest)| widest * n_in as i64 * 127 < 1 << 31)
        {
            let weights = (0..n_in * n_out).map(|_| if extreme == 0 { (dice.roll(255) - 127) as i8 } else { 127 * extreme as i8 }).collect();
            let step_codes = (0..n_out).map(|_| dice.roll(120) as u8).collect();
            let biases = (0..n_out).map(|_| (dice.roll(65_535) - 32_767) as i16).collect();
            let layer = Dense { n_in, n_out, weights, step_codes, biases };
            // The last inputs are wide.
            let place = |i: usize| if i < n_in - n_wide { Input::Narrow(i) } else { Input::Wide(i - (n_in - n_wide)) };
            let (narrow_stride, wide_stride) = ((n_in - n_wide).next_multiple_of(QUAD) + 4, n_wide.next_multiple_of(PAIR) + 2);
            let narrow: Vec<u8> = (0..cells * narrow_stride).map(|_| if extreme == 0 { dice.roll(128) as u8 } else { 127 }).collect();
            let wide: Vec<i16> =
                (0..cells * wide_stride).map(|_| if extreme == 0 { (dice.roll(2 * widest + 1) - widest) as i16 } else { -widest as i16 }).collect();
            let rows = Rows { narrow: &narrow, narrow_stride, wide: &wide, wide_stride };
            let sum = |cell: usize, o: usize| -> i64 {
                let value = |i: usize| match place(i) {
                    Input::Narrow(at) => i64::from(narrow[cell * narrow_stride + at]),
                    Input::Wide(at) => i64::from(wide[cell * wide_stride + at]),
                    Input::Sample(at, base) => i64::from(narrow[cell * narrow_stride + at]) - i64::from(wide[cell * wide_stride + base]),
                };
                (0..n_in).map(|i| i64::from(layer.weights[o * n_in + i]) * value(i)).sum()
            };
            let exact = |cell: usize, o: usize, unit_shift: i64, bias_bits: i64, bounds: (i64, i64)| {
                let shift = unit_shift + i64::from(layer.step_codes[o] >> 3);
                let step = STEP[usize::from(layer.step_codes[o] & 7)];
                let value = (sum(cell, o) * step + (i64::from(layer.biases[o]) << (shift - bias_bits)) + (1 << (shift - 1))) >> shift;
                value.clamp(bounds.0, bounds.1)
            };
            for kernel in Kernel::all() {
                let (hidden, linear) = (Packed::hidden(kernel, &layer, place), Packed::linear(kernel, &layer, place));
                let stride = hidden.output_stride();
                let mut narrowed = vec![200u8; cells * stride];
                hidden.run_hidden(kernel, &rows, cells, &mut narrowed);
                let mut logits = vec![7i32; cells * stride];
                linear.run_linear(kernel, &rows, cells, &mut logits);
                for (at, (&activation, &logit)) in narrowed.iter().zip(&logits).enumerate() {
                    let (cell, o) = (at / stride, at % stride);
                    let (activation, logit) = (i64::from(activation), i64::from(logit));
                    let told = format!("{} {n_in}x{n_out} {cell} {o}", kernel.name());
                    if o < n_out {
                        assert_eq!(activation, exact(cell, o, 15, 4, (0, 127)), "{told}");
                        assert_eq!(logit, exact(cell, o, 8, 0, (-(1 << 30), 1 << 30)), "{told}");
                    } else {
                        assert_eq!((activation, logit), (0, 0), "past the units: {told}");
                    }
                }
            }
        }
    }
}

/// A layer of samples less their bases, as its first stage is, with some wide inputs behind them.
#[test]
fn samples_and_weights_of_their_bases_equal_differences() {
    const CHANNELS: usize = 3;
    let mut dice = Dice(5);
    for (taps, behind, n_out, cells) in [(1, 0, 1, 1), (2, 3, 17, 5), (5, 1, 16, 4), (8, 3, 33, 13), (21, 9, 64, 64)] {
        let (seen, n_in) = (taps * CHANNELS, taps * CHANNELS + behind);
        for extreme in [-1, 0, 1] {
            let weights = (0..n_in * n_out).map(|_| if extreme == 0 { (dice.roll(255) - 127) as i8 } else { 127 * extreme as i8 }).collect();
            let step_codes = (0..n_out).map(|_| dice.roll(120) as u8).collect();
            let biases = (0..n_out).map(|_| (dice.roll(65_535) - 32_767) as i16).collect();
            let layer = Dense { n_in, n_out, weights, step_codes, biases };
            let differences = |i: usize| Input::Wide(i);
            let samples = |i: usize| if i < seen { Input::Sample(i, i % CHANNELS) } else { Input::Wide(CHANNELS + i - seen) };
            let (narrow_stride, wide_stride) = (seen.next_multiple_of(QUAD) + 8, (CHANNELS + behind).next_multiple_of(PAIR) + 2);
            // Bytes behind the samples are anything.
            let narrow: Vec<u8> =
                (0..cells * narrow_stride).map(|_| if extreme == 0 { dice.roll(256) as u8 } else { 255 * dice.roll(2) as u8 }).collect();
            let wide: Vec<i16> = (0..cells * wide_stride).map(|_| if extreme == 0 { dice.roll(256) } else { 255 * dice.roll(2) } as i16).collect();
            let apart_stride = n_in.next_multiple_of(PAIR);
            let mut apart = vec![0; cells * apart_stride];
            for (i, apart) in apart.chunks_exact_mut(apart_stride).enumerate() {
                let (narrow, wide) = (&narrow[i * narrow_stride..], &wide[i * wide_stride..]);
                apart[..seen].iter_mut().enumerate().for_each(|(at, to)| *to = i16::from(narrow[at]) - wide[at % CHANNELS]);
                apart[seen..n_in].copy_from_slice(&wide[CHANNELS..][..behind]);
            }
            let plain = Packed::hidden(Kernel::Scalar, &layer, differences);
            let mut wanted = vec![0; cells * plain.output_stride()];
            plain.run_hidden(Kernel::Scalar, &Rows { narrow: &[], narrow_stride: 0, wide: &apart, wide_stride: apart_stride }, cells, &mut wanted);
            for kernel in Kernel::all() {
                assert_eq!(Packed::takes_samples(kernel, &layer, seen, CHANNELS), kernel.has_bytes(), "{kernel:?}");
                if kernel.has_bytes() {
                    let mut got = vec![200; wanted.len()];
                    let rows = Rows { narrow: &narrow, narrow_stride, wide: &wide, wide_stride };
                    Packed::hidden(kernel, &layer, samples).run_hidden(kernel, &rows, cells, &mut got);
                    assert_eq!(got, wanted, "{kernel:?} {taps} taps, {n_out} units, {cells} pixels");
                }
            }
        }
    }
}
