//! `kolmo expand`.

use super::{Session, done};
use crate::args::Expand;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &Expand) -> Result<u8, Failure> {
    for path in &what.paths {
        if kolmo::names_tensor(&what.archive, path, &session.limits()).map_err(Failure::about(&what.archive))? {
            return tensor(session, what);
        }
    }
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
        kolmo::expand(&what.archive, &output, &session.expand_options(&what.paths, what.base.as_ref()), &mut watcher)
            .map_err(Failure::about(&what.archive))?
    };
    session.result("expand_summary", &summary, |paint| render::expand(&summary, &output.display().to_string(), paint));
    Ok(done())
}

/// One tensor to one file.
fn tensor(session: &Session<'_>, what: &Expand) -> Result<u8, Failure> {
    let ([name], Some(output)) = (what.paths.as_slice(), &what.output) else {
        return Err(Failure::Usage {
            what: "a tensor is written alone, to a file".to_owned(),
            help: "name one tensor and say where to write with -o FILE (.npy for NumPy, any other name for the bare bytes)".to_owned(),
        });
    };
    let summary = {
        let _watcher = session.watch();
        kolmo::expand_tensor(&what.archive, name, output, &session.expand_options(&[], what.base.as_ref())).map_err(Failure::about(&what.archive))?
    };
    session.result("tensor", &summary, |paint| render::tensor(&summary, &output.display().to_string(), paint));
    Ok(done())
}
