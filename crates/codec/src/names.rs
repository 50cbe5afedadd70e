//! Paths of items: which are safe, and how a sorted list of them is coded.
//!
//! Names are UTF-8, `/`-separated, relative, and stand in strictly rising bytewise order. A name that is the *successor* of the one
//! before it costs next to nothing: `train/0041.png` is followed by `train/0042.png`.

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::container::items::Paths;
use crate::limits::Budget;

/// Longest name, bytes.
pub const MAX_NAME_BYTES: usize = 65_535;

// What an item costs in memory, its name apart, generously: 20 bytes, and twice that while lists grow.
const NAME_OVERHEAD: u64 = 64;
// And each byte of its name.
const NAME_BYTE: u64 = 2;

/// Whether a path may stand in an archive, on every operating system alike.
///
/// Refused are: an empty path or component, `.` and `..`, a leading `/`, a backslash, NUL and other control characters, a drive
/// such as `C:` in front, and paths longer than [`MAX_NAME_BYTES`].
///
/// # Errors
/// `InvalidArgument` with the reason.
pub fn check_path(path: &str) -> Result<(), Error> {
    let drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let what = if path.is_empty() {
        "the path is empty"
    } else if path.len() > MAX_NAME_BYTES {
        "the path is longer than 65535 bytes"
    } else if path.starts_with('/') || drive {
        "the path is absolute"
    } else if path.contains('\\') {
        "the path holds a backslash, which other systems read as a folder"
    } else if path.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        "the path holds a control character"
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "the path holds an empty component, `.` or `..`"
    } else {
        return Ok(());
    };
    Err(Error::InvalidArgument { what })
}

/// The name that is expected after `name`: its last run of decimal digits, before the extension if there is one, counted up by one
/// at the same width. `None` without digits, or where all of them are 9.
#[must_use]
pub fn successor(name: &str) -> Option<String> {
    let folder = name.rfind('/').map_or(0, |slash| slash.saturating_add(1));
    let stem = name.get(folder..)?.rfind('.').and_then(|dot| dot.checked_add(folder)).filter(|&dot| dot > folder);
    let mut bytes = name.as_bytes().to_vec();
    let head = bytes.get_mut(..stem.unwrap_or(name.len()))?;
    let mut digits = head.iter_mut().rev().skip_while(|byte| !byte.is_ascii_digit());
    loop {
        match digits.next() {
            Some(byte) if *byte == b'9' => *byte = b'0',
            Some(byte) if byte.is_ascii_digit() => {
                *byte = byte.saturating_add(1);
                break;
            }
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

/// Codes names as they come: three columns, each behind its length (varint).
///
/// 1. ops: `varint op` each. Even: the next `op / 2` names (at least 1) are successors. Odd: one literal name that shares its
///    first `op / 2` bytes with the name before it;
/// 2. for every literal the length of the rest, varint;
/// 3. the rests, one after another.
#[derive(Debug, Default)]
pub(crate) struct NamesWriter {
    ops: Vec<u8>,
    lengths: Vec<u8>,
    rests: Vec<u8>,
    last: String,
    /// Successors that no op tells of yet.
    run: u64,
}

impl NamesWriter {
    /// The name that came last; empty before the first.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    pub(crate) fn push(&mut self, name: &str) {
        if successor(&self.last).is_some_and(|expected| expected == name) {
            self.run = self.run.saturating_add(1);
        } else {
            self.close();
            let shared = self.last.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
            let rest = name.as_bytes().get(shared..).unwrap_or(&[]);
            put_varint(&mut self.ops, (shared as u64) << 1 | 1);
            put_varint(&mut self.lengths, rest.len() as u64);
            self.rests.extend_from_slice(rest);
        }
        self.last.clear();
        self.last.push_str(name);
    }

    fn close(&mut self) {
        if self.run > 0 {
            put_varint(&mut self.ops, self.run << 1);
            self.run = 0;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close();
        let mut out = Vec::new();
        for column in [self.ops, self.lengths, self.rests] {
            put_varint(&mut out, column.len() as u64);
            out.extend_from_slice(&column);
        }
        out
    }
}

/// Reads `count` names, checks every one and their order.
///
/// # Errors
/// `Corrupt`, `Truncated`; `LimitExceeded` where the names would take more memory than `budget` has.
pub(crate) fn read(fields: &mut Fields<'_>, count: u64, budget: &mut Budget) -> Result<Paths, Error> {
    const WHAT: &str = "names of the index";
    let mut column = || -> Result<Fields<'_>, Error> {
        let len = fields.varint()?;
        Ok(Fields::new(WHAT, fields.take(len)?))
    };
    let (mut ops, mut lengths, mut rests) = (column()?, column()?, column()?);
    let mut names = Paths::default();
    let mut before = String::new();
    let mut run = 0u64;
    while (names.len() as u64) < count {
        let mut name = None;
        if run == 0 {
            let op = ops.varint()?;
            if op & 1 == 0 {
                run = op >> 1;
                if run == 0 {
                    return Err(ops.corrupt());
                }
            } else {
                let shared = usize::try_from(op >> 1).ok().and_then(|shared| before.as_bytes().get(..shared));
                let shared = shared.ok_or_else(|| ops.corrupt())?;
                let rest = lengths.varint()?;
                let rest = rests.take(rest)?;
                budget.take(WHAT, (shared.len() as u64).saturating_add(rest.len() as u64), NAME_BYTE)?;
                name = Some(String::from_utf8([shared, rest].concat()).map_err(|_| rests.corrupt())?);
            }
        }
        let name = match name {
            Some(name) => name,
            None => {
                run = run.saturating_sub(1);
                budget.take(WHAT, before.len() as u64, NAME_BYTE)?;
                successor(&before).ok_or_else(|| ops.corrupt())?
            }
        };
        budget.take(WHAT, 1, NAME_OVERHEAD)?;
        if before >= name || check_path(&name).is_err() {
            return Err(rests.corrupt());
        }
        names.push(&name);
        before = name;
    }
    if run > 0 {
        return Err(ops.corrupt());
    }
    ops.end()?;
    lengths.end()?;
    rests.end()?;
    let mut before = "";
    for name in names.iter() {
        // What a folder shares with the name before was looked for then.
        let shared = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let folders = name.match_indices('/').filter(|(slash, _)| *slash >= shared).filter_map(|(slash, _)| name.get(..slash));
        for folder in folders {
            if names.holds(folder) {
                return Err(Error::corrupt("names of the index: a name is both a file and a folder"));
            }
        }
        before = name;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(names: &[&str]) -> Vec<u8> {
        let mut writer = NamesWriter::default();
        names.iter().for_each(|name| writer.push(name));
        writer.finish()
    }

    fn round(names: &[&str]) -> usize {
        let bytes = write(names);
        let mut budget = Budget::new(1 << 20);
        let mut fields = Fields::new("test", &bytes);
        let back = read(&mut fields, names.len() as u64, &mut budget).unwrap();
        fields.end().unwrap();
        assert!(back.iter().eq(names.iter().copied()));
        bytes.len()
    }

    #[test]
    fn successors() {
        assert_eq!(successor("a/0041.png").as_deref(), Some("a/0042.png"));
        assert_eq!(successor("a/0099.mp4").as_deref(), Some("a/0100.mp4"));
        assert_eq!(successor("x7y").as_deref(), Some("x8y"));
        assert_eq!(successor("clip.7").as_deref(), None);
        assert_eq!(successor(".7").as_deref(), Some(".8"));
        assert_eq!(successor("a.b/9.png"), None);
        assert_eq!(successor("ä/é1.png").as_deref(), Some("ä/é2.png"));
        assert_eq!(successor(""), None);
    }

    #[test]
    fn sequential_names_cost_nothing() {
        let names: Vec<String> = (0..2000).map(|n| format!("{}/{:04}.png", n / 200, n % 200)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(round(&names) < 150, "{}", round(&names));
        round(&[]);
        round(&["x"]);
        round(&["LICENSE", "a/b.txt", "a/b0.txt", "é.png"]);
    }

    #[test]
    fn unsafe_paths_are_refused() {
        for path in ["", "/etc", "a//b", "../x", "a/..", "./a", "a\\b", "C:/x", "c:x", "a\0", "a\n", "a/"] {
            assert!(check_path(path).is_err(), "{path:?}");
            assert!(read(&mut Fields::new("test", &write(&[path])), 1, &mut Budget::new(1 << 20)).is_err(), "{path:?}");
        }
        for path in ["a", "a/b c.png", "..a/b..", "ü", "ab:c"] {
            check_path(path).unwrap();
        }
    }

    #[test]
    fn disorder_and_overlaps_are_refused() {
        for names in [&["b", "a"][..], &["a", "a"], &["a", "a-", "a/b"]] {
            let bytes = write(names);
            let read = read(&mut Fields::new("test", &bytes), names.len() as u64, &mut Budget::new(1 << 20));
            assert!(read.is_err(), "{names:?}");
        }
    }

    #[test]
    fn a_short_run_cannot_swell_the_memory() {
        let long = format!("{}000000000", "x".repeat(60_000));
        let mut bytes = write(&[&long]);
        // Grow the ops column from one op to two: a run of 2^20 successors.
        let mut ops = Vec::new();
        put_varint(&mut ops, 1);
        put_varint(&mut ops, 1 << 21);
        let mut swollen = Vec::new();
        put_varint(&mut swollen, ops.len() as u64);
        swollen.extend_from_slice(&ops);
        swollen.extend_from_slice(&bytes.split_off(2));
        let error = read(&mut Fields::new("test", &swollen), (1 << 20) + 1, &mut Budget::new(1 << 20)).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::LimitExceeded);
    }
}
