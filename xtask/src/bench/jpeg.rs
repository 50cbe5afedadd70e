//! `bench jpeg`: folders of JPEG files, kolmo beside JPEG XL's recompression, zstd and xz; writes benches/jpeg.md.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use super::kolmo;
use super::rate::data_folder;
use super::raw_tar::RawTar;
use super::rival::{Rival as _, script_missing};
use super::set::first_difference;
use crate::{child, fingerprint, workspace};

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct JpegArgs {
    /// Folders of JPEG files below the data folder.
    #[arg(default_values_t = ["jpeg100".to_owned(), "cifar10_jpeg".to_owned()])]
    sets: Vec<String>,
    /// Folders of other images, of which JPEG files are made first.
    #[arg(long, value_name = "SET,...", value_delimiter = ',', default_values_t = ["photos100".to_owned(), "kodak8".to_owned(), "wiki_photos".to_owned()])]
    made_of: Vec<String>,
    /// libjpeg's quality of these.
    #[arg(long, default_value_t = 85)]
    quality: u8,
    /// Folder that holds the sets [default: ../shared/data if there is one, else what `dataset fetch` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Python that has imagecodecs and pillow.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Folder of jpeg.md.
    #[arg(long, value_name = "DIR", default_value = "benches")]
    out: PathBuf,
}

/// One tool on one set.
#[derive(Debug)]
struct Row {
    set: String,
    files: usize,
    bytes: u64,
    tool: String,
    coded_bytes: u64,
    encode_seconds: f64,
    decode_seconds: f64,
}

/// Measures every set by every tool.
///
/// # Errors
/// If a set is missing, a tool fails, or anything that came back is not what went in.
pub(crate) fn run(args: &JpegArgs) -> Result<()> {
    let root = workspace::root()?;
    let data = data_folder(args.data.as_deref(), &root)?;
    let program = kolmo::build(&root)?;
    let script = root.join("xtask/jpeg_rival.py");
    let missing = script_missing(&args.python, &script);
    if let Some(why) = &missing {
        println!("JPEG XL, and sets that are made, are left out: {why}");
    }
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut sets: Vec<(String, PathBuf)> = args.sets.iter().map(|set| (set.clone(), data.join(set))).collect();
    for set in args.made_of.iter().filter(|_| missing.is_none()) {
        let made = scratch.path().join(set);
        let quality = args.quality.to_string();
        child::measure_success(Command::new(&args.python).arg(&script).arg(data.join(set)).arg("--make").arg(&made).args(["--quality", &quality]))?;
        sets.push((format!("{set}, quality {quality}"), made));
    }
    let mut rows = Vec::new();
    for (name, folder) in &sets {
        let paths = fingerprint::paths(folder)?;
        let mut bytes = 0;
        for path in &paths {
            bytes += std::fs::metadata(folder.join(path)).with_context(|| format!("{path} cannot be read"))?.len();
        }
        println!("{name}: {} files, {bytes} bytes", paths.len());
        let mut tools = vec![measure_kolmo(&program, folder, scratch.path())?];
        if missing.is_none() {
            tools.push(measure_jxl(&args.python, &script, folder)?);
        }
        for (program, level) in [("xz", &["-9"][..]), ("zstd", &["-q", "-19", "--long=27"])] {
            let rival = RawTar { program, level, repeat: 1 };
            if rival.missing().is_none() {
                tools.push(measure_tar(&rival, folder, &paths, scratch.path())?);
            }
        }
        for (tool, coded_bytes, encode_seconds, decode_seconds) in tools {
            let row = Row { set: name.clone(), files: paths.len(), bytes, tool, coded_bytes, encode_seconds, decode_seconds };
            println!("  {}", line(&row));
            rows.push(row);
        }
    }
    let out = root.join(&args.out).join("jpeg.md");
    std::fs::write(&out, page(&root, &rows)).with_context(|| format!("{} cannot be written", out.display()))?;
    println!("written to {}", out.display());
    Ok(())
}

/// Tool, bytes, seconds there and back.
type Measured = (String, u64, f64, f64);

fn measure_kolmo(program: &Path, folder: &Path, scratch: &Path) -> Result<Measured> {
    let (archive, back) = (scratch.join("x.kolmo"), scratch.join("back"));
    let encode = child::measure_success(Command::new(program).args(["compress", "--json", "--force", "-o"]).arg(&archive).arg(folder))?;
    let decode = child::measure_success(Command::new(program).args(["expand", "--json", "-o"]).arg(&back).arg(&archive))?;
    if let Some(difference) = first_difference(folder, &back)? {
        bail!("{}: what came back is not what went in: {difference}", folder.display());
    }
    std::fs::remove_dir_all(&back).with_context(|| format!("{} cannot be removed", back.display()))?;
    let bytes = std::fs::metadata(&archive).context("the archive cannot be read")?.len();
    Ok(("kolmo".to_owned(), bytes, encode.seconds, decode.seconds))
}

/// What `xtask/jpeg_rival.py` prints.
#[derive(Debug, Deserialize)]
struct Line {
    tool: String,
    total_bytes: u64,
    encode_seconds: f64,
    decode_seconds: f64,
    identical: bool,
}

fn measure_jxl(python: &Path, script: &Path, folder: &Path) -> Result<Measured> {
    let outcome = child::measure_success(Command::new(python).arg(script).arg(folder))?;
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let line: Line = serde_json::from_str(&text).with_context(|| format!("jpeg_rival.py said `{text}`"))?;
    if !line.identical {
        bail!("{} does not give {} back", line.tool, folder.display());
    }
    Ok((line.tool, line.total_bytes, line.encode_seconds, line.decode_seconds))
}

/// A general-purpose compressor on one tar of the files.
fn measure_tar(rival: &RawTar, folder: &Path, paths: &[String], scratch: &Path) -> Result<Measured> {
    let tar = scratch.join("set.tar");
    let file = File::create(&tar).with_context(|| format!("{} cannot be written", tar.display()))?;
    let mut builder = tar::Builder::new(BufWriter::new(file));
    builder.mode(tar::HeaderMode::Deterministic);
    for path in paths {
        builder.append_path_with_name(folder.join(path), path).with_context(|| path.clone())?;
    }
    builder.into_inner().and_then(|writer| writer.into_inner().map_err(std::io::IntoInnerError::into_error)).context("the tar cannot be written")?;
    let packed = rival.pack(&tar, "one tar", scratch)?;
    let seconds = |measured: Option<f64>| measured.context("it was timed");
    Ok((format!("{} {}", packed.tool, packed.settings), packed.total_bytes, seconds(packed.encode_seconds)?, seconds(packed.decode_seconds)?))
}

fn percent(row: &Row) -> f64 {
    100.0 * row.coded_bytes as f64 / row.bytes as f64
}

fn line(row: &Row) -> String {
    format!("{:<44} {:>10} bytes {:>7.2} %  {:>6.1} s, {:.1} s back", row.tool, row.coded_bytes, percent(row), row.encode_seconds, row.decode_seconds)
}

fn page(root: &Path, rows: &[Row]) -> String {
    let mut text = format!(
        "# JPEG files\n\nWritten by `cargo xtask bench jpeg` on {}, {}, {} threads, commit {}. kolmo's bytes are those of the whole archive; encoding includes the proof that every file comes back, and \
         decoding is `kolmo expand`; both are wall times of processes. JPEG XL recompresses losslessly, file by file, on one thread, in memory (`xtask/jpeg_rival.py`). Sets of a quality were made of the PNG files by Pillow (libjpeg-turbo, chroma halved both ways). \
         Everything that came back was compared.\n\n| set | files | bytes | tool | coded bytes | % | encode s | decode s |\n|---|---:|---:|---|---:|---:|---:|---:|\n",
        workspace::today(),
        workspace::cpu(),
        workspace::cores(),
        workspace::commit(root)
    );
    for row in rows {
        let Row { set, files, bytes, tool, coded_bytes, encode_seconds, decode_seconds } = row;
        text.push_str(&format!(
            "| {set} | {files} | {bytes} | {tool} | {coded_bytes} | {:.1} | {encode_seconds:.1} | {decode_seconds:.1} |\n",
            percent(row)
        ));
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_tar_of_files_is_measured_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jpg"), [7; 5000]).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let gzip = RawTar { program: "gzip", level: &["-9"], repeat: 1 };
        let (tool, bytes, ..) = measure_tar(&gzip, folder.path(), &["a.jpg".to_owned()], scratch.path()).unwrap();
        assert!(tool.starts_with("gzip") && tool.ends_with("-9; one tar") && (50..1000).contains(&bytes), "{tool}: {bytes} bytes");
        let error = measure_tar(&gzip, folder.path(), &["b.jpg".to_owned()], scratch.path()).unwrap_err();
        assert!(error.to_string().contains("b.jpg"), "{error}");
    }

    #[test]
    fn rows_tell_what_is_left() {
        let row = Row { set: "s".into(), files: 2, bytes: 1000, tool: "t".into(), coded_bytes: 754, encode_seconds: 1.0, decode_seconds: 0.25 };
        assert!(page(Path::new("."), &[row]).ends_with("| s | 2 | 1000 | t | 754 | 75.4 | 1.0 | 0.2 |\n"));
    }
}
