//! Adaptive binary range coding of a Program's bytes, integers only.
//!
//! Every byte is coded as eight binary decisions, highest bit first, down a tree of 255 nodes. For each decision four adaptive
//! probabilities look at the tree node under different contexts, and a logistic mixer weighs them by what they earned so far.

use crate::Error;

/// Contexts of the four predictors: none; the magnitude of the byte before; both bytes before; the place modulo 4.
const INPUTS: usize = 4;
const CONTEXTS: [usize; INPUTS] = [1, 16, 64, 4];
/// Unit of a probability: 2^-16. Of a stretched one (its logit): 2^-8.
const HALF: u16 = 1 << 15;
/// A mixer weight of 1 is 2^16; each input starts at 0.4.
const FIRST_WEIGHT: i32 = 26_214;
/// Size of the mixer's step: an error of 2^-12 against a logit of 2^-8 moves a weight by `error * logit >> 13`.
const MIX_SHIFT: u32 = 13;
/// Slowest rates of the two estimates: one step closes 1/64 or 1/1024 of the gap.
const QUICK: u16 = 64;
const STEADY: u16 = 1023;
/// The encoder writes this many bytes at the end, the decoder reads as many at the start.
const FLUSH: usize = 4;

/// `squash(x)` at x = -2048, -1920 .. 2048: 4096 / (1 + exp(-x / 256)), rounded.
const SQUASH: [i32; 33] = [
    1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079,
    4086, 4090, 4092, 4094, 4095,
];

/// Probability (unit 2^-12, 1..=4095) of a logit (unit 2^-8).
fn squash(logit: i32) -> i32 {
    let shifted = logit.clamp(-2047, 2047).wrapping_add(2048);
    let at = (shifted >> 7) as usize;
    let part = shifted & 127;
    let low = SQUASH.get(at).copied().unwrap_or(1);
    let high = SQUASH.get(at.wrapping_add(1)).copied().unwrap_or(4095);
    low.wrapping_mul(128i32.wrapping_sub(part)).wrapping_add(high.wrapping_mul(part)).wrapping_add(64) >> 7
}

/// The inverse: for each probability the smallest logit that reaches it.
fn stretch_table() -> Vec<i16> {
    let mut table = Vec::with_capacity(4096);
    let mut logit = -2047i16;
    for probability in 0..4096 {
        while logit < 2047 && squash(i32::from(logit)) < probability {
            logit = logit.wrapping_add(1);
        }
        table.push(logit);
    }
    table
}

/// Two estimates of one probability, a quick one and a steady one; the mean of both is used.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    quick: u16,
    steady: u16,
    seen: u16,
}

impl Estimate {
    const NEW: Self = Self { quick: HALF, steady: HALF, seen: 0 };

    const fn probability(self) -> u16 {
        (self.quick >> 1).wrapping_add(self.steady >> 1)
    }

    fn learn(&mut self, bit: bool) {
        // Both start fast (1/2, 1/3 ..) and slow down to 1/QUICK and 1/STEADY.
        self.seen = self.seen.saturating_add(1).min(STEADY);
        let rate = self.seen.wrapping_add(1);
        let toward = |from: u16, rate: u16| {
            let inverse = INVERSES.get(usize::from(rate)).copied().unwrap_or(0);
            let part = |gap: u16| (u64::from(gap).wrapping_mul(inverse.into()) >> 32) as u16;
            let moved = if bit { from.wrapping_add(part(u16::MAX.wrapping_sub(from))) } else { from.wrapping_sub(part(from)) };
            moved.clamp(32, 65_503)
        };
        self.quick = toward(self.quick, rate.min(QUICK));
        self.steady = toward(self.steady, rate);
    }
}

/// Just above `2^32 / i`, for division by `i` of 16 bits: `i` times an entry is above 2^32 by at most `i`, which adds less than 1 to what is divided, so the
/// upper half of the product is the quotient. Nobody divides by 0 or 1.
const INVERSES: [u32; STEADY as usize + 2] = {
    let mut inverses = [0; STEADY as usize + 2];
    let mut i = 2;
    while i < inverses.len() {
        #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "done by the compiler")]
        {
            inverses[i] = ((1u64 << 32) / i as u64 + 1) as u32;
            i += 1;
        }
    }
    inverses
};

/// What encoder and decoder know alike.
struct Model {
    stretch: Vec<i16>,
    tables: Vec<Estimate>,
    /// shape `[256 nodes, INPUTS]`, unit 2^-16
    weights: Vec<[i32; INPUTS]>,
    before: [u8; 2],
    place: usize,
}

/// One decision: its mixed probability and what it came from.
struct Decision {
    node: usize,
    slots: [usize; INPUTS],
    logits: [i32; INPUTS],
    /// That the bit is 1, unit 2^-12, 1..=4095.
    probability: i32,
}

/// The magnitude of a byte read as i8, in 16 steps that grow with it, its sign kept.
const fn class(byte: u8) -> usize {
    let signed = byte.cast_signed();
    let size = 8u32.wrapping_sub(signed.unsigned_abs().leading_zeros()); // 0..=8
    let size = if size > 7 { 7 } else { size };
    ((signed < 0) as usize) << 3 | size as usize
}

impl Model {
    fn new() -> Self {
        let contexts: usize = CONTEXTS.iter().sum();
        Self {
            stretch: stretch_table(),
            tables: vec![Estimate::NEW; contexts.wrapping_mul(256)],
            weights: vec![[FIRST_WEIGHT; INPUTS]; 256],
            before: [0; 2],
            place: 0,
        }
    }

    fn decide(&self, node: usize) -> Decision {
        let [last, second] = self.before;
        let pair = (class(last) & 7) << 3 | class(second) & 7;
        let contexts = [0, class(last), pair, self.place & 3];
        let mut slots = [0; INPUTS];
        let mut logits = [0; INPUTS];
        let mut base = 0usize;
        let mut sum = 0i64;
        let weights = self.weights.get(node).copied().unwrap_or([0; INPUTS]);
        for ((((slot, logit), context), size), weight) in slots.iter_mut().zip(&mut logits).zip(contexts).zip(CONTEXTS).zip(weights) {
            *slot = base.wrapping_add(context).wrapping_mul(256).wrapping_add(node);
            let probability = self.tables.get(*slot).map_or(HALF, |estimate| estimate.probability());
            *logit = self.stretch.get(usize::from(probability >> 4)).copied().unwrap_or(0).into();
            sum = sum.wrapping_add(i64::from(*logit).wrapping_mul(weight.into()));
            base = base.wrapping_add(size);
        }
        let mixed = (sum >> 16).clamp(-2047, 2047) as i32;
        Decision { node, slots, logits, probability: squash(mixed).clamp(1, 4095) }
    }

    fn learn(&mut self, decision: &Decision, bit: bool) {
        let error = i32::from(bit).wrapping_mul(4095).wrapping_sub(decision.probability);
        if let Some(weights) = self.weights.get_mut(decision.node) {
            for (weight, logit) in weights.iter_mut().zip(decision.logits) {
                *weight = weight.wrapping_add(logit.wrapping_mul(error) >> MIX_SHIFT).clamp(-(1 << 20), 1 << 20);
            }
        }
        for slot in decision.slots {
            if let Some(estimate) = self.tables.get_mut(slot) {
                estimate.learn(bit);
            }
        }
    }

    /// Codes one byte; `code` codes the bit of each decision and returns it.
    fn byte(&mut self, mut code: impl FnMut(i32, u32) -> bool) -> u8 {
        let mut node = 1usize;
        for shift in (0..8).rev() {
            let decision = self.decide(node);
            let bit = code(decision.probability, shift);
            self.learn(&decision, bit);
            node = node << 1 | usize::from(bit);
        }
        let byte = (node & 0xff) as u8;
        self.before = [byte, self.before[0]];
        self.place = self.place.wrapping_add(1);
        byte
    }
}

/// Splits `low..=high` at the probability of a 1 (unit 2^-12): the bit 1 takes `low..=middle`.
fn middle(low: u32, high: u32, probability: i32) -> u32 {
    let range = high.wrapping_sub(low);
    low.wrapping_add((u64::from(range).wrapping_mul(u64::from(probability.unsigned_abs())) >> 12) as u32)
}

/// Layout: carry-less binary range coder, 32 bits, highest byte first; 4 bytes at the end.
pub(super) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut model = Model::new();
    let (mut low, mut high) = (0u32, u32::MAX);
    let mut out = Vec::new();
    for &byte in raw {
        model.byte(|probability, shift| {
            let bit = byte >> shift & 1 == 1;
            let middle = middle(low, high, probability);
            if bit {
                high = middle;
            } else {
                low = middle.wrapping_add(1);
            }
            while (low ^ high) >> 24 == 0 {
                out.push((low >> 24) as u8);
                low <<= 8;
                high = high << 8 | 0xff;
            }
            bit
        });
    }
    out.extend_from_slice(&low.to_be_bytes());
    out
}

/// A decision costs at least 2^-11.5 of a bit, so no byte of input stands for more output than this.
const MAX_RATIO: usize = 4096;

pub(super) fn decode(bytes: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "Program (range)";
    if len > bytes.len().saturating_mul(MAX_RATIO) {
        return Err(Error::corrupt(WHAT));
    }
    let mut model = Model::new();
    let (mut low, mut high) = (0u32, u32::MAX);
    let mut input = bytes.iter();
    let mut missing = 0u64;
    let mut value = 0u32;
    for _ in 0..FLUSH {
        value = value << 8 | shift_in(&mut input, &mut missing);
    }
    let mut raw = Vec::new();
    while raw.len() < len && missing == 0 {
        raw.push(model.byte(|probability, _| {
            let middle = middle(low, high, probability);
            let bit = value <= middle;
            if bit {
                high = middle;
            } else {
                low = middle.wrapping_add(1);
            }
            while (low ^ high) >> 24 == 0 {
                low <<= 8;
                high = high << 8 | 0xff;
                value = value << 8 | shift_in(&mut input, &mut missing);
            }
            bit
        }));
    }
    if missing > 0 {
        let found = bytes.len() as u64;
        return Err(Error::Truncated { what: WHAT, needed: found.saturating_add(missing), found });
    }
    // The encoder ended by writing `low`, so nothing else can be left.
    if value != low || input.len() > 0 {
        return Err(Error::corrupt(WHAT));
    }
    Ok(raw)
}

fn shift_in(input: &mut std::slice::Iter<'_, u8>, missing: &mut u64) -> u32 {
    input.next().map_or_else(
        || {
            *missing = missing.saturating_add(1);
            0
        },
        |&byte| u32::from(byte),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_divide_as_division_does() {
        for rate in 2..=STEADY + 1 {
            for gap in (0..=u16::MAX).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
                let inverse = INVERSES[usize::from(rate)];
                assert_eq!(((u64::from(gap) * u64::from(inverse)) >> 32) as u16, gap / rate, "{gap} by {rate}");
            }
        }
    }
}
