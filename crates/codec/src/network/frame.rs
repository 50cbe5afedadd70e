//! Header, sections, digests.

use crate::Error;
use crate::container::fields::Fields;
use crate::general::{self, GeneralMethod};
use crate::limits::Budget;
use crate::weights::Coder;

/// As the magic of datasets, with an N for network.
pub const MAGIC: [u8; 8] = [0x8b, b'K', b'L', b'N', b'\r', b'\n', 0x1a, b'\n'];
/// Major and minor version that we write.
pub const VERSION: (u16, u16) = (1, 0);
/// Size of the header.
pub const HEADER_BYTES: u64 = 64;
/// Content digest and file digest.
pub const TRAILER_BYTES: u64 = 64;

/// The bytes begin as a network archive does.
#[must_use]
pub fn is_network(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What is written.
pub(super) struct Sections {
    pub(super) directory: Vec<u8>,
    pub(super) exact: Vec<u8>,
    pub(super) steps: Vec<u8>,
    pub(super) coder: Coder,
    pub(super) integers: Vec<u8>,
}

/// What was read.
pub(super) struct Read<'a> {
    pub(super) directory: Vec<u8>,
    pub(super) exact: &'a [u8],
    pub(super) steps: &'a [u8],
    pub(super) coder: Coder,
    pub(super) integers: &'a [u8],
    pub(super) content: [u8; 32],
}

/// The archive, and how many of its bytes the coded directory takes.
pub(super) fn to_bytes(sections: &Sections, content: &[u8; 32]) -> Result<(Vec<u8>, u64), Error> {
    let (method, directory) = general::encode(&sections.directory)?;
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.0.to_le_bytes());
    out.extend_from_slice(&VERSION.1.to_le_bytes());
    let method = match method {
        GeneralMethod::Stored => 0,
        GeneralMethod::Zstd => 1,
        GeneralMethod::Numbers | GeneralMethod::Against | GeneralMethod::Jpeg => {
            return Err(Error::InvalidArgument { what: "a directory is no numbers" });
        }
    };
    out.extend_from_slice(&[method, sections.coder.code(), 0, 0]);
    out.extend_from_slice(&0u64.to_le_bytes()); // required features
    let lengths = [directory.len(), sections.directory.len(), sections.exact.len(), sections.steps.len(), sections.integers.len()];
    for length in lengths {
        out.extend_from_slice(&(length as u64).to_le_bytes());
    }
    for section in [&directory, &sections.exact, &sections.steps, &sections.integers] {
        out.extend_from_slice(section);
    }
    out.extend_from_slice(content);
    let digest = *blake3::hash(&out).as_bytes();
    out.extend_from_slice(&digest);
    Ok((out, directory.len() as u64))
}

pub(super) fn from_bytes<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<Read<'a>, Error> {
    const WHAT: &str = "network archive";
    if bytes.starts_with(&crate::container::MAGIC) {
        return Err(Error::OtherKind { what: "this is an archive of files, no network archive; `kolmo expand` and `kolmo verify` read it" });
    }
    if !MAGIC.starts_with(bytes.get(..MAGIC.len().min(bytes.len())).unwrap_or(bytes)) {
        return Err(Error::corrupt_at("header: these are not the first bytes of a network archive", 0));
    }
    let mut fields = Fields::new(WHAT, bytes);
    fields.take(MAGIC.len() as u64)?;
    let (major, _minor) = (fields.u16()?, fields.u16()?);
    if major != VERSION.0 {
        return Err(Error::Unsupported { what: "network format version", found: major.into(), known: VERSION.0.into() });
    }
    let (method, coder, reserved) = (fields.u8()?, fields.u8()?, fields.u16()?);
    let features = fields.u64()?;
    if features != 0 {
        return Err(Error::Unsupported { what: "feature set", found: features, known: 0 });
    }
    if reserved != 0 {
        return Err(Error::corrupt_at("network archive: a reserved field is not zero", 14));
    }
    let method = match method {
        0 => GeneralMethod::Stored,
        1 => GeneralMethod::Zstd,
        other => return Err(Error::Unsupported { what: "coding of the directory", found: other.into(), known: 1 }),
    };
    let coder = Coder::from_code(coder)?;
    let (directory_bytes, directory_raw_bytes) = (fields.u64()?, fields.u64()?);
    let (exact_bytes, steps_bytes, integers_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let whole = [HEADER_BYTES, directory_bytes, exact_bytes, steps_bytes, integers_bytes, TRAILER_BYTES];
    let whole = whole.into_iter().try_fold(0u64, u64::checked_add).ok_or(Error::corrupt_at("network archive: lengths", 24))?;
    if (bytes.len() as u64) < whole {
        return Err(Error::Truncated { what: WHAT, needed: whole, found: bytes.len() as u64 });
    }
    let directory = fields.take(directory_bytes)?;
    let (exact, steps, integers) = (fields.take(exact_bytes)?, fields.take(steps_bytes)?, fields.take(integers_bytes)?);
    let content = fields.take(32)?;
    let covered = bytes.get(..usize::try_from(fields.offset()).unwrap_or(usize::MAX)).unwrap_or(bytes);
    let digest = fields.take(32)?;
    fields.end()?;
    if blake3::hash(covered).as_bytes().as_slice() != digest {
        return Err(Error::corrupt("network archive: the bytes are not those that were written"));
    }
    let directory = general::decode(method, directory, directory_raw_bytes, budget)?;
    let content = content.try_into().map_err(|_| Error::corrupt(WHAT))?;
    Ok(Read { directory, exact, steps, coder, integers, content })
}
