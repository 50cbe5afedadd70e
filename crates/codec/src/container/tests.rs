use std::io::Cursor;

use super::*;
use crate::block::Method;
use crate::error::ErrorKind;
use crate::general::GeneralMethod;
use crate::limits::{Budget, Limits};
use crate::weights::{self, CodedProgram};

fn program() -> CodedProgram {
    weights::encode(&(0..400u32).map(|n| (n % 9) as u8).collect::<Vec<u8>>())
}

fn items() -> Vec<Item> {
    let image = |path: &str, recipe| Item { path: path.into(), content: Content::Image { block: 0, height: 2, width: 3, recipe } };
    vec![
        Item { path: "LICENSE".into(), content: Content::General { block: 1, bytes: 3 } },
        image("a/001.png", 0),
        image("a/002.png", 1),
        Item { path: "a/003.png".into(), content: Content::Copy { of: 1 } },
        Item { path: "b.txt".into(), content: Content::General { block: 1, bytes: 4 } },
    ]
}

const IMAGES: BlockCoding = BlockCoding::Program { program: 0, method: Method::Direct };

fn archive() -> (Vec<u8>, Sizes) {
    let program = program();
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[(0x28, &program)]).unwrap();
    let digests = [[1; 32], [2; 32]];
    let block = writer.block(IMAGES, b"payload", block_digest(b"payload", &digests)).unwrap();
    assert_eq!(block, 0);
    let stored = BlockCoding::General(GeneralMethod::Stored);
    writer.block(stored, b"abcdefg", block_digest(b"abcdefg", &[])).unwrap();
    let mut recipes = RecipeBook::default();
    assert_eq!(recipes.intern(b"png").unwrap(), 0);
    assert_eq!(recipes.intern(b"png, interlaced").unwrap(), 1);
    assert_eq!(recipes.intern(b"png").unwrap(), 0);
    let known: Vec<_> = (0..3).map(|number| recipes.get(number)).collect();
    assert_eq!(known, [Some(b"png".as_slice()), Some(b"png, interlaced"), None]);
    let (out, sizes) = writer.finish(items(), &recipes, 1234).unwrap();
    (out.into_inner(), sizes)
}

/// Opens and reads every block, as expanding does.
fn read(bytes: &[u8]) -> Result<(Index, Vec<Vec<u8>>), Error> {
    let mut reader = Reader::open(Cursor::new(bytes), &Limits { memory_bytes: 1 << 20, ..Limits::default() })?;
    let mut blocks = Vec::new();
    for number in 0..reader.index().blocks.len() as u32 {
        let mut budget = reader.budget();
        let coded = reader.block_bytes(number, &mut budget)?;
        let block = &reader.index().blocks[number as usize];
        let digests: &[[u8; 32]] = if block.coding == IMAGES { &[[1; 32], [2; 32]] } else { &[] };
        block.check(&coded, digests)?;
        blocks.push(coded);
    }
    Ok((reader.index().clone(), blocks))
}

#[test]
fn what_was_written_is_read() {
    let (bytes, sizes) = archive();
    let mut reader = Reader::open(Cursor::new(&bytes), &Limits::default()).unwrap();
    assert_eq!(reader.sizes(), sizes);
    assert_eq!(sizes.total, bytes.len() as u64);
    assert_eq!(sizes.total, sizes.frame + sizes.programs + sizes.payload + sizes.general + sizes.recipes + sizes.index);
    assert_eq!((reader.fidelity(), reader.version()), (Fidelity::Files, (1, 9)));
    assert_eq!(reader.index().items, items());
    assert_eq!(reader.index().file_bytes, 1234);
    assert_eq!(reader.recipe(1), Some(&b"png, interlaced"[..]));
    assert_eq!(reader.recipe(2), None);
    assert_eq!(reader.parts(0).iter().map(|part| part.item).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(reader.parts(1), [Part { item: 0, start: 0, bytes: 3 }, Part { item: 4, start: 0, bytes: 4 }]);
    let entry = &reader.programs()[0];
    assert_eq!(entry.layout, "rgb8");
    assert_eq!(weights::encode(&entry.raw(&mut Budget::new(1000)).unwrap()), program());
    let mut budget = reader.budget();
    assert_eq!(reader.block_bytes(0, &mut budget).unwrap(), b"payload");
    assert!(reader.block_bytes(2, &mut budget).is_err());
    assert_eq!(read(&bytes).unwrap().1, [b"payload", b"abcdefg"]);
}

#[test]
fn every_bit_flip_is_an_error() {
    let (bytes, _) = archive();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            // The minor version says nothing a reader must heed, but the digest covers it.
            let error = read(&bad).expect_err(&format!("byte {at} bit {bit}"));
            assert_ne!(error.kind(), ErrorKind::Io, "byte {at} bit {bit}: {error}");
        }
    }
}

#[test]
fn every_prefix_and_any_surplus_is_an_error() {
    let (bytes, _) = archive();
    for cut in 0..bytes.len() {
        assert_eq!(read(&bytes[..cut]).unwrap_err().kind(), ErrorKind::Truncated, "cut at {cut}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(read(&longer).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// Writes an index of any content behind a right digest, as an attacker would.
fn forged(raw_index: &[u8], n_items_hint: u64) -> Result<(), Error> {
    let (bytes, _) = archive();
    let mut header = header::Header::from_bytes(&bytes[..80]).unwrap();
    let programs = &bytes[80..80 + header.programs_bytes as usize];
    let at = 80 + (header.programs_bytes + header.blocks_bytes) as usize;
    let recipes = &bytes[at..at + header.recipes_bytes as usize];
    header.index_method = GeneralMethod::Stored;
    header.index_bytes = raw_index.len() as u64;
    header.index_raw_bytes = raw_index.len() as u64;
    let head = header.to_bytes();
    let digest = writer::archive_digest(&head, programs, recipes, raw_index);
    let all = [&head[..], programs, &bytes[80 + programs.len()..at], recipes, raw_index, &digest].concat();
    let limits = Limits { memory_bytes: 1 << 20, items: n_items_hint, ..Limits::default() };
    Reader::open(Cursor::new(all), &limits).map(|_| ())
}

#[test]
fn a_forged_index_is_an_error_and_never_a_panic() {
    let (bytes, sizes) = archive();
    let reader = Reader::open(Cursor::new(&bytes), &Limits::default()).unwrap();
    let mut recipes = RecipeBook::default();
    recipes.intern(b"png").unwrap();
    recipes.intern(b"png, interlaced").unwrap();
    let raw = reader.index().to_bytes(&recipes);
    assert!(sizes.index <= raw.len() as u64);
    forged(&raw, 100).unwrap();
    assert_eq!(forged(&raw, 4).unwrap_err().kind(), ErrorKind::LimitExceeded);
    let mut refused = 0;
    for at in 0..raw.len() {
        for value in 0..=255 {
            let mut bad = raw.clone();
            bad[at] = value;
            refused += u32::from(forged(&bad, 1 << 40).is_err());
        }
        assert!(forged(&raw[..at], 100).is_err());
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn unknown_versions_and_features_are_named() {
    let (bytes, _) = archive();
    for (at, what) in [(8, "format version"), (12, "feature set"), (20, "fidelity"), (21, "coding of the recipes")] {
        let mut newer = bytes.clone();
        newer[at] = 9;
        let error = Reader::open(Cursor::new(&newer), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(what), "{error}");
    }
    let error = Reader::open(Cursor::new(b"PK\x03\x04 not ours"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("not the first bytes of a kolmo archive"), "{error}");
}

#[test]
fn long_items_go_on_in_blocks_of_their_own() {
    let general = || Block { coding: BlockCoding::General(GeneralMethod::Zstd), offset: 0, coded_bytes: 0, digest: [0; 16] };
    let item = |path: &str, block, bytes| Item { path: path.into(), content: Content::General { block, bytes } };
    let index = |items: Vec<Item>, blocks: usize| Index { items: items.into_iter().collect(), blocks: vec![general(); blocks], file_bytes: 0 };
    let long = 2 * PIECE_BYTES + 5;
    let good = index(vec![item("a", 1, 7), item("b", 2, long), item("c", 0, 0)], 5);
    let parts = good.parts().unwrap();
    assert_eq!(parts.of(&good, 4), [Part { item: 1, start: 2 * PIECE_BYTES, bytes: 5 }]);
    assert_eq!(parts.of(&good, 3), [Part { item: 1, start: PIECE_BYTES, bytes: PIECE_BYTES }]);
    assert_eq!(parts.of(&good, 0), [Part { item: 2, start: 0, bytes: 0 }]);
    assert_eq!((parts.items(2), parts.items(5)), (&[1][..], &[][..]));
    for bad in [
        index(vec![item("a", 0, 7), item("b", 0, long)], 3),
        index(vec![item("b", 0, long), item("c", 2, 7)], 3),
        index(vec![item("b", 0, long)], 2),
        index(vec![item("b", 0, long)], 4),
        index(vec![item("a", 0, PIECE_BYTES), item("b", 0, 1)], 1),
        index(vec![item("b", 0, u64::MAX)], 2),
    ] {
        assert_eq!(bad.parts().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn the_index_of_a_regular_set_is_nearly_free() {
    let program = program();
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[(0x08, &program)]).unwrap();
    for _ in 0..6 {
        writer.block(IMAGES, b"x", [7; 16]).unwrap();
    }
    let items = (0..2000u32).map(|n| Item {
        path: format!("{}/{:04}.png", n / 200, n % 200),
        content: Content::Image { block: n / 334, height: 28, width: 28, recipe: 0 },
    });
    let mut recipes = RecipeBook::default();
    recipes.intern(b"plain").unwrap();
    let (_, sizes) = writer.finish(items, &recipes, 0).unwrap();
    // Of these, 96 are the digests of six blocks.
    assert!(sizes.index < 260, "{sizes:?}");
}

#[test]
fn an_empty_archive_and_a_bare_program_are_archives() {
    let program = program();
    for programs in [&[][..], &[(0x38u8, &program)]] {
        let writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Pixels, programs).unwrap();
        let (out, sizes) = writer.finish(vec![], &RecipeBook::default(), 0).unwrap();
        let reader = Reader::open(out, &Limits::default()).unwrap();
        assert_eq!((reader.programs().len(), reader.index().items.len()), (programs.len(), 0));
        assert_eq!(reader.fidelity(), Fidelity::Pixels);
        assert!(sizes.frame + sizes.index < 160);
    }
}

#[test]
fn the_writer_refuses_what_no_reader_would_take() {
    let writer = || Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[]).unwrap();
    assert!(writer().block(IMAGES, b"", [0; 16]).is_err());
    let general = |path: &str| Item { path: path.into(), content: Content::General { block: 0, bytes: 1 } };
    for items in [vec![general("a")], vec![general("../a")], vec![general("b"), general("a")]] {
        assert_eq!(writer().finish(items, &RecipeBook::default(), 0).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
