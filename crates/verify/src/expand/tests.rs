use std::io::Cursor;

use kolmo_codec::block::Method;
use kolmo_codec::block::{ImageRef, encode};
use kolmo_codec::container::{Item, RecipeBook, Writer, block_digest};
use kolmo_codec::program::{Dense, Head, Stage, Tap};
use kolmo_codec::weights;
use kolmo_data::open::{self, OpenLimits, Opened};

use super::*;
use crate::ErrorKind;

/// Predicts every sample by the mean of its neighbours; learned from nothing.
fn plain_program(layout: Layout) -> Program {
    let dense = |n_in, n_out| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![64; n_out], biases: vec![0; n_out] };
    let mut program = Program {
        bit_depth: layout.bit_depth,
        order: (0..layout.channels() as u8).collect(),
        stages: vec![Stage { taps: vec![Tap { dy: 0, dx: -1 }, Tap { dy: -1, dx: 0 }], layers: vec![] }],
        heads: vec![],
        components: 1,
        spikes: vec![],
        wide: None,
        colour: None,
        hats: 0,
    };
    program.stages[0].layers = vec![dense(program.stage_inputs(0), 2)];
    for channel in 0..layout.channels() {
        let hidden = vec![dense(2 + channel, 2)];
        program.heads.push(Head { hidden, out: dense(2, program.head_outputs()), follows: None });
    }
    program.validate(&Limits::default()).unwrap();
    program
}

/// Name and bytes of every file; the last one is a copy of the first image.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let image = |seed: u8| [b"P5 6 5 255\n".as_slice(), &(0..30).map(|n: u8| seed.wrapping_add(n.wrapping_mul(3))).collect::<Vec<u8>>()].concat();
    vec![("a/1.pgm", image(7)), ("a/2.pgm", image(90)), ("notes.txt", b"two images, and this".to_vec()), ("z.pgm", image(7))]
}

fn opened(bytes: &[u8], fidelity: Fidelity) -> (Image, Vec<u8>) {
    let fidelity = if fidelity == Fidelity::Files { open::Fidelity::Files } else { open::Fidelity::Pixels };
    match open::open(bytes, fidelity, &OpenLimits::default()) {
        Opened::Image { image, recipe } => (image, recipe),
        Opened::General { reason } => panic!("{reason}"),
    }
}

fn archive(fidelity: Fidelity) -> Vec<u8> {
    let files = files();
    let images = [0, 1].map(|n: usize| opened(&files[n].1, fidelity));
    let program = plain_program(images[0].0.layout);
    let coded = weights::encode(&program.to_bytes());
    let mut writer = Writer::new(Cursor::new(Vec::new()), fidelity, &[(images[0].0.layout.code(), &coded)]).unwrap();
    let refs = images.each_ref().map(|(image, _)| ImageRef { height: 5, width: 6, samples: &image.samples });
    let block = encode(&program, &refs).unwrap().bytes;
    let digests = [0, 1].map(|n| if fidelity == Fidelity::Files { of_bytes(&files[n].1) } else { of_image(&images[n].0) }.0);
    writer.block(BlockCoding::Program { program: 0, method: Method::Direct }, &block, block_digest(&block, &digests)).unwrap();
    let (method, text) = general::encode(&files[2].1).unwrap();
    writer.block(BlockCoding::General(method), &text, block_digest(&text, [&of_bytes(&files[2].1).0])).unwrap();
    let mut recipes = RecipeBook::default();
    let mut image = |n: usize| Content::Image { block: 0, height: 5, width: 6, recipe: recipes.intern(images[n].1.clone()).unwrap() };
    let contents = [image(0), image(1), Content::General { block: 1, bytes: files[2].1.len() as u64 }, Content::Copy { of: 0 }];
    let items = files.iter().zip(contents).map(|((path, _), content)| Item { path: (*path).into(), content });
    let (out, _) = writer.finish(items, &recipes, 0).unwrap();
    out.into_inner()
}

fn limits() -> Limits {
    Limits { memory_bytes: 1 << 22, ..Limits::default() }
}

fn expanded(archive: &[u8], wanted: Option<&[bool]>) -> Result<Vec<(u32, Vec<u8>)>, Error> {
    let mut reader = Reader::open(Cursor::new(archive), &limits())?;
    let mut files = Vec::new();
    expand(&mut reader, &Options { wanted, ..Options::all(&limits()) }, |part| {
        assert!(part.last && part.start == 0);
        files.push((part.item, part.bytes.clone()));
        Ok::<(), Error>(())
    })?;
    files.sort();
    Ok(files)
}

#[test]
fn every_file_comes_back() {
    let back = expanded(&archive(Fidelity::Files), None).unwrap();
    let bytes: Vec<_> = files().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(back, (0..4).zip(bytes).collect::<Vec<_>>());
}

#[test]
fn pixels_come_back_and_compare_equal() {
    let archive = archive(Fidelity::Pixels);
    let mut reader = Reader::open(Cursor::new(&archive), &limits()).unwrap();
    let mut seen = 0;
    expand(&mut reader, &Options::all(&limits()), |part| {
        let original = &files()[part.item as usize].1;
        assert_eq!(crate::compare::first_difference(Fidelity::Pixels, part, part.last, original), None);
        assert_eq!(part.image.is_some(), part.item != 2);
        seen += 1;
        Ok::<(), Error>(())
    })
    .unwrap();
    assert_eq!(seen, 4);
}

#[test]
fn one_item_can_be_had_alone() {
    let archive = archive(Fidelity::Files);
    let only = |item: usize| expanded(&archive, Some(&[0, 1, 2, 3].map(|n| n == item))).unwrap();
    for item in 0..4 {
        assert_eq!(only(item), [(item as u32, files()[item].1.clone())]);
    }
    assert_eq!(expanded(&archive, Some(&[])).unwrap(), []);
}

#[test]
fn every_bit_flip_and_every_prefix_is_an_error() {
    for fidelity in [Fidelity::Files, Fidelity::Pixels] {
        let archive = archive(fidelity);
        for at in 0..archive.len() {
            for bit in 0..8 {
                let mut bad = archive.clone();
                bad[at] ^= 1 << bit;
                let error = expanded(&bad, None).expect_err(&format!("byte {at}, bit {bit}"));
                assert_ne!(error.kind(), ErrorKind::Io, "{error}");
            }
            assert_eq!(expanded(&archive[..at], None).unwrap_err().kind(), ErrorKind::Truncated, "cut at {at}");
        }
    }
}

#[test]
fn a_damaged_block_leaves_the_others_alone() {
    let archive = archive(Fidelity::Files);
    let reader = Reader::open(Cursor::new(&archive), &limits()).unwrap();
    let mut bad = archive.clone();
    bad[reader.index().blocks[0].offset as usize] ^= 4;
    let mut reader = Reader::open(Cursor::new(&bad), &limits()).unwrap();
    let mut outcomes = Vec::new();
    blocks(&mut reader, &Options::all(&limits()), |outcome| {
        outcomes.push(outcome.result.map_err(|error| error.to_string()));
        Ok::<(), Error>(())
    })
    .unwrap();
    let message = outcomes[0].as_ref().unwrap_err();
    assert!(message.contains("a/1.pgm (and 1 more in its block)"), "{message}");
    assert_eq!(outcomes[1].as_ref().unwrap()[0].bytes, files()[2].1);
}

#[test]
fn memory_stays_inside_the_limits() {
    let archive = archive(Fidelity::Files);
    let mut kinds = Vec::new();
    for memory_bytes in (0..1 << 17).step_by(499) {
        let limits = Limits { memory_bytes, ..Limits::default() };
        let opened = Reader::open(Cursor::new(&archive), &limits).map_err(Error::from);
        let ended = opened.and_then(|mut reader| expand(&mut reader, &Options::all(&limits), |_| Ok::<(), Error>(())));
        kinds.push(ended.err().map(|error| error.kind()));
    }
    let first_fit = kinds.iter().position(Option::is_none).expect("128 KiB suffice");
    assert!(first_fit > 3);
    assert!(kinds[..first_fit].iter().all(|kind| *kind == Some(ErrorKind::LimitExceeded)), "{kinds:?}");
    assert!(kinds[first_fit..].iter().all(Option::is_none));
}

#[test]
fn small_files_are_paid_for_as_they_are() {
    let files: Vec<Vec<u8>> = (0..1_000u16).map(|n| [b"P5 2 3 255\n".as_slice(), &[&n.to_be_bytes()[..]; 3].concat()].concat()).collect();
    for fidelity in [Fidelity::Files, Fidelity::Pixels] {
        let images: Vec<_> = files.iter().map(|file| opened(file, fidelity)).collect();
        let program = plain_program(images[0].0.layout);
        let coded = weights::encode(&program.to_bytes());
        let mut writer = Writer::new(Cursor::new(Vec::new()), fidelity, &[(images[0].0.layout.code(), &coded)]).unwrap();
        let refs: Vec<_> = images.iter().map(|(image, _)| ImageRef { height: 3, width: 2, samples: &image.samples }).collect();
        let block = encode(&program, &refs).unwrap().bytes;
        let digests =
            images.iter().zip(&files).map(|((image, _), file)| if fidelity == Fidelity::Files { of_bytes(file) } else { of_image(image) }.0);
        let digests: Vec<_> = digests.collect();
        writer.block(BlockCoding::Program { program: 0, method: Method::Direct }, &block, block_digest(&block, &digests)).unwrap();
        let mut recipes = RecipeBook::default();
        let recipe = recipes.intern(images[0].1.clone()).unwrap();
        let items = (0..1_000).map(|n| Item { path: format!("{n:03}"), content: Content::Image { block: 0, height: 3, width: 2, recipe } });
        let (out, _) = writer.finish(items, &recipes, 0).unwrap();
        // 4 MiB, where each file may take 12 kB while it is made.
        let back = expanded(&out.into_inner(), None).unwrap();
        assert_eq!(back.len(), files.len());
        if fidelity == Fidelity::Files {
            assert!(back.iter().zip(&files).all(|((_, bytes), file)| bytes == file));
        }
    }
}
