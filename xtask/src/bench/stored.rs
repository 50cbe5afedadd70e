//! The files as they are.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::rival::{Measured, Rival, median};
use super::set::Set;
use crate::picture::Picture;

/// Image files as stored, decoded by the crate `png`.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) repeat: usize,
}

impl Rival for Stored {
    fn name(&self) -> &'static str {
        "png"
    }

    fn missing(&self) -> Option<String> {
        None
    }

    fn measure(&self, set: &Set, _: &Path) -> Result<Vec<Measured>> {
        let mut timings = Vec::new();
        for _ in 0..self.repeat {
            let start = Instant::now();
            for image in &set.images {
                Picture::read(&image.bytes)?;
            }
            timings.push(start.elapsed().as_secs_f64());
        }
        let bytes = set.images.iter().map(|image| image.bytes.len() as u64).sum();
        let mut kinds: Vec<String> = set.images.iter().filter_map(|image| Some(image.path.rsplit_once('.')?.1.to_ascii_lowercase())).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Ok(vec![Measured {
            tool: kinds.join("+"),
            settings: "as stored".to_owned(),
            threads: 1,
            program_bytes: None,
            estimate_percent: None,
            payload_bytes: bytes,
            total_bytes: bytes,
            encode_seconds: None,
            decode_seconds: median(&mut timings),
            peak_bytes: None,
            identical: "yes".to_owned(),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::set::tests::small_set;

    #[test]
    fn the_files_are_counted() {
        let (_data, set) = small_set();
        let measured = Stored { repeat: 2 }.measure(&set, Path::new("unused")).unwrap();
        let bytes: u64 = (0..3).map(|number| std::fs::metadata(set.folder.join(format!("{number}.png"))).unwrap().len()).sum();
        assert_eq!((measured[0].total_bytes, measured[0].tool.as_str()), (bytes, "png"));
        assert!(measured[0].decode_seconds.unwrap() > 0.0);
    }
}
