//! What can be wrong with a dataset, a recipe, or a call.

use std::io;
use std::path::PathBuf;

/// Why reading a dataset or rebuilding a file failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A recipe contradicts itself or the image it is applied to.
    #[error("corrupt {what}")]
    Corrupt {
        /// Which field.
        what: &'static str,
    },
    /// A recipe ends too early.
    #[error("truncated {what}: {needed} bytes needed, {found} found")]
    Truncated {
        /// Which field.
        what: &'static str,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A recipe of a kind this version does not know.
    #[error("{what} {found} is not supported by this version of kolmo; a newer kolmo may read it")]
    Unsupported {
        /// Which field.
        what: &'static str,
        /// What it says.
        found: u64,
    },
    /// More than can be held or than the target format can say.
    #[error("{what} is more than allowed ({limit})")]
    LimitExceeded {
        /// What asked.
        what: &'static str,
        /// What is allowed.
        limit: u64,
    },
    /// The caller's argument cannot be used.
    #[error("{what}")]
    InvalidArgument {
        /// Which, and why.
        what: &'static str,
    },
    /// There is no file to compress.
    #[error("{}: there is no file in this folder", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A name that is not Unicode cannot be written to an archive that other systems read.
    #[error("{}: the file name is not valid UTF-8; rename the file to archive it", path.display())]
    NotUtf8 {
        /// The file or folder, shown with replacement characters.
        path: PathBuf,
    },
    /// A folder of labelled images cannot be learned from.
    #[error("{}: {what}", path.display())]
    Labelled {
        /// The folder or file it is about.
        path: PathBuf,
        /// What is wrong there, and what to do.
        what: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `list`, `inspect`.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
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
    /// More than is allowed.
    LimitExceeded,
    /// A call that makes no sense.
    InvalidArgument,
    /// Reading or writing failed.
    Io,
}

impl Error {
    /// Its family. An empty folder and a name that is not UTF-8 are arguments that cannot be used.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Truncated { .. } => ErrorKind::Truncated,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::LimitExceeded { .. } => ErrorKind::LimitExceeded,
            Self::InvalidArgument { .. } | Self::EmptyFolder { .. } | Self::NotUtf8 { .. } | Self::Labelled { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    pub(crate) const fn corrupt(what: &'static str) -> Self {
        Self::Corrupt { what }
    }
}
