//! Programs written by hand, for tests that need one at once.

use std::fs::File;
use std::path::Path;

use kolmo_codec::colour::Colour;
use kolmo_codec::container::{Fidelity, RecipeBook, Writer};
use kolmo_codec::limits::Limits;
use kolmo_codec::program::{Dense, Head, Program, Stage, Tap, Wide};
use kolmo_codec::weights::{self, CodedProgram};

use super::picture::layout;

/// Expects every sample near the mean of its neighbours; two stages, so that every kind of layer is there.
pub(crate) fn by_hand(name: &str) -> Program {
    let layout = layout(name);
    let channels = layout.channels();
    let dense = |n_in, n_out| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![24; n_out], biases: vec![0; n_out] };
    let (west, north) = (Tap { dy: 0, dx: -1 }, Tap { dy: -1, dx: 0 });
    let mut program = Program {
        // Deep samples are those of a 12-bit sensor, in steps as wide as those of bytes.
        bit_depth: layout.bit_depth.min(12),
        order: (0..channels as u8).rev().collect(),
        stages: vec![Stage { taps: vec![west, north], layers: vec![] }],
        heads: vec![],
        components: 2,
        spikes: vec![west, north],
        wide: (layout.bit_depth == 16).then(|| Wide { resolution: 4, values: vec![] }),
        colour: None,
        hats: 0,
    };
    program.stages[0].layers = vec![dense(program.stage_inputs(0), 2)];
    program.stages.push(Stage { taps: vec![Tap { dy: -1, dx: 1 }], layers: vec![] });
    program.stages[1].layers = vec![dense(program.stage_inputs(1), 3)];
    for channel in 0..channels {
        let mut out = dense(2, program.head_outputs());
        // Components: equal weights, the base as mean, scales of 2 and 4 grey levels; then two spikes of little weight. Where there are few
        // values to choose from, spikes say most, and a wide component the rest.
        let (wide, spike) = if layout.bit_depth < 4 { (6 << 12, 2 << 12) } else { (2 << 12, -(4 << 12)) };
        out.biases = vec![0, 0, 0, 0, 1 << 12, wide, spike, spike];
        program.heads.push(Head { hidden: vec![dense(3 + channel, 2)], out, follows: channel.checked_sub(1).map(|before| before as u8) });
    }
    program.validate(&Limits::default()).expect("a valid Program");
    program
}

/// The same for RGB that was converted from a colour space.
pub(crate) fn by_hand_of(colour: Colour) -> Program {
    Program { colour: Some(colour), ..by_hand("rgb8") }
}

/// The same with `hats` along each axis, whose weights pass through every layer: means and scales differ from place to place.
pub(crate) fn placed(name: &str, hats: u8) -> Program {
    let mut program = Program { hats, ..by_hand(name) };
    let inputs = program.stage_inputs(0);
    let behind = inputs - 2 * usize::from(hats);
    let first = &mut program.stages[0].layers[0];
    let weight = |unit: usize, input: usize| if input < behind { 0 } else { ((13 * unit + 29 * (input - behind)) % 90) as i8 };
    (first.n_in, first.weights) = (inputs, (0..2).flat_map(|unit| (0..inputs).map(move |input| weight(unit, input))).collect());
    let rest = program.stages[1..].iter_mut().flat_map(|stage| &mut stage.layers);
    for layer in rest.chain(program.heads.iter_mut().flat_map(|head| &mut head.hidden)) {
        let inputs = layer.n_in;
        // Every unit sees two that were before it.
        layer.weights.iter_mut().enumerate().for_each(|(at, weight)| *weight = if at % inputs / 2 == 0 { 6 } else { 0 });
    }
    for head in &mut program.heads {
        head.out.weights.iter_mut().enumerate().for_each(|(at, weight)| *weight = [0, 3, -2][at % 3]);
    }
    program.validate(&Limits::default()).expect("a valid Program");
    program
}

pub(crate) fn coded(program: &Program) -> CodedProgram {
    weights::encode_program(&program.to_bytes())
}

/// Writes a Program file with a Program by hand for each layout.
pub(crate) fn write(path: &Path, layouts: &[&str]) {
    write_these(path, &layouts.iter().map(|name| (*name, by_hand(name))).collect::<Vec<_>>());
}

/// Writes a Program file with these Programs and their layouts.
pub(crate) fn write_these(path: &Path, programs: &[(&str, Program)]) {
    let programs: Vec<(u8, CodedProgram)> = programs.iter().map(|(name, program)| (layout(name).code(), coded(program))).collect();
    let programs: Vec<(u8, &CodedProgram)> = programs.iter().map(|(code, program)| (*code, program)).collect();
    let file = File::create_new(path).expect("a new file");
    let writer = Writer::new(file, Fidelity::Files, &programs).expect("Programs fit");
    writer.finish(vec![], &RecipeBook::default(), 0).expect("a Program file");
}
