//! Recipes: what rebuilding a file from samples needs. Equal ones are stored once.

use std::collections::HashMap;

use crate::Error;
use crate::container::fields::Fields;
use crate::limits::Budget;

/// Collects recipes; equal ones get one number. Numbers rise in order of first use.
#[derive(Debug, Default, Clone)]
pub struct RecipeBook {
    numbers: HashMap<Vec<u8>, u32>,
    pub(super) lengths: Vec<u64>,
    pub(super) bytes: Vec<u8>,
}

impl RecipeBook {
    /// The number of `recipe`, new or known.
    ///
    /// # Errors
    /// `InvalidArgument` from 2^32 different recipes on.
    pub fn intern(&mut self, recipe: Vec<u8>) -> Result<u32, Error> {
        if let Some(&number) = self.numbers.get(&recipe) {
            return Ok(number);
        }
        let number = u32::try_from(self.lengths.len()).map_err(|_| Error::InvalidArgument { what: "an archive holds fewer than 2^32 recipes" })?;
        self.lengths.push(recipe.len() as u64);
        self.bytes.extend_from_slice(&recipe);
        self.numbers.insert(recipe, number);
        Ok(number)
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
        self.lengths.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
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
