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
