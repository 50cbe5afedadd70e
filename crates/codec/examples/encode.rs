//! Times the encoding of an archive's Program blocks on one thread beside their decoding: `cargo run --release -p kolmo-codec --example encode -- ARCHIVE`.
//!
//! By processor time where the system tells it, which other work on the machine does not lengthen.
#![allow(clippy::print_stdout, reason = "it is a command")]

mod clock;

use std::error::Error;

use clock::now;
use kolmo_codec::block::{ImageRef, Method};
use kolmo_codec::container::{BlockCoding, Content, Reader};
use kolmo_codec::limits::Budget;
use kolmo_codec::program::Program;
use kolmo_codec::{Limits, block, weights};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: encode ARCHIVE [BLOCKS]")?;
    let most = std::env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;
    let mut reader = Reader::open(std::fs::File::open(path)?, &Limits::default())?;
    let mut budget = Budget::new(u64::MAX);
    let begun = now();
    let raw = reader.programs().iter().map(|entry| entry.raw(&mut budget)).collect::<Result<Vec<_>, _>>()?;
    let mut decoding = now() - begun;
    let begun = now();
    let sizes = raw.iter().map(|bytes| weights::encode_program(bytes).bytes.len()).sum::<usize>();
    let mut encoding = now() - begun;
    println!("Programs, {sizes} bytes: decoded in {:.1} ms, encoded in {:.1}", decoding * 1e3, encoding * 1e3);
    let programs = raw.iter().map(|bytes| Program::from_bytes(bytes, &Limits::default())).collect::<Result<Vec<_>, _>>()?;
    let mut samples = 0usize;
    (decoding, encoding) = (0.0, 0.0);
    for number in 0..reader.index().blocks.len().min(most) {
        let BlockCoding::Program { program, method } = reader.index().blocks[number].coding else { continue };
        let number = u32::try_from(number)?;
        let shape = |item: u32| match reader.index().items.content(item as usize).expect("an item of the block") {
            Content::Image { height, width, .. } => Some((height as usize, width as usize)),
            _ => None,
        };
        let shapes: Vec<_> = reader.parts(number).iter().filter_map(|part| shape(part.item)).collect();
        let bytes = reader.block_bytes(number, &mut budget)?;
        let program = &programs[program as usize];
        let begun = now();
        let images = block::decode_as(method, program, &shapes, &bytes, &mut budget)?;
        decoding += now() - begun;
        let refs: Vec<_> = shapes.iter().zip(&images).map(|(&(height, width), samples)| ImageRef { height, width, samples }).collect();
        let begun = now();
        let again = match method {
            Method::Direct | Method::Lanes => block::encode_directly(program, &refs)?.1,
            method => block::encode_as(method, program, &refs)?,
        };
        encoding += now() - begun;
        if again.bytes != bytes {
            return Err(format!("block {number} is encoded to other bytes").into());
        }
        samples += images.iter().map(Vec::len).sum::<usize>();
    }
    let each = |seconds: f64| seconds / samples as f64 * 1e9;
    println!("{samples} samples: {:.1} ns each to decode, {:.1} to encode", each(decoding), each(encoding));
    Ok(())
}
