//! Stdout: results as text or as JSON Lines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::json;

/// Where results go. Clones share one memory of whether stdout still takes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl Output {
    /// Writes `text` as it is and flushes it. After a failure nothing more is written; [`Output::finish`] tells.
    pub(crate) fn text(&self, text: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            let mut stdout = io::stdout().lock();
            *failed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).err();
        }
    }

    /// Writes one JSON line.
    pub(crate) fn json<T: Serialize>(&self, kind: &str, body: &T) {
        match json::line(kind, body) {
            Ok(line) => self.text(&(line + "\n")),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| io::Error::other(error));
            }
        }
    }

    /// What writing came to. A reader that went away (`kolmo list x.kolmo | head`) has what it wanted and is no failure.
    ///
    /// # Errors
    /// The first failure of a write.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}
