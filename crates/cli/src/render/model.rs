//! What was done to a user's network.

use kolmo::network::{
    CompressSummary, DataSummary, EvaluateSummary, ExpandSummary, ScoreSummary, ScoresSummary, TrainSummary, TuneSummary, VerifySummary,
};

use super::compress::Page;
use super::{Paint, counted, grouped, shown, span};

/// The page one `model train` leaves behind. With `brief`, its last lines only.
pub(crate) fn train(summary: &TrainSummary, brief: bool, paint: Paint) -> String {
    let mut page = Page::new(paint);
    if !brief {
        images(&mut page, &summary.data);
        page.plain(&format!(
            "{}, {} parameters, {} multiply-accumulates an image",
            paint.strong(&shown(&summary.arch)),
            grouped(summary.parameters as u64),
            grouped(summary.macs)
        ));
        for epoch in &summary.epochs {
            let row = epoch.row;
            page.line(&format!(
                "epoch {:>3}   train {:.4} {:>6.2} %   validation {:.4} {:>6.2} %   {}",
                row.epoch,
                row.train_loss,
                row.train_top1,
                row.validation_loss,
                row.validation_top1,
                span(row.seconds)
            ));
        }
        page.blank();
    }
    page.plain(&format!("top-1 {}   {}", pair(&summary.scores.validation, &summary.scores.test), span(summary.seconds)));
    page.plain(&format!(
        "{} written to {}, loss curve to {}",
        counted(summary.bytes, "byte", "bytes"),
        shown(&summary.output),
        shown(&summary.curve)
    ));
    page.text
}

/// What `model eval` found.
pub(crate) fn evaluate(summary: &EvaluateSummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    images(&mut page, &summary.data);
    page.plain(&format!("{}, {} parameters", paint.strong(&shown(&summary.arch)), grouped(summary.parameters as u64)));
    page.plain(&format!("top-1 {}   {}", pair(&summary.scores.validation, &summary.scores.test), span(summary.seconds)));
    page.text
}

/// The page one `model compress` leaves behind. With `brief`, its last lines only.
pub(crate) fn compress(summary: &CompressSummary, brief: bool, paint: Paint) -> String {
    let mut page = Page::new(paint);
    let table = &summary.table;
    let times = |bytes: u64| if bytes == 0 { "-".to_owned() } else { format!("{:.1}x", table.raw as f64 / bytes as f64) };
    if !brief {
        images(&mut page, &summary.data);
        page.plain(&format!(
            "{}, {} parameters, {} bits, pruned to {:.1} %{}",
            paint.strong(&shown(&summary.arch)),
            grouped(summary.parameters as u64),
            summary.strategy,
            summary.kept_percent,
            if summary.folded { ", BatchNorm folded" } else { "" }
        ));
        page.blank();
        page.plain(&paint.faint(&format!("{:<16} {:>12} {:>9}   {:>12} {:>8}", "", "bytes", "smaller", "validation", "test")));
        let stages = &summary.stages;
        let rows = [
            ("raw", table.raw, Some(&stages.before)),
            ("pruned", table.pruned, Some(&stages.pruned)),
            ("int8, zstd -19", table.int8_zstd, None),
            ("quantised", table.quantised, None),
            ("Huffman", table.huffman, None),
            ("LZ77", table.lz77, None),
            ("range-coded", table.range, Some(&stages.coded)),
            ("tuned", table.tuned, Some(&stages.tuned)),
        ];
        for (name, bytes, scores) in rows {
            let scores = scores.map_or_else(String::new, |scores| format!("{:>10.2} % {:>6.2} %", scores.validation.top1, scores.test.top1));
            page.plain(&format!("{name:<16} {:>12} {:>9}   {scores}", grouped(bytes), times(bytes)));
        }
        page.blank();
        let sizes = &summary.sizes;
        page.plain(&format!(
            "archive: integers {} ({}), steps {}, exact tensors {}, names and digests {}",
            grouped(sizes.integers),
            sizes.coder,
            grouped(sizes.steps),
            grouped(sizes.exact),
            grouped(sizes.frame)
        ));
        let quantised = summary.tensors.iter().filter(|tensor| tensor.bits > 0);
        for tensor in quantised {
            page.line(&format!(
                "{:<28} {:>2} bits   {:>10} of {:>10} not zero   {:>9} bytes",
                shown(&tensor.name),
                tensor.bits,
                grouped(tensor.nonzero as u64),
                grouped(tensor.count as u64),
                grouped(tensor.bytes)
            ));
        }
        page.blank();
    }
    let (before, after) = (&summary.stages.before, &summary.stages.tuned);
    let lost = |before: &ScoreSummary, after: &ScoreSummary| format!("{:+.2}", after.top1 - before.top1);
    page.plain(&format!(
        "{}   {} smaller than 32-bit floats   {}",
        paint.strong(&counted(summary.bytes, "byte", "bytes")),
        times(summary.bytes),
        span(summary.seconds)
    ));
    let verdict = format!(
        "top-1 {} points on validation, {} on test (budget {})",
        lost(&before.validation, &after.validation),
        lost(&before.test, &after.test),
        summary.max_drop
    );
    page.plain(&if summary.within_budget { paint.good(&verdict) } else { paint.bad(&verdict) });
    page.plain(&format!("expanded, equal, measured; written to {}", shown(&summary.archive)));
    page.text
}

/// What `model expand` wrote.
pub(crate) fn expand(summary: &ExpandSummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    page.plain(&format!(
        "{}, {}, {} of them integers times steps   {}",
        paint.strong(&shown(&summary.arch)),
        counted(summary.tensors as u64, "tensor", "tensors"),
        grouped(summary.quantised as u64),
        span(summary.seconds)
    ));
    page.plain(&format!("{} bytes became {}, written to {}", grouped(summary.archive_bytes), grouped(summary.bytes), shown(&summary.output)));
    page.text
}

/// What `model verify` found.
pub(crate) fn verify(summary: &VerifySummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    for difference in &summary.differences {
        page.plain(&format!("{} {}   {}", paint.bad("differs"), shown(&difference.tensor), shown(&difference.reason)));
    }
    let sound = format!("{}, {}: digests hold", shown(&summary.arch), counted(summary.tensors as u64, "tensor", "tensors"));
    page.plain(&paint.good(&sound));
    if summary.equal_tensors > 0 || !summary.differences.is_empty() {
        let equal = format!("{}/{} tensors equal, number by number", grouped(summary.equal_tensors as u64), grouped(summary.tensors as u64));
        page.plain(&if summary.differences.is_empty() { paint.good(&equal) } else { paint.bad(&equal) });
    }
    let both = |scores: &ScoresSummary| pair(&scores.validation, &scores.test);
    if let Some(scores) = &summary.scores {
        page.plain(&format!("archive   top-1 {}", both(scores)));
    }
    if let (Some(scores), Some(same), Some(largest)) = (&summary.against_scores, summary.same_answers, summary.largest_score_difference) {
        page.plain(&format!("other     top-1 {}", both(scores)));
        page.plain(&format!(
            "{} of {} test images get the same class; scores differ by at most {largest:.3e}",
            grouped(same as u64),
            grouped(scores.test.images as u64)
        ));
    }
    page.plain(&span(summary.seconds));
    page.text
}

/// What `model tune` did.
pub(crate) fn tune(summary: &TuneSummary, paint: Paint) -> String {
    let mut page = Page::new(paint);
    images(&mut page, &summary.data);
    let both = |scores: &ScoresSummary| pair(&scores.validation, &scores.test);
    page.plain(&format!("before   top-1 {}   {} bytes", both(&summary.before), grouped(summary.bytes_before)));
    page.plain(&format!("after    top-1 {}   {}", both(&summary.after), paint.strong(&counted(summary.bytes, "byte", "bytes"))));
    page.plain(&format!("written to {}   {}", shown(&summary.archive), span(summary.seconds)));
    page.text
}

/// `90.25 % of 800 validation images, 91.10 % of 2,000 test images`.
fn pair(validation: &ScoreSummary, test: &ScoreSummary) -> String {
    let one = |score: &ScoreSummary, part: &str| format!("{:.2} % of {} {part} images", score.top1, grouped(score.images as u64));
    format!("{}, {}", one(validation, "validation"), one(test, "test"))
}

fn images(page: &mut Page, data: &DataSummary) {
    let colour = if data.channels == 1 { "grey" } else { "colour" };
    page.plain(&format!(
        "{} of {}, {colour} {}x{}: {} to learn from, {} to validate, {} to test ({})",
        counted((data.train + data.validation + data.test) as u64, "image", "images"),
        counted(data.classes.len() as u64, "class", "classes"),
        data.width,
        data.height,
        grouped(data.train as u64),
        grouped(data.validation as u64),
        grouped(data.test as u64),
        if data.given_split { "split as given" } else { "split by digest" }
    ));
    for (what, list) in [("unreadable", &data.unreadable), ("copies", &data.duplicates)] {
        if !list.is_empty() {
            page.line(&format!("{} {what} left out", grouped(list.len() as u64)));
        }
    }
}
