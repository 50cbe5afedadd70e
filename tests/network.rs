//! Network archives of every format version are read forever; damaged ones are refused, whatever the damage.
//!
//! A folder `tests/golden/network_*` is written once, by `make_missing`, and never again: `network.kolmo`, the `content` digest of what it says, and in
//! `about.txt` how it came about.

use std::fs;
use std::path::{Path, PathBuf};

use kolmo::ErrorKind;
use kolmo::observe::Silent;
use kolmo::options::{Limits, StopFlag};
use kolmo_codec::network::{Archive, Tensor, Values, content_digest, read, write};
use kolmo_model::classify::archive::from_archive;
use kolmo_model::classify::checkpoint::Checkpoint;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn goldens() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/golden").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join("network.kolmo").is_file()).collect();
    found.sort();
    assert!(found.len() >= 2, "{} golden networks", found.len());
    found
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_networks_say_what_they_said() {
    for golden in goldens() {
        let file = golden.join("network.kolmo");
        let archive =
            read(&fs::read(&file).expect("a golden network"), &Limits::default()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let said = fs::read_to_string(golden.join("content")).expect("its digest");
        assert_eq!(hex(content_digest(&archive)), said.trim(), "{}", golden.display());
        // what it says is a network that expands, number by number
        let room = tempfile::tempdir().expect("a folder");
        let back = room.path().join("back.safetensors");
        kolmo::network::expand(&file, &back, false, &Limits::default()).expect("it expands");
        let options = kolmo::network::DataOptions::default();
        let verified = kolmo::network::verify(&file, Some(&back), None, &options, &Limits::default(), &StopFlag::default(), &mut Silent);
        let verified = verified.expect("it verifies");
        assert!(verified.differences.is_empty() && verified.equal_tensors == archive.tensors.len(), "{verified:?}");
        let (network, codes) = from_archive("golden", &archive).expect("a network");
        let expanded = Checkpoint::read(&back).expect("a checkpoint");
        assert_eq!(expanded.tensors.len(), network.graph.specs.len());
        assert_eq!(codes.iter().flatten().count(), 4);
    }
}

#[test]
fn damaged_networks_are_refused_and_leave_nothing_behind() {
    let golden = goldens().remove(0).join("network.kolmo");
    let bytes = fs::read(golden).expect("a golden network");
    let room = tempfile::tempdir().expect("a folder");
    let (bad, back) = (room.path().join("bad.kolmo"), room.path().join("back.safetensors"));
    let refused = |bytes: &[u8]| {
        fs::write(&bad, bytes).expect("write");
        let error = kolmo::network::expand(&bad, &back, false, &Limits::default()).expect_err("damage is found");
        assert!(error.to_string().contains("bad.kolmo"), "{error}");
        error.kind()
    };
    // every 7th place, all bits; every prefix of a length that is no multiple of a section
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let kind = refused(&changed);
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Truncated | ErrorKind::Unsupported), "byte {at}: {kind:?}");
        assert!(matches!(refused(&bytes[..at]), ErrorKind::Truncated | ErrorKind::Corrupt));
    }
    assert_eq!(refused(b"\x8bKLM\r\n\x1a\n and so on"), ErrorKind::Unsupported);
    let small = Limits { memory_bytes: 4096, ..Limits::default() };
    fs::write(&bad, &bytes).expect("write");
    assert_eq!(kolmo::network::expand(&bad, &back, false, &small).expect_err("a limit").kind(), ErrorKind::LimitExceeded);
    assert_eq!(fs::read_dir(room.path()).expect("the room").count(), 1, "only the archive is there");
}

#[test]
fn a_sound_archive_of_no_known_network_is_named() {
    let room = tempfile::tempdir().expect("a folder");
    let file = room.path().join("odd.kolmo");
    let put = |change: &dyn Fn(&mut Archive)| {
        let mut archive = small(3, false);
        change(&mut archive);
        fs::write(&file, write(&archive).expect("it is written").0).expect("write");
        kolmo::network::expand(&file, &room.path().join("x"), false, &Limits::default()).expect_err("it is refused").to_string()
    };
    assert!(put(&|archive| archive.about = "{".into()).contains("odd.kolmo"));
    assert!(put(&|archive| drop(archive.tensors.remove(1))).contains("conv1.bias"));
    assert!(put(&|archive| archive.tensors[2].shape = vec![32, 16, 9, 1]).contains("conv2.weight"));
    assert!(put(&|archive| archive.about = archive.about.replace("0.25", "0.0")).contains("odd.kolmo"));
}

/// A `small` network of integers that look trained, or, with `copies`, that repeat.
fn small(classes: usize, copies: bool) -> Archive {
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut tensors = Vec::new();
    for (name, shape, bits) in
        [("conv1", vec![16, 1, 3, 3], 6), ("conv2", vec![32, 16, 3, 3], 4), ("conv3", vec![64, 32, 3, 3], 3), ("fc", vec![classes, 64], 8)]
    {
        let most = (1i64 << (bits - 1)) - 1;
        let count: usize = shape.iter().product();
        let mut integers: Vec<i32> = (0..count)
            .map(|at| {
                let is_some = copies || next() % 100 < [4, 15, 40][at / 9 % 3];
                let size = 1 + (next() % most as u64).min(next() % most as u64) as i64;
                if is_some { (if next() % 3 == 0 { -size } else { size }) as i32 } else { 0 }
            })
            .collect();
        if copies {
            let period = (count / 8).max(1);
            for at in period..count {
                integers[at] = integers[at - period];
            }
        }
        let steps = (0..if name == "fc" { 1 } else { shape[0] }).map(|at| (0.01f32 / (1 + at) as f32).to_bits()).collect();
        let outputs = shape[0];
        tensors.push(Tensor { name: format!("{name}.weight"), shape, values: Values::Quantised { bits, steps, integers } });
        let bias = (0..outputs).map(|at| if at == 1 { 0x7fc0_0001 } else { (at as f32 / 7.0 - 1.0).to_bits() }).collect();
        tensors.push(Tensor { name: format!("{name}.bias"), shape: vec![outputs], values: Values::Exact(bias) });
    }
    let about = r#"{"arch":"small","height":8,"width":8,"normalisation":{"mean":[0.5],"deviation":[0.25]},"classes":["a","b","c"]}"#;
    Archive { about: about.into(), tensors }
}

/// `cargo test -p kolmo --release --test network -- --ignored make_missing`
#[test]
#[ignore = "writes golden networks of a new format version or coder, never those that exist"]
fn make_missing() {
    for (name, archive) in [("network_v1.0_range", small(3, false)), ("network_v1.0_lz77", small(3, true))] {
        let golden = folder().join(name);
        if golden.exists() {
            continue;
        }
        fs::create_dir(&golden).expect("a folder");
        let (bytes, sizes) = write(&archive).expect("it is written");
        let coder = sizes.coder.map_or("", |coder| coder.name());
        assert!(name.ends_with(coder), "{name}: {sizes:?}");
        fs::write(golden.join("network.kolmo"), bytes).expect("write");
        fs::write(golden.join("content"), hex(content_digest(&archive)) + "\n").expect("write");
        let about = format!(
            "Written by `make_missing` of tests/network.rs: the network `small` with made-up integers, coder {coder}; one bias of each layer is a NaN.\n"
        );
        fs::write(golden.join("about.txt"), about).expect("write");
    }
}
