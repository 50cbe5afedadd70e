//! Coded blocks that wait for their place in an archive: in memory while they are small, else in a file without a name.

use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use kolmo_codec::block::Method;
use tempfile::SpooledTempFile;

use crate::ascending::Ascending;
use crate::coding::CodedBlock;
use crate::error::Error;

/// Bytes that are kept in memory, of each of perhaps many groups: what is written to a file and read back soon costs a copy.
const MEMORY_BYTES: usize = 8 << 20;

/// What is known of a block besides its bytes.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) method: Method,
    pub(crate) bytes: u64,
    pub(crate) digest: [u8; 16],
    /// Items that begin in it.
    pub(crate) items: Ascending,
}

/// Blocks, in order.
#[derive(Debug)]
pub(crate) struct Spool {
    file: SpooledTempFile,
    /// The folder it is in once it is a file.
    folder: PathBuf,
    places: Vec<Waiting>,
    bytes: u64,
}

impl Spool {
    /// For a file in `folder`, where the archive will be too: there is room for it, or there is none for either.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { file: tempfile::spooled_tempfile_in(MEMORY_BYTES, folder), folder: folder.to_path_buf(), places: Vec::new(), bytes: 0 }
    }

    pub(crate) fn push(&mut self, block: CodedBlock<Method>) -> Result<(), Error> {
        self.file.write_all(&block.bytes).map_err(Error::io("write a temporary file in", &self.folder))?;
        self.bytes += block.bytes.len() as u64;
        self.places.push(Waiting {
            method: block.coding,
            bytes: block.bytes.len() as u64,
            digest: block.digest,
            items: Ascending::new(&block.items),
        });
        Ok(())
    }

    pub(crate) fn places(&self) -> &[Waiting] {
        &self.places
    }

    /// Of all blocks.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands out every block with its bytes, in order.
    pub(crate) fn each(mut self, mut sink: impl FnMut(&Waiting, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let failed = || Error::io("read back a temporary file in", &self.folder);
        self.file.seek(SeekFrom::Start(0)).map_err(failed())?;
        let mut input = BufReader::new(self.file);
        let mut bytes = Vec::new();
        for place in &self.places {
            bytes.resize(place.bytes as usize, 0);
            input.read_exact(&mut bytes).map_err(failed())?;
            sink(place, &bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for size in [10usize, MEMORY_BYTES / 3] {
            let mut spool = Spool::new(folder.path());
            for number in 0..5usize {
                let block =
                    CodedBlock { coding: Method::Direct, bytes: vec![number as u8; size + number], digest: [number as u8; 16], items: vec![number] };
                spool.push(block).expect("room");
            }
            assert_eq!(spool.bytes(), 5 * size as u64 + 10);
            let mut seen = 0;
            let each = spool.each(|place, bytes| {
                assert!(bytes.len() == size + seen && bytes.iter().all(|&byte| byte == seen as u8), "{seen}");
                assert_eq!((place.digest, &place.items), ([seen as u8; 16], &Ascending::new(&[seen])));
                seen += 1;
                Ok(())
            });
            each.expect("read back");
            assert_eq!(seen, 5);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");
    }
}
