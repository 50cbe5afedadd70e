//! Products of row-major matrices by the `gemm` crate, which picks AVX-512, AVX2 or NEON code at run time.
#![allow(unsafe_code, reason = "gemm takes pointers; each slice's length is asserted before its pointer is passed on")]

use gemm::{Parallelism, gemm};

/// `out += a @ b`, with shapes `[n, k]`, `[k, m]`, `[n, m]`.
pub(crate) fn product(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == k * m && out.len() == n * m);
    // SAFETY: every index row * stride + column stays below the asserted lengths.
    unsafe { run((n, m, k), out.as_mut_ptr(), m, (a.as_ptr(), 1, k), (b.as_ptr(), 1, m)) }
}

/// `out += a @ transpose(b)`, with shapes `[n, k]`, `[m, k]`, `[n, m]`.
pub(crate) fn product_with_transposed(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == m * k && out.len() == n * m);
    // SAFETY: every index row * stride + column stays below the asserted lengths.
    unsafe { run((n, m, k), out.as_mut_ptr(), m, (a.as_ptr(), 1, k), (b.as_ptr(), k, 1)) }
}

/// `out += transpose(a) @ b`, with shapes `[n, k]`, `[n, m]`, `[k, m]`.
pub(crate) fn add_product_of_transposed(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == n * m && out.len() == k * m);
    // SAFETY: every index row * stride + column stays below the asserted lengths.
    unsafe { run((k, m, n), out.as_mut_ptr(), m, (a.as_ptr(), k, 1), (b.as_ptr(), 1, m)) }
}

/// `out += left @ right` for `(rows, columns, inner)`; a factor is its pointer, column stride and row stride.
///
/// # Safety
/// Both factors and `out` (rows of `out_row_stride`) must hold every element that the sizes and strides reach.
unsafe fn run(
    (rows, columns, inner): (usize, usize, usize),
    out: *mut f32,
    out_row_stride: usize,
    (left, left_column, left_row): (*const f32, usize, usize),
    (right, right_column, right_row): (*const f32, usize, usize),
) {
    // SAFETY: as the caller promises.
    unsafe {
        gemm(
            rows,
            columns,
            inner,
            out,
            1,
            out_row_stride as isize,
            true,
            left,
            left_column as isize,
            left_row as isize,
            right,
            right_column as isize,
            right_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_their_definition() {
        let (n, k, m) = (7, 5, 3);
        let a: Vec<f32> = (0..n * k).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let b: Vec<f32> = (0..k * m).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
        let transpose = |x: &[f32], rows: usize, columns: usize| (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect::<Vec<_>>();
        let expected: Vec<f32> = (0..n * m).map(|i| 1.0 + (0..k).map(|j| a[i / m * k + j] * b[j * m + i % m]).sum::<f32>()).collect();
        let mut out = vec![1.0; n * m];
        product(&a, &b, &mut out, n, k, m);
        assert_eq!(out, expected);
        out.fill(1.0);
        product_with_transposed(&a, &transpose(&b, k, m), &mut out, n, k, m);
        assert_eq!(out, expected);
        out.fill(1.0);
        add_product_of_transposed(&transpose(&a, n, k), &b, &mut out, k, n, m);
        assert_eq!(out, expected);
    }
}
