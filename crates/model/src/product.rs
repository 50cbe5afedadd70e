//! Products of matrices whose rows may lie apart, by the `gemm` crate, which picks AVX-512, AVX2 or NEON code at run time.
#![allow(unsafe_code, reason = "gemm takes pointers; each slice's length is asserted before its pointer is passed on")]

use gemm::{Parallelism, gemm};

/// A matrix within a slice: element `(r, c)` is at `r * row + c * column`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<'a> View<'a> {
    pub(crate) const fn rows(values: &'a [f32], row: usize) -> Self {
        Self { values, row, column: 1 }
    }

    pub(crate) const fn transposed(self) -> Self {
        Self { values: self.values, row: self.column, column: self.row }
    }

    const fn reach(self, rows: usize, columns: usize) -> usize {
        if rows == 0 || columns == 0 { 0 } else { (rows - 1) * self.row + (columns - 1) * self.column + 1 }
    }
}

/// `out = left @ right`, or `out += left @ right`; `out` has rows `out_row` apart.
pub(crate) fn product(left: View<'_>, right: View<'_>, out: &mut [f32], out_row: usize, (rows, inner, columns): (usize, usize, usize), add: bool) {
    assert!(left.values.len() >= left.reach(rows, inner) && right.values.len() >= right.reach(inner, columns));
    assert!(rows == 0 || columns == 0 || out.len() >= (rows - 1) * out_row + columns);
    assert!(columns <= out_row || rows <= 1, "rows of the result do not overlap");
    // SAFETY: every index row * stride + column * stride stays below the lengths asserted above.
    unsafe {
        gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            out_row as isize,
            add,
            left.values.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.values.as_ptr(),
            right.column as isize,
            right.row as isize,
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
        let a: Vec<f32> = (0..n * (k + 2)).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let b: Vec<f32> = (0..m * k).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
        let mut out = vec![1.0; n * 4];
        // a's rows are k + 2 apart, b is given transposed, out's rows are 4 apart
        product(View::rows(&a, k + 2), View::rows(&b, k).transposed(), &mut out, 4, (n, k, m), true);
        for r in 0..n {
            for c in 0..m {
                let expected = 1.0 + (0..k).map(|j| a[r * (k + 2) + j] * b[c * k + j]).sum::<f32>();
                assert_eq!(out[r * 4 + c], expected);
            }
            assert_eq!(out[r * 4 + 3], 1.0);
        }
        product(View::rows(&a, k + 2), View::rows(&b, k).transposed(), &mut out, 4, (n, k, m), false);
        assert_eq!(out[0], (0..k).map(|j| a[j] * b[j]).sum::<f32>());
    }
}
