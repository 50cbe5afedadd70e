//! Which images of a block look at an earlier one of it, and how: the table that a block of [`Method::References`] begins with.
//!
//! [`Method::References`]: super::Method::References
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "numbers of images are checked when a table is made")]

use crate::container::fields::{Fields, put_varint, unzigzag, zigzag};
use crate::error::Error;
use crate::limits::Budget;

/// Most images of which each refers to the one before: a block then still has pixels to code side by side.
pub const MOST_WAVES: usize = 64;

/// Most rows or columns that a reference may be moved by.
pub const MOST_MOVED: i32 = 1 << 15;

/// Symmetries of a rectangle, as three bits: 1 mirrors left and right, 2 top and bottom, 4 swaps rows and columns before.
pub const TURNS: u8 = 8;

const WHAT: &str = "references of a block";

/// An earlier image of the same block that an image resembles.
///
/// Where the image has (`y`, `x`), the reference, turned, has (`y + down`, `x + right`), or what is nearest to that inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Number of the earlier image in the block.
    pub image: usize,
    /// One of [`TURNS`] symmetries.
    pub turn: u8,
    /// Rows and columns that the turned reference is ahead.
    pub down: i32,
    /// See `down`.
    pub right: i32,
}

impl Reference {
    /// The image `image` as it stands.
    #[must_use]
    pub const fn plain(image: usize) -> Self {
        Self { image, turn: 0, down: 0, right: 0 }
    }
}

/// What the images of a block refer to; nothing is held if none does.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    /// For each image, or empty.
    of: Vec<Option<Reference>>,
    /// As many: how many references lead from it to one that has none; below [`MOST_WAVES`].
    waves: Vec<u8>,
}

impl References {
    /// Checks references of images that have so many pixels each.
    ///
    /// # Errors
    /// `InvalidArgument` unless each is to an earlier image with pixels, by a symmetry that there is, moved by no more than [`MOST_MOVED`], and no chain of
    /// them has more than [`MOST_WAVES`] images.
    pub(crate) fn new(of: &[Option<Reference>], shapes: &[(usize, usize)]) -> Result<Self, Error> {
        let mut waves: Vec<u8> = Vec::with_capacity(of.len());
        for (image, reference) in of.iter().enumerate() {
            let wave = match reference {
                None => 0,
                Some(reference) => {
                    let before = waves.get(reference.image).filter(|_| reference.image < image && has_pixels(shapes[reference.image]));
                    let wave = before.map(|&before| before + 1).filter(|&wave| usize::from(wave) < MOST_WAVES);
                    let moved = [reference.down, reference.right].iter().all(|step| step.unsigned_abs() <= MOST_MOVED.unsigned_abs());
                    wave.filter(|_| moved && reference.turn < TURNS).ok_or(Error::InvalidArgument { what: "a reference that no image may have" })?
                }
            };
            waves.push(wave);
        }
        if of.len() != shapes.len() {
            return Err(Error::InvalidArgument { what: "other than one reference an image" });
        }
        Ok(Self { of: of.to_vec(), waves })
    }

    /// Reads the table of a block of images of these shapes; gives back what follows it as well.
    ///
    /// # Errors
    /// `Corrupt` for what [`References::new`] refuses; `LimitExceeded`.
    pub(crate) fn read<'a>(bytes: &'a [u8], shapes: &[(usize, usize)], budget: &mut Budget) -> Result<(Self, &'a [u8]), Error> {
        budget.take(WHAT, shapes.len() as u64, 3 * (size_of::<Option<Reference>>() as u64 + 1))?;
        let mut fields = Fields::new(WHAT, bytes);
        let mut of = Vec::with_capacity(shapes.len());
        for image in 0..shapes.len() {
            let back = fields.varint32()? as usize;
            of.push(match back {
                0 => None,
                _ => Some(Reference {
                    image: image.checked_sub(back).ok_or_else(|| fields.corrupt())?,
                    turn: fields.u8()?,
                    down: moved(&mut fields)?,
                    right: moved(&mut fields)?,
                }),
            });
        }
        let read = Self::new(&of, shapes).map_err(|_| fields.corrupt())?;
        Ok((read, fields.rest()))
    }

    /// Writes the table.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (image, reference) in self.of.iter().enumerate() {
            match reference {
                None => put_varint(out, 0),
                Some(Reference { image: earlier, turn, down, right }) => {
                    put_varint(out, (image - earlier) as u64);
                    out.push(*turn);
                    put_varint(out, zigzag((*down).into()));
                    put_varint(out, zigzag((*right).into()));
                }
            }
        }
    }

    pub(crate) fn of(&self, image: usize) -> Option<Reference> {
        self.of.get(image).copied().flatten()
    }

    pub(crate) fn any(&self) -> bool {
        self.of.iter().any(Option::is_some)
    }

    /// When an image is walked: after all of lower waves, among which its reference is.
    pub(crate) fn wave(&self, image: usize) -> usize {
        self.waves.get(image).map_or(0, |&wave| wave.into())
    }

    /// How many waves there are.
    pub(crate) fn waves(&self) -> usize {
        self.waves.iter().max().map_or(1, |&last| usize::from(last) + 1)
    }
}

const fn has_pixels((height, width): (usize, usize)) -> bool {
    height > 0 && width > 0
}

fn moved(fields: &mut Fields<'_>) -> Result<i32, Error> {
    i32::try_from(unzigzag(fields.varint()?)).map_err(|_| fields.corrupt())
}

#[cfg(test)]
mod tests;
