//! `kolmo inspect`.

use super::{Session, done};
use crate::args::Inspect;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &Inspect) -> Result<u8, Failure> {
    let summary = kolmo::inspect(&what.archive, &session.limits()).map_err(Failure::about(&what.archive))?;
    session.result("inspect_summary", &summary, |paint| render::inspect(&summary, paint));
    Ok(done())
}
