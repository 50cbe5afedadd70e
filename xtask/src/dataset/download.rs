//! One file over HTTP: resumed where it was cut, checked before it takes its name.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::catalogue::Source;
use crate::fingerprint::{self, Digest};

/// How patient a download is.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// Attempts in a row that may bring nothing new.
    pub(crate) attempts: u32,
    /// Pause after the first such attempt; doubles with each.
    pub(crate) pause: Duration,
    /// Longest silence of a server.
    pub(crate) silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 5, pause: Duration::from_secs(1), silence: Duration::from_secs(60) }
    }
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) bytes: u64,
    /// Of the kind the catalogue asked for, else SHA-256.
    pub(crate) digest: Digest,
}

/// Downloads a file to `target`, or keeps the one that is there if it is the right one.
///
/// While it arrives it is called `target.part`, with the server's version tag in `target.part.tag`; a later call goes on from there.
/// `progress` is told the bytes done and, if known, in all.
///
/// # Errors
/// If the server refuses, the size or the digest is another one, nothing arrives in several attempts, or the disk does not take it. A
/// file with a wrong digest is removed; a part that is merely short stays for the next call.
pub(crate) fn download(source: &Source, target: &Path, patience: &Patience, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Arrived> {
    if target.is_file() {
        let arrived = look(source, target)?;
        if source.digest.as_ref().is_none_or(|digest| *digest == arrived.digest) && source.bytes.is_none_or(|bytes| bytes == arrived.bytes) {
            return Ok(arrived);
        }
        std::fs::remove_file(target).with_context(|| format!("{} is another file than {}, and cannot be removed", target.display(), source.url))?;
    }
    let part = Part::beside(target)?;
    let agent = agent(patience);
    let resumed = part.bytes()? > 0;
    part.fill(&agent, source, patience, progress)?;
    let mut arrived = look(source, &part.path)?;
    let wrong = |arrived: &Arrived| source.digest.as_ref().is_some_and(|digest| *digest != arrived.digest);
    if wrong(&arrived) && resumed {
        // What stood there from an earlier call may have been of another version.
        part.discard()?;
        part.fill(&agent, source, patience, progress)?;
        arrived = look(source, &part.path)?;
    }
    if let (true, Some(digest)) = (wrong(&arrived), &source.digest) {
        part.discard()?;
        bail!("{}: digest {} instead of {digest}; the file was removed, nothing was kept", source.url, arrived.digest);
    }
    std::fs::rename(&part.path, target).with_context(|| format!("{} cannot be named {}", part.path.display(), target.display()))?;
    part.discard()?;
    Ok(arrived)
}

/// Size and digest of a file, the digest of the kind the catalogue uses for it.
fn look(source: &Source, path: &Path) -> Result<Arrived> {
    let bytes = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    let digest = match &source.digest {
        Some(digest) => digest.of_same_kind(path)?,
        None => fingerprint::sha256(path)?,
    };
    Ok(Arrived { bytes, digest })
}

fn agent(patience: &Patience) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(patience.silence))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .user_agent("kolmo-xtask");
    config.build().into()
}

/// The unfinished file.
struct Part {
    path: PathBuf,
    /// Holds the server's name for the version that is arriving.
    tag: PathBuf,
}

/// How an attempt ended.
enum Attempt {
    /// The whole file is there.
    Whole,
    /// It ended early; another attempt may bring more.
    Cut(anyhow::Error),
}

impl Part {
    fn beside(target: &Path) -> Result<Self> {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let with = |suffix: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Ok(Self { path: with(".part"), tag: with(".part.tag") })
    }

    fn bytes(&self) -> Result<u64> {
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.path.display())),
        }
    }

    fn discard(&self) -> Result<()> {
        for path in [&self.path, &self.tag] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("{} cannot be removed", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Attempts until the whole file is there.
    fn fill(&self, agent: &ureq::Agent, source: &Source, patience: &Patience, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<()> {
        if source.bytes.is_some_and(|bytes| self.bytes().is_ok_and(|found| found > bytes)) {
            self.discard()?;
        }
        let mut idle = 0;
        let mut most = self.bytes()?;
        loop {
            if source.bytes == Some(self.bytes()?) {
                return Ok(());
            }
            let error = match self.attempt(agent, source, progress)? {
                Attempt::Whole => return Ok(()),
                Attempt::Cut(error) => error,
            };
            // Without Range each attempt starts over; only bytes beyond the furthest so far count as news.
            let now = self.bytes()?;
            idle = if now > most { 0 } else { idle + 1 };
            most = most.max(now);
            if idle >= patience.attempts {
                return Err(error.context(format!("{}: {idle} attempts brought nothing new; {now} bytes are kept for the next call", source.url)));
            }
            if idle > 0 {
                std::thread::sleep(patience.pause * 2_u32.saturating_pow(idle.min(6) - 1));
            }
        }
    }

    /// One request. What cannot get better by asking again is an error.
    fn attempt(&self, agent: &ureq::Agent, source: &Source, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Attempt> {
        let have = self.bytes()?;
        let mut request = agent.get(&source.url).header("Accept-Encoding", "identity");
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
            if let Ok(tag) = std::fs::read_to_string(&self.tag) {
                request = request.header("If-Range", tag);
            }
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects | ureq::Error::RequireHttpsOnly(_))) => {
                return Err(error).with_context(|| source.url.clone());
            }
            Err(error) => return Ok(Attempt::Cut(error.into())),
        };
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let range = header("content-range").as_deref().and_then(parse_content_range);
        let (start, total) = match response.status().as_u16() {
            200 => (0, header("content-length").and_then(|length| length.parse().ok())),
            206 => match range {
                Some((Some(first), total)) if first == have => (have, total),
                _ => {
                    self.discard()?;
                    return Ok(Attempt::Cut(anyhow::anyhow!("the server sent another range than asked for")));
                }
            },
            416 => {
                if matches!(range, Some((None, Some(total))) if total == have) && source.bytes.is_none_or(|bytes| bytes == have) {
                    return Ok(Attempt::Whole);
                }
                self.discard()?;
                return Ok(Attempt::Cut(anyhow::anyhow!("the server's file is shorter than the {have} bytes we have; starting over")));
            }
            status @ (408 | 429 | 500..) => return Ok(Attempt::Cut(anyhow::anyhow!("the server answers {status}"))),
            status => bail!("{}: the server answers {status}", source.url),
        };
        if let (Some(total), Some(bytes)) = (total, source.bytes)
            && total != bytes
        {
            bail!("{}: the server's file has {total} bytes, the catalogue says {bytes}", source.url);
        }
        if start == 0 {
            self.discard()?;
            // A weak tag (W/"…") does not promise the same bytes, so it cannot join two parts.
            if let Some(tag) = header("etag").filter(|tag| !tag.starts_with("W/")).or_else(|| header("last-modified")) {
                std::fs::write(&self.tag, tag).with_context(|| format!("{} cannot be written", self.tag.display()))?;
            }
        }
        self.receive(&mut response.into_body().into_reader(), start, source.bytes.or(total), progress)
    }

    /// Appends what the server sends from byte `start` on.
    fn receive(&self, body: &mut dyn Read, start: u64, total: Option<u64>, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Attempt> {
        let name = || format!("{} cannot be written", self.path.display());
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.path).with_context(name)?;
        let mut done = start;
        let mut chunk = vec![0; 1 << 16];
        loop {
            let count = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Attempt::Cut(error.into())),
            };
            done += count as u64;
            if total.is_some_and(|total| done > total) {
                drop(file);
                self.discard()?;
                bail!("the server sends more than the {} bytes it should", total.unwrap_or_default());
            }
            file.write_all(&chunk[..count]).with_context(name)?;
            progress(done, total);
        }
        match total {
            Some(total) if done < total => Ok(Attempt::Cut(anyhow::anyhow!("the connection ended after {done} of {total} bytes"))),
            _ => Ok(Attempt::Whole),
        }
    }
}

/// `bytes 5-9/10` is `(Some(5), Some(10))`, `bytes */10` is `(None, Some(10))`; `*` as total is unknown.
fn parse_content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some((None, total));
    }
    let (first, _) = range.split_once('-')?;
    Some((Some(first.parse().ok()?), total))
}

#[cfg(test)]
mod tests;
