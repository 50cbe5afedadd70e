//! General-purpose compressors on one tar of raw samples.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::rival::{Measured, Rival, median, version};
use super::set::Set;
use crate::{child, fingerprint, workspace};

/// A compressor that reads a file and writes to stdout.
#[derive(Debug)]
pub(crate) struct RawTar {
    pub(crate) program: &'static str,
    /// Arguments that compress, as the row shows them.
    pub(crate) level: &'static [&'static str],
    pub(crate) repeat: usize,
}

impl Rival for RawTar {
    fn name(&self) -> &'static str {
        self.program
    }

    fn missing(&self) -> Option<String> {
        workspace::on_path(self.program).is_none().then(|| format!("{} is not on PATH", self.program))
    }

    fn measure(&self, set: &Set, scratch: &Path) -> Result<Vec<Measured>> {
        let tar = write_tar(set, scratch)?;
        Ok(vec![self.pack(&tar, "one tar of raw samples", scratch)?])
    }
}

impl RawTar {
    /// Packs and unpacks `tar`, which is `what`, and removes it.
    pub(crate) fn pack(&self, tar: &Path, what: &str, scratch: &Path) -> Result<Measured> {
        let before = fingerprint::sha256(tar)?;
        let packed = scratch.join("raw.tar.packed");
        let to = |path: &Path| File::create(path).with_context(|| format!("{} cannot be written", path.display()));
        // `-c` writes to stdout, which goes to a file; `measure` would keep it in memory.
        let run = |arguments: &[&str], from: &Path, into: &Path| -> Result<child::Outcome> {
            let mut command = Command::new(self.program);
            command.args(arguments).arg("-c").arg(from);
            child::measure_into(&mut command, Stdio::from(to(into)?))
        };
        let encode = run(self.level, tar, &packed)?;
        let back = scratch.join("raw.tar.back");
        let mut timings = Vec::new();
        for _ in 0..self.repeat {
            timings.push(run(&["-d"], &packed, &back)?.seconds);
        }
        if fingerprint::sha256(&back)? != before {
            bail!("{} does not give back what it was given", self.program);
        }
        let bytes = std::fs::metadata(&packed).with_context(|| format!("{} cannot be read", packed.display()))?.len();
        for path in [tar, &packed, &back] {
            std::fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        let version = version(self.program, "--version").map_or_else(String::new, |version| format!(" {version}"));
        Ok(Measured {
            tool: format!("{}{version}", self.program),
            settings: format!("{}; {what}", self.level.join(" ")),
            threads: 1,
            program_bytes: None,
            estimate_percent: None,
            payload_bytes: bytes,
            total_bytes: bytes,
            encode_seconds: Some(encode.seconds),
            decode_seconds: median(&mut timings),
            peak_bytes: encode.peak_bytes,
            identical: "yes".to_owned(),
        })
    }
}

/// One tar with an entry of raw samples (a byte each, or two) for every image.
fn write_tar(set: &Set, scratch: &Path) -> Result<PathBuf> {
    let path = scratch.join("raw.tar");
    let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut tar = tar::Builder::new(BufWriter::new(file));
    for image in &set.images {
        let mut header = tar::Header::new_gnu();
        header.set_size(image.picture.samples.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, &image.path, &image.picture.samples[..]).with_context(|| image.path.clone())?;
    }
    tar.into_inner().and_then(|writer| writer.into_inner().map_err(std::io::IntoInnerError::into_error)).context("raw.tar cannot be written")?;
    Ok(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::bench::set::tests::small_set;

    #[test]
    fn a_compressor_is_measured_and_checked() {
        let (data, set) = small_set();
        // gzip is everywhere, and reads and writes the same way.
        let gzip = RawTar { program: "gzip", level: &["-9"], repeat: 1 };
        assert_eq!(gzip.missing(), None);
        let measured = gzip.measure(&set, data.path()).unwrap().remove(0);
        assert!((100..3000).contains(&measured.total_bytes), "{measured:?}");
        assert!(measured.settings.starts_with("-9;") && measured.identical == "yes");
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1, "scratch files are left");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let none = RawTar { program: "no-such-program-anywhere", level: &[], repeat: 1 };
        assert_eq!(none.missing().unwrap(), "no-such-program-anywhere is not on PATH");
    }

    #[test]
    fn a_compressor_that_lies_is_found_out() {
        let (data, set) = small_set();
        let script = data.path().join("liar");
        std::fs::write(&script, "#!/bin/sh\ncase $1 in -d) echo lie;; *) cat \"$2\";; esac\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let liar = RawTar { program: Box::leak(script.to_string_lossy().into_owned().into_boxed_str()), level: &[], repeat: 1 };
        let error = liar.measure(&set, data.path()).unwrap_err().to_string();
        assert!(error.contains("does not give back"), "{error}");
    }
}
