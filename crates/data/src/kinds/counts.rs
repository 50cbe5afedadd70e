//! A static context model of images, cheap enough to be made of any part of a dataset.

use crate::layout::Image;
use crate::statistics::med;

/// Classes of a residual's size: 0, 1, 2, then two an octave up to 2^15; as many again for negative ones.
const SIZES: usize = 34;
const CLASSES: usize = 2 * SIZES;
/// Classes of how much the neighbours differ, an octave each.
const ACTIVITIES: usize = 16;
/// Classes of the residual of the channel before in the same pixel.
const BEFORE: usize = 4;

/// How often residuals of the median edge detector had which size, in contexts of channel, activity of the neighbours and residual of the channel before.
///
/// Counts of images add up, so the code length of any group of images is known at once. A learned network sees more and predicts better; but what images
/// of different kinds lose by sharing one such table tells whether they would lose by sharing a network. Loss of the best two kinds, share of the code
/// length: photos100 0.25 %, cifar10 0.31 %, fashion_mnist 0.2 %, both photo sets together 0.35 %; photographs with icons 1.3 %, nuclei (two ways of
/// staining) 7.7 %.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts(Vec<f64>);

impl Counts {
    /// Counts an image. Its first row and its first and last columns, which lack neighbours, are left out.
    #[must_use]
    pub fn of_image(image: &Image) -> Self {
        if image.layout.sample_bytes() == 2 {
            let samples: Vec<u16> = image.samples.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
            counted(&samples, image)
        } else {
            counted(&image.samples, image)
        }
    }

    /// Adds what `other` counted, `weight` times.
    pub fn add(&mut self, other: &Self, weight: f64) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0.0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(count, other)| *count += weight * other);
    }

    /// Code length of all that was counted under its own best table, bits: the entropy of each context, and half a logarithm of its count for each
    /// class that occurs in it, which is what learning the table takes (Rissanen 1984).
    #[must_use]
    pub fn bits(&self) -> f64 {
        let of_context = |counts: &[f64]| {
            let total: f64 = counts.iter().sum();
            let used = counts.iter().filter(|&&count| count > 0.0);
            let entropy: f64 = used.clone().map(|count| count * (total / count).log2()).sum();
            if total > 0.0 { entropy + 0.5 * used.count() as f64 * (total + 1.0).log2() } else { 0.0 }
        };
        self.0.chunks_exact(CLASSES).map(of_context).sum()
    }

    /// Code length of the samples that were counted, bits: [`Counts::bits`] and, as many values are one class, which of them each residual is.
    #[must_use]
    pub fn sample_bits(&self) -> f64 {
        let within = |class: usize| (class % SIZES / 2).saturating_sub(1) as f64;
        self.bits() + self.0.iter().enumerate().map(|(at, count)| count * within(at % CLASSES)).sum::<f64>()
    }

    /// Code length of what was counted under the table of `others`, bits; each class of theirs counts half more than it occurred.
    #[must_use]
    pub fn bits_under(&self, others: &Self) -> f64 {
        let none = [0.0; CLASSES];
        let tables = others.0.chunks_exact(CLASSES).chain(std::iter::repeat(&none[..]));
        let of_context = |(counts, table): (&[f64], &[f64])| {
            let total = table.iter().sum::<f64>() + 0.5 * CLASSES as f64;
            let used = counts.iter().zip(table).filter(|(count, _)| **count > 0.0);
            used.map(|(count, table)| count * (total / (table + 0.5)).log2()).sum::<f64>()
        };
        self.0.chunks_exact(CLASSES).zip(tables).map(of_context).sum()
    }
}

fn counted<T: Copy + Into<u16>>(samples: &[T], image: &Image) -> Counts {
    let (channels, row) = (image.layout.channels(), image.row_samples());
    let (modulus, half) = (i32::from(image.layout.max_sample()) + 1, (i32::from(image.layout.max_sample()) + 1) / 2);
    let mut counts = vec![0.0; channels * ACTIVITIES * BEFORE * CLASSES];
    for (above, here) in samples.chunks_exact(row).zip(samples.chunks_exact(row).skip(1)) {
        let mut before = 0;
        for x in channels..row.saturating_sub(channels) {
            let [left, up, corner, right] = [here[x - channels], above[x], above[x - channels], above[x + channels]].map(Into::into);
            let residual = i32::from(here[x].into()) - i32::from(med(left, up, corner));
            // The smaller of the two that lead to the same sample.
            let residual = (residual + half).rem_euclid(modulus) - half;
            let activity = left.abs_diff(corner).saturating_add(up.abs_diff(corner)).saturating_add(up.abs_diff(right));
            let context = (x % channels * ACTIVITIES + octave(activity).min(ACTIVITIES - 1)) * BEFORE + if x % channels == 0 { 0 } else { before };
            counts[context * CLASSES + size(residual.unsigned_abs()) + if residual < 0 { SIZES } else { 0 }] += 1.0;
            before = octave(residual.unsigned_abs() as u16).min(BEFORE - 1);
        }
    }
    Counts(counts)
}

/// 0 for 0, 1 for 1, 2 for 2 and 3, and so on.
const fn octave(value: u16) -> usize {
    (u16::BITS - value.leading_zeros()) as usize
}

/// 0, 1, 2, then two classes an octave.
const fn size(residual: u32) -> usize {
    if residual <= 2 {
        return residual as usize;
    }
    let octave = residual.ilog2() as usize;
    2 * octave + (residual >> (octave - 1) & 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;

    /// Noise of so many levels, `step` apart.
    fn noisy(levels: u32, step: u32, layout: &str) -> Image {
        let layout: Layout = layout.parse().unwrap();
        let mut state = levels;
        let samples = (0..96 * 96 * layout.channels() * layout.sample_bytes()).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) % levels * step) as u8
        });
        Image::new(96, 96, layout, samples.collect()).unwrap()
    }

    fn together(images: &[&Image]) -> f64 {
        let mut counts = Counts::default();
        images.iter().for_each(|image| counts.add(&Counts::of_image(image), 1.0));
        counts.bits()
    }

    #[test]
    fn images_of_a_kind_lose_nothing_together_and_others_do() {
        for layout in ["gray8", "rgb8", "gray16"] {
            let (fine, fine_too, coarse) = (noisy(30, 1, layout), noisy(30, 1, layout), noisy(3, 15, layout));
            let [a, b, c] = [&fine, &fine_too, &coarse].map(|image| together(&[image]));
            assert!(together(&[&fine, &fine_too]) < a + b, "{layout}: one table is learned once");
            assert!(together(&[&fine, &coarse]) > a + c, "{layout}");
            let [fine, fine_too, coarse] = [&fine, &fine_too, &coarse].map(Counts::of_image);
            assert!(fine.bits_under(&fine_too) < fine.bits_under(&coarse), "{layout}");
            assert!(fine.bits_under(&Counts::default()) > fine.bits_under(&fine_too), "{layout}: nothing is known");
        }
    }

    #[test]
    fn images_without_neighbours_count_for_nothing() {
        assert_eq!(Counts::of_image(&Image::new(2, 1, "rgb8".parse().unwrap(), vec![7; 6]).unwrap()).bits(), 0.0);
        assert_eq!(Counts::default().bits(), 0.0);
    }

    #[test]
    fn samples_take_what_even_draws_take() {
        // Residuals of 30 even levels are spread wider than the levels.
        let (image, samples) = (noisy(30, 1, "gray8"), 94.0 * 95.0);
        let bits = Counts::of_image(&image).sample_bits() / samples;
        assert!((30f64.log2()..30f64.log2() + 1.0).contains(&bits), "{bits}");
        assert!(Counts::of_image(&noisy(2, 1, "gray8")).sample_bits() / samples < 1.6);
    }

    #[test]
    fn sizes_have_classes_of_their_own_up_to_the_largest() {
        let classes: Vec<usize> = [0, 1, 2, 3, 4, 5, 6, 8, 12, 255, 32_768].map(size).to_vec();
        assert_eq!(classes, [0, 1, 2, 3, 4, 4, 5, 6, 7, 15, 30]);
        assert!(size(65_535) < SIZES);
    }
}
