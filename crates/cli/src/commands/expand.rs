//! `kolmo expand`.

use super::{Session, done};
use crate::args::Expand;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &Expand) -> Result<u8, Failure> {
    let output = match &what.output {
        Some(output) => output.clone(),
        None if what.archive.extension().is_some_and(|extension| extension == "kolmo") => what.archive.with_extension(""),
        None => {
            return Err(Failure::Usage {
                what: format!("{} does not end in .kolmo, so the folder has no name", what.archive.display()),
                help: "say where to write with -o".to_owned(),
            });
        }
    };
    let summary = {
        let mut watcher = session.watch();
        kolmo::expand(&what.archive, &output, &session.expand_options(&what.paths), &mut watcher).map_err(Failure::about(&what.archive))?
    };
    session.result("expand_summary", &summary, |paint| render::expand(&summary, &output.display().to_string(), paint));
    Ok(done())
}
