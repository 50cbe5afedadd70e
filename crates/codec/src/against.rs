//! Numbers against a base: what another file, which both sides have, says about them already.
//!
//! A checkpoint is near the one before it. Where tensors of a block have a twin in the *base*, each of their numbers is replaced by its
//! difference to it, folded so that small ones of either sign are small numbers ([`fold`]); the block is then coded as [`crate::numbers`]
//! are. Which tensors those are is the caller's; the payload holds plain *patches*. `FORMAT.md` specifies every byte (method 3).

use std::fmt;
use std::io;

use crate::container::fields::{Fields, put_varint, unzigzag, zigzag};
use crate::limits::Budget;
use crate::names::check_path;
use crate::numbers::{self, Span};
use crate::{Error, error};

/// Longest name of a base, bytes.
pub const NAME_BYTES: u64 = 1024;

/// What a payload says before its patches takes no more than this.
pub const HEAD_BYTES: u64 = 32 + 10 + 2 + NAME_BYTES;

/// Bytes of the base that are read at a time.
const READ_BYTES: usize = 1 << 18;

const WHAT: &str = "patches of a block";

/// Which file numbers are coded against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseId {
    /// BLAKE3 of its bytes.
    pub digest: [u8; 32],
    /// Its length.
    pub bytes: u64,
    /// Its name when it was used, without folders; for messages.
    pub name: String,
}

impl BaseId {
    /// Whether both are the same file, whatever it is called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.digest == other.digest && self.bytes == other.bytes
    }
}

impl fmt::Display for BaseId {
    /// Name, size and the first digits of the digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes, BLAKE3 ", self.name, self.bytes)?;
        self.digest.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("...)")
    }
}

/// A base, read by ranges.
pub trait Base: fmt::Debug + Sync {
    /// Which file it is.
    fn id(&self) -> &BaseId;

    /// Reads the bytes from `offset` on, all that fit `out`.
    ///
    /// # Errors
    /// If they cannot be read, or the file ends before.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// Numbers of a block that are coded as differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Where in the block they begin.
    pub at: u64,
    /// How many bytes, whole numbers.
    pub bytes: u64,
    /// Where in the base their twins begin.
    pub from: u64,
    /// Bytes of a number: 1, 2, 4 or 8.
    pub width: u8,
}

impl Patch {
    const fn end(&self) -> u64 {
        self.at.saturating_add(self.bytes)
    }

    const fn end_in_base(&self) -> u64 {
        self.from.saturating_add(self.bytes)
    }
}

/// Replaces numbers of `width` bytes by their differences to those of `base`; the inverse of [`unfold`].
pub fn fold(numbers: &mut [u8], base: &[u8], width: u8) {
    match width {
        8 => each(numbers, base, |a, b| zigzag(u64::from_le_bytes(a).wrapping_sub(u64::from_le_bytes(b)) as i64).to_le_bytes()),
        4 => each(numbers, base, |a, b| {
            let step = u32::from_le_bytes(a).wrapping_sub(u32::from_le_bytes(b)) as i32;
            (step.wrapping_shl(1) ^ step.wrapping_shr(31)).to_le_bytes()
        }),
        2 => each(numbers, base, |a, b| {
            let step = u16::from_le_bytes(a).wrapping_sub(u16::from_le_bytes(b)) as i16;
            (step.wrapping_shl(1) ^ step.wrapping_shr(15)).to_le_bytes()
        }),
        _ => each(numbers, base, |[a], [b]| {
            let step = a.wrapping_sub(b) as i8;
            (step.wrapping_shl(1) ^ step.wrapping_shr(7)).to_le_bytes()
        }),
    }
}

/// Gives back the numbers of `width` bytes whose differences to those of `base` were taken.
pub fn unfold(folded: &mut [u8], base: &[u8], width: u8) {
    match width {
        8 => each(folded, base, |z, b| u64::from_le_bytes(b).wrapping_add(unzigzag(u64::from_le_bytes(z)) as u64).to_le_bytes()),
        4 => each(folded, base, |z, b| {
            let z = u32::from_le_bytes(z);
            u32::from_le_bytes(b).wrapping_add((z >> 1) ^ 0u32.wrapping_sub(z & 1)).to_le_bytes()
        }),
        2 => each(folded, base, |z, b| {
            let z = u16::from_le_bytes(z);
            u16::from_le_bytes(b).wrapping_add((z >> 1) ^ 0u16.wrapping_sub(z & 1)).to_le_bytes()
        }),
        _ => each(folded, base, |[z], [b]| [b.wrapping_add((z >> 1) ^ 0u8.wrapping_sub(z & 1))]),
    }
}

/// Applies `of` to every number and its twin.
fn each<const WIDTH: usize>(numbers: &mut [u8], base: &[u8], of: impl Fn([u8; WIDTH], [u8; WIDTH]) -> [u8; WIDTH]) {
    for (number, base) in numbers.as_chunks_mut::<WIDTH>().0.iter_mut().zip(base.as_chunks::<WIDTH>().0) {
        *number = of(*number, *base);
    }
}

/// Codes a block: `folded` are its bytes after its `patches` were folded, made up of `spans`. Patches stand in order; those that follow each
/// other in the block and in the base become one.
///
/// # Errors
/// `InvalidArgument` for a base without a decent name or patches that are out of order; otherwise as [`numbers::encode`].
pub fn encode(base: &BaseId, patches: &[Patch], folded: &[u8], spans: &[Span]) -> Result<Vec<u8>, Error> {
    let mut joined: Vec<Patch> = Vec::new();
    for patch in patches {
        match joined.last_mut() {
            Some(last) if (last.end(), last.end_in_base(), last.width) == (patch.at, patch.from, patch.width) => {
                last.bytes = last.bytes.saturating_add(patch.bytes);
            }
            _ => joined.push(*patch),
        }
    }
    let mut out = base.digest.to_vec();
    check_name(&base.name)?;
    put_varint(&mut out, base.bytes);
    put_varint(&mut out, base.name.len() as u64);
    out.extend_from_slice(base.name.as_bytes());
    put_varint(&mut out, joined.len() as u64);
    let (mut at, mut from) = (0u64, 0u64);
    for patch in &joined {
        let (gap, step) = (patch.at.checked_sub(at), patch.from.checked_signed_diff(from));
        let (Some(gap), Some(step), true) = (gap, step, is_sound(patch, folded.len() as u64, base.bytes)) else {
            return Err(Error::InvalidArgument { what: "patches of a block are out of order or out of place" });
        };
        put_varint(&mut out, gap);
        put_varint(&mut out, patch.bytes);
        put_varint(&mut out, zigzag(step));
        out.push(patch.width);
        (at, from) = (patch.end(), patch.end_in_base());
    }
    out.extend_from_slice(&numbers::encode(folded, spans)?);
    Ok(out)
}

/// Whether a patch holds whole numbers and lies inside a block and a base of these lengths.
fn is_sound(patch: &Patch, block_bytes: u64, base_bytes: u64) -> bool {
    let inside = |begin: u64, end: u64| begin.checked_add(patch.bytes).is_some_and(|last| last <= end);
    matches!(patch.width, 1 | 2 | 4 | 8)
        && patch.bytes > 0
        && patch.bytes.is_multiple_of(patch.width.into())
        && inside(patch.at, block_bytes)
        && inside(patch.from, base_bytes)
}

/// A base's name is a path of one part.
fn check_name(name: &str) -> Result<(), Error> {
    if name.contains('/') || name.len() as u64 > NAME_BYTES {
        return Err(Error::corrupt("name of a base"));
    }
    check_path(name)
}

/// The base that a payload, or the first [`HEAD_BYTES`] of it, names.
///
/// # Errors
/// `Corrupt` or `Truncated` if it names none.
pub fn base_of(payload: &[u8]) -> Result<BaseId, Error> {
    head(&mut Fields::new(WHAT, payload))
}

fn head(fields: &mut Fields<'_>) -> Result<BaseId, Error> {
    let digest = fields.digest32()?;
    let bytes = fields.varint()?;
    let name_bytes = fields.varint()?;
    if name_bytes > NAME_BYTES {
        return Err(fields.corrupt());
    }
    let name = std::str::from_utf8(fields.take(name_bytes)?).map_err(|_| fields.corrupt())?;
    check_name(name).map_err(|_| fields.corrupt())?;
    Ok(BaseId { digest, bytes, name: name.to_owned() })
}

/// Decodes into all of `raw`, which is paid for already.
pub(crate) fn decode_to(payload: &[u8], raw: &mut [u8], base: Option<&dyn Base>, budget: &mut Budget) -> Result<(), Error> {
    let mut fields = Fields::new(WHAT, payload);
    let wanted = head(&mut fields)?;
    let base = match base {
        Some(base) if base.id().is(&wanted) => base,
        other => return Err(error::base_needed(wanted, other.map(Base::id))),
    };
    let patches = read_patches(&mut fields, raw.len() as u64, wanted.bytes, budget)?;
    numbers::decode_to(fields.rest(), raw, budget)?;

    let most = patches.iter().map(|patch| patch.bytes).max().unwrap_or(0).min(READ_BYTES as u64);
    budget.take(WHAT, most, 1)?;
    let mut twins = vec![0; usize::try_from(most).unwrap_or(READ_BYTES)];
    for patch in &patches {
        let range = usize::try_from(patch.at).ok().zip(usize::try_from(patch.end()).ok());
        let folded = range.and_then(|(begin, end)| raw.get_mut(begin..end)).ok_or(Error::corrupt(WHAT))?;
        let mut from = patch.from;
        for folded in folded.chunks_mut(READ_BYTES) {
            let twins = twins.get_mut(..folded.len()).ok_or(Error::corrupt(WHAT))?;
            base.read(from, twins).map_err(|error| Error::io("read the base of", &error))?;
            unfold(folded, twins, patch.width);
            from = from.saturating_add(folded.len() as u64);
        }
    }
    Ok(())
}

fn read_patches(fields: &mut Fields<'_>, block_bytes: u64, base_bytes: u64, budget: &mut Budget) -> Result<Vec<Patch>, Error> {
    let count = fields.varint()?;
    // A patch takes at least four bytes here, and holds at least one.
    if count > block_bytes || count > (fields.rest().len() as u64) / 4 {
        return Err(fields.corrupt());
    }
    budget.take(WHAT, count, size_of::<Patch>() as u64)?;
    let mut patches = Vec::new();
    let (mut at, mut from) = (0u64, 0u64);
    for _ in 0..count {
        let (gap, bytes, step, width) = (fields.varint()?, fields.varint()?, unzigzag(fields.varint()?), fields.u8()?);
        let begins = at.checked_add(gap).zip(from.checked_add_signed(step));
        let patch = begins.map(|(at, from)| Patch { at, bytes, from, width });
        let patch = patch.filter(|patch| is_sound(patch, block_bytes, base_bytes)).ok_or_else(|| fields.corrupt())?;
        (at, from) = (patch.end(), patch.end_in_base());
        patches.push(patch);
    }
    Ok(patches)
}

#[cfg(test)]
mod tests;
