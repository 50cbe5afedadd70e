//! Products of whole row-major matrices.

use crate::product::{View, product as add};

/// `out += a @ b`, with shapes `[n, k]`, `[k, m]`, `[n, m]`.
pub(crate) fn product(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == k * m && out.len() == n * m);
    add(View::rows(a, k), View::rows(b, m), out, m, (n, k, m), true);
}

/// `out += a @ transpose(b)`, with shapes `[n, k]`, `[m, k]`, `[n, m]`.
pub(crate) fn product_with_transposed(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == m * k && out.len() == n * m);
    add(View::rows(a, k), View::rows(b, k).transposed(), out, m, (n, k, m), true);
}

/// `out += transpose(a) @ b`, with shapes `[n, k]`, `[n, m]`, `[k, m]`.
pub(crate) fn add_product_of_transposed(a: &[f32], b: &[f32], out: &mut [f32], n: usize, k: usize, m: usize) {
    assert!(a.len() == n * k && b.len() == n * m && out.len() == k * m);
    add(View::rows(a, k).transposed(), View::rows(b, m), out, m, (k, n, m), true);
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
