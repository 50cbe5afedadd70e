//! Whole conversations with the binary: arguments in, exit status, stdout and stderr out.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const DONE: i32 = 0;
const DIFFERENCE: i32 = 1;
const USAGE: i32 = 2;
const BAD_ARCHIVE: i32 = 3;
const LIMIT: i32 = 4;
const IO: i32 = 5;
const CANCELLED: i32 = 130;

/// One call and its answer.
#[derive(Debug)]
struct Talk {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Talk {
    /// Expects `status`, and shows everything if it is another.
    #[track_caller]
    fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Every stdout line as JSON, each with `type` and `schema`.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for line in &lines {
            assert!(line["type"].is_string() && line["schema"] == 1, "{line}");
        }
        lines
    }

    /// The one line of type `kind`.
    #[track_caller]
    fn json_of(&self, kind: &str) -> Value {
        let mut found: Vec<_> = self.json().into_iter().filter(|line| line["type"] == kind).collect();
        assert_eq!(found.len(), 1, "lines of type {kind} in\n{}", self.stdout);
        found.remove(0)
    }
}

fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolmo"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn kolmo(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Talk {
    let output = command(arguments).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Talk { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Arguments of different kinds in one list.
macro_rules! say {
    ($($word:expr),* $(,)?) => { kolmo([$(AsRef::<OsStr>::as_ref(&$word)),*]) };
}

/// A folder to play in: `set` is the data, other names are free.
struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(room.at("set")).expect("set");
        room
    }
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn set(&self) -> PathBuf {
        self.at("set")
    }
    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.set().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }
    /// A bit of everything, stored the general way.
    fn archive(&self) -> PathBuf {
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
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).expect("room").map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect();
        names.sort();
        names
    }
}

/// Every file below `folder`.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
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
fn pgm(width: usize, height: usize, seed: u32) -> Vec<u8> {
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

fn ppm(width: usize, height: usize) -> Vec<u8> {
    let mut bytes = format!("P6\n{width} {height}\n255\n").into_bytes();
    bytes.extend((0..width * height * 3).map(|at| (at * 7) as u8));
    bytes
}

/// A grey PNG of one pixel, deflate "stored".
fn png_of_one_pixel() -> Vec<u8> {
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
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn usage_errors_end_with_2_and_say_why_on_stderr() {
    let wrong: [&[&str]; 12] = [
        &[],
        &["squeeze"],
        &["compress"],
        &["compress", "set", "--effort", "0"],
        &["compress", "set", "--effort", "10"],
        &["compress", "set", "--time-budget", "soon"],
        &["compress", "set", "--max-memory", "plenty"],
        &["compress", "set", "--resume"],
        &["compress", "set", "--program", "p.kprog", "--no-learn"],
        &["compress", "set", "--device", "tpu"],
        &["expand", "archive-of-no-known-name"],
        &["list", "x.kolmo", "-q", "-v"],
    ];
    for arguments in wrong {
        let talk = kolmo(arguments).ends(USAGE);
        assert!(talk.stdout.is_empty() && !talk.stderr.is_empty(), "{arguments:?}: {talk:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    for command in ["compress", "expand", "verify", "list", "inspect", "train", "tune", "demo"] {
        let talk = say!(command, "--help").ends(DONE);
        assert!(talk.stdout.contains("Usage: kolmo") && talk.stdout.contains("--max-memory") && talk.stderr.is_empty(), "{command}");
    }
    let help = say!("--help").ends(DONE).stdout;
    assert!(help.contains("130 cancelled"), "exit codes are told:\n{help}");
    assert!(say!("--version").ends(DONE).stdout.starts_with("kolmo "));
}

#[test]
fn there_and_back_without_learning() {
    let room = Room::new();
    let archive = room.archive();
    let talk = say!("expand", &archive, "-o", room.at("out")).ends(DONE);
    assert!(talk.stdout.contains("verified 4/4 files"), "{}", talk.stdout);
    assert_eq!(files(&room.set()), files(&room.at("out")));
    assert!(say!("verify", &archive).ends(DONE).stdout.contains("verified 4/4 files"));
    assert!(say!("verify", &archive, room.set()).ends(DONE).stdout.contains("verified 4/4 files"));
    assert_eq!(room.names(), ["out", "set", "set.kolmo"], "nothing else is left behind");
}

#[test]
fn the_summary_shows_five_steps_and_the_proof() {
    let room = Room::new();
    room.archive();
    let talk = say!("compress", room.set(), "-o", room.at("again.kolmo"), "--no-learn").ends(DONE);
    for said in [" 1 preprocess", " 2 generate", " 3 compress", " 4 expand", " 5 tune", "% of the input", "verified 4/4 files", "again.kolmo"] {
        assert!(talk.stdout.contains(said), "`{said}` is missing in\n{}", talk.stdout);
    }
    assert!(!talk.stdout.contains('\u{1b}') && talk.stderr.is_empty(), "no colour, no progress where no terminal is: {}", talk.stderr);
    let painted = say!("compress", room.set(), "-o", room.at("third.kolmo"), "--no-learn", "--color", "always").ends(DONE);
    assert!(painted.stdout.contains('\u{1b}'));
    let quiet = say!("compress", room.set(), "-o", room.at("fourth.kolmo"), "--no-learn", "-q").ends(DONE);
    assert!(quiet.stderr.is_empty() && quiet.stdout.contains("verified 4/4 files") && !quiet.stdout.contains("preprocess"), "{}", quiet.stdout);
}

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
fn odd_files_come_back_whole() {
    let room = Room::new();
    room.put("one.png", &png_of_one_pixel());
    room.put("one.pgm", b"P5 1 1 255 M");
    room.put("plain.pgm", b"P2\n# a comment\n3 1\n255\n1 2 3\n");
    room.put("letter.png", b"Dear reader,\nthis is no picture.\n");
    room.put("cut.png", &png_of_one_pixel()[..40]);
    let mut huge = png_of_one_pixel();
    huge[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]); // 100000 x 100000
    room.put("huge.png", &huge);
    room.put("Case.txt", b"upper");
    room.put("case.txt", b"lower");
    room.put("copy.txt", b"lower");
    for (name, extra) in [("a.kolmo", "--no-learn"), ("b.kolmo", "--effort=1")] {
        let archive = room.at(name);
        let talk = say!("compress", room.set(), "-o", &archive, extra, "--time-budget", "3s").ends(DONE);
        assert!(talk.stdout.contains("verified 9/9 files"), "{}", talk.stdout);
        let out = room.at(&format!("{name}.out"));
        say!("expand", &archive, "-o", &out).ends(DONE);
        assert_eq!(files(&room.set()), files(&out));
    }
}

#[test]
fn one_image_alone_comes_back() {
    let room = Room::new();
    room.put("one.png", &png_of_one_pixel());
    say!("compress", room.set(), "--effort", "1", "--time-budget", "3s").ends(DONE);
    say!("expand", room.at("set.kolmo"), "-o", room.at("out")).ends(DONE);
    assert_eq!(files(&room.set()), files(&room.at("out")));
}

#[test]
fn outputs_that_exist_are_kept_unless_forced() {
    let room = Room::new();
    let archive = room.archive();
    fs::write(&archive, b"precious").expect("write");
    let talk = say!("compress", room.set(), "-o", &archive, "--no-learn").ends(USAGE);
    assert!(talk.stderr.contains("set.kolmo") && talk.stderr.contains("help: --force"), "{}", talk.stderr);
    assert_eq!(fs::read(&archive).expect("read"), b"precious");
    say!("compress", room.set(), "-o", &archive, "--no-learn", "--force").ends(DONE);

    let out = room.at("out");
    say!("expand", &archive, "-o", &out).ends(DONE);
    fs::write(out.join("notes.txt"), b"mine").expect("write");
    let talk = say!("expand", &archive, "-o", &out).ends(USAGE);
    assert!(talk.stderr.contains("help: --force"), "{}", talk.stderr);
    assert_eq!(fs::read(out.join("notes.txt")).expect("read"), b"mine");
    say!("expand", &archive, "-o", &out, "--force").ends(DONE);
    assert_eq!(files(&room.set()), files(&out));
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
fn verify_names_what_differs_and_ends_with_1() {
    let room = Room::new();
    let archive = room.archive();
    room.put("notes.txt", b"nothing to see here, or not MUCH of it\n");
    fs::remove_file(room.set().join("colour.ppm")).expect("remove");
    room.put("surplus", b"?");
    let talk = say!("verify", &archive, room.set()).ends(DIFFERENCE);
    for name in ["notes.txt", "colour.ppm", "surplus"] {
        assert!(talk.stdout.contains(name), "{name} is missing in\n{}", talk.stdout);
    }
    assert!(!talk.stdout.contains("grey.pgm"), "{}", talk.stdout);
    let json = say!("verify", &archive, room.set(), "--json").ends(DIFFERENCE).json_of("verify");
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(3), "{json}");
}

#[test]
fn list_and_inspect_account_for_everything() {
    let room = Room::new();
    let archive = room.archive();
    let mut listed: Vec<_> = say!("list", &archive).ends(DONE).stdout.lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, files(&room.set()).into_keys().collect::<Vec<_>>());
    let long = say!("list", &archive, "--long").ends(DONE).stdout;
    assert!(long.contains("4 files") && long.contains("notes.txt"), "{long}");

    let items = say!("list", &archive, "--json").ends(DONE).json();
    assert_eq!(items.len(), 4);
    for (path, bytes) in files(&room.set()) {
        let item = items.iter().find(|item| item["path"] == path.as_str()).expect("item");
        assert_eq!(item["type"], "item");
        assert_eq!(item["file_bytes"], bytes.len());
    }
    let inspect = say!("inspect", &archive, "--json").ends(DONE).json_of("inspect");
    let sizes = inspect["sizes"].as_object().expect("sizes");
    let part = |name: &str| sizes[name].as_u64().expect("a number");
    let parts: u64 = ["frame", "programs", "payload", "index", "recipes", "general"].into_iter().map(part).sum();
    assert_eq!(parts, part("total"));
    assert_eq!(part("total"), fs::metadata(&archive).expect("archive").len());
    assert!(say!("inspect", &archive).ends(DONE).stdout.contains("of the files"));
}

#[test]
fn json_speaks_of_events_results_and_errors() {
    let room = Room::new();
    let archive = room.archive();
    let talk = say!("compress", room.set(), "-o", &archive, "--no-learn", "--force", "--json").ends(DONE);
    let lines = talk.json();
    assert!(lines.iter().any(|line| line["type"] == "event" && line["event"] == "step_started" && line["step"] == "preprocess"), "{}", talk.stdout);
    assert_eq!(lines.last().expect("a line")["type"], "compress");
    let summary = talk.json_of("compress");
    assert_eq!(summary["preprocess"]["files"], 4);
    assert_eq!(summary["verified_files"], 4);
    assert_eq!(summary["sizes"]["total"], fs::metadata(&archive).expect("archive").len());

    let error = say!("compress", room.set(), "-o", &archive, "--no-learn", "--json").ends(USAGE).json_of("error");
    assert_eq!((error["kind"].as_str(), error["exit"].as_i64()), (Some("invalid_argument"), Some(2)), "{error}");
    fs::write(&archive, b"KOLM").expect("write");
    let talk = say!("inspect", &archive, "--json").ends(BAD_ARCHIVE);
    assert!(["corrupt", "truncated"].contains(&talk.json_of("error")["kind"].as_str().expect("kind")), "{}", talk.stdout);
    assert!(talk.stderr.starts_with("kolmo: "), "people read stderr also then: {}", talk.stderr);
}

#[test]
fn expand_takes_a_few_paths_only() {
    let room = Room::new();
    let archive = room.archive();
    say!("expand", &archive, "-o", room.at("out"), "grey.pgm", "deep/er/empty").ends(DONE);
    let found = files(&room.at("out"));
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["deep/er/empty", "grey.pgm"]);
    assert_eq!(found["grey.pgm"], pgm(9, 7, 1));
    let talk = say!("expand", &archive, "-o", room.at("none"), "no/such/path").ends(USAGE);
    assert!(talk.stderr.contains("no/such/path"), "{}", talk.stderr);
}

#[test]
fn a_dry_run_writes_nothing() {
    let room = Room::new();
    room.put("grey.pgm", &pgm(40, 40, 3));
    let talk = say!("compress", room.set(), "--dry-run", "--effort", "1", "--time-budget", "2s").ends(DONE);
    assert!(talk.stdout.contains("nothing was written") && !talk.stdout.contains("verified "), "{}", talk.stdout);
    assert_eq!(room.names(), ["set"]);
}

/// Forty pictures alike: enough to learn from.
fn pictures(room: &Room) {
    for number in 0..40 {
        room.put(&format!("{:02}.pgm", number), &pgm(24, 24, number));
    }
}

#[test]
fn a_little_learning_comes_back_and_shows_its_rates() {
    let room = Room::new();
    pictures(&room);
    let archive = room.at("set.kolmo");
    let talk = say!("compress", room.set(), "--effort", "1", "--time-budget", "5s", "--seed", "7", "--json").ends(DONE);
    assert!(talk.json().iter().any(|line| line["event"] == "training" && line["loss_bpsp"].is_number()), "{}", talk.stdout);
    let summary = talk.json_of("compress");
    let program = &summary["programs"][0];
    assert_eq!(program["group"], "gray8");
    for state in ["float", "quantised", "tuned"] {
        assert!(program["rates"][state]["train"].as_f64().is_some_and(|rate| rate > 0.0 && rate < 8.0), "{program}");
    }
    for coder in ["raw", "huffman", "lz77", "range"] {
        assert!(program["sizes"][coder].as_u64().is_some_and(|bytes| bytes > 0), "{program}");
    }
    assert_eq!(summary["verified_files"], 40);
    say!("expand", &archive, "-o", room.at("out")).ends(DONE);
    assert_eq!(files(&room.set()), files(&room.at("out")));
}

#[test]
fn a_program_is_trained_used_and_tuned() {
    let room = Room::new();
    pictures(&room);
    let (program, tuned, archive) = (room.at("set.kprog"), room.at("tuned.kprog"), room.at("set.kolmo"));
    let learn = ["--effort", "1", "--time-budget", "3s"];
    let train = kolmo([OsStr::new("train"), room.set().as_ref()].into_iter().chain(learn.map(OsStr::new))).ends(DONE);
    assert!(train.stdout.contains("5 tune") && program.is_file(), "{}", train.stdout);
    let summary = say!("compress", room.set(), "--program", &program, "--json").ends(DONE).json_of("compress");
    assert_eq!(summary["programs"][0]["stopped"], "given", "{summary}");
    assert_eq!(summary["verified_files"], 40);
    say!("verify", &archive, room.set()).ends(DONE);
    say!("tune", &program, room.set(), "-o", &tuned, "--effort", "1", "--time-budget", "2s").ends(DONE);
    say!("compress", room.set(), "--program", &tuned, "--force").ends(DONE);
    say!("verify", &archive, room.set()).ends(DONE);
    fs::write(&program, b"not a program at all").expect("write");
    say!("compress", room.set(), "--program", &program, "--force").ends(BAD_ARCHIVE);
    say!("verify", &archive, room.set()).ends(DONE);
}

#[test]
fn a_gpu_this_build_cannot_use_is_refused_in_words() {
    if cfg!(feature = "gpu") {
        skipped("this build has the feature gpu");
        return;
    }
    let room = Room::new();
    pictures(&room);
    let talk = say!("compress", room.set(), "--device", "gpu").ends(USAGE);
    assert!(talk.stderr.to_lowercase().contains("gpu") && talk.stderr.contains("help: "), "{}", talk.stderr);
    assert_eq!(room.names(), ["set"]);
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

/// Starts a long training, sends SIGINT `times` when it is under way, and returns status and the last JSON line.
#[cfg(unix)]
fn interrupted(room: &Room, times: usize) -> (i32, Value, String) {
    let set = room.set();
    let arguments = [OsStr::new("compress"), set.as_ref()].into_iter().chain(["--effort", "5", "--time-budget", "2m", "--json"].map(OsStr::new));
    let mut child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut trained = 0;
    let mut last = Value::Null;
    for line in lines {
        let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        trained += usize::from(line["event"] == "training");
        if line["event"] == "training" && (2..2 + times).contains(&trained) {
            let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
            assert!(sent.success());
            // The second signal follows at once: after the first, training may have no more to say.
            if times == 2 && trained == 2 {
                std::thread::sleep(std::time::Duration::from_millis(50));
                Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
                trained = usize::MAX / 2;
            }
        }
        last = line;
    }
    let output = child.wait_with_output().expect("ends");
    (output.status.code().unwrap_or(-1), last, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[cfg(unix)]
fn one_interrupt_ends_training_with_what_it_has() {
    let room = Room::new();
    pictures(&room);
    let (status, last, stderr) = interrupted(&room, 1);
    assert_eq!(status, DONE, "{stderr}");
    assert!(stderr.contains("stopping training, using the best checkpoint; Ctrl-C again to cancel"), "{stderr}");
    assert_eq!(last["programs"][0]["stopped"], "interrupted", "{last}");
    say!("verify", room.at("set.kolmo"), room.set()).ends(DONE);
}

#[test]
#[cfg(unix)]
fn two_interrupts_leave_nothing_behind() {
    let room = Room::new();
    pictures(&room);
    let (status, last, stderr) = interrupted(&room, 2);
    assert_eq!(status, CANCELLED, "{stderr}");
    assert_eq!(last["kind"], "cancelled", "{last}");
    assert_eq!(room.names(), ["set"]);
}

#[test]
fn checkpoints_are_kept_and_resumed() {
    let room = Room::new();
    pictures(&room);
    let kept = room.at("checkpoint");
    let learn = |more: &str| {
        say!("compress", room.set(), "--effort", "1", "--time-budget", "3s", "--checkpoint", &kept, "--force", more).ends(DONE);
    };
    learn("-v");
    assert!(!files(&kept).is_empty(), "a checkpoint is kept");
    learn("--resume");
    say!("verify", room.at("set.kolmo"), room.set()).ends(DONE);
}
