//! What is in an archive, and whether it holds.

use std::fmt::Write as _;

use kolmo::summary::{ExpandSummary, InspectSummary, ItemSummary, VerifySummary};

use super::compress::{Page, sizes};
use super::{Paint, counted, grouped, percent, rate, shown, span};

/// What `expand` wrote.
pub(crate) fn expand(summary: &ExpandSummary, output: &str, paint: Paint) -> String {
    let verified = format!("verified {}/{} files", grouped(summary.verified_files), grouped(summary.files));
    let verified = if summary.verified_files == summary.files { paint.good(&verified) } else { paint.bad(&verified) };
    let mut page = Page::new(paint);
    let speed = if summary.subpixels > 0 && summary.seconds > 0.0 {
        format!("   {:.2} MB of samples a second", summary.subpixels as f64 / summary.seconds / 1e6)
    } else {
        String::new()
    };
    page.plain(&format!("{}   {}{speed}", paint.strong(&counted(summary.file_bytes, "byte", "bytes")), span(summary.seconds)));
    page.plain(&verified);
    page.plain(&format!("written to {}", shown(output)));
    page.text
}

/// What `verify` found.
pub(crate) fn verify(summary: &VerifySummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    let width = summary.differences.iter().map(|difference| shown(&difference.path).chars().count()).max().unwrap_or(0).min(48);
    for difference in &summary.differences {
        page.plain(&format!("{} {:<width$}   {}", paint.bad("differs"), shown(&difference.path), shown(&difference.reason)));
    }
    let verified = format!("verified {}/{} files", grouped(summary.verified_files), grouped(summary.files));
    let verified = if summary.differences.is_empty() { paint.good(&verified) } else { paint.bad(&verified) };
    page.plain(&format!("{verified}   {}", span(summary.seconds)));
    page.text
}

/// The items of an archive, a line each.
pub(crate) fn list(items: &[ItemSummary], long: bool, paint: Paint) -> String {
    let mut text = String::new();
    if !long {
        for item in items {
            let _ = writeln!(text, "{}", shown(&item.path));
        }
        return text;
    }
    let shape = items.iter().map(|item| shown(&item.shape).chars().count()).max().unwrap_or(0).max(5);
    let head = format!("{:>13} {:>13}  {:<8} {:<shape$}  {:<16}  path", "bytes", "coded", "method", "shape", "blake3");
    let _ = writeln!(text, "{}", paint.faint(&head));
    for item in items {
        let coded = item.coded_bytes.map_or_else(|| "shared".to_owned(), grouped);
        let digest: String = item.digest.chars().take(16).collect();
        let _ = writeln!(
            text,
            "{:>13} {:>13}  {:<8} {:<shape$}  {}  {}",
            grouped(item.file_bytes),
            coded,
            shown(&item.method),
            shown(&item.shape),
            paint.faint(&format!("{:<16}", shown(&digest))),
            shown(&item.path)
        );
    }
    let bytes = items.iter().map(|item| item.file_bytes).sum();
    let _ = writeln!(text, "{}", paint.faint(&format!("{:>13} in {}", grouped(bytes), counted(items.len() as u64, "file", "files"))));
    text
}

/// Where each byte of an archive goes.
pub(crate) fn inspect(summary: &InspectSummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    page.plain(&format!(
        "format {}, {}, {}",
        shown(&summary.format),
        if summary.fidelity == "pixels" { "pixels and image facts only" } else { "files byte for byte" },
        counted(summary.blocks, "block", "blocks")
    ));
    page.plain(&format!("{}, {} expanded", counted(summary.files, "file", "files"), counted(summary.file_bytes, "byte", "bytes")));
    sizes(&mut page, &summary.sizes);
    for (place, program) in summary.programs.iter().enumerate() {
        if place == 0 {
            page.blank();
        }
        let own = 8.0 * program.payload_bytes as f64 / program.subpixels as f64;
        page.plain(&format!(
            "{}{}, {} MAC/px, {}, {}",
            paint.strong(&format!("Program {:<7}", shown(&program.group))),
            counted(program.parameters, "parameter", "parameters"),
            grouped(program.macs_per_pixel),
            counted(program.components, "logistic", "logistics"),
            counted(program.spikes, "spike", "spikes")
        ));
        page.line(&format!("{} coded ({})", counted(program.coded_bytes, "byte", "bytes"), shown(&program.coder)));
        page.line(&format!(
            "{} in {} = {} bpsp",
            counted(program.subpixels, "sample", "samples"),
            counted(program.payload_bytes, "byte", "bytes"),
            rate(own)
        ));
    }
    page.blank();
    let whole = if summary.file_bytes == 0 { f64::NAN } else { 100.0 * summary.sizes.total as f64 / summary.file_bytes as f64 };
    let rate = if summary.rate_bpsp > 0.0 { format!("{} bpsp   ", rate(summary.rate_bpsp)) } else { String::new() };
    page.plain(&format!("{}   {rate}{} of the files", paint.strong(&counted(summary.sizes.total, "byte", "bytes")), percent(whole)));
    page.text
}
