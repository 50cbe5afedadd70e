//! Damage, limits, full disks and readers that leave: bad luck, told calmly.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::room::*;

#[test]
fn an_empty_folder_is_refused_by_name() {
    let room = Room::new();
    let talk = say!("compress", room.set()).ends(USAGE);
    assert!(talk.stderr.starts_with("kolmo: ") && talk.stderr.contains("set"), "{}", talk.stderr);
    assert_eq!(room.names(), ["set"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_io_error_with_a_next_step() {
    let room = Room::new();
    let talk = say!("compress", room.at("nowhere")).ends(IO);
    assert!(talk.stderr.contains("nowhere") && talk.stderr.contains("\nhelp: "), "{}", talk.stderr);
    let talk = say!("list", room.at("nowhere.kolmo")).ends(IO);
    assert!(talk.stderr.contains("nowhere.kolmo") && talk.stderr.contains("\nhelp: "), "{}", talk.stderr);
    assert_eq!(room.names(), ["set"]);
}

#[test]
fn a_cut_archive_is_refused_wherever_it_is_cut() {
    let room = Room::new();
    let whole = fs::read(room.archive()).expect("read");
    let cut = room.at("cut.kolmo");
    let stride = whole.len().div_ceil(40);
    for length in (0..whole.len()).step_by(stride).chain([1, whole.len() - 1]) {
        fs::write(&cut, &whole[..length]).expect("write");
        let talk = say!("expand", &cut, "-o", room.at("out")).ends(BAD_ARCHIVE);
        assert!(talk.stderr.starts_with("kolmo: ") && talk.stderr.contains("cut.kolmo") && talk.stderr.contains("\nhelp: "), "{}", talk.stderr);
        assert!(!room.at("out").exists() || files(&room.at("out")).is_empty(), "cut at {length}: no file is left half-written");
    }
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let room = Room::new();
    let whole = fs::read(room.archive()).expect("read");
    let flipped = room.at("flipped.kolmo");
    for at in (0..whole.len()).step_by(whole.len().div_ceil(60)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&flipped, &bytes).expect("write");
        // A flip may also ask for more than any limit; it may never pass, crash, or count as a mere difference of a file.
        let talk = say!("verify", &flipped);
        assert!([BAD_ARCHIVE, LIMIT, DIFFERENCE].contains(&talk.status), "byte {at}: {talk:?}");
        assert!(talk.status != DIFFERENCE || talk.stdout.contains("differs"), "byte {at}: {talk:?}");
    }
    fs::write(&flipped, b"\x89PNG\r\n\x1a\nsomething else entirely, and long enough to hold a header").expect("write");
    let talk = say!("list", &flipped).ends(BAD_ARCHIVE);
    assert!(talk.stderr.contains("help: "), "{}", talk.stderr);
}

#[test]
fn a_limit_ends_with_4_and_names_the_option() {
    let room = Room::new();
    let archive = room.archive();
    for arguments in [vec!["list"], vec!["inspect"], vec!["verify"]] {
        let talk = kolmo(arguments.iter().map(OsStr::new).chain([archive.as_ref(), OsStr::new("--max-memory"), OsStr::new("16B")])).ends(LIMIT);
        assert!(talk.stderr.contains("--max-memory"), "{}", talk.stderr);
    }
    say!("expand", &archive, "-o", room.at("out"), "--max-memory", "16B").ends(LIMIT);
    assert!(!room.at("out").exists() || files(&room.at("out")).is_empty());
}

#[test]
fn an_output_that_cannot_be_written_is_an_io_error() {
    let room = Room::new();
    let archive = room.archive();
    let talk = say!("compress", room.set(), "-o", room.set().join("notes.txt/x.kolmo"), "--no-learn").ends(IO);
    assert!(talk.stderr.starts_with("kolmo: ") && talk.stderr.contains("help: "), "{}", talk.stderr);
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        skipped("no /dev/full here");
        return;
    };
    let output = command([OsStr::new("list"), archive.as_ref()]).stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(IO), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A tiny file system that only root may mount; unmounted when dropped.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("mount point");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "the tiny disk stays mounted");
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let room = Room::new();
    let noise: Vec<u8> = (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ (at.wrapping_mul(at) >> 7) as u8).collect();
    room.put("noise", &noise);
    let archive = room.at("set.kolmo");
    say!("compress", room.set(), "--no-learn").ends(DONE);
    let Some(disk) = TinyDisk::mount(&room.at("disk"), "size=16k") else {
        skipped("a tiny disk needs root");
        return;
    };
    let talk = say!("compress", room.set(), "-o", disk.0.join("x.kolmo"), "--no-learn").ends(IO);
    assert!(talk.stderr.contains("space"), "{}", talk.stderr);
    assert!(files(&disk.0).is_empty(), "{:?}", files(&disk.0).keys());
    say!("expand", &archive, "-o", disk.0.join("out")).ends(IO);
    let left = files(&disk.0);
    assert!(left.is_empty(), "half a file is no file: {:?}", left.keys());
}

#[test]
fn a_read_only_folder_is_named() {
    let room = Room::new();
    let archive = room.archive();
    let Some(disk) = TinyDisk::mount(&room.at("disk"), "size=16k,ro") else {
        skipped("a read-only disk needs root");
        return;
    };
    for arguments in [
        [OsStr::new("compress"), room.set().as_ref(), OsStr::new("-o"), disk.0.join("x.kolmo").as_ref(), OsStr::new("--no-learn")],
        [OsStr::new("expand"), archive.as_ref(), OsStr::new("-o"), disk.0.join("out").as_ref(), OsStr::new("-v")],
    ] {
        let talk = kolmo(arguments).ends(IO);
        assert!(talk.stderr.contains("disk") && talk.stderr.contains("help: "), "{}", talk.stderr);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let room = Room::new();
    for number in 0..3000 {
        room.put(&format!("a rather long name, so that all of them fill a pipe, {number}"), b"");
    }
    let archive = room.at("set.kolmo");
    say!("compress", room.set(), "--no-learn").ends(DONE);
    let mut child = command([OsStr::new("list"), archive.as_ref()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(DONE), b"".as_slice()), "{}", String::from_utf8_lossy(&output.stderr));
}
