//! Summaries as people read them.

mod archive;
mod compress;
pub(crate) mod model;
mod number;
mod paint;
mod tensors;

pub(crate) use archive::{expand, inspect, list, verify};
pub(crate) use compress::{Detail, compress, train};
pub(crate) use number::{clock, grouped, percent, rate, share, short, span};
pub(crate) use paint::Paint;
pub(crate) use tensors::{tensor, tensors};

/// A name from a file system or an archive with nothing in it that a terminal would obey.
pub(crate) fn shown(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        // Controls move cursors and colours, the others reorder or hide the text around them.
        if letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') {
            text.extend(letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// How many bits a Program's symbols have, if samples have 16: `13-bit symbols, `; nothing for other layouts.
pub(crate) fn symbols(layout: &str, bit_depth: u64, colour: &str) -> String {
    if layout.ends_with("16") {
        format!("{bit_depth}-bit symbols, ")
    } else if colour.is_empty() {
        String::new()
    } else {
        format!("{colour}, ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_command_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\n.png"), "a\\u{1b}[31m\\n.png");
        assert_eq!(shown("gnp.\u{202e}exe"), "gnp.\\u{202e}exe");
        assert_eq!(shown("Grüße/東京.png"), "Grüße/東京.png");
    }
}
