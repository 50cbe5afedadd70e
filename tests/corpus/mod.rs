//! Small sets made from a seed, and what the tests of promises do with them.

pub(crate) mod archive;
pub(crate) mod checkpoint;
pub(crate) mod file;
pub(crate) mod forge;
pub(crate) mod picture;
pub(crate) mod program;
pub(crate) mod room;
