//! A user's own network: learned, made small, expanded, verified, tuned; and what is refused.

use std::fs;

use crate::room::*;

/// Three classes of 8x8 pictures, stripes that lie, stand, or cross; 60 of each.
fn stripes(room: &Room) {
    let mut state = 1u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 26) as u8
    };
    for (class, name) in ["lie", "stand", "cross"].into_iter().enumerate() {
        for number in 0..60 {
            let shift = number % 4;
            let mut bytes = b"P5\n8 8\n255\n".to_vec();
            for y in 0..8 {
                for x in 0..8 {
                    let (lies, stands) = ((y + shift) / 2 % 2 == 0, (x + shift) / 2 % 2 == 0);
                    let is_light = [lies, stands, lies != stands][class];
                    bytes.push(if is_light { 150 } else { 40 } + noise());
                }
            }
            room.put(&format!("{name}/{number:02}.pgm"), &bytes);
        }
    }
}

fn small_network(room: &Room) -> std::path::PathBuf {
    let network = room.at("net.safetensors");
    say!("model", "train", "--data", room.set(), "--arch", "small", "--epochs", "12", "--batch", "16", "--lr", "3e-3", "-o", &network, "-q")
        .ends(DONE);
    network
}

#[test]
fn a_network_is_trained_made_small_expanded_verified_and_tuned() {
    let room = Room::new();
    stripes(&room);
    let network = room.at("net.safetensors");
    let train = [
        "model",
        "train",
        "--arch",
        "small",
        "--epochs",
        "12",
        "--batch",
        "16",
        "--lr",
        "3e-3",
        "--augment",
        "flip",
        "--seed",
        "5",
        "--json",
        "--data",
    ];
    let talk = kolmo(train.map(std::ffi::OsStr::new).into_iter().chain([room.set().as_os_str(), "-o".as_ref(), network.as_os_str()])).ends(DONE);
    let summary = talk.json_of("model_train_summary");
    assert!(talk.json().iter().any(|line| line["event"] == "learning" && line["loss"].is_number()), "{}", talk.stdout);
    assert!(talk.json().iter().any(|line| line["event"] == "epoch" && line["validation_top1"].is_number()), "{}", talk.stdout);
    assert_eq!(summary["data"]["classes"].as_array().map(Vec::len), Some(3));
    assert_eq!(summary["epochs"].as_array().map(Vec::len), Some(12));
    assert!(summary["scores"]["test"]["top1"].as_f64().is_some_and(|top1| top1 > 85.0), "{summary}");
    assert_eq!(fs::read_to_string(room.at("net.curve.csv")).expect("the loss curve").lines().count(), 13);

    // the network remembers which images it learned from, whatever the seed of a later call
    let measured = say!("model", "eval", &network, "--data", room.set(), "--seed", "6", "--json").ends(DONE).json_of("model_eval_summary");
    assert_eq!(measured["scores"], summary["scores"]);

    let curve = room.at("curve");
    let said = ["--max-drop", "5", "--epochs", "12", "--batch", "16", "--json", "--sweep"];
    let begin = ["model".as_ref(), "compress".as_ref(), network.as_os_str(), "--data".as_ref()];
    let set = room.set();
    let all = begin.into_iter().chain([set.as_os_str()]).chain(said.map(std::ffi::OsStr::new)).chain([curve.as_os_str()]);
    let summary = kolmo(all).ends(DONE).json_of("model_compress_summary");
    let table = &summary["table"];
    for step in ["raw", "pruned", "quantised", "huffman", "lz77", "range", "tuned"] {
        assert!(table[step].as_u64().is_some_and(|bytes| bytes > 0), "{table}");
    }
    assert_eq!(summary["within_budget"], true, "{summary}");
    assert!(summary["times_smaller"].as_f64().is_some_and(|times| times > 8.0), "{summary}");
    let archive = room.at("net.kolmo");
    assert_eq!(summary["bytes"].as_u64(), fs::metadata(&archive).ok().map(|file| file.len()));
    for extension in ["txt", "csv", "svg"] {
        assert!(fs::metadata(curve.with_extension(extension)).is_ok_and(|file| file.len() > 100), "{extension}");
    }

    let back = room.at("back.safetensors");
    say!("model", "expand", &archive, "-o", &back).ends(DONE);
    let talk = say!("model", "verify", &archive, "--against", &back, "--data", room.set()).ends(DONE);
    assert!(talk.stdout.contains("8/8 tensors equal, number by number"), "{}", talk.stdout);
    let eval = |file: &std::path::Path| {
        say!("model", "eval", file, "--data", room.set(), "--json").ends(DONE).json_of("model_eval_summary")["scores"].clone()
    };
    assert_eq!(eval(&archive), eval(&back));
    let talk = say!("model", "verify", &archive, "--against", &network).ends(DIFFERENCE);
    assert!(talk.stdout.contains("differs conv1.weight"), "{}", talk.stdout);

    let tuned = room.at("tuned.kolmo");
    let summary =
        say!("model", "tune", &archive, "--data", room.set(), "-o", &tuned, "--epochs", "1", "--batch", "16", "--teacher", &network, "--json")
            .ends(DONE);
    let summary = summary.json_of("model_tune_summary");
    let loss = |state: &str| summary[state]["validation"]["loss"].as_f64();
    assert!(loss("after") <= loss("before"), "{summary}");
    say!("model", "verify", &tuned).ends(DONE);
}

#[test]
fn norms_may_be_folded_and_strategies_chosen() {
    let room = Room::new();
    stripes(&room);
    let network = room.at("net.safetensors");
    say!("model", "train", "--data", room.set(), "--arch", "resnet20", "--epochs", "1", "--batch", "16", "-o", &network, "-q").ends(DONE);
    for strategy in ["fixed", "greedy", "dynamic"] {
        let archive = room.at(&format!("{strategy}.kolmo"));
        let talk = say!(
            "model",
            "compress",
            &network,
            "--data",
            room.set(),
            "-o",
            &archive,
            "--fold-norms",
            "--strategy",
            strategy,
            "--max-drop",
            "30",
            "--epochs",
            "0",
            "--calibration",
            "16",
            "--tensor-steps"
        );
        assert!(talk.ends(DONE).stdout.contains(&format!("{strategy} bits")));
        let back = room.at(&format!("{strategy}.safetensors"));
        say!("model", "expand", &archive).ends(DONE);
        say!("model", "verify", &archive, "--against", &back, "--data", room.set()).ends(DONE);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let room = Room::new();
    stripes(&room);
    let network = small_network(&room);
    let refuses = |arguments: &[&std::ffi::OsStr], status: i32, words: &[&str]| {
        let talk = kolmo(arguments).ends(status);
        for word in words {
            assert!(talk.stderr.contains(word), "{word}: {}", talk.stderr);
        }
        assert!(talk.stderr.contains("help: "), "{}", talk.stderr);
    };
    let set = room.set();
    let eval = |file: &std::path::Path, data: &std::path::Path, status: i32, words: &[&str]| {
        refuses(&["model".as_ref(), "eval".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()], status, words);
    };
    let archive = room.at("net.kolmo");
    say!("model", "compress", &network, "--data", room.set(), "-o", &archive, "--epochs", "0", "--max-drop", "50", "-q").ends(DONE);
    refuses(&["expand".as_ref(), archive.as_os_str(), "-o".as_ref(), room.at("x").as_os_str()], BAD_ARCHIVE, &["`kolmo model expand`"]);
    // a tensor of another shape, a tensor that is missing
    let bytes = fs::read(&network).expect("the network");
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        let file = room.at("changed.safetensors");
        fs::write(&file, changed).expect("write");
        file
    };
    eval(&text("[32,16,3,3]", "[16,32,3,3]"), &set, USAGE, &["conv2.weight", "[32, 16, 3, 3]"]);
    eval(&text("conv2.bias", "conv2.what"), &set, USAGE, &["conv2.bias", "missing"]);
    let cut = room.at("cut.safetensors");
    fs::write(&cut, &bytes[..bytes.len() - 4]).expect("write");
    eval(&cut, &set, BAD_ARCHIVE, &["cut.safetensors"]);
    let notes = room.at("notes.txt");
    fs::write(&notes, "to do").expect("write");
    eval(&notes, &set, BAD_ARCHIVE, &["notes.txt", ".safetensors, .pt, .pth and .th"]);
    eval(&room.at("gone.safetensors"), &set, IO, &["gone.safetensors"]);
    // folders that cannot be learned from
    let empty = room.at("empty");
    fs::create_dir(&empty).expect("a folder");
    eval(&network, &empty, USAGE, &["no file"]);
    fs::create_dir(empty.join("lonely")).expect("a folder");
    fs::copy(set.join("lie/00.pgm"), empty.join("lonely/1.pgm")).expect("copy");
    fs::create_dir(empty.join("other")).expect("a folder");
    for number in 0..60 {
        fs::copy(set.join(format!("stand/{number:02}.pgm")), empty.join(format!("other/{number}.pgm"))).expect("copy");
    }
    eval(&network, &empty, USAGE, &["lonely", "one image only"]);
    // two classes for a network of three
    fs::copy(set.join("lie/01.pgm"), empty.join("lonely/2.pgm")).expect("copy");
    eval(&network, &empty, USAGE, &["3 classes", "2"]);
    refuses(
        &[
            "model".as_ref(),
            "train".as_ref(),
            "--data".as_ref(),
            set.as_os_str(),
            "--arch".as_ref(),
            "resnet19".as_ref(),
            "-o".as_ref(),
            "x".as_ref(),
        ],
        USAGE,
        &["resnet19", "resnet18"],
    );
    // archives
    let dataset = room.archive();
    refuses(&["model".as_ref(), "expand".as_ref(), dataset.as_os_str(), "-o".as_ref(), room.at("x").as_os_str()], BAD_ARCHIVE, &["`kolmo expand`"]);
}
