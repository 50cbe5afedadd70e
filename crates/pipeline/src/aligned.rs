//! Whether images show like things in like places, so that a Program gains by seeing where a pixel is.

use kolmo_data::layout::{Colour, Image};

/// Parts of an image along each axis.
const SIDE: usize = 8;
const PARTS: usize = SIDE * SIDE;

/// Variance of activity by place, octaves squared, from which hats are worth their weights: omniglot has 0.9, emoji in grey 3.9, fashion_mnist 4.5, mri_dicom16 27, which take
/// 1 to 2 % less; em_membrane has 0.01 (0.01 % more), photos100 and cifar10 in grey 0.2 and 0.3.
const LEAST_BY_PLACE: f64 = 0.5;
/// Times that parts have to differ by more than the images of one part do: by chance few images of much contrast do by up to 2.
const LEAST_CERTAIN: f64 = 3.0;

/// Whether these are grey images of one shape whose places differ in the same way: cuts of scans, characters, things in front of an even ground. Not so are textures and
/// most photographs.
pub(crate) fn are_aligned<'a>(images: impl Iterator<Item = &'a Image>) -> bool {
    let (mut shape, mut all) = (None, Variance::default());
    for image in images.filter(|image| image.height > 0 && image.width > 0) {
        let own = (image.height, image.width);
        if image.layout.colour != Colour::Gray || *shape.get_or_insert(own) != own {
            return false;
        }
        all.add(&activity(image));
    }
    let (by_place, certainty) = all.by_place();
    tracing::debug!(by_place, certainty, "like things in like places");
    by_place >= LEAST_BY_PLACE && certainty >= LEAST_CERTAIN
}

/// How far samples are from those to their left, in each part: binary logarithm of one more than the sum, shape `[SIDE, SIDE]`.
fn activity(image: &Image) -> [f64; PARTS] {
    let (height, width, bytes) = (image.height as usize, image.width as usize, image.layout.sample_bytes());
    let mut sums = [0u64; PARTS];
    for (y, row) in image.samples.chunks_exact(width * bytes).enumerate() {
        let sample = |x: usize| row[x * bytes..][..bytes].iter().rev().fold(0u16, |value, &byte| value << 8 | u16::from(byte));
        let parts = &mut sums[y * SIDE / height * SIDE..][..SIDE];
        (1..width).for_each(|x| parts[x * SIDE / width] += u64::from(sample(x).abs_diff(sample(x - 1))));
    }
    sums.map(|sum| ((sum + 1) as f64).log2())
}

/// Sums for an analysis of variance of two ways: by image and by part.
#[derive(Debug, Clone)]
struct Variance {
    images: f64,
    /// Of all images, for each part.
    parts: [f64; PARTS],
    /// Of all values squared, and of all images' means squared.
    squares: f64,
    squares_of_means: f64,
}

impl Default for Variance {
    fn default() -> Self {
        Self { images: 0.0, parts: [0.0; PARTS], squares: 0.0, squares_of_means: 0.0 }
    }
}

impl Variance {
    fn add(&mut self, image: &[f64; PARTS]) {
        self.images += 1.0;
        self.parts.iter_mut().zip(image).for_each(|(sum, value)| *sum += value);
        self.squares += image.iter().map(|value| value * value).sum::<f64>();
        self.squares_of_means += (image.iter().sum::<f64>() / PARTS as f64).powi(2);
    }

    /// The variance that place accounts for, once what differs from image to image as a whole is taken off, and how many times what chance would show it is (the F of the
    /// analysis): about 0 and 1 where place says nothing, or for fewer than two images.
    fn by_place(&self) -> (f64, f64) {
        let (n, parts) = (self.images, PARTS as f64);
        if n < 2.0 {
            return (0.0, 1.0);
        }
        let of_mean = n * parts * (self.parts.iter().sum::<f64>() / (n * parts)).powi(2);
        let of_parts = self.parts.iter().map(|sum| sum * sum).sum::<f64>() / n - of_mean;
        let of_images = parts * self.squares_of_means - of_mean;
        let between = of_parts / (parts - 1.0);
        // Images may all be alike, and without any contrast.
        let within = ((self.squares - of_mean - of_parts - of_images) / ((parts - 1.0) * (n - 1.0))).max(1e-9);
        ((between - within) / n, between / within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of `low` levels, in the middle of `high`; a frame of even ground stays around it.
    fn image(layout: &str, (height, width): (usize, usize), seed: u32, [low, high]: [u32; 2]) -> Image {
        let layout: kolmo_data::layout::Layout = layout.parse().unwrap();
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut noise = |levels: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(state) * u64::from(levels)) >> 32) as u16
        };
        let is_middle = |at: usize, length: usize| (length / 4..length - length / 4).contains(&at);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let bytes = layout.sample_bytes();
        let samples = places.flat_map(|(y, x)| (0..layout.channels()).map(move |_| (y, x))).flat_map(|(y, x)| {
            let value = noise(if is_middle(y, height) && is_middle(x, width) { high } else { low });
            value.to_le_bytes().into_iter().take(bytes)
        });
        Image::new(width as u32, height as u32, layout, samples.collect()).unwrap()
    }

    fn aligned(layout: &str, shapes: [(usize, usize); 6], levels: [u32; 2]) -> bool {
        let images: Vec<Image> = (0..6).map(|n| image(layout, shapes[n], n as u32, levels)).collect();
        are_aligned(images.iter())
    }

    #[test]
    fn grey_images_of_one_shape_and_one_subject_are_aligned() {
        for layout in ["gray8", "gray16"] {
            assert!(aligned(layout, [(40, 30); 6], [3, 30]), "{layout}");
            assert!(aligned(layout, [(3, 5); 6], [2, 200]), "{layout}: fewer pixels than parts");
            // Noise all over, or hardly more of it in the middle.
            assert!(!aligned(layout, [(40, 30); 6], [30, 30]) && !aligned(layout, [(400, 300); 6], [40, 50]), "{layout}");
            assert!(!aligned(layout, [(40, 30), (40, 30), (40, 30), (40, 30), (40, 30), (30, 40)], [3, 30]), "{layout}: another shape");
            assert!(!aligned(layout, [(40, 30); 6], [1, 1]), "{layout}: no contrast at all");
        }
        assert!(!aligned("rgb8", [(40, 30); 6], [3, 30]) && !aligned("indexed8", [(40, 30); 6], [3, 30]));
        assert!(aligned("gray1", [(40, 30); 6], [1, 2]));
        let one = image("gray8", (40, 30), 1, [3, 30]);
        assert!(!are_aligned([&one].into_iter()) && !are_aligned([].into_iter()));
        assert!(are_aligned([&one, &one].into_iter()), "two of a kind");
    }
}
