//! Random numbers and smooth noise, in integers.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

/// The generator's step, 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Its output function: every bit of the input moves every bit of the output.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Random {
    /// A stream of its own for each seed and number.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number.wrapping_add(STEP))))
    }

    /// 64 random bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `bound` (at least 1); the bias of at most `bound / 2^32` does not matter here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }
}

/// Value noise: random heights on grids of 64, 32, 16 ... pixels, smoothly joined, each grid half as high as the one before.
#[derive(Debug)]
pub(super) struct Noise {
    seed: u64,
    octaves: u32,
}

impl Noise {
    /// Noise of `octaves` grids, 1 to 6.
    pub(super) fn new(seed: u64, octaves: u32) -> Self {
        Self { seed, octaves }
    }

    /// Height at a pixel, 0..=255.
    pub(super) fn at(&self, x: u32, y: u32) -> i32 {
        let mut sum = 0;
        let mut range = 0;
        for octave in 0..self.octaves {
            let cell = 64 >> octave;
            sum += self.octave(octave, x, y, cell) >> octave;
            range += (255 * 256) >> octave;
        }
        // The sum of several heights gathers in the middle; twice the contrast fills the range again.
        ((sum * 255 / range - 128) * 2 + 128).clamp(0, 255)
    }

    /// Height of one grid, 0..=255 * 256.
    fn octave(&self, octave: u32, x: u32, y: u32, cell: u32) -> i32 {
        let (column, row) = (x / cell, y / cell);
        let (across, down) = (ease(x % cell, cell), ease(y % cell, cell));
        let corner = |column: u32, row: u32| {
            let place = u64::from(octave) << 60 | u64::from(column) << 30 | u64::from(row);
            (mix(self.seed ^ mix(place)) >> 56) as i32
        };
        let join = |from: i32, to: i32, share: i32| from * (256 - share) + to * share;
        let top = join(corner(column, row), corner(column + 1, row), across);
        let bottom = join(corner(column, row + 1), corner(column + 1, row + 1), across);
        join(top, bottom, down) / 256
    }
}

/// Smoothstep `3t^2 - 2t^3` of `offset / cell`, in 1/256.
fn ease(offset: u32, cell: u32) -> i32 {
    let t = i64::from(offset) * 256 / i64::from(cell);
    ((3 * 256 - 2 * t) * t * t / (256 * 256)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_its_published_numbers() {
        // First outputs for the seed 1234567, as in the reference implementation.
        let mut random = Random(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = Random::new(1, 2);
        let drawn: Vec<u64> = (0..1000).map(|_| random.below(6)).collect();
        assert!((0..6).all(|side| drawn.iter().filter(|seen| **seen == side).count() > 100));
        assert!(drawn.iter().all(|side| *side < 6));
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn noise_is_smooth_and_uses_its_range() {
        let noise = Noise::new(9, 3);
        let line: Vec<i32> = (0..4000).map(|x| noise.at(x, 17)).collect();
        assert!(line.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 48));
        assert!(line.iter().any(|height| *height < 40) && line.iter().any(|height| *height > 215));
        assert_eq!((ease(0, 64), ease(32, 64)), (0, 128));
    }
}
