//! What the container writes it reads back, item for item and byte for byte; what it will not read it does not write.
#![no_main]

use std::collections::BTreeMap;
use std::io::Cursor;

use arbitrary::Arbitrary;
use kolmo_codec::block::Method;
use kolmo_codec::container::{BlockCoding, Content, Fidelity, Item, Reader, RecipeBook, Writer, block_digest};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::limits::{Budget, Limits};
use kolmo_codec::weights;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Kind {
    Image { block: u8, height: u32, width: u32, recipe: Vec<u8> },
    General { block: u8, bytes: u16 },
    Copy { back: u8 },
}

#[derive(Debug, Arbitrary)]
struct Archive {
    pixels: bool,
    program: Vec<u8>,
    blocks: Vec<(bool, Vec<u8>)>,
    items: BTreeMap<String, Kind>,
    file_bytes: u64,
}

fuzz_target!(|archive: Archive| {
    let program = weights::encode(&archive.program);
    let raw = weights::decode(program.coder, &program.bytes, archive.program.len() as u64, &mut Budget::new(1 << 24));
    assert_eq!(raw.as_deref(), Ok(archive.program.as_slice()));

    let fidelity = if archive.pixels { Fidelity::Pixels } else { Fidelity::Files };
    let mut writer = Writer::new(Cursor::new(Vec::new()), fidelity, &[(0x28, &program)]).expect("one Program");
    for (of_program, bytes) in &archive.blocks {
        let coding = match of_program {
            true => BlockCoding::Program { program: 0, method: if bytes.len() < 200 { Method::Direct } else { Method::Lanes } },
            false => BlockCoding::General(GeneralMethod::Stored),
        };
        writer.block(coding, bytes, block_digest(bytes, &[])).expect("a block");
    }
    let mut recipes = RecipeBook::default();
    let items: Vec<Item> = archive
        .items
        .into_iter()
        .zip(0u32..)
        .map(|((path, kind), number)| {
            let content = match kind {
                Kind::Image { block, height, width, recipe } => {
                    Content::Image { block: block.into(), height, width, recipe: recipes.intern(recipe).expect("few recipes") }
                }
                Kind::General { block, bytes } => Content::General { block: block.into(), bytes: bytes.into() },
                Kind::Copy { back } => Content::Copy { of: number.wrapping_sub(back.into()) },
            };
            Item { path, content }
        })
        .collect();
    let Ok((out, sizes)) = writer.finish(items.clone(), &recipes, archive.file_bytes) else { return };
    let bytes = out.into_inner();
    assert_eq!(sizes.total, bytes.len() as u64);
    // Writing is trusted: shapes without pixels, copies of copies, and names that are folders too are the caller's to avoid.
    let Ok(mut reader) = Reader::open(Cursor::new(&bytes), &Limits::default()) else { return };
    assert_eq!(reader.index().items, items);
    assert_eq!((reader.fidelity(), reader.index().file_bytes, reader.sizes()), (fidelity, archive.file_bytes, sizes));
    for (number, (_, written)) in archive.blocks.iter().enumerate() {
        let read = reader.block_bytes(number as u32, &mut Budget::new(1 << 24)).expect("the block");
        assert_eq!(&read, written);
        reader.index().blocks[number].check(&read, &[]).expect("its digest");
    }
    // Any one byte changed is noticed; which, the bytes themselves decide.
    let at = bytes.iter().fold(0usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % bytes.len();
    let mut bad = bytes.clone();
    bad[at] ^= 1;
    let noticed = match Reader::open(Cursor::new(&bad), &Limits::default()) {
        Err(_) => true,
        Ok(mut reader) => (0..archive.blocks.len()).any(|number| {
            let read = reader.block_bytes(number as u32, &mut Budget::new(1 << 24)).expect("the block");
            reader.index().blocks[number].check(&read, &[]).is_err()
        }),
    };
    assert!(noticed, "byte {at} was changed and nobody noticed");
});
