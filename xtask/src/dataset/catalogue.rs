//! The catalogue of data sets, and the digests that were accepted later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::fingerprint::Digest;

/// `xtask/datasets.toml` and `xtask/datasets.lock`.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) datasets: Vec<Dataset>,
    lock: Lock,
}

/// One data set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    /// Name of its folder.
    pub(crate) name: String,
    /// What it is, one line.
    pub(crate) title: String,
    /// Page to read about it.
    pub(crate) homepage: String,
    /// Licence, as its makers say.
    pub(crate) licence: String,
    /// How to cite it.
    pub(crate) cite: String,
    /// What its files are, and so how they become a folder of images.
    pub(crate) kind: Kind,
    /// Parts of archive paths left out at the front.
    #[serde(default)]
    pub(crate) strip: usize,
    #[serde(rename = "file")]
    files: Vec<FileEntry>,
}

/// What a set's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Images.
    Images,
    /// Archives of images.
    TarGz,
    /// Archives of images.
    Zip,
    /// Pairs of `…-images-idx3-ubyte.gz` and `…-labels-idx1-ubyte.gz`.
    Idx,
    /// One `.tar.gz` of CIFAR-10's binary batches.
    Cifar10,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    /// May hold one range `{01..24}`.
    url: String,
    bytes: Option<u64>,
    digest: Option<String>,
}

/// One file to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) url: String,
    /// Its size, where known.
    pub(crate) bytes: Option<u64>,
    /// Its digest, where known.
    pub(crate) digest: Option<Digest>,
}

impl Source {
    /// Name of the file: the last part of the URL's path.
    ///
    /// # Errors
    /// If the URL ends in no name.
    pub(crate) fn file_name(&self) -> Result<&str> {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        match path.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() && name != ".." && name != "." => Ok(name),
            _ => bail!("{} ends in no file name", self.url),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "dataset")]
    datasets: Vec<Dataset>,
}

impl Catalogue {
    /// Reads the catalogue of a workspace.
    ///
    /// # Errors
    /// If it cannot be read, or an entry makes no sense.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join("xtask/datasets.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text, Lock::read(&root.join("xtask/datasets.lock"))?).with_context(|| path.display().to_string())
    }

    /// The same from text.
    ///
    /// # Errors
    /// If an entry makes no sense.
    pub(crate) fn parse(text: &str, lock: Lock) -> Result<Self> {
        let document: Document = toml::from_str(text)?;
        let catalogue = Self { datasets: document.datasets, lock };
        let mut names: Vec<&str> = catalogue.datasets.iter().map(|set| set.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("{} is named twice", twice[0]);
        }
        for set in &catalogue.datasets {
            if set.name.is_empty() || !set.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
                bail!("`{}` cannot be the name of a folder", set.name);
            }
            for source in catalogue.sources(set)? {
                source.file_name()?;
            }
        }
        Ok(catalogue)
    }

    /// The set of that name.
    ///
    /// # Errors
    /// If there is none; names those there are.
    pub(crate) fn find(&self, name: &str) -> Result<&Dataset> {
        self.datasets.iter().find(|set| set.name == name).with_context(|| {
            let known: Vec<&str> = self.datasets.iter().map(|set| set.name.as_str()).collect();
            format!("no data set is called `{name}`; known: {}", known.join(", "))
        })
    }

    /// Files to download for a set: ranges spelt out, accepted digests filled in.
    ///
    /// # Errors
    /// If a range or a digest makes no sense.
    pub(crate) fn sources(&self, set: &Dataset) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for file in &set.files {
            let urls = spell_out(&file.url).with_context(|| set.name.clone())?;
            if urls.len() > 1 && (file.bytes.is_some() || file.digest.is_some()) {
                bail!("{}: one size or digest cannot hold for {} files", set.name, urls.len());
            }
            let recorded = file.digest.as_deref().map(str::parse).transpose().with_context(|| set.name.clone())?;
            for url in urls {
                let accepted = self.lock.0.get(&url);
                let bytes = file.bytes.or(accepted.map(|(bytes, _)| *bytes));
                let digest = recorded.clone().or_else(|| accepted.map(|(_, digest)| digest.clone()));
                sources.push(Source { url, bytes, digest });
            }
        }
        Ok(sources)
    }

    /// Remembers a digest that a person accepted.
    ///
    /// # Errors
    /// If the lock file cannot be written.
    pub(crate) fn accept(&mut self, url: &str, bytes: u64, digest: Digest) -> Result<()> {
        self.lock.0.insert(url.to_owned(), (bytes, digest));
        self.lock.write()
    }
}

/// Digests accepted by `fetch --accept-digest`, a line `digest bytes url` each, and the file they stand in.
#[derive(Debug)]
pub(crate) struct Lock(BTreeMap<String, (u64, Digest)>, PathBuf);

impl Lock {
    /// Reads the lock file; a missing one is empty.
    ///
    /// # Errors
    /// If a line makes no sense.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let mut entries = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let place = || format!("{}:{}", path.display(), number + 1);
            let [digest, bytes, url] = words[..] else {
                bail!("{}: `digest bytes url` expected", place());
            };
            entries.insert(url.to_owned(), (bytes.parse().with_context(place)?, digest.parse().with_context(place)?));
        }
        Ok(Self(entries, path.to_path_buf()))
    }

    fn write(&self) -> Result<()> {
        let mut text = String::from("# Written by `cargo xtask dataset fetch --accept-digest`: digest, bytes, URL.\n");
        for (url, (bytes, digest)) in &self.0 {
            text.push_str(&format!("{digest} {bytes} {url}\n"));
        }
        std::fs::write(&self.1, text).with_context(|| format!("{} cannot be written", self.1.display()))
    }
}

/// Spells out a range: `a{01..03}b` is `a01b`, `a02b`, `a03b`.
fn spell_out(url: &str) -> Result<Vec<String>> {
    let Some((before, rest)) = url.split_once('{') else {
        return Ok(vec![url.to_owned()]);
    };
    let parts = rest.split_once('}').and_then(|(range, after)| Some((range.split_once("..")?, after)));
    let Some(((first, last), after)) = parts else {
        bail!("{url}: a range is written {{01..24}}");
    };
    let (from, to): (u32, u32) = (first.parse().with_context(|| url.to_owned())?, last.parse().with_context(|| url.to_owned())?);
    if from > to {
        bail!("{url}: an empty range");
    }
    Ok((from..=to).map(|number| format!("{before}{number:0width$}{after}", width = first.len())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_of_this_repository_is_sound() {
        let root = crate::workspace::root().unwrap();
        let catalogue = Catalogue::read(&root).unwrap();
        assert_eq!(catalogue.sources(catalogue.find("kodak").unwrap()).unwrap().len(), 24);
        for name in ["mnist", "fashion-mnist", "cifar10"] {
            let sources = catalogue.sources(catalogue.find(name).unwrap()).unwrap();
            assert!(sources.iter().all(|source| source.digest.is_some() && source.bytes.is_some()), "{name}");
        }
        let error = catalogue.find("imagenet").unwrap_err().to_string();
        assert!(error.contains("known: "), "{error}");
    }

    #[test]
    fn ranges_are_spelt_out() {
        assert_eq!(spell_out("x").unwrap(), ["x"]);
        assert_eq!(spell_out("k{08..11}.png").unwrap(), ["k08.png", "k09.png", "k10.png", "k11.png"]);
        for odd in ["k{1..", "k{1-3}", "k{3..1}", "k{a..b}"] {
            assert!(spell_out(odd).is_err(), "{odd}");
        }
    }

    fn lock(folder: &Path) -> Lock {
        Lock::read(&folder.join("datasets.lock")).unwrap()
    }

    const SET: &str = "[[dataset]]\nname = \"a\"\ntitle = \"\"\nhomepage = \"\"\nlicence = \"\"\ncite = \"\"\nkind = \"images\"\n";

    #[test]
    fn accepted_digests_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{SET}file = [{{ url = \"https://x.example/{{1..2}}.png\" }}]\n");
        let mut catalogue = Catalogue::parse(&text, lock(folder.path())).unwrap();
        let digest = Digest::Sha256([7; 32]);
        catalogue.accept("https://x.example/2.png", 12, digest.clone()).unwrap();
        let again = Catalogue::parse(&text, lock(folder.path())).unwrap();
        let sources = again.sources(again.find("a").unwrap()).unwrap();
        assert_eq!(sources[0], Source { url: "https://x.example/1.png".into(), bytes: None, digest: None });
        assert_eq!(sources[1], Source { url: "https://x.example/2.png".into(), bytes: Some(12), digest: Some(digest) });
    }

    #[test]
    fn odd_entries_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let parse = |text: &str| Catalogue::parse(text, lock(folder.path())).unwrap_err();
        for (files, says) in [
            ("file = [{ url = \"https://x.example/\" }]", "no file name"),
            ("file = [{ url = \"https://x.example/..\" }]", "no file name"),
            ("file = [{ url = \"https://x.example/{1..2}\", bytes = 3 }]", "cannot hold for 2 files"),
            ("file = [{ url = \"https://x.example/1\", digest = \"x\" }]", "names no kind"),
            ("file = [{ url = \"https://x.example/1\", md5 = \"x\" }]", "md5"),
        ] {
            let error = format!("{:#}", parse(&format!("{SET}{files}\n")));
            assert!(error.contains(says), "{files}: {error}");
        }
        let one = format!("{SET}file = [{{ url = \"https://x.example/1\" }}]\n");
        assert!(parse(&format!("{one}{one}")).to_string().contains("twice"));
        assert!(parse(&one.replace("\"a\"", "\"../a\"")).to_string().contains("name of a folder"));
        std::fs::write(folder.path().join("datasets.lock"), "nonsense\n").unwrap();
        assert!(Lock::read(&folder.path().join("datasets.lock")).unwrap_err().to_string().contains(":1: `digest bytes url` expected"));
    }
}
