//! Every kernel equals its definition, whatever the shape.

use super::*;
use crate::sample::Dice;

/// Small whole numbers, exact in bf16 and in every sum below.
fn numbers(dice: &mut Dice, n: usize) -> Vec<f32> {
    (0..n).map(|_| dice.below(15) as f32 - 7.0).collect()
}

fn bf16(values: &[f32]) -> Vec<u16> {
    values.iter().map(|&value| nearest_bf16(value)).collect()
}

fn float(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}

/// The ways that this machine has.
fn ways() -> Vec<Multiply> {
    match Multiply::best() {
        Some(Multiply::Pairs) => vec![Multiply::Pairs, Multiply::Singles],
        Some(Multiply::Singles) => vec![Multiply::Singles],
        None => vec![],
    }
}

/// The machine has AVX-512; without there is nothing to test.
fn able() -> bool {
    Multiply::best().is_some()
}

#[test]
fn products_equal_their_definition() {
    let mut dice = Dice::new(3);
    let shapes = [(1, 1, 1), (6, 5, 16), (13, 62, 64), (20, 33, 97), (7, 172, 48)];
    for (multiply, (rows, n_in, n_out)) in ways().into_iter().flat_map(|way| shapes.map(|shape| (way, shape))) {
        let (a, w) = (numbers(&mut dice, rows * n_in), numbers(&mut dice, n_in * n_out));
        let bias: Vec<f32> = numbers(&mut dice, n_out.next_multiple_of(WIDE)).iter().map(|b| b + 0.5).collect();
        let mut b = Matrix::new(n_in, n_out, multiply);
        for i in 0..n_in * n_out {
            b.set(i / n_out, i % n_out, w[i]);
        }
        let (stride, columns) = (n_in.next_multiple_of(2) + 2, b.columns);
        let mut input = vec![0u16; (rows + SLACK) * stride];
        for (to, from) in input.chunks_exact_mut(stride).zip(a.chunks_exact(n_in)) {
            to[..n_in].copy_from_slice(&bf16(from));
        }
        let sum = |r: usize, o: usize| (0..n_in).map(|i| a[r * n_in + i] * w[i * n_out + o]).sum::<f32>();
        let scale = vec![0.25; columns];
        let mut linear = vec![0f32; (rows + SLACK) * columns];
        let (mut relu, mut masked) = (vec![0u16; (rows + SLACK) * columns], vec![0u16; (rows + SLACK) * columns]);
        let registers = columns / WIDE;
        let mut open = vec![0u16; (rows + SLACK) * registers];
        // SAFETY: `ways` asked for the instructions.
        unsafe {
            let mut finish = Finish::Linear { scale: &scale, bias: &bias, out: &mut linear };
            product(&input, stride, rows, &b, &mut finish, columns);
            let mut finish = Finish::Relu { scale: &scale, bias: &bias, rounded: true, out: &mut relu, open: &mut open, open_stride: registers };
            product(&input, stride, rows, &b, &mut finish, columns);
            product(&input, stride, rows, &b, &mut Finish::Masked { open: &open, open_stride: registers, out: &mut masked }, columns);
        }
        for r in 0..rows {
            for o in 0..n_out {
                let (at, exact) = (r * columns + o, sum(r, o) * 0.25 + bias[o]);
                assert_eq!(linear[at], exact, "{rows} {n_in} {n_out}: {r} {o}");
                assert_eq!(float(relu[at]), (exact.clamp(0.0, CEILING as f32) * 32.0).round_ties_even() / 32.0);
                let inside = exact > 0.0 && exact < CEILING as f32;
                assert_eq!(open[r * registers + o / WIDE] >> (o % WIDE) & 1 == 1, inside);
                assert_eq!(float(masked[at]), if inside { float(nearest_bf16(sum(r, o))) } else { 0.0 });
            }
        }
    }
}

#[test]
fn weight_gradients_equal_their_definition() {
    let mut dice = Dice::new(4);
    // The scratch goes from shape to shape with what the last one left.
    let mut scratch = BlockScratch::default();
    let shapes = [(1, 1, 16), (64, 62, 64), (65, 33, 96), (200, 172, 16), (131, 5, 80)];
    for (multiply, (rows, n_in, columns)) in ways().into_iter().flat_map(|way| shapes.map(|shape| (way, shape))) {
        let (x, by) = (numbers(&mut dice, rows * n_in), numbers(&mut dice, rows * columns));
        let mut gradient = vec![2f32; gradient_rows(n_in) * columns];
        // SAFETY: `ways` asked for the instructions.
        unsafe { add_weight_gradient(multiply, (&bf16(&x), n_in, n_in), (&bf16(&by), columns, columns), rows, &mut scratch, &mut gradient) };
        for i in 0..=n_in {
            for o in 0..columns {
                let input = |r: usize| if i < n_in { x[r * n_in + i] } else { 1.0 };
                let exact = 2.0 + (0..rows).map(|r| input(r) * by[r * columns + o]).sum::<f32>();
                assert_eq!(gradient[i * columns + o], exact, "{rows} {n_in} {columns}: {i} {o}");
            }
        }
    }
}

#[test]
fn sixteen_rows_become_columns_and_rows_again() {
    if !able() {
        return;
    }
    let stride = 21;
    let rows: Vec<f32> = (0..WIDE * stride).map(|i| i as f32 % 256.0).collect();
    let mut held = [[0f32; WIDE]; WIDE];
    let mut back = vec![0u16; WIDE * stride];
    // SAFETY: `able` asked for the instructions.
    unsafe {
        columns(&rows, stride, &mut held);
        rows_bf16(&held, &mut back, stride);
    }
    for r in 0..WIDE {
        for c in 0..WIDE {
            assert_eq!(held[c][r], rows[r * stride + c]);
            assert_eq!(float(back[r * stride + c]), rows[r * stride + c]);
        }
    }
}

#[test]
fn short_rows_are_copied_added_and_masked() {
    if !able() {
        return;
    }
    for len in [1usize, 12, 16, 35, 48] {
        let values: Vec<f32> = (0..len).map(|i| i as f32 - 9.0).collect();
        let mut copied = vec![0u16; len];
        let mut sums = vec![1f32; len.next_multiple_of(WIDE)];
        let open = vec![0x00FF; sums.len() / WIDE];
        let mut masked = vec![0u16; sums.len()];
        // SAFETY: `able` asked for the instructions.
        unsafe {
            copy(&bf16(&values), &mut copied);
            add(&copied, &mut sums);
            mask_row(&sums, &open, &mut masked);
        }
        for (i, sum) in sums.iter().enumerate() {
            assert_eq!(*sum, values.get(i).map_or(1.0, |value| value + 1.0));
            assert_eq!(float(masked[i]), if i % WIDE < 8 { *sum } else { 0.0 });
        }
    }
}

#[test]
fn what_is_stored_has_no_denormal_products() {
    if !able() {
        return;
    }
    let exponents = [-149, -126, -100, -64, -63, -62, 0, 40];
    let values: Vec<f32> = exponents.iter().flat_map(|&e| [1.0, -1.0].map(|sign| sign * 2f32.powi(e))).collect();
    assert_eq!(values.len(), WIDE);
    let mut stored = vec![7u16; WIDE];
    // SAFETY: `able` asked for the instructions.
    unsafe { mask_row(&values, &[u16::MAX], &mut stored) };
    for (&value, &stored) in values.iter().zip(&stored) {
        assert_eq!(float(stored), if value.abs() < 2f32.powi(-63) { 0.0 } else { value });
        assert!(stored == 0 || (float(stored) * float(stored)).is_normal());
    }
}
