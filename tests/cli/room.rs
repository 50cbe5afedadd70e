//! Who talks: the binary, and a room with files in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const DONE: i32 = 0;
pub(crate) const DIFFERENCE: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const BAD_ARCHIVE: i32 = 3;
pub(crate) const LIMIT: i32 = 4;
pub(crate) const IO: i32 = 5;
pub(crate) const CANCELLED: i32 = 130;

/// One call and its answer.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Talk {
    /// Expects `status`, and shows everything if it is another.
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Every stdout line as JSON, each with `type` and `schema`.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for line in &lines {
            assert!(line["type"].is_string() && line["schema"] == 1, "{line}");
        }
        lines
    }

    /// The one line of type `kind`.
    #[track_caller]
    pub(crate) fn json_of(&self, kind: &str) -> Value {
        let mut found: Vec<_> = self.json().into_iter().filter(|line| line["type"] == kind).collect();
        assert_eq!(found.len(), 1, "lines of type {kind} in\n{}", self.stdout);
        found.remove(0)
    }
}

pub(crate) fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolmo"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

pub(crate) fn kolmo(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Talk {
    let output = command(arguments).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Talk { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Arguments of different kinds in one list.
macro_rules! say {
    ($($word:expr),* $(,)?) => { $crate::room::kolmo([$(AsRef::<std::ffi::OsStr>::as_ref(&$word)),*]) };
}
pub(crate) use say;

/// A folder to play in: `set` is the data, other names are free.
pub(crate) struct Room {
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(room.at("set")).expect("set");
        room
    }
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub(crate) fn set(&self) -> PathBuf {
        self.at("set")
    }
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.set().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }
    /// A bit of everything, stored the general way.
    pub(crate) fn archive(&self) -> PathBuf {
        self.put("notes.txt", b"nothing to see here, or not much of it\n");
        self.put("deep/er/empty", b"");
        self.put("grey.pgm", &pgm(9, 7, 1));
        self.put("colour.ppm", &ppm(5, 4));
        let archive = self.at("set.kolmo");
        say!("compress", self.set(), "--no-learn").ends(DONE);
        assert!(archive.is_file(), "the archive stands beside the folder");
        archive
    }
    /// Names in the room itself.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).expect("room").map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect();
        names.sort();
        names
    }
}

/// Every file below `folder`.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("folder") {
            let entry = entry.expect("entry");
            let name = format!("{prefix}{}", entry.file_name().into_string().expect("name"));
            if entry.file_type().expect("type").is_dir() {
                walk(&entry.path(), &format!("{name}/"), into);
            } else {
                into.insert(name, fs::read(entry.path()).expect("file"));
            }
        }
    }
    let mut into = BTreeMap::new();
    walk(folder, "", &mut into);
    into
}

/// A binary grey picture, a wave over a ramp with a little noise of `seed`.
pub(crate) fn pgm(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let mut bytes = format!("P5\n{width} {height}\n255\n").into_bytes();
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for y in 0..height {
        for x in 0..width {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wave = 40.0 * ((x as f64 + f64::from(seed)) / 3.0).sin() * (y as f64 / 4.0).cos();
            bytes.push((120.0 + wave) as u8 + 2 * x as u8 + (state >> 30) as u8);
        }
    }
    bytes
}

pub(crate) fn ppm(width: usize, height: usize) -> Vec<u8> {
    let mut bytes = format!("P6\n{width} {height}\n255\n").into_bytes();
    bytes.extend((0..width * height * 3).map(|at| (at * 7) as u8));
    bytes
}

/// A grey PNG of one pixel, deflate "stored".
pub(crate) fn png_of_one_pixel() -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())))
    };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], content: &[u8]| {
        let body = [name, content].concat();
        png.extend((content.len() as u32).to_be_bytes());
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    // zlib header, one stored block with filter byte 0 and sample 77, Adler-32.
    chunk(b"IDAT", &[0x78, 0x01, 1, 2, 0, 0xFD, 0xFF, 0, 77, 0, 79, 0, 78]);
    chunk(b"IEND", &[]);
    png
}

#[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}
