//! Every file comes back, and the archive is as small as it was promised to be.

#[path = "roundtrip/arrays.rs"]
mod arrays;
#[path = "roundtrip/base.rs"]
mod base;
#[path = "roundtrip/built_in.rs"]
mod built_in;
#[path = "roundtrip/checkpoint.rs"]
mod checkpoint;
#[path = "roundtrip/colour.rs"]
mod colour;
#[allow(dead_code, reason = "each test of promises uses a part of the corpus")]
mod corpus;
#[path = "roundtrip/jpeg.rs"]
mod jpeg;
#[path = "roundtrip/placed.rs"]
mod placed;

use std::fs;

use corpus::file::{Encoder, LIBPNG, bmp, dicom, odd_png, png, pnm, text_pnm};
use corpus::picture::{DEEP, LAYOUTS, Noise, static_noise, texture};
use corpus::room::{Room, by_zstd, files, general, given, learning};
use corpus::{program, room};
use kolmo::ErrorKind;
use kolmo::observe::Silent;
use kolmo::options::{CompressOptions, Fidelity, Limits};
use kolmo_data::digest::of_image;
use kolmo_data::layout::Image;
use kolmo_data::open::{OpenLimits, Opened, open};

fn image_of(file: &[u8]) -> Image {
    match open(file, Fidelity::Pixels, &OpenLimits::default()) {
        Opened::Image { image, .. } => image,
        Opened::General { reason } => panic!("no image: {reason}"),
    }
}

/// The files that can hold a picture of this layout, with the ends of their names.
fn containers(image: &Image, encoder: Encoder) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![("png", png(image, encoder))];
    match image.layout.to_string().as_str() {
        "gray1" => files.push(("pbm", pnm(image))),
        "gray8" => files.extend([("pgm", pnm(image)), ("text.pgm", text_pnm(image))]),
        "rgb8" => files.extend([("ppm", pnm(image)), ("text.ppm", text_pnm(image)), ("bmp", bmp(image))]),
        "gray16" => files.extend([("pgm", pnm(image)), ("dcm", dicom(image, false))]),
        "indexed1" | "indexed4" | "indexed8" => files.push(("bmp", bmp(image))),
        _ => {}
    }
    files
}

/// The promise of DESIGN.md: at most a thousandth and 1 KiB more than the files.
#[track_caller]
fn hardly_grows(total: u64, input: u64) {
    assert!(total <= input + input / 1000 + 1024, "{total} bytes for files of {input}");
}

/// Pictures of each layout, shape and container, and a Program by hand for each layout.
fn fill(room: &Room, layouts: &[&str], shapes: &[(u32, u32)]) {
    program::write(&room.at("all.kprog"), layouts);
    for (number, name) in layouts.iter().enumerate() {
        for &(width, height) in shapes {
            let encoder = Encoder { filters: (number as u8 + width as u8) % 8, level: 1 + height as u8 % 9 };
            for (end, file) in containers(&texture(name, width, height, u64::from(width)), encoder) {
                room.put(&format!("{name}/{width}x{height}.{end}"), &file);
            }
        }
    }
}

#[test]
fn samples_that_find_no_room_are_read_again() {
    let room = Room::new();
    fill(&room, &["gray8", "rgb8", "gray16"], &[(31, 29), (64, 48), (13, 7)]);
    let all = given(&room.at("all.kprog"));
    let few = |options: CompressOptions| CompressOptions { sample_bytes: 2000, ..options };
    let archive = |name: &str, options: &CompressOptions| {
        room.compress(name, options);
        fs::read(room.at(name)).expect("the archive")
    };
    assert!(archive("all.kolmo", &all) == archive("few.kolmo", &few(all.clone())), "what is in memory changes no byte");
    let learned = room.there_and_back(&few(learning()));
    for group in &learned.preprocess.groups {
        assert!((1..group.images).contains(&(group.train + group.validation + group.test)), "{group:?}");
    }
    assert!(learned.programs.iter().any(|program| program.steps > 0), "one of each layout is learned from");
}

#[test]
fn every_layout_shape_and_container_comes_back() {
    let room = Room::new();
    fill(&room, &LAYOUTS, &[(1, 1), (1, 2), (2, 1), (1, 37), (37, 1), (8, 8), (13, 7), (31, 29), (64, 48)]);
    let summary = room.there_and_back(&given(&room.at("all.kprog")));
    assert_eq!(summary.preprocess.unreadable.len() + summary.preprocess.general.len(), 0, "every file is taken apart");
    assert_eq!(summary.preprocess.groups.iter().map(|group| group.layout.as_str()).collect::<Vec<_>>(), {
        let mut names = LAYOUTS.map(corpus::picture::layout);
        names.sort_unstable();
        names.map(|layout| layout.to_string())
    });
    let kept: Vec<&str> = summary.programs.iter().filter(|program| program.kept).map(|program| program.group.as_str()).collect();
    for name in ["gray4", "gray8", "graya8", "rgb8", "rgba8", "indexed4", "indexed8"] {
        assert!(kept.contains(&name), "{name} is coded by its Program: {kept:?}");
    }
    // The same pictures in several containers, and the coder adds next to nothing to their cross-entropy.
    assert!((summary.coding.payload_bytes as f64) < summary.coding.ideal_bytes * 1.005 + 8.0 * 11.0, "{:?}", summary.coding);
    assert!(summary.sizes.total < by_zstd(&room.set()));
}

#[test]
fn deep_layouts_come_back_and_pay() {
    let room = Room::new();
    fill(&room, &DEEP, &[(1, 1), (1, 37), (37, 1), (13, 7), (64, 48)]);
    let summary = room.there_and_back(&given(&room.at("all.kprog")));
    assert_eq!(summary.preprocess.unreadable.len() + summary.preprocess.general.len(), 0, "every file is taken apart");
    assert_eq!(summary.preprocess.sample_bytes, 2 * summary.preprocess.subpixels);
    assert!(
        summary.programs.len() == 4 && summary.programs.iter().all(|program| program.kept && program.coding == "direct"),
        "{:?}",
        summary.programs
    );
    assert!((summary.coding.payload_bytes as f64) < summary.coding.ideal_bytes * 1.005 + 8.0 * 4.0, "{:?}", summary.coding);
    assert!(summary.sizes.total < by_zstd(&room.set()));
    // Samples of more than 12 bits are none of these Programs' symbols.
    let bright = Room::new();
    program::write(&bright.at("all.kprog"), &DEEP);
    bright.put("bright.pgm", b"P5 2 1 65535\n\x10\0\0\0");
    for number in 0..4 {
        bright.put(&format!("{number}.pgm"), &pnm(&texture("gray16", 40, 30, number)));
    }
    let summary = bright.there_and_back(&given(&bright.at("all.kprog")));
    assert!(summary.programs.is_empty() && summary.preprocess.images == 5, "{:?}", summary.programs);
}

#[test]
fn deep_samples_of_few_bits_are_learned_as_what_they_are() {
    let room = Room::new();
    // Signed samples of a scanner that uses 12 bits, values that are all multiples of 64, and values that fit a byte.
    for number in 0..24 {
        let image = texture("gray16", 40, 33, number);
        room.put(&format!("{number:02}.dcm"), &dicom(&image, true));
    }
    let summary = room.there_and_back(&learning());
    assert!(summary.programs[0].kept && summary.programs[0].group == "gray16", "{:?}", summary.programs);
    // 4 bits below 17 steps of noise.
    assert!(summary.rate_bpsp > 7.5 && summary.rate_bpsp < 9.5, "{}", summary.rate_bpsp);
    let room = Room::new();
    for number in 0..24 {
        let mut image = texture("gray16", 40, 33, number);
        image.samples.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| *pair = (u16::from_le_bytes(*pair) >> 4 << 6).to_le_bytes());
        room.put(&format!("{number:02}.png"), &png(&image, LIBPNG));
    }
    let summary = room.there_and_back(&learning());
    assert!(summary.programs[0].kept && summary.rate_bpsp < 5.5, "{} {:?}", summary.rate_bpsp, summary.programs);
}

#[test]
fn a_learned_set_is_smaller_than_zstd_of_it() {
    let room = Room::new();
    for number in 0..50 {
        room.put(&format!("{number:02}.png"), &png(&texture("rgb8", 28, 28, number), LIBPNG));
        room.put(&format!("gray/{number:02}.pgm"), &pnm(&texture("gray8", 30, 26, number)));
    }
    let summary = room.there_and_back(&learning());
    assert_eq!(summary.programs.len(), 2);
    for program in &summary.programs {
        assert!(program.kept, "{program:?}");
        let sizes = &program.sizes;
        let shortest = sizes.raw.min(sizes.huffman).min(sizes.lz77).min(sizes.range);
        assert!(shortest > 0 && shortest < sizes.raw, "{sizes:?}");
        let rates = &program.rates;
        assert!(rates.float.test.is_finite() && rates.tuned.test < 6.0, "{rates:?}");
        assert!(rates.tuned.test < rates.quantised.test + 0.02, "tuning has won back what rounding cost: {rates:?}");
    }
    let (total, zstd) = (summary.sizes.total, by_zstd(&room.set()));
    assert!(total * 100 < zstd * 85, "{total} bytes, zstd {zstd}");
    assert!((summary.coding.payload_bytes as f64) < summary.coding.ideal_bytes * 1.005 + 16.0, "{:?}", summary.coding);
    // 17 steps of noise a first channel are 4.1 bits that nothing can predict; followers have four or five.
    assert!(summary.rate_bpsp > 2.5 && summary.rate_bpsp < 5.5, "{}", summary.rate_bpsp);
}

#[test]
fn a_mixed_folder_comes_back_whole() {
    let room = Room::new();
    let long = "l".repeat(200);
    for number in 0..40 {
        room.put(&format!("pictures/{number}.png"), &png(&texture("gray8", 24, 24, number), LIBPNG));
    }
    room.put("-rf", b"a leading dash");
    room.put("with spaces/and more.png", &png(&texture("gray8", 9, 9, 1), LIBPNG));
    room.put("ünï/日本語/🦀.png", &png(&texture("gray8", 24, 24, 1), LIBPNG));
    room.put(&format!("{long}/{long}.bin"), &Noise::new(1).bytes(300));
    room.put(".hidden", b"");
    room.put("no end", b"");
    room.put("a/b/c/d/e/f/g/h/i/j/deep.txt", b"deep");
    room.put("~tilde.", b"~");
    room.put("percent%20 'quotes' \"and\" $more;*?.txt", b"shells have no say here");
    room.put("notes.txt", &b"plain words compress well. ".repeat(400));
    room.put("pictures.tar.gz", &Noise::new(2).bytes(2000));
    room.put("pictures/copy.png", &png(&texture("gray8", 24, 24, 7), LIBPNG));
    room.put("pictures/otherwise.pgm", &pnm(&texture("gray8", 24, 24, 7)));
    room.put("lonely.png", &png(&texture("rgba8", 40, 40, 1), LIBPNG));
    room.put("one.png", &png(&texture("gray1", 1, 1, 1), LIBPNG));
    room.put("broken.png", &png(&texture("gray8", 24, 24, 3), LIBPNG)[..200]);
    room.put("text.png", b"no picture at all");
    room.put("odd.png", &odd_png(&texture("gray8", 24, 24, 3)));
    let summary = room.there_and_back(&learning());
    let named = |list: &[kolmo::summary::NamedReason]| list.iter().map(|named| named.path.clone()).collect::<Vec<_>>();
    assert_eq!(named(&summary.preprocess.duplicates), ["no end", "pictures/copy.png", "ünï/日本語/🦀.png"]);
    assert!(named(&summary.preprocess.unreadable).contains(&"broken.png".to_owned()));
    for path in ["-rf", "broken.png", "odd.png", "text.png"] {
        assert!(named(&summary.preprocess.general).contains(&path.to_owned()), "{path} is named as stored the general way");
    }
    assert_eq!(summary.preprocess.general_but_pixels_would_learn, 1);
    assert!(summary.sizes.total < by_zstd(&room.set()) + 2000, "{:?}", summary.sizes);
    let items = kolmo::list(&room.at("x.kolmo"), &Limits::default()).expect("a list");
    let method = |path: &str| items.iter().find(|item| item.path == path).map(|item| item.method.as_str());
    assert_eq!(method("pictures/copy.png"), Some("copy"));
    assert_eq!(method("ünï/日本語/🦀.png"), Some("copy"));
    assert_eq!(method("odd.png"), Some("general"));
}

#[test]
fn the_smallest_sets_are_sets() {
    for files in [
        vec![("empty", b"".to_vec())],
        vec![("a", vec![]), ("b", vec![]), ("c/d", vec![])],
        vec![("byte", vec![0])],
        vec![("dot.png", png(&texture("rgb8", 1, 1, 0), LIBPNG))],
        vec![("one.pgm", pnm(&texture("gray8", 80, 80, 0)))],
    ] {
        let room = Room::new();
        files.iter().for_each(|(name, bytes)| room.put(name, bytes));
        let summary = room.there_and_back(&learning());
        hardly_grows(summary.sizes.total, summary.preprocess.file_bytes);
        assert_eq!(summary.preprocess.files, files.len() as u64);
    }
}

#[test]
fn one_file_is_a_set_too() {
    let room = Room::new();
    room.put("one.txt", &b"one file ".repeat(50));
    let archive = room.at("one.kolmo");
    kolmo::compress(&room.at("set/one.txt"), &archive, &general(), &mut Silent).expect("a file is compressed");
    assert_eq!(room.expand("one.kolmo", "out"), files(&room.set()));
}

#[test]
fn no_file_at_all_is_an_error_that_leaves_nothing() {
    let room = Room::new();
    fs::create_dir(room.at("set/inner")).expect("a folder");
    let error = kolmo::compress(&room.set(), &room.at("x.kolmo"), &general(), &mut Silent).expect_err("nothing to compress");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(files(&room.at("")).len(), 0);
}

#[test]
fn what_cannot_be_learned_hardly_grows() {
    let noise = |seed, bytes| Noise::new(seed).bytes(bytes);
    let pictures = |name: &str, count| (0..count).map(|n| static_noise(name, 50, 40, n)).collect::<Vec<_>>();
    let sets: Vec<Vec<Vec<u8>>> = vec![
        vec![noise(1, 300_000)],
        (0..60).map(|n| noise(n, 700)).collect(),
        pictures("rgb8", 20).iter().map(|image| png(image, LIBPNG)).collect(),
        pictures("gray8", 30).iter().map(pnm).collect(),
        pictures("gray1", 40).iter().map(pnm).collect(),
        pictures("indexed4", 30).iter().map(|image| png(image, Encoder { filters: 0, level: 9 })).collect(),
        pictures("rgba8", 8).iter().map(odd_png).collect(),
    ];
    for (number, set) in sets.into_iter().enumerate() {
        let room = Room::new();
        set.iter().enumerate().for_each(|(n, bytes)| room.put(&format!("{n:03}"), bytes));
        program::write(&room.at("all.kprog"), &LAYOUTS);
        // A Program that misjudges everything must not cost anything either; one learned from noise is tried once.
        let summary = room.there_and_back(&if number == 3 { learning() } else { given(&room.at("all.kprog")) });
        hardly_grows(summary.sizes.total, summary.preprocess.file_bytes);
    }
}

#[test]
fn pixels_come_back_where_bytes_were_not_asked_for() {
    let room = Room::new();
    for (number, name) in LAYOUTS.iter().enumerate() {
        for n in 0..6 {
            let image = texture(name, 40 + n, 33, u64::from(n));
            room.put(&format!("{name}/{n}.png"), &if n % 2 == 0 { odd_png(&image) } else { png(&image, Encoder { filters: 7, level: 9 }) });
        }
        room.put(&format!("{name}.txt"), &Noise::new(number as u64).bytes(number));
    }
    room.put("text.ppm", &text_pnm(&texture("rgb8", 30, 30, 1)));
    program::write(&room.at("all.kprog"), &LAYOUTS);
    let options = CompressOptions { fidelity: Fidelity::Pixels, ..given(&room.at("all.kprog")) };
    let summary = room.compress("x.kolmo", &options);
    assert_eq!((summary.fidelity.as_str(), summary.verified_files), ("pixels", summary.preprocess.files));
    let (before, after) = (files(&room.set()), room.expand("x.kolmo", "out"));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, original) in &before {
        match path.ends_with(".txt") {
            true => assert_eq!(after[path], *original, "{path} is no image: its bytes count"),
            false => assert_eq!(of_image(&image_of(&after[path])), of_image(&image_of(original)), "{path}"),
        }
    }
    assert!(room.verify("x.kolmo").differences.is_empty());
    let exact = CompressOptions { fidelity: Fidelity::Files, force: true, ..options };
    assert!(summary.sizes.total < room.compress("x.kolmo", &exact).sizes.total, "what is not kept takes no room");
}

#[test]
fn a_given_program_codes_images_it_never_saw() {
    let (seen, unseen) = (Room::new(), Room::new());
    for number in 0..50 {
        seen.put(&format!("{number}.png"), &png(&texture("rgb8", 28, 28, number), LIBPNG));
        unseen.put(&format!("{number}.png"), &png(&texture("rgb8", 31, 25, 1000 + number), LIBPNG));
    }
    unseen.put("other.pgm", &pnm(&texture("gray8", 70, 70, 1)));
    let program = seen.at("seen.kprog");
    let trained = kolmo::train(&seen.set(), &program, &learning(), &mut Silent).expect("a Program is learned");
    assert_eq!(trained.bytes, fs::metadata(&program).expect("the file").len());
    let summary = unseen.there_and_back(&given(&program));
    assert_eq!((summary.programs.len(), summary.programs[0].stopped.as_str(), summary.programs[0].kept), (1, "given", true));
    let rate = summary.coding.payload_bytes as f64 * 8.0 / summary.coding.subpixels as f64;
    let promised = trained.programs[0].rates.tuned.test;
    assert!((rate - promised).abs() < 0.1 * promised, "{rate} bpsp, measured on other images {promised}");
    assert!(summary.sizes.total * 100 < by_zstd(&unseen.set()) * 90, "{} bytes", summary.sizes.total);
}

#[test]
fn tuning_keeps_or_lowers_the_rate() {
    let room = Room::new();
    for number in 0..50 {
        room.put(&format!("{number}.pgm"), &pnm(&texture("gray8", 30, 30, number)));
    }
    let (program, tuned) = (room.at("a.kprog"), room.at("b.kprog"));
    kolmo::train(&room.set(), &program, &learning(), &mut Silent).expect("a Program is learned");
    let summary = kolmo::tune(&program, &room.set(), &tuned, &learning(), &mut Silent).expect("a Program is tuned");
    assert!(summary.programs[0].steps > 0);
    let payload = |archive: &str, program| room.compress(archive, &given(program)).coding.payload_bytes;
    let (before, after) = (payload("a.kolmo", &program), payload("b.kolmo", &tuned));
    // The best network is chosen on the validation part, so the whole may differ by chance in the third digit.
    assert!(after * 1000 <= before * 1003, "{after} bytes after tuning, {before} before");
    assert!(room.verify("b.kolmo").differences.is_empty());
}

#[test]
fn sets_of_any_make_come_back() {
    for seed in 0..24 {
        let (mut dice, room) = (Noise::new(seed), Room::new());
        let mut names: Vec<&str> = LAYOUTS.to_vec();
        names.retain(|_| dice.below(3) > 0);
        program::write(&room.at("some.kprog"), &names);
        let mut kept: Vec<Vec<u8>> = vec![b"first".to_vec()];
        for number in 0..3 + dice.below(40) {
            let name = LAYOUTS[dice.below(11) as usize];
            let (width, height, at) = (1 + dice.below(40) as u32, 1 + dice.below(40) as u32, dice.number());
            let image = if dice.below(5) == 0 { static_noise(name, width, height, at) } else { texture(name, width, height, at) };
            let encoder = Encoder { filters: dice.below(8) as u8, level: 1 + dice.below(9) as u8 };
            let bytes = match dice.below(12) {
                0 => kept[dice.below(kept.len() as u64) as usize].clone(),
                1 => room::files(&room.set()).into_keys().collect::<String>().into_bytes(),
                2 => Noise::new(at).bytes(dice.below(500) as usize),
                3 => odd_png(&image),
                4 => {
                    // Damaged anywhere: whatever it is now, it has to come back.
                    let mut file = png(&image, encoder);
                    let (place, bit) = (dice.below(file.len() as u64) as usize, dice.below(8));
                    file[place] ^= 1 << bit;
                    file
                }
                _ => {
                    let mut made = containers(&image, encoder);
                    made.swap_remove(dice.below(made.len() as u64) as usize).1
                }
            };
            kept.push(bytes.clone());
            let folder = ["", "a/", "b b/", "ç/d/"][dice.below(4) as usize];
            room.put(&format!("{folder}{number}.{}", ["png", "x", "pgm"][dice.below(3) as usize]), &bytes);
        }
        let summary = match names.is_empty() {
            true => room.there_and_back(&general()),
            false => room.there_and_back(&given(&room.at("some.kprog"))),
        };
        hardly_grows(summary.sizes.total, summary.preprocess.file_bytes);
    }
}
