//! A Program as bytes, and back. The layout is specified in `FORMAT.md`, "Program".
//!
//! Weights of a layer stand together, unit after unit, then its step codes (each as the difference from the one before), then its biases
//! (low bytes, then high bytes): bytes of one kind side by side code shorter.

use super::{Dense, Head, MOST_HATS, Program, Stage, Tap, Wide};
use crate::alphabet::MAX_BIT_DEPTH;
use crate::colour::Colour;
use crate::error::Error;
use crate::limits::{Budget, Limits};

/// Version of the Program's own layout, for samples of up to 8 bits, of 16 bits, and for symbols of a colour space; 2 was never written.
const VERSION: u8 = 1;
const WIDE_VERSION: u8 = 3;
const COLOUR_VERSION: u8 = 4;
/// A Program with hats: their number, then what one of the other versions is.
const PLACED_VERSION: u8 = 5;
/// `follows` of a head that follows none.
const NONE: u8 = 0xff;

impl Program {
    /// Serialises it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let version = match (&self.wide, self.colour) {
            (Some(_), _) => WIDE_VERSION,
            (None, Some(_)) => COLOUR_VERSION,
            (None, None) => VERSION,
        };
        let mut out = Vec::new();
        if self.hats > 0 {
            out.extend([PLACED_VERSION, self.hats]);
        }
        out.extend([version, self.bit_depth]);
        out.extend(self.colour.map(Colour::code));
        if let Some(wide) = &self.wide {
            out.push(wide.resolution);
            put_values(&mut out, &wide.values);
        }
        out.push(small(self.order.len()));
        out.extend(&self.order);
        out.push(small(self.components));
        put_taps(&mut out, &self.spikes);
        out.push(small(self.stages.len()));
        for stage in &self.stages {
            put_taps(&mut out, &stage.taps);
            put_shapes(&mut out, &stage.layers);
        }
        for head in &self.heads {
            out.push(head.follows.unwrap_or(NONE));
            put_shapes(&mut out, &head.hidden);
        }
        for layer in self.layers() {
            put_dense(&mut out, layer);
        }
        out
    }

    /// Reads and validates a Program.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt` for bytes that are none, `Unsupported` for a later version, `LimitExceeded` for one that `limits` forbid.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut budget = Budget::new(limits.memory_bytes);
        let mut reader = Reader { bytes };
        let mut version = reader.byte()?;
        let mut hats = 0;
        if version == PLACED_VERSION {
            (hats, version) = (reader.byte()?, reader.byte()?);
            // Inputs are counted by them too; 0 is said by the other versions.
            if !(2..=MOST_HATS).contains(&hats) {
                return Err(Error::corrupt("hats of a Program"));
            }
        }
        if ![VERSION, WIDE_VERSION, COLOUR_VERSION].contains(&version) {
            return Err(Error::Unsupported { what: "Program version", found: version.into(), known: PLACED_VERSION.into() });
        }
        let bit_depth = reader.byte()?;
        let colour = match version {
            COLOUR_VERSION => {
                let code = reader.byte()?;
                let known = Colour::ALL.len() as u64;
                Some(Colour::from_code(code).ok_or(Error::Unsupported { what: "colour space of a Program", found: code.into(), known })?)
            }
            _ => None,
        };
        let wide = match version {
            WIDE_VERSION => Some(Wide { resolution: reader.byte()?, values: reader.values(&mut budget)? }),
            _ => None,
        };
        // Inputs are counted by it, so it comes before all else.
        if bit_depth > if wide.is_some() { MAX_BIT_DEPTH } else { 8 } {
            return Err(Error::corrupt("bit depth of a Program"));
        }
        let channels = reader.byte()?;
        let order = reader.take(channels.into())?.to_vec();
        let components = usize::from(reader.byte()?);
        let spikes = reader.taps()?;
        let mut program = Self { bit_depth, wide, colour, hats, order, stages: Vec::new(), heads: Vec::new(), components, spikes };
        let mut shapes = Vec::new();
        for index in 0..usize::from(reader.byte()?) {
            let taps = reader.taps()?;
            program.stages.push(Stage { taps, layers: Vec::new() });
            let layers = reader.shapes(program.stage_inputs(index))?;
            let features = layers.last().map_or(0, |&(_, n_out)| n_out);
            // A placeholder makes `features` known to the next stage; the real layers follow below.
            if let Some(stage) = program.stages.last_mut() {
                stage.layers.push(Dense { n_in: 0, n_out: features, weights: Vec::new(), step_codes: Vec::new(), biases: Vec::new() });
            }
            shapes.push(layers);
        }
        let features = program.stages.last().map_or(0, Stage::features);
        let mut heads = Vec::new();
        for index in 0..usize::from(channels) {
            let follows = reader.byte()?;
            let hidden = reader.shapes(features.saturating_add(index))?;
            let inputs = hidden.last().map_or(features.saturating_add(index), |&(_, n_out)| n_out);
            heads.push(((follows != NONE).then_some(follows), hidden, (inputs, program.head_outputs())));
        }
        for (stage, shapes) in program.stages.iter_mut().zip(&shapes) {
            stage.layers = shapes.iter().map(|&shape| reader.dense(shape, &mut budget)).collect::<Result<_, _>>()?;
        }
        for (follows, hidden, out) in heads {
            let hidden = hidden.into_iter().map(|shape| reader.dense(shape, &mut budget)).collect::<Result<_, _>>()?;
            program.heads.push(Head { hidden, out: reader.dense(out, &mut budget)?, follows });
        }
        if !reader.bytes.is_empty() {
            return Err(Error::corrupt("end of a Program"));
        }
        program.validate(limits)?;
        Ok(program)
    }
}

fn small(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX) // `validate` refuses what does not fit
}

fn put_taps(out: &mut Vec<u8>, taps: &[Tap]) {
    out.push(small(taps.len()));
    out.extend(taps.iter().flat_map(|tap| [tap.dy.cast_unsigned(), tap.dx.cast_unsigned()]));
}

fn put_shapes(out: &mut Vec<u8>, layers: &[Dense]) {
    out.push(small(layers.len()));
    for layer in layers {
        out.extend(u16::try_from(layer.n_out).unwrap_or(u16::MAX).to_le_bytes());
    }
}

fn put_dense(out: &mut Vec<u8>, layer: &Dense) {
    out.extend(layer.weights.iter().map(|weight| weight.cast_unsigned()));
    let mut before = 0u8;
    for &code in &layer.step_codes {
        out.push(code.wrapping_sub(before));
        before = code;
    }
    out.extend(layer.biases.iter().map(|bias| bias.to_le_bytes()[0]));
    out.extend(layer.biases.iter().map(|bias| bias.to_le_bytes()[1]));
}

/// Runs of values that follow each other: how many runs, then for each how many values are left out before it and how many it has, less one.
fn put_values(out: &mut Vec<u8>, values: &[u16]) {
    let runs: Vec<&[u16]> = values.chunk_by(|a, b| a.checked_add(1) == Some(*b)).collect();
    let mut put = |number: usize| out.extend(u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
    put(runs.len());
    let mut next = 0usize;
    for run in runs {
        let first = run.first().map_or(0, |&first| usize::from(first));
        put(first.saturating_sub(next));
        put(run.len().saturating_sub(1));
        next = first.saturating_add(run.len());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let found = self.bytes.len() as u64;
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Error::Truncated { what: "Program", needed: count as u64, found })?;
        self.bytes = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.take(1)?.first().copied().ok_or(Error::corrupt("Program"))
    }

    fn number(&mut self) -> Result<u16, Error> {
        let low = self.byte()?;
        Ok(u16::from_le_bytes([low, self.byte()?]))
    }

    /// What [`put_values`] wrote, in no other way.
    fn values(&mut self, budget: &mut Budget) -> Result<Vec<u16>, Error> {
        let corrupt = || Error::corrupt("sample values of a Program");
        let mut values = Vec::new();
        let mut next = 0u32;
        for run in 0..self.number()? {
            let (gap, more) = (u32::from(self.number()?), u32::from(self.number()?));
            let first = next.saturating_add(gap);
            next = first.saturating_add(more).saturating_add(1);
            if (gap == 0 && run > 0) || next > 1 << 16 {
                return Err(corrupt());
            }
            budget.take("Program", u64::from(more).saturating_add(1), 2)?;
            values.extend((first..next).map(|value| value as u16));
        }
        Ok(values)
    }

    fn taps(&mut self) -> Result<Vec<Tap>, Error> {
        let count = usize::from(self.byte()?);
        let bytes = self.take(count.saturating_mul(2))?;
        Ok(bytes.as_chunks::<2>().0.iter().map(|&[dy, dx]| Tap { dy: dy.cast_signed(), dx: dx.cast_signed() }).collect())
    }

    /// Shapes `(n_in, n_out)` of layers that feed each other.
    fn shapes(&mut self, inputs: usize) -> Result<Vec<(usize, usize)>, Error> {
        let count = usize::from(self.byte()?);
        let bytes = self.take(count.saturating_mul(2))?;
        let outputs = bytes.as_chunks::<2>().0.iter().map(|&pair| usize::from(u16::from_le_bytes(pair)));
        let chained = outputs.scan(inputs, |n_in, n_out| Some((std::mem::replace(n_in, n_out), n_out)));
        Ok(chained.collect())
    }

    fn dense(&mut self, (n_in, n_out): (usize, usize), budget: &mut Budget) -> Result<Dense, Error> {
        let count = n_in.checked_mul(n_out).ok_or(Error::corrupt("layer of a Program"))?;
        let weights = self.take(count)?;
        budget.take("Program", count as u64, 1)?;
        let codes = self.take(n_out)?;
        let (low, high) = (self.take(n_out)?, self.take(n_out)?);
        Ok(Dense {
            n_in,
            n_out,
            weights: weights.iter().map(|weight| weight.cast_signed()).collect(),
            step_codes: codes
                .iter()
                .scan(0u8, |before, &delta| {
                    *before = before.wrapping_add(delta);
                    Some(*before)
                })
                .collect(),
            biases: low.iter().zip(high).map(|(&low, &high)| i16::from_le_bytes([low, high])).collect(),
        })
    }
}
