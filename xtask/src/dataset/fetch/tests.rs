//! Sets whose files are there already: what follows a download.

use super::*;
use crate::dataset::catalogue::Lock;
use crate::picture::Picture;

/// A catalogue of one set of two pictures, both downloaded.
struct Shelf {
    root: tempfile::TempDir,
    digests: [String; 2],
}

impl Shelf {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let digests = [1, 2].map(|number| {
            let picture = Picture::new(2, 2, png::ColorType::Grayscale, png::BitDepth::Eight, vec![number; 4]).unwrap();
            let path = root.path().join(format!("data/.downloads/pair/{number}.png"));
            picture.write(&path).unwrap();
            fingerprint::sha256(&path).unwrap().to_string()
        });
        Self { root, digests }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn catalogue(&self, with_digests: bool) -> Catalogue {
        let mut text =
            "[[dataset]]\nname = \"pair\"\ntitle = \"Pair\"\nhomepage = \"\"\nlicence = \"CC0\"\ncite = \"nobody\"\nkind = \"images\"\n".to_owned();
        for (number, digest) in [1, 2].into_iter().zip(&self.digests) {
            let digest = if with_digests { format!("digest = \"{digest}\"\n") } else { String::new() };
            text.push_str(&format!("[[dataset.file]]\nurl = \"http://127.0.0.1:9/{number}.png\"\n{digest}"));
        }
        Catalogue::parse(&text, Lock::read(&self.root.path().join("datasets.lock")).unwrap()).unwrap()
    }

    fn fetch(&self, with_digests: bool, accept_digest: bool, force: bool) -> Result<()> {
        fetch(&mut self.catalogue(with_digests), "pair", &self.data(), Options { accept_digest, force })
    }
}

#[test]
fn a_fetched_set_checks_until_it_is_changed() {
    let shelf = Shelf::new();
    shelf.fetch(true, false, false).unwrap();
    let folder = shelf.data().join("pair");
    assert_eq!(fingerprint::paths(&folder).unwrap(), ["1.png", "2.png", "SOURCE.txt"]);
    let about = std::fs::read_to_string(folder.join("SOURCE.txt")).unwrap();
    assert!(about.contains("Licence: CC0") && about.contains(&shelf.digests[1]), "{about}");
    check(&shelf.catalogue(true), "pair", &shelf.data()).unwrap();

    let error = shelf.fetch(true, false, false).unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
    std::fs::write(folder.join("extra.txt"), "x").unwrap();
    let error = check(&shelf.catalogue(true), "pair", &shelf.data()).unwrap_err().to_string();
    assert!(error.contains("was changed since"), "{error}");
    shelf.fetch(true, false, true).unwrap();
    check(&shelf.catalogue(true), "pair", &shelf.data()).unwrap();

    std::fs::write(shelf.data().join(".downloads/pair/2.png"), "x").unwrap();
    let error = check(&shelf.catalogue(true), "pair", &shelf.data()).unwrap_err().to_string();
    assert!(error.contains("instead of sha256:"), "{error}");
}

#[test]
fn digests_nobody_knows_need_a_persons_word() {
    let shelf = Shelf::new();
    let error = shelf.fetch(false, false, false).unwrap_err().to_string();
    assert!(error.contains("--accept-digest"), "{error}");
    assert!(!shelf.data().join("pair").exists());
    shelf.fetch(false, true, false).unwrap();
    let lock = std::fs::read_to_string(shelf.root.path().join("datasets.lock")).unwrap();
    assert!(lock.contains(&format!("{} ", shelf.digests[0])) && lock.contains("http://127.0.0.1:9/2.png"), "{lock}");
    // From now on they are known.
    check(&shelf.catalogue(false), "pair", &shelf.data()).unwrap();
    shelf.fetch(false, false, true).unwrap();
}

#[test]
fn a_set_that_is_not_there_says_how_to_get_it() {
    let shelf = Shelf::new();
    let error = check(&shelf.catalogue(true), "pair", &shelf.data()).unwrap_err().to_string();
    assert!(error.contains("dataset fetch pair"), "{error}");
}

#[test]
fn files_that_are_no_pictures_leave_nothing_behind() {
    let shelf = Shelf::new();
    std::fs::write(shelf.data().join(".downloads/pair/2.png"), "no picture").unwrap();
    let error = format!("{:#}", shelf.fetch(false, true, false).unwrap_err());
    assert!(error.contains("2.png"), "{error}");
    let left: Vec<_> = std::fs::read_dir(shelf.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".downloads"]);
}

#[test]
fn progress_is_told_in_megabytes() {
    assert_eq!(progress_line("a", 1_500_000, Some(3_000_000), Duration::from_secs(7)), "a: 1.5 of 3.0 MB, 50 % in 7 s");
    assert_eq!(progress_line("a", 1_500_000, None, Duration::from_secs(7)), "a: 1.5 MB in 7 s");
}
