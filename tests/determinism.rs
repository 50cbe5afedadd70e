//! The same in, the same out: whatever the threads, the day, the folder, the order in which files were written.

#[allow(dead_code, reason = "each test of promises uses a part of the corpus")]
mod corpus;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use corpus::archive::image_ref;
use corpus::file::{LIBPNG, png, pnm};
use corpus::picture::{DEEP, LAYOUTS, Noise, texture};
use corpus::program::by_hand;
use corpus::room::{Room, files, given, learning, quick};
use kolmo::observe::Silent;
use kolmo::options::{CompressOptions, DeviceChoice, ExpandOptions, LearnOptions, Method};
use kolmo_codec::block::{self, Reference};
use kolmo_data::digest::of_bytes;

/// Networks draw their first weights from the device's one source of random numbers, so trainings of one process take turns.
static DEVICE: Mutex<()> = Mutex::new(());

fn device() -> MutexGuard<'static, ()> {
    DEVICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Just enough for a Program to be worth learning.
fn fill(room: &Room) {
    for number in 0..24 {
        room.put(&format!("a/{number}.png"), &png(&texture("rgb8", 18, 18, number), LIBPNG));
    }
    room.put("notes.txt", &b"words ".repeat(300));
}

/// Training on the CPU, whatever else there is.
fn on_cpu(seed: u64) -> CompressOptions {
    CompressOptions { learn: Some(LearnOptions { seed, device: DeviceChoice::Cpu, ..quick() }), ..learning() }
}

/// Compresses with so many threads, in coding and in learning.
fn archive(room: &Room, name: &str, threads: usize, options: &CompressOptions) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let options = CompressOptions { threads, ..options.clone() };
    pool.install(|| room.compress(name, &options));
    fs::read(room.at(name)).expect("the archive")
}

/// Where two archives differ first, if they do.
#[track_caller]
fn same(a: &[u8], b: &[u8]) {
    let at = a.iter().zip(b).position(|(a, b)| a != b);
    assert!(a == b, "archives of {} and {} bytes differ first at {at:?}", a.len(), b.len());
}

#[test]
fn learning_and_coding_do_not_depend_on_threads_or_the_run() {
    let _turn = device();
    let room = Room::new();
    fill(&room);
    let one = archive(&room, "1.kolmo", 1, &on_cpu(7));
    same(&one, &archive(&room, "4.kolmo", 4, &on_cpu(7)));
    same(&one, &archive(&room, "again.kolmo", 2, &on_cpu(7)));
    assert!(one != archive(&room, "other.kolmo", 1, &on_cpu(8)), "another seed is another archive: the network has been learned");
}

#[test]
fn the_folder_and_the_order_of_writing_do_not_matter() {
    let _turn = device();
    let (room, other) = (Room::new(), Room::new());
    fill(&room);
    let mut all: Vec<_> = files(&room.set()).into_iter().collect();
    all.reverse();
    all.iter().for_each(|(path, bytes)| other.put(path, bytes));
    same(&archive(&room, "a.kolmo", 2, &on_cpu(1)), &archive(&other, "quite another name.kolmo", 2, &on_cpu(1)));
}

#[test]
fn a_program_file_is_the_same_each_time() {
    let _turn = device();
    let room = Room::new();
    fill(&room);
    let program = |name: &str, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let options = CompressOptions { threads, ..on_cpu(3) };
        pool.install(|| kolmo::train(&room.set(), &room.at(name), &options, &mut Silent).expect("a Program is learned"));
        fs::read(room.at(name)).expect("the Program")
    };
    let first = program("a.kprog", 1);
    same(&first, &program("b.kprog", 3));
    // Tuning begins where it is told, so it repeats as well.
    let tune = |name: &str| {
        kolmo::tune(&room.at("a.kprog"), &room.set(), &room.at(name), &on_cpu(3), &mut Silent).expect("a Program is tuned");
        fs::read(room.at(name)).expect("the Program")
    };
    same(&tune("c.kprog"), &tune("d.kprog"));
}

#[test]
fn a_given_program_codes_alike_on_any_threads() {
    let room = Room::new();
    let mut noise = Noise::new(1);
    for number in 0..400 {
        let (width, height) = (20 + noise.below(60) as u32, 20 + noise.below(60) as u32);
        room.put(&format!("{number}.pgm"), &pnm(&texture("gray8", width, height, number)));
    }
    corpus::program::write(&room.at("gray.kprog"), &["gray8"]);
    for method in [Method::Direct, Method::Adaptive] {
        let options = CompressOptions { coding: Some(method), ..given(&room.at("gray.kprog")) };
        let name = |threads: usize| format!("{threads}.{}.kolmo", method.name());
        let one = archive(&room, &name(1), 1, &options);
        // Adaptive blocks are longer.
        let blocks = kolmo::inspect(&room.at(&name(1)), &options.limits).expect("an archive").blocks;
        assert!(blocks > 2 || method == Method::Adaptive, "there is something to share: {blocks} blocks");
        for threads in [2, 3, 8] {
            same(&one, &archive(&room, &name(threads), threads, &options));
        }
    }
    let expanded = |threads: usize| {
        let (output, options) = (room.at(&format!("out{threads}")), ExpandOptions { threads, ..ExpandOptions::default() });
        kolmo::expand(&room.at("1.direct.kolmo"), &output, &options, &mut Silent).expect("an archive expands");
        files(&output)
    };
    let before = files(&room.set());
    assert!(expanded(1) == before && expanded(8) == before);
}

/// Digest of what every layout's Program by hand makes of a picture: the same on every machine, in every build, forever.
const CODED: [(&str, &str); 11] = [
    ("gray1", "24758d25e0613e6a"),
    ("gray2", "86eac95668a1f025"),
    ("gray4", "0445a7061f685df5"),
    ("gray8", "efe0c5b0e74ed027"),
    ("graya8", "c1145a851a87fa94"),
    ("rgb8", "a05790589f20bf1b"),
    ("rgba8", "8d2b6c36f8daf5e5"),
    ("indexed1", "24758d25e0613e6a"),
    ("indexed2", "86eac95668a1f025"),
    ("indexed4", "0445a7061f685df5"),
    ("indexed8", "efe0c5b0e74ed027"),
];

/// The same of 16-bit pictures.
const CODED_DEEP: [(&str, &str); 4] =
    [("gray16", "3312818129f3f4f9"), ("graya16", "09b8ef4bfa1130d9"), ("rgb16", "b7ee17e8ef069987"), ("rgba16", "a896587c26ad29c0")];

/// The same, coded by sixteen coders.
const CODED_LANES: [(&str, &str); 4] =
    [("gray1", "ce8c21fc724c313b"), ("rgb8", "b25c5e7da0a10902"), ("rgba8", "fa422d2330c0947b"), ("rgb16", "e39c0ab18b705fbb")];

/// The same, adaptively, and the second image given the first.
const CODED_ADAPTIVELY: [(&str, &str); 3] = [("gray4", "c9e86c807c589897"), ("gray8", "65bc2cb6aa820cd4"), ("rgb8", "7615db6b5d6c12c9")];
const CODED_BY_REFERENCES: [(&str, &str); 3] = [("gray4", "f4148785f6bc29f3"), ("gray8", "9ad0729f436631c8"), ("rgb8", "665f8f2a2ef38870")];

#[test]
fn the_coder_says_the_same_on_every_machine() {
    says(Method::Direct, LAYOUTS, CODED);
    says(Method::Direct, DEEP, CODED_DEEP);
    says(Method::Lanes, CODED_LANES.map(|(name, _)| name), CODED_LANES);
    says(Method::Adaptive, CODED_ADAPTIVELY.map(|(name, _)| name), CODED_ADAPTIVELY);
    says(Method::References, CODED_BY_REFERENCES.map(|(name, _)| name), CODED_BY_REFERENCES);
}

fn says<const N: usize>(method: Method, layouts: [&'static str; N], known: [(&str, &str); N]) {
    assert_eq!(known.map(|(name, _)| name), layouts);
    let coded = layouts.map(|name| {
        let images = [texture(name, 61, 43, 1), texture(name, 5, 70, 2)];
        let (program, images) = (by_hand(name), images.each_ref().map(image_ref));
        let encoded = match method {
            Method::References => block::encode_by_references(&program, &images, &[None, Some(Reference { image: 0, turn: 6, down: 3, right: -2 })]),
            _ => block::encode_as(method, &program, &images),
        };
        let encoded = encoded.expect("images fit their Program");
        (name, of_bytes(&encoded.bytes).to_string()[..16].to_owned())
    });
    assert_eq!(coded.each_ref().map(|(name, digest)| (*name, digest.as_str())), known);
}

#[test]
fn an_archive_says_nothing_about_where_and_when_it_was_made() {
    let room = Room::new();
    room.put("a.txt", b"a");
    let bytes = |name: &str| {
        room.compress(name, &corpus::room::general());
        fs::read(room.at(name)).expect("the archive")
    };
    let before = bytes("a.kolmo");
    let file = fs::File::options().write(true).open(room.at("set/a.txt")).expect("the file");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time");
    same(&before, &bytes("b.kolmo"));
    let folder = room.at("").to_string_lossy().into_owned();
    let name = Path::new(&folder).file_name().expect("a name").to_string_lossy().into_owned();
    assert!(!before.windows(name.len()).any(|window| window == name.as_bytes()));
}
