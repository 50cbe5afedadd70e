//! Recipes: what rebuilding a file from samples needs. Equal ones are stored once.

use std::collections::HashMap;

use crate::Error;
use crate::container::fields::Fields;
use crate::limits::Budget;

/// Bytes of a digest that tell recipes apart.
const KEY_BYTES: usize = 16;

/// Collects recipes; equal ones get one number. Numbers rise in order of first use.
#[derive(Debug, Default, Clone)]
pub struct RecipeBook {
    /// By the first bytes of their blake3: the recipes themselves are held once.
    numbers: HashMap<[u8; KEY_BYTES], u32>,
    pub(super) bytes: Vec<u8>,
    /// Where each one ends in `bytes`.
    ends: Vec<usize>,
}

impl RecipeBook {
    /// The number of `recipe`, new or known.
    ///
    /// # Errors
    /// `InvalidArgument` from 2^32 different recipes on.
    pub fn intern(&mut self, recipe: impl AsRef<[u8]>) -> Result<u32, Error> {
        let recipe = recipe.as_ref();
        let mut key = [0; KEY_BYTES];
        blake3::Hasher::new().update(recipe).finalize_xof().fill(&mut key);
        if let Some(&number) = self.numbers.get(&key) {
            return Ok(number);
        }
        let number = u32::try_from(self.ends.len()).map_err(|_| Error::InvalidArgument { what: "an archive holds fewer than 2^32 recipes" })?;
        self.bytes.extend_from_slice(recipe);
        self.ends.push(self.bytes.len());
        self.numbers.insert(key, number);
        Ok(number)
    }

    /// Recipe number `number`.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&[u8]> {
        let at = usize::try_from(number).ok()?;
        let begin = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(begin..*self.ends.get(at)?)
    }

    /// The length of each, in order.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u64> {
        let begins = std::iter::once(&0).chain(&self.ends);
        self.ends.iter().zip(begins).map(|(end, begin)| end.saturating_sub(*begin) as u64)
    }

    /// What they take in memory, bytes: about as much again as their lengths, if they are short.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        const EACH: u64 = 2 * (KEY_BYTES + size_of::<u32>()) as u64 + size_of::<usize>() as u64;
        (self.bytes.len() as u64).saturating_add((self.ends.len() as u64).saturating_mul(EACH))
    }

    /// What they take in an archive, their lengths in the index apart.
    ///
    /// # Errors
    /// `Io` if zstd fails, which it does only for want of memory.
    pub fn coded_bytes(&self) -> Result<u64, Error> {
        Ok(crate::general::encode(&self.bytes)?.1.len() as u64)
    }

    /// How many different ones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Recipes as read back.
#[derive(Debug, Default)]
pub(super) struct Recipes {
    bytes: Vec<u8>,
    /// Where each one begins, and where the last one ends.
    bounds: Vec<usize>,
}

impl Recipes {
    /// `count` lengths (varints) from the index, over `bytes`.
    pub(super) fn read(bytes: Vec<u8>, lengths: &mut Fields<'_>, count: u32, budget: &mut Budget) -> Result<Self, Error> {
        budget.take("recipe lengths", u64::from(count).saturating_add(1), 8)?;
        let mut bounds = vec![0usize];
        let mut end = 0usize;
        for _ in 0..count {
            let len = usize::try_from(lengths.varint()?).ok();
            end = len.and_then(|len| end.checked_add(len)).filter(|&end| end <= bytes.len()).ok_or_else(|| lengths.corrupt())?;
            bounds.push(end);
        }
        lengths.end()?;
        if end == bytes.len() { Ok(Self { bytes, bounds }) } else { Err(Error::corrupt("recipe lengths")) }
    }

    pub(super) fn get(&self, number: u32) -> Option<&[u8]> {
        let at = usize::try_from(number).ok()?;
        self.bytes.get(*self.bounds.get(at)?..*self.bounds.get(at.checked_add(1)?)?)
    }
}
