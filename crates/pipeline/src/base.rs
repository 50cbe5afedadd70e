//! The file that tensors are coded against: most often the checkpoint before. It is hashed by streaming and read by ranges.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kolmo_codec::against::{self, BaseId};
use kolmo_codec::container::Reader;
use kolmo_codec::names::check_path;
use kolmo_data::digest::of_stream;
use kolmo_data::tensor::{self, Element, Numbers};
use kolmo_verify::expand::bases;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::item::ItemState;
use crate::work::Crew;

/// Bytes that are hashed at a time.
const HASHED: usize = 1 << 18;

/// Stands for a name that cannot stand in an archive.
const NAMELESS: &str = "base";

/// A base as it lies on the disk.
#[derive(Debug)]
pub(crate) struct BaseFile {
    path: PathBuf,
    file: Mutex<File>,
    id: BaseId,
}

impl BaseFile {
    /// Opens and hashes it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Err(Error::InvalidArgument { what: format!("{}: the base is a folder; say --base with one file", path.display()) });
        }
        let file = File::open(path).map_err(Error::io("read", path))?;
        let (bytes, digest) = of_stream(&mut BufReader::with_capacity(HASHED, &file)).map_err(Error::io("read", path))?;
        let name =
            path.file_name().and_then(|name| name.to_str()).filter(|name| check_path(name).is_ok() && name.len() as u64 <= against::NAME_BYTES);
        let id = BaseId { digest: digest.0, bytes, name: name.unwrap_or(NAMELESS).to_owned() };
        Ok(Self { path: path.to_path_buf(), file: Mutex::new(file), id })
    }

    /// Refuses a base that is another file by now: what was coded against it could not be expanded by anybody.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        let now = Self::open(&self.path)?;
        if now.id.is(&self.id) { Ok(()) } else { Err(Error::Changed { path: self.path.clone() }) }
    }

    /// Reading a part of it failed; that it ends too early says that it changed.
    pub(crate) fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Changed { path: self.path.clone() },
            _ => Error::io("read", &self.path)(error),
        }
    }
}

impl against::Base for BaseFile {
    fn id(&self) -> &BaseId {
        &self.id
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }
}

/// A tensor of a file and its twin in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Twin {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// Where its twin begins in the base.
    pub(crate) from: u64,
    /// What both hold.
    pub(crate) element: Element,
}

/// A base with its tensors: what is new is coded against it.
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) file: BaseFile,
    tensors: HashMap<String, (Element, u64, u64)>,
}

impl Previous {
    /// Opens and hashes a checkpoint, which `archive` must not replace.
    pub(crate) fn open(path: &Path, archive: &Path) -> Result<Self, Error> {
        let invalid = |why: &str| Error::InvalidArgument { what: format!("{}: {why}", path.display()) };
        if path.canonicalize().is_ok_and(|path| archive.canonicalize().is_ok_and(|archive| archive == path)) {
            return Err(invalid("the archive would replace its own base; write it to another name with -o"));
        }
        let file = BaseFile::open(path)?;
        let mut input = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
        let numbers = tensor::declared(&mut input, file.id.bytes)
            .map_err(|why| invalid(&format!("the base looks like a checkpoint but cannot be read as one: {why}")))?
            .filter(|numbers| !numbers.tensors.is_empty());
        let numbers =
            numbers.ok_or_else(|| invalid("no tensors are found in the base; say --base with a checkpoint (.safetensors, .pt, .pth, .npy, .npz)"))?;
        let mut tensors = HashMap::new();
        for tensor in numbers.tensors {
            tensors.entry(tensor.name).or_insert((tensor.element, tensor.bytes, tensor.offset));
        }
        Ok(Self { file, tensors })
    }

    /// Tensors of a file that have the name, element type and length of one here; none overlaps another.
    fn twins(&self, numbers: &Numbers) -> Vec<Twin> {
        let mut twins: Vec<Twin> = Vec::new();
        for tensor in &numbers.tensors {
            let begin = twins.last().map_or(0, |last| last.offset + last.bytes);
            if let Some(&(element, bytes, from)) = self.tensors.get(&tensor.name)
                && (element, bytes) == (tensor.element, tensor.bytes)
                && element != Element::Raw
                && bytes > 0
                && tensor.offset >= begin
            {
                twins.push(Twin { offset: tensor.offset, bytes, from, element });
            }
        }
        twins
    }

    /// Finds the twins of all files of a dataset. The base itself, if it is one of them, has none: it is what the others expand against.
    pub(crate) fn pair(&self, dataset: &mut Dataset, crew: &mut Crew<'_>) -> Result<(), Error> {
        let own = self.file.path.canonicalize().ok();
        let mut whole = None;
        for number in own.iter().flat_map(|_| 0..dataset.items.len()) {
            if dataset.origin(number)?.file.canonicalize().ok() == own {
                whole = Some(number);
                break;
            }
        }
        let copied = |number: usize| Ok::<_, Error>(if let ItemState::Copy(first) = dataset.items.get(number)?.state { Some(first) } else { None });
        let kept = whole.map(|whole| Ok::<_, Error>(copied(whole)?.unwrap_or(whole))).transpose()?;
        let originals = dataset.items.with_insides().filter(|&number| kept != Some(number));
        let originals: Vec<usize> =
            originals.filter_map(|number| copied(number).map(|copied| copied.is_none().then_some(number)).transpose()).collect::<Result<_, _>>()?;
        let mut shared = 0usize;
        for number in originals {
            let Some(insides) = dataset.items.insides_mut(number) else { continue };
            let Some(numbers) = &insides.numbers else { continue };
            insides.twins = self.twins(numbers);
            shared += insides.twins.len();
        }
        if let Some(whole) = whole {
            crew.note(format!("{} is the base itself and is kept whole: expand it first, then the others with --base", dataset.path(whole)?));
        }
        if shared == 0 {
            let name = &self.file.id.name;
            crew.note(format!(
                "no tensor has the name, type and length of one in {name}: nothing is gained by --base, and the archive does not need it"
            ));
        }
        Ok(())
    }
}

/// The base that blocks of an archive need (all of them, or those that are `wanted`), opened; `None` if they need none.
///
/// # Errors
/// `BaseNeeded` with the archive's name if none was given, or none that is needed.
pub(crate) fn needed<R: io::Read + io::Seek>(
    archive: &Path,
    reader: &mut Reader<R>,
    wanted: Option<&[bool]>,
    given: Option<&Path>,
) -> Result<Option<BaseFile>, Error> {
    let bases = bases(reader, wanted).map_err(|error| crate::expand::about(archive, error.into()))?;
    let Some(first) = bases.first() else { return Ok(None) };
    let given = given.map(BaseFile::open).transpose()?;
    match given {
        Some(base) if bases.iter().any(|known| known.is(&base.id)) => Ok(Some(base)),
        other => {
            let given = other.map(|base| Box::new(base.id));
            Err(Error::codec(archive)(kolmo_codec::Error::BaseNeeded { wanted: Box::new(first.clone()), given }))
        }
    }
}

/// The same where it is not known yet which blocks will be read: no base is no error.
pub(crate) fn if_given<R: io::Read + io::Seek>(archive: &Path, reader: &mut Reader<R>, given: Option<&Path>) -> Result<Option<BaseFile>, Error> {
    if given.is_some() { needed(archive, reader, None, given) } else { Ok(None) }
}
