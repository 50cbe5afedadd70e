//! Network archives in files.

use std::path::Path;

use kolmo_codec::network::{self as codec, Archive};
use kolmo_model::classify::archive::from_archive;
use kolmo_model::classify::checkpoint::Checkpoint;
use kolmo_model::classify::network::{About, Network};
use kolmo_model::classify::quantise::Codes;

use crate::error::Error;
use crate::options::Limits;

/// Whether a file begins as a network archive does.
pub(super) fn is_archive(file: &Path) -> Result<bool, Error> {
    use std::io::Read as _;
    let mut start = Vec::new();
    let opened = std::fs::File::open(file).map_err(Error::io("read", file))?;
    opened.take(codec::MAGIC.len() as u64).read_to_end(&mut start).map_err(Error::io("read", file))?;
    Ok(codec::is_network(&start))
}

/// Reads a network archive; the bytes of the file are paid for too.
pub(super) fn read(file: &Path, limits: &Limits) -> Result<(Archive, u64), Error> {
    let size = std::fs::metadata(file).map_err(Error::io("read", file))?.len();
    if size > limits.memory_bytes {
        return Err(Error::codec(file)(kolmo_codec::Error::LimitExceeded { what: "a network archive", limit: limits.memory_bytes }));
    }
    let bytes = std::fs::read(file).map_err(Error::io("read", file))?;
    let archive = codec::read(&bytes, limits).map_err(Error::codec(file))?;
    Ok((archive, bytes.len() as u64))
}

/// Reads the network in an archive.
pub(super) fn network(file: &Path, limits: &Limits) -> Result<(Archive, Network, Codes, u64), Error> {
    let (archive, bytes) = read(file, limits)?;
    let (network, codes) = from_archive(&file.display().to_string(), &archive)?;
    Ok((archive, network, codes, bytes))
}

/// The seed of the split that a network was trained on, if it says so.
pub(super) fn split_of(file: &Path, limits: &Limits) -> Result<Option<u64>, Error> {
    if is_archive(file)? {
        return Ok(network(file, limits)?.1.about.split);
    }
    Ok(About::of(&Checkpoint::read(file)?)?.and_then(|about| about.split))
}
