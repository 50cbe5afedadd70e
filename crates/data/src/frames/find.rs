//! Which arrays are images, and how the file is cut.

use std::io::{Read, Seek};

use super::known::{self, Array};
use super::{Frame, PLANAR, Part};
use crate::kinds::Counts;
use crate::layout::{Colour, Image, Layout};
use crate::tensor::read_at;

/// Files shorter than this are not looked at, and arrays not cut.
pub(super) const LEAST_BYTES: u64 = 4096;

/// A side of an image at least, and what an image may have: else it is a table.
const LEAST_SIDE: u64 = 8;
const MOST_SUBPIXELS: u64 = 1 << 26;

/// Images that are looked at, at most, and their bytes.
const LOOKED_AT: u64 = 64;
const LOOKED_AT_BYTES: u64 = 1 << 18;

/// What neighbours leave of the code length of pixels in any order, at most, if they are those of images. Measured: drawings 0.10, icons 0.26, 16-bit photographs 0.45, fashion_mnist 0.60,
/// cifar10 and photos100 0.68, slices under an electron microscope 0.71, aerial photographs 0.80; noise and ids of words 0.99 or more.
const MOST_LEFT: f64 = 0.9;
/// What another way to see an array has to take off.
const CLEARLY: f64 = 0.98;

/// The parts of a file of `bytes` bytes that holds images besides other things, or more than one image; `None` for any other file. Parts make up the file. What cannot be read tells nothing: whoever reads the
/// file will say so.
#[must_use]
pub fn parts<R: Read + Seek>(input: &mut R, bytes: u64) -> Option<Vec<Part>> {
    if bytes < LEAST_BYTES {
        return None;
    }
    let mut arrays = known::arrays(input, bytes)?;
    arrays.sort_by_key(|array| array.offset);
    let (mut parts, mut at) = (Vec::new(), 0);
    for array in &arrays {
        let Some((count, frame)) = images(input, array, bytes) else { continue };
        let Some(gap) = array.offset.checked_sub(at) else { continue };
        if gap > 0 {
            parts.push(Part::Bytes(gap));
        }
        parts.push(Part::Frames { count, frame });
        at = array.offset + count * frame.bytes();
    }
    if parts.is_empty() {
        return None;
    }
    if at < bytes {
        parts.push(Part::Bytes(bytes - at));
    }
    Some(parts)
}

/// The images that an array is best seen as, if it is one of images.
fn images<R: Read + Seek>(input: &mut R, array: &Array, file_bytes: u64) -> Option<(u64, Frame)> {
    let elements = array.shape.iter().try_fold(1u64, |all, &axis| all.checked_mul(axis))?;
    let leads = u64::from(array.lead) * array.shape.first()?;
    let bytes = elements.checked_mul(array.stored.bytes())?.checked_add(leads)?;
    if bytes < LEAST_BYTES || array.offset.checked_add(bytes)? > file_bytes {
        return None;
    }
    let mut best: Option<(f64, (u64, Frame))> = None;
    for seen in ways(array) {
        if let Some(bits) = looks_like_images(input, array, seen)
            && best.as_ref().is_none_or(|(least, _)| bits < least * CLEARLY)
        {
            best = Some((bits, seen));
        }
    }
    best.map(|(_, seen)| seen)
}

/// How an array may be seen as images; of equal ones the first is meant.
fn ways(array: &Array) -> Vec<(u64, Frame)> {
    let mut ways = Vec::new();
    let mut add = |count: u64, height: u64, width: u64, channels: u64, planar: bool| {
        let colour = match channels {
            1 => Colour::Gray,
            2 => Colour::GrayAlpha,
            3 => Colour::Rgb,
            4 => Colour::Rgba,
            _ => return,
        };
        let Ok(layout) = Layout::new(colour, array.stored.bits) else { return };
        let subpixels = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        if count == 0 || height < LEAST_SIDE || width < LEAST_SIDE || subpixels.is_none_or(|subpixels| subpixels > MOST_SUBPIXELS) {
            return;
        }
        let flags = array.stored.flags | if planar && channels > 1 { PLANAR } else { 0 };
        ways.push((count, Frame { width: width as u32, height: height as u32, layout, lead: array.lead, flags }));
    };
    let shape = &array.shape[..];
    if let [.., height, width] = *shape
        && array.volume
    {
        add(shape[..shape.len() - 2].iter().product(), height, width, 1, false);
        return ways;
    }
    match *shape {
        [count, length] => {
            // Flattened images are square.
            let square = |pixels: u64| Some(pixels.isqrt()).filter(|side| side * side == pixels);
            if let Some(side) = square(length) {
                add(count, side, side, 1, false);
            }
            if let Some(side) = length.is_multiple_of(3).then(|| square(length / 3)).flatten() {
                add(count, side, side, 3, true);
                add(count, side, side, 3, false);
            }
            add(1, count, length, 1, false);
        }
        [ref before @ .., a, b, c] => {
            let count = before.iter().product::<u64>();
            if c <= 4 {
                add(count, a, b, c, false);
            }
            if a <= 4 {
                add(count, b, c, a, true);
            }
            // With something in front of each, a row of the first axis is one image.
            if c > 4 && a != 1 && array.lead == 0 {
                add(count.saturating_mul(a), b, c, 1, false);
            }
        }
        _ => {}
    }
    ways
}

/// Code length of some of the images so seen, bits a sample, if it says that they are images.
fn looks_like_images<R: Read + Seek>(input: &mut R, array: &Array, (count, frame): (u64, Frame)) -> Option<f64> {
    let looked_at = (LOOKED_AT_BYTES / frame.bytes()).clamp(1, LOOKED_AT).min(count);
    let (mut as_they_are, mut in_any_order, mut samples) = (Counts::default(), Counts::default(), 0);
    for look in 0..looked_at {
        let number = (2 * look + 1) * count / (2 * looked_at);
        let bytes = read_at(input, array.offset + number * frame.bytes(), frame.bytes()).ok()?;
        let (image, _) = frame.open(&bytes)?;
        as_they_are.add(&Counts::of_image(&image), 1.0);
        in_any_order.add(&Counts::of_image(&shuffled(&image)), 1.0);
        samples += image.samples.len() / image.layout.sample_bytes();
    }
    let (bits, bits_in_any_order) = (as_they_are.sample_bits(), in_any_order.sample_bits());
    (bits < bits_in_any_order * MOST_LEFT).then(|| bits / samples as f64)
}

/// The pixels of an image in another order, the same for each image of its size.
fn shuffled(image: &Image) -> Image {
    let pixel = image.layout.channels() * image.layout.sample_bytes();
    let mut shuffled = image.clone();
    // Numerical Recipes' generator, whose high bits are good.
    let mut state = 1u32;
    for at in (1..image.samples.len() / pixel).rev() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let other = ((u64::from(state) * (at as u64 + 1)) >> 32) as usize;
        if other < at {
            let (low, high) = shuffled.samples.split_at_mut(at * pixel);
            low[other * pixel..][..pixel].swap_with_slice(&mut high[..pixel]);
        }
    }
    shuffled
}
