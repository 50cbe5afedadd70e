//! Weights as whole numbers of steps.
//!
//! A tensor of `bits` bits has integers of size up to `2^(bits - 1) - 1`. Its step, or that of each output channel, is the one that loses least, large
//! weights being cut if need be. Rounding weighs what it loses against what the integer costs.

use kolmo_codec::network::largest;

use super::graph::Spec;
use super::prune::Masks;

/// Bits that a tensor may get.
pub const BITS: [u8; 6] = [2, 3, 4, 5, 6, 8];

/// What a bit is worth, in squares of a step: at high rates a quantiser that is optimal for its rate loses `2 ln 2 / 12` of a step's square for
/// each bit (Gish and Pierce 1968).
pub const LAMBDA: f64 = 0.1155;

/// Prices of a bit that are tried: the one above, and one that turns small weights into zeros, to be made up for by tuning.
pub const LAMBDAS: [f64; 2] = [LAMBDA, 4.0 * LAMBDA];

/// A tensor's integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// Of each integer.
    pub bits: u8,
    /// One for the tensor or one for each output channel.
    pub steps: Vec<f32>,
    /// Row-major.
    pub integers: Vec<i32>,
}

/// Codes of each tensor of a graph; `None` for those that are kept exactly.
pub type Codes = Vec<Option<Code>>;

/// How steps are chosen and integers rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    /// A step for each output channel instead of one for the tensor.
    pub by_channel: bool,
    /// What a bit is worth, in squares of a step; 0 rounds to the nearest.
    pub lambda: f64,
}

impl Code {
    /// The weights that the integers say: each the product of two 32-bit floats, as every reader computes it.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        let row = self.integers.len() / self.steps.len().max(1);
        let rows = self.integers.chunks_exact(row.max(1)).zip(&self.steps);
        rows.flat_map(|(row, &step)| row.iter().map(move |&integer| integer as f32 * step)).collect()
    }

    /// Integers other than zero.
    #[must_use]
    pub fn nonzero(&self) -> usize {
        self.integers.iter().filter(|integer| **integer != 0).count()
    }

    /// What the weight at `place` becomes if it is `value` before rounding; 0 where it is 0 now.
    #[must_use]
    pub fn nearest(&self, place: usize, value: f32) -> f32 {
        if self.integers[place] == 0 {
            return 0.0;
        }
        let most = largest(self.bits) as f32;
        let step = self.steps[place * self.steps.len() / self.integers.len()];
        (value * (1.0 / step)).round().clamp(-most, most) * step
    }

    /// The integers that `values` are nearest to, zero where they are zero now.
    #[must_use]
    pub fn follow(&self, values: &[f32]) -> Vec<i32> {
        let most = largest(self.bits) as f32;
        let row = self.integers.len() / self.steps.len().max(1);
        let rows = self.integers.chunks_exact(row.max(1)).zip(values.chunks_exact(row.max(1))).zip(&self.steps);
        rows.flat_map(|((integers, values), &step)| {
            let factor = 1.0 / step;
            integers
                .iter()
                .zip(values)
                .map(move |(&integer, value)| if integer == 0 { 0 } else { (value * factor).round().clamp(-most, most) as i32 })
        })
        .collect()
    }

    /// Starting points for training: each weight as it was, or the nearest place that still rounds to its integer.
    #[must_use]
    pub fn settle(&self, values: &[f32]) -> Vec<f32> {
        const INSIDE: f32 = 0.49;
        let row = self.integers.len() / self.steps.len().max(1);
        let rows = self.integers.chunks_exact(row.max(1)).zip(values.chunks_exact(row.max(1))).zip(&self.steps);
        rows.flat_map(|((integers, values), &step)| {
            integers.iter().zip(values).map(move |(&integer, &value)| {
                let middle = integer as f32;
                if integer == 0 { 0.0 } else { value.clamp((middle - INSIDE) * step, (middle + INSIDE) * step) }
            })
        })
        .collect()
    }
}

/// Rounds a tensor to `bits` bits. Weights that a mask takes away, and zeros, become zero.
#[must_use]
pub fn quantise(spec: &Spec, values: &[f32], bits: u8, rounding: &Rounding) -> Code {
    let outputs = spec.shape.first().copied().unwrap_or(1).max(1);
    let channels = if rounding.by_channel { outputs } else { 1 };
    let row = (values.len() / channels).max(1);
    let steps: Vec<f32> = values.chunks_exact(row).map(|row| step(row, bits)).collect();
    let integers: Vec<i32> =
        values.chunks_exact(row).zip(&steps).flat_map(|(row, &step)| row.iter().map(move |&value| nearest(value, step, bits))).collect();
    let mut code = Code { bits, steps, integers };
    if rounding.lambda > 0.0 {
        // the second pass knows what the first one made cheap
        for _ in 0..2 {
            code.integers = by_rate(spec, values, &code, rounding.lambda);
        }
    }
    code
}

fn nearest(value: f32, step: f32, bits: u8) -> i32 {
    let most = largest(bits) as f32;
    (value / step).round().clamp(-most, most) as i32
}

/// The step that loses least squares, of those that cut the largest weight to 100 %, 95 %, .. 30 %; with three bits of mantissa, so that it costs
/// little. A channel of zeros gets a step of 1.
fn step(values: &[f32], bits: u8) -> f32 {
    let most = largest(bits) as f32;
    let top = values.iter().fold(0f32, |top, value| top.max(value.abs()));
    if !(top > 0.0 && top.is_finite()) {
        return 1.0;
    }
    let loss = |step: f32| -> f64 {
        let factor = 1.0 / step;
        // zeros lose nothing; the sum of rows of a million is taken in parts
        let part = |values: &[f32]| {
            values
                .iter()
                .map(|&value| {
                    let integer = (value * factor).round().clamp(-most, most);
                    (value - integer * step).powi(2)
                })
                .sum::<f32>()
        };
        values.chunks(4096).map(|values| f64::from(part(values))).sum()
    };
    let mut best = (f64::INFINITY, 1.0);
    for cut in (6..=20).rev() {
        let step = short(top * cut as f32 / 20.0 / most);
        let loss = loss(step);
        if loss < best.0 {
            best = (loss, step);
        }
    }
    best.1
}

/// The nearest float with three bits of mantissa.
fn short(value: f32) -> f32 {
    f32::from_bits(value.max(f32::MIN_POSITIVE).to_bits().saturating_add(1 << 19) & !((1 << 20) - 1))
}

/// Rounds again, weighing what an integer loses against the bits it costs by the statistics of `code`.
fn by_rate(spec: &Spec, values: &[f32], code: &Code, lambda: f64) -> Vec<i32> {
    let outputs = spec.shape.first().copied().unwrap_or(1).max(1);
    let inputs = spec.shape.get(1).copied().unwrap_or(1).max(1);
    let filter = (values.len() / outputs).max(1);
    let places = (filter / inputs).max(1);
    let most = largest(code.bits);
    let (mut rows, mut columns) = (vec![0f64; outputs], vec![0f64; inputs]);
    let mut sizes = vec![1f64; most as usize + 1];
    for (at, &integer) in code.integers.iter().enumerate() {
        if integer != 0 {
            rows[at / filter] += 1.0;
            columns[at % filter / places] += 1.0;
            sizes[integer.unsigned_abs() as usize] += 1.0;
        }
    }
    let total: f64 = rows.iter().sum();
    let density = (total + 0.5) / (values.len() as f64 + 1.0);
    let row_share = |at: usize| (rows[at] + 8.0 * density) / (filter as f64 + 8.0) / density;
    let column_share = |at: usize| (columns[at] + 8.0 * density) / ((outputs * places) as f64 + 8.0) / density;
    let all: f64 = sizes[1..].iter().sum();
    let size_bits: Vec<f64> = sizes.iter().map(|count| 1.0 - (count / all).log2()).collect();
    let column_shares: Vec<f64> = (0..inputs).map(column_share).collect();
    let mut integers = Vec::with_capacity(values.len());
    for (output, (row, old)) in values.chunks_exact(filter).zip(code.integers.chunks_exact(filter)).enumerate() {
        let step = f64::from(code.steps[if code.steps.len() > 1 { output } else { 0 }]);
        let own = density * row_share(output);
        for (input, (row, old)) in row.chunks_exact(places).zip(old.chunks_exact(places)).enumerate() {
            let share = (own * column_shares[input]).clamp(1e-5, 0.999);
            let (some, none) = (-share.log2(), -(1.0 - share).log2());
            for (&value, &old) in row.iter().zip(old) {
                if value == 0.0 || old == 0 {
                    integers.push(0);
                    continue;
                }
                let exact = f64::from(value) / step;
                let cost = |integer: i32| {
                    let bits = if integer == 0 { none } else { some + size_bits[integer.unsigned_abs() as usize] };
                    (exact - f64::from(integer)).powi(2) + lambda * bits
                };
                let near = (exact.round() as i32).clamp(-most, most);
                let mut best = (cost(near), near);
                for other in [near - near.signum(), near - 2 * near.signum(), 0] {
                    if other.signum() * near.signum() >= 0 && cost(other) < best.0 {
                        best = (cost(other), other);
                    }
                }
                integers.push(best.1);
            }
        }
    }
    integers
}

/// Masks that keep zeros zero.
#[must_use]
pub fn shape(codes: &Codes) -> Masks {
    codes.iter().map(|code| code.as_ref().map(|code| code.integers.iter().map(|integer| *integer != 0).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::graph::Role;
    use crate::sample::Dice;

    fn tensor() -> (Spec, Vec<f32>) {
        let spec = Spec { name: "w".into(), shape: vec![8, 4, 3, 3], role: Role::Weight };
        let mut dice = Dice::new(4);
        let mut draw = || (dice.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        let values = (0..spec.count()).map(|at| (draw() + draw() + draw()) * (1.0 + (at / 36) as f32)).collect();
        (spec, values)
    }

    fn loss(values: &[f32], code: &Code) -> f64 {
        values.iter().zip(code.values()).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[test]
    fn more_bits_lose_less_and_channels_lose_less_than_one_step() {
        let (spec, values) = tensor();
        let mut before = f64::INFINITY;
        for bits in BITS {
            let lost = |by_channel| loss(&values, &quantise(&spec, &values, bits, &Rounding { by_channel, lambda: 0.0 }));
            assert!(lost(true) < before && lost(true) < lost(false), "{bits}");
            before = lost(true);
            let code = quantise(&spec, &values, bits, &Rounding { by_channel: true, lambda: 0.0 });
            assert!(code.integers.iter().all(|integer| integer.abs() <= largest(bits)));
            assert!(code.steps.iter().all(|step| step.to_bits() & 0xf_ffff == 0));
        }
    }

    #[test]
    fn rate_pulls_towards_zero_and_training_begins_where_it_rounds_to_the_same() {
        let (spec, values) = tensor();
        let plain = quantise(&spec, &values, 4, &Rounding { by_channel: true, lambda: 0.0 });
        let cheap = quantise(&spec, &values, 4, &Rounding { by_channel: true, lambda: LAMBDA });
        assert!(cheap.nonzero() < plain.nonzero());
        assert!(cheap.integers.iter().zip(&plain.integers).all(|(cheap, plain)| cheap.abs() <= plain.abs() && cheap * plain >= 0));
        assert_eq!(cheap.follow(&cheap.settle(&values)), cheap.integers);
        assert_eq!(cheap.follow(&cheap.values()), cheap.integers);
        let moved: Vec<f32> = values.iter().map(|value| value * 1.1).collect();
        let followed = Code { integers: cheap.follow(&moved), ..cheap.clone() }.values();
        assert!(followed.iter().zip(&moved).enumerate().all(|(place, (&value, &moved))| cheap.nearest(place, moved) == value));
        let zeros = quantise(&spec, &vec![0.0; values.len()], 3, &Rounding { by_channel: true, lambda: LAMBDA });
        assert_eq!((zeros.nonzero(), zeros.steps), (0, vec![1.0; 8]));
    }
}
