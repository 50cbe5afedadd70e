//! Archives taken apart and put together again, with every length and the digest at the end made right: what an attacker would send.

use kolmo_codec::container::{HEADER_BYTES, TRAILER_BYTES};
use kolmo_codec::general::{self, GeneralMethod};
use kolmo_codec::limits::Budget;
use kolmo_data::digest::of_bytes;

/// The sections of an archive, recipes and index decoded.
#[derive(Debug, Clone)]
pub(crate) struct Sections {
    /// 80 bytes; lengths and codings are filled in by [`Sections::archive`].
    pub(crate) header: Vec<u8>,
    pub(crate) programs: Vec<u8>,
    pub(crate) blocks: Vec<u8>,
    pub(crate) recipes: Vec<u8>,
    pub(crate) index: Vec<u8>,
}

/// Offsets of the lengths in the header.
const PROGRAMS: usize = 32;
const BLOCKS: usize = 40;
const RECIPES: usize = 48;
const INDEX: usize = 64;

fn field(header: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"))
}

fn set_field(header: &mut [u8], at: usize, value: u64) {
    header[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Where the blocks of an archive begin and end.
pub(crate) fn blocks_of(archive: &[u8]) -> std::ops::Range<usize> {
    let begin = HEADER_BYTES as usize + field(archive, PROGRAMS) as usize;
    begin..begin + field(archive, BLOCKS) as usize
}

impl Sections {
    /// Of a sound archive.
    pub(crate) fn of(archive: &[u8]) -> Self {
        let header = archive[..HEADER_BYTES as usize].to_vec();
        let mut rest = &archive[HEADER_BYTES as usize..];
        let mut take = |at: usize| {
            let (section, tail) = rest.split_at(field(&header, at) as usize);
            rest = tail;
            section
        };
        let (programs, blocks, recipes, index) = (take(PROGRAMS), take(BLOCKS), take(RECIPES), take(INDEX));
        let decoded = |section: &[u8], method: u8, at: usize| {
            let method = if method == 0 { GeneralMethod::Stored } else { GeneralMethod::Zstd };
            general::decode(method, section, field(&header, at), &mut Budget::new(1 << 24)).expect("a sound archive")
        };
        let recipes = decoded(recipes, header[21], RECIPES + 8);
        let index = decoded(index, header[22], INDEX + 8);
        Self { programs: programs.to_vec(), blocks: blocks.to_vec(), recipes, index, header }
    }

    /// The archive of these sections, recipes and index stored as they are.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        header[21..23].fill(0);
        let (recipes, index) = (self.recipes.len() as u64, self.index.len() as u64);
        for (at, length) in [
            (PROGRAMS, self.programs.len() as u64),
            (BLOCKS, self.blocks.len() as u64),
            (RECIPES, recipes),
            (RECIPES + 8, recipes),
            (INDEX, index),
            (INDEX + 8, index),
        ] {
            set_field(&mut header, at, length);
        }
        let digest = of_bytes(&[&header[..], &self.programs, &self.recipes, &self.index].concat());
        [&header[..], &self.programs, &self.blocks, &self.recipes, &self.index, &digest.0].concat()
    }
}

/// Makes the digest at the end right, whatever stands before it. `None` if the lengths in the header do not fit the file.
pub(crate) fn resealed(archive: &[u8]) -> Option<Vec<u8>> {
    let body = archive.len().checked_sub(TRAILER_BYTES as usize)?;
    let begin = (HEADER_BYTES as usize).checked_add(usize::try_from(field(archive, PROGRAMS)).ok()?)?;
    let end = begin.checked_add(usize::try_from(field(archive, BLOCKS)).ok()?).filter(|&end| end <= body)?;
    let digest = of_bytes(&[&archive[..begin], &archive[end..body]].concat());
    Some([&archive[..body], &digest.0].concat())
}

/// `number` as a varint.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A run of a column: `count` times `value`.
pub(crate) fn run(value: u64, count: u64) -> Vec<u8> {
    [varint(value), varint(count)].concat()
}

/// Columns of an index, in the order of FORMAT.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    NameOps,
    NameLengths,
    NameRests,
    Copies,
    CopyTargets,
    ItemBlocks,
    Heights,
    Widths,
    ItemRecipes,
    ItemSizes,
    BlockPrograms,
    BlockMethods,
    BlockSizes,
    RecipeLengths,
}

/// An index taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// Items, blocks, recipes, bytes of all files.
    pub(crate) numbers: [u64; 4],
    columns: Vec<Vec<u8>>,
    pub(crate) digests: Vec<u8>,
}

impl Columns {
    pub(crate) fn of(index: &[u8]) -> Self {
        let mut rest = index;
        let numbers = [(); 4].map(|()| read_varint(&mut rest));
        let mut columns = Vec::new();
        for _ in 0..14 {
            let length = read_varint(&mut rest) as usize;
            let (column, tail) = rest.split_at(length);
            columns.push(column.to_vec());
            rest = tail;
        }
        Self { numbers, columns, digests: rest.to_vec() }
    }

    pub(crate) fn set(&mut self, column: Column, bytes: Vec<u8>) {
        self.columns[column as usize] = bytes;
    }

    /// One more column behind all others.
    pub(crate) fn append(&mut self, column: Option<&[u8]>) {
        self.columns.extend(column.map(<[u8]>::to_vec));
    }

    /// Adds to the end of a column.
    pub(crate) fn push(&mut self, column: Column, bytes: &[u8]) {
        self.columns[column as usize].extend_from_slice(bytes);
    }

    /// Names written out one by one, as they are, sound or not.
    pub(crate) fn set_names(&mut self, names: &[&[u8]]) {
        self.numbers[0] = names.len() as u64;
        self.set(Column::NameOps, vec![1; names.len()]);
        self.set(Column::NameLengths, names.iter().flat_map(|name| varint(name.len() as u64)).collect());
        self.set(Column::NameRests, names.concat());
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.numbers.into_iter().flat_map(varint).collect();
        for column in &self.columns {
            bytes.extend(varint(column.len() as u64));
            bytes.extend_from_slice(column);
        }
        bytes.extend_from_slice(&self.digests);
        bytes
    }
}

/// 64 MiB of zeros, as zstd has them, in the place of all that an archive holds.
pub(crate) fn only_zeros(sections: &mut Sections, columns: &mut Columns) {
    let (_, bomb) = general::encode_at(&vec![0; 1 << 26], 1).expect("zstd has memory");
    columns.numbers[..2].copy_from_slice(&[1, 1]);
    columns.set_names(&[b"zeros"]);
    columns.set(Column::Copies, run(0, 1));
    columns.set(Column::ItemBlocks, run(0, 1));
    [Column::CopyTargets, Column::Heights, Column::Widths, Column::ItemRecipes].into_iter().for_each(|column| columns.set(column, vec![]));
    columns.set(Column::ItemSizes, varint(1 << 26));
    columns.set(Column::BlockPrograms, run(0, 1));
    columns.set(Column::BlockMethods, run(1, 1));
    columns.set(Column::BlockSizes, varint(bomb.len() as u64));
    columns.digests.truncate(16);
    sections.blocks = bomb;
}

fn read_varint(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, tail) = rest.split_first().expect("a sound index");
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return number;
        }
    }
}
