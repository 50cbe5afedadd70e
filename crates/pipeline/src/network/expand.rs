//! A network archive becomes a `.safetensors` file.

use std::path::Path;
use std::time::Instant;

use kolmo_codec::network::Values;

use super::file;
use super::summary::ExpandSummary;
use super::train::write;
use crate::error::Error;
use crate::options::Limits;
use crate::output;

/// Writes the network in `archive` to the `.safetensors` file `output`.
///
/// # Errors
/// If the archive is damaged or holds no network known by name; see [`Error`]. Nothing is left behind then.
pub fn expand(archive: &Path, output: &Path, force: bool, limits: &Limits) -> Result<ExpandSummary, Error> {
    let begun = Instant::now();
    output::check_free(output, force)?;
    let (stored, network, _, archive_bytes) = file::network(archive, limits)?;
    let bytes = write(output, force, &network.to_safetensors()?)?;
    let quantised = stored.tensors.iter().filter(|tensor| matches!(tensor.values, Values::Quantised { .. })).count();
    Ok(ExpandSummary {
        output: output.display().to_string(),
        arch: network.about.arch.clone(),
        tensors: stored.tensors.len(),
        quantised,
        archive_bytes,
        bytes,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
