//! `kolmo model expand`.

use kolmo::network;

use super::Session;
use crate::args::model::ModelExpand;
use crate::commands::done;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &ModelExpand) -> Result<u8, Failure> {
    let output = what.output.clone().unwrap_or_else(|| what.archive.with_extension("safetensors"));
    let summary = network::expand(&what.archive, &output, session.global.force, &session.limits()).map_err(Failure::about(&what.archive))?;
    session.result("model_expand_summary", &summary, |paint| render::model::expand(&summary, paint));
    Ok(done())
}
