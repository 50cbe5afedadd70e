//! What holds in every Program that is run.

use super::{Dense, MOST_HATS, Program, Tap};
use crate::alphabet::{MAX_BIT_DEPTH, MAX_RESOLUTION};
use crate::error::Error;
use crate::limits::Limits;

/// Largest magnitude of an input: a difference of two 8-bit samples, or of deep ones as 16 bits hold it; features stay below 128.
const MAX_INPUT: i64 = 255;
const MAX_DEEP_INPUT: i64 = 32_767;
/// Reach of a tap, in rows and columns.
const MAX_REACH: i8 = 15;
/// Taps of a stage, spikes, stages, layers of a stage or head.
const MAX_PARTS: usize = 255;
/// Units of a layer.
const MAX_UNITS: usize = 4096;
/// Components of a mixture.
const MAX_COMPONENTS: usize = 32;

pub(super) fn program(program: &Program, limits: &Limits) -> Result<(), Error> {
    let channels = program.order.len();
    ensure((1..=4).contains(&channels), "channel count of a Program")?;
    let deepest = if program.wide.is_some() { MAX_BIT_DEPTH } else { 8 };
    ensure((1..=deepest).contains(&program.bit_depth), "bit depth of a Program")?;
    if let Some(wide) = &program.wide {
        ensure(wide.resolution <= if program.is_deep() { MAX_RESOLUTION } else { 0 }, "resolution of a Program")?;
        ensure(wide.values.len() as u64 <= 1 << program.bit_depth && wide.values.is_sorted_by(|a, b| a < b), "sample values of a Program")?;
    }
    ensure(program.colour.is_none() || (program.wide.is_none() && program.bit_depth == 8 && channels == 3), "colour space of a Program")?;
    ensure(program.hats == 0 || (2..=MOST_HATS).contains(&program.hats), "hats of a Program")?;
    let largest = if program.is_deep() { MAX_DEEP_INPUT } else { MAX_INPUT };
    for channel in 0..channels {
        ensure(program.order.iter().any(|&named| usize::from(named) == channel), "coding order of a Program")?;
    }
    ensure((1..=MAX_COMPONENTS).contains(&program.components), "component count of a Program")?;
    taps(&program.spikes)?;
    ensure((1..=8).contains(&program.stages.len()), "stage count of a Program")?;
    for (index, stage) in program.stages.iter().enumerate() {
        taps(&stage.taps)?;
        ensure((1..=MAX_PARTS).contains(&stage.layers.len()), "layer count of a Program's stage")?;
        chain(&stage.layers, program.stage_inputs(index), largest)?;
    }
    ensure(program.heads.len() == channels, "head count of a Program")?;
    let features = program.stages.last().map_or(0, super::Stage::features);
    for (index, head) in program.heads.iter().enumerate() {
        ensure(head.follows.is_none_or(|channel| usize::from(channel) < index), "channel that a Program's head follows")?;
        ensure(head.hidden.len() <= MAX_PARTS, "layer count of a Program's head")?;
        let seen = features.saturating_add(index);
        let inputs = chain(&head.hidden, seen, largest)?;
        chain(std::slice::from_ref(&head.out), inputs, largest)?;
        ensure(head.out.n_out == program.head_outputs(), "output count of a Program's head")?;
    }
    if program.macs_per_pixel() > limits.program_macs_per_pixel {
        return Err(Error::LimitExceeded { what: "a Program's work per pixel", limit: limits.program_macs_per_pixel });
    }
    Ok(())
}

/// Checks layers that feed each other, and returns the outputs of the last.
fn chain(layers: &[Dense], inputs: usize, largest: i64) -> Result<usize, Error> {
    layers.iter().try_fold(inputs, |inputs, layer| {
        ensure(layer.n_in == inputs, "input count of a Program's layer")?;
        dense(layer, largest)?;
        Ok(layer.n_out)
    })
}

fn dense(layer: &Dense, largest: i64) -> Result<(), Error> {
    ensure((1..=MAX_UNITS).contains(&layer.n_out) && layer.n_in <= MAX_UNITS.saturating_mul(16), "size of a Program's layer")?;
    let weights = layer.n_in.checked_mul(layer.n_out);
    ensure(Some(layer.weights.len()) == weights, "weight count of a Program's layer")?;
    ensure(layer.step_codes.len() == layer.n_out && layer.biases.len() == layer.n_out, "unit count of a Program's layer")?;
    for unit in layer.weights.chunks_exact(layer.n_in.max(1)) {
        ensure(unit.iter().all(|&weight| weight != i8::MIN), "weight of a Program")?;
        // |acc| <= largest input * sum |w| must fit an i32, in any order of summation.
        let sum: i64 = unit.iter().map(|&weight| i64::from(weight).abs()).sum();
        ensure(sum.saturating_mul(largest) < i64::from(i32::MAX), "weight sum of a Program's unit")?;
    }
    Ok(())
}

fn taps(taps: &[Tap]) -> Result<(), Error> {
    ensure(taps.len() <= MAX_PARTS, "tap count of a Program")?;
    for tap in taps {
        let causal = tap.dy < 0 || (tap.dy == 0 && tap.dx < 0);
        let near = tap.dy >= -MAX_REACH && (-MAX_REACH..=MAX_REACH).contains(&tap.dx);
        ensure(causal && near, "tap of a Program")?;
    }
    Ok(())
}

fn ensure(holds: bool, what: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::corrupt(what)) }
}
