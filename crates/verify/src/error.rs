//! Why an archive does not expand.

pub use kolmo_codec::ErrorKind;

/// Why an archive does not expand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The frame of the archive or one of its Programs is not in order.
    #[error(transparent)]
    Archive(#[from] kolmo_codec::Error),
    /// A block is not in order. Other blocks may still expand.
    #[error("{path}{}: {source}", and_others(*.others))]
    Block {
        /// First item of the block.
        path: String,
        /// How many more items it holds.
        others: u64,
        /// What is wrong with it.
        source: kolmo_codec::Error,
    },
    /// The samples are there, but the recipe makes no file of them.
    #[error("{path}: cannot rebuild the file: {source}")]
    Rebuild {
        /// The item.
        path: String,
        /// What is wrong with the recipe.
        source: kolmo_data::Error,
    },
    /// Two items cannot stand side by side where names that differ in case only are the same.
    #[error("{first} and {second} differ in case only, which this file system does not tell apart; expand to another file system")]
    CaseCollision {
        /// The item that comes first.
        first: String,
        /// The one that would overwrite it.
        second: String,
    },
}

fn and_others(others: u64) -> String {
    match others {
        0 => String::new(),
        n => format!(" (and {n} more in its block)"),
    }
}

impl Error {
    /// Its family.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Archive(source) | Self::Block { source, .. } => source.kind(),
            Self::Rebuild { source, .. } => match source.kind() {
                kolmo_data::ErrorKind::Unsupported => ErrorKind::Unsupported,
                kolmo_data::ErrorKind::LimitExceeded => ErrorKind::LimitExceeded,
                _ => ErrorKind::Corrupt,
            },
            Self::CaseCollision { .. } => ErrorKind::InvalidArgument,
        }
    }
}
