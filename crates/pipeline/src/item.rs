//! One file of a dataset: read, fingerprinted and opened.

use std::io::Read as _;

use kolmo_codec::container::PIECE_BYTES;
use kolmo_data::digest::{Digest, of_bytes};
use kolmo_data::frames::Frame;
use kolmo_data::open::{self, Fidelity, GeneralReason, OpenLimits, Opened};
use kolmo_data::tensor::{self, Numbers, Region, Tensor};

use crate::base::Twin;
use crate::error::Error;
use crate::origin::Origin;
use crate::picture::{Held, Picture};

/// Files longer than this are not opened as images, so that reading one never takes the memory away.
const MAX_OPEN_BYTES: u64 = 1 << 30;

/// A file of the dataset. Its path is the dataset's, and so is what only few files have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Item {
    pub(crate) bytes: u64,
    /// Digest of the file's bytes (of the digests of its pieces, if it was not read as a whole).
    pub(crate) file_digest: Digest,
    pub(crate) state: ItemState,
}

/// What few files have.
#[derive(Debug, Default)]
pub(crate) struct Insides {
    /// Digests of its pieces, if it is longer than one.
    pub(crate) pieces: Vec<Digest>,
    /// The numbers in it, if it is no image.
    pub(crate) numbers: Option<Numbers>,
    /// Its tensors that have a twin in the base, in order.
    pub(crate) twins: Vec<Twin>,
}

impl Insides {
    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> u64 {
        // Names and shapes of tensors are short; a twin may come for each.
        const EACH: usize = size_of::<Region>() + size_of::<Tensor>() + size_of::<Twin>() + 96;
        let numbers = self.numbers.as_ref().map_or(0, |numbers| numbers.regions.len().max(numbers.tensors.len()));
        (size_of::<Self>() + self.pieces.len() * size_of::<Digest>() + numbers * EACH) as u64
    }
}

/// What a file was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ItemState {
    /// An image that can be rebuilt from samples and recipe.
    Image(Picture),
    /// A JPEG file: general, but in blocks of its own kind.
    Jpeg,
    /// Anything else.
    General,
    /// The same as the item of this number.
    Copy(usize),
}

impl Item {
    pub(crate) const fn picture(&self) -> Option<&Picture> {
        match &self.state {
            ItemState::Image(picture) => Some(picture),
            _ => None,
        }
    }
}

/// A file that was read.
pub(crate) struct Found {
    pub(crate) item: Item,
    pub(crate) insides: Option<Insides>,
    /// Its samples, if it is an image, and what rebuilds it.
    pub(crate) image: Option<(Held, Vec<u8>)>,
    /// Why it is none, if it is none.
    pub(crate) reason: Option<GeneralReason>,
}

/// Reads what lies at `origin`, `path` in the archive and of `listed_bytes` when it was listed.
pub(crate) fn read(origin: &Origin, path: &str, listed_bytes: u64, fidelity: Fidelity) -> Result<Found, Error> {
    if let Some(frame) = origin.frame() {
        return read_frame(origin, &frame);
    }
    let whole = if listed_bytes > PIECE_BYTES { may_be_image(origin)? && listed_bytes <= MAX_OPEN_BYTES } else { true };
    let (bytes, file_digest, pieces, opened) = if whole {
        let bytes = origin.read_all()?;
        let long = bytes.len() as u64 > PIECE_BYTES;
        let pieces = if long { bytes.chunks(PIECE_BYTES as usize).map(of_bytes).collect() } else { vec![] };
        let opened = match origin.section {
            None => open::open_named(path, &bytes, fidelity, &OpenLimits::default()),
            // What lies between images is none, whatever it looks like.
            Some(_) => Opened::General { reason: GeneralReason::NotAnImage },
        };
        (bytes.len() as u64, of_bytes(&bytes), pieces, opened)
    } else {
        let pieces = piece_digests(origin)?;
        let bytes = pieces.iter().map(|(bytes, _)| bytes).sum();
        let pieces: Vec<Digest> = pieces.into_iter().map(|(_, digest)| digest).collect();
        let digest = of_bytes(&pieces.iter().flat_map(|digest| digest.0).collect::<Vec<u8>>());
        let too_long = listed_bytes > MAX_OPEN_BYTES && may_be_image(origin)?;
        let reason = if too_long { GeneralReason::Unsupported("images of more than 1 GiB are not opened".into()) } else { GeneralReason::NotAnImage };
        (bytes, digest, pieces, Opened::General { reason })
    };
    let (state, image, mut reason) = match opened {
        Opened::Image { image, recipe } => {
            let (picture, held) = Picture::of(image);
            (ItemState::Image(picture), Some((held, recipe)), None)
        }
        // A file in pieces has no block that holds all of it.
        Opened::General { reason: GeneralReason::Jpeg } if pieces.is_empty() => (ItemState::Jpeg, None, None),
        Opened::General { reason: GeneralReason::Jpeg } => {
            (ItemState::General, None, Some(GeneralReason::Unsupported("JPEG files of more than 64 MiB".into())))
        }
        Opened::General { reason } => (ItemState::General, None, Some(reason)),
    };
    let numbers = match &mut reason {
        Some(reason @ GeneralReason::NotAnImage) => numbers(origin, bytes, reason)?,
        _ => None,
    };
    let insides = (!pieces.is_empty() || numbers.is_some()).then(|| Insides { pieces, numbers, twins: vec![] });
    // Of a file that is cut only the images are told of.
    let reason = reason.filter(|_| origin.section.is_none());
    Ok(Found { item: Item { bytes, file_digest, state }, insides, image, reason })
}

/// Reads one of the images of a file that is cut; what is none after all is kept as its bytes are.
fn read_frame(origin: &Origin, frame: &Frame) -> Result<Found, Error> {
    let bytes = origin.read_all()?;
    let (state, image) = match frame.open(&bytes) {
        Some((image, recipe)) => {
            let (picture, held) = Picture::of(image);
            (ItemState::Image(picture), Some((held, recipe)))
        }
        None => (ItemState::General, None),
    };
    Ok(Found { item: Item { bytes: bytes.len() as u64, file_digest: of_bytes(&bytes), state }, insides: None, image, reason: None })
}

/// Whether the first bytes are those of an image.
fn may_be_image(origin: &Origin) -> Result<bool, Error> {
    Ok(origin.section.is_none() && open::may_be_image(&origin.read(0, open::HEAD_BYTES as u64)?))
}

/// The numbers of a file that is no image. What begins like a checkpoint and is none is told by `reason`.
fn numbers(origin: &Origin, bytes: u64, reason: &mut GeneralReason) -> Result<Option<Numbers>, Error> {
    let mut input = std::io::BufReader::new(origin.open()?);
    match tensor::find(&mut input, bytes) {
        Ok(numbers) => Ok(numbers),
        Err(why) => {
            *reason = GeneralReason::Unreadable(why.to_string());
            Ok(None)
        }
    }
}

fn piece_digests(origin: &Origin) -> Result<Vec<(u64, Digest)>, Error> {
    let mut input = origin.open()?;
    let mut pieces = Vec::new();
    loop {
        let mut piece = Vec::new();
        (&mut input).take(PIECE_BYTES).read_to_end(&mut piece).map_err(Error::io("read", &origin.file))?;
        if piece.is_empty() {
            return Ok(pieces);
        }
        pieces.push((piece.len() as u64, of_bytes(&piece)));
    }
}
