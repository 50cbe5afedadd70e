//! From archive paths to paths of this system.

use std::path::{Path, PathBuf};

use kolmo_codec::names::check_path;
use kolmo_data::source::case_collision;

use crate::Error;

/// Where an item lands below `root`. Never outside of it.
///
/// # Errors
/// `InvalidArgument` for a path that [`check_path`] refuses.
pub fn below(root: &Path, path: &str) -> Result<PathBuf, Error> {
    check_path(path)?;
    let mut target = root.to_path_buf();
    target.extend(path.split('/'));
    Ok(target)
}

/// Whether all of `count` paths, asked for by number, differ also where letter case does not count.
///
/// # Errors
/// [`Error::CaseCollision`] with the first two that do not.
pub fn check_case<'a>(count: usize, path: impl Fn(usize) -> &'a str) -> Result<(), Error> {
    let collision = case_collision(count, |number| Ok::<_, Error>(path(number)))?;
    let both = |(first, second)| Err(Error::CaseCollision { first: path(first).to_owned(), second: path(second).to_owned() });
    collision.map_or(Ok(()), both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lands_outside() {
        assert_eq!(below(Path::new("out"), "a/b.png").unwrap(), Path::new("out").join("a").join("b.png"));
        for path in ["../a", "/a", "a/../../b", "C:\\a", "a\\..\\b"] {
            assert!(below(Path::new("out"), path).is_err());
        }
    }

    #[test]
    fn case_is_told_apart_only_when_asked() {
        let check = |paths: &[&'static str]| check_case(paths.len(), |number| paths[number]);
        check(&["a", "b"]).unwrap();
        let error = check(&["Über/A", "über/a"]).unwrap_err();
        assert!(error.to_string().contains("Über/A and über/a"), "{error}");
    }
}
