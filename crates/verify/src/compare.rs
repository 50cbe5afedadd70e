//! Finds the first difference between what an archive expands to and an original.

use kolmo_codec::container::Fidelity;
use kolmo_data::layout::Image;
use kolmo_data::open::{self, OpenLimits, Opened};

use crate::expand::Expanded;

/// Where two files differ first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The byte at this offset, or the end of one of them.
    Byte {
        /// Offset in the file.
        offset: u64,
    },
    /// The original is no image (any more).
    NoImage,
    /// Size or sample layout.
    Shape,
    /// The sample at this place.
    Sample {
        /// Row.
        y: u64,
        /// Column.
        x: u64,
        /// Channel.
        channel: u64,
    },
    /// The facts about the image: palette, transparency, colour space, resolution.
    Facts,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Byte { offset } => write!(f, "differs first at byte {offset}"),
            Self::NoImage => f.write_str("is an image in the archive only"),
            Self::Shape => f.write_str("differs in size or sample layout"),
            Self::Sample { y, x, channel } => write!(f, "differs first at row {y}, column {x}, channel {channel}"),
            Self::Facts => f.write_str("has the same samples, but other facts (palette, transparency, colour space or resolution)"),
        }
    }
}

impl Difference {
    /// The same in a file in which what was compared begins `offset` bytes later.
    #[must_use]
    pub const fn after(self, offset: u64) -> Self {
        match self {
            Self::Byte { offset: at } => Self::Byte { offset: at.saturating_add(offset) },
            other => other,
        }
    }
}

/// The first difference between `expanded` and `original`, the bytes of the whole original file from `expanded.start` on; with `last`, the file should end with it.
///
/// Files are compared byte by byte; images of an archive of fidelity `pixels` by their samples, and by their facts: both files must open
/// to the same recipe.
#[must_use]
pub fn first_difference(fidelity: Fidelity, expanded: &Expanded, last: bool, original: &[u8]) -> Option<Difference> {
    match &expanded.image {
        Some(image) if fidelity == Fidelity::Pixels => image_difference(image, &expanded.bytes, original),
        _ => byte_difference(expanded, last, original),
    }
}

fn byte_difference(expanded: &Expanded, last: bool, original: &[u8]) -> Option<Difference> {
    let same = expanded.bytes.iter().zip(original).take_while(|(a, b)| a == b).count();
    let surplus = last && original.len() > expanded.bytes.len();
    (same < expanded.bytes.len() || surplus).then(|| Difference::Byte { offset: expanded.start.saturating_add(same as u64) })
}

fn image_difference(image: &Image, file: &[u8], original: &[u8]) -> Option<Difference> {
    let recipe_of = |bytes: &[u8]| match open::open(bytes, open::Fidelity::Pixels, &OpenLimits::default()) {
        Opened::Image { image, recipe } => Some((image, recipe)),
        Opened::General { .. } => None,
    };
    let Some((other, facts)) = recipe_of(original) else { return Some(Difference::NoImage) };
    if (other.height, other.width, other.layout) != (image.height, image.width, image.layout) {
        return Some(Difference::Shape);
    }
    if other.samples != image.samples {
        let at = image.samples.iter().zip(&other.samples).take_while(|(a, b)| a == b).count() as u64;
        let at = at.checked_div(image.layout.sample_bytes() as u64).unwrap_or(0);
        let channels = image.layout.channels() as u64;
        let pixel = at.checked_div(channels).unwrap_or(0);
        let width = u64::from(image.width);
        let (y, x) = (pixel.checked_div(width).unwrap_or(0), pixel.checked_rem(width).unwrap_or(0));
        return Some(Difference::Sample { y, x, channel: at.checked_rem(channels).unwrap_or(0) });
    }
    let same_facts = recipe_of(file).is_some_and(|(_, ours)| ours == facts);
    (!same_facts).then_some(Difference::Facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_data::digest::of_bytes;

    fn expanded(start: u64, bytes: &[u8], last: bool) -> Expanded {
        Expanded { item: 0, start, bytes: bytes.to_vec(), last, digest: of_bytes(bytes), image: None }
    }

    #[test]
    fn bytes_differ_where_they_differ() {
        let difference = |expanded: &Expanded, original: &[u8]| first_difference(Fidelity::Files, expanded, expanded.last, original);
        assert_eq!(difference(&expanded(0, b"abc", true), b"abc"), None);
        assert_eq!(difference(&expanded(0, b"abc", false), b"abcd"), None);
        assert_eq!(difference(&expanded(10, b"abc", true), b"abX"), Some(Difference::Byte { offset: 12 }));
        assert_eq!(difference(&expanded(0, b"abc", true), b"abcd"), Some(Difference::Byte { offset: 3 }));
        assert_eq!(difference(&expanded(0, b"abc", false), b"ab"), Some(Difference::Byte { offset: 2 }));
    }

    #[test]
    fn images_differ_by_sample_and_shape() {
        let image = |bytes: &[u8]| match open::open(bytes, open::Fidelity::Pixels, &OpenLimits::default()) {
            Opened::Image { image, .. } => image,
            Opened::General { reason } => panic!("{reason}"),
        };
        let ours = b"P5 3 2 255\nabcdef";
        let expanded = Expanded { image: Some(image(ours)), ..expanded(0, ours, true) };
        let difference = |original: &[u8]| first_difference(Fidelity::Pixels, &expanded, true, original);
        assert_eq!(difference(ours), None);
        assert_eq!(difference(b"P5 3 2 255\nabcdeX"), Some(Difference::Sample { y: 1, x: 2, channel: 0 }));
        assert_eq!(difference(b"P5 2 3 255\nabcdef"), Some(Difference::Shape));
        assert_eq!(difference(b"not an image"), Some(Difference::NoImage));
    }
}
