//! Rows of samples as files hold them: samples narrower than a byte share one, the first in its high bits; samples of 16 bits have their high byte first.

use crate::layout::{Image, Layout};

/// Bytes of a packed row.
pub(crate) fn row_bytes(width: u32, layout: Layout) -> usize {
    (width as usize * layout.bits_per_pixel()).div_ceil(8)
}

/// What is left of a packed row after its samples, 0 to 7 low bits of its last byte, as a mask.
pub(crate) fn padding_mask(width: u32, layout: Layout) -> u8 {
    let used = width as usize * layout.bits_per_pixel() % 8;
    if used == 0 { 0 } else { 0xff >> used }
}

/// Copies samples of 16 bits with their two bytes swapped.
fn swap(samples: &[u8], to: &mut Vec<u8>) {
    to.extend(samples.as_chunks::<2>().0.iter().flat_map(|&[first, second]| [second, first]));
}

/// Appends one row's samples to `packed`, padding bits 0.
pub(crate) fn pack_row(samples: &[u8], bit_depth: u8, packed: &mut Vec<u8>) {
    match bit_depth {
        8 => return packed.extend_from_slice(samples),
        16 => return swap(samples, packed),
        _ => {}
    }
    for group in samples.chunks(8 / usize::from(bit_depth)) {
        let mut byte = 0;
        let mut shift = 8;
        for sample in group {
            shift -= bit_depth;
            byte |= sample << shift;
        }
        packed.push(byte);
    }
}

/// All rows of an image, packed, padding bits 0: shape `[height, row_bytes]`.
pub(crate) fn pack(image: &Image) -> Vec<u8> {
    let mut packed = Vec::with_capacity(row_bytes(image.width, image.layout) * image.height as usize);
    if image.layout.bit_depth == 8 {
        packed.extend_from_slice(&image.samples);
        return packed;
    }
    for row in image.samples.chunks_exact(image.row_bytes()) {
        pack_row(row, image.layout.bit_depth, &mut packed);
    }
    packed
}

/// Appends the `n` samples of one packed row to `samples`.
pub(crate) fn unpack_row(packed: &[u8], n: usize, bit_depth: u8, samples: &mut Vec<u8>) {
    match bit_depth {
        8 => return samples.extend_from_slice(&packed[..n]),
        16 => return swap(&packed[..2 * n], samples),
        _ => {}
    }
    let mask = ((1u16 << bit_depth) - 1) as u8;
    let per_byte = 8 / usize::from(bit_depth);
    let end = samples.len() + n;
    for &byte in &packed[..n.div_ceil(per_byte)] {
        for place in 1..=per_byte as u8 {
            if samples.len() < end {
                samples.push(byte >> (8 - place * bit_depth) & mask);
            }
        }
    }
}

/// Samples of packed rows (each `stride` bytes, of which the first are the row).
pub(crate) fn unpack(packed: &[u8], stride: usize, width: u32, layout: Layout) -> Vec<u8> {
    let n = width as usize * layout.channels();
    let mut samples = Vec::with_capacity(packed.len() / stride * n * layout.sample_bytes());
    for row in packed.chunks_exact(stride) {
        unpack_row(row, n, layout.bit_depth, &mut samples);
    }
    samples
}

/// The padding bits of every packed row: `None` if all are 0.
pub(crate) fn padding_bits(packed: &[u8], width: u32, layout: Layout) -> Option<Vec<u8>> {
    let mask = padding_mask(width, layout);
    let row = row_bytes(width, layout);
    let bits: Vec<u8> = packed.chunks_exact(row).map(|row| row[row.len() - 1] & mask).collect();
    bits.iter().any(|&bits| bits != 0).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Colour;

    #[test]
    fn odd_widths_pack_with_zero_padding() {
        let layout = Layout::new(Colour::Gray, 2).unwrap();
        let image = Image::new(5, 2, layout, vec![3, 0, 1, 2, 3, 0, 1, 2, 3, 0]).unwrap();
        let packed = pack(&image);
        assert_eq!(packed, [0b1100_0110, 0b1100_0000, 0b0001_1011, 0]);
        assert_eq!(unpack(&packed, 2, 5, layout), image.samples);
        assert_eq!(padding_mask(5, layout), 0b0011_1111);
        assert_eq!(padding_bits(&packed, 5, layout), None);
        assert_eq!(padding_bits(&[0, 0b1100_0001, 0, 0], 5, layout), Some(vec![1, 0]));
    }
}
