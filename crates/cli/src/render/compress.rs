//! The five steps of `compress`, and what `train` and `tune` share with them.

use std::collections::HashSet;
use std::fmt::Write as _;

use kolmo::summary::{
    ArchiveSizes, BaseSummary, CompressSummary, JpegSummary, KindsSummary, NamedReason, NumbersSummary, PreprocessSummary, ProgramSummary,
    SplitRates, TrainSummary,
};

use super::{Paint, counted, grouped, percent, rate, share, shown, span, symbols};

/// Names shown before "and N more".
const NAMED: usize = 4;
/// Width of the number and name of a step.
const MARGIN: usize = 16;
/// Column at which the time of a step ends.
const WIDTH: usize = 96;

/// How much of a page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Its last lines only.
    Brief,
    /// The five steps.
    Steps,
    /// What was considered and not chosen too.
    Explained,
}

/// The page one `compress` leaves behind.
pub(crate) fn compress(summary: &CompressSummary, detail: Detail, paint: Paint) -> String {
    let mut page = Page::new(paint);
    if detail != Detail::Brief {
        preprocess(&mut page, &summary.preprocess);
        generate(&mut page, &summary.programs);
        if detail == Detail::Explained {
            kinds(&mut page, &summary.kinds);
            candidates(&mut page, &summary.programs);
        }
        coders(&mut page, &summary.programs);
        expand(&mut page, summary);
        numbers(&mut page, &summary.numbers);
        jpegs(&mut page, &summary.jpeg);
        tune(&mut page, &summary.programs);
        sizes(&mut page, &summary.sizes);
    }
    page.blank();
    let rate = if summary.preprocess.subpixels == 0 { String::new() } else { format!("{} bpsp   ", rate(summary.rate_bpsp)) };
    page.plain(&format!(
        "{}   {rate}{} of the input   {}",
        paint.strong(&counted(summary.sizes.total, "byte", "bytes")),
        percent(summary.percent_of_input),
        span(summary.seconds)
    ));
    let files = summary.preprocess.files;
    if summary.estimate {
        page.plain("an estimate: nothing was written");
    } else {
        let verified = format!("verified {}/{} files", grouped(summary.verified_files), grouped(files));
        let verified = if summary.verified_files == files { paint.good(&verified) } else { paint.bad(&verified) };
        let what = if summary.fidelity == "pixels" { "   (pixels and image facts; not the bytes of the files around them)" } else { "" };
        page.plain(&format!("{verified}{what}"));
        if let Some(base) = &summary.base {
            page.plain(&format!("needs {} to expand: keep it, and name it with --base", base_file(base)));
        }
        page.plain(&format!("written to {}", shown(&summary.archive)));
    }
    page.text
}

/// Name, size and the first digits of the digest of a base.
pub(super) fn base_file(base: &BaseSummary) -> String {
    let digits: String = base.blake3.chars().take(12).collect();
    format!("{} ({}, BLAKE3 {digits}...)", shown(&base.name), counted(base.bytes, "byte", "bytes"))
}

/// The page one `train` or `tune` leaves behind. With `brief`, its last lines only.
pub(crate) fn train(summary: &TrainSummary, brief: bool, paint: Paint) -> String {
    let mut page = Page::new(paint);
    if !brief {
        preprocess(&mut page, &summary.preprocess);
        generate(&mut page, &summary.programs);
        coders(&mut page, &summary.programs);
        tune(&mut page, &summary.programs);
    }
    page.blank();
    page.plain(&format!("{}   {}", paint.strong(&counted(summary.bytes, "byte", "bytes")), span(summary.seconds)));
    page.plain(&format!("written to {}", shown(&summary.output)));
    page.text
}

/// Lines under numbered steps.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) paint: Paint,
}

impl Page {
    pub(super) const fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    /// First line of a step, its time at the right.
    fn step(&mut self, number: u8, name: &str, text: &str, seconds: Option<f64>) {
        self.blank();
        let head = format!(" {} {}", self.paint.faint(&number.to_string()), self.paint.strong(name));
        let gap = " ".repeat(MARGIN.saturating_sub(3 + name.len()).max(1));
        let _ = write!(self.text, "{head}{gap}{text}");
        if let Some(seconds) = seconds {
            let time = span(seconds);
            let gap = WIDTH.saturating_sub(MARGIN + text.chars().count() + time.len()).max(3);
            let _ = write!(self.text, "{}{}", " ".repeat(gap), self.paint.faint(&time));
        }
        self.text.push('\n');
    }

    /// A further line of a step, faint words wrapped by the caller.
    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}{text}", " ".repeat(MARGIN));
    }

    /// A line of its own.
    pub(super) fn plain(&mut self, text: &str) {
        let _ = writeln!(self.text, " {text}");
    }

    pub(super) fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

fn preprocess(page: &mut Page, summary: &PreprocessSummary) {
    let text = if summary.images == 0 && summary.jpegs > 0 {
        format!("{}, {}", counted(summary.files, "file", "files"), counted(summary.file_bytes, "byte", "bytes"))
    } else if summary.images == 0 {
        format!("{}, {}, no image among them", counted(summary.files, "file", "files"), counted(summary.file_bytes, "byte", "bytes"))
    } else {
        format!(
            "{}, {}; {}, {}",
            counted(summary.files, "file", "files"),
            counted(summary.file_bytes, "byte", "bytes"),
            counted(summary.images, "image", "images"),
            counted(summary.subpixels, "sample", "samples")
        )
    };
    page.step(1, "preprocess", &text, Some(summary.seconds));
    if summary.jpegs > 0 {
        page.line(&format!("{:<10}{:>9}   coefficients are coded, not pixels", "JPEG", grouped(summary.jpegs)));
    }
    for group in &summary.groups {
        page.line(&format!(
            "{:<10}{:>9}   train {}, validation {}, test {}{}",
            shown(&group.layout),
            grouped(group.images),
            grouped(group.train),
            grouped(group.validation),
            grouped(group.test),
            page.paint.faint(&spread(&group.mean, &group.deviation)),
        ));
    }
    named(page, "copies", "stored once", summary.duplicates.iter());
    named(page, "outliers", "kept, not learned from", summary.outliers.iter());
    named(page, "unreadable", "kept the general way, not learned from", summary.unreadable.iter());
    let unreadable: HashSet<&str> = summary.unreadable.iter().map(|named| named.path.as_str()).collect();
    named(page, "general", "not images a Program codes", summary.general.iter().filter(|named| !unreadable.contains(named.path.as_str())));
    if summary.general_but_pixels_would_learn > 0 {
        let images = summary.general_but_pixels_would_learn;
        let text = format!(
            "{}{} whose file bytes cannot be rebuilt from samples yet; --pixels would learn {}",
            " ".repeat(12),
            counted(images, "is an image", "are images"),
            if images == 1 { "it" } else { "them" }
        );
        page.line(&text);
    }
}

/// `   mean 72.9 ± 90.1`, a pair a channel.
fn spread(mean: &[f64], deviation: &[f64]) -> String {
    if mean.is_empty() || mean.len() != deviation.len() {
        return String::new();
    }
    let pairs: Vec<_> = mean.iter().zip(deviation).map(|(mean, deviation)| format!("{mean:.1} ± {deviation:.1}")).collect();
    format!("   mean {}", pairs.join(", "))
}

fn named<'a>(page: &mut Page, what: &str, meaning: &str, names: impl Iterator<Item = &'a NamedReason> + Clone) {
    let count = names.clone().count();
    if count == 0 {
        return;
    }
    page.line(&format!("{what:<10}{:>9}   {meaning}", grouped(count as u64)));
    for NamedReason { path, reason } in names.take(NAMED) {
        let reason = if reason.is_empty() { String::new() } else { format!("   {}", shown(reason)) };
        page.line(&format!("{}{}{}", " ".repeat(22), shown(path), page.paint.faint(&reason)));
    }
    if count > NAMED {
        let more = format!("and {} more (--json names all)", grouped((count - NAMED) as u64));
        page.line(&format!("{}{}", " ".repeat(22), page.paint.faint(&more)));
    }
}

fn generate(page: &mut Page, programs: &[ProgramSummary]) {
    if programs.is_empty() {
        page.step(2, "generate", "nothing learned", None);
        return;
    }
    let seconds = programs.iter().map(|program| program.seconds).sum();
    for (place, program) in programs.iter().enumerate() {
        let size = format!(
            "{}{}, {} MAC/px",
            symbols(&program.group, program.bit_depth, &program.colour),
            counted(program.parameters, "parameter", "parameters"),
            grouped(program.macs_per_pixel)
        );
        let way = match program.stopped.as_str() {
            "given" => "given".to_owned(),
            "built-in" => format!("built in: {}", shown(program.prior.as_deref().unwrap_or_default())),
            "done" => counted(program.steps, "step", "steps"),
            why => format!("{} of {} steps, {}", grouped(program.steps), grouped(program.planned_steps), shown(&why.replace('_', " "))),
        };
        let device = if program.device.is_empty() { String::new() } else { format!("   {}", shown(&program.device)) };
        // A Program that was never made has no size to tell.
        let (first, second) = if program.parameters > 0 { (size, Some(way)) } else { (way, None) };
        headed(page, 2, "generate", place, &format!("{:<10}{first}", label(program)), Some(seconds));
        if let Some(way) = second {
            let images = if program.kind > 0 { format!("   {}", counted(program.images, "image", "images")) } else { String::new() };
            page.line(&format!("{:<10}{way}{}{images}", "", page.paint.faint(&device)));
        }
        if !program.kept {
            let reason = if program.reason.is_empty() { String::new() } else { format!(": {}", shown(&program.reason)) };
            page.line(&format!("{:<10}not kept{reason}", ""));
        }
    }
}

/// What a group is called: its layout, and the number of its kind if the layout has several.
fn label(program: &ProgramSummary) -> String {
    if program.kind == 0 { shown(&program.group) } else { format!("{}-{}", shown(&program.group), program.kind) }
}

/// Kinds of images that were told apart, or not: the bytes of one Program and of one for each, by counts and after a look.
fn kinds(page: &mut Page, kinds: &[KindsSummary]) {
    for group in kinds {
        let head = format!("kinds, by {}", shown(&group.order));
        page.line(&format!("{:<10}{head:<41}{:>13}{:>13}", shown(&group.group), "estimated", "a look"));
        for estimate in &group.estimates {
            let images: Vec<String> = estimate.images.iter().map(|&images| grouped(images)).collect();
            let name = format!("{:<41}", format!("{}: {} images", counted(estimate.programs, "Program", "Programs"), images.join(" + ")));
            let looked = estimate.looked_bytes.map_or_else(|| "-".to_owned(), grouped);
            page.line(&format!(
                "{:<10}{}{:>13}{looked:>13}{}",
                "",
                if estimate.chosen { page.paint.strong(&name) } else { name },
                grouped(estimate.estimated_bytes),
                if estimate.chosen { "   chosen" } else { "" }
            ));
        }
        page.line(&format!("{:<10}{}", "", page.paint.faint(&shown(&group.reason))));
    }
}

/// Every way of coding a group that was looked at: the bytes of its Program, of Program and samples as judged from a part, and as they are.
fn candidates(page: &mut Page, programs: &[ProgramSummary]) {
    for program in programs.iter().filter(|program| !program.candidates.is_empty()) {
        page.line(&format!("{:<10}{:<32}{:>9}{:>13}{:>13}", label(program), "ways", "program", "estimated", "real"));
        for way in &program.candidates {
            let real = way.real_bytes.map_or_else(|| "-".to_owned(), grouped);
            let name = format!("{:<32}", shown(&way.way));
            page.line(&format!(
                "{:<10}{}{:>9}{:>13}{real:>13}{}",
                "",
                if way.chosen { page.paint.strong(&name) } else { name },
                grouped(way.program_bytes),
                grouped(way.estimated_bytes),
                if way.chosen { "   chosen" } else { "" }
            ));
        }
    }
}

fn coders(page: &mut Page, programs: &[ProgramSummary]) {
    let coded: Vec<_> = programs.iter().filter(|program| program.sizes.raw > 0).collect();
    if coded.is_empty() {
        page.step(3, "compress", "no Program", None);
        return;
    }
    page.step(3, "compress", &format!("{:<10}{:>10}{:>11}{:>11}{:>11}   kept", "bytes", "raw", "huffman", "lz77", "range"), None);
    for program in coded {
        let sizes = &program.sizes;
        let column = |name: &str, bytes: u64, width: usize| {
            let text = format!("{:>width$}", grouped(bytes));
            if sizes.kept == name { page.paint.strong(&text) } else { text }
        };
        page.line(&format!(
            "{:<10}{}{}{}{}   {}",
            label(program),
            column("raw", sizes.raw, 10),
            column("huffman", sizes.huffman, 11),
            column("lz77", sizes.lz77, 11),
            column("range", sizes.range, 11),
            match sizes.prior {
                Some(1) => "the built-in one, in a byte".to_owned(),
                Some(bytes) => format!("{}   {}", shown(&sizes.kept), page.paint.faint(&format!("changes of the built-in one {}", grouped(bytes)))),
                None => shown(&sizes.kept),
            }
        ));
    }
}

fn expand(page: &mut Page, summary: &CompressSummary) {
    let coding = &summary.coding;
    let seconds = coding.encode_seconds + coding.verify_seconds;
    let verified = if summary.estimate {
        "not written, not verified".to_owned()
    } else {
        format!("verified {}/{} files", grouped(summary.verified_files), grouped(summary.preprocess.files))
    };
    if coding.subpixels == 0 {
        page.step(4, "expand", &verified, Some(seconds));
        return;
    }
    let overhead = 100.0 * (coding.payload_bytes as f64 / coding.ideal_bytes - 1.0);
    let text = format!(
        "ideal {}, coded {}, overhead {}",
        counted(coding.ideal_bytes.max(0.0).round() as u64, "byte", "bytes"),
        grouped(coding.payload_bytes),
        percent(overhead)
    );
    page.step(4, "expand", &text, Some(seconds));
    let way = |program: &ProgramSummary| match program.referring {
        0 => format!("{} {}", label(program), shown(&program.coding)),
        referring => format!("{} {}, {} given another", label(program), shown(&program.coding), counted(referring, "image", "images")),
    };
    let ways: Vec<String> = summary.programs.iter().filter(|program| program.kept).map(way).collect();
    if summary.programs.iter().any(|program| program.kept && program.coding != "direct") {
        page.line(&format!("coding: {}", ways.join(", ")));
    }
    page.line(&format!(
        "{verified}   {}",
        page.paint.faint(&format!("encode {}, expand and compare {}", span(coding.encode_seconds), span(coding.verify_seconds)))
    ));
}

/// What became of checkpoints and arrays.
fn numbers(page: &mut Page, numbers: &NumbersSummary) {
    if numbers.files == 0 {
        return;
    }
    let ways = [
        ("against the base", numbers.against_base),
        ("plane by plane", numbers.as_numbers),
        ("by zstd", numbers.by_zstd),
        ("stored", numbers.stored),
    ];
    let ways: Vec<String> =
        ways.into_iter().filter(|&(_, bytes)| bytes > 0).map(|(way, bytes)| format!("{} {way}", share(bytes, numbers.bytes))).collect();
    recoded(page, "numbers", numbers.files, [numbers.bytes, numbers.coded_bytes], &ways.iter().map(|way| way.trim()).collect::<Vec<_>>().join(", "));
}

/// A line of files that are coded in a way of their own: how many, their bytes before and after, and which way.
fn recoded(page: &mut Page, name: &str, files: u64, [bytes, coded_bytes]: [u64; 2], way: &str) {
    page.line(&format!(
        "{name:<9} {:>9}, {} -> {} bytes ({})   {}",
        counted(files, "file", "files"),
        grouped(bytes),
        grouped(coded_bytes),
        percent(100.0 * coded_bytes as f64 / bytes.max(1) as f64),
        page.paint.faint(way)
    ));
}

/// What became of JPEG files.
fn jpegs(page: &mut Page, jpegs: &JpegSummary) {
    if jpegs.files == 0 {
        return;
    }
    let way = match jpegs.as_bytes {
        0 => "coefficients coded anew".to_owned(),
        kept => format!("coefficients coded anew; {}", counted(kept, "file stays as it is", "files stay as they are")),
    };
    recoded(page, "JPEG", jpegs.files, [jpegs.bytes, jpegs.coded_bytes], &way);
}

fn tune(page: &mut Page, programs: &[ProgramSummary]) {
    let measured = |program: &&ProgramSummary| [program.rates.float, program.rates.quantised, program.rates.tuned].iter().any(is_measured);
    let measured: Vec<_> = programs.iter().filter(measured).collect();
    if measured.is_empty() {
        page.step(5, "tune", "no Program", None);
        return;
    }
    page.step(5, "tune", &format!("{:<10}{:<12}{:>8}{:>13}{:>8}", "bpsp", "", "train", "validation", "test"), None);
    for program in measured {
        let mut group = label(program);
        for (state, rates) in [("float", program.rates.float), ("quantised", program.rates.quantised), ("tuned", program.rates.tuned)] {
            if is_measured(&rates) {
                page.line(&format!("{group:<10}{state:<12}{:>8}{:>13}{:>8}", rate(rates.train), rate(rates.validation), rate(rates.test)));
                group.clear();
            }
        }
    }
}

/// A Program that was given has no rates: all are NaN, or all zero as at first.
fn is_measured(rates: &SplitRates) -> bool {
    [rates.train, rates.validation, rates.test].iter().any(|rate| rate.is_finite() && *rate > 0.0)
}

/// Where the bytes go, largest first, nothing that is nothing.
pub(super) fn sizes(page: &mut Page, sizes: &ArchiveSizes) {
    page.blank();
    let mut parts = [
        ("payload", sizes.payload, "samples, coded by Programs"),
        ("programs", sizes.programs, ""),
        ("index", sizes.index, "names, shapes, fingerprints"),
        ("recipes", sizes.recipes, "what rebuilds files from samples"),
        ("general", sizes.general, "files stored the general way"),
        ("frame", sizes.frame, "header, digests"),
    ];
    parts.sort_by_key(|&(_, bytes, _)| std::cmp::Reverse(bytes));
    for (place, (name, bytes, meaning)) in parts.into_iter().filter(|&(_, bytes, _)| bytes > 0).enumerate() {
        let head = if place == 0 { "   bytes of" } else { "" };
        let text = format!("{name:<10}{:>15}{:>9}", grouped(bytes), share(bytes, sizes.total));
        let meaning = if meaning.is_empty() { String::new() } else { page.paint.faint(&format!("   {meaning}")) };
        let _ = writeln!(page.text, "{head:<MARGIN$}{text}{meaning}");
    }
}

fn headed(page: &mut Page, number: u8, name: &str, place: usize, text: &str, seconds: Option<f64>) {
    if place == 0 {
        page.step(number, name, text, seconds);
    } else {
        page.line(text);
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
