//! What is known of all files of a dataset: records of one length in pages, and what few files have.

use std::collections::BTreeMap;

use kolmo_codec::colour::Colour;
use kolmo_data::digest::Digest;
use kolmo_data::layout::Layout;

use crate::error::Error;
use crate::item::{Insides, Item, ItemState};
use crate::pages::{Aside, Pages};
use crate::picture::Picture;

/// Bytes of records that are in memory at most: those of 150,000 files.
const MEMORY_BYTES: u64 = 16 << 20;

/// Bytes of a record: size and digest of the file, then its kind, then all of an image or the number of what it is a copy of.
const RECORD: usize = 112;

const GENERAL: u8 = 0;
const IMAGE: u8 = 1;
const COPY: u8 = 2;
const JPEG: u8 = 3;

/// One item a file.
#[derive(Debug)]
pub(crate) struct Items {
    records: Pages,
    count: usize,
    /// Of all files.
    bytes: u64,
    /// Of those that have any.
    insides: BTreeMap<usize, Insides>,
    /// What these take.
    insides_bytes: u64,
}

impl Items {
    pub(crate) fn new(aside: &Aside) -> Self {
        Self { records: aside.pages(MEMORY_BYTES), count: 0, bytes: 0, insides: BTreeMap::new(), insides_bytes: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Bytes of all files.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether any file has a tensor with a twin in the base.
    pub(crate) fn with_twins(&self) -> bool {
        self.insides.values().any(|insides| !insides.twins.is_empty())
    }

    /// One more item.
    pub(crate) fn push(&mut self, item: &Item, insides: Option<Insides>) -> Result<(), Error> {
        self.records.append(&to_bytes(item))?;
        if let Some(insides) = insides {
            self.insides_bytes += insides.bytes();
            self.insides.insert(self.count, insides);
        }
        self.count += 1;
        self.bytes += item.bytes;
        Ok(())
    }

    pub(crate) fn get(&self, number: usize) -> Result<Item, Error> {
        let mut record = [0; RECORD];
        self.records.read((number * RECORD) as u64, &mut record)?;
        Ok(from_bytes(&record)?)
    }

    pub(crate) fn set(&self, number: usize, item: &Item) -> Result<(), Error> {
        self.records.write((number * RECORD) as u64, &to_bytes(item))
    }

    /// What all that only few items have takes in memory.
    pub(crate) const fn insides_bytes(&self) -> u64 {
        self.insides_bytes
    }

    /// What only few items have.
    pub(crate) fn insides(&self, number: usize) -> Option<&Insides> {
        self.insides.get(&number)
    }

    pub(crate) fn insides_mut(&mut self, number: usize) -> Option<&mut Insides> {
        self.insides.get_mut(&number)
    }

    /// Those that have any.
    pub(crate) fn with_insides(&self) -> impl Iterator<Item = usize> {
        self.insides.keys().copied()
    }
}

fn to_bytes(item: &Item) -> [u8; RECORD] {
    let mut record = Record { bytes: [0; RECORD], at: 0 };
    record.put(&item.bytes.to_le_bytes());
    record.put(&item.file_digest.0);
    match item.state {
        ItemState::General => record.put(&[GENERAL]),
        ItemState::Jpeg => record.put(&[JPEG]),
        ItemState::Copy(first) => {
            record.put(&[COPY]);
            record.put(&(first as u64).to_le_bytes());
        }
        ItemState::Image(picture) => {
            record.put(&[IMAGE, picture.layout.code(), picture.colour.map_or(0, Colour::code)]);
            [picture.width, picture.height, picture.recipe].iter().for_each(|number| record.put(&number.to_le_bytes()));
            record.put(&picture.digest.0);
            record.put(&picture.residual_bpsp.to_le_bytes());
            [picture.sum, picture.sum_of_squares].iter().for_each(|number| record.put(&number.to_le_bytes()));
        }
    }
    record.bytes
}

fn from_bytes(record: &[u8; RECORD]) -> Result<Item, kolmo_data::Error> {
    let mut record = Record { bytes: *record, at: 0 };
    let (bytes, file_digest) = (u64::from_le_bytes(record.take()), Digest(record.take()));
    let state = match record.take::<1>()[0] {
        JPEG => ItemState::Jpeg,
        COPY => ItemState::Copy(u64::from_le_bytes(record.take()) as usize),
        IMAGE => {
            let layout = Layout::from_code(record.take::<1>()[0])?;
            let colour = Colour::from_code(record.take::<1>()[0]);
            let [width, height, recipe] = [(); 3].map(|()| u32::from_le_bytes(record.take()));
            let (digest, residual_bpsp) = (Digest(record.take()), f64::from_le_bytes(record.take()));
            let [sum, sum_of_squares] = [(); 2].map(|()| u64::from_le_bytes(record.take()));
            ItemState::Image(Picture { width, height, layout, colour, digest, recipe, residual_bpsp, sum, sum_of_squares })
        }
        _ => ItemState::General,
    };
    Ok(Item { bytes, file_digest, state })
}

/// A record that is written, or read, front to back.
struct Record {
    bytes: [u8; RECORD],
    at: usize,
}

impl Record {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[self.at..][..N]);
        self.at += N;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_data::digest::of_bytes;

    #[test]
    fn items_come_back_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut items = Items::new(&Aside::new(folder.path(), 0));
        let item = |number: usize| {
            let picture = Picture {
                width: number as u32,
                height: u32::MAX,
                layout: "gray16".parse().expect("a layout"),
                colour: [None, Some(Colour::PhotoCd)][number % 2],
                digest: of_bytes(b"samples"),
                recipe: 7,
                residual_bpsp: 0.1 + number as f64,
                sum: u64::MAX,
                sum_of_squares: number as u64,
            };
            let state = match number % 3 {
                0 if number.is_multiple_of(2) => ItemState::General,
                0 => ItemState::Jpeg,
                1 => ItemState::Image(picture),
                _ => ItemState::Copy(number / 2),
            };
            Item { bytes: u64::MAX - number as u64, file_digest: of_bytes(&number.to_le_bytes()), state }
        };
        (0..3000).for_each(|number| items.push(&item(number), (number == 9).then(Insides::default)).expect("room"));
        items.set(5, &item(1)).expect("room");
        for number in (0..3000).rev() {
            assert_eq!(items.get(number).expect("read back"), item(if number == 5 { 1 } else { number }));
        }
        assert_eq!((items.len(), items.insides(9).is_some(), items.insides(8).is_some()), (3000, true, false));
    }
}
