//! Data sets: listed in a catalogue, fetched, checked, or made from a seed.

mod catalogue;
mod cifar;
mod download;
mod fetch;
mod idx;
pub(crate) mod synthetic;
mod unpack;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};

use crate::{fingerprint, picture::Picture, workspace};
use catalogue::Catalogue;

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Show the catalogue.
    List,
    /// Download a set, check it, unpack it to a folder of images.
    Fetch(FetchArgs),
    /// Check that a set is still what was fetched.
    Check(PlaceArgs),
    /// Make a synthetic set from a seed: the same arguments give the same bytes everywhere.
    Make(synthetic::MakeArgs),
}

/// Which set, and where.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// A name of `cargo xtask dataset list`.
    name: String,
    /// Folder that holds a folder for each set [default: ../shared/data for what it holds, else the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How to fetch.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Trust what arrives where the catalogue knows no digest, and write its digest to xtask/datasets.lock.
    #[arg(long)]
    accept_digest: bool,
    /// Replace an unpacked folder that exists.
    #[arg(long)]
    force: bool,
}

/// Runs one command.
///
/// # Errors
/// Names the set, the file and the next step.
pub(crate) fn run(command: &DatasetCommand) -> Result<()> {
    let root = workspace::root()?;
    match command {
        DatasetCommand::List => list(&Catalogue::read(&root)?),
        DatasetCommand::Fetch(args) => {
            let mut catalogue = Catalogue::read(&root)?;
            let data = args.place.data.clone().map_or_else(cache_folder, Ok)?;
            let options = fetch::Options { accept_digest: args.accept_digest, force: args.force };
            fetch::fetch(&mut catalogue, &args.place.name, &data, options)
        }
        DatasetCommand::Check(args) => {
            let data = args.data.clone().map_or_else(cache_folder, Ok)?;
            fetch::check(&Catalogue::read(&root)?, &args.name, &data)
        }
        DatasetCommand::Make(args) => synthetic::make(args),
    }
}

fn list(catalogue: &Catalogue) -> Result<()> {
    let mut text = String::new();
    for set in &catalogue.datasets {
        let sources = catalogue.sources(set)?;
        let pinned = sources.iter().filter(|source| source.digest.is_some()).count();
        let bytes: Option<u64> = sources.iter().map(|source| source.bytes).sum();
        let size = bytes.map_or_else(|| "size not recorded".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        text.push_str(&format!("{}: {}\n", set.name, set.title));
        text.push_str(&format!("    {} files, {size}, {pinned} of {} digests known; {}\n", sources.len(), sources.len(), set.homepage));
        text.push_str(&format!("    licence: {}\n    cite: {}\n", set.licence, set.cite));
    }
    text.push_str(&format!("made from a seed (dataset make): {}\n", synthetic::names().join(", ")));
    match std::io::stdout().write_all(text.as_bytes()) {
        // `list | head` reads as much as it wants.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("the list cannot be written"),
        _ => Ok(()),
    }
}

/// Where sets are kept if nobody says otherwise: outside the repository, so that neither git nor `cargo clean` meets them.
///
/// # Errors
/// If the user has no home.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).context("no home folder is known; say where with --data DIR")?;
    Ok(cache.join("kolmo").join("datasets"))
}

/// Counts the pictures of a folder, reading each.
///
/// # Errors
/// If a file named like a picture is none.
fn count_pictures(folder: &Path) -> Result<u64> {
    let mut count = 0;
    for path in fingerprint::paths(folder)? {
        if Picture::is_named(&path) {
            let bytes = std::fs::read(folder.join(&path)).with_context(|| format!("{path} cannot be read"))?;
            Picture::read(&bytes).with_context(|| path.clone())?;
            count += 1;
        }
    }
    if count == 0 {
        bail!("{} holds no pictures", folder.display());
    }
    Ok(count)
}
