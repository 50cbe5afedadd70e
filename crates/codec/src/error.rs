//! What can be wrong with an archive, a Program, or a call.

use crate::against::BaseId;

/// Why coding or decoding failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes contradict themselves or their digest.
    #[error("corrupt {what}{}", at(*.offset))]
    Corrupt {
        /// Which field or section.
        what: &'static str,
        /// Byte offset in the archive, where known.
        offset: Option<u64>,
    },
    /// The bytes end too early.
    #[error("truncated {what}: {needed} bytes needed, {found} found")]
    Truncated {
        /// Which field or section.
        what: &'static str,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A version or feature this reader does not know.
    #[error("{what} {found} is not supported by this version of kolmo (known: {known}); a newer kolmo may read it")]
    Unsupported {
        /// Which field.
        what: &'static str,
        /// What it says.
        found: u64,
        /// What this reader knows.
        known: u64,
    },
    /// A file of kolmo's, but of another kind than the call reads.
    #[error("{what}")]
    OtherKind {
        /// What it is, and which command reads it.
        what: &'static str,
    },
    /// The caller's [`crate::Limits`] do not allow it.
    #[error("{what} needs more than the limit allows ({limit} left); raise the limit (--max-memory) to read it")]
    LimitExceeded {
        /// What asked.
        what: &'static str,
        /// What was left.
        limit: u64,
    },
    /// The caller's argument cannot be used.
    #[error("{what}")]
    InvalidArgument {
        /// Which, and why.
        what: &'static str,
    },
    /// Numbers are coded against a file that the caller did not give.
    #[error("its numbers are differences to another file, {wanted}{}; say --base FILE", instead(.given.as_deref()))]
    BaseNeeded {
        /// That file.
        wanted: Box<BaseId>,
        /// The one that was given instead.
        given: Option<Box<BaseId>>,
    },
    /// Reading or writing the archive failed.
    #[error("cannot {action} the archive: {message}")]
    Io {
        /// `read`, `write` or `seek in`.
        action: &'static str,
        /// What kind of failure.
        kind: std::io::ErrorKind,
        /// What the system says.
        message: String,
    },
}

fn instead(given: Option<&BaseId>) -> String {
    given.map_or_else(|| ", which is needed".to_owned(), |given| format!(", and not to {given}"))
}

/// `wanted` was not given, but perhaps another one.
pub(crate) fn base_needed(wanted: BaseId, given: Option<&BaseId>) -> Error {
    Error::BaseNeeded { wanted: Box::new(wanted), given: given.cloned().map(Box::new) }
}

fn at(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
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
}

impl Error {
    /// Its family.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Truncated { .. } => ErrorKind::Truncated,
            Self::Unsupported { .. } | Self::OtherKind { .. } => ErrorKind::Unsupported,
            Self::LimitExceeded { .. } => ErrorKind::LimitExceeded,
            Self::InvalidArgument { .. } | Self::BaseNeeded { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    pub(crate) const fn corrupt(what: &'static str) -> Self {
        Self::Corrupt { what, offset: None }
    }

    pub(crate) const fn corrupt_at(what: &'static str, offset: u64) -> Self {
        Self::Corrupt { what, offset: Some(offset) }
    }

    pub(crate) fn io(action: &'static str, error: &std::io::Error) -> Self {
        Self::Io { action, kind: error.kind(), message: error.to_string() }
    }
}
