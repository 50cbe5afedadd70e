//! Fingerprints of bytes and of images.

use std::fmt;
use std::io::{self, Read};

use crate::layout::Image;

/// Separates fingerprints of images from fingerprints of bytes.
const IMAGE_DOMAIN: &str = "kolmo 2026-11 image: layout code, width and height as u32 LE, samples";

/// 256 bits of blake3; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(
    /// The 32 bytes.
    pub [u8; 32],
);

/// blake3 of a file's bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// The same of all that is left to read, and how many bytes that is; a part of it is in memory at a time.
///
/// # Errors
/// If it cannot be read.
pub fn of_stream(input: &mut impl Read) -> io::Result<(u64, Digest)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(input, &mut hasher)?;
    Ok((bytes, Digest(*hasher.finalize().as_bytes())))
}

/// blake3 (derive-key mode, so never equal to [`of_bytes`] of anything) of layout, width, height and samples.
///
/// Two files with the same picture in different containers have the same one.
#[must_use]
pub fn of_image(image: &Image) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(IMAGE_DOMAIN);
    hasher.update(&[image.layout.code()]);
    hasher.update(&image.width.to_le_bytes());
    hasher.update(&image.height.to_le_bytes());
    hasher.update(&image.samples);
    Digest(*hasher.finalize().as_bytes())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Colour, Layout};

    #[test]
    fn bytes_hash_as_published() {
        // blake3 of the empty input, from the algorithm's test vectors
        assert_eq!(of_bytes(b"").to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    }

    #[test]
    fn shape_and_layout_are_part_of_an_image() {
        let make = |w, h, colour, n| Image::new(w, h, Layout::eight(colour), vec![0; n]).unwrap();
        let all = [
            make(2, 3, Colour::Gray, 6),
            make(3, 2, Colour::Gray, 6),
            make(1, 2, Colour::Rgb, 6),
            make(2, 1, Colour::Rgb, 6),
            make(3, 2, Colour::Indexed, 6),
        ];
        let mut digests: Vec<_> = all.iter().map(of_image).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
    }
}
