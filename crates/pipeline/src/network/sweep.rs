//! The curve of size and accuracy: as a table, as CSV, as SVG.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::summary::{CandidateSummary, CompressSummary};

/// `<prefix>.txt`, `<prefix>.csv`, `<prefix>.svg`.
pub(super) fn files(prefix: &Path) -> [PathBuf; 3] {
    ["txt", "csv", "svg"].map(|extension| {
        let mut name = prefix.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    })
}

/// Contents of the three files.
pub(super) fn draw(summary: &CompressSummary) -> [String; 3] {
    [table(summary), csv(summary), svg(summary)]
}

fn table(summary: &CompressSummary) -> String {
    let mut text = format!(
        "{} ({} strategy): {:.2} % of the validation images and {:.2} % of the test images right at first\n\n{:>10} {:>8} {:>12} {:>12} {:>8}  \n",
        summary.arch,
        summary.strategy,
        summary.stages.before.validation.top1,
        summary.stages.before.test.top1,
        "bytes",
        "smaller",
        "validation %",
        "test %",
        ""
    );
    for candidate in &summary.candidates {
        let test = candidate.test.map_or_else(|| "-".to_owned(), |test| format!("{:.2}", test.top1));
        let _ = writeln!(
            text,
            "{:>10} {:>7.1}x {:>12.2} {:>12} {:>8}",
            candidate.bytes,
            summary.table.raw as f64 / candidate.bytes as f64,
            candidate.validation.top1,
            test,
            if candidate.tuned { "tuned" } else { "rounded" }
        );
    }
    text
}

fn csv(summary: &CompressSummary) -> String {
    let mut text = "bytes,times_smaller,nonzero,tuned,validation_top1,validation_loss,test_top1\n".to_owned();
    for candidate in &summary.candidates {
        let test = candidate.test.map_or_else(String::new, |test| format!("{:.4}", test.top1));
        let _ = writeln!(
            text,
            "{},{:.3},{},{},{:.4},{:.6},{test}",
            candidate.bytes,
            summary.table.raw as f64 / candidate.bytes as f64,
            candidate.nonzero,
            candidate.tuned,
            candidate.validation.top1,
            candidate.validation.loss
        );
    }
    text
}

/// Size of the drawing and its margins.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 48.0;

fn svg(summary: &CompressSummary) -> String {
    let sizes = || summary.candidates.iter().map(|candidate| candidate.bytes as f64);
    let (small, large) = (sizes().fold(f64::INFINITY, f64::min).max(1.0) * 0.9, sizes().fold(2.0, f64::max) * 1.1);
    let top = summary.stages.before.validation.top1.max(summary.candidates.iter().map(|c| c.validation.top1).fold(0.0, f64::max)) + 0.5;
    // what lies far below the budget says nothing
    let floor = summary.stages.before.validation.top1 - 4.0 * summary.max_drop.max(0.5) - 2.0;
    let lowest = summary.candidates.iter().map(|c| c.validation.top1).fold(top - 1.0, f64::min);
    let bottom = lowest.max(floor) - 0.5;
    let x = |bytes: f64| LEFT + (bytes / small).ln() / (large / small).ln() * (WIDTH - LEFT - RIGHT);
    let y = |top1: f64| HEIGHT - BOTTOM - ((top1 - bottom) / (top - bottom)).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}: validation top-1 (%) by archive size (kB, logarithmic)</text>\n",
        summary.arch
    );
    let budget = summary.stages.before.validation.top1 - summary.max_drop;
    for (level, colour, name) in [(summary.stages.before.validation.top1, "#888", "as given"), (budget, "#c33", "budget")] {
        let height = y(level);
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{height:.1}\" y2=\"{height:.1}\" stroke=\"{colour}\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\" text-anchor=\"end\">{name} {level:.2}</text>",
            WIDTH - RIGHT,
            WIDTH - RIGHT,
            height - 4.0
        );
    }
    for step in 0..=4 {
        let top1 = bottom + (top - bottom) * f64::from(step) / 4.0;
        let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{top1:.1}</text>", LEFT - 8.0, y(top1) + 4.0);
        let bytes = small * (large / small).powf(f64::from(step) / 4.0);
        let anchor = if step == 4 { "end" } else { "middle" };
        let _ =
            writeln!(text, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{:.1}</text>", x(bytes), HEIGHT - BOTTOM + 20.0, bytes / 1000.0);
    }
    let _ = writeln!(text, "<path d=\"M{LEFT} {TOP}V{:.1}H{:.1}\" fill=\"none\" stroke=\"black\"/>", HEIGHT - BOTTOM, WIDTH - RIGHT);
    let dot = |candidate: &CandidateSummary| {
        let fill = if candidate.tuned { "#26a" } else { "none" };
        format!(
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"#26a\"><title>{} bytes, {:.2} %</title></circle>",
            x(candidate.bytes as f64),
            y(candidate.validation.top1),
            candidate.bytes,
            candidate.validation.top1
        )
    };
    for candidate in &summary.candidates {
        let _ = writeln!(text, "{}", dot(candidate));
    }
    let _ = writeln!(
        text,
        "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"#26a\" stroke=\"#26a\"/><text x=\"{:.1}\" y=\"{:.1}\">tuned</text>\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"none\" stroke=\"#26a\"/><text x=\"{:.1}\" y=\"{:.1}\">rounded only</text>",
        LEFT + 8.0,
        HEIGHT - 10.0,
        LEFT + 18.0,
        HEIGHT - 6.0,
        LEFT + 80.0,
        HEIGHT - 10.0,
        LEFT + 90.0,
        HEIGHT - 6.0
    );
    text.push_str("</svg>\n");
    text
}
