//! Steps 2 and 5: where the façade meets `kolmo_model`.

use kolmo_codec::program::Program;
use kolmo_data::layout::Image;
use kolmo_data::split::Part;

use crate::error::Error;
use crate::observe::Observer;
use crate::options::{LearnOptions, StopFlag};
use crate::summary::ProgramSummary;

/// A Program and how it came about. Sizes and whether it is kept are filled in by the caller.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) program: Program,
    pub(crate) summary: ProgramSummary,
}

/// Learns a Program from images of one layout, each dealt a part.
///
/// `options.time_budget` is this group's share.
pub(crate) fn learn_group(
    images: &[&Image],
    parts: &[Part],
    options: &LearnOptions,
    observer: &mut dyn Observer,
    stop: &StopFlag,
) -> Result<Learned, Error> {
    let _ = (images, parts, options, observer, stop);
    Err(Error::InvalidArgument { what: "this build of kolmo cannot learn; compress without learning or give a Program".into() })
}

/// Trains a Program further on images of its layout.
pub(crate) fn tune_group(
    program: &Program,
    images: &[&Image],
    parts: &[Part],
    options: &LearnOptions,
    observer: &mut dyn Observer,
    stop: &StopFlag,
) -> Result<Learned, Error> {
    let _ = (program, images, parts, options, observer, stop);
    Err(Error::InvalidArgument { what: "this build of kolmo cannot learn".into() })
}
