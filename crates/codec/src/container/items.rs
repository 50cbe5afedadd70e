//! Items as they are held, a few bytes each beside their paths: there may be millions of them.

use crate::container::{Content, Item};

/// Paths, one after another.
///
/// - holds: no path is longer than [`MAX_NAME_BYTES`](crate::names::MAX_NAME_BYTES)
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    text: String,
    /// Where the first path of every [`RUN`] begins.
    runs: Vec<usize>,
    /// Where each path ends, counted from where its run begins.
    ends: Vec<u32>,
}

/// Paths that count from one place.
const RUN: usize = 1 << 16;
const _: () = assert!(RUN as u64 * crate::names::MAX_NAME_BYTES as u64 <= u32::MAX as u64); // ends fit 32 bits

impl Paths {
    pub(crate) fn push(&mut self, path: &str) {
        if self.ends.len().is_multiple_of(RUN) {
            self.runs.push(self.text.len());
        }
        self.text.push_str(path);
        let begin = self.runs.last().copied().unwrap_or(0);
        self.ends.push(u32::try_from(self.text.len().saturating_sub(begin)).unwrap_or(u32::MAX));
    }

    pub(crate) fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)? as usize;
        let run = *self.runs.get(number.checked_div(RUN)?)?;
        let before = if number.is_multiple_of(RUN) { 0 } else { *self.ends.get(number.checked_sub(1)?)? as usize };
        self.text.get(run.checked_add(before)?..run.checked_add(end)?)
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|number| self.get(number))
    }

    /// Whether `path` is among them, all in rising order.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.position(path).is_some()
    }

    fn position(&self, path: &str) -> Option<usize> {
        let (mut from, mut to) = (0usize, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.get(middle)?.cmp(path) {
                std::cmp::Ordering::Less => from = middle.saturating_add(1),
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }
}

/// An item of [`Items`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRef<'a> {
    /// See [`Item::path`].
    pub path: &'a str,
    /// What it consists of.
    pub content: Content,
}

/// Items in bytewise order of their paths: 20 bytes each, and the paths.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Items {
    paths: Paths,
    contents: Vec<Packed>,
}

impl Items {
    /// Of `paths` that have no content yet.
    pub(super) const fn of(paths: Paths) -> Self {
        Self { paths, contents: Vec::new() }
    }

    /// The content of the first path that has none yet.
    pub(super) fn fill(&mut self, content: Content) {
        self.contents.push(Packed::new(content));
    }

    /// Item number `number`.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<ItemRef<'_>> {
        Some(ItemRef { path: self.paths.get(number)?, content: self.content(number)? })
    }

    /// What item number `number` consists of.
    #[must_use]
    pub fn content(&self, number: usize) -> Option<Content> {
        self.contents.get(number).map(|packed| packed.content())
    }

    /// The number of the item with this path.
    #[must_use]
    pub fn position(&self, path: &str) -> Option<usize> {
        self.paths.position(path)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = ItemRef<'_>> {
        self.paths.iter().zip(self.contents()).map(|(path, content)| ItemRef { path, content })
    }

    /// What they consist of, in order.
    pub fn contents(&self) -> impl ExactSizeIterator<Item = Content> {
        self.contents.iter().map(|packed| packed.content())
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }
}

impl FromIterator<Item> for Items {
    fn from_iter<T: IntoIterator<Item = Item>>(items: T) -> Self {
        let mut all = Self::default();
        for item in items {
            all.paths.push(&item.path);
            all.fill(item.content);
        }
        all
    }
}

impl PartialEq<Vec<Item>> for Items {
    fn eq(&self, other: &Vec<Item>) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(item, other)| item.path == other.path && item.content == other.content)
    }
}

/// A [`Content`] in 16 bytes: block and shape and recipe of an image; block, 0 (no image has it as its height) and size of bytes; an item, 0 and
/// the size that no bytes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed([u32; 4]);

const NO_SIZE: u64 = u64::MAX;

impl Packed {
    const fn new(content: Content) -> Self {
        match content {
            Content::Image { block, height, width, recipe } => Self([block, height, width, recipe]),
            // More bytes than fit blocks are refused as what they are: one less makes no difference.
            Content::General { block, bytes } => Self::sized(block, if bytes == NO_SIZE { NO_SIZE.saturating_sub(1) } else { bytes }),
            Content::Copy { of } => Self::sized(of, NO_SIZE),
        }
    }

    const fn sized(number: u32, size: u64) -> Self {
        Self([number, 0, (size >> 32) as u32, size as u32])
    }

    const fn content(self) -> Content {
        match self.0 {
            [of, 0, u32::MAX, u32::MAX] => Content::Copy { of },
            [block, 0, high, low] => Content::General { block, bytes: (high as u64) << 32 | low as u64 },
            [block, height, width, recipe] => Content::Image { block, height, width, recipe },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_again_across_runs() {
        let path = |number: usize| format!("{:06}", 2 * number);
        let mut paths = Paths::default();
        (0..RUN + 10).for_each(|number| paths.push(&path(number)));
        for number in [0, 1, RUN - 1, RUN, RUN + 1, RUN + 9] {
            assert_eq!(paths.get(number), Some(path(number).as_str()));
            assert_eq!(paths.position(&path(number)), Some(number));
        }
        assert_eq!((paths.get(RUN + 10), paths.position("000001"), paths.iter().count()), (None, None, RUN + 10));
    }

    #[test]
    fn contents_come_back() {
        let all = [
            Content::Image { block: 7, height: 1, width: u32::MAX, recipe: u32::MAX },
            Content::General { block: 0, bytes: 0 },
            Content::General { block: 3, bytes: (5 << 32) + 9 },
            Content::Copy { of: 0 },
            Content::Copy { of: u32::MAX },
        ];
        for content in all {
            assert_eq!(Packed::new(content).content(), content);
        }
        let huge = Packed::new(Content::General { block: 3, bytes: u64::MAX }).content();
        assert!(matches!(huge, Content::General { block: 3, bytes } if bytes > u64::MAX / 2));
    }
}
