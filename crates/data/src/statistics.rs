//! Facts about the samples of one image, small enough to keep for every file of a dataset.

use crate::layout::{Image, Layout};

/// Sums over an image's samples.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Layout of the image.
    pub layout: Layout,
    /// Pixels, `width * height`.
    pub pixels: u64,
    /// Sum of each channel's samples; channels the layout does not have are 0.
    pub sum: [u64; 4],
    /// Sum of each channel's squared samples.
    pub sum_of_squares: [u64; 4],
    /// Order-0 entropy of the residuals of the median edge detector, bits per subpixel.
    ///
    /// How hard the image is to predict; 0 for a blank one, `bit_depth` for noise.
    pub residual_bpsp: f64,
}

/// Takes the statistics of an image.
#[must_use]
pub fn of_image(image: &Image) -> Statistics {
    let channels = image.layout.channels();
    let mut sum = [0u64; 4];
    let mut sum_of_squares = [0u64; 4];
    for pixel in image.samples.chunks_exact(channels) {
        for (channel, &sample) in pixel.iter().enumerate() {
            sum[channel] += u64::from(sample);
            sum_of_squares[channel] += u64::from(sample) * u64::from(sample);
        }
    }
    Statistics {
        layout: image.layout,
        pixels: u64::from(image.width) * u64::from(image.height),
        sum,
        sum_of_squares,
        residual_bpsp: residual_bpsp(image),
    }
}

/// Predictor of JPEG-LS (Weinberger, Seroussi, Sapiro, "LOCO-I", 2000, eq. 1): the median of left, up and left + up - corner.
const fn med(left: u8, up: u8, corner: u8) -> u8 {
    let (low, high) = if left < up { (left, up) } else { (up, left) };
    if corner >= high {
        low
    } else if corner <= low {
        high
    } else {
        // between low and high, since corner is
        (left as i16 + up as i16 - corner as i16) as u8
    }
}

fn residual_bpsp(image: &Image) -> f64 {
    let channels = image.layout.channels();
    let row_samples = image.row_samples();
    let mut counts = [0u64; 256];
    let zeros = vec![0; row_samples];
    let mut above = zeros.as_slice();
    for row in image.samples.chunks_exact(row_samples) {
        for (x, &sample) in row.iter().enumerate() {
            let (left, corner) = if x < channels { (above[x], above[x]) } else { (row[x - channels], above[x - channels]) };
            let residual = sample.wrapping_sub(med(left, above[x], corner)) & image.layout.max_sample();
            counts[usize::from(residual)] += 1;
        }
        above = row;
    }
    let n = image.samples.len() as f64;
    counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / n).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Colour;

    #[test]
    fn sums_are_per_channel() {
        let image = Image::new(2, 1, Layout::eight(Colour::Rgb), vec![1, 2, 3, 4, 5, 255]).unwrap();
        let statistics = of_image(&image);
        assert_eq!(statistics.sum, [5, 7, 258, 0]);
        assert_eq!(statistics.sum_of_squares, [17, 29, 65034, 0]);
        assert_eq!(statistics.pixels, 2);
    }

    #[test]
    fn blank_is_easy_ramps_are_easier_than_noise() {
        let gray = |samples: Vec<u8>| of_image(&Image::new(64, 64, Layout::eight(Colour::Gray), samples).unwrap());
        let blank = gray(vec![0; 4096]).residual_bpsp;
        let ramp = gray((0..4096u32).map(|i| (i % 64 + i / 64) as u8).collect()).residual_bpsp;
        let noise = gray((0..64u8).flat_map(|i| crate::digest::of_bytes(&[i]).0.repeat(2)).collect()).residual_bpsp;
        assert_eq!(blank, 0.0);
        assert!(ramp < 0.5, "{ramp}");
        assert!(noise > 7.0, "{noise}");
    }

    #[test]
    fn med_takes_the_edge_or_the_plane() {
        assert_eq!(med(10, 20, 25), 10);
        assert_eq!(med(10, 20, 5), 20);
        assert_eq!(med(10, 20, 12), 18);
        for (left, up, corner) in (0..=255).flat_map(|l| (0..=255).step_by(5).flat_map(move |u| [0, 17, 128, 255].map(|c| (l, u, c)))) {
            let mut plane = [i16::from(left), i16::from(up), i16::from(left) + i16::from(up) - i16::from(corner)];
            plane.sort_unstable();
            assert_eq!(i16::from(med(left, up, corner)), plane[1]);
        }
    }
}
