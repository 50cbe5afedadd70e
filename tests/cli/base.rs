//! Checkpoints coded against the one before: what is said, what is asked for, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use crate::room::*;

/// A safetensors file: a matrix of singles, a vector of integers.
fn checkpoint(step: u32) -> Vec<u8> {
    let header = r#"{"w":{"dtype":"F32","shape":[50,40],"data_offsets":[0,8000]},"n":{"dtype":"I64","shape":[10],"data_offsets":[8000,8080]}}"#;
    let noise = |at: u32| at.wrapping_mul(2_654_435_761).wrapping_add(at << 7) >> 9;
    let weights = (0..2000).map(|at| 0x3c00_0000 + noise(at) + noise(at.wrapping_mul(step)) % 90 * step);
    let counts = (0..10u64).flat_map(|at| (at * 1000 + u64::from(step)).to_le_bytes());
    [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &weights.flat_map(u32::to_le_bytes).collect::<Vec<u8>>(),
        &counts.collect::<Vec<u8>>(),
    ]
    .concat()
}

/// A set of a checkpoint and a text, coded against `before.safetensors`, which lies beside it.
fn coded(room: &Room) -> (PathBuf, PathBuf) {
    let base = room.at("before.safetensors");
    fs::write(&base, checkpoint(0)).expect("a file");
    room.put("net.safetensors", &checkpoint(1));
    room.put("notes.txt", b"trained for one step more\n");
    (room.at("set.kolmo"), base)
}

/// The first digits of the digest of an archive's base.
fn digits(archive: &Path) -> String {
    let bases = say!("inspect", archive, "--json").ends(DONE).json_of("inspect_summary")["bases"].clone();
    bases[0]["blake3"].as_str().expect("a digest")[..12].to_owned()
}

#[test]
fn a_checkpoint_takes_what_is_new_in_it() {
    let room = Room::new();
    let (archive, base) = coded(&room);
    say!("compress", room.set(), "-o", room.at("alone.kolmo")).ends(DONE);
    let talk = say!("compress", room.set(), "--base", &base).ends(DONE);
    let size = |name: &str| fs::metadata(room.at(name)).expect("an archive").len();
    assert!(2 * size("set.kolmo") < size("alone.kolmo"), "{} and {}", size("set.kolmo"), size("alone.kolmo"));
    let digits = &digits(&archive);
    let named = format!("needs before.safetensors (8,209 bytes, BLAKE3 {digits}...) to expand");
    assert!(talk.stdout.contains(&named) && talk.stdout.contains("100.0 % against the base"), "{}", talk.stdout);
    let inspected = say!("inspect", &archive).ends(DONE).stdout;
    assert!(inspected.contains(&named), "{inspected}");
    let bases = say!("inspect", &archive, "--json").ends(DONE).json_of("inspect_summary")["bases"].clone();
    assert_eq!((bases[0]["name"].as_str(), bases[0]["bytes"].as_u64()), (Some("before.safetensors"), Some(8209)), "{bases}");
    assert!(bases[0]["blake3"].as_str().is_some_and(|digest| digest.len() == 64 && digest.starts_with(digits)) && bases[1].is_null());
    let summary = say!("compress", room.set(), "--base", &base, "--force", "--json").ends(DONE).json_of("compress_summary");
    assert_eq!(summary["base"], bases[0]);
    assert!(say!("list", &archive, "-l").ends(DONE).stdout.contains("base "));

    // Its name and place do not matter.
    let moved = room.at("elsewhere.bin");
    fs::rename(&base, &moved).expect("a rename");
    say!("expand", &archive, "-o", room.at("out"), "--base", &moved).ends(DONE);
    assert_eq!(files(&room.set()), files(&room.at("out")));
    assert!(say!("verify", &archive, room.set(), "--base", &moved).ends(DONE).stdout.contains("verified 2/2 files"));
    assert!(say!("list", &archive, "--tensors", "--base", &moved).ends(DONE).stdout.contains("net.safetensors::w"));
    say!("expand", &archive, "net.safetensors::n", "-o", room.at("n.raw"), "--base", &moved).ends(DONE);
    assert_eq!(fs::read(room.at("n.raw")).expect("a tensor"), checkpoint(1)[8129..]);
}

#[test]
fn a_missing_or_wrong_base_is_asked_for() {
    let room = Room::new();
    let (archive, base) = coded(&room);
    say!("compress", room.set(), "--base", &base).ends(DONE);
    let (other, out) = (room.at("set/net.safetensors"), room.at("out"));
    let digits = &digits(&archive);
    let asks = |talk: Talk| {
        let talk = talk.ends(USAGE);
        for said in ["set.kolmo: ", "before.safetensors", "8209 bytes", digits, "say --base FILE", "\nhelp: the base is the file"] {
            assert!(talk.stderr.contains(said), "`{said}` is missing in {}", talk.stderr);
        }
        talk.stderr
    };
    for wrong in [None, Some(&other)] {
        let base: Vec<&std::ffi::OsStr> = wrong.map_or_else(Vec::new, |wrong| vec!["--base".as_ref(), wrong.as_ref()]);
        let with = |words: &[&std::ffi::OsStr]| kolmo(words.iter().chain(&base));
        let said = asks(with(&["expand".as_ref(), archive.as_ref(), "-o".as_ref(), out.as_ref()]));
        assert_eq!(said.contains("not to net.safetensors"), wrong.is_some(), "{said}");
        asks(with(&["verify".as_ref(), archive.as_ref()]));
        asks(with(&["list".as_ref(), archive.as_ref(), "--tensors".as_ref()]));
        asks(with(&["expand".as_ref(), archive.as_ref(), "net.safetensors::w".as_ref(), "-o".as_ref(), room.at("w").as_ref()]));
    }
    assert!(!out.exists() && !room.at("w").exists(), "nothing is left behind");
    // What is not coded against it needs none.
    say!("expand", &archive, "notes.txt", "-o", &out).ends(DONE);
    assert_eq!(files(&out).into_keys().collect::<Vec<_>>(), ["notes.txt"]);
    assert!(say!("list", &archive).ends(DONE).stdout.contains("net.safetensors"));
    let talk = say!("expand", &archive, "-o", room.at("none"), "--base", room.at("nowhere")).ends(IO);
    assert!(talk.stderr.contains("nowhere"), "{}", talk.stderr);
    assert!(say!("list", &archive, "--base", &base).ends(USAGE).stderr.contains("--tensors"));
}

#[test]
fn a_base_that_cannot_help_is_told() {
    let room = Room::new();
    let (archive, base) = coded(&room);
    let refused = |base: PathBuf, why: &str| {
        let talk = say!("compress", room.set(), "-o", &archive, "--force", "--base", &base).ends(USAGE);
        assert!(talk.stderr.contains(why) && talk.stderr.contains(&base.display().to_string()), "{}", talk.stderr);
    };
    refused(room.at("set/notes.txt"), "no tensors are found in the base");
    refused(room.set(), "the base is a folder");
    fs::write(room.at("cut.safetensors"), &checkpoint(0)[..4000]).expect("a file");
    refused(room.at("cut.safetensors"), "cannot be read as one");
    assert!(say!("compress", room.set(), "-o", &base, "--force", "--base", &base).ends(USAGE).stderr.contains("would replace its own base"));
    assert_eq!(fs::read(&base).expect("the base"), checkpoint(0));
    assert!(!archive.exists());

    // Other names, or the same file as the input: a note, and an archive that needs nothing.
    let renamed: Vec<u8> = checkpoint(0).iter().enumerate().map(|(at, &byte)| if at == 10 || at == 70 { b'z' } else { byte }).collect();
    fs::write(room.at("others.safetensors"), &renamed).expect("a file");
    let talk = say!("compress", room.set(), "-o", &archive, "--base", room.at("others.safetensors")).ends(DONE);
    assert!(talk.stderr.contains("nothing is gained by --base") && !talk.stdout.contains("needs "), "{} {}", talk.stdout, talk.stderr);
    say!("verify", &archive).ends(DONE);
    let mut noise = 1u32;
    let other = checkpoint(0).into_iter().enumerate().map(|(at, byte)| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if at < 129 { byte } else { (noise >> 24) as u8 }
    });
    fs::write(room.at("noise.safetensors"), other.collect::<Vec<u8>>()).expect("a file");
    let talk = say!("compress", room.set(), "-o", &archive, "--force", "--base", room.at("noise.safetensors")).ends(DONE);
    assert!(talk.stderr.contains("take no less than the tensors themselves") && !talk.stdout.contains("needs "), "{} {}", talk.stdout, talk.stderr);
    say!("verify", &archive).ends(DONE);
    let talk = say!("compress", room.at("set/net.safetensors"), "-o", &archive, "--force", "--base", room.at("set/net.safetensors")).ends(DONE);
    assert!(talk.stderr.contains("is the base itself") && !talk.stdout.contains("needs "), "{} {}", talk.stdout, talk.stderr);
    say!("verify", &archive, "--base", &base).ends(DONE);
}

#[test]
fn a_base_among_the_files_is_kept_whole() {
    let room = Room::new();
    coded(&room);
    room.put("again.safetensors", &checkpoint(0));
    room.put("before.safetensors", &checkpoint(0));
    let archive = room.at("both.kolmo");
    let talk = say!("compress", room.set(), "-o", &archive, "--base", room.at("set/before.safetensors")).ends(DONE);
    assert!(talk.stderr.contains("before.safetensors is the base itself"), "{}", talk.stderr);
    fs::rename(room.set(), room.at("gone")).expect("a rename");
    say!("expand", &archive, "-o", room.at("first"), "before.safetensors").ends(DONE);
    say!("expand", &archive, "-o", room.at("all"), "--base", room.at("first/before.safetensors")).ends(DONE);
    assert_eq!(files(&room.at("gone")), files(&room.at("all")));
}

#[test]
fn a_flipped_byte_of_differences_is_found() {
    let room = Room::new();
    let (archive, base) = coded(&room);
    say!("compress", room.set(), "--base", &base).ends(DONE);
    let whole = fs::read(&archive).expect("an archive");
    let flipped = room.at("flipped.kolmo");
    for at in (0..whole.len()).step_by(whole.len().div_ceil(60)).chain([81, 81 + 40, 81 + 60]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&flipped, &bytes).expect("write");
        let talk = say!("expand", &flipped, "-o", room.at("out"), "--base", &base);
        assert!([USAGE, BAD_ARCHIVE, LIMIT].contains(&talk.status), "byte {at}: {talk:?}");
        assert!(!room.at("out").exists());
        assert!(say!("verify", &flipped, "--base", &base).status != DONE, "byte {at}");
    }
}
