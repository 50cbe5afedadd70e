//! Times the encoding of an archive's Program blocks on one thread beside their decoding: `cargo run --release -p kolmo-codec --example encode -- ARCHIVE`.
//!
//! By processor time where the system tells it, which other work on the machine does not lengthen.
#![allow(clippy::print_stdout, reason = "it is a command")]

mod blocks;
mod clock;

use std::error::Error;

use blocks::Archive;
use clock::now;
use kolmo_codec::block::{ImageRef, Method};
use kolmo_codec::{block, weights};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: encode ARCHIVE [BLOCKS]")?;
    let most = std::env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;
    let begun = now();
    let mut archive = Archive::open(&path)?;
    let opening = now() - begun;
    let begun = now();
    let sizes = archive.raw_programs.iter().map(|bytes| weights::encode_program(bytes).bytes.len()).sum::<usize>();
    println!("opened in {:.1} ms; Programs, {sizes} bytes, encoded in {:.1}", opening * 1e3, (now() - begun) * 1e3);
    let programs = archive.programs()?;
    let (mut samples, mut decoding, mut encoding) = (0usize, 0.0, 0.0);
    for number in archive.blocks().take(most) {
        let Some(coded) = archive.block(number)? else { continue };
        let program = &programs[coded.program];
        let begun = now();
        let images = block::decode_as(coded.method, program, &coded.shapes, &coded.bytes, &mut archive.budget)?;
        decoding += now() - begun;
        let refs: Vec<_> = coded.shapes.iter().zip(&images).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
        let begun = now();
        let again = match coded.method {
            Method::Direct | Method::Lanes => block::encode_directly(program, &refs)?.1,
            method => block::encode_as(method, program, &refs)?,
        };
        encoding += now() - begun;
        if again.bytes != coded.bytes {
            return Err(format!("block {number} is encoded to other bytes").into());
        }
        samples += images.iter().map(Vec::len).sum::<usize>();
    }
    let each = |seconds: f64| seconds / samples as f64 * 1e9;
    println!("{samples} samples: {:.1} ns each to decode, {:.1} to encode", each(decoding), each(encoding));
    Ok(())
}
