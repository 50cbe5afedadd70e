//! Where each symbol's share of probability begins: a mixture of logistics plus mass on exact values, in integers.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and sums are bounded by the fixed-point ranges stated beside them"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod eights;
#[cfg(target_arch = "aarch64")]
mod fours;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod logistic;
mod mixtures;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::alphabet::Alphabet;
use crate::kernel::Kernel;
use crate::sample::Sample;
use crate::tables::EXP2_NEG;
pub(crate) use logistic::upper_logistic;
pub(crate) use mixtures::{Found, Mixtures};

/// Bits of a probability; the whole mass is `1 << PRECISION`.
pub const PRECISION: usize = 24;

/// Most components and spikes a mixture may have.
pub(crate) const MAX_PARTS: usize = 32 + 255;

/// Parts that are set at once.
const PARTS: usize = 16;
/// Distributions of a batch that are evaluated at once.
pub(crate) const GROUP: usize = 16;
/// Edges that are evaluated at once.
pub(crate) const EDGES: usize = 16;

/// The distribution of one symbol.
///
/// - alphabet: `0..2^bit_depth`, each symbol as wide as [`Alphabet`] says
/// - unit: 2^-24 of a probability
/// - holds: `mass_below(0) == 0`, strictly rising, `mass_below(alphabet) == 1 << 24`
///
/// Nothing is tabulated but, for decoding, the masses around the likeliest symbol: mass below any symbol is computed on demand.
#[derive(Debug, Clone)]
pub struct Mixture {
    kernel: Kernel,
    alphabet: Alphabet,
    /// Those of the components, then those of the spikes, unit 2^-16; filled up with 0 to a multiple of [`PARTS`].
    weights: Vec<u32>,
    /// Number of components.
    components: usize,
    /// Means of the components, unit 2^-8 step; these three, too, are filled up.
    means: Vec<i32>,
    /// 2^16 times the fractional part of the inverse scale.
    mantissas: Vec<u32>,
    /// Bits by which the product with the mantissa falls to unit 2^-13.
    shifts: Vec<u32>,
    /// Symbols of the spikes.
    values: Vec<u32>,
    /// The part of most weight.
    heaviest: usize,
    window: Option<Window>,
}

/// Masses below [`EDGES`] symbols in a row.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: u32,
    masses: [u32; EDGES],
}

impl Mixture {
    /// An empty mixture for symbols of `alphabet`, to be set by [`Mixture::set`].
    #[must_use]
    pub fn new(alphabet: impl Into<Alphabet>, components: usize, spikes: usize) -> Self {
        Self::by(Kernel::best(), alphabet.into(), components, spikes)
    }

    /// The same, computed by the instructions of `kernel`.
    pub(crate) fn by(kernel: Kernel, alphabet: Alphabet, components: usize, spikes: usize) -> Self {
        assert!(components + spikes <= MAX_PARTS && components > 0);
        let padded = components.next_multiple_of(PARTS);
        Self {
            kernel,
            alphabet,
            weights: vec![0; (components + spikes).next_multiple_of(PARTS)],
            components,
            means: vec![0; padded],
            mantissas: vec![0; padded],
            shifts: vec![0; padded],
            values: vec![0; spikes],
            heaviest: 0,
            window: None,
        }
    }

    /// Sets it from a head's outputs (unit 2^-12), the value its means are relative to (unit of a plane's values) and the values of the spikes (symbols).
    ///
    /// `outputs` is laid out as [`crate::program::Head::out`] says.
    #[inline(always)]
    pub fn set<S: Sample>(&mut self, outputs: &[i32], reference: i32, spikes: &[S]) {
        let reference = reference << self.alphabet.log2_unit();
        match self.kernel {
            Kernel::Scalar => self.set_plain(outputs, reference),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 | Kernel::AvxVnni => avx2::set(self, outputs, reference),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::set(self, outputs, reference),
            // All code has these instructions.
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon | Kernel::Dotprod => self.set_plain(outputs, reference),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kernel::Simd128 => self.set_plain(outputs, reference),
        }
        self.values.iter_mut().zip(spikes).for_each(|(to, &value)| *to = value.value());
        self.window = None;
    }

    /// All but the spikes' values; `reference` of unit 2^-8 step.
    #[inline(always)]
    fn set_plain(&mut self, outputs: &[i32], reference: i32) {
        let k = self.components;
        // Unit 2^-12, until they are shared out.
        self.weights[..k].iter_mut().zip(&outputs[..k]).for_each(|(weight, &output)| *weight = output.cast_unsigned());
        self.weights[k..].iter_mut().zip(&outputs[3 * k..]).for_each(|(weight, &output)| *weight = output.cast_unsigned());
        self.weights[k + self.values.len()..].fill(i32::MIN.cast_unsigned());
        self.heaviest = share(&mut self.weights, k + self.values.len(), self.alphabet.weights());
        let (bound, scale_bounds) = (self.alphabet.mean_bound(), self.alphabet.scale_bounds());
        for i in 0..k {
            self.means[i] = reference.saturating_add(outputs[k + i]).clamp(-bound, bound);
            let scale = outputs[2 * k + i].clamp(scale_bounds.0, scale_bounds.1) >> 4; // unit 2^-8
            self.mantissas[i] = EXP2_NEG[(scale & 255) as usize];
            self.shifts[i] = (11 + (scale >> 8)).cast_unsigned();
        }
    }

    /// Computes the masses around the likeliest symbol ahead of [`Mixture::find`]: independent of the code, so it need not wait for it.
    pub(crate) fn prepare(&mut self) {
        if !self.kernel.has_edges() {
            return;
        }
        let start = self.likeliest().saturating_sub(EDGES as u32 / 2 - 1).min(self.alphabet().saturating_sub(EDGES as u32 - 1));
        self.window = Some(Window { start, masses: self.masses(start, 0) });
    }

    /// The symbol at the heaviest part.
    fn likeliest(&self) -> u32 {
        match self.heaviest.checked_sub(self.components) {
            None => {
                let log2_width = self.alphabet.log2_width();
                let highest = ((self.alphabet() << log2_width) - (1 << log2_width >> 1)).cast_signed();
                let mean = self.means[self.heaviest].clamp(0, highest).cast_unsigned();
                ((mean + (1 << log2_width >> 1)) >> log2_width).min(self.alphabet() - 1)
            }
            Some(spike) => self.values[spike],
        }
    }

    /// Outputs that [`Mixture::set`] asks for.
    fn outputs(&self) -> usize {
        3 * self.components + self.values.len()
    }

    const fn alphabet(&self) -> u32 {
        self.alphabet.size()
    }

    /// Weights of components, of spikes.
    fn split_weights(&self) -> (&[u32], &[u32]) {
        self.weights.split_at(self.components)
    }

    /// Mass of all symbols below `symbol`, `0..=2^bit_depth`.
    #[inline]
    #[must_use]
    pub fn mass_below(&self, symbol: u32) -> u32 {
        if symbol == 0 {
            return 0;
        }
        if symbol >= self.alphabet() {
            return 1 << PRECISION;
        }
        let (weights, spikes) = self.split_weights();
        let mut mass = symbol * self.alphabet.floor();
        for (&weight, &value) in spikes.iter().zip(&self.values) {
            mass += if symbol > value { weight << 8 } else { 0 };
        }
        let edge = self.edge(symbol);
        let mixed: u64 = weights.iter().enumerate().map(|(i, &weight)| u64::from(weight) * u64::from(self.below(i, edge))).sum();
        mass + (mixed >> 16) as u32
    }

    /// The edge below `symbol`, half a symbol's width under it, unit 2^-8 step.
    #[inline(always)]
    const fn edge(&self, symbol: u32) -> i32 {
        (symbol << self.alphabet.log2_width()).cast_signed() - (1 << self.alphabet.log2_width() >> 1)
    }

    /// Masses below the symbols `start`, `start + 2^log2_stride` and so on; the whole mass beyond the alphabet.
    pub(crate) fn masses(&self, start: u32, log2_stride: u32) -> [u32; EDGES] {
        match self.kernel {
            Kernel::Scalar => self.masses_plain(start, log2_stride),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 | Kernel::AvxVnni => avx2::masses(self, start, log2_stride),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::masses(self, start, log2_stride),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon | Kernel::Dotprod => neon::masses(self, start, log2_stride),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kernel::Simd128 => self.masses_plain(start, log2_stride),
        }
    }

    #[inline(always)]
    fn masses_plain(&self, start: u32, log2_stride: u32) -> [u32; EDGES] {
        let (weights, spikes) = self.split_weights();
        let mut mixed = [0u64; EDGES];
        let first = self.edge(start);
        let width = (1 << self.alphabet.log2_width()) << log2_stride;
        for (i, &weight) in weights.iter().enumerate() {
            let below = logistic::below_edges(first - self.means[i], width, self.mantissas[i], self.shifts[i]);
            for (sum, below) in mixed.iter_mut().zip(below) {
                *sum += u64::from(weight) * u64::from(below);
            }
        }
        let mut symbols = [0u32; EDGES];
        let mut masses = [0u32; EDGES];
        for (i, ((symbol, mass), mixed)) in symbols.iter_mut().zip(&mut masses).zip(mixed).enumerate() {
            *symbol = start + ((i as u32) << log2_stride);
            *mass = *symbol * self.alphabet.floor() + (mixed >> 16) as u32;
        }
        for (&weight, &value) in spikes.iter().zip(&self.values) {
            for (mass, &symbol) in masses.iter_mut().zip(&symbols) {
                *mass += if symbol > value { weight << 8 } else { 0 };
            }
        }
        let alphabet = self.alphabet();
        for (mass, &symbol) in masses.iter_mut().zip(&symbols) {
            *mass = if symbol >= alphabet { 1 << PRECISION } else { *mass };
        }
        if start == 0 {
            masses[0] = 0;
        }
        masses
    }

    /// The logistic function of component `i` at `edge`, unit 2^-24.
    #[inline(always)]
    fn below(&self, i: usize, edge: i32) -> u32 {
        // |edge - mean| < 2^27 and mantissa <= 2^16; unit 2^-13, limited to +-12.
        let z = ((i64::from(edge - self.means[i]) * i64::from(self.mantissas[i])) >> self.shifts[i]).clamp(-12 << 13, 12 << 13) as i32;
        let upper = upper_logistic(z.unsigned_abs());
        if z < 0 { (1 << 24) - upper } else { upper }
    }

    /// Mean of the distribution, unit 1/16 step, `0..=4080`; of symbols that are not deep.
    #[inline]
    #[must_use]
    pub fn centre(&self) -> u16 {
        let (weights, spikes) = self.split_weights();
        let log2_width = self.alphabet.log2_width();
        // Weights sum to less than 2^16 and places are below 2^16: 32 bits hold each product's sum but for the sign.
        let means: u32 = self.means.iter().zip(weights).map(|(mean, &weight)| weight * (*mean).clamp(0, 255 << 8).cast_unsigned()).sum();
        let exact: u32 = self.values.iter().zip(spikes).map(|(&value, &weight)| weight * (value << log2_width)).sum();
        ((means + exact) >> 20) as u16
    }

    /// Start and width of a symbol's share.
    #[inline]
    #[must_use]
    pub fn share(&self, symbol: u16) -> (u32, u32) {
        let left = self.mass_below(symbol.into());
        (left, self.mass_below(u32::from(symbol) + 1) - left)
    }

    /// The symbol whose share holds `quantile` (below `1 << 24`), with the share's start and width.
    #[inline]
    #[must_use]
    pub fn find(&self, quantile: u32) -> (u16, u32, u32) {
        if let Some(window) = &self.window
            && let Some(found) = window.find(quantile)
        {
            return found;
        }
        if self.kernel.has_edges() { self.search(quantile) } else { self.bisect(quantile) }
    }

    /// [`Mixture::find`] edge by edge: where sixteen edges cost sixteen times as much as one.
    fn bisect(&self, quantile: u32) -> (u16, u32, u32) {
        let (mut low, mut high) = ((0, 0), (self.alphabet(), 1u32 << PRECISION));
        while high.0 - low.0 > 1 {
            let middle = u32::midpoint(low.0, high.0);
            let mass = self.mass_below(middle);
            if mass <= quantile {
                low = (middle, mass);
            } else {
                high = (middle, mass);
            }
        }
        (low.0 as u16, low.1, high.1 - low.1)
    }

    /// [`Mixture::find`] without a window: in sixteenths of the alphabet, in sixteenths of those and so on, then symbol by symbol.
    #[inline(never)]
    fn search(&self, quantile: u32) -> (u16, u32, u32) {
        let mut log2_stride = u32::from(self.alphabet.bit_depth().saturating_sub(4));
        let mut start = 0;
        loop {
            let masses = self.masses(start, log2_stride);
            let at = rank(&masses, quantile) - 1;
            start += (at as u32) << log2_stride;
            if log2_stride == 0 {
                let end = masses.get(at + 1).copied().unwrap_or_else(|| self.mass_below(start + 1));
                return (start as u16, masses[at], end - masses[at]);
            }
            log2_stride = log2_stride.saturating_sub(4);
        }
    }
}

impl Window {
    #[inline(always)]
    fn find(&self, quantile: u32) -> Option<(u16, u32, u32)> {
        if quantile < self.masses[0] || quantile >= self.masses[EDGES - 1] {
            return None;
        }
        let at = rank(&self.masses, quantile) - 1;
        Some(((self.start + at as u32) as u16, self.masses[at], self.masses[at + 1] - self.masses[at]))
    }
}

/// How many of the rising `masses` are at most `quantile`.
#[inline(always)]
fn rank(masses: &[u32], quantile: u32) -> usize {
    masses.iter().map(|&mass| u32::from(mass <= quantile)).sum::<u32>() as usize
}

/// Turns the first `count` log2 weights (unit 2^-12, as `i32`), the rest being `i32::MIN`, into weights that sum to `total`. Returns the
/// first of the largest.
#[inline(always)]
fn share(weights: &mut [u32], count: usize, total: u32) -> usize {
    let top = weights.iter().map(|weight| weight.cast_signed()).max().unwrap_or(0).cast_unsigned();
    let best = weights[..count].iter().position(|&weight| weight == top).unwrap_or(0);
    for weight in weights.iter_mut() {
        // The difference is not negative and below 2^32; unit 2^-8 after the shift.
        let below = top.wrapping_sub(*weight) >> 4;
        let falls = EXP2_NEG[(below & 255) as usize] >> (below >> 8).min(31);
        *weight = if below >= 20 << 8 { 0 } else { falls };
    }
    weights[count..].fill(0);
    let sum: u32 = weights.iter().sum();
    // Exact division of `weight * total`, which is below 2^32, by `sum`, which is at least 2^16: the product with the rounded inverse is right
    // or one too small.
    let inverse = (u64::from(total) << 32) / u64::from(sum.max(1 << 16));
    let mut left = total;
    for weight in weights.iter_mut() {
        let whole = ((u64::from(*weight) * inverse) >> 32) as u32;
        let rest = (*weight * total).wrapping_sub(whole.wrapping_mul(sum));
        *weight = whole + u32::from(rest >= sum);
        left -= *weight;
    }
    weights[best] += left;
    best
}

#[cfg(test)]
mod tests;
