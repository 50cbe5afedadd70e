//! The distributions of a batch: side by side where AVX-512 or AVX2 computes them, one by one elsewhere; NEON searches for the symbols of four side by side.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "lanes and groups lie inside the batch")]

#[cfg(target_arch = "x86_64")]
use super::eights::Eights;
#[cfg(target_arch = "aarch64")]
use super::fours::Fours;
#[cfg(target_arch = "x86_64")]
use super::lanes::Lanes;
use super::{GROUP, Mixture};
use crate::alphabet::Alphabet;
use crate::block::BATCH;
use crate::kernel::Kernel;
use crate::range::encoder::cost;
use crate::sample::Sample;

/// The distributions of a batch of symbols: see [`Mixture`].
#[derive(Debug)]
pub(crate) struct Mixtures {
    /// Empty if there are `lanes`; copies, made by [`Mixtures::prepare`], if there are `eights`.
    single: Vec<Mixture>,
    #[cfg(target_arch = "x86_64")]
    lanes: Option<Lanes>,
    #[cfg(target_arch = "x86_64")]
    eights: Option<Eights>,
    /// Copies of the first of them, if [`Mixtures::prepare_groups`] has made them.
    #[cfg(target_arch = "aarch64")]
    fours: Option<Fours>,
}

/// Symbols of a group, and where the share of each begins and how wide it is.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Found {
    pub(crate) symbols: [u16; GROUP],
    pub(crate) lefts: [u32; GROUP],
    pub(crate) widths: [u32; GROUP],
}

/// Runs a function of the lanes or of the eights, which have the same ones, or the other way.
macro_rules! either {
    ($self:ident, $lanes:ident => $side_by_side:expr, $one_by_one:expr) => {{
        #[cfg(target_arch = "x86_64")]
        if let Some($lanes) = &$self.lanes {
            return $side_by_side;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some($lanes) = &$self.eights {
            return $side_by_side;
        }
        $one_by_one
    }};
}

impl Mixtures {
    /// Empty distributions, computed by the instructions of `kernel`.
    pub(crate) fn new(kernel: Kernel, alphabet: Alphabet, components: usize, spikes: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if kernel == Kernel::Avx512 && !alphabet.is_deep() {
            return Self { single: Vec::new(), lanes: Some(Lanes::new(alphabet.bit_depth(), components, spikes)), eights: None };
        }
        Self {
            single: vec![Mixture::by(kernel, alphabet, components, spikes); BATCH],
            #[cfg(target_arch = "x86_64")]
            lanes: None,
            #[cfg(target_arch = "x86_64")]
            eights: (matches!(kernel, Kernel::Avx2 | Kernel::AvxVnni) && !alphabet.is_deep()).then(|| Eights::new(alphabet, components, spikes)),
            #[cfg(target_arch = "aarch64")]
            fours: (kernel != Kernel::Scalar).then(|| Fours::new(alphabet, components, spikes)),
        }
    }

    /// Sets the first `cells` of them, those of channel `c`, each as [`Mixture::set`] does. Outputs of pixel `i` begin at `i * stride` and are there for a whole
    /// batch; `spikes` are the pixels that each spike sees, as planes hold them.
    pub(crate) fn set<S: Sample>(
        &mut self,
        cells: usize,
        outputs: &[i32],
        stride: usize,
        references: &[i32; BATCH],
        spikes: &[[S::Pixel; BATCH]],
        c: usize,
    ) {
        #[cfg(target_arch = "aarch64")]
        self.fours.iter_mut().for_each(Fours::clear);
        #[cfg(target_arch = "x86_64")]
        match (&mut self.lanes, &mut self.eights) {
            (Some(lanes), _) => return lanes.set(cells, outputs, stride, references, S::words(spikes), c),
            (None, Some(eights)) => return eights.set(cells, outputs, stride, references, S::words(spikes), c),
            (None, None) => {}
        }
        let mut values = [0u16; u8::MAX as usize];
        for (i, (mixture, outputs)) in self.single[..cells].iter_mut().zip(outputs.chunks_exact(stride)).enumerate() {
            let log2_scale = mixture.alphabet.log2_scale();
            values.iter_mut().zip(spikes).for_each(|(value, spike)| *value = (S::get(spike[i], c).value() >> log2_scale) as u16);
            mixture.set(&outputs[..mixture.outputs()], references[i], &values[..spikes.len()]);
        }
    }

    /// Computes ahead of [`Mixtures::find`] what does not depend on the code.
    pub(crate) fn prepare(&mut self, cells: usize) {
        #[cfg(target_arch = "x86_64")]
        match (&mut self.lanes, &self.eights) {
            (Some(lanes), _) => return lanes.prepare(cells),
            (None, Some(eights)) => self.single[..cells].iter_mut().enumerate().for_each(|(lane, mixture)| eights.put_into(lane, mixture)),
            (None, None) => {}
        }
        self.single[..cells].iter_mut().for_each(Mixture::prepare);
    }

    /// The same ahead of [`Mixtures::find_group`].
    pub(crate) fn prepare_groups(&mut self, cells: usize) {
        #[cfg(target_arch = "aarch64")]
        if let Some(fours) = &mut self.fours {
            return fours.put(&self.single[..cells]);
        }
        // Side by side, nothing pays ahead of the quantiles.
        #[cfg(target_arch = "x86_64")]
        if self.eights.is_some() {
            return;
        }
        self.single.iter_mut().take(cells).for_each(Mixture::prepare);
    }

    /// [`Mixture::find`] of one of them, for which [`Mixtures::prepare`] was called.
    #[inline]
    pub(crate) fn find(&self, lane: usize, quantile: u32) -> (u16, u32, u32) {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = &self.lanes {
            return lanes.find(lane, quantile);
        }
        self.single[lane].find(quantile)
    }

    /// [`Mixture::find`] of a group of them, of which the first `count` are wanted, each by its own quantile; `from` is a multiple of [`GROUP`].
    #[inline]
    pub(crate) fn find_group(&self, from: usize, count: usize, quantiles: &[u32; GROUP], found: &mut Found) {
        #[cfg(target_arch = "aarch64")]
        if let Some(fours) = self.fours.as_ref().filter(|fours| fours.hold(from + count)) {
            return fours.find_group(from, count, quantiles, found);
        }
        either!(self, lanes => lanes.find_group(from, count, quantiles, found), {
            for (i, (mixture, &quantile)) in self.single[from..][..count].iter().zip(quantiles).enumerate() {
                (found.symbols[i], found.lefts[i], found.widths[i]) = mixture.find(quantile);
            }
        })
    }

    /// [`Mixture::share`] of a group of them, of which the first `count` are wanted, each of its own symbol in `found`; `from` is a multiple of [`GROUP`]. Gives
    /// back the [`cost`] of them all.
    #[inline]
    pub(crate) fn share_group(&self, from: usize, count: usize, found: &mut Found) -> u64 {
        either!(self, lanes => lanes.share_group(from, count, found), {
            let mut bits = 0;
            for (i, mixture) in self.single[from..][..count].iter().enumerate() {
                (found.lefts[i], found.widths[i]) = mixture.share(found.symbols[i]);
                bits += cost(found.widths[i]);
            }
            bits
        })
    }

    /// [`Mixture::mass_below`] of a group of them, of which the first `count` are wanted, the symbol of each its own; `from` is a multiple of [`GROUP`].
    #[inline]
    pub(crate) fn masses_below(&self, from: usize, count: usize, symbols: &[u32; GROUP]) -> [u32; GROUP] {
        either!(self, lanes => lanes.masses_below(from, symbols), {
            let mut masses = [0; GROUP];
            for ((mass, &symbol), mixture) in masses.iter_mut().zip(symbols).zip(&self.single[from..][..count]) {
                *mass = mixture.mass_below(symbol);
            }
            masses
        })
    }

    /// [`Mixture::centre`] of a group of them, likewise.
    #[inline]
    pub(crate) fn centres(&self, from: usize, count: usize) -> [u32; GROUP] {
        either!(self, lanes => lanes.centres(from), {
            let mut centres = [0; GROUP];
            for (centre, mixture) in centres.iter_mut().zip(&self.single[from..][..count]) {
                *centre = mixture.centre().into();
            }
            centres
        })
    }
}

#[cfg(test)]
mod tests;
