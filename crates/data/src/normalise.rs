//! How samples are scaled for training. The samples we code are never touched.

use crate::layout::Layout;
use crate::statistics::Statistics;

/// Scale of one group of images.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Scale {
    /// Layout of the group.
    pub layout: Layout,
    /// Mean of each channel, as sample values; shape `[channels]`.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, as sample values; shape `[channels]`.
    pub deviation: Vec<f64>,
    /// Training copies are `sample << log2_scale`, so that every depth spans the 8-bit range: `8 - bit_depth`; 0 for 16 bits,
    /// whose scale the trained Program says.
    pub log2_scale: u8,
}

/// Scale of the images with `layout` among `training`, which should be the training part alone.
///
/// Sums are whole numbers, so the order of the images does not matter. Without images mean and deviation are 0.
pub fn scale<'a>(layout: Layout, training: impl IntoIterator<Item = &'a Statistics>) -> Scale {
    let (mut pixels, mut sum, mut sum_of_squares) = (0u128, [0u128; 4], [0u128; 4]);
    for image in training.into_iter().filter(|image| image.layout == layout) {
        pixels += u128::from(image.pixels);
        for channel in 0..4 {
            sum[channel] += u128::from(image.sum[channel]);
            sum_of_squares[channel] += u128::from(image.sum_of_squares[channel]);
        }
    }
    let n = pixels.max(1) as f64;
    let mean = |channel: usize| sum[channel] as f64 / n;
    // n * sum(x^2) - sum(x)^2 is exact and never negative (Cauchy-Schwarz)
    let deviation = |channel: usize| {
        let spread = pixels * sum_of_squares[channel] - sum[channel] * sum[channel];
        (spread as f64).sqrt() / n
    };
    Scale {
        layout,
        mean: (0..layout.channels()).map(mean).collect(),
        deviation: (0..layout.channels()).map(deviation).collect(),
        log2_scale: 8u8.saturating_sub(layout.bit_depth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Colour, Image};
    use crate::statistics::of_image;

    #[test]
    fn mean_and_deviation_are_those_of_all_samples_together() {
        let layout = Layout::new(Colour::Gray, 4).unwrap();
        let image = |samples: &[u8]| of_image(&Image::new(samples.len() as u32, 1, layout, samples.to_vec()).unwrap());
        let other = of_image(&Image::new(1, 1, Layout::eight(Colour::Gray), vec![255]).unwrap());
        let scale = scale(layout, &[image(&[2, 4, 4, 4]), other, image(&[5, 5, 7, 9])]);
        assert_eq!((scale.mean, scale.deviation), (vec![5.0], vec![2.0]));
        assert_eq!(scale.log2_scale, 4);
    }

    #[test]
    fn an_empty_group_has_a_scale() {
        let scale = scale(Layout::eight(Colour::Rgb), []);
        assert_eq!((scale.mean, scale.deviation, scale.log2_scale), (vec![0.0; 3], vec![0.0; 3], 0));
    }
}
