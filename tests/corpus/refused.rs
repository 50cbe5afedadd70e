//! Archives that must be refused, by what is wrong with them.

use kolmo::ErrorKind::{self, Corrupt, LimitExceeded, Truncated, Unsupported};
use kolmo::options::Limits;
use kolmo_codec::container::{HEADER_BYTES, TRAILER_BYTES};
use kolmo_codec::general;
use kolmo_codec::program::{Dense, Program};

use crate::corpus::archive::small;
use crate::corpus::forge::{Column, Columns, Sections, only_zeros, resealed, run, varint};
use crate::corpus::program::{by_hand, coded, placed};

/// What they are read under: enough for every honest archive of this size.
pub(crate) const LIMITS: Limits = Limits { memory_bytes: 16 << 20, program_macs_per_pixel: 10_000, items: 10_000 };

/// Name, kind of the error, what it says, bytes.
pub(crate) type Refused = (&'static str, ErrorKind, &'static str, Vec<u8>);

fn sound() -> Vec<u8> {
    small("gray8", &by_hand("gray8")).bytes
}

/// The sound archive with bytes of its header changed, and a right digest where the lengths still fit.
fn header(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = sound();
    archive[at..at + bytes.len()].copy_from_slice(bytes);
    resealed(&archive).unwrap_or(archive)
}

/// The sound archive with its sections changed, all lengths and the digest right.
fn forged(change: impl Fn(&mut Sections, &mut Columns)) -> Vec<u8> {
    let mut sections = Sections::of(&sound());
    let mut columns = Columns::of(&sections.index);
    change(&mut sections, &mut columns);
    sections.index = columns.bytes();
    sections.archive()
}

fn column(column: Column, bytes: &[u8]) -> Vec<u8> {
    forged(|_, columns| columns.set(column, bytes.to_vec()))
}

/// Names for the five items.
fn names(names: [&[u8]; 5]) -> Vec<u8> {
    forged(|_, columns| columns.set_names(&names))
}

/// The sound archive with another Program, stored as it is.
fn program(layout: u8, raw: &[u8]) -> Vec<u8> {
    forged(|sections, _| {
        let length = (raw.len() as u32).to_le_bytes();
        sections.programs = [&[layout, 0][..], &length, &length, raw].concat();
    })
}

fn changed_program(change: impl Fn(&mut Program)) -> Vec<u8> {
    let mut of_gray = by_hand("gray8");
    change(&mut of_gray);
    program(0x08, &of_gray.to_bytes())
}

/// The sound archive with another Program, coded as densely as can be.
fn coded_program(change: impl Fn(&mut Program)) -> Vec<u8> {
    let mut of_gray = by_hand("gray8");
    change(&mut of_gray);
    let coded = coded(&of_gray);
    forged(|sections, _| {
        let [raw, length] = [coded.sizes.raw as u32, coded.bytes.len() as u32].map(u32::to_le_bytes);
        sections.programs = [&[0x08, coded.coder.code()][..], &raw, &length, &coded.bytes].concat();
    })
}

/// A sound archive with the payload of its first block changed.
fn payload(sound: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut sections = Sections::of(sound);
    let mut columns = Columns::of(&sections.index);
    // The texts lie in one zstd frame behind it.
    let texts = general::encode(b"first, first, first, firstsecond, second, second, second").expect("zstd has memory").1.len();
    let (payload, texts) = sections.blocks.split_at(sections.blocks.len() - texts);
    let mut payload = payload.to_vec();
    change(&mut payload);
    columns.set(Column::BlockSizes, [varint(payload.len() as u64), varint(texts.len() as u64)].concat());
    sections.blocks = [&payload, texts].concat();
    sections.index = columns.bytes();
    sections.archive()
}

fn replaced(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = value;
    bytes
}

/// All that stand in files.
pub(crate) fn refused() -> Vec<Refused> {
    [frames(), sections(), indices(), recipes()].concat()
}

/// All that are made anew each time: what is wrong with them takes more bytes, or stands in the Program, whose kinds get more.
pub(crate) fn made() -> Vec<Refused> {
    let bomb = ("zstd_bomb.kolmo", LimitExceeded, "general block needs more than the limit", forged(only_zeros));
    [vec![bomb], programs(), placed_programs(), cut_files()].concat()
}

fn frames() -> Vec<Refused> {
    let sound = sound();
    let length = sound.len();
    let text_mode: Vec<u8> = sound.iter().copied().filter(|&byte| byte != b'\r').collect();
    vec![
        ("empty_file.kolmo", Truncated, "truncated header", vec![]),
        ("truncated_magic.kolmo", Truncated, "truncated header", sound[..5].to_vec()),
        ("truncated_header.kolmo", Truncated, "truncated header", sound[..60].to_vec()),
        ("truncated_trailer.kolmo", Truncated, "truncated archive", sound[..length - 1].to_vec()),
        ("wrong_magic.kolmo", Corrupt, "not the first bytes of a kolmo archive", replaced(&sound, 1, b'k')),
        ("sent_as_text.kolmo", Corrupt, "not the first bytes of a kolmo archive", text_mode),
        ("another_format.kolmo", Corrupt, "not the first bytes of a kolmo archive", b"PK\x03\x04 and the rest of a zip file".to_vec()),
        ("later_major_version.kolmo", Unsupported, "format version 2", header(8, &[2])),
        ("unknown_feature_bit.kolmo", Unsupported, "feature set", header(12, &[0, 0, 0, 0, 0, 0, 0, 0x80])),
        ("unknown_fidelity.kolmo", Unsupported, "fidelity 2", header(20, &[2])),
        ("unknown_recipe_coding.kolmo", Unsupported, "coding of the recipes 2", header(21, &[2])),
        ("unknown_index_coding.kolmo", Unsupported, "coding of the index 9", header(22, &[9])),
        ("reserved_byte_is_set.kolmo", Corrupt, "reserved field", header(23, &[1])),
        ("reserved_number_is_set.kolmo", Corrupt, "reserved field", header(28, &[0, 0, 0, 1])),
        ("bad_digest.kolmo", Corrupt, "their digest differs", replaced(&sound, length - 1, !sound[length - 1])),
        ("bytes_after_the_end.kolmo", Corrupt, "bytes after its end", [&sound[..], b"\n"].concat()),
        ("section_lengths_wrap.kolmo", Corrupt, "lengths of the sections", header(40, &u64::MAX.to_le_bytes())),
        ("section_past_the_end.kolmo", Truncated, "truncated archive", header(32, &(1u64 << 40).to_le_bytes())),
        ("only_zeros.bin", Corrupt, "not the first bytes", vec![0; (HEADER_BYTES + TRAILER_BYTES) as usize]),
    ]
}

fn sections() -> Vec<Refused> {
    let huge = (1u64 << 50).to_le_bytes();
    let flipped = |last: bool| {
        forged(|sections, _| {
            let at = if last { sections.blocks.len() - 1 } else { 0 };
            sections.blocks[at] ^= 0x10;
        })
    };
    vec![
        ("recipes_of_a_petabyte.kolmo", LimitExceeded, "recipes needs more than the limit", header(56, &huge)),
        ("index_of_a_petabyte.kolmo", LimitExceeded, "index needs more than the limit", header(72, &huge)),
        ("index_shorter_than_it_says.kolmo", Corrupt, "corrupt index", header(72, &[0xff, 0xff])),
        ("payload_bit_flipped.kolmo", Corrupt, "a/1.png", flipped(false)),
        ("general_block_bit_flipped.kolmo", Corrupt, "b (and 1 more in its block)", flipped(true)),
        ("block_digest_of_another.kolmo", Corrupt, "its digest differs", forged(|_, columns| columns.digests.rotate_left(16))),
        ("payload_swapped_for_zeros.kolmo", Corrupt, "a/1.png", forged(|sections, _| sections.blocks[..8].fill(0))),
    ]
}

fn indices() -> Vec<Refused> {
    let sizes = |first: u64, second: u64| column(Column::BlockSizes, &[varint(first), varint(second)].concat());
    let number = |at: usize, value: u64| forged(|_, columns| columns.numbers[at] = value);
    let idle = forged(|_, columns| {
        columns.numbers[1] = 3;
        columns.set(Column::BlockPrograms, [run(1, 1), run(0, 2)].concat());
        columns.set(Column::BlockMethods, [run(0, 1), run(1, 1), run(0, 1)].concat());
        columns.push(Column::BlockSizes, &[0]);
        columns.digests.extend([0; 16]);
    });
    let mut half = Sections::of(&sound());
    half.index.truncate(half.index.len() / 2);
    let cut = half.archive();
    vec![
        ("index_offset_wraps.kolmo", Corrupt, "block sizes of the index", sizes(u64::MAX, 2)),
        ("block_past_the_section.kolmo", Corrupt, "block sizes of the index", sizes(1 << 40, 1)),
        ("blocks_leave_a_gap.kolmo", Corrupt, "block sizes of the index", sizes(1, 1)),
        ("a_trillion_items.kolmo", LimitExceeded, "number of items", number(0, 1 << 40)),
        ("a_billion_blocks.kolmo", LimitExceeded, "block table", number(1, 1 << 30)),
        ("a_billion_recipes.kolmo", LimitExceeded, "recipe lengths", number(2, 1 << 30)),
        ("endless_run_of_names.kolmo", Corrupt, "names of the index", column(Column::NameOps, &[vec![1], varint(u64::MAX - 1)].concat())),
        ("overlong_varint.kolmo", Corrupt, "item sizes of the index", column(Column::ItemSizes, &[0x9a, 0x80, 0x00, 28])),
        ("column_past_the_index.kolmo", Truncated, "truncated index", cut),
        ("column_left_over.kolmo", Corrupt, "item sizes of the index", column(Column::ItemSizes, &[26, 28, 1])),
        ("run_of_nothing.kolmo", Corrupt, "heights of the index", column(Column::Heights, &[6, 0, 6, 1, 9, 1])),
        ("image_without_pixels.kolmo", Corrupt, "an image without pixels", column(Column::Heights, &run(0, 2))),
        (
            "image_of_2_to_the_64_pixels.kolmo",
            Corrupt,
            "shapes of a block",
            forged(|_, columns| {
                columns.set(Column::Heights, run(u32::MAX.into(), 2));
                columns.set(Column::Widths, run(u32::MAX.into(), 2));
            }),
        ),
        ("image_of_other_shape.kolmo", Corrupt, "its digest differs", column(Column::Widths, &run(5, 2))),
        ("item_in_no_block.kolmo", Corrupt, "out of range", column(Column::ItemBlocks, &[run(0, 2), run(4, 1), run(0, 1)].concat())),
        ("block_of_no_program.kolmo", Corrupt, "block Programs of the index", column(Column::BlockPrograms, &[run(9, 1), run(0, 1)].concat())),
        ("block_of_unknown_method.kolmo", Unsupported, "block method 77", column(Column::BlockMethods, &run(77, 2))),
        // Until format 1.1 this was an unknown method.
        ("direct_block_called_adaptive.kolmo", Corrupt, "its digest differs", column(Column::BlockMethods, &run(1, 2))),
        ("block_of_no_item.kolmo", Corrupt, "items and blocks do not match", idle),
        ("copy_of_itself.kolmo", Corrupt, "copy targets of the index", column(Column::CopyTargets, &[0])),
        ("copy_from_before_the_first.kolmo", Corrupt, "copy targets of the index", column(Column::CopyTargets, &[77])),
        (
            "copy_of_a_copy.kolmo",
            Corrupt,
            "copy targets of the index",
            forged(|_, columns| {
                columns.set(Column::Copies, [run(0, 3), run(1, 2)].concat());
                columns.set(Column::CopyTargets, vec![3, 1]);
                columns.set(Column::ItemBlocks, [run(0, 2), run(2, 1)].concat());
                columns.set(Column::ItemSizes, vec![26]);
            }),
        ),
        ("general_item_of_another_length.kolmo", Corrupt, "general block", column(Column::ItemSizes, &[25, 28])),
    ]
}

/// Golden archives with their payload damaged, which need no bytes of their own: `lanes` of format 1.4, and `references` of 1.5, whose table begins
/// `00 01 turn down right`.
pub(crate) fn damaged(lanes: &[u8], references: &[u8]) -> Vec<Refused> {
    let (lane, table) = (|change: &dyn Fn(&mut Vec<u8>)| payload(lanes, change), |change: &dyn Fn(&mut Vec<u8>)| payload(references, change));
    let entry = |bytes: &'static [u8]| {
        table(&|payload| {
            payload.splice(..5, bytes.iter().copied());
        })
    };
    const SAYS: &str = "references of a block";
    let called = |sound: &[u8], method: u64| {
        let mut sections = Sections::of(sound);
        let mut columns = Columns::of(&sections.index);
        columns.set(Column::BlockMethods, [run(method, 1), run(1, 1)].concat());
        sections.index = columns.bytes();
        sections.archive()
    };
    vec![
        ("lanes of fifteen states", Corrupt, "length of a block", lane(&|payload| payload.truncate(120))),
        ("lanes of half a word", Corrupt, "length of a block", lane(&|payload| payload.push(0))),
        ("a state of lanes too low", Corrupt, "states of a block", lane(&|payload| payload[4..8].fill(0))),
        ("lanes, a word missing", Corrupt, "code of a block", lane(&|payload| payload.truncate(payload.len() - 4))),
        ("lanes, a word left over", Corrupt, "end of a block", lane(&|payload| payload.extend([1, 2, 3, 4]))),
        (
            "lanes that end elsewhere",
            Corrupt,
            "end of a block",
            lane(&|payload| {
                let at = payload.len() - 45;
                payload[at] ^= 1;
            }),
        ),
        ("a direct block called lanes", Corrupt, "length of a block", called(&sound(), 2)),
        ("references called adaptive", Corrupt, "length of a block", called(references, 1)),
        ("an image that refers to itself or a later one", Corrupt, SAYS, entry(&[1, 0, 0, 0, 0])),
        ("a reference before the first image", Corrupt, SAYS, entry(&[0, 2, 0, 0, 0])),
        ("a reference 2^32 images back", Corrupt, SAYS, entry(&[0, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 0])),
        ("a ninth symmetry", Corrupt, SAYS, entry(&[0, 1, 8, 0, 0])),
        ("a reference moved too far", Corrupt, SAYS, entry(&[0, 1, 0, 0x82, 0x80, 0x04, 0])),
        ("a reference turned another way", Corrupt, "code of a block", entry(&[0, 1, 3, 0, 0])),
        ("no reference where there was one", Corrupt, "code of a block", entry(&[0, 0])),
        ("a table cut short", Truncated, SAYS, table(&|payload| payload.truncate(3))),
        ("a table and nothing else", Corrupt, "its digest differs", table(&|payload| payload.truncate(5))),
    ]
}

/// Archives whose names must not be written anywhere; made anew each time.
pub(crate) fn paths() -> Vec<Refused> {
    let refuse = |name: &'static [u8]| names([b"-", b".a", name, b"~b", b"~c"]);
    const SAYS: &str = "names of the index";
    vec![
        ("path_absolute.kolmo", Corrupt, SAYS, refuse(b"/etc/passwd")),
        ("path_dotdot.kolmo", Corrupt, SAYS, refuse(b"a/../../b")),
        ("path_dotdot_first.kolmo", Corrupt, SAYS, names([b"-", b"../a", b"a", b"b", b"c"])),
        ("path_dot.kolmo", Corrupt, SAYS, refuse(b"a/./b")),
        ("path_empty.kolmo", Corrupt, SAYS, names([b"", b"a", b"b", b"c", b"d"])),
        ("path_empty_part.kolmo", Corrupt, SAYS, refuse(b"a//b")),
        ("path_ends_with_slash.kolmo", Corrupt, SAYS, refuse(b"a/")),
        ("path_drive.kolmo", Corrupt, SAYS, refuse(b"C:/a")),
        ("path_backslash.kolmo", Corrupt, SAYS, refuse(b"a\\..\\b")),
        ("path_nul.kolmo", Corrupt, SAYS, refuse(b"a\0b")),
        ("path_escape_sequence.kolmo", Corrupt, SAYS, refuse(b"a\x1b[2Jb")),
        ("path_not_utf8.kolmo", Corrupt, SAYS, refuse(b"a\xffb")),
        ("paths_out_of_order.kolmo", Corrupt, SAYS, names([b"b", b"a", b"c", b"d", b"e"])),
        ("path_twice.kolmo", Corrupt, SAYS, names([b"a", b"b", b"b", b"c", b"d"])),
        ("path_both_file_and_folder.kolmo", Corrupt, "both a file and a folder", names([b"a", b"a-", b"a/b", b"c", b"d"])),
    ]
}

fn programs() -> Vec<Refused> {
    let raw = by_hand("gray8").to_bytes();
    // Taps and layers of the first stage follow version, depth, channels, order, components and three spike bytes with two taps.
    let shape = raw.windows(2).position(|pair| pair == [2, 0]).expect("the first layer has two outputs");
    let hostile = [&raw[..shape], &[0xff, 0xff], &raw[shape + 2..]].concat();
    let coder = |code: u8| forged(|sections, _| sections.programs[1] = code);
    let zeros = |n_in, n_out| Dense { n_in, n_out, weights: vec![0; n_in * n_out], step_codes: vec![24; n_out], biases: vec![0; n_out] };
    vec![
        ("program_of_hostile_sizes.kolmo", Truncated, "truncated Program", program(0x08, &hostile)),
        ("program_cut_short.kolmo", Truncated, "truncated Program", program(0x08, &raw[..raw.len() - 1])),
        ("program_with_bytes_left.kolmo", Corrupt, "end of a Program", program(0x08, &[&raw[..], &[0]].concat())),
        ("program_of_a_later_version.kolmo", Unsupported, "Program version 2", program(0x08, &replaced(&raw, 0, 2))),
        ("program_of_nine_bits.kolmo", Corrupt, "Program", program(0x08, &replaced(&raw, 1, 9))),
        ("program_without_channels.kolmo", Corrupt, "Program", program(0x08, &replaced(&raw, 2, 0))),
        ("program_for_another_layout.kolmo", Corrupt, "does not fit its sample layout", program(0x28, &raw)),
        ("program_of_unknown_layout.kolmo", Unsupported, "sample layout", program(0x58, &raw)),
        ("program_that_sees_itself.kolmo", Corrupt, "tap of a Program", changed_program(|program| program.stages[0].taps[0].dx = 0)),
        ("program_that_sees_the_future.kolmo", Corrupt, "tap of a Program", changed_program(|program| program.spikes[1].dy = 1)),
        ("program_weight_minus_128.kolmo", Corrupt, "weight of a Program", changed_program(|program| program.heads[0].out.weights[0] = -128)),
        (
            "program_without_components.kolmo",
            Corrupt,
            "Program",
            changed_program(|program| {
                program.components = 0;
                program.heads[0].out = zeros(2, 2);
            }),
        ),
        (
            "program_that_takes_forever.kolmo",
            LimitExceeded,
            "work per pixel",
            coded_program(|program| {
                program.heads[0].hidden = vec![zeros(3, 20), zeros(20, 500), zeros(500, 2)];
            }),
        ),
        ("program_of_4_gib.kolmo", LimitExceeded, "Program needs more than the limit", forged(|sections, _| sections.programs[2..6].fill(0xff))),
        ("program_of_unknown_coder.kolmo", Unsupported, "coder", coder(9)),
        ("program_said_to_be_huffman.kolmo", Corrupt, "huffman", coder(1)),
        ("program_said_to_be_lz77.kolmo", Corrupt, "lz77", coder(2)),
        ("programs_past_their_section.kolmo", Truncated, "truncated Programs", forged(|sections, _| sections.programs[6..10].fill(0x7f))),
        ("more_programs_than_there_are.kolmo", Truncated, "truncated Programs", header(24, &[2])),
    ]
}

/// Archives whose files are cut where they cannot be. The sound one holds `a/1.png`, `a/2.png`, `b`, `c` and `d.png`, a copy.
fn cut_files() -> Vec<Refused> {
    const SAYS: &str = "files that are cut";
    let cut = |feature: u8, column: Option<&[u8]>| {
        forged(|sections, columns| {
            sections.header[12] = feature;
            columns.append(column);
        })
    };
    vec![
        ("cut_file_in_no_folder.kolmo", Corrupt, SAYS, cut(1, Some(&[2, 1]))),
        ("cut_file_of_no_items.kolmo", Corrupt, "cut files of the index", cut(1, Some(&[0, 0]))),
        ("cut_file_of_part_of_a_folder.kolmo", Corrupt, SAYS, cut(1, Some(&[0, 1]))),
        ("cut_file_of_two_folders.kolmo", Corrupt, SAYS, cut(1, Some(&[0, 3]))),
        ("cut_file_past_the_items.kolmo", Corrupt, SAYS, cut(1, Some(&[9, 1]))),
        ("cut_files_that_wrap.kolmo", Corrupt, "cut files of the index", cut(1, Some(&[0xff, 0xff, 0xff, 0xff, 0x0f, 2]))),
        ("cut_files_that_end_early.kolmo", Truncated, "cut files of the index", cut(1, Some(&[0]))),
        ("cut_file_of_files_with_heads.kolmo", Corrupt, "a part of a file that is cut", cut(1, Some(&[0, 2]))),
        ("cut_files_without_the_feature.kolmo", Corrupt, "corrupt index", cut(0, Some(&[0, 2]))),
        ("cut_files_without_a_column.kolmo", Corrupt, "corrupt index", cut(1, None)),
        ("feature_after_cut_files.kolmo", Unsupported, "feature set", cut(3, Some(&[0, 2]))),
    ]
}

/// Programs that see where a pixel is, by hats that are too few, too many or not those that their layers have.
fn placed_programs() -> Vec<Refused> {
    let raw = placed("gray8", 3).to_bytes();
    const SAYS: &str = "hats of a Program";
    let hats = |hats: u8| program(0x08, &replaced(&raw, 1, hats));
    vec![
        ("program_of_no_hat.kolmo", Corrupt, SAYS, hats(0)),
        ("program_of_one_hat.kolmo", Corrupt, SAYS, hats(1)),
        ("program_of_seventeen_hats.kolmo", Corrupt, SAYS, hats(17)),
        ("program_of_fewer_hats_than_weights.kolmo", Corrupt, "Program", hats(2)),
        ("program_of_more_hats_than_weights.kolmo", Truncated, "truncated Program", hats(4)),
        ("program_placed_twice.kolmo", Unsupported, "Program version 5", program(0x08, &[&[5, 3], &raw[..]].concat())),
        ("program_of_hats_alone.kolmo", Truncated, "truncated Program", program(0x08, &raw[..2])),
    ]
}

fn recipes() -> Vec<Refused> {
    let recipe = |bytes: &[u8]| {
        forged(|sections, columns| {
            columns.numbers[2] = 1;
            columns.set(Column::RecipeLengths, varint(bytes.len() as u64));
            columns.set(Column::ItemRecipes, run(0, 2));
            sections.recipes = bytes.to_vec();
        })
    };
    let kept = Sections::of(&sound()).recipes;
    vec![
        ("recipe_of_no_bytes.kolmo", Corrupt, "cannot rebuild the file", recipe(&[])),
        ("recipe_of_unknown_kind.kolmo", Unsupported, "cannot rebuild the file", recipe(&[200, 1, 2])),
        (
            "recipe_of_endless_string.kolmo",
            Corrupt,
            "cannot rebuild the file",
            recipe(&[2, b'5', 0xff, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ),
        ("recipe_with_bytes_left.kolmo", Corrupt, "cannot rebuild the file", recipe(&[&kept[..], &[0]].concat())),
        ("recipe_of_another_file.kolmo", Corrupt, "its digest differs", recipe(b"\x02\x35\xff\x01\x01\n\x01 \x01\n\n\x00")),
        ("recipe_out_of_range.kolmo", Corrupt, "out of range", column(Column::ItemRecipes, &run(2, 2))),
        ("recipe_past_the_section.kolmo", Corrupt, "recipe lengths", column(Column::RecipeLengths, &varint(1 << 40))),
    ]
}
