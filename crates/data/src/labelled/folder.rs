//! Which folder is a class, which a part.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Error;
use crate::source::{self, Entry};
use crate::split::Part;

/// Names of folders that are parts.
const PARTS: [(&str, Part); 4] = [("train", Part::Train), ("test", Part::Test), ("validation", Part::Validation), ("val", Part::Validation)];

#[derive(Debug)]
pub(super) struct LabelledFile {
    pub(super) entry: Entry,
    pub(super) label: usize,
    pub(super) part: Option<Part>,
}

#[derive(Debug)]
pub(super) struct Folders {
    pub(super) classes: Vec<String>,
    pub(super) files: Vec<LabelledFile>,
    pub(super) given_split: bool,
    pub(super) given_validation: bool,
}

impl Folders {
    /// A class's folder below the root; of several the one to learn from.
    pub(super) fn path_of(&self, class: &str) -> String {
        if self.given_split { format!("train/{class}") } else { class.to_owned() }
    }
}

/// Takes the listing of `root` apart. Hidden files and files that are in no class folder (a licence, a read-me) are passed over.
pub(super) fn find(root: &Path) -> Result<Folders, Error> {
    let wrong = |path: &str, what: String| Error::Labelled { path: root.join(path), what };
    if !root.is_dir() {
        return match root.symlink_metadata() {
            Ok(_) => Err(wrong("", "this is no folder; labelled images are a folder with one folder a class".to_owned())),
            Err(source) => Err(Error::Io { action: "read", path: root.to_owned(), source }),
        };
    }
    let entries = source::list(root)?.entries;
    let has = |name: &str| entries.iter().any(|entry| entry.path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
    let given_split = has("train") && has("test");
    let mut classes = BTreeSet::new();
    let mut placed = Vec::new();
    for entry in entries {
        let parts: Vec<String> = entry.path.split('/').map(str::to_owned).collect();
        if parts.iter().any(|part| part.starts_with('.')) {
            continue;
        }
        let (part, below) = match (given_split, PARTS.iter().find(|(name, _)| *name == parts[0])) {
            (true, Some(&(_, part))) => (Some(part), &parts[1..]),
            (true, None) if parts.len() > 1 => {
                return Err(wrong(&parts[0], "beside train/ and test/ there may only be validation/; move this folder away".to_owned()));
            }
            _ => (None, &parts[..]),
        };
        match below {
            [class, _] => {
                if part.is_none_or(|part| part == Part::Train) {
                    classes.insert(class.clone());
                }
                placed.push((entry, class.clone(), part));
            }
            [class, inner, ..] => {
                let depth = parts.len() - below.len() + 2;
                let what = format!("a folder within the class {class}; one folder a class is needed, without folders in it ({inner})");
                return Err(wrong(&parts[..depth].join("/"), what));
            }
            _ => {}
        }
    }
    let classes: Vec<String> = classes.into_iter().collect();
    if classes.is_empty() {
        return Err(wrong("", "there are no labelled images: one folder a class is needed, with images in it".to_owned()));
    }
    let given_validation = placed.iter().any(|(_, _, part)| *part == Some(Part::Validation));
    let mut files = Vec::with_capacity(placed.len());
    for (entry, class, part) in placed {
        let Ok(label) = classes.binary_search(&class) else {
            return Err(wrong(&entry.path, format!("train/ has no class {class}")));
        };
        files.push(LabelledFile { entry, label, part });
    }
    Ok(Folders { classes, files, given_split, given_validation })
}
