//! What each integer is likely to be, from those before it: counters under contexts, mixed by what they earned.
//!
//! Significance, sign and size are binary decisions, as in DeepCABAC (Wiedemann et al. 2019); their probabilities are mixed from eight contexts, each
//! with a quick and a steady counter, instead of taken from one.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "contexts are bounded by `min` and asserted by tests; places by the shape"
)]

use super::integers::Shape;
use super::largest;
use crate::Error;
use crate::adaptive::logit;

/// Codes or decodes one decision that is true with probability `p`, unit 2^-24.
pub(super) trait Turn {
    /// `wanted` is what an encoder writes; a decoder says what it read.
    fn turn(&mut self, p: u32, wanted: bool) -> Result<bool, Error>;
}

/// Contexts of a decision.
const CONTEXTS: usize = 8;
/// A quick and a steady counter each, and a constant.
const INPUTS: usize = 2 * CONTEXTS + 1;
/// Contexts of one kind of decision and number.
const SLOTS: usize = 1 << 11;
/// Significance, sign, size, exponent of a large size.
const KINDS: usize = 4;
/// Mixer sets of a kind.
const SETS: usize = 64;
/// Sizes beyond are coded as an exponent and bits.
const UNARY: u32 = 15;
/// No decision is surer than this (unit 2^-24), so none costs less than 2^-14.5 bits.
const LEAST: u32 = 512;

/// Two estimates of one probability, unit 2^-22.
#[derive(Debug, Clone, Copy)]
struct Counter {
    quick: u32,
    steady: u32,
    seen: u32,
}

/// Slowest rates: a decision closes 1/40 of the quick gap, 1/1000 of the steady one.
const QUICK: u32 = 40;
const STEADY: u32 = 1000;

impl Counter {
    const NEW: Self = Self { quick: 1 << 21, steady: 1 << 21, seen: 0 };

    fn learn(&mut self, up: bool) {
        self.seen = (self.seen + 1).min(STEADY);
        let target = if up { (1u32 << 22) - 1 } else { 0 };
        let toward = |from: u32, rate: u32| {
            let gap = i64::from(target) - i64::from(from);
            (i64::from(from) + gap * 2 / i64::from(2 * rate + 1)) as u32
        };
        self.quick = toward(self.quick, self.seen.min(QUICK));
        self.steady = toward(self.steady, self.seen);
    }
}

#[derive(Debug, Clone)]
struct Set {
    /// Unit 2^-16.
    weights: [i32; INPUTS],
    seen: u32,
}

/// What encoder and decoder know alike. It goes on learning from tensor to tensor.
pub(super) struct Predictor {
    stretch: Box<[i16; 4096]>,
    /// Shape `[KINDS, CONTEXTS, SLOTS]`.
    counters: Vec<Counter>,
    /// Shape `[KINDS, SETS]`.
    sets: Vec<Set>,
}

impl Default for Predictor {
    fn default() -> Self {
        let mut weights = [8_000; INPUTS];
        weights[INPUTS - 1] = 0;
        Self { stretch: logit::table(), counters: vec![Counter::NEW; KINDS * CONTEXTS * SLOTS], sets: vec![Set { weights, seen: 0 }; KINDS * SETS] }
    }
}

/// A share, unit 2^-16, that follows what is seen.
fn follow(share: &mut u32, seen: bool, shift: u32) {
    let target = if seen { 65_535 } else { 0 };
    *share = (i64::from(*share) + ((target - i64::from(*share)) >> shift)) as u32;
}

/// Half octaves of a share, 0..=23.
fn class(share: u32) -> usize {
    let share = share.clamp(16, 65_535);
    let whole = share.ilog2();
    ((2 * whole + ((share >> (whole - 1)) & 1)) - 8) as usize
}

/// Thirds of 0..=23.
fn rough(share: u32) -> usize {
    class(share) / 3
}

fn size(integer: i32, most: u32) -> usize {
    integer.unsigned_abs().min(most) as usize
}

fn sign(integer: i32) -> usize {
    (integer.signum() + 1) as usize
}

/// What was seen of one tensor so far.
struct Memory {
    /// Share of integers other than zero for each input, unit 2^-16.
    inputs: Vec<u32>,
    /// The same for each place of each input.
    input_places: Vec<u32>,
    /// The same for each place.
    places: Vec<u32>,
    /// Mean size of the integers other than zero for each input, unit 1/16.
    sizes: Vec<u32>,
    row: u32,
    recent: u32,
    row_size: u32,
    /// Signs in this row: more up or more down.
    lean: i32,
}

impl Memory {
    fn new(shape: Shape) -> Self {
        Self {
            inputs: vec![1 << 13; shape.inputs],
            input_places: vec![1 << 13; shape.inputs * shape.places],
            places: vec![1 << 13; shape.places],
            sizes: vec![24; shape.inputs],
            row: 1 << 13,
            recent: 1 << 13,
            row_size: 24,
            lean: 0,
        }
    }
}

/// Integers around the one that is coded; 0 outside.
struct Around {
    /// Before it in its kernel: one place, two, a row of a 3x3 kernel.
    before: [i32; 3],
    /// At its place in the kernel of the input before.
    left: i32,
    /// At its place in the filters before: one and two back.
    above: [i32; 2],
    /// Sums of sizes: in this kernel so far, in the kernel of the input before, in that of the filter before.
    kernel: u32,
    kernel_left: u32,
    kernel_above: u32,
    /// Of this kernel so far, integers other than zero.
    count: usize,
    /// Sum of this kernel so far.
    lean: i32,
}

impl Predictor {
    /// Codes the integers of one tensor, or, if `turn` decodes, fills them in.
    ///
    /// # Errors
    /// `Corrupt` if an integer is larger than its bits allow.
    pub(super) fn walk(&mut self, shape: Shape, bits: u8, integers: &mut [i32], turn: &mut impl Turn) -> Result<(), Error> {
        let mut memory = Memory::new(shape);
        let (places, filter) = (shape.places, shape.inputs * shape.places);
        for output in 0..shape.outputs {
            // a filter's own density is not known yet: half way back to the tensor's
            memory.row = (memory.row + memory.recent) / 2;
            memory.lean = 0;
            for input in 0..shape.inputs {
                let start = output * filter + input * places;
                let sum = |start: Option<usize>| start.map_or(0, |start| integers[start..start + places].iter().map(|x| x.unsigned_abs()).sum());
                let mut around = Around {
                    before: [0; 3],
                    left: 0,
                    above: [0; 2],
                    kernel: 0,
                    kernel_left: sum((input > 0).then(|| start - places)),
                    kernel_above: sum((output > 0).then(|| start - filter)),
                    count: 0,
                    lean: 0,
                };
                for place in 0..places {
                    let at = start + place;
                    let back = |steps: usize| if place >= steps { integers[at - steps] } else { 0 };
                    around.before = [back(1), back(2), back(3)];
                    around.left = if input > 0 { integers[at - places] } else { 0 };
                    around.above = [1, 2].map(|filters| if output >= filters { integers[at - filters * filter] } else { 0 });
                    let integer = self.integer(&memory, &around, (input, place, places), bits, integers[at], turn)?;
                    integers[at] = integer;
                    around.kernel = around.kernel.saturating_add(integer.unsigned_abs());
                    around.count += usize::from(integer != 0);
                    around.lean += integer.signum();
                    memory.learn(integer, input, place, places);
                }
            }
        }
        Ok(())
    }

    fn integer(
        &mut self,
        memory: &Memory,
        around: &Around,
        (input, place, places): (usize, usize, usize),
        bits: u8,
        wanted: i32,
        turn: &mut impl Turn,
    ) -> Result<i32, Error> {
        let Around { before, left, above, kernel, kernel_left, kernel_above, count, lean } = around;
        let spot = place.min(9) + if places == 1 { 10 } else { 0 };
        let (count, column) = ((*count).min(3), memory.inputs[input]);
        let significance = [
            spot * 4 + count,
            ((size(before[0], 3) * 4 + size(before[1], 3)) * 4 + size(*left, 3)) * 4 + size(before[2], 3),
            ((size(above[0], 3) * 4 + size(above[1], 3)) * 4 + size(*left, 3)) * 4 + count,
            class(memory.row) * 24 + class(column),
            (class(column) * 4 + count) * 11 + place.min(10),
            class(memory.recent) * 24 + class(memory.row),
            ((*kernel_above).min(7) as usize * 8 + (*kernel_left).min(7) as usize) * 16 + (*kernel).min(15) as usize,
            class(memory.input_places[input * places + place]) * 24 + class(memory.places[place]),
        ];
        let set = spot * 3 + count.min(2);
        if !self.decide(0, significance, set, wanted != 0, turn)? {
            return Ok(0);
        }
        let signs = [
            0,
            (sign(before[0]) * 3 + sign(before[1])) * 3 + sign(*left),
            ((sign(above[0]) * 3 + sign(above[1])) * 3 + sign(*left)) * 20 + spot,
            (sign(before[2]) * 3 + sign(before[0])) * 20 + spot,
            (lean.clamp(&-3, &3) + 3) as usize * 20 + spot,
            (memory.lean.clamp(-15, 15) + 15) as usize,
            sign(above[0]) * 20 + spot,
            spot,
        ];
        let is_up = self.decide(1, signs, 0, wanted > 0, turn)?;
        let most = largest(bits).unsigned_abs();
        let wanted = wanted.unsigned_abs();
        let mut found = 1u32;
        while found < most && found <= UNARY {
            let j = found.min(15) as usize;
            let sizes = [
                j,
                (j * 8 + size(before[0], 7)) * 8 + size(*left, 7),
                (j * 8 + size(above[0], 7)) * 8 + size(above[1], 7),
                j * 64 + (memory.row_size / 8).min(63) as usize,
                j * 64 + (memory.sizes[input] / 8).min(63) as usize,
                j * 20 + spot,
                j * 64 + ((*kernel).min(7) * 8 + (*kernel_above).min(7)) as usize,
                (j * 8 + rough(memory.row)) * 8 + rough(column),
            ];
            if !self.decide(2, sizes, j, wanted > found, turn)? {
                break;
            }
            found += 1;
        }
        if found > UNARY && found < most {
            found = self.large(found, most, wanted, turn)?;
        }
        let found = found as i32;
        Ok(if is_up { found } else { -found })
    }

    /// A size from `least` on: `size - least + 1` as the number of its bits and the bits below the first (Exp-Golomb).
    fn large(&mut self, least: u32, most: u32, wanted: u32, turn: &mut impl Turn) -> Result<u32, Error> {
        let rest = wanted.saturating_sub(least) + 1;
        let mut width = 0u32;
        while width < 16 && self.decide(3, [width as usize; CONTEXTS], 0, rest >> (width + 1) != 0, turn)? {
            width += 1;
        }
        let mut value = 1u32;
        for bit in (0..width).rev() {
            // the first bits below the leading one are not even; the others nearly are
            let known = if width - bit <= 3 { value as usize & 7 } else { 0 };
            let context = 64 + (width as usize * 16 + bit as usize) * 8 + known;
            value = value << 1 | u32::from(self.decide(3, [context.min(SLOTS - 1); CONTEXTS], 1, rest >> bit & 1 == 1, turn)?);
        }
        let found = least + value - 1;
        if found <= most { Ok(found) } else { Err(Error::corrupt("network weights: an integer is larger than its bits")) }
    }

    /// One decision: predicted, coded, learned from.
    fn decide(&mut self, kind: usize, contexts: [usize; CONTEXTS], set: usize, wanted: bool, turn: &mut impl Turn) -> Result<bool, Error> {
        let mut inputs = [0i32; INPUTS];
        let mut slots = [0usize; CONTEXTS];
        for (number, context) in contexts.into_iter().enumerate() {
            debug_assert!(context < SLOTS, "context {number} of kind {kind}");
            let slot = (kind * CONTEXTS + number) * SLOTS + context.min(SLOTS - 1);
            let counter = self.counters[slot];
            inputs[2 * number] = self.stretch[(counter.quick >> 10) as usize].into();
            inputs[2 * number + 1] = self.stretch[(counter.steady >> 10) as usize].into();
            slots[number] = slot;
        }
        inputs[INPUTS - 1] = 256;
        debug_assert!(set < SETS);
        let set = &mut self.sets[kind * SETS + set.min(SETS - 1)];
        // |weights| < 2^18 and |inputs| <= 3071: the sum of 17 stays below 2^34
        let sum: i64 = set.weights.iter().zip(&inputs).map(|(&weight, &input)| i64::from(weight) * i64::from(input)).sum();
        let p = logit::probability((sum >> 16).clamp(-i64::from(logit::LIMIT), i64::from(logit::LIMIT)) as i32).clamp(LEAST, (1 << 24) - LEAST);
        let up = turn.turn(p, wanted)?;
        let error = (i32::from(up) << 16) - (p >> 8) as i32;
        set.seen = set.seen.saturating_add(1);
        let shift = match set.seen {
            0..512 => 16,
            512..8192 => 17,
            8192..65_536 => 18,
            _ => 19,
        };
        for (weight, &input) in set.weights.iter_mut().zip(&inputs) {
            *weight = (*weight + ((input * error + (1 << (shift - 1))) >> shift)).clamp(-(1 << 18), 1 << 18);
        }
        for slot in slots {
            self.counters[slot].learn(up);
        }
        Ok(up)
    }
}

impl Memory {
    fn learn(&mut self, integer: i32, input: usize, place: usize, places: usize) {
        let seen = integer != 0;
        follow(&mut self.inputs[input], seen, if places > 1 { 5 } else { 3 });
        follow(&mut self.input_places[input * places + place], seen, 3);
        follow(&mut self.places[place], seen, 7);
        follow(&mut self.row, seen, 7);
        follow(&mut self.recent, seen, 4);
        if seen {
            let size = 16 * integer.unsigned_abs().min(255);
            let toward = |mean: &mut u32, shift: u32| *mean = (i64::from(*mean) + ((i64::from(size) - i64::from(*mean)) >> shift)) as u32;
            toward(&mut self.sizes[input], 3);
            toward(&mut self.row_size, 4);
            self.lean += integer.signum();
        }
    }
}
