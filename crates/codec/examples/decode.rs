//! Times the decoding of an archive's Program blocks on one thread: `cargo run --release -p kolmo-codec --example decode -- ARCHIVE`.
//!
//! By processor time where the system tells it, which other work on the machine does not lengthen.
#![allow(clippy::print_stdout, reason = "it is a command")]

mod clock;

use std::error::Error;

use clock::now;
use kolmo_codec::container::{BlockCoding, Content, Reader};
use kolmo_codec::limits::Budget;
use kolmo_codec::program::Program;
use kolmo_codec::{Limits, block};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: decode ARCHIVE [BLOCKS]")?;
    let most = std::env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;
    let mut reader = Reader::open(std::fs::File::open(path)?, &Limits::default())?;
    let mut budget = Budget::new(u64::MAX);
    let raw = reader.programs().iter().map(|entry| entry.raw(&mut budget)).collect::<Result<Vec<_>, _>>()?;
    let programs = raw.iter().map(|bytes| Program::from_bytes(bytes, &Limits::default())).collect::<Result<Vec<_>, _>>()?;
    let (mut samples, mut seconds) = (0usize, 0.0);
    for number in 0..reader.index().blocks.len().min(most) {
        let BlockCoding::Program { program, method } = reader.index().blocks[number].coding else { continue };
        let number = u32::try_from(number)?;
        let shape = |item: u32| match reader.index().items.content(item as usize).expect("an item of the block") {
            Content::Image { height, width, .. } => Some((height as usize, width as usize)),
            _ => None,
        };
        let shapes: Vec<_> = reader.parts(number).iter().filter_map(|part| shape(part.item)).collect();
        let bytes = reader.block_bytes(number, &mut budget)?;
        let begun = now();
        let images = block::decode_as(method, &programs[program as usize], &shapes, &bytes, &mut budget)?;
        seconds += now() - begun;
        samples += images.iter().map(Vec::len).sum::<usize>();
    }
    println!("{samples} samples in {seconds:.2} s: {:.3} MB/s, {:.1} ns each", samples as f64 / seconds / 1e6, seconds / samples as f64 * 1e9);
    Ok(())
}
