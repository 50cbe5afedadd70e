//! Archives put together block by block, so that they can be far smaller than any set worth learning, and reading them in memory.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use kolmo_codec::block::Method;
use kolmo_codec::block::{self, ImageRef, Reference};
use kolmo_codec::container::{BlockCoding, Content, Fidelity, Item, Reader, RecipeBook, Writer, block_digest};
use kolmo_codec::general::{self, GeneralMethod};
use kolmo_codec::jpeg;
use kolmo_codec::limits::Limits;
use kolmo_codec::numbers::{self, Form, Span};
use kolmo_codec::program::Program;
use kolmo_data::digest::of_bytes;
use kolmo_data::layout::Image;
use kolmo_verify::Error;
use kolmo_verify::expand::{self, Options, Outcome};

use super::checkpoint::{bf16_bytes, f32_bytes, weights};
use super::file::{LIBPNG, png, png_recipe};
use super::picture::texture;
use super::program::coded;
use super::room::files;

/// An archive and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Sound {
    pub(crate) bytes: Vec<u8>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// Two images in one block of `program`, two texts in a general block, and a copy.
pub(crate) fn small(layout: &str, program: &Program) -> Sound {
    let images = [texture(layout, 7, 6, 1), texture(layout, 4, 9, 2)];
    of_images(program, &images)
}

/// The same, its images coded by `method`.
pub(crate) fn small_by(method: Method, layout: &str, program: &Program) -> Sound {
    of_images_by(method, program, &[texture(layout, 7, 6, 1), texture(layout, 4, 9, 2)])
}

/// The same with images of any shape.
pub(crate) fn of_images(program: &Program, images: &[Image; 2]) -> Sound {
    of_images_by(Method::Direct, program, images)
}

/// How the second image looks at the first by [`Method::References`].
const REFERENCE: Reference = Reference { image: 0, turn: 1, down: -1, right: 2 };

/// The same, coded by `method`.
pub(crate) fn of_images_by(method: Method, program: &Program, images: &[Image; 2]) -> Sound {
    let files = images.each_ref().map(|image| png(image, LIBPNG));
    let texts = [&b"first, first, first, first"[..], b"second, second, second, second"];
    let refs = images.each_ref().map(image_ref);
    let encoded = match method {
        Method::References => block::encode_by_references(program, &refs, &[None, Some(REFERENCE)]),
        _ => block::encode_as(method, program, &refs),
    };
    let payload = encoded.expect("images fit the Program").bytes;
    let coded = coded(program);
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[(images[0].layout.code(), &coded)]).expect("a Program fits");
    let digests = files.each_ref().map(|file| of_bytes(file).0);
    let images_coding = BlockCoding::Program { program: 0, method };
    writer.block(images_coding, &payload, block_digest(&payload, &digests)).expect("a block");
    let (method, text) = general::encode(&texts.concat()).expect("zstd has memory");
    let digests = texts.map(|text| of_bytes(text).0);
    writer.block(BlockCoding::General(method), &text, block_digest(&text, &digests)).expect("a block");
    let mut recipes = RecipeBook::default();
    let contents = images.each_ref().map(|image| {
        let recipe = recipes.intern(png_recipe(image, LIBPNG)).expect("few recipes");
        Content::Image { block: 0, height: image.height, width: image.width, recipe }
    });
    let general = |text: &[u8]| Content::General { block: 1, bytes: text.len() as u64 };
    let items =
        [("a/1.png", contents[0]), ("a/2.png", contents[1]), ("b", general(texts[0])), ("c", general(texts[1])), ("d.png", Content::Copy { of: 0 })];
    let items = items.map(|(path, content)| Item { path: path.to_owned(), content });
    let (out, _) = writer.finish(items.to_vec(), &recipes, 0).expect("items fit the blocks");
    let [first, second] = files;
    let files = [("a/1.png", first.clone()), ("a/2.png", second), ("b", texts[0].to_vec()), ("c", texts[1].to_vec()), ("d.png", first)];
    Sound { bytes: out.into_inner(), files: files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect() }
}

/// A checkpoint and an array in one block of numbers.
pub(crate) fn of_numbers() -> Sound {
    let layer = f32_bytes(&weights(90, 4, 1));
    let files = [[b"a header".as_slice(), &layer, &[0; 60], &layer].concat(), [b"an array".as_slice(), &bf16_bytes(&weights(300, 2, 2))].concat()];
    let span = |form, bytes: usize| Span { form, bytes: bytes as u64 };
    let (bytes, single) = (Form::Bytes, Form::Float32);
    let spans = [span(bytes, 8), span(single, 360), span(single, 60), span(single, 360), span(bytes, 8), span(Form::Float16, 600)];
    let coded = numbers::encode(&files.concat(), &spans).expect("spans make up the bytes");
    of_general(GeneralMethod::Numbers, &coded, ["a.safetensors", "b.npy"].map(str::to_owned).into_iter().zip(files).collect())
}

/// JPEG files of some kinds, small ones, by name: drawn by a formula, written by libjpeg-turbo and Pillow.
pub(crate) fn jpegs() -> BTreeMap<String, Vec<u8>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/jpeg"))
}

/// Two JPEG files, and one that is cut off, in a block of their own.
pub(crate) fn of_jpegs() -> Sound {
    let files: BTreeMap<String, Vec<u8>> =
        jpegs().into_iter().filter(|(name, _)| ["cmyk.jpg", "cut.jpg", "progressive_422.jpg"].contains(&name.as_str())).collect();
    let lengths: Vec<u64> = files.values().map(|file| file.len() as u64).collect();
    let raw: Vec<u8> = files.values().flatten().copied().collect();
    let coded = jpeg::encode(&raw, &lengths, 1 << 20).expect("lengths make up the bytes").expect("two of them come apart");
    assert_eq!(coded.as_bytes, 1);
    of_general(GeneralMethod::Jpeg, &coded.bytes, files)
}

/// An archive of one general block that holds these files.
fn of_general(method: GeneralMethod, coded: &[u8], files: BTreeMap<String, Vec<u8>>) -> Sound {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[]).expect("no Program");
    let digests: Vec<[u8; 32]> = files.values().map(|file| of_bytes(file).0).collect();
    let block = writer.block(BlockCoding::General(method), coded, block_digest(coded, &digests)).expect("a block");
    let item = |(name, file): (&String, &Vec<u8>)| Item { path: name.clone(), content: Content::General { block, bytes: file.len() as u64 } };
    let (out, _) = writer.finish(files.iter().map(item), &RecipeBook::default(), 0).expect("an archive");
    Sound { bytes: out.into_inner(), files }
}

pub(crate) fn image_ref(image: &Image) -> ImageRef<'_> {
    ImageRef { height: image.height as usize, width: image.width as usize, samples: &image.samples }
}

/// Reads every block, as verifying does.
pub(crate) fn outcomes(archive: &[u8], limits: &Limits) -> Result<Vec<Outcome>, Error> {
    let mut reader = Reader::open(Cursor::new(archive), limits)?;
    let mut all = Vec::new();
    expand::blocks(&mut reader, &Options::all(limits), |outcome| {
        all.push(outcome);
        Ok::<(), Error>(())
    })?;
    Ok(all)
}

/// Every file of the archive, or the first thing that is wrong.
pub(crate) fn read(archive: &[u8], limits: &Limits) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut reader = Reader::open(Cursor::new(archive), limits)?;
    let paths: Vec<String> = reader.index().items.iter().map(|item| item.path.to_owned()).collect();
    let mut files = BTreeMap::new();
    expand::expand(&mut reader, &Options::all(limits), |part| {
        files.entry(paths[part.item as usize].clone()).or_insert_with(Vec::new).extend_from_slice(&part.bytes);
        Ok::<(), Error>(())
    })?;
    Ok(files)
}

/// One image in a block of its own, coded by `method`, and nothing else.
pub(crate) fn of_one(method: Method, program: &Program, image: &Image) -> Sound {
    let file = png(image, LIBPNG);
    let payload = block::encode_as(method, program, &[image_ref(image)]).expect("the image fits the Program").bytes;
    let coded = coded(program);
    let mut writer = Writer::new(Cursor::new(Vec::new()), Fidelity::Files, &[(image.layout.code(), &coded)]).expect("a Program fits");
    writer.block(BlockCoding::Program { program: 0, method }, &payload, block_digest(&payload, [&of_bytes(&file).0])).expect("a block");
    let mut recipes = RecipeBook::default();
    let recipe = recipes.intern(png_recipe(image, LIBPNG)).expect("few recipes");
    let content = Content::Image { block: 0, height: image.height, width: image.width, recipe };
    let (out, _) = writer.finish(vec![Item { path: "a.png".to_owned(), content }], &recipes, 0).expect("the item fits its block");
    Sound { bytes: out.into_inner(), files: BTreeMap::from([("a.png".to_owned(), file)]) }
}
