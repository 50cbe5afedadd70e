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

/// What [`crate::clean`] asks of an image: less than its sums, as it is asked of all files of a dataset at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    /// Layout of the image.
    pub layout: Layout,
    /// Pixels, `width * height`.
    pub pixels: u64,
    /// As in [`Statistics::residual_bpsp`].
    pub residual_bpsp: f64,
}

impl Statistics {
    /// The same without sums.
    #[must_use]
    pub const fn outline(&self) -> Outline {
        Outline { layout: self.layout, pixels: self.pixels, residual_bpsp: self.residual_bpsp }
    }
}

/// Takes the statistics of an image.
#[must_use]
pub fn of_image(image: &Image) -> Statistics {
    let channels = image.layout.channels();
    let mut sum = [0u64; 4];
    let mut sum_of_squares = [0u64; 4];
    let mut add = |i: usize, sample: u16| {
        sum[i % channels] += u64::from(sample);
        sum_of_squares[i % channels] += u64::from(sample) * u64::from(sample);
    };
    let residual_bpsp = if image.layout.sample_bytes() == 2 {
        let samples: Vec<u16> = image.samples.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
        samples.iter().enumerate().for_each(|(i, &sample)| add(i, sample));
        residual_bpsp(&samples, image)
    } else {
        image.samples.iter().enumerate().for_each(|(i, &sample)| add(i, sample.into()));
        residual_bpsp(&image.samples, image)
    };
    Statistics { layout: image.layout, pixels: u64::from(image.width) * u64::from(image.height), sum, sum_of_squares, residual_bpsp }
}

/// Predictor of JPEG-LS (Weinberger, Seroussi, Sapiro, "LOCO-I", 2000, eq. 1): the median of left, up and left + up - corner.
pub(crate) fn med(left: u16, up: u16, corner: u16) -> u16 {
    let (low, high) = if left < up { (left, up) } else { (up, left) };
    if corner >= high {
        low
    } else if corner <= low {
        high
    } else {
        // between low and high, since corner is
        (i32::from(left) + i32::from(up) - i32::from(corner)) as u16
    }
}

fn residual_bpsp<T: Copy + Into<u16>>(samples: &[T], image: &Image) -> f64 {
    let channels = image.layout.channels();
    let row_samples = image.row_samples();
    let max = image.layout.max_sample();
    let mut counts = vec![0u64; usize::from(max) + 1];
    let mut above: Option<&[T]> = None;
    for row in samples.chunks_exact(row_samples) {
        for (x, &sample) in row.iter().enumerate() {
            let up = |x: usize| above.map_or(0, |above| above[x].into());
            let (left, corner) = if x < channels { (up(x), up(x)) } else { (row[x - channels].into(), up(x - channels)) };
            let residual = sample.into().wrapping_sub(med(left, up(x), corner)) & max;
            counts[usize::from(residual)] += 1;
        }
        above = Some(row);
    }
    let n = samples.len() as f64;
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
        for (left, up, corner) in (0..=255u16).flat_map(|l| (0..=255u16).step_by(5).flat_map(move |u| [0, 17, 128, 255].map(|c| (l, u, c)))) {
            let mut plane = [left, up, corner].map(i32::from);
            plane[2] = plane[0] + plane[1] - plane[2];
            plane.sort_unstable();
            assert_eq!(i32::from(med(left, up, corner)), plane[1]);
        }
    }
}
