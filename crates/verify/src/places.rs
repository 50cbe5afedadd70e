//! Where the items of files that are cut lie in them.

use kolmo_codec::container::{BlockCoding, Content, Contents};
use kolmo_codec::limits::Budget;
use kolmo_data::frames::frame_bytes;
use kolmo_data::layout::Layout;

use crate::Error;

/// Where each item of the files that are cut begins in its file. Eight bytes an item.
#[derive(Debug, Default)]
pub struct Places {
    /// One a file, in order: where its items begin, and where the last one ends.
    files: Vec<Vec<u64>>,
}

/// Where an item lies in a file that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the file among those that are cut.
    pub file: usize,
    /// Where the item begins.
    pub offset: u64,
    /// Length of the file.
    pub file_bytes: u64,
}

impl Places {
    /// Those of an open archive.
    ///
    /// # Errors
    /// `Corrupt` if a part of a file is an image that does not say its length; `LimitExceeded`.
    pub fn new(contents: &Contents, budget: &mut Budget) -> Result<Self, Error> {
        let index = contents.index();
        let layouts: Vec<Option<Layout>> = contents.programs().iter().map(|program| program.layout.parse().ok()).collect();
        let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let image_bytes = |block: u32, recipe: u32, width: u32, height: u32| {
            let BlockCoding::Program { program, .. } = index.blocks.get(at(block))?.coding else { return None };
            frame_bytes(contents.recipe(recipe)?, width, height, (*layouts.get(at(program))?)?)
        };
        let bytes = |item: u32| {
            let content = match index.items.content(at(item))? {
                Content::Copy { of } => index.items.content(at(of))?,
                content => content,
            };
            match content {
                Content::General { bytes, .. } => Some(bytes),
                Content::Image { block, height, width, recipe } => image_bytes(block, recipe, width, height),
                Content::Copy { .. } => None,
            }
        };
        let mut files = Vec::new();
        for cut in index.cuts.all() {
            budget.take("parts of files that are cut", u64::from(cut.count).saturating_add(4), size_of::<u64>() as u64)?;
            let mut offsets = vec![0u64];
            let mut end = 0u64;
            for item in cut.first..cut.end() {
                let next = bytes(item).and_then(|bytes| end.checked_add(bytes));
                end = next.ok_or(kolmo_codec::Error::Corrupt { what: "index: a part of a file that is cut", offset: None })?;
                offsets.push(end);
            }
            files.push(offsets);
        }
        Ok(Self { files })
    }

    /// Length of the file of this number among those that are cut.
    #[must_use]
    pub fn file_bytes(&self, file: usize) -> Option<u64> {
        self.files.get(file)?.last().copied()
    }

    /// The item that holds the byte at `position` of a file, and where in the file the item begins.
    #[must_use]
    pub fn at(&self, contents: &Contents, file: usize, position: u64) -> Option<(u32, u64)> {
        let offsets = self.files.get(file)?;
        // Of items without bytes the last one begins where the byte is.
        let within = offsets.partition_point(|&offset| offset <= position).checked_sub(1)?;
        let item = contents.index().cuts.all().get(file)?.first.checked_add(u32::try_from(within).ok()?)?;
        (position < *offsets.last()?).then_some((item, *offsets.get(within)?))
    }

    /// Where `item` lies, if it is a part of a file.
    #[must_use]
    pub fn of(&self, contents: &Contents, item: u32) -> Option<Place> {
        let cuts = &contents.index().cuts;
        let file = cuts.position(item)?;
        let within = usize::try_from(item.checked_sub(cuts.all().get(file)?.first)?).ok()?;
        let offsets = self.files.get(file)?;
        Some(Place { file, offset: *offsets.get(within)?, file_bytes: *offsets.last()? })
    }
}
