//! What a call found out: plain data, ready for JSON.

use kolmo_codec::against::BaseId;
use kolmo_data::digest::Digest;
use serde::Serialize;

/// What [`crate::compress`] did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CompressSummary {
    /// Archive path as given (empty with `dry_run`).
    pub archive: String,
    /// `files` or `pixels`.
    pub fidelity: String,
    /// Step 1.
    pub preprocess: PreprocessSummary,
    /// Steps 2, 3 and 5, one entry a Program that was learned or given (kept or not).
    pub programs: Vec<ProgramSummary>,
    /// Groups that might hold several kinds of images, and whether telling these apart pays.
    pub kinds: Vec<KindsSummary>,
    /// Coding of the samples and of everything else.
    pub coding: CodingSummary,
    /// Checkpoints, arrays and other files with numbers in them.
    pub numbers: NumbersSummary,
    /// JPEG files.
    pub jpeg: JpegSummary,
    /// The file that tensors are coded against, which expanding needs; none if nothing is.
    pub base: Option<BaseSummary>,
    /// Where the bytes of the archive go.
    pub sizes: ArchiveSizes,
    /// Whole archive over raw samples, bits per subpixel; 0 if there is no image.
    pub rate_bpsp: f64,
    /// Archive size in per cent of the input files' size.
    pub percent_of_input: f64,
    /// Items whose expansion was compared and found equal.
    pub verified_files: u64,
    /// Wall time of the whole call.
    pub seconds: f64,
    /// The archive was only estimated, nothing was written.
    pub estimate: bool,
}

/// Step 1: what was found and what is learned from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PreprocessSummary {
    /// Files found.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files taken apart into samples.
    pub images: u64,
    /// Their samples (width x height x channels).
    pub subpixels: u64,
    /// Size of the samples unpacked (a 1-bit sample counts as a byte), what rates refer to.
    pub sample_bytes: u64,
    /// JPEG files, copies among them: their coefficients are coded, not their pixels.
    pub jpegs: u64,
    /// Files that are stored the general way, with the reason.
    pub general: Vec<NamedReason>,
    /// Of those, how many are images that `--pixels` would learn.
    pub general_but_pixels_would_learn: u64,
    /// Exact copies of an earlier file; stored once.
    pub duplicates: Vec<NamedReason>,
    /// Images left out of learning because they are unlike the rest.
    pub outliers: Vec<NamedReason>,
    /// Images that could not be read (stored the general way).
    pub unreadable: Vec<NamedReason>,
    /// One entry a sample layout.
    pub groups: Vec<GroupSummary>,
    /// Wall time.
    pub seconds: f64,
}

/// A path and why it is named.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NamedReason {
    /// Path inside the dataset.
    pub path: String,
    /// One clause.
    pub reason: String,
}

/// Images of one sample layout.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupSummary {
    /// Sample layout, e.g. `rgb8`.
    pub layout: String,
    /// Images.
    pub images: u64,
    /// Their subpixels.
    pub subpixels: u64,
    /// Images learned from.
    pub train: u64,
    /// Images that choose when to stop.
    pub validation: u64,
    /// Images only ever measured.
    pub test: u64,
    /// Mean of each channel over the training part, as sample values.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel over the training part.
    pub deviation: Vec<f64>,
}

/// Steps 2, 3 and 5 for one group.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ProgramSummary {
    /// Sample layout, e.g. `rgb8`.
    pub group: String,
    /// Number of the kind of images it is for, from 1; 0 where all images of the layout are one.
    pub kind: u64,
    /// Images it is to code.
    pub images: u64,
    /// Parameters of the network.
    pub parameters: u64,
    /// Multiply-accumulates per pixel.
    pub macs_per_pixel: u64,
    /// Training steps taken, and planned.
    pub steps: u64,
    /// Training steps planned.
    pub planned_steps: u64,
    /// Bits of a symbol: those of a sample, or as many as its 16 need.
    pub bit_depth: u64,
    /// The colour space that symbols are of, e.g. `YCbCr`; empty where samples are the symbols.
    pub colour: String,
    /// Why training ended: `done`, `early_stop`, `time_budget`, `interrupted`; or there was none: `given`, `built-in`.
    pub stopped: String,
    /// Wall time of training and tuning.
    pub seconds: f64,
    /// Where it was trained: `cpu (flex)`, or the adapter's name.
    pub device: String,
    /// bpsp of the float network, the rounded one, and the tuned one.
    pub rates: RatesSummary,
    /// Size of the Program by coder.
    pub sizes: ProgramSizes,
    /// How samples are coded under it: `direct`, `adaptive`, or `near-duplicate` if some images are coded given another one.
    pub coding: String,
    /// Images that are coded given another one.
    pub referring: u64,
    /// Name of the built-in Program that it is.
    pub prior: Option<String>,
    /// The ways of coding the group that were looked at.
    pub candidates: Vec<Candidate>,
    /// Whether the archive uses it; if not, why not.
    pub kept: bool,
    /// One clause, if not kept.
    pub reason: String,
}

/// Kinds of images of one sample layout: one Program for all, or one each.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindsSummary {
    /// Sample layout, e.g. `rgb8`.
    pub group: String,
    /// Images that were looked at: all of the layout, or a kind of them that was looked at again.
    pub images: u64,
    /// What they were ordered by to tell kinds apart.
    pub order: String,
    /// One entry a number of Programs, from 1.
    pub estimates: Vec<KindsEstimate>,
    /// One clause: why so many.
    pub reason: String,
}

/// What so many Programs may take.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindsEstimate {
    /// Programs, and kinds of images.
    pub programs: u64,
    /// Images of each kind.
    pub images: Vec<u64>,
    /// Bytes of Programs and samples, judged by counts of residuals in context.
    pub estimated_bytes: u64,
    /// The same, judged by short trainings; of what was looked at.
    pub looked_bytes: Option<u64>,
    /// The archive has so many.
    pub chosen: bool,
}

impl ProgramSummary {
    /// The way that was chosen, if it is by two Programs.
    pub(crate) fn chosen_pair(&mut self) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|candidate| candidate.chosen && candidate.programs == 2)
    }
}

/// A way of coding a group of images, and what it would take or takes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Candidate {
    /// `given`, `built-in NAME`, `learned`, `learned, from the built-in one`, two of these (`learned, and built-in NAME`), `the general way`.
    pub way: String,
    /// Programs that it uses: 2 where each image takes the better of two, 0 the general way.
    pub programs: u32,
    /// Bytes of the Programs, coded.
    pub program_bytes: u64,
    /// Bytes of Programs and samples, judged by a small part of the images.
    pub estimated_bytes: u64,
    /// The same, as they are; of what was coded whole.
    pub real_bytes: Option<u64>,
    /// The archive uses it.
    pub chosen: bool,
}

impl Candidate {
    /// Not yet coded, not yet chosen.
    pub(crate) const fn new(way: String, programs: u32, program_bytes: u64, payload_bytes: u64) -> Self {
        Self { way, programs, program_bytes, estimated_bytes: program_bytes + payload_bytes, real_bytes: None, chosen: false }
    }
}

/// Rates (bits per subpixel) of the three states of a Program.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct RatesSummary {
    /// The trained float network.
    pub float: SplitRates,
    /// The same, rounded to integers.
    pub quantised: SplitRates,
    /// After training the rounded network further.
    pub tuned: SplitRates,
}

/// Rates on the three parts; NaN (JSON null) where a part is empty.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SplitRates {
    /// On a sample of the training part.
    pub train: f64,
    /// On the validation part.
    pub validation: f64,
    /// On the test part.
    pub test: f64,
}

/// What became of files with numbers in them: checkpoints, arrays, and what looks like these.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NumbersSummary {
    /// Files, copies left out.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of their blocks.
    pub coded_bytes: u64,
    /// Of their bytes, those coded as numbers, plane by plane.
    pub as_numbers: u64,
    /// Those of blocks in which tensors are coded as differences to the base.
    pub against_base: u64,
    /// Those coded by zstd, which was shorter.
    pub by_zstd: u64,
    /// Those stored as they are, because nothing was shorter.
    pub stored: u64,
}

/// What became of JPEG files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct JpegSummary {
    /// Files, copies left out.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of their blocks.
    pub coded_bytes: u64,
    /// Files among them that are kept as bytes: they do not come back from their coefficients (damaged ones, arithmetic codes, 12 bits, odd encoders), these
    /// would take more than the memory that is allowed, or zstd makes less of them because they hardly differ.
    pub as_bytes: u64,
}

/// A file that an archive needs beside itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BaseSummary {
    /// Its name when it was used, without folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its bytes, hexadecimal.
    pub blake3: String,
}

impl BaseSummary {
    pub(crate) fn of(base: &BaseId) -> Self {
        Self { name: base.name.clone(), bytes: base.bytes, blake3: Digest(base.digest).to_string() }
    }
}

/// Bytes of a Program, raw and by coder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ProgramSizes {
    /// Serialised, a byte a weight.
    pub raw: u64,
    /// Huffman.
    pub huffman: u64,
    /// LZ77.
    pub lz77: u64,
    /// Adaptive range coding.
    pub range: u64,
    /// What was changed of a built-in Program, if one has the same shape.
    pub prior: Option<u64>,
    /// `raw`, `huffman`, `lz77`, `range` or `prior`.
    pub kept: String,
}

/// Step 4: coding, expanding, comparing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CodingSummary {
    /// Cross-entropy of the learned samples under the integer Programs, bytes.
    pub ideal_bytes: f64,
    /// What the coder needed for them, bytes.
    pub payload_bytes: u64,
    /// Subpixels coded by Programs.
    pub subpixels: u64,
    /// Wall time of encoding.
    pub encode_seconds: f64,
    /// Wall time of expanding and comparing.
    pub verify_seconds: f64,
}

/// Where the bytes of an archive go. The parts sum to `total`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ArchiveSizes {
    /// The file.
    pub total: u64,
    /// Header and digests.
    pub frame: u64,
    /// Programs, coded.
    pub programs: u64,
    /// Blocks of samples coded by Programs.
    pub payload: u64,
    /// Names, shapes, fingerprints.
    pub index: u64,
    /// What rebuilding files from samples needs (recipes).
    pub recipes: u64,
    /// Files stored the general way.
    pub general: u64,
}

/// What [`crate::expand`] did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExpandSummary {
    /// Items written.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Samples decoded.
    pub subpixels: u64,
    /// Items whose fingerprint was compared and found equal (all that were written, or the call fails).
    pub verified_files: u64,
    /// Wall time.
    pub seconds: f64,
}

/// What [`crate::verify`] found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifySummary {
    /// Items in the archive.
    pub files: u64,
    /// Items that expand to what their fingerprint says (and equal the folder's file, if a folder was given).
    pub verified_files: u64,
    /// What differs, a clause each: item, where first, or missing, or surplus in the folder.
    pub differences: Vec<NamedReason>,
    /// Wall time.
    pub seconds: f64,
}

/// One item of an archive, for listing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ItemSummary {
    /// Path inside the archive.
    pub path: String,
    /// Size of the file it expands to; `None` for an image coded by a Program, whose file is only known once it is rebuilt.
    pub file_bytes: Option<u64>,
    /// `program`, `numbers`, `jpeg`, `base` (numbers, some of them against a base), `general`, `stored` or `copy`.
    pub method: String,
    /// Sample layout and shape for images, e.g. `rgb8 100x100`; empty for the rest.
    pub shape: String,
    /// Bytes it takes; `None` where items share a block.
    pub coded_bytes: Option<u64>,
}

/// A tensor of a checkpoint in an archive.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TensorSummary {
    /// Path of the file inside the archive.
    pub path: String,
    /// Name in the file; empty for the one array of an `.npy`.
    pub name: String,
    /// Type of its elements, as the file calls it.
    pub dtype: String,
    /// Elements along each axis.
    pub shape: Vec<u64>,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// What [`crate::inspect`] reports.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InspectSummary {
    /// Format version.
    pub format: String,
    /// `files` or `pixels`.
    pub fidelity: String,
    /// Items.
    pub files: u64,
    /// Subpixels coded by Programs.
    pub subpixels: u64,
    /// Size of all files expanded.
    pub file_bytes: u64,
    /// Whole archive over raw samples, bpsp.
    pub rate_bpsp: f64,
    /// Where the bytes go.
    pub sizes: ArchiveSizes,
    /// Blocks.
    pub blocks: u64,
    /// Files that some of them are coded against, which expanding needs.
    pub bases: Vec<BaseSummary>,
    /// One entry a Program.
    pub programs: Vec<InspectProgram>,
}

/// A Program as found in an archive.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InspectProgram {
    /// Sample layout.
    pub group: String,
    /// Coded size in the archive.
    pub coded_bytes: u64,
    /// How it is coded.
    pub coder: String,
    /// Its parameters.
    pub parameters: u64,
    /// Multiply-accumulates per pixel.
    pub macs_per_pixel: u64,
    /// Bits of a symbol: those of a sample, or as many as its 16 need.
    pub bit_depth: u64,
    /// The colour space that symbols are of, e.g. `YCbCr`; left out where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub colour: String,
    /// Symbols that make a step, the unit the network reckons in; a power of two, 1 unless symbols have more than 8 bits.
    pub step_symbols: u64,
    /// Values of 16-bit samples that have a symbol; 0 if all below `2^bit_depth` have.
    pub values: u64,
    /// Components of the mixture.
    pub components: u64,
    /// Exact neighbour values that get mass of their own.
    pub spikes: u64,
    /// Hats along each axis that tell where a pixel is in its image; 0 if nothing does.
    pub hats: u64,
    /// Images it codes, copies not counted.
    pub images: u64,
    /// Subpixels it codes.
    pub subpixels: u64,
    /// Bytes of the blocks it codes.
    pub payload_bytes: u64,
    /// How samples are coded under it: `direct` or `adaptive`; empty if there are none.
    pub coding: String,
    /// Million samples a second that one core of 2023 with AVX-512 is expected to decode; 0 if there are none.
    pub expected_mb_per_s: f64,
}

/// What [`crate::train`] and [`crate::tune`] did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrainSummary {
    /// Program file written.
    pub output: String,
    /// Step 1.
    pub preprocess: PreprocessSummary,
    /// One entry a Program in the file.
    pub programs: Vec<ProgramSummary>,
    /// Size of the file.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}
