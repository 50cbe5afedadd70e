//! Times the decoding of an archive's general blocks on one thread: `cargo run --release -p kolmo-codec --example numbers -- ARCHIVE [BASE]`.
//!
//! Prints bytes, coded bytes and the mean seconds of processor time (of the clock, where the system does not tell) that decoding all
//! blocks took, one after another into the same memory, as expanding does. Reading the archive and comparing digests are not timed.
#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::sync::LazyLock;
use std::time::Instant;

use kolmo_codec::against::{Base, BaseId};
use kolmo_codec::container::{BlockCoding, Reader};
use kolmo_codec::limits::Budget;
use kolmo_codec::{Limits, general};

/// Rounds are repeated for as long: systems count processor time in steps of some milliseconds.
const LEAST_SECONDS: f64 = 0.8;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: numbers ARCHIVE [BASE]")?;
    let base = std::env::args().nth(2).map(Memory::read_from).transpose()?;
    let mut reader = Reader::open(std::fs::File::open(path)?, &Limits::default())?;
    let mut blocks = Vec::new();
    for number in 0..u32::try_from(reader.index().blocks.len())? {
        let BlockCoding::General(method) = reader.index().blocks[number as usize].coding else { continue };
        let raw_bytes = reader.parts(number).iter().map(|part| part.bytes).sum::<u64>();
        blocks.push((method, reader.block_bytes(number, &mut Budget::new(u64::MAX))?, raw_bytes));
    }
    let (mut rounds, mut raw, begun) = (0u32, Vec::new(), now());
    let seconds = loop {
        for (method, coded, raw_bytes) in &blocks {
            general::decode_into(*method, coded, *raw_bytes, base.as_ref().map(|base| base as &dyn Base), &mut Budget::new(1 << 32), &mut raw)?;
            std::hint::black_box(&raw);
        }
        rounds += 1;
        let passed = now() - begun;
        if passed > LEAST_SECONDS {
            break passed / f64::from(rounds);
        }
    };
    let raw_bytes: u64 = blocks.iter().map(|block| block.2).sum();
    let coded: usize = blocks.iter().map(|block| block.1.len()).sum();
    println!("{raw_bytes} bytes, coded {coded}, decoded in {seconds:.6} s: {:.1} MB/s", raw_bytes as f64 / seconds / 1e6);
    Ok(())
}

/// A base in memory: reading files is not timed.
#[derive(Debug)]
struct Memory {
    id: BaseId,
    bytes: Vec<u8>,
}

impl Memory {
    fn read_from(path: String) -> std::io::Result<Self> {
        let bytes = std::fs::read(path)?;
        Ok(Self { id: BaseId { digest: *blake3::hash(&bytes).as_bytes(), bytes: bytes.len() as u64, name: String::new() }, bytes })
    }
}

impl Base for Memory {
    fn id(&self) -> &BaseId {
        &self.id
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let begin = usize::try_from(offset).map_err(std::io::Error::other)?;
        let twins = self.bytes.get(begin..).and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(twins.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Seconds of processor time of this thread, which other work on the machine does not lengthen (Linux); else of the clock.
fn now() -> f64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| BEGUN.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}
