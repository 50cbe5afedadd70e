//! Times the decoding of an archive's Program blocks on one thread: `cargo run --release -p kolmo-codec --example decode -- ARCHIVE`.
//!
//! By processor time where the system tells it, which other work on the machine does not lengthen.
#![allow(clippy::print_stdout, reason = "it is a command")]

mod blocks;
mod clock;

use std::error::Error;

use blocks::Archive;
use clock::now;
use kolmo_codec::block;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: decode ARCHIVE [BLOCKS]")?;
    let most = std::env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;
    let mut archive = Archive::open(&path)?;
    let programs = archive.programs()?;
    let (mut samples, mut seconds) = (0usize, 0.0);
    for number in archive.blocks().take(most) {
        let Some(coded) = archive.block(number)? else { continue };
        let begun = now();
        let images = block::decode_as(coded.method, &programs[coded.program], &coded.shapes, &coded.bytes, &mut archive.budget)?;
        seconds += now() - begun;
        samples += images.iter().map(Vec::len).sum::<usize>();
    }
    println!("{samples} samples in {seconds:.2} s: {:.3} MB/s, {:.1} ns each", samples as f64 / seconds / 1e6, seconds / samples as f64 * 1e9);
    Ok(())
}
