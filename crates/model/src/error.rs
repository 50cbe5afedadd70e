//! Why learning failed.

/// Why learning failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for a device that is not there.
    #[error("{what}")]
    Device {
        /// What is missing, and what to do.
        what: String,
    },
    /// The images or options cannot be learned from.
    #[error("{what}")]
    InvalidArgument {
        /// Which, and why.
        what: String,
    },
    /// A checkpoint could not be written or read.
    #[error("checkpoint {path}: {source}")]
    Checkpoint {
        /// The file.
        path: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tensor of a user's network does not fit.
    #[error("{path}: tensor {name} {what}")]
    Tensor {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The Program is refused by the codec.
    #[error(transparent)]
    Codec(#[from] kolmo_codec::Error),
    /// The caller asked to stop everything.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Its family, in the codec's words; `None` where the caller cancelled.
    #[must_use]
    pub fn kind(&self) -> Option<kolmo_codec::ErrorKind> {
        match self {
            Self::Device { .. } | Self::InvalidArgument { .. } | Self::Tensor { .. } => Some(kolmo_codec::ErrorKind::InvalidArgument),
            Self::Checkpoint { source, .. } if source.is::<std::io::Error>() => Some(kolmo_codec::ErrorKind::Io),
            Self::Checkpoint { .. } => Some(kolmo_codec::ErrorKind::Corrupt),
            Self::Codec(error) => Some(error.kind()),
            Self::Cancelled => None,
        }
    }
}
