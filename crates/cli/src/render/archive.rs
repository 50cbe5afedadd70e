//! What is in an archive, and whether it holds.

use std::fmt::Write as _;

use kolmo::summary::{ExpandSummary, InspectProgram, InspectSummary, ItemSummary, VerifySummary};

use super::compress::{Page, base_file, sizes};
use super::{Paint, counted, grouped, percent, rate, shown, span, symbols};

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
    let head = format!("{:>13} {:>13}  {:<8} {:<shape$}  path", "bytes", "coded", "method", "shape");
    let _ = writeln!(text, "{}", paint.faint(&head));
    for item in items {
        let _ = writeln!(
            text,
            "{:>13} {:>13}  {:<8} {:<shape$}  {}",
            item.file_bytes.map_or_else(|| "-".to_owned(), grouped),
            item.coded_bytes.map_or_else(|| "shared".to_owned(), grouped),
            shown(&item.method),
            shown(&item.shape),
            shown(&item.path)
        );
    }
    let files = counted(items.len() as u64, "file", "files");
    // An archive does not know how long an image's file will be once it is rebuilt.
    let bytes: Option<u64> = items.iter().map(|item| item.file_bytes).sum();
    let total = bytes.map_or_else(|| format!("{:>13} {files}", ""), |bytes| format!("{:>13} in {files}", grouped(bytes)));
    let _ = writeln!(text, "{}", paint.faint(&total));
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
    for base in &summary.bases {
        page.plain(&format!("needs {} to expand (--base)", base_file(base)));
    }
    sizes(&mut page, &summary.sizes);
    for (place, program) in summary.programs.iter().enumerate() {
        let others = |programs: &[InspectProgram]| programs.iter().filter(|other| other.group == program.group).count();
        let number = others(&summary.programs[..=place]);
        let name = if others(&summary.programs) > 1 { format!("{}-{number}", shown(&program.group)) } else { shown(&program.group) };
        if place == 0 {
            page.blank();
        }
        let own = 8.0 * program.payload_bytes as f64 / program.subpixels as f64;
        page.plain(&format!(
            "{}{}{}, {} MAC/px, {}, {}{}",
            paint.strong(&format!("Program {name:<6} ")),
            symbols(&program.group, program.bit_depth, &program.colour),
            counted(program.parameters, "parameter", "parameters"),
            grouped(program.macs_per_pixel),
            counted(program.components, "logistic", "logistics"),
            counted(program.spikes, "spike", "spikes"),
            if program.hats > 0 { format!(", {} hats along each axis", program.hats) } else { String::new() }
        ));
        page.line(&format!("{} coded ({})", counted(program.coded_bytes, "byte", "bytes"), shown(&program.coder)));
        page.line(&format!(
            "{}{} in {} = {} bpsp",
            if program.images > 0 { format!("{}, ", counted(program.images, "image", "images")) } else { String::new() },
            counted(program.subpixels, "sample", "samples"),
            counted(program.payload_bytes, "byte", "bytes"),
            rate(own)
        ));
        if program.expected_mb_per_s > 0.0 {
            let speed = format!("{:.1} MB/s expected of a core with AVX-512", program.expected_mb_per_s);
            page.line(&format!("{} coding, {}", shown(&program.coding), paint.faint(&speed)));
        }
    }
    page.blank();
    let whole = if summary.file_bytes == 0 { f64::NAN } else { 100.0 * summary.sizes.total as f64 / summary.file_bytes as f64 };
    let rate = if summary.rate_bpsp > 0.0 { format!("{} bpsp   ", rate(summary.rate_bpsp)) } else { String::new() };
    page.plain(&format!("{}   {rate}{} of the files", paint.strong(&counted(summary.sizes.total, "byte", "bytes")), percent(whole)));
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_says_what_is_known() {
        let picture = ItemSummary { path: "a.png".into(), method: "program".into(), shape: "rgb8 32x32".into(), ..ItemSummary::default() };
        let text =
            ItemSummary { path: "b\n.txt".into(), file_bytes: Some(1234), coded_bytes: Some(77), method: "general".into(), ..ItemSummary::default() };
        let page = list(&[picture, text.clone()], true, Paint::plain());
        let lines: Vec<_> = page.lines().map(str::trim).collect();
        assert_eq!(lines[1], "-        shared  program  rgb8 32x32  a.png");
        assert_eq!(lines[2], format!("1,234            77  {:<8} {:<10}  {}", "general", "", "b\\n.txt"));
        assert_eq!(lines[3], "2 files");
        let page = list(&[text], true, Paint::plain());
        assert!(page.contains("1,234 in 1 file"), "{page}");
    }
}
