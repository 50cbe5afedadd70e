//! Files that are cut into several items, because they hold many images.

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::Budget;

/// A file that is cut: the bytes of its items, in order, make it up. Its path is that of the folder in which they alone lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Number of its first item.
    pub first: u32,
    /// How many items it is, at least 1.
    pub count: u32,
}

impl Cut {
    /// The number after that of its last item.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.first.saturating_add(self.count)
    }
}

/// All of an archive, in the order of their items.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Cuts(Vec<Cut>);

const WRONG: Error = Error::corrupt("index: files that are cut");

impl Cuts {
    /// Those of a column.
    pub(super) fn read(mut column: Fields<'_>, budget: &mut Budget) -> Result<Self, Error> {
        let (mut cuts, mut end) = (Vec::new(), 0u32);
        while column.end().is_err() {
            budget.take("files that are cut", 1, size_of::<Cut>() as u64)?;
            let (gap, count) = (column.varint32()?, column.varint32()?);
            let first = end.checked_add(gap).ok_or_else(|| column.corrupt())?;
            end = first.checked_add(count).filter(|_| count > 0).ok_or_else(|| column.corrupt())?;
            cuts.push(Cut { first, count });
        }
        Ok(Self(cuts))
    }

    /// Of `cuts` in rising order.
    pub(super) const fn of(cuts: Vec<Cut>) -> Self {
        Self(cuts)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (mut out, mut end) = (Vec::new(), 0u32);
        for cut in &self.0 {
            put_varint(&mut out, cut.first.saturating_sub(end).into());
            put_varint(&mut out, cut.count.into());
            end = cut.end();
        }
        out
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Cut] {
        &self.0
    }

    /// Which of them `item` belongs to, if any.
    #[must_use]
    pub fn position(&self, item: u32) -> Option<usize> {
        let at = self.0.partition_point(|cut| cut.end() <= item);
        self.0.get(at).filter(|cut| cut.first <= item).map(|_| at)
    }

    /// Looks over the paths of all items, in order.
    pub(super) const fn check(&self) -> Check<'_> {
        Check { cuts: self.0.as_slice(), number: 0, left: 0, folder: String::new(), last: String::new() }
    }
}

/// Whether items of files that are cut lie in folders of their own; every path is shown, in order.
#[derive(Debug)]
pub(super) struct Check<'a> {
    /// Those that are to come.
    cuts: &'a [Cut],
    number: u32,
    /// Items of the present one that are to come.
    left: u32,
    /// That of the last one, with the slash behind it.
    folder: String,
    last: String,
}

impl Check<'_> {
    pub(super) fn push(&mut self, path: &str) -> Result<(), Error> {
        if let Some(left) = self.left.checked_sub(1) {
            let inside = path.strip_prefix(self.folder.as_str()).is_some_and(|name| !name.contains('/'));
            self.left = if inside { left } else { return Err(WRONG) };
        } else {
            if !self.folder.is_empty() && path.starts_with(self.folder.as_str()) {
                return Err(WRONG);
            }
            if let [cut, rest @ ..] = self.cuts
                && cut.first == self.number
            {
                let (file, _) = path.rsplit_once('/').ok_or(WRONG)?;
                self.folder = format!("{file}/");
                if self.last.starts_with(self.folder.as_str()) {
                    return Err(WRONG);
                }
                (self.cuts, self.left) = (rest, cut.count.saturating_sub(1));
            }
        }
        self.number = self.number.saturating_add(1);
        self.last.clear();
        self.last.push_str(path);
        Ok(())
    }

    pub(super) fn end(self) -> Result<(), Error> {
        if self.cuts.is_empty() && self.left == 0 { Ok(()) } else { Err(WRONG) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cuts: &[(u32, u32)], paths: &[&str]) -> Result<(), Error> {
        let cuts = Cuts(cuts.iter().map(|&(first, count)| Cut { first, count }).collect());
        let mut check = cuts.check();
        paths.iter().try_for_each(|path| check.push(path))?;
        check.end()
    }

    #[test]
    fn items_of_a_cut_file_lie_in_a_folder_of_their_own() {
        let paths = ["a", "b.npy/0", "b.npy/1", "c/d.npy/0", "c/e"];
        assert!(check(&[], &paths).is_ok());
        assert!(check(&[(1, 2), (3, 1)], &paths).is_ok());
        for wrong in [&[(1u32, 1u32)][..], &[(2, 1)], &[(1, 3)], &[(0, 1)], &[(3, 2)], &[(4, 1)], &[(1, 2), (3, 1), (9, 1)]] {
            assert!(check(wrong, &paths).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn columns_come_back_and_wrong_ones_are_refused() {
        let cuts = Cuts(vec![Cut { first: 0, count: 3 }, Cut { first: 1000, count: 1 }]);
        let read = |bytes: &[u8]| Cuts::read(Fields::new("cuts", bytes), &mut Budget::new(1 << 20));
        let bytes = cuts.to_bytes();
        assert_eq!(read(&bytes).unwrap(), cuts);
        assert_eq!([0, 2, 3, 999, 1000, 1001].map(|item| cuts.position(item)), [Some(0), Some(0), None, None, Some(1), None]);
        assert!(read(&[0, 0]).is_err(), "a file of no items");
        assert!(read(&bytes[..bytes.len() - 1]).is_err());
        assert!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).is_err(), "no item has such a number");
        assert!(Cuts::read(Fields::new("cuts", &bytes), &mut Budget::new(8)).is_err());
    }
}
