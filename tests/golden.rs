//! Archives of every format version are read forever, and what must be refused is refused with the kind of error it was.
//!
//! A folder of `tests/golden` is written once, by `make_missing`, and never again: `archive.kolmo` (or `programs.kprog`), the `files` that
//! went in, `base.safetensors` if they were coded against it, what `list` and `inspect` said, and in `about.txt` how it came about. `tests/golden_reject` holds files and, in `index.json`,
//! what each must be answered with; others are made anew each time (`corpus/refused.rs`).

#[allow(dead_code, reason = "each test of promises uses a part of the corpus")]
mod corpus;
#[path = "corpus/refused.rs"]
mod refused;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use corpus::archive::Sound;
use corpus::file::{LIBPNG, bmp, odd_png, png, pnm, text_pnm};
use corpus::picture::{LAYOUTS, disc, texture};
use corpus::room::{Room, files, general, given, learning, put};
use kolmo::observe::Silent;
use kolmo::options::{CompressOptions, ExpandOptions, Fidelity, Limits, Method};
use kolmo_codec::colour::Colour;
use kolmo_codec::prior::PRIORS;
use kolmo_codec::program::Program;
use kolmo_data::digest::{of_bytes, of_image};
use kolmo_data::layout::Image;
use kolmo_data::open::{OpenLimits, Opened, open};
use refused::{LIMITS, damaged, made, paths, refused};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

/// The golden folders that hold a file of this name, at least `fewest` of them.
fn goldens(holding: &str, fewest: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder("golden")).expect("tests/golden").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(holding).is_file()).collect();
    found.sort();
    assert!(found.len() >= fewest, "{} golden folders hold {holding}", found.len());
    found
}

fn recorded(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))).expect("JSON")
}

/// Everything that was recorded is still said; newer fields may stand beside it.
#[track_caller]
fn holds(recorded: &Value, now: &Value, place: &str) {
    match (recorded, now) {
        (Value::Object(recorded), Value::Object(now)) => {
            for (key, value) in recorded {
                holds(value, now.get(key).unwrap_or(&Value::Null), &format!("{place}.{key}"));
            }
        }
        (Value::Array(recorded), Value::Array(now)) if recorded.len() == now.len() => {
            recorded.iter().zip(now).enumerate().for_each(|(n, (recorded, now))| holds(recorded, now, &format!("{place}[{n}]")));
        }
        // Reading decimals may miss the last bit.
        (Value::Number(recorded), Value::Number(now)) if recorded.is_f64() => {
            let (recorded, now) = (recorded.as_f64().unwrap_or(f64::NAN), now.as_f64().unwrap_or(f64::NAN));
            assert!((recorded - now).abs() <= 1e-12 * recorded.abs(), "{place}: {recorded} was recorded, now it is {now}");
        }
        _ => assert_eq!(recorded, now, "{place}"),
    }
}

fn said_by_list(archive: &Path) -> Value {
    let items = kolmo::list(archive, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    serde_json::to_value(items).expect("JSON")
}

fn said_by_inspect(archive: &Path) -> Value {
    let about = kolmo::inspect(archive, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut said = serde_json::to_value(about).expect("JSON");
    for program in said["programs"].as_array_mut().expect("Programs") {
        // Experience with machines, which no archive holds.
        program.as_object_mut().expect("fields").remove("expected_mb_per_s");
    }
    said
}

/// Digests of files by path: of the image in a plain file, of the bytes otherwise.
fn digests(files: &BTreeMap<String, Vec<u8>>) -> Value {
    let digest = |bytes: &Vec<u8>| match open(bytes, Fidelity::Pixels, &OpenLimits::default()) {
        Opened::Image { image, .. } => of_image(&image).to_string(),
        Opened::General { .. } => of_bytes(bytes).to_string(),
    };
    files.iter().map(|(path, bytes)| (path.clone(), json!({ "content": digest(bytes), "file": of_bytes(bytes).to_string() }))).collect()
}

#[test]
fn every_archive_ever_written_expands() {
    for golden in goldens("archive.kolmo", 6) {
        let archive = golden.join("archive.kolmo");
        let name = golden.display();
        holds(&recorded(&golden.join("list.json")), &said_by_list(&archive), &format!("{name}: list"));
        holds(&recorded(&golden.join("inspect.json")), &said_by_inspect(&archive), &format!("{name}: inspect"));
        let room = Room::new();
        let base = Some(golden.join("base.safetensors")).filter(|base| base.is_file());
        let options = ExpandOptions { base, ..ExpandOptions::default() };
        kolmo::expand(&archive, &room.at("out"), &options, &mut Silent).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (before, after) = (files(&golden.join("files")), files(&room.at("out")));
        if recorded(&golden.join("inspect.json"))["fidelity"] == "files" {
            assert!(before == after, "{name}: other files came out than went in");
        } else {
            // The same pixels, and even the same plain files as on the day when it was made.
            assert_eq!(digests(&after), recorded(&golden.join("expanded.json")), "{name}");
            for (path, digest) in digests(&before).as_object().expect("digests") {
                assert_eq!(digest["content"], digests(&after)[path]["content"], "{name}: {path}");
            }
        }
        let verified = kolmo::verify(&archive, Some(&golden.join("files")), &options, &mut Silent).expect("an archive");
        assert!(verified.differences.is_empty(), "{name}: {:?}", verified.differences);
        assert_eq!(verified.verified_files, before.len() as u64);
        assert!(fs::read_to_string(golden.join("about.txt")).is_ok_and(|about| about.len() > 40), "{name}: says how it came about");
    }
}

#[test]
fn every_program_ever_written_codes_alike() {
    for golden in goldens("programs.kprog", 1) {
        let (programs, name) = (golden.join("programs.kprog"), golden.display());
        holds(&recorded(&golden.join("inspect.json")), &said_by_inspect(&programs), &format!("{name}: inspect"));
        let room = Room::new();
        files(&golden.join("files")).iter().for_each(|(path, bytes)| room.put(path, bytes));
        let summary = room.there_and_back(&CompressOptions { coding: Some(Method::Direct), ..given(&programs) });
        let coding = json!({ "payload_bytes": summary.coding.payload_bytes, "subpixels": summary.coding.subpixels });
        assert_eq!(coding, recorded(&golden.join("coding.json")), "{name}");
    }
}

#[test]
fn all_of_it_is_small() {
    let bytes: usize = ["golden", "golden_reject", "hostile"].iter().flat_map(|name| files(&folder(name)).into_values()).map(|file| file.len()).sum();
    assert!(bytes < 200_000, "{bytes} bytes of golden files are carried by every clone");
}

#[test]
fn what_must_be_refused_is_refused_as_ever() {
    let index = recorded(&folder("golden_reject").join("index.json"));
    let index = index.as_object().expect("an object");
    let mut present: Vec<String> =
        files(&folder("golden_reject")).into_keys().filter(|name| name != "index.json" && !name.starts_with('.')).collect();
    present.sort();
    assert_eq!(present, index.keys().cloned().collect::<Vec<_>>(), "each file has its line in index.json");
    let room = Room::new();
    let mut wrong = Vec::new();
    for (name, answer) in index {
        let (kind, says) = (answer["kind"].as_str().expect("a kind"), answer["says"].as_str().expect("words"));
        wrong.extend(wrong_answer(&folder("golden_reject").join(name), name, (kind, says), &LIMITS, &room.at("out")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_made_anew_each_time_is_refused() {
    let room = Room::new();
    let mut wrong = Vec::new();
    for (name, kind, says, bytes) in [paths(), made()].concat() {
        fs::write(room.at("x.kolmo"), bytes).expect("an archive");
        wrong.extend(wrong_answer(&room.at("x.kolmo"), name, (&format!("{kind:?}"), says), &LIMITS, &room.at("out")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn golden_archives_that_were_damaged_are_refused() {
    let archive = |name: &str| fs::read(folder("golden").join(name).join("archive.kolmo")).expect("a golden archive");
    // Their Program takes more work than those by hand.
    let limits = Limits { program_macs_per_pixel: 100_000, ..LIMITS };
    let room = Room::new();
    let mut wrong = Vec::new();
    for (name, kind, says, bytes) in damaged(&archive("v1.4_lanes"), &archive("v1.5_references")) {
        fs::write(room.at("x.kolmo"), bytes).expect("an archive");
        wrong.extend(wrong_answer(&room.at("x.kolmo"), name, (&format!("{kind:?}"), says), &limits, &room.at("out")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the answers to a file that must be refused with this kind of error and these words.
fn wrong_answer(file: &Path, name: &str, (kind, says): (&str, &str), limits: &Limits, out: &Path) -> Vec<String> {
    let options = ExpandOptions { limits: limits.clone(), ..ExpandOptions::default() };
    let mut wrong = Vec::new();
    match kolmo::expand(file, out, &options, &mut Silent) {
        Ok(_) => wrong.push(format!("{name} expands")),
        Err(error) if format!("{:?}", error.kind()) != kind => wrong.push(format!("{name} is {:?}, not {kind}: {error}", error.kind())),
        Err(error) if says.is_empty() || !error.to_string().contains(says) => wrong.push(format!("{name} does not say `{says}`: {error}")),
        Err(_) => {}
    }
    assert!(!out.exists(), "{name}: something was left behind");
    // Damage that only shows in a block is a difference to `verify`; all else is an error to it as well.
    if kolmo::verify(file, None, &options, &mut Silent).is_ok_and(|verified| verified.differences.is_empty()) {
        wrong.push(format!("{name} is verified"));
    }
    wrong
}

/// Starts a golden folder, unless it is there already.
fn missing(name: &str, about: &str) -> Option<PathBuf> {
    let golden = folder("golden").join(name);
    if golden.exists() {
        return None;
    }
    put(&golden, "about.txt", format!("{about}\nWritten by kolmo {} (`make_missing` in tests/golden.rs).\n", env!("CARGO_PKG_VERSION")).as_bytes());
    Some(golden)
}

fn write_json(golden: &Path, name: &str, value: &Value) {
    put(golden, name, format!("{}\n", serde_json::to_string(value).expect("JSON")).as_bytes());
}

/// Makes an archive of `set` in a golden folder and records what is said about it.
fn make_archive(name: &str, about: &str, set: &[(String, Vec<u8>)], options: &CompressOptions) {
    let Some(golden) = missing(name, about) else { return };
    set.iter().for_each(|(path, bytes)| put(&golden.join("files"), path, bytes));
    let archive = golden.join("archive.kolmo");
    let summary = kolmo::compress(&golden.join("files"), &archive, options, &mut Silent).expect("a set can be compressed");
    let learned = options.learn.is_some() || options.program.is_some();
    assert_eq!(summary.programs.iter().any(|program| program.kept), learned, "{name}: {:?}", summary.programs);
    write_json(&golden, "list.json", &said_by_list(&archive));
    write_json(&golden, "inspect.json", &said_by_inspect(&archive));
    if options.fidelity == Fidelity::Pixels {
        let room = Room::new();
        kolmo::expand(&archive, &room.at("out"), &ExpandOptions::default(), &mut Silent).expect("an archive expands");
        write_json(&golden, "expanded.json", &digests(&files(&room.at("out"))));
    }
}

/// The same, put together block by block, of two images under one Program.
fn make_of_blocks(name: &str, about: &str, method: Method, program: &Program, images: &[Image; 2]) {
    make_of_sound(name, about, || corpus::archive::of_images_by(method, program, images));
}

/// The same, of an archive that is put together in memory.
fn make_of_sound(name: &str, about: &str, sound: impl Fn() -> Sound) {
    let Some(golden) = missing(name, about) else { return };
    let sound = sound();
    put(&golden, "archive.kolmo", &sound.bytes);
    sound.files.iter().for_each(|(path, bytes)| put(&golden.join("files"), path, bytes));
    write_json(&golden, "list.json", &said_by_list(&golden.join("archive.kolmo")));
    write_json(&golden, "inspect.json", &said_by_inspect(&golden.join("archive.kolmo")));
}

fn named(names: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    names.collect()
}

#[test]
#[ignore = "writes into the repository; run it by name after a new kind of archive was added"]
fn make_missing() {
    let room = Room::new();
    corpus::program::write(&room.at("all.kprog"), &LAYOUTS);
    let by_hand = CompressOptions { coding: Some(Method::Direct), ..given(&room.at("all.kprog")) };

    let two = named((0..2).map(|n| (format!("{n}.png"), png(&texture("rgb8", 72, 72, n), LIBPNG))));
    make_archive(
        "v1.0_rgb8_two_items",
        "Two PNG files of 8-bit RGB under a Program that was learned from them (effort 1, seed 0).",
        &two,
        &learning(),
    );

    let mut gray = named((0..8).map(|n| (format!("pictures/{n:02}.pgm"), pnm(&texture("gray8", 21, 18, n)))));
    gray.push(("pictures/again.pgm".into(), pnm(&texture("gray8", 21, 18, 3))));
    gray.push(("read me.txt".into(), b"Pictures of nothing in particular.\n".repeat(3)));
    gray.push(("nothing".into(), vec![]));
    let about = "Binary PGM files, one of them twice, a text and an empty file; the Program is written by hand.";
    make_archive("v1.0_gray8_text_duplicate", about, &gray, &by_hand);

    let pixels = CompressOptions { fidelity: Fidelity::Pixels, ..by_hand.clone() };
    let mut rgba = named((0..4).map(|n| (format!("{n}.png"), odd_png(&texture("rgba8", 17, 14, n)))));
    rgba.push(("note.txt".into(), b"Only pixels are kept of the others.\n".to_vec()));
    let about = "PNG files of 8-bit RGBA whose zlib streams no stock zlib repeats, archived with fidelity `pixels`; the Program is written by hand.";
    make_archive("v1.0_rgba8_pixels", about, &rgba, &pixels);

    let adaptive = CompressOptions { coding: Some(Method::Adaptive), ..by_hand.clone() };
    // An image of several strips; its PNG is small.
    let mut mixed = named((0..1).map(|n| (format!("gray1/{n}.png"), png(&texture("gray1", 110, 100, n), LIBPNG))));
    mixed.extend((0..1).map(|n| (format!("rgb/{n}.png"), png(&texture("rgb8", 31, 23, n), LIBPNG))));
    mixed.extend((0..2).map(|n| (format!("gray4/{n}.png"), png(&texture("gray4", 40, 19, n), LIBPNG))));
    mixed.extend((0..1).map(|n| (format!("rgba/{n}.png"), png(&texture("rgba8", 14, 14, n), LIBPNG))));
    let about = "PNG files of four layouts, coded adaptively (format 1.1); the Programs are written by hand.";
    make_archive("v1.1_adaptive", about, &mixed, &adaptive);

    let about = "Checkpoints and an array: safetensors of several types, one tensor twice, a legacy PyTorch pickle, a NumPy array of doubles; coded as numbers (format 1.2).";
    make_archive("v1.2_checkpoint", about, &corpus::checkpoint::set(), &general());

    let bits = named((0..12).map(|n| (format!("{n}.pbm"), pnm(&texture("gray1", 67, 50, n)))));
    make_archive(
        "v1.0_gray1",
        "Binary PBM files: samples of 1 bit, rows that do not end on a byte; the Program is written by hand.",
        &bits,
        &by_hand,
    );

    let words = named(["a.txt", "b.txt", "c/d.md"].iter().map(|name| ((*name).to_owned(), format!("the words of {name} ").repeat(40).into_bytes())));
    let mut words = words;
    words.push(("noise.bin".into(), corpus::picture::Noise::new(5).bytes(300)));
    make_archive("v1.0_general_only", "No image at all: texts in one solid block of zstd, and noise that is stored.", &words, &general());

    let mut all = Vec::new();
    for name in LAYOUTS {
        for n in 0..2 {
            let image = texture(name, 19 + n, 17, u64::from(n));
            all.push((format!("{name}/{n}.png"), png(&image, LIBPNG)));
            match name {
                "rgb8" => all.extend([(format!("{name}/{n}.bmp"), bmp(&image)), (format!("{name}/{n}.ppm"), text_pnm(&image))]),
                "indexed4" => all.push((format!("{name}/{n}.bmp"), bmp(&image))),
                _ => {}
            }
        }
    }
    let about = "Every sample layout as PNG, some also as BMP and as text PPM; Programs are written by hand, and kept where they paid.";
    make_archive("v1.0_every_layout", about, &all, &by_hand);

    let about =
        "Programs alone: of gray8, learned from 40 textures (effort 1, seed 0). `coding.json` is what it makes of the `files`, which it never saw.";
    if let Some(golden) = missing("v1.0_program_file", about) {
        let seen = Room::new();
        (0..40).for_each(|n| seen.put(&format!("{n}.pgm"), &pnm(&texture("gray8", 24, 24, n))));
        let programs = golden.join("programs.kprog");
        kolmo::train(&seen.set(), &programs, &learning(), &mut Silent).expect("a Program is learned");
        (0..3).for_each(|n| put(&golden.join("files"), &format!("{n}.pgm"), &pnm(&texture("gray8", 64, 60, 100 + n))));
        let summary = kolmo::compress(
            &golden.join("files"),
            &room.at("x.kolmo"),
            &CompressOptions { coding: Some(Method::Direct), ..given(&programs) },
            &mut Silent,
        )
        .expect("a set can be compressed");
        assert!(summary.programs[0].kept, "{:?}", summary.programs);
        let coding = json!({ "payload_bytes": summary.coding.payload_bytes, "subpixels": summary.coding.subpixels });
        write_json(&golden, "coding.json", &coding);
        write_json(&golden, "inspect.json", &said_by_inspect(&programs));
    }

    let about = "12 of 16 bits of grey under a Program by hand, RGB under built-in Program 0 (format 1.3).";
    if !folder("golden").join("v1.3").exists() {
        let photo = PRIORS[0].program().expect("a built-in Program");
        corpus::program::write_these(&room.at("new.kprog"), &[("gray16", corpus::program::by_hand("gray16")), ("rgb8", photo)]);
        let mut new = named(std::iter::once(("a.pgm".into(), pnm(&texture("gray16", 9, 7, 1)))));
        new.push(("b.ppm".into(), pnm(&texture("rgb8", 7, 6, 0))));
        make_archive("v1.3", about, &new, &CompressOptions { coding: Some(Method::Direct), ..given(&room.at("new.kprog")) });
    }

    let about = "A checkpoint against the one before it, `base.safetensors` (format 1.4).";
    let (golden, base) = (folder("golden").join("v1.4_base"), room.at("base.safetensors"));
    if !golden.exists() {
        fs::write(&base, corpus::checkpoint::step(0)).expect("the base");
        let new = [("net.safetensors".to_owned(), corpus::checkpoint::step(1))];
        make_archive("v1.4_base", about, &new, &CompressOptions { base: Some(base), ..general() });
        put(&golden, "base.safetensors", &corpus::checkpoint::step(0));
    }

    let about = "Two PNG files of 8-bit RGB under built-in Program 0, coded by sixteen coders (format 1.4): groups of sixteen, and shorter ones.";
    let photo = PRIORS[0].program().expect("a built-in Program");
    make_of_blocks("v1.4_lanes", about, Method::Lanes, &photo, &[texture("rgb8", 48, 14, 3), texture("rgb8", 32, 12, 4)]);

    let about =
        "Two PNG files of 8-bit RGB under built-in Program 0, the second coded given the first (format 1.5): mirrored, moved, of another shape.";
    make_of_blocks("v1.5_references", about, Method::References, &photo, &[texture("rgb8", 24, 13, 5), texture("rgb8", 22, 14, 5)]);

    let about = "A PNG file that was PhotoYCC, but for a pixel, under a Program by hand (format 1.6).";
    let mut converted = texture("rgb8", 6, 5, 5);
    Colour::PhotoCd.samples(&mut converted.samples);
    converted.samples[30..33].copy_from_slice(&[1, 200, 90]);
    let program = corpus::program::by_hand_of(Colour::PhotoCd);
    make_of_sound("v1.6_colour", about, || corpus::archive::of_one(Method::Adaptive, &program, &converted));

    let about = "Three JPEG files: progressive, CMYK, and one that is cut off and kept as bytes (format 1.7).";
    make_of_sound("v1.7_jpeg", about, corpus::archive::of_jpegs);

    let about = "A drawing of one bit under built-in Program 2 and a disc with soft edges, RGBA, under built-in Program 3 (format 1.8).";
    if !folder("golden").join("v1.8").exists() {
        let built_in = |at: usize| PRIORS[at].program().expect("a built-in Program");
        corpus::program::write_these(&room.at("1.8.kprog"), &[("gray1", built_in(2)), ("rgba8", built_in(3))]);
        let new = named([("a.pbm".into(), pnm(&disc("gray1", 40))), ("b.png".into(), png(&disc("rgba8", 24), LIBPNG))].into_iter());
        make_archive("v1.8", about, &new, &CompressOptions { coding: Some(Method::Direct), ..given(&room.at("1.8.kprog")) });
    }

    let npy = format!("{:<117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 23, 23), }");
    let arrays = vec![
        (
            "set/train.npy".to_owned(),
            [b"\x93NUMPY\x01\x00\x76\x00", npy.as_bytes(), &(0..8).flat_map(|n| texture("gray8", 23, 23, n).samples).collect::<Vec<u8>>()].concat(),
        ),
        ("set/train.npy-".to_owned(), b"stands between the name of the array and its parts\n".to_vec()),
    ];
    let about = "A NumPy array of eight pictures under a Program that is written by hand; the array is cut into its images (format 1.9).";
    make_archive("v1.9_array", about, &arrays, &by_hand);

    let about = "Two PNG files of 8-bit grey under a Program by hand that sees where a pixel is by 3 hats along each axis (format 1.9).";
    make_of_blocks(
        "v1.9_placed",
        about,
        Method::Direct,
        &corpus::program::placed("gray8", 3),
        &[texture("gray8", 15, 11, 6), texture("gray8", 1, 9, 7)],
    );

    let about = "A PNG file of 16-bit grey, 12 of them in use, under a Program by hand with 16 hats (format 1.9).";
    make_of_sound("v1.9_placed_deep", about, || {
        corpus::archive::of_one(Method::Lanes, &corpus::program::placed("gray16", 16), &texture("gray16", 9, 8, 8))
    });

    let reject = folder("golden_reject");
    let mut index = fs::read(reject.join("index.json")).map_or_else(|_| json!({}), |bytes| serde_json::from_slice(&bytes).expect("JSON"));
    for (name, kind, says, bytes) in refused() {
        if !reject.join(name).exists() {
            put(&reject, name, &bytes);
            index[name] = json!({ "kind": format!("{kind:?}"), "says": says });
        }
    }
    // A line each.
    let lines = index.as_object().expect("an object").iter().map(|(name, answer)| format!("{}: {answer}", json!(name)));
    put(&reject, "index.json", format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n")).as_bytes());
}
