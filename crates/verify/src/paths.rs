//! From archive paths to paths of this system.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kolmo_codec::container::Item;
use kolmo_codec::names::check_path;

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

/// The first two items that are the same where letter case does not count.
///
/// # Errors
/// [`Error::CaseCollision`].
pub fn check_case<'a>(items: impl IntoIterator<Item = &'a Item>) -> Result<(), Error> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for item in items {
        if let Some(first) = seen.insert(item.path.to_lowercase(), &item.path) {
            return Err(Error::CaseCollision { first: first.to_owned(), second: item.path.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_codec::container::Content;

    #[test]
    fn nothing_lands_outside() {
        assert_eq!(below(Path::new("out"), "a/b.png").unwrap(), Path::new("out").join("a").join("b.png"));
        for path in ["../a", "/a", "a/../../b", "C:\\a", "a\\..\\b"] {
            assert!(below(Path::new("out"), path).is_err());
        }
    }

    #[test]
    fn case_is_told_apart_only_when_asked() {
        let item = |path: &str| Item { path: path.into(), content: Content::General { block: 0, bytes: 0 } };
        check_case(&[item("a"), item("b")]).unwrap();
        let error = check_case(&[item("Über/A"), item("über/a")]).unwrap_err();
        assert!(error.to_string().contains("Über/A and über/a"), "{error}");
    }
}
