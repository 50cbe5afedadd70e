//! Pictures from a seed: their samples, before any file format.

use kolmo_data::layout::{Image, Layout};

/// Every sample layout of up to 8 bits.
pub(crate) const LAYOUTS: [&str; 11] =
    ["gray1", "gray2", "gray4", "gray8", "graya8", "rgb8", "rgba8", "indexed1", "indexed2", "indexed4", "indexed8"];

/// Those of 16 bits.
pub(crate) const DEEP: [&str; 4] = ["gray16", "graya16", "rgb16", "rgba16"];

/// A stream of random numbers that is the same everywhere, forever (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.number() as u8).take(count).collect()
    }
}

pub(crate) fn layout(name: &str) -> Layout {
    name.parse().expect("a layout of the list")
}

/// A cloudy texture: each sample is near the mean of its neighbours to the left and above, and channels follow each other. A Program can
/// know all but the last few grey levels; matches of equal bytes, which zstd looks for, are rare.
pub(crate) fn texture(name: &str, width: u32, height: u32, seed: u64) -> Image {
    let layout = layout(name);
    let (columns, channels) = (width as usize, layout.channels());
    let mut noise = Noise::new(seed);
    let mut fine = vec![0i64; columns * height as usize * channels];
    for at in 0..fine.len() {
        let (c, x, y) = (at % channels, at / channels % columns, at / channels / columns);
        let left = (x > 0).then(|| fine[at - channels]);
        let above = (y > 0).then(|| fine[at - columns * channels]);
        let base = match (left, above) {
            (Some(left), Some(above)) => i64::midpoint(left, above),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 60 + noise.below(136) as i64,
        };
        let step = noise.below(17) as i64 - 8;
        // Channels after the first mostly repeat its step.
        let first = at - c;
        let step = if c == 0 || x == 0 || y == 0 {
            step
        } else {
            let led = fine[first] - i64::midpoint(fine[first - channels], fine[first - columns * channels]);
            led + step / 4
        };
        fine[at] = (base + step).clamp(0, 255);
    }
    // Of few bits little would change from pixel to pixel, so the levels run up and down twice.
    let folded = |fine: i64| if layout.bit_depth < 4 { (255 - (fine * 4 % 510 - 255).abs()) as u8 } else { fine as u8 };
    let samples = match layout.bit_depth {
        // 12 bits of 16, the lowest four of which nobody can know.
        16 => fine.into_iter().flat_map(|fine| ((fine as u16) << 4 | noise.below(16) as u16).to_le_bytes()).collect(),
        bit_depth => fine.into_iter().map(|fine| folded(fine) >> (8 - bit_depth)).collect(),
    };
    Image::new(width, height, layout, samples).expect("as many samples as the shape asks for")
}

/// A disc with soft edges on nothing, the darker the lower: a drawing as icons are. Of one bit there is no more than its shape.
pub(crate) fn disc(name: &str, side: u32) -> Image {
    let layout = layout(name);
    let middle = i64::from(side) * 8;
    let place = |at: u32| i64::from(at) * 16 + 8 - middle;
    // What of a pixel the disc covers, 0 to 255, by its distance to the middle in sixteenths.
    let covered = |x: u32, y: u32| {
        let distance = (place(x).pow(2) + place(y).pow(2)).isqrt();
        ((middle - 20 - distance) * 16).clamp(0, 255) as u8
    };
    let samples = (0..side).flat_map(|y| (0..side).map(move |x| (x, y))).flat_map(|(x, y)| {
        let opacity = covered(x, y);
        let light = 250 - (y * 120 / side) as u8;
        match (layout.channels(), layout.bit_depth) {
            (1, 1) => vec![u8::from(opacity < 128)],
            (_, 8) if opacity == 0 => vec![0; layout.channels()],
            (channels, _) => [light, light / 2, 40, opacity][4 - channels..].to_vec(),
        }
    });
    Image::new(side, side, layout, samples.collect()).expect("as many samples as the shape asks for")
}

/// Samples that nothing can predict.
pub(crate) fn static_noise(name: &str, width: u32, height: u32, seed: u64) -> Image {
    let layout = layout(name);
    let count = width as usize * height as usize * layout.channels();
    let samples = Noise::new(seed).bytes(count).into_iter().map(|sample| sample >> (8 - layout.bit_depth)).collect();
    Image::new(width, height, layout, samples).expect("as many samples as the shape asks for")
}
