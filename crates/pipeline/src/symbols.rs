//! How the samples of a group of 16-bit images become symbols: as few bits as the values in use need, and steps as wide as the noise asks for.

use kolmo_codec::alphabet::{Alphabet, MAX_RESOLUTION};
use kolmo_codec::colour::Colour;
use kolmo_codec::context::Plane;
use kolmo_codec::program::{Program, Wide};
use kolmo_codec::sample::Sample;
use kolmo_data::layout::Image;

use crate::dataset::{Dataset, Group};
use crate::error::Error;

/// What a run of values costs in a Program once it is coded, bits: measured 3 to 20.
const RUN_BITS: f64 = 16.0;
/// Values in use to either side, about, that say how often a value that never occurs would be expected.
const NEAR: usize = 8;
/// Median size of the residuals of the median edge detector, in steps, that is aimed at.
const NOISE_STEPS: f64 = 4.0;

/// What is done with an image that is shown.
type Look<'a> = &'a mut dyn FnMut(&Image);

/// Symbols of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// Bits of a symbol.
    pub(crate) bit_depth: u8,
    /// How samples become symbols; `None` where they are.
    pub(crate) wide: Option<Wide>,
    /// The colour space that they are of.
    pub(crate) colour: Option<Colour>,
}

impl Symbols {
    /// Those that a Program codes.
    pub(crate) fn of(program: &Program) -> Self {
        Self { bit_depth: program.bit_depth, wide: program.wide.clone(), colour: program.colour }
    }

    /// Chosen for the images of a group: all that are to be coded.
    pub(crate) fn choose(dataset: &Dataset, group: &Group) -> Result<Self, Error> {
        let show = |look: Look<'_>| {
            for &number in &group.items {
                look(&*dataset.open(number)?);
            }
            Ok(())
        };
        Ok(Self { colour: group.colour, ..Self::seen(group.layout.bit_depth, &show)? })
    }

    /// Chosen for images of `bit_depth` bits that `each` shows.
    fn seen(bit_depth: u8, each: &dyn Fn(Look<'_>) -> Result<(), Error>) -> Result<Self, Error> {
        if bit_depth <= 8 {
            return Ok(Self { bit_depth, wide: None, colour: None });
        }
        let mut counts = vec![0u64; 1 << 16];
        each(&mut |image| samples(image).for_each(|sample| counts[usize::from(sample)] += 1))?;
        let values = values(&counts);
        let highest = values.last().copied().unwrap_or_else(|| counts.iter().rposition(|&count| count > 0).unwrap_or(0) as u16);
        let symbols = if values.is_empty() { usize::from(highest) + 1 } else { values.len() };
        let bit_depth = (symbols.max(2).next_power_of_two().ilog2()) as u8;
        let mut wide = Wide { resolution: 0, values };
        if bit_depth > 8 {
            let mut sizes = vec![0u64; 1 << 16];
            each(&mut |image| count_residuals(&wide, bit_depth, image, &mut sizes))?;
            wide.resolution = resolution(&sizes);
        }
        Ok(Self { bit_depth, wide: Some(wide), colour: None })
    }

    pub(crate) fn is_deep(&self) -> bool {
        self.bit_depth > 8
    }

    fn alphabet(&self) -> Alphabet {
        Alphabet::new(self.bit_depth, self.wide.as_ref().map_or(0, |wide| wide.resolution))
    }

    /// An image as a Program of these symbols sees it; `S` is `u16` if they are deep, else `u8`.
    pub(crate) fn plane<S: Sample>(&self, image: &Image, order: &[u8]) -> Result<Plane<S>, Error> {
        let symbols: Vec<S> = match (&self.wide, self.colour) {
            (Some(wide), _) => wide.symbols(&image.samples, self.bit_depth)?.into_iter().map(|symbol| S::of(symbol.into())).collect(),
            (None, Some(colour)) => {
                let converted = colour.symbols(&image.samples, image.width as usize);
                converted.symbols.into_iter().map(|symbol| S::of(symbol.into())).collect()
            }
            (None, None) => image.samples.iter().map(|&sample| S::of(sample.into())).collect(),
        };
        Ok(Plane::new(image.height as usize, image.width as usize, &symbols, order, self.alphabet())?)
    }

    /// Whether they are for images that were converted from `colour`, or from none: of others, most pixels would stand beside the space.
    pub(crate) fn suit(&self, colour: Option<Colour>) -> bool {
        self.colour.is_none() || self.colour == colour
    }

    /// Whether every sample of an image has a symbol.
    pub(crate) fn know(&self, image: &Image) -> bool {
        self.wide.as_ref().is_none_or(|wide| wide.symbols(&image.samples, self.bit_depth).is_ok())
    }
}

fn samples(image: &Image) -> impl Iterator<Item = u16> {
    image.samples.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair))
}

/// The values of symbols: those that occur, if leaving the others out saves more than saying so; all from the lowest to the highest, if that takes a bit
/// off the symbols; else empty, samples being the symbols.
fn values(counts: &[u64]) -> Vec<u16> {
    let used: Vec<u16> = (0..=u16::MAX).filter(|&value| counts[usize::from(value)] > 0).collect();
    let (Some(&low), Some(&high)) = (used.first(), used.last()) else { return Vec::new() };
    let runs = used.chunk_by(|a, b| a.checked_add(1) == Some(*b)).count();
    // What is lost if every value in between is expected as often as those around it.
    let sums: Vec<u64> = std::iter::once(0)
        .chain(counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
        .collect();
    let near = NEAR * (usize::from(high - low) + 1).div_ceil(used.len());
    let around = |value: usize| {
        let (from, to) = (value.saturating_sub(near), (value + near + 1).min(counts.len()));
        (sums[to] - sums[from]) as f64 / (to - from) as f64
    };
    let (mut all, mut missing) = (0.0, 0.0);
    for (value, &count) in counts.iter().enumerate().take(usize::from(high) + 1).skip(low.into()) {
        let expected = around(value);
        all += expected;
        missing += if count == 0 { expected } else { 0.0 };
    }
    let total: u64 = counts.iter().sum();
    let gain = -(1.0 - missing / all.max(1.0)).max(1e-6).log2() * total as f64;
    let bits = |symbols: usize| symbols.max(2).next_power_of_two().ilog2();
    if gain > 2.0 * RUN_BITS * runs as f64 {
        used
    } else if bits(usize::from(high - low) + 1) < bits(usize::from(high) + 1) {
        (low..=high).collect()
    } else {
        Vec::new()
    }
}

/// Counts residuals of the median edge detector by their size, in symbols.
fn count_residuals(wide: &Wide, bit_depth: u8, image: &Image, sizes: &mut [u64]) {
    let Ok(symbols) = wide.symbols(&image.samples, bit_depth) else { return };
    let channels = image.layout.channels();
    let row = image.width as usize * channels;
    for (above, here) in symbols.chunks_exact(row).zip(symbols.chunks_exact(row).skip(1)) {
        for x in channels..row {
            let (left, up, corner) = (i32::from(here[x - channels]), i32::from(above[x]), i32::from(above[x - channels]));
            let predicted = (left + up - corner).clamp(left.min(up), left.max(up));
            sizes[(i32::from(here[x]) - predicted).unsigned_abs() as usize] += 1;
        }
    }
}

/// The resolution that makes the median size of residuals other than 0 about [`NOISE_STEPS`].
fn resolution(sizes: &[u64]) -> u8 {
    let half = sizes[1..].iter().sum::<u64>().div_ceil(2);
    let mut seen = 0;
    let median = sizes[1..].iter().position(|&count| {
        seen += count;
        seen >= half
    });
    let median = median.map_or(1, |at| at + 1) as f64;
    (median / NOISE_STEPS).log2().round().clamp(0.0, f64::from(MAX_RESOLUTION)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, samples: &[u16]) -> Image {
        let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Image::new(width, samples.len() as u32 / width, "gray16".parse().expect("a layout"), bytes).expect("an image")
    }

    /// 64 x 64 samples from a seed, each `noise` or less from a slope.
    fn noisy(noise: u32, low: u32, times: u32) -> Image {
        let mut state = 7u32;
        let samples = (0..64 * 64).map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((low + at % 64 + at / 64 + (state >> 16) % noise) * times) as u16
        });
        image(64, &samples.collect::<Vec<_>>())
    }

    fn seen(image: &Image) -> Symbols {
        let show = |look: &mut dyn FnMut(&Image)| {
            look(image);
            Ok(())
        };
        Symbols::seen(16, &show).expect("images that are there")
    }

    fn chosen(image: &Image) -> (u8, u8, usize) {
        let symbols = seen(image);
        let wide = symbols.wide.clone().expect("16-bit samples are wide");
        assert!(symbols.know(image));
        let order = [0];
        let bytes = match symbols.is_deep() {
            true => wide.samples(symbols.plane::<u16>(image, &order).expect("known").into_samples(&order).into_iter()),
            false => wide.samples(symbols.plane::<u8>(image, &order).expect("known").into_samples(&order).into_iter().map(u16::from)),
        };
        assert_eq!(bytes.expect("symbols have samples"), image.samples);
        (symbols.bit_depth, wide.resolution, wide.values.len())
    }

    #[test]
    fn symbols_have_as_many_bits_as_the_samples_need() {
        assert_eq!(chosen(&noisy(20, 0, 1)), (8, 0, 0), "values up to 145");
        assert_eq!(chosen(&noisy(500, 0, 1)).0, 10);
        let (bit_depth, _, values) = chosen(&noisy(20, 32_768, 1));
        assert!(bit_depth == 8 && (130..=146).contains(&values), "a run of values from far above 0");
        assert_eq!(chosen(&image(3, &[7; 9])), (1, 0, 1));
    }

    #[test]
    fn values_that_are_never_used_cost_nothing() {
        let (bit_depth, resolution, values) = chosen(&noisy(500, 100, 64));
        assert!(bit_depth == 10 && resolution > 2 && values > 500 && values < 630, "{bit_depth} {resolution} {values}");
        // A few that are missing by chance are not worth saying.
        assert_eq!(chosen(&noisy(3000, 0, 1)).2, 0);
    }

    #[test]
    fn steps_are_as_wide_as_the_noise_asks_for() {
        let resolutions = [30, 300, 3000, 60_000].map(|noise| chosen(&noisy(noise, 300, 1)).1);
        assert!(resolutions.is_sorted() && resolutions[0] < 3 && resolutions[3] == MAX_RESOLUTION, "{resolutions:?}");
    }

    #[test]
    fn other_samples_are_not_known() {
        let symbols = seen(&noisy(20, 0, 64));
        assert!(!symbols.know(&image(1, &[1])) && symbols.know(&image(1, &[64 * 30])));
    }
}
