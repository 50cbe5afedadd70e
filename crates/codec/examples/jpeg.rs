//! What JPEG files take, and how long they do: `cargo run --release -p kolmo-codec --example jpeg -- FOLDER...`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::time::Instant;

fn files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
                found.push(bytes);
            }
        }
    }
}

fn main() {
    for folder in std::env::args().skip(1) {
        let mut found = Vec::new();
        files(Path::new(&folder), &mut found);
        let (mut raw, mut lengths, mut all, mut size, mut as_bytes) = (Vec::new(), Vec::new(), 0, 0, 0);
        let (mut there, mut back) = (0.0, 0.0);
        let last = found.len() - 1;
        for (n, file) in found.iter().enumerate() {
            raw.extend_from_slice(file);
            lengths.push(file.len() as u64);
            if raw.len() > 8 << 20 || n == last {
                let begin = Instant::now();
                let coded = kolmo_codec::jpeg::encode(&raw, &lengths, 1 << 30).expect("coded");
                there += begin.elapsed().as_secs_f64();
                let begin = Instant::now();
                if let Some(coded) = &coded {
                    let again =
                        kolmo_codec::jpeg::decode(&coded.bytes, raw.len() as u64, &mut kolmo_codec::limits::Budget::new(1 << 30)).expect("decoded");
                    assert!(again == raw, "other bytes");
                }
                back += begin.elapsed().as_secs_f64();
                all += raw.len();
                as_bytes += coded.as_ref().map_or(lengths.len() as u64, |coded| coded.as_bytes);
                size += coded.map_or(raw.len(), |coded| coded.bytes.len());
                raw.clear();
                lengths.clear();
            }
        }
        let mb = all as f64 / 1e6;
        println!(
            "{folder}: {} files ({as_bytes} as bytes), {all} -> {size} bytes ({:.2} %), {:.2} MB/s there, {:.2} back",
            found.len(),
            100.0 * size as f64 / all as f64,
            mb / there,
            mb / back
        );
    }
}
