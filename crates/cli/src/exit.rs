//! How a run ends: a status for scripts, a sentence and a next step for people.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};

use kolmo::{Error, ErrorKind};
use serde::Serialize;

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// `verify` (or `demo`) found a difference.
pub(crate) const DIFFERENCE: u8 = 1;
const USAGE: u8 = 2;
const BAD_ARCHIVE: u8 = 3;
const LIMIT: u8 = 4;
const IO_OR_BUG: u8 = 5;
const CANCELLED: u8 = 130;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library said no.
    Library {
        /// What it said.
        error: Error,
        /// The file the call was about.
        file: PathBuf,
    },
    /// The arguments make no sense together.
    Usage {
        /// What is wrong.
        what: String,
        /// What to do about it.
        help: String,
    },
    /// Reading or writing failed in the command itself.
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// The user stopped the command between two calls of the library.
    Cancelled,
    /// A step of `demo` that ran in its own process failed and has said why.
    Child {
        /// Its exit status.
        status: u8,
    },
}

/// A failure as `--json` prints it, `type` being `error`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `usage`, `corrupt`, `truncated`, `unsupported`, `limit_exceeded`, `invalid_argument`, `io`, `cancelled` or `bug`.
    pub(crate) kind: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// The file it is about; empty if none.
    pub(crate) file: String,
    /// The next step; empty if there is none.
    pub(crate) help: String,
    /// Exit status.
    pub(crate) exit: u8,
}

impl Failure {
    /// Turns an error of a call about `file` into a failure.
    pub(crate) fn about(file: &Path) -> impl FnOnce(Error) -> Self {
        let file = file.to_path_buf();
        move |error| Self::Library { error, file }
    }

    /// What to tell, and with which status to end.
    pub(crate) fn report(&self) -> Report {
        match self {
            Self::Usage { what, help } => Report { kind: "usage", message: what.clone(), file: String::new(), help: help.clone(), exit: USAGE },
            Self::Io { what, error } => Report {
                kind: "io",
                message: format!("{what}: {error}"),
                file: String::new(),
                help: io_help(error.kind()).to_owned(),
                exit: IO_OR_BUG,
            },
            Self::Cancelled => Report {
                kind: "cancelled",
                message: "cancelled; nothing was left behind".to_owned(),
                file: String::new(),
                help: String::new(),
                exit: CANCELLED,
            },
            Self::Child { status } => Report {
                kind: "io",
                message: format!("the expanding process ended with status {status}"),
                file: String::new(),
                help: String::new(),
                exit: *status,
            },
            Self::Library { error, file } => {
                let file = file.display().to_string();
                let (kind, exit, help) = judge(error);
                // Nobody asks which file a Ctrl-C was about.
                let file = if exit == CANCELLED { String::new() } else { file };
                Report { kind, message: error.to_string(), file, help, exit }
            }
        }
    }
}

impl Report {
    /// `kolmo: <what> (<file>)` and `help: <next step>`, ready for stderr.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("kolmo: {}", self.message);
        if !self.file.is_empty() && !self.message.contains(&self.file) {
            text.push_str(&format!(" ({})", self.file));
        }
        text.push('\n');
        if !self.help.is_empty() {
            text.push_str(&format!("help: {}\n", self.help));
        }
        text
    }
}

fn judge(error: &Error) -> (&'static str, u8, String) {
    match error.kind() {
        ErrorKind::Corrupt if matches!(error, Error::Model(_)) => {
            let help = "networks are read from .safetensors, .pt, .pth and .th files, and from network archives; if it is one, it was damaged";
            ("corrupt", BAD_ARCHIVE, help.into())
        }
        ErrorKind::Corrupt => {
            ("corrupt", BAD_ARCHIVE, "this is no kolmo file, or it was damaged after it was written; fetch it again or use another copy".into())
        }
        ErrorKind::Truncated => ("truncated", BAD_ARCHIVE, "the end of the file is missing; fetch it again or use another copy".into()),
        ErrorKind::Unsupported if error.to_string().contains("; `kolmo ") => ("unsupported", BAD_ARCHIVE, "use the command that is named".into()),
        ErrorKind::Unsupported => ("unsupported", BAD_ARCHIVE, "a newer version of kolmo may read it".into()),
        ErrorKind::LimitExceeded => ("limit_exceeded", LIMIT, "if you trust the file, raise the limit, e.g. --max-memory 8GiB".into()),
        ErrorKind::InvalidArgument => ("invalid_argument", USAGE, argument_help(&error.to_string()).into()),
        ErrorKind::Io => ("io", IO_OR_BUG, io_help(io_kind(error)).into()),
        ErrorKind::Cancelled => ("cancelled", CANCELLED, String::new()),
        _ => ("bug", IO_OR_BUG, "please report this, with the command that shows it".into()),
    }
}

/// The kind of the `io::Error` at the root of `error`.
fn io_kind(error: &Error) -> io::ErrorKind {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind();
        }
        cause = error.source();
    }
    io::ErrorKind::Other
}

fn io_help(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "check who may read and write there, or choose another -o",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "no space is left; nothing half-written was kept; free some, or choose another -o"
        }
        _ => "nothing half-written was kept; try again, with -v for details",
    }
}

fn argument_help(message: &str) -> &'static str {
    // The library speaks of what is wrong, here stands which words to type; its sentences are tested in tests/cli.rs.
    let next = [
        (" exist", "--force replaces it, -o names another place"),
        ("no file in this folder", "name a folder with files in it"),
        ("the archive holds no", "`kolmo list ARCHIVE` names what it holds"),
        ("say --base", "the base is the file that `compress --base` was given: its name and place may have changed, its bytes may not"),
        ("GPU", "--device cpu, or --device auto, trains without one"),
    ];
    next.iter().find(|(sign, _)| message.contains(sign)).map_or("`kolmo COMMAND --help` shows what can be said", |(_, help)| help)
}
