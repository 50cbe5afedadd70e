use super::*;
use crate::ErrorKind;
use crate::range::encoder::RangeEncoder;

/// A number below `below` from a seed.
fn below(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// Tables that have a code for everything: 16 of four bits for DC, 256 of eight bits for AC.
fn tables() -> Vec<u8> {
    let mut dc = [0; 17];
    dc[4] = 16;
    let mut ac = [0; 17];
    (ac[0], ac[8]) = (0x10, 255);
    let quant: Vec<u8> = (0..64).map(|k| 3 + k).collect();
    [
        segment(0xdb, &[&[0][..], &quant].concat()),
        segment(0xc4, &[&dc[..], &(0..16).collect::<Vec<u8>>()].concat()),
        segment(0xc4, &[&ac[..], &(0..255).collect::<Vec<u8>>()].concat()),
    ]
    .concat()
}

/// Scans: their components, first and last coefficient, bits known and added.
type Scans = [(&'static [u8], u8, u8, u8)];

const SEQUENTIAL: &Scans = &[(&[1, 2, 3], 0, 63, 0)];
const APART: &Scans = &[(&[1], 0, 63, 0), (&[2, 3], 0, 63, 0)];
const PROGRESSIVE: &Scans = &[
    (&[1, 2, 3], 0, 0, 0x01),
    (&[1], 1, 5, 0x02),
    (&[2], 1, 63, 0x01),
    (&[3], 1, 63, 0x01),
    (&[1], 6, 63, 0x02),
    (&[1], 1, 63, 0x21),
    (&[1, 2, 3], 0, 0, 0x10),
    (&[1], 1, 63, 0x10),
    (&[2], 1, 63, 0x10),
    (&[3], 1, 63, 0x10),
];

/// The markers of a file of this shape; components have these factors.
fn bare(marker: u8, (width, height): (u16, u16), factors: &[u8], restart: u16, scans: &Scans) -> Vec<u8> {
    let mut frame = vec![8];
    [height, width].iter().for_each(|size| frame.extend(size.to_be_bytes()));
    frame.push(factors.len() as u8);
    (1..).zip(factors).for_each(|(id, &factor)| frame.extend([id, factor, 0]));
    let mut file = [&[0xff, 0xd8][..], &tables(), &segment(marker, &frame), &segment(0xdd, &restart.to_be_bytes())].concat();
    for &(parts, from, to, bits) in scans {
        let parts: Vec<u8> = parts.iter().copied().filter(|&id| usize::from(id) <= factors.len()).collect();
        if !parts.is_empty() {
            let list: Vec<u8> = parts.iter().flat_map(|&id| [id, 0]).collect();
            file.extend(segment(0xda, &[&[parts.len() as u8][..], &list, &[from, to, bits]].concat()));
        }
    }
    [&file[..], &[0xff, 0xd9]].concat()
}

/// A file of smooth blocks and noise that libjpeg could have written.
fn file(bare: &[u8], pad: bool, seed: u64) -> Vec<u8> {
    let stream = Stream::parse(bare, true).expect("sound markers");
    let mut planes = empty_planes(&stream);
    let mut seed = seed;
    for (component, plane) in stream.components.iter().zip(&mut planes) {
        for (at, block) in plane.iter_mut().enumerate() {
            let (x, y) = (at % component.across, at / component.across);
            if stream.progressive && (x >= component.real_across || y >= component.real_down) {
                // Nothing but DC is written of blocks outside the image.
                block[0] = 5;
                continue;
            }
            block[0] = (x * 7 + y * 11) as i16 - 40;
            for (k, value) in block.iter_mut().enumerate().skip(1).take(below(&mut seed, 64) as usize) {
                *value = (below(&mut seed, 41) as i16 - 20) / (k as i16);
            }
            if below(&mut seed, 9) == 0 {
                block[1 + below(&mut seed, 62) as usize] = 700 - below(&mut seed, 1400) as i16;
            }
        }
    }
    let pads = vec![pad; stream.scans.len()];
    let mut out = Vec::new();
    put_together(&Apart { stream, planes, bare: bare.to_vec(), pads }, 1 << 24, &mut out).expect("every symbol has a code");
    out
}

/// Files of every kind that comes apart.
fn set() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let shapes = [(1, 1), (8, 8), (9, 17), (50, 39)];
    for (n, shape) in shapes.into_iter().enumerate() {
        for (factors, restart) in [(&[0x11][..], 0), (&[0x11, 0x11, 0x11], 2), (&[0x22, 0x11, 0x11], 0), (&[0x21, 0x11, 0x12], 1), (&[0x41, 0x11], 3)]
        {
            for (marker, scans) in [(0xc0, SEQUENTIAL), (0xc1, APART), (0xc2, PROGRESSIVE)] {
                files.push(file(&bare(marker, shape, factors, restart, scans), (n + factors.len()) % 2 == 0, files.len() as u64));
            }
        }
    }
    files
}

fn there_and_back(files: &[Vec<u8>], as_bytes: u64) -> Vec<u8> {
    let (raw, lengths) = (files.concat(), files.iter().map(|file| file.len() as u64).collect::<Vec<_>>());
    let encoded = encode(&raw, &lengths, 1 << 30).unwrap().expect("some come apart");
    assert_eq!(encoded.as_bytes, as_bytes);
    assert!(decode(&encoded.bytes, raw.len() as u64, &mut Budget::new(64 << 20)).unwrap() == raw);
    encoded.bytes
}

#[test]
fn files_of_every_kind_come_back_from_their_coefficients() {
    let files = set();
    let coded = there_and_back(&files, 0);
    let all: usize = files.iter().map(Vec::len).sum();
    assert!(coded.len() < all * 3 / 4, "{} of {all} bytes", coded.len());
    for file in &files {
        there_and_back(std::slice::from_ref(file), 0);
    }
}

#[test]
fn what_does_not_come_back_is_kept_as_bytes() {
    let sound = file(&bare(0xc0, (40, 33), &[0x22, 0x11, 0x11], 1, SEQUENTIAL), true, 3);
    let mut odd = vec![sound[..sound.len() - 30].to_vec(), b"no JPEG file".to_vec(), sound[..60].to_vec(), vec![]];
    // A restart marker of another number, and bits that a segment is filled up with once so and once so.
    let restart = sound.windows(2).position(|pair| pair == [0xff, 0xd1]).expect("restart markers");
    let mut changed = sound.clone();
    changed[restart + 1] = 0xd5;
    odd.push(changed);
    let mut changed = sound.clone();
    changed[restart - 1] ^= 1;
    odd.push(changed);
    let mut files = odd.clone();
    files.insert(3, sound.clone());
    // Bytes behind the end are part of the markers; a file like the one before costs little.
    files.push([&sound[..], b"and more"].concat());
    let once = there_and_back(&files, 6).len();
    files.push(files[files.len() - 1].clone());
    assert!(there_and_back(&files, 6).len() < once + sound.len() / 2);
    let raw = odd.concat();
    assert_eq!(encode(&raw, &odd.iter().map(|file| file.len() as u64).collect::<Vec<_>>(), 1 << 30).unwrap(), None);
    for wrong in [&[1][..], &[raw.len() as u64, 1], &[u64::MAX]] {
        assert_eq!(encode(&raw, wrong, 1 << 30).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn files_whose_coefficients_find_no_room_are_kept_as_bytes() {
    let small = file(&bare(0xc0, (30, 20), &[0x22, 0x11, 0x11], 0, SEQUENTIAL), true, 3);
    let large = file(&bare(0xc0, (640, 480), &[0x22, 0x11, 0x11], 0, SEQUENTIAL), true, 4);
    let (raw, lengths) = ([&small[..], &large].concat(), [small.len() as u64, large.len() as u64]);
    let kept = |memory_bytes| encode(&raw, &lengths, memory_bytes).unwrap().map(|encoded| (encoded.as_bytes, encoded.bytes));
    let tables = Model::bytes(log2_counters(raw.len() as u64));
    let [all, some, none] = [64 << 20, tables + 100_000, tables - 1].map(kept);
    let (all, some) = (all.expect("both come apart"), some.expect("the small one does"));
    assert_eq!((all.0, some.0, none), (0, 1, None));
    // Whoever has that memory, and what the files take, can read them.
    assert!(decode(&some.1, raw.len() as u64, &mut Budget::new(tables + 100_000 + 4 * raw.len() as u64)).unwrap() == raw);
}

#[test]
fn every_machine_codes_alike() {
    for bare in [bare(0xc0, (70, 50), &[0x22, 0x11, 0x11], 0, SEQUENTIAL), bare(0xc2, (33, 60), &[0x11, 0x11, 0x11], 0, PROGRESSIVE)] {
        let apart = take_apart(&file(&bare, true, 8), 1 << 30).expect("it comes apart");
        let coded = Kernel::all().into_iter().map(|kernel| {
            let mut coder = RangeEncoder::default();
            Model::new(kernel, 8).code(&apart.stream, &mut apart.planes.clone(), &mut &mut coder).unwrap();
            coder.finish()
        });
        let coded: Vec<_> = coded.collect();
        assert!(coded.iter().all(|other| *other == coded[0]) && coded[0].0.len() > 100);
    }
}

#[test]
fn hostile_blocks_never_panic() {
    let files =
        [file(&bare(0xc0, (20, 20), &[0x21, 0x11, 0x11], 1, SEQUENTIAL), true, 5), file(&bare(0xc2, (17, 9), &[0x11], 0, PROGRESSIVE), false, 6)];
    let coded = there_and_back(&files, 0);
    let length = files.concat().len() as u64;
    let budget = || Budget::new(4 << 20);
    let mut wrong = 0;
    for at in 0..coded.len() {
        for bit in [0, 3, 7] {
            let mut bad = coded.clone();
            bad[at] ^= 1 << bit;
            // Wrong bytes of the right length are the digest's to find.
            wrong += decode(&bad, length, &mut budget()).map_or(1, |raw| usize::from(raw.len() as u64 != length));
        }
        assert!(decode(&coded[..at], length, &mut budget()).is_err(), "cut at {at}");
    }
    assert!(wrong > coded.len(), "{wrong} were noticed");
    for other in [0, 1, length - 1, length + 1, 1 << 26] {
        assert!(decode(&coded, other, &mut budget()).is_err(), "as {other} bytes");
    }
    assert_eq!(decode(&coded, length, &mut Budget::new(length + 1000)).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn pictures_larger_than_their_file_are_refused_before_memory_is_taken() {
    let small = file(&bare(0xc0, (16, 16), &[0x11], 0, SEQUENTIAL), true, 1);
    let apart = take_apart(&small, 1 << 30).expect("it comes apart");
    let size = apart.bare.windows(4).position(|bytes| bytes == [0, 16, 0, 16]).expect("its height and width");
    let mut facts = Vec::new();
    put_varint(&mut facts, 1);
    put_varint(&mut facts, small.len() as u64 * 2 + 1);
    put_varint(&mut facts, apart.bare.len() as u64);
    facts.push(1);
    let block = |size: usize, shape: [u8; 4]| {
        let mut bare = apart.bare.clone();
        bare[size..size + 4].copy_from_slice(&shape);
        let mut block = Vec::new();
        for part in [&facts, &bare] {
            put_varint(&mut block, part.len() as u64);
            put_varint(&mut block, part.len() as u64 * 2);
            block.extend_from_slice(part);
        }
        let mut coder = RangeEncoder::default();
        Model::new(Kernel::Scalar, 8).code(&apart.stream, &mut apart.planes.clone(), &mut &mut coder).unwrap();
        [block, coder.finish().0].concat()
    };
    assert!(decode(&block(size, [0, 16, 0, 16]), small.len() as u64, &mut Budget::new(4 << 20)).unwrap() == small, "the block by hand is sound");
    for shape in [[255, 255, 255, 255], [0, 16, 255, 255], [0, 0, 0, 16]] {
        let refused = decode(&block(size, shape), small.len() as u64, &mut Budget::new(u64::MAX)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
    }
}
