//! Image coders by way of Python's imagecodecs, where their programs are not installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::rival::{Measured, Rival, script_missing};
use super::set::{Image, Set};

/// One codec of `xtask/rivals.py`.
#[derive(Debug)]
pub(crate) struct ImageCodecs {
    pub(crate) name: &'static str,
    pub(crate) script: PathBuf,
    pub(crate) threads: usize,
    pub(crate) repeat: usize,
}

/// A line of the script.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    schema: u32,
    tool: String,
    settings: String,
    threads: usize,
    total_bytes: u64,
    encode_seconds: f64,
    decode_seconds: f64,
    images: u64,
    wrong: u64,
}

impl Rival for ImageCodecs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn missing(&self) -> Option<String> {
        script_missing(Path::new("python3"), &self.script)
    }

    fn measure(&self, set: &Set, scratch: &Path) -> Result<Vec<Measured>> {
        // Deep samples are handed over as PNG, whatever held them.
        let deep = set.is_deep();
        let path = |(number, image): (usize, &Image)| if deep { format!("{number}.png") } else { image.path.clone() };
        let paths: Vec<String> = set.images.iter().enumerate().map(path).collect();
        let folder = if deep { scratch } else { &set.folder };
        for (image, path) in set.images.iter().zip(&paths).filter(|_| deep) {
            image.picture.write(&folder.join(path))?;
        }
        let mut command = Command::new("python3");
        command.arg(&self.script).arg(folder);
        command.args(["--run", self.name, "--threads", &self.threads.to_string(), "--repeat", &self.repeat.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("python3 cannot be started")?;
        // Dropping the pipe ends the script's input; it prints nothing before that.
        child.stdin.take().context("stdin was asked for")?.write_all(paths.join("\n").as_bytes()).context("rivals.py does not listen")?;
        let output = child.wait_with_output().context("rivals.py cannot be waited for")?;
        if !output.status.success() {
            bail!("rivals.py ended with {}", output.status);
        }
        let rows: Vec<Measured> = String::from_utf8_lossy(&output.stdout).lines().map(read).collect::<Result<_>>()?;
        if rows.is_empty() {
            bail!("rivals.py measured nothing");
        }
        Ok(rows)
    }
}

fn read(text: &str) -> Result<Measured> {
    let line: Line = serde_json::from_str(text).with_context(|| format!("rivals.py said `{text}`"))?;
    if (line.kind.as_str(), line.schema) != ("rival", 1) {
        bail!("rivals.py said `{text}`, which is no rival of schema 1");
    }
    // Some coders drop what full transparency hides; their size is a fact, but no lossless one.
    let identical = if line.wrong == 0 { "yes".to_owned() } else { format!("no: {} of {} differ", line.wrong, line.images) };
    Ok(Measured {
        tool: line.tool,
        settings: line.settings,
        threads: line.threads,
        program_bytes: None,
        estimate_percent: None,
        payload_bytes: line.total_bytes,
        total_bytes: line.total_bytes,
        encode_seconds: Some(line.encode_seconds),
        decode_seconds: Some(line.decode_seconds),
        peak_bytes: None,
        identical,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"type":"rival","schema":1,"tool":"jxl (x)","settings":"e 7","threads":1,"total_bytes":12,"encode_seconds":1.5,"decode_seconds":0.5,"images":3,"wrong":0}"#;

    #[test]
    fn lines_of_the_script_are_read() {
        let row = read(LINE).unwrap();
        assert_eq!((row.total_bytes, row.identical.as_str(), row.encode_seconds), (12, "yes", Some(1.5)));
        assert_eq!(read(&LINE.replace("\"wrong\":0", "\"wrong\":2")).unwrap().identical, "no: 2 of 3 differ");
        assert!(read("Traceback").is_err());
        assert!(read(&LINE.replace("\"schema\":1", "\"schema\":2")).unwrap_err().to_string().contains("schema 1"));
    }

    #[test]
    fn a_script_that_is_not_there_is_said() {
        let codecs = ImageCodecs { name: "jxl", script: "no-such-script.py".into(), threads: 1, repeat: 1 };
        assert!(codecs.missing().is_some());
    }
}
