//! `kolmo verify`.

use super::{Session, done};
use crate::args::Verify;
use crate::exit::{self, Failure};
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &Verify) -> Result<u8, Failure> {
    let summary = {
        let mut watcher = session.watch();
        kolmo::verify(&what.archive, what.folder.as_deref(), &session.expand_options(&[], what.base.as_ref()), &mut watcher)
            .map_err(Failure::about(&what.archive))?
    };
    session.result("verify_summary", &summary, |paint| render::verify(&summary, paint));
    Ok(if summary.differences.is_empty() { done() } else { exit::DIFFERENCE })
}
