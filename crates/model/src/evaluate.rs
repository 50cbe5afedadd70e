//! Rates of a network or a Program on images, in bits per subpixel.

use kolmo_codec::alphabet::Alphabet;
use kolmo_codec::block;
use kolmo_codec::context::Plane;
use kolmo_codec::program::Program;
use kolmo_codec::sample::Sample;
use rayon::prelude::*;

use crate::error::Error;
use crate::host::HostNet;
use crate::levels::Levels;
use crate::sample::{Patch, Sampler};

/// Side of the patches that cover an image.
const SIDE: usize = 32;

/// Rates on the three parts of a dataset, bits per subpixel; NaN where a part is empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitRates {
    /// On a sample of what was learned from.
    pub train: f64,
    /// On what chose the checkpoint.
    pub validation: f64,
    /// On what was only measured.
    pub test: f64,
}

/// Mean bits per subpixel of a network over patches of images.
pub fn network<S: Sample>(
    weights: &[f32],
    sampler: &Sampler,
    planes: &[Plane<S>],
    patches: &[Patch],
    alphabet: Alphabet,
    rounded: Option<Levels>,
) -> f64 {
    let (bits, samples) = HostNet::new(sampler.shape(), weights, rounded).bits(sampler, planes, patches, alphabet);
    bits / samples as f64
}

/// Patches that cover images.
#[must_use]
pub fn patches<S: Sample>(planes: &[Plane<S>]) -> Vec<Patch> {
    let mut patches = Vec::new();
    for (image, plane) in planes.iter().enumerate() {
        let (rows, columns) = plane.shape();
        for y in (0..rows).step_by(SIDE) {
            for x in (0..columns).step_by(SIDE) {
                patches.push(Patch { image, y, x, height: SIDE.min(rows - y), width: SIDE.min(columns - x) });
            }
        }
    }
    patches
}

/// Mean bits per subpixel of a Program over whole images: its exact cross-entropy.
///
/// # Errors
/// `Codec` if an image does not fit the Program.
pub fn program<S: Sample>(program: &Program, planes: &[Plane<S>]) -> Result<f64, Error> {
    let parts = planes.par_iter().map(|plane| {
        let bits = block::ideal_bits(program, &mut [plane.clone()])?;
        Ok((bits, plane.samples().len() as u64))
    });
    let parts = parts.collect::<Result<Vec<(u64, u64)>, Error>>()?;
    let (bits, samples) = parts.iter().fold((0u64, 0u64), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    Ok(bits as f64 / 65_536.0 / samples as f64)
}
