//! `kolmo list`.

use super::{Session, done};
use crate::args::List;
use crate::exit::Failure;
use crate::render;

pub(super) fn run(session: &Session<'_>, what: &List) -> Result<u8, Failure> {
    if what.tensors {
        return tensors(session, what);
    }
    let items = kolmo::list(&what.archive, &session.limits()).map_err(Failure::about(&what.archive))?;
    if session.global.json {
        for item in &items {
            session.output.json("item", item);
        }
    } else {
        session.output.text(&render::list(&items, what.long, session.paint));
    }
    Ok(done())
}

fn tensors(session: &Session<'_>, what: &List) -> Result<u8, Failure> {
    let tensors = kolmo::tensors(&what.archive, what.base.as_deref(), &session.limits()).map_err(Failure::about(&what.archive))?;
    if session.global.json {
        for tensor in &tensors {
            session.output.json("tensor", tensor);
        }
    } else {
        session.output.text(&render::tensors(&tensors, session.paint));
    }
    Ok(done())
}
