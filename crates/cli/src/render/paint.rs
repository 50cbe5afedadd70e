//! Weight and colour of text, or none.

use std::io::{self, IsTerminal};

use crate::args::Colour;

/// Wraps text in terminal codes, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    coloured: bool,
}

impl Paint {
    /// For results on stdout.
    pub(crate) fn stdout(choice: Colour) -> Self {
        Self { coloured: wanted(choice, &io::stdout()) }
    }

    /// For words on stderr.
    pub(crate) fn stderr(choice: Colour) -> Self {
        Self { coloured: wanted(choice, &io::stderr()) }
    }

    /// Plain text.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { coloured: false }
    }

    /// Whether codes are written.
    pub(crate) const fn coloured(self) -> bool {
        self.coloured
    }

    /// What matters most.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What may be skipped.
    pub(crate) fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// What went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What needs a look.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn wanted(choice: Colour, stream: &impl IsTerminal) -> bool {
    let filled = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => stream.is_terminal() && !filled("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    }
}
