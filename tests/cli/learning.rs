//! Learning: a Program found, used, tuned, interrupted, resumed.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::room::*;

#[test]
fn a_dry_run_writes_nothing() {
    let room = Room::new();
    room.put("grey.pgm", &pgm(40, 40, 3));
    let talk = say!("compress", room.set(), "--dry-run", "--effort", "1", "--time-budget", "2s").ends(DONE);
    assert!(talk.stdout.contains("nothing was written") && !talk.stdout.contains("written to"), "{}", talk.stdout);
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
    let talk = say!("compress", room.set(), "--no-priors", "--effort", "1", "--time-budget", "5s", "--seed", "7", "--json").ends(DONE);
    assert!(talk.json().iter().any(|line| line["event"] == "training" && line["loss_bpsp"].is_number()), "{}", talk.stdout);
    let summary = talk.json_of("compress_summary");
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
fn pictures_of_twelve_bits_are_learned() {
    let room = Room::new();
    for number in 0..24u32 {
        let sample = |at: u32| (at % 30 * 70 + at / 30 * 41 + number * 9 + (at * at * 7919 + number) % 53) as u16;
        let samples = (0..30 * 23).flat_map(|at| sample(at).to_be_bytes());
        room.put(&format!("{number:02}.pgm"), &[&b"P5 30 23 4095\n"[..], &samples.collect::<Vec<u8>>()].concat());
    }
    let archive = room.at("set.kolmo");
    let summary =
        say!("compress", room.set(), "--no-priors", "--effort", "1", "--time-budget", "5s", "--json").ends(DONE).json_of("compress_summary");
    let program = &summary["programs"][0];
    assert_eq!((program["group"].as_str(), program["kept"].as_bool(), program["coding"].as_str()), (Some("gray16"), Some(true), Some("direct")));
    // 12 bits as they stand, somewhat less than 6 of noise.
    assert!(summary["rate_bpsp"].as_f64().is_some_and(|rate| rate > 4.0 && rate < 10.0), "{summary}");
    assert_eq!((summary["preprocess"]["subpixels"].as_u64(), summary["preprocess"]["sample_bytes"].as_u64()), (Some(16_560), Some(33_120)));
    assert!(say!("inspect", &archive).ends(DONE).stdout.contains("gray16 12-bit symbols, "));
    let inspected = say!("inspect", &archive, "--json").ends(DONE).json_of("inspect_summary");
    assert_eq!((inspected["format"].as_str(), inspected["programs"][0]["bit_depth"].as_u64()), (Some("1.9"), Some(12)));
    say!("verify", &archive, room.set()).ends(DONE);
    say!("expand", &archive, "-o", room.at("out")).ends(DONE);
    assert_eq!(files(&room.set()), files(&room.at("out")));
    let pixels = say!("compress", room.set(), "--program", &archive, "--pixels", "--force", "--json").ends(DONE).json_of("compress_summary");
    assert_eq!((pixels["programs"][0]["kept"].as_bool(), pixels["verified_files"].as_u64()), (Some(true), Some(24)));
    say!("verify", &archive, room.set()).ends(DONE);
}

#[test]
fn a_program_is_trained_used_and_tuned() {
    let room = Room::new();
    pictures(&room);
    let (program, tuned, archive) = (room.at("set.kprog"), room.at("tuned.kprog"), room.at("set.kolmo"));
    let learn = ["--effort", "1", "--time-budget", "3s"];
    let train = kolmo([OsStr::new("train"), room.set().as_ref()].into_iter().chain(learn.map(OsStr::new))).ends(DONE);
    assert!(train.stdout.contains("5 tune") && program.is_file(), "{}", train.stdout);
    let summary = say!("compress", room.set(), "--program", &program, "--json").ends(DONE).json_of("compress_summary");
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

/// A smooth picture in colour with some grain, as photographs have.
fn photo(width: usize, height: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u32 | 1;
    let mut grain = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) % 6
    };
    let mut out = format!("P6\n{width} {height}\n255\n").into_bytes();
    for at in 0..width * height {
        let (x, y) = (at % width, at / width);
        let light = 90 + (x * 5 + y * 3 + seed * 11) % 120 + grain() as usize;
        out.extend([light as u8, (light - 10 + y % 7) as u8, (light / 2 + 30) as u8]);
    }
    out
}

#[test]
fn few_photographs_take_a_built_in_program_and_it_is_explained() {
    let room = Room::new();
    (0..3).for_each(|number| room.put(&format!("{number}.ppm"), &photo(48, 40, number)));
    let archive = room.at("set.kolmo");
    let talk = say!("compress", room.set(), "--explain").ends(DONE);
    for way in ["built-in photo", "the general way", "estimated", "chosen"] {
        assert!(talk.stdout.contains(way), "no `{way}` in\n{}", talk.stdout);
    }
    let inspected = say!("inspect", &archive, "--json").ends(DONE);
    assert!(inspected.stdout.contains("\"prior\""), "{}", inspected.stdout);
    let size = fs::metadata(&archive).expect("an archive").len();
    say!("verify", &archive, room.set()).ends(DONE);
    say!("expand", &archive, "-o", room.at("out")).ends(DONE);
    assert_eq!(files(&room.set()), files(&room.at("out")));
    let without = say!("compress", room.set(), "--no-priors", "--effort", "1", "--json", "--force").ends(DONE).json_of("compress_summary");
    let ways: Vec<_> =
        without["programs"][0]["candidates"].as_array().expect("ways").iter().map(|way| way["way"].as_str().unwrap_or_default()).collect();
    assert!(ways.iter().all(|way| !way.contains("built-in")), "{ways:?}");
    assert!(size < without["sizes"]["total"].as_u64().expect("bytes"), "{size}: {without}");
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

/// Starts a long training, sends SIGINT `times` when it is under way, and returns status and the last JSON line.
#[cfg(unix)]
fn interrupted(room: &Room, times: usize) -> (i32, Value, String) {
    let set = room.set();
    let arguments =
        [OsStr::new("compress"), set.as_ref()].into_iter().chain(["--no-priors", "--effort", "5", "--time-budget", "2m", "--json"].map(OsStr::new));
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
        say!("compress", room.set(), "--no-priors", "--effort", "1", "--time-budget", "3s", "--checkpoint", &kept, "--force", more).ends(DONE);
    };
    learn("-v");
    assert!(!files(&kept).is_empty(), "a checkpoint is kept");
    learn("--resume");
    say!("verify", room.at("set.kolmo"), room.set()).ends(DONE);
}
