//! `bench network`: a network made small, strategy by strategy, into a file of rows and a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use super::{kolmo, table};
use crate::{child, workspace};

/// What to make small, and how.
#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// Name of the rows, for example `resnet20-cifar10`.
    name: String,
    /// The network: .safetensors, .pt, .pth or .th.
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Labelled images.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Points of validation top-1 that may be lost.
    #[arg(long, value_name = "POINTS", default_value_t = 0.5)]
    max_drop: f64,
    /// Strategies to compare.
    #[arg(long, value_delimiter = ',', default_value = "fixed,greedy,dynamic")]
    strategies: Vec<String>,
    /// kolmo to run, instead of building it.
    #[arg(long, value_name = "FILE")]
    kolmo: Option<PathBuf>,
    /// Folder of network.csv and network.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
    /// Further arguments of `kolmo model compress`.
    #[arg(last = true)]
    further: Vec<String>,
}

/// What a bench needs of the line `model_compress_summary`.
#[derive(Debug, Deserialize)]
struct Summary {
    schema: u32,
    arch: String,
    parameters: u64,
    within_budget: bool,
    table: Table,
    stages: Stages,
    bytes: u64,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Table {
    raw: u64,
    int8_zstd: u64,
    pruned: u64,
    quantised: u64,
    huffman: u64,
    lz77: u64,
    range: u64,
    tuned: u64,
}

#[derive(Debug, Deserialize)]
struct Stages {
    before: Scores,
    pruned: Scores,
    coded: Scores,
    tuned: Scores,
}

#[derive(Debug, Deserialize)]
struct Scores {
    validation: Score,
    test: Score,
}

#[derive(Debug, Deserialize)]
struct Score {
    images: u64,
    top1: f64,
}

/// Columns of `network.csv`, in order.
const COLUMNS: [&str; 27] = [
    "date",
    "commit",
    "cpu",
    "name",
    "strategy",
    "settings",
    "arch",
    "parameters",
    "max_drop",
    "within_budget",
    "raw_bytes",
    "int8_zstd_bytes",
    "pruned_bytes",
    "quantised_bytes",
    "huffman_bytes",
    "lz77_bytes",
    "range_bytes",
    "tuned_bytes",
    "validation_images",
    "validation_before",
    "validation_tuned",
    "test_images",
    "test_before",
    "test_pruned",
    "test_coded",
    "test_tuned",
    "seconds",
];
const NAME: usize = 3;
const STRATEGY: usize = 4;
const SETTINGS: usize = 5;
const RAW: usize = 10;

/// Measures and writes the rows, a strategy at a time.
///
/// # Errors
/// If kolmo does not build, or does not make the network small.
pub(crate) fn run(args: &NetworkArgs) -> Result<()> {
    let root = workspace::root()?;
    let program = args.kolmo.clone().map_or_else(|| kolmo::build(&root), Ok)?;
    let out = root.join(&args.out);
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let [csv, text] = ["network.csv", "network.md"].map(|name| out.join(name));
    let mut rows = table::read(&csv, &COLUMNS)?;
    for strategy in &args.strategies {
        let row = measure(args, &program, strategy, &root)?;
        println!("{}: {strategy}: {} bytes of {}, test top-1 {} (before {})", args.name, row[17], row[RAW], row[25], row[22]);
        rows.retain(|old| [NAME, STRATEGY, SETTINGS].iter().any(|&column| old[column] != row[column]));
        rows.push(row);
        rows.sort_by(|a, b| (&a[NAME], &a[SETTINGS], &a[STRATEGY]).cmp(&(&b[NAME], &b[SETTINGS], &b[STRATEGY])));
        table::write(&csv, &COLUMNS, &rows)?;
        std::fs::write(&text, markdown(&rows)).with_context(|| format!("{} cannot be written", text.display()))?;
    }
    Ok(())
}

fn measure(args: &NetworkArgs, program: &Path, strategy: &str, root: &Path) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let archive = scratch.path().join("network.kolmo");
    let mut command = Command::new(program);
    command.args(["model", "compress", "--json", "--strategy", strategy, "--max-drop", &args.max_drop.to_string(), "--data"]);
    command.arg(&args.data).arg(&args.network).arg("-o").arg(&archive).args(&args.further);
    let outcome = child::measure_success(&mut command)?;
    let summary = summary(&String::from_utf8(outcome.stdout).context("kolmo's output is not UTF-8")?)?;
    let on_disk = std::fs::metadata(&archive).context("there is no archive")?.len();
    if summary.bytes != on_disk || summary.table.tuned != on_disk {
        bail!("kolmo says {} bytes, the archive has {on_disk}", summary.bytes);
    }
    // A fresh process expands it and finds every number again.
    let back = scratch.path().join("back.safetensors");
    child::measure_success(Command::new(program).args(["model", "expand", "-q"]).arg(&archive).arg("-o").arg(&back))?;
    child::measure_success(Command::new(program).args(["model", "verify", "-q"]).arg(&archive).arg("--against").arg(&back))?;
    Ok(row(args, strategy, &summary, root))
}

fn summary(output: &str) -> Result<Summary> {
    let line = output.lines().rev().find(|line| line.contains("\"type\":\"model_compress_summary\"")).context("kolmo printed no summary")?;
    let summary: Summary = serde_json::from_str(line).context("kolmo's summary is not what this bench knows")?;
    if summary.schema != 1 {
        bail!("kolmo speaks schema {}, this bench knows 1", summary.schema);
    }
    Ok(summary)
}

fn row(args: &NetworkArgs, strategy: &str, summary: &Summary, root: &Path) -> Vec<String> {
    let (table, stages) = (&summary.table, &summary.stages);
    let top1 = |score: &Score| format!("{:.2}", score.top1);
    let row = [
        workspace::today(),
        workspace::commit(root),
        workspace::cpu(),
        args.name.clone(),
        strategy.to_owned(),
        args.further.join(" "),
        summary.arch.clone(),
        summary.parameters.to_string(),
        args.max_drop.to_string(),
        summary.within_budget.to_string(),
        table.raw.to_string(),
        table.int8_zstd.to_string(),
        table.pruned.to_string(),
        table.quantised.to_string(),
        table.huffman.to_string(),
        table.lz77.to_string(),
        table.range.to_string(),
        table.tuned.to_string(),
        stages.before.validation.images.to_string(),
        top1(&stages.before.validation),
        top1(&stages.tuned.validation),
        stages.before.test.images.to_string(),
        top1(&stages.before.test),
        top1(&stages.pruned.test),
        top1(&stages.coded.test),
        top1(&stages.tuned.test),
        format!("{:.0}", summary.seconds),
    ];
    // A field of this file holds neither comma nor line break.
    row.map(|field| field.replace([',', '\n'], ";")).to_vec()
}

/// What others have published, with where it is from. Other networks, other sets: no comparison but of kind.
const PUBLISHED: &str = "\
## As published

Other networks on ImageNet, as their authors report them; nothing of this was run here.

| method | network | result | source |
|---|---|---|---|
| Deep Compression: pruning, shared weights, Huffman | AlexNet | 240 MB to 6.9 MB, 35x, no loss of accuracy | Han et al. 2016, abstract |
| | VGG-16 | 552 MB to 11.3 MB, 49x, no loss of accuracy | same |
| DeepCABAC: rate-distortion quantisation, context-adaptive range coding | VGG-16 | 63.6x, 8.7 MB, no loss of accuracy | Wiedemann et al. 2019, abstract |
| NNC (ISO/IEC 15938-17), which NNCodec implements | several | \"more than 97 %\" saved (33x) without degrading accuracy | Kirchhoffer et al. 2022, abstract |
";

/// A table a network: what each step makes of it.
fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::from(
        "# Networks made small\n\nWritten by `cargo xtask bench network` from [network.csv](network.csv). Sizes are bytes of the whole network, \
         everything counted; behind them how many times smaller than 32-bit floats. *int8 + zstd* is the network as given, weights as 8 bits with a step an output \
         channel, by `zstd -19`. Huffman, LZ77 and range are the three coders on the same integers; *tuned* is the archive that was written.\n",
    );
    let mut names: Vec<(&str, &str)> = rows.iter().map(|row| (row[NAME].as_str(), row[SETTINGS].as_str())).collect();
    names.dedup();
    for (name, settings) in names {
        let own: Vec<&Vec<String>> = rows.iter().filter(|row| row[NAME] == name && row[SETTINGS] == settings).collect();
        let Some(first) = own.first() else { continue };
        let _ = writeln!(
            text,
            "\n## {name}\n\n{}, {} parameters; {} validation and {} test images; `--max-drop {}{}{settings}`\n",
            first[6],
            first[7],
            first[18],
            first[21],
            first[8],
            if settings.is_empty() { "" } else { " " }
        );
        text.push_str("| strategy | raw | int8 + zstd | pruned | quantised | Huffman | LZ77 | range | tuned | test top-1 before / pruned / coded / tuned | validation before / tuned |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
        for row in own {
            let raw: f64 = row[RAW].parse().unwrap_or(f64::NAN);
            let sizes: Vec<String> = row[RAW..RAW + 8]
                .iter()
                .map(|bytes| bytes.parse::<f64>().map_or_else(|_| bytes.clone(), |size| format!("{bytes} ({:.1}x)", raw / size)))
                .collect();
            let missed = if row[9] == "true" { "" } else { ", budget missed" };
            let _ = writeln!(
                text,
                "| {}{missed} | {} | {} / {} / {} / {} | {} / {} |",
                row[STRATEGY],
                sizes.join(" | "),
                row[22],
                row[23],
                row[24],
                row[25],
                row[19],
                row[20]
            );
        }
    }
    text + "\n" + PUBLISHED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(strategy: &str) -> Vec<String> {
        let mut row: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
        row[STRATEGY] = strategy.to_owned();
        for (column, bytes) in (RAW..RAW + 8).zip([1000u32, 300, 500, 200, 150, 180, 100, 50]) {
            row[column] = bytes.to_string();
        }
        row[9] = "true".to_owned();
        row
    }

    #[test]
    fn the_table_shows_ratios() {
        let table = markdown(&[sample("dynamic"), sample("fixed")]);
        assert!(table.contains("50 (20.0x)") && table.contains("| dynamic |") && table.contains("63.6x"), "{table}");
    }

    #[test]
    fn the_summary_is_found_among_events() {
        let score = r#"{"images":10,"right":9,"top1":90.0,"loss":0.3}"#;
        let scores = format!(r#"{{"validation":{score},"test":{score}}}"#);
        let line = format!(
            r#"{{"type":"model_compress_summary","schema":1,"arch":"small","parameters":5,"within_budget":true,"table":{{"raw":20,"int8_zstd":9,"pruned":10,"quantised":8,"huffman":7,"lz77":8,"range":6,"tuned":5}},"stages":{{"before":{scores},"pruned":{scores},"coded":{scores},"tuned":{scores}}},"bytes":5,"seconds":1.5}}"#
        );
        let found = summary(&format!("{{\"type\":\"event\"}}\n{line}\n")).unwrap();
        assert_eq!((found.bytes, found.table.int8_zstd, found.stages.tuned.test.images), (5, 9, 10));
        assert!(summary("{}").is_err());
    }
}
