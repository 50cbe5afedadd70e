//! How the samples of a group of 16-bit images become symbols: as few bits as the values in use need, and steps as wide as the noise asks for.

use kolmo_codec::alphabet::{Alphabet, MAX_RESOLUTION};
use kolmo_codec::context::Plane;
use kolmo_codec::program::{Program, Wide};
use kolmo_codec::sample::Sample;
use kolmo_data::layout::Image;

use crate::dataset::{Dataset, Group};
use crate::error::Error;

/// What a run of values costs in a Program once it is coded, bits: measured 3 to 20.
const RUN_BITS: f64 = 16.0;
/// Values to either side that say how often a value that never occurs would be expected.
const NEAR: usize = 8;
/// Median size of the residuals of the median edge detector, in steps, that is aimed at.
const NOISE_STEPS: f64 = 4.0;

/// Symbols of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// Bits of a symbol.
    pub(crate) bit_depth: u8,
    /// How samples become symbols; `None` where they are.
    pub(crate) wide: Option<Wide>,
}

impl Symbols {
    /// Those that a Program codes.
    pub(crate) fn of(program: &Program) -> Self {
        Self { bit_depth: program.bit_depth, wide: program.wide.clone() }
    }

    /// Chosen for the images of a group: all that are to be coded.
    pub(crate) fn choose(dataset: &Dataset, group: &Group) -> Result<Self, Error> {
        if group.layout.bit_depth <= 8 {
            return Ok(Self { bit_depth: group.layout.bit_depth, wide: None });
        }
        let mut counts = vec![0u64; 1 << 16];
        for &number in &group.items {
            samples(&*dataset.open(number)?).for_each(|sample| counts[usize::from(sample)] += 1);
        }
        let values = values(&counts);
        let highest = values.last().copied().unwrap_or_else(|| counts.iter().rposition(|&count| count > 0).unwrap_or(0) as u16);
        let symbols = if values.is_empty() { usize::from(highest) + 1 } else { values.len() };
        let bit_depth = (symbols.max(2).next_power_of_two().ilog2()) as u8;
        let mut wide = Wide { resolution: 0, values };
        if bit_depth > 8 {
            let mut sizes = vec![0u64; 1 << 16];
            for &number in &group.items {
                count_residuals(&wide, bit_depth, &*dataset.open(number)?, &mut sizes);
            }
            wide.resolution = resolution(&sizes);
        }
        Ok(Self { bit_depth, wide: Some(wide) })
    }

    pub(crate) fn is_deep(&self) -> bool {
        self.bit_depth > 8
    }

    fn alphabet(&self) -> Alphabet {
        Alphabet::new(self.bit_depth, self.wide.as_ref().map_or(0, |wide| wide.resolution))
    }

    /// An image as a Program of these symbols sees it; `S` is `u16` if they are deep, else `u8`.
    pub(crate) fn plane<S: Sample>(&self, image: &Image, order: &[u8]) -> Result<Plane<S>, Error> {
        let symbols: Vec<S> = match &self.wide {
            None => image.samples.iter().map(|&sample| S::of(sample.into())).collect(),
            Some(wide) => wide.symbols(&image.samples, self.bit_depth)?.into_iter().map(|symbol| S::of(symbol.into())).collect(),
        };
        Ok(Plane::new(image.height as usize, image.width as usize, &symbols, order, self.alphabet())?)
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
    let around = |value: usize| {
        let (from, to) = (value.saturating_sub(NEAR), (value + NEAR + 1).min(counts.len()));
        (sums[to] - sums[from]) as f64 / (to - from) as f64
    };
    let (mut all, mut missing) = (0.0, 0.0);
    for value in usize::from(low)..=usize::from(high) {
        let expected = around(value);
        all += expected;
        missing += if counts[value] == 0 { expected } else { 0.0 };
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
