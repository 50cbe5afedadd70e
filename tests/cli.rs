//! Whole conversations with the binary: arguments in, exit status, stdout and stderr out.

use std::fs;

use room::*;

#[path = "cli/base.rs"]
mod base;
#[path = "cli/failure.rs"]
mod failure;
#[path = "cli/learning.rs"]
mod learning;
#[path = "cli/model.rs"]
mod model;
#[path = "cli/room.rs"]
mod room;

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
    for command in ["compress", "expand", "verify", "list", "inspect", "train", "tune", "model", "demo"] {
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
fn tensors_are_listed_and_taken_out() {
    let room = Room::new();
    let header = r#"{"w":{"dtype":"F32","shape":[2,750],"data_offsets":[0,6000]}}"#;
    let values: Vec<u8> = (0..1500u32).flat_map(|at| (1.0 + (at * at % 997) as f32 / 997.0).to_le_bytes()).collect();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &values].concat();
    fs::create_dir(room.at("nets")).expect("a folder");
    fs::write(room.at("nets/m.safetensors"), &file).expect("a file");
    let archive = room.at("nets.kolmo");
    let talk = say!("compress", room.at("nets")).ends(DONE);
    assert!(talk.stdout.contains("1 file, 6,069 -> ") && talk.stdout.contains("plane by plane"), "{}", talk.stdout);
    let listed = say!("list", &archive, "--tensors").ends(DONE).stdout;
    assert!(listed.contains("2x750") && listed.contains("m.safetensors::w"), "{listed}");
    let line = say!("list", &archive, "--tensors", "--json").ends(DONE).json_of("tensor");
    assert_eq!((line["name"].as_str(), line["bytes"].as_u64(), line["offset"].as_u64()), (Some("w"), Some(6000), Some(69)));
    let talk = say!("expand", &archive, "m.safetensors::w", "-o", room.at("w.raw")).ends(DONE);
    assert!(talk.stdout.contains("F32 2x750"), "{}", talk.stdout);
    assert_eq!(fs::read(room.at("w.raw")).expect("a tensor"), values);
    say!("expand", &archive, "m.safetensors::w", "-o", room.at("w.npy")).ends(DONE);
    assert_eq!(fs::read(room.at("w.npy")).expect("a tensor").len(), 128 + 6000);
    assert!(say!("expand", &archive, "m.safetensors::w").ends(USAGE).stderr.contains("-o FILE"));
    assert!(say!("expand", &archive, "m.safetensors::v", "-o", room.at("v.npy")).ends(USAGE).stderr.contains("no such tensor"));
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
    let json = say!("verify", &archive, room.set(), "--json").ends(DIFFERENCE).json_of("verify_summary");
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
    let inspect = say!("inspect", &archive, "--json").ends(DONE).json_of("inspect_summary");
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
    assert_eq!(lines.last().expect("a line")["type"], "compress_summary");
    let summary = talk.json_of("compress_summary");
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
fn the_demo_writes_over_nothing() {
    let room = Room::new();
    room.put("mine", b"mine");
    let talk = say!("demo", "--keep", room.set()).ends(USAGE);
    assert!(talk.stderr.contains("not empty") && talk.stderr.contains("help: --force"), "{}", talk.stderr);
    assert_eq!(files(&room.set()).len(), 1);
}

#[test]
#[ignore = "takes a minute and a half; run it with --ignored"]
fn the_demo_ends_within_two_minutes_ahead_of_jpeg_xl() {
    let room = Room::new();
    let kept = room.at("kept");
    let talk = say!("demo", "--json", "--keep", &kept).ends(DONE);
    let summary = talk.json_of("demo_summary");
    assert_eq!((summary["files"].as_u64(), summary["identical_files"].as_u64()), (Some(2000), Some(2000)), "{summary}");
    assert!(summary["seconds"].as_f64().is_some_and(|seconds| seconds < 120.0), "{summary}");
    let best = summary["rivals"].as_array().and_then(|rivals| rivals.iter().filter_map(|rival| rival["rate_bpsp"].as_f64()).reduce(f64::min));
    assert!(summary["rate_bpsp"].as_f64() < best, "{summary}");
    assert_eq!(files(&kept.join("fashion_mnist")), files(&kept.join("expanded")));
}
