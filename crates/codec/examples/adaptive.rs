//! What adaptive coding saves and what it costs, on the images of an archive's Program blocks:
//! `cargo run --release -p kolmo-codec --example adaptive -- ARCHIVE [IMAGES [PIXELS]]`, one thread, blocks of so many pixels.
#![allow(clippy::print_stdout, reason = "it is a command")]

mod blocks;
mod clock;

use std::error::Error;

use blocks::Archive;
use clock::now;
use kolmo_codec::block::{self, ImageRef, Method};

/// Pixels of a block, unless the third argument says so.
const BLOCK_PIXELS: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: adaptive ARCHIVE [IMAGES [PIXELS]]")?;
    let most = std::env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;
    let block_pixels = std::env::args().nth(3).map_or(Ok(BLOCK_PIXELS), |pixels| pixels.parse())?;
    let mut archive = Archive::open(&path)?;
    let programs = archive.programs()?;
    let mut images = Vec::new();
    for number in archive.blocks() {
        let Some(coded) = archive.block(number)?.filter(|coded| coded.program == 0) else { continue };
        let decoded = block::decode_as(coded.method, &programs[0], &coded.shapes, &coded.bytes, &mut archive.budget)?;
        images.extend(coded.shapes.into_iter().zip(decoded));
        if images.len() >= most {
            break;
        }
    }
    images.truncate(most);
    let mut blocks: Vec<Vec<ImageRef<'_>>> = Vec::new();
    let mut pixels = block_pixels;
    for ((height, width), samples) in &images {
        if pixels + height * width > block_pixels {
            blocks.push(Vec::new());
            pixels = 0;
        }
        pixels += height * width;
        blocks.last_mut().ok_or("no block")?.push(ImageRef { height: *height, width: *width, samples });
    }
    let samples = images.iter().map(|(_, samples)| samples.len()).sum::<usize>() as f64;
    for method in [Method::Direct, Method::Adaptive] {
        let (mut bytes, mut encoding, mut decoding) = (0, 0.0, 0.0);
        for images in &blocks {
            let begun = now();
            let encoded = block::encode_as(method, &programs[0], images)?;
            encoding += now() - begun;
            bytes += encoded.bytes.len();
            let shapes: Vec<_> = images.iter().map(|image| (image.height, image.width)).collect();
            let begun = now();
            let decoded = block::decode_as(method, &programs[0], &shapes, &encoded.bytes, &mut archive.budget)?;
            decoding += now() - begun;
            if decoded.iter().zip(images).any(|(decoded, image)| decoded != image.samples) {
                return Err("a block came back different".into());
            }
        }
        println!(
            "{path} {}: {} images, {bytes} bytes, {:.4} bpsp, encoding {:.0} ns, decoding {:.0} ns a sample",
            method.name(),
            images.len(),
            8.0 * bytes as f64 / samples,
            encoding / samples * 1e9,
            decoding / samples * 1e9,
        );
    }
    Ok(())
}
