//! Download, check, unpack; and check again later.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::catalogue::{Catalogue, Dataset, Source};
use super::download::{self, Patience};
use super::{count_pictures, unpack};
use crate::fingerprint;

/// What a person allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Take files whose digest nobody knows yet.
    pub(crate) accept_digest: bool,
    /// Replace the folder of images.
    pub(crate) force: bool,
}

/// Where the files of a set are kept as downloaded.
fn originals(data: &Path, set: &Dataset) -> PathBuf {
    data.join(".downloads").join(&set.name)
}

/// Where the folder's fingerprint is kept.
fn seal(data: &Path, set: &Dataset) -> PathBuf {
    originals(data, set).join("folder.blake3")
}

/// Fetches a set: `data/NAME` is a folder of images afterwards.
///
/// # Errors
/// If a file cannot be downloaded, is another one than the catalogue says, or has no known digest and `accept_digest` is not given.
pub(crate) fn fetch(catalogue: &mut Catalogue, name: &str, data: &Path, options: Options) -> Result<()> {
    let set = catalogue.find(name)?;
    let sources = catalogue.sources(set)?;
    let folder = data.join(&set.name);
    if folder.exists() && !options.force {
        bail!("{} exists; check it with `cargo xtask dataset check {name}`, or replace it with --force", folder.display());
    }
    let originals = originals(data, set);
    let mut files = Vec::new();
    let mut unknown = Vec::new();
    for source in &sources {
        let target = originals.join(source.file_name()?);
        let mut meter = Meter::new(source.file_name()?);
        let arrived = download::download(source, &target, &Patience::default(), &mut |done, total| meter.tell(done, total))?;
        meter.end(arrived.bytes);
        if source.digest.is_none() {
            println!("{}: {} bytes, no digest is known; computed {}", source.url, arrived.bytes, arrived.digest);
            unknown.push((source.url.clone(), arrived));
        }
        files.push(target);
    }
    if !unknown.is_empty() && !options.accept_digest {
        bail!(
            "nothing vouches for {} of {} files; compare their digests with another source, then say --accept-digest (they are not downloaded again)",
            unknown.len(),
            sources.len()
        );
    }
    let count = unpack_beside(set, &sources, &files, &folder)?;
    let seal = seal(data, set);
    std::fs::write(&seal, fingerprint::folder(&folder)?).with_context(|| format!("{} cannot be written", seal.display()))?;
    println!("{}: {count} images in {}", set.name, folder.display());
    println!("licence: {}\ncite: {}", set.licence, set.cite);
    for (url, arrived) in unknown {
        catalogue.accept(&url, arrived.bytes, arrived.digest)?;
    }
    Ok(())
}

/// Unpacks into a neighbour and renames it when whole.
fn unpack_beside(set: &Dataset, sources: &[Source], files: &[PathBuf], folder: &Path) -> Result<u64> {
    let parent = folder.parent().context("the data folder has no name")?;
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent);
    let beside = beside.with_context(|| format!("no folder can be made in {}", parent.display()))?;
    let fresh = beside.path().join(&set.name);
    std::fs::create_dir(&fresh).with_context(|| format!("{} cannot be made", fresh.display()))?;
    unpack::unpack(set.kind, set.strip, files, &fresh).with_context(|| format!("{} cannot be unpacked", set.name))?;
    let count = count_pictures(&fresh)?;
    let mut about = format!("{}\n{}\nLicence: {}\nCite: {}\n", set.title, set.homepage, set.licence, set.cite);
    for (source, file) in sources.iter().zip(files) {
        about.push_str(&format!("{} {}\n", fingerprint::sha256(file)?, source.url));
    }
    std::fs::write(fresh.join("SOURCE.txt"), about).context("SOURCE.txt cannot be written")?;
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("{} cannot be replaced", folder.display()))?;
    }
    std::fs::rename(&fresh, folder).with_context(|| format!("{} cannot be named {}", fresh.display(), folder.display()))?;
    Ok(count)
}

/// Checks downloads against the catalogue, the folder against what was unpacked, and that every image can be read.
///
/// # Errors
/// Names the first thing that is missing or differs.
pub(crate) fn check(catalogue: &Catalogue, name: &str, data: &Path) -> Result<()> {
    let set = catalogue.find(name)?;
    let folder = data.join(&set.name);
    if !folder.is_dir() {
        bail!("{} is not there; fetch it with `cargo xtask dataset fetch {name}`", folder.display());
    }
    let originals = originals(data, set);
    let mut checked = 0;
    for source in catalogue.sources(set)? {
        let path = originals.join(source.file_name()?);
        let digest = source.digest.with_context(|| format!("no digest of {} is known; fetch it with --accept-digest", source.url))?;
        // Downloads may be deleted to save room; those that are there have to be right.
        if path.is_file() {
            let found = digest.of_same_kind(&path)?;
            if found != digest {
                bail!("{}: digest {found} instead of {digest}", path.display());
            }
            checked += 1;
        }
    }
    let seal = seal(data, set);
    let sealed = std::fs::read_to_string(&seal).with_context(|| format!("{} is missing; fetch the set again with --force", seal.display()))?;
    let found = fingerprint::folder(&folder)?;
    if found != sealed.trim() {
        bail!(
            "{} was changed since it was unpacked (fingerprint {found} instead of {}); fetch it again with --force",
            folder.display(),
            sealed.trim()
        );
    }
    let count = count_pictures(&folder)?;
    println!("{name}: {count} images as unpacked, {checked} downloads as published");
    Ok(())
}

/// Tells on stderr how far a download is.
struct Meter<'a> {
    name: &'a str,
    live: bool,
    start: Instant,
    last: Option<Instant>,
}

impl<'a> Meter<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, live: std::io::stderr().is_terminal(), start: Instant::now(), last: None }
    }

    fn tell(&mut self, done: u64, total: Option<u64>) {
        let pause = if self.live { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.last.unwrap_or(self.start).elapsed() < pause {
            return;
        }
        self.last = Some(Instant::now());
        let line = progress_line(self.name, done, total, self.start.elapsed());
        if self.live {
            eprint!("\r{line}\x1b[K");
            // A line that is not shown is no loss.
            let _shown = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&self, bytes: u64) {
        if self.live && self.last.is_some() {
            eprint!("\r\x1b[K");
        }
        eprintln!("{}", progress_line(self.name, bytes, Some(bytes), self.start.elapsed()));
    }
}

fn progress_line(name: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let megabytes = done as f64 / 1e6;
    let share = total
        .filter(|total| *total > 0)
        .map_or_else(String::new, |total| format!(" of {:.1} MB, {:.0} %", total as f64 / 1e6, done as f64 / total as f64 * 100.0));
    format!("{name}: {megabytes:.1}{} in {:.0} s", if share.is_empty() { " MB".to_owned() } else { share }, elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests;
