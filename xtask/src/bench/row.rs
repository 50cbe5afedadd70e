//! Rows of `benches/rate.csv`, and the table people read.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Columns, in order.
pub(crate) const COLUMNS: [&str; 19] = [
    "date",
    "commit",
    "cpu",
    "threads",
    "set",
    "set_digest",
    "files",
    "subpixels",
    "tool",
    "settings",
    "program_bytes",
    "payload_bytes",
    "total_bytes",
    "bpsp",
    "encode_seconds",
    "decode_mb_per_s",
    "peak_mib",
    "identical",
    "estimate_percent",
];

const SET: usize = 4;
const TOOL: usize = 8;
const SETTINGS: usize = 9;
const PROGRAM: usize = 10;
const TOTAL: usize = 12;
const BPSP: usize = 13;
const ENCODE: usize = 14;
const DECODE: usize = 15;
const PEAK: usize = 16;
const IDENTICAL: usize = 17;
const ESTIMATE: usize = 18;

/// One row: a field a column, empty where it was not measured.
pub(crate) type Row = [String; COLUMNS.len()];

/// Reads a file of rows; a missing one is empty.
///
/// # Errors
/// If its columns are others, or a line is damaged.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<Vec<Row>> {
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, fields(line)));
    if lines.next().is_none_or(|(_, head)| head != COLUMNS) {
        bail!("the first line does not name the columns {}", COLUMNS.join(","));
    }
    lines
        .map(|(number, fields)| fields.try_into().map_err(|fields: Vec<String>| anyhow::anyhow!("line {number} has {} fields", fields.len())))
        .collect()
}

/// Fields of a line, quoted as in RFC 4180 where they hold a comma or a quote. No field holds a line break.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, quoted) {
            ('"', true) if signs.peek() == Some(&'"') => fields.last_mut().into_iter().for_each(|field| field.push('"')),
            ('"', _) => {
                quoted = !quoted;
                continue;
            }
            (',', false) => {
                fields.push(String::new());
                continue;
            }
            (sign, _) => {
                fields.last_mut().into_iter().for_each(|field| field.push(sign));
                continue;
            }
        }
        signs.next();
    }
    fields
}

fn line(fields: &[impl AsRef<str>]) -> String {
    let quote = |field: &str| if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.replace('\n', " ") };
    fields.iter().map(|field| quote(field.as_ref())).collect::<Vec<_>>().join(",")
}

/// Puts new rows in place of old ones of the same set, tool (whatever its version) and settings, sorted by these.
pub(crate) fn merge(rows: &mut Vec<Row>, new: Vec<Row>) {
    let name = |row: &Row| row[TOOL].split(' ').next().unwrap_or_default().to_owned();
    let key = |row: &Row| (row[SET].clone(), name(row), row[SETTINGS].clone());
    rows.retain(|row| new.iter().all(|new| key(new) != key(row)));
    rows.extend(new);
    rows.sort_by_key(key);
}

/// The file's text.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text = line(&COLUMNS) + "\n";
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

/// A table a set, best rate first.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text =
        String::from("# Rates\n\nWritten by `cargo xtask bench rate` from [rate.csv](rate.csv); [README.md](README.md) explains the columns.\n");
    let mut sets: Vec<&str> = rows.iter().map(|row| row[SET].as_str()).collect();
    sets.dedup();
    for set in sets {
        let mut rows: Vec<&Row> = rows.iter().filter(|row| row[SET] == set).collect();
        rows.sort_by(|one, two| rate(one).total_cmp(&rate(two)));
        let Some(first) = rows.first() else { continue };
        text.push_str(&format!("\n## {set}\n\n{} images, {} subpixels, fingerprint `{:.16}`\n\n", first[6], first[7], first[5]));
        text.push_str("| tool | settings | total bytes | bpsp | program share | estimate | encode s | decode MB/s | peak MiB | identical | conditions |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---|---|\n");
        for row in rows {
            let share = match (row[PROGRAM].parse::<f64>(), row[TOTAL].parse::<f64>()) {
                (Ok(program), Ok(total)) if total > 0.0 => format!("{:.2} %", program / total * 100.0),
                _ => String::new(),
            };
            let conditions = format!("{}, {} threads, {}, {}", row[2], row[3], row[0], row[1]);
            let estimate = if row[ESTIMATE].is_empty() { String::new() } else { format!("{} %", row[ESTIMATE]) };
            let head = [&row[TOOL], &row[SETTINGS], &row[TOTAL], &row[BPSP], &share, &estimate];
            let cells = head.into_iter().chain([&row[ENCODE], &row[DECODE], &row[PEAK], &row[IDENTICAL], &conditions]);
            let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    text
}

fn rate(row: &Row) -> f64 {
    row[BPSP].parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(set: &str, tool: &str, settings: &str, total: &str, bpsp: &str) -> Row {
        let mut row = Row::default();
        row[SET] = set.into();
        row[TOOL] = tool.into();
        row[SETTINGS] = settings.into();
        row[TOTAL] = total.into();
        row[BPSP] = bpsp.into();
        row
    }

    #[test]
    fn rows_are_written_and_read_back() {
        let rows = vec![row("a", "x", "one, \"two\"", "5", "1.0"), row("b", "", "\"", "", "")];
        assert_eq!(parse(&csv(&rows)).unwrap(), rows);
        assert!(csv(&rows).contains("\"one, \"\"two\"\"\""));
    }

    #[test]
    fn damaged_files_are_refused() {
        assert!(parse("date,commit\n").unwrap_err().to_string().contains("name the columns"));
        let error = parse(&format!("{}a,b\n", csv(&[]))).unwrap_err().to_string();
        assert_eq!(error, "line 2 has 2 fields");
        assert_eq!(read(Path::new("no-such-file.csv")).unwrap(), Vec::<Row>::new());
    }

    #[test]
    fn new_rows_take_the_place_of_old_ones() {
        let mut rows = vec![row("b", "jxl 0.9", "e7", "5", "2"), row("a", "jxl 0.9", "e7", "5", "2")];
        merge(&mut rows, vec![row("b", "jxl 0.11", "e7", "4", "1.5"), row("b", "jxl 0.11", "e9", "4", "1.5")]);
        let short: Vec<_> = rows.iter().map(|row| (row[SET].as_str(), row[TOOL].as_str(), row[SETTINGS].as_str())).collect();
        assert_eq!(short, [("a", "jxl 0.9", "e7"), ("b", "jxl 0.11", "e7"), ("b", "jxl 0.11", "e9")]);
    }

    #[test]
    fn tables_begin_with_the_best_rate() {
        let mut best = row("a", "kolmo", "default", "200", "1.5");
        best[PROGRAM] = "10".into();
        best[ESTIMATE] = "-0.20".into();
        let text = markdown(&[row("a", "png", "as | stored", "300", "2.5"), best]);
        let kolmo = text.find("| kolmo | default | 200 | 1.5 | 5.00 % | -0.20 % |").unwrap();
        assert!(kolmo < text.find("| png | as \\| stored |").unwrap(), "{text}");
    }
}
