//! Codes are as short as they can be, planes come back, damage is noticed or harmless.

use super::*;
use crate::container::fields::Fields;
use proptest::prelude::*;

fn counts(plane: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    plane.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    counts
}

fn there(plane: &[u8]) -> Option<Vec<u8>> {
    let lengths = Lengths::of(&counts(plane))?;
    let mut out = Vec::new();
    lengths.write(&mut out);
    assert_eq!(out.len() as u64, lengths.written_bytes());
    encode(plane, &lengths, &mut out);
    Some(out)
}

fn back(coded: &[u8], symbols: usize) -> Result<Vec<u8>, crate::Error> {
    let mut fields = Fields::new("plane", coded);
    let table = Table::new(&Lengths::read(&mut fields)?);
    let mut out = vec![0; symbols];
    decode(&mut fields, &table, &mut out)?;
    fields.end()?;
    Ok(out)
}

#[test]
fn codes_are_as_short_as_eleven_bits_allow() {
    let mut few = [0u32; 256];
    few[3..7].copy_from_slice(&[8, 4, 2, 2]);
    assert_eq!(Lengths::of(&few).unwrap().bits(&few), Some(8 + 8 + 6 + 6));
    // Fibonacci counts ask for codes of 19 bits.
    let mut steep = [0u32; 256];
    let (mut a, mut b) = (1, 1);
    for count in steep.iter_mut().take(20) {
        *count = a;
        (a, b) = (b, a + b);
    }
    let lengths = Lengths::of(&steep).unwrap();
    let longest = lengths.codes().iter().map(|code| code.1).max();
    assert_eq!(longest, Some(11));
    assert_eq!(lengths.bits(&steep), Some(46_352)); // found by dynamic programming over the leaves of each level as well; without the limit 46,344
    let flat = [7u32; 256];
    assert_eq!(Lengths::of(&flat).unwrap().bits(&flat), Some(8 * 7 * 256));
    assert_eq!(Lengths::of(&[0; 256]), None);
    let mut alone = [0; 256];
    alone[200] = 5;
    assert_eq!(Lengths::of(&alone), None);
    assert_eq!(lengths.bits(&alone), None, "a symbol without a code has no length");
}

#[test]
fn every_length_of_a_plane_comes_back() {
    let noise = |at: usize| ((at as u32).wrapping_mul(2_654_435_761) >> 21) as u8;
    for symbols in (2..300).chain(1000..1100).chain([4095, 4096, 4097, 70_001]) {
        // Symbols of 1 to 11 bits.
        let plane: Vec<u8> = (0..symbols).map(|at| noise(at).trailing_ones() as u8 + 3 * (noise(at) & 1)).collect();
        let Some(coded) = there(&plane) else { continue };
        assert_eq!(back(&coded, symbols).unwrap(), plane, "{symbols} symbols");
        for wrong in [symbols - 1, symbols + 1, symbols + 100] {
            // A symbol more may hide in the bits that fill the last byte; it is the digest's to find.
            assert!(back(&coded, wrong).is_ok_and(|plane| plane.len() == wrong) || back(&coded, wrong).is_err());
        }
    }
}

#[test]
fn tables_hold_what_symbols_one_by_one_give() {
    for seed in 0..40u32 {
        let mut counts = [0u32; 256];
        for at in 0..3 + seed * 6 {
            counts[(at * 37 % 256) as usize] = 1 + (at.wrapping_mul(2_654_435_761).wrapping_add(seed) >> (12 + seed % 18));
        }
        let lengths = Lengths::of(&counts).unwrap();
        Table::new(&lengths).check();
    }
}

#[test]
fn lengths_that_leave_room_or_take_too_much_are_refused() {
    let read = |bytes: &[u8]| Lengths::read(&mut Fields::new("lengths", bytes));
    assert!(read(&[5, 6, 0x11]).is_ok());
    for wrong in [
        &[5, 5, 1][..],
        &[6, 5, 0x11],
        &[5, 6, 0x21],
        &[5, 6, 0x01],
        &[5, 7, 0x11, 0x01],
        &[5, 7, 0x11, 0x11],
        &[5, 6, 0xf1],
        &[5, 6],
        &[5, 7, 0x21, 0x12],
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn flipped_bits_and_prefixes_never_panic() {
    for symbols in [60usize, 1200] {
        let plane: Vec<u8> = (0..symbols).map(|at| (at % 7 * (at % 3)) as u8).collect();
        let coded = there(&plane).unwrap();
        for at in 0..coded.len() {
            assert!(back(&coded[..at], symbols).is_err());
            for bit in 0..8 {
                let mut bad = coded.clone();
                bad[at] ^= 1 << bit;
                if let Ok(other) = back(&bad, symbols) {
                    assert_eq!(other.len(), symbols);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_plane_comes_back(plane in prop::collection::vec(prop_oneof![4 => 0u8..4, 1 => any::<u8>()], 2..3000)) {
        if let Some(coded) = there(&plane) {
            prop_assert_eq!(back(&coded, plane.len()).unwrap(), plane);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_plane(bytes in prop::collection::vec(any::<u8>(), 0..200), symbols in 0usize..2000) {
        if let Ok(plane) = back(&[&[0, 1, 0x11][..], &bytes].concat(), symbols) {
            prop_assert_eq!(plane.len(), symbols);
        }
    }
}
