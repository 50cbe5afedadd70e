//! Programs in files: a `.kprog` is an archive of Programs without items; any archive's Programs can be read the same way.

use std::path::Path;

use kolmo_codec::container::{Fidelity, Reader, RecipeBook, Writer};
use kolmo_codec::limits::Limits;
use kolmo_codec::program::Program;
use kolmo_codec::weights::CodedProgram;
use kolmo_data::layout::Layout;

use crate::error::Error;
use crate::output::Output;

/// The Programs of a `.kprog` or `.kolmo` file.
pub(crate) fn read(file: &Path, limits: &Limits) -> Result<Vec<(Layout, Program)>, Error> {
    let reader = open(file, limits)?;
    let programs = kolmo_verify::expand::programs(&reader, limits, &mut reader.budget()).map_err(|error| match error {
        kolmo_verify::Error::Archive(source) => Error::codec(file)(source),
        other => other.into(),
    })?;
    if programs.is_empty() {
        return Err(Error::InvalidArgument { what: format!("{}: this archive holds no Program", file.display()) });
    }
    Ok(programs)
}

/// Opens an archive.
pub(crate) fn open(file: &Path, limits: &Limits) -> Result<Reader<std::fs::File>, Error> {
    let input = std::fs::File::open(file).map_err(Error::io("read", file))?;
    Reader::open(input, limits).map_err(Error::codec(file))
}

/// Writes a `.kprog` and gives back its size.
pub(crate) fn write(programs: &[(Layout, CodedProgram)], mut out: Output) -> Result<u64, Error> {
    let target = out.target().to_path_buf();
    let coded: Vec<(u8, &CodedProgram)> = programs.iter().map(|(layout, program)| (layout.code(), program)).collect();
    let writer = Writer::new(std::io::BufWriter::new(out.file()), Fidelity::Files, &coded).map_err(Error::codec(&target))?;
    let (_, sizes) = writer.finish(vec![], &RecipeBook::default(), 0).map_err(Error::codec(&target))?;
    out.persist()?;
    Ok(sizes.total)
}
