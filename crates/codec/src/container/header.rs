//! The first 80 bytes.

use crate::Error;
use crate::container::fields::Fields;
use crate::general::GeneralMethod;

/// A high bit (7-bit channels break it), the name, both kinds of line end and a DOS end of file: as PNG does, to catch transfers
/// that mangle text.
pub const MAGIC: [u8; 8] = [0x8b, b'K', b'L', b'M', b'\r', b'\n', 0x1a, b'\n'];

/// Major and minor version that we write. Readers refuse other majors; a higher minor may add what an older reader can ignore.
pub const VERSION: (u16, u16) = (1, 9);

/// Required features that we know (bit mask). An archive with any other is refused.
pub const FEATURES: u64 = 0;

/// Size of the header.
pub const HEADER_BYTES: u64 = 80;

/// Size of the digest at the end.
pub const TRAILER_BYTES: u64 = 32;

/// What an archive promises to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fidelity {
    /// Every file byte for byte.
    Files,
    /// The samples of images and their facts; everything else byte for byte.
    Pixels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) minor: u16,
    pub(super) fidelity: Fidelity,
    pub(super) recipes_method: GeneralMethod,
    pub(super) index_method: GeneralMethod,
    pub(super) n_programs: u32,
    pub(super) programs_bytes: u64,
    pub(super) blocks_bytes: u64,
    pub(super) recipes_bytes: u64,
    pub(super) recipes_raw_bytes: u64,
    pub(super) index_bytes: u64,
    pub(super) index_raw_bytes: u64,
}

pub(super) const fn method_code(method: GeneralMethod) -> u8 {
    match method {
        GeneralMethod::Stored => 0,
        GeneralMethod::Zstd => 1,
        GeneralMethod::Numbers => 2,
        GeneralMethod::Against => 3,
        GeneralMethod::Jpeg => 4,
    }
}

/// How a section is coded: stored or by zstd.
const fn section_method(what: &'static str, code: u64) -> Result<GeneralMethod, Error> {
    match code {
        0 => Ok(GeneralMethod::Stored),
        1 => Ok(GeneralMethod::Zstd),
        _ => Err(Error::Unsupported { what, found: code, known: 1 }),
    }
}

pub(super) const fn block_method(code: u64) -> Result<GeneralMethod, Error> {
    match code {
        2 => Ok(GeneralMethod::Numbers),
        3 => Ok(GeneralMethod::Against),
        4 => Ok(GeneralMethod::Jpeg),
        0 | 1 => section_method("general block method", code),
        found => Err(Error::Unsupported { what: "general block method", found, known: 4 }),
    }
}

impl Header {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.0.to_le_bytes());
        out.extend_from_slice(&self.minor.to_le_bytes());
        out.extend_from_slice(&FEATURES.to_le_bytes());
        let fidelity = match self.fidelity {
            Fidelity::Files => 0,
            Fidelity::Pixels => 1,
        };
        out.extend_from_slice(&[fidelity, method_code(self.recipes_method), method_code(self.index_method), 0]);
        out.extend_from_slice(&self.n_programs.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let lengths = [self.programs_bytes, self.blocks_bytes, self.recipes_bytes, self.recipes_raw_bytes, self.index_bytes, self.index_raw_bytes];
        for length in lengths {
            out.extend_from_slice(&length.to_le_bytes());
        }
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "header";
        let mut fields = Fields::new(WHAT, bytes);
        let magic = bytes.get(..bytes.len().min(MAGIC.len())).unwrap_or(bytes);
        if crate::network::is_network(bytes) {
            return Err(Error::OtherKind { what: "this is a network archive; `kolmo model expand` and `kolmo model verify` read it" });
        }
        if !MAGIC.starts_with(magic) {
            return Err(Error::corrupt_at("header: these are not the first bytes of a kolmo archive", 0));
        }
        fields.take(MAGIC.len() as u64)?;
        let (major, minor) = (fields.u16()?, fields.u16()?);
        if major != VERSION.0 {
            return Err(Error::Unsupported { what: "format version", found: major.into(), known: VERSION.0.into() });
        }
        let features = fields.u64()?;
        if features & !FEATURES != 0 {
            return Err(Error::Unsupported { what: "feature set", found: features, known: FEATURES });
        }
        let fidelity = match fields.u8()? {
            0 => Fidelity::Files,
            1 => Fidelity::Pixels,
            other => return Err(Error::Unsupported { what: "fidelity", found: other.into(), known: 1 }),
        };
        let recipes_method = section_method("coding of the recipes", fields.u8()?.into())?;
        let index_method = section_method("coding of the index", fields.u8()?.into())?;
        let reserved_byte = fields.u8()?;
        let n_programs = fields.u32()?;
        if fields.u32()? != 0 || reserved_byte != 0 {
            return Err(Error::corrupt_at("header: a reserved field is not zero", fields.offset()));
        }
        let header = Self {
            minor,
            fidelity,
            recipes_method,
            index_method,
            n_programs,
            programs_bytes: fields.u64()?,
            blocks_bytes: fields.u64()?,
            recipes_bytes: fields.u64()?,
            recipes_raw_bytes: fields.u64()?,
            index_bytes: fields.u64()?,
            index_raw_bytes: fields.u64()?,
        };
        fields.end()?;
        Ok(header)
    }

    /// Size of the whole archive; `None` if it passes 2^64.
    pub(super) fn archive_bytes(&self) -> Option<u64> {
        [self.programs_bytes, self.blocks_bytes, self.recipes_bytes, self.index_bytes, TRAILER_BYTES]
            .into_iter()
            .try_fold(HEADER_BYTES, u64::checked_add)
    }
}
