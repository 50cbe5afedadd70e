//! `kolmo compress`.

use super::{Session, done, output_or_beside};
use crate::args::{Coding, Compress};
use crate::exit::Failure;
use crate::render::{self, Detail};

pub(super) fn run(session: &Session<'_>, what: &Compress) -> Result<u8, Failure> {
    let archive = output_or_beside(what.output.as_ref(), &what.input, "kolmo")?;
    let mut options = session.compress_options((!what.no_learn).then_some(&what.learning), what.pixels);
    options.program.clone_from(&what.program);
    options.base.clone_from(&what.base);
    options.coding = match what.coding {
        Coding::Auto => None,
        Coding::Direct => Some(kolmo::options::Method::Direct),
        Coding::Adaptive => Some(kolmo::options::Method::Adaptive),
    };
    options.dry_run = what.dry_run;
    let summary = {
        let mut watcher = session.watch();
        kolmo::compress(&what.input, &archive, &options, &mut watcher).map_err(Failure::about(&what.input))?
    };
    let detail = match (session.global.quiet, what.explain) {
        (true, _) => Detail::Brief,
        (false, true) => Detail::Explained,
        (false, false) => Detail::Steps,
    };
    session.result("compress_summary", &summary, |paint| render::compress(&summary, detail, paint));
    Ok(done())
}
