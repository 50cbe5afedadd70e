//! Why a call failed, in words that name the file and the next step.

use std::io;
use std::path::{Path, PathBuf};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The dataset cannot be read or rebuilt.
    #[error(transparent)]
    Data(#[from] kolmo_data::Error),
    /// A Program or an archive cannot be written or read.
    #[error("{}: {source}", path.display())]
    Codec {
        /// The archive or Program file.
        path: PathBuf,
        /// What is wrong.
        source: kolmo_codec::Error,
    },
    /// Coding failed apart from any file.
    #[error(transparent)]
    Coding(#[from] kolmo_codec::Error),
    /// Learning failed.
    #[error(transparent)]
    Model(#[from] kolmo_model::Error),
    /// An archive does not expand.
    #[error(transparent)]
    Verify(#[from] kolmo_verify::Error),
    /// An output exists, and replacing it was not asked for.
    #[error("{} exists already; nothing was written. Choose another name or force replacing it", path.display())]
    OutputExists {
        /// What exists.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The caller's arguments cannot be used together or as they are.
    #[error("{what}")]
    InvalidArgument {
        /// Which, and what to do.
        what: String,
    },
    /// A name cannot stand in an archive.
    #[error("{}: this name cannot be archived: {source}; rename the file", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kolmo_codec::Error,
    },
    /// A file was changed by somebody else while it was compressed.
    #[error("{}: the file changed while it was read; nothing was written. Try again when nobody writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The archive that was just written does not give an item back: a bug of kolmo, or a machine that cannot be trusted.
    #[error("{path}: the archive does not give this file back, so it was not kept. Please report this")]
    NotReproduced {
        /// The item.
        path: String,
    },
    /// The caller asked to stop.
    #[error("cancelled; nothing was left behind")]
    Cancelled,
}

/// The family of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Bytes that contradict themselves.
    Corrupt,
    /// Bytes that end too early.
    Truncated,
    /// A version or feature that is not known.
    Unsupported,
    /// More than the caller's limits allow.
    LimitExceeded,
    /// A call that makes no sense.
    InvalidArgument,
    /// Reading or writing failed.
    Io,
    /// The caller asked to stop.
    Cancelled,
    /// We have a bug.
    Bug,
}

impl Error {
    /// Its family.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Data(error) => match error.kind() {
                kolmo_data::ErrorKind::Corrupt => ErrorKind::Corrupt,
                kolmo_data::ErrorKind::Truncated => ErrorKind::Truncated,
                kolmo_data::ErrorKind::Unsupported => ErrorKind::Unsupported,
                kolmo_data::ErrorKind::LimitExceeded => ErrorKind::LimitExceeded,
                kolmo_data::ErrorKind::InvalidArgument => ErrorKind::InvalidArgument,
                kolmo_data::ErrorKind::Io => ErrorKind::Io,
                _ => ErrorKind::Bug,
            },
            Self::Codec { source, .. } => of_codec(source.kind()),
            Self::Coding(error) => of_codec(error.kind()),
            Self::Model(error) => error.kind().map_or(ErrorKind::Cancelled, of_codec),
            Self::Verify(error) => of_codec(error.kind()),
            Self::OutputExists { .. } | Self::InvalidArgument { .. } | Self::Name { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } | Self::Changed { .. } => ErrorKind::Io,
            Self::NotReproduced { .. } => ErrorKind::Bug,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn codec(path: &Path) -> impl FnOnce(kolmo_codec::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source {
            // Keep the system's answer where callers look for it.
            kolmo_codec::Error::Io { action, kind, message } => Self::Io { action, path, source: io::Error::new(kind, message) },
            source => Self::Codec { path, source },
        }
    }
}

const fn of_codec(kind: kolmo_codec::ErrorKind) -> ErrorKind {
    match kind {
        kolmo_codec::ErrorKind::Corrupt => ErrorKind::Corrupt,
        kolmo_codec::ErrorKind::Truncated => ErrorKind::Truncated,
        kolmo_codec::ErrorKind::Unsupported => ErrorKind::Unsupported,
        kolmo_codec::ErrorKind::LimitExceeded => ErrorKind::LimitExceeded,
        kolmo_codec::ErrorKind::InvalidArgument => ErrorKind::InvalidArgument,
        kolmo_codec::ErrorKind::Io => ErrorKind::Io,
        _ => ErrorKind::Bug,
    }
}
