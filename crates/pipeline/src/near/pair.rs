//! What one image tells about another: where it is to be laid, and how many bits that may save.
#![allow(clippy::needless_range_loop, reason = "rows and columns of small matrices")]

use kolmo_codec::block::Reference;
use kolmo_data::layout::Image;

use super::sketch::{channel, turned};

/// Tiles that are looked at along each side, and pixels along theirs.
const TILES: usize = 5;
const TILE: usize = 8;
/// Pixels around a tile that are looked at as well.
const MARGIN: usize = 2;
/// Farthest that an image is moved, in rows or columns.
const FARTHEST: i32 = 64;
/// Steps in which the best place is searched for.
const STEPS: [i32; 4] = [8, 4, 2, 1];
/// What an error is never taken to be below: noise of rounding.
const LEAST_ERROR: f64 = 0.3;

/// Inputs of a fit to the neighbours alone, and of one to the reference too; the last number is what they should give.
const ALONE: usize = 6;
const BOTH: usize = ALONE + 7;

/// Two images of one shape, the second to be the reference of the first.
pub(crate) struct Pair<'a> {
    image: &'a Image,
    other: &'a Image,
    turn: u8,
    /// Upper left pixels of the tiles.
    tiles: Vec<(usize, usize)>,
}

impl<'a> Pair<'a> {
    /// `None` of images that are too small.
    pub(crate) fn new(image: &'a Image, other: &'a Image, turn: u8) -> Option<Self> {
        let (width, height) = (image.width as usize, image.height as usize);
        let room = |side: usize| side.checked_sub(TILE + 2 * MARGIN);
        let (free_y, free_x) = (room(height)?, room(width)?);
        let along = |free: usize| {
            let tiles = (free / TILE + 1).min(TILES);
            (0..tiles).map(move |tile| MARGIN + free * (2 * tile + 1) / (2 * tiles))
        };
        let tiles = along(free_y).flat_map(|y| along(free_x).map(move |x| (y, x))).collect();
        Some(Self { image, other, turn, tiles })
    }

    fn sample(&self, y: usize, x: usize) -> f64 {
        let (c, channels) = channel(self.image);
        self.image.samples[(y * self.image.width as usize + x) * channels + c].into()
    }

    /// The reference's sample where the image has (`y`, `x`).
    fn seen(&self, y: usize, x: usize, (down, right): (i32, i32)) -> f64 {
        let (c, channels) = channel(self.image);
        let (width, height) = (self.image.width as usize, self.image.height as usize);
        let place = |at: usize, moved: i32, side: usize| (at as isize + moved as isize).clamp(0, side as isize - 1) as usize;
        let (y, x) = turned(self.turn, place(y, down, height), place(x, right, width), height, width);
        self.other.samples[(y * self.other.width as usize + x) * channels + c].into()
    }

    /// Mean absolute difference, brightness apart, of a quarter of the tiles' pixels.
    fn difference(&self, moved: (i32, i32)) -> f64 {
        let mut differences = Vec::with_capacity(self.tiles.len() * TILE * TILE / 4);
        for &(top, left) in &self.tiles {
            for y in (0..TILE).step_by(2) {
                for x in (0..TILE).step_by(2) {
                    differences.push(self.sample(top + y, left + x) - self.seen(top + y, left + x, moved));
                }
            }
        }
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        differences.iter().map(|difference| (difference - mean).abs()).sum::<f64>() / n
    }

    /// Whether the images differ by less than half of what the first varies by, as they lie.
    pub(crate) fn alike(&self) -> bool {
        let samples: Vec<f64> = self.tiles.iter().flat_map(|&(y, x)| [self.sample(y, x), self.sample(y + TILE / 2, x + TILE / 2)]).collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let varies = samples.iter().map(|sample| (sample - mean).abs()).sum::<f64>() / samples.len() as f64;
        self.difference((0, 0)) < 0.5 * varies
    }

    /// By how many rows and columns the reference is ahead.
    fn moved(&self) -> (i32, i32) {
        let (mut best, mut at) = (self.difference((0, 0)), (0, 0));
        let farthest = |side: u32| (side as i32 / 4).min(FARTHEST);
        let (rows, columns) = (farthest(self.image.height), farthest(self.image.width));
        for step in STEPS {
            for _ in 0..8 {
                let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (at.0 + step * dy, at.1 + step * dx)));
                let inside = around.filter(|&place| place != at && place.0.abs() <= rows && place.1.abs() <= columns);
                let (least, place) = inside.map(|place| (self.difference(place), place)).fold((f64::MAX, at), |a, b| if b.0 < a.0 { b } else { a });
                // What noise alone would better is left where it is.
                if least >= 0.98 * best {
                    break;
                }
                (best, at) = (least, place);
            }
        }
        at
    }

    /// The best reference `number` that the second image can be, and the bits a sample that it may save: least squares with its samples against those
    /// without, tile by tile.
    pub(crate) fn reference(&self, number: usize) -> (Reference, f64) {
        let moved = self.moved();
        let mut rows = Vec::with_capacity(self.tiles.len() * TILE * TILE);
        for &(top, left) in &self.tiles {
            for (y, x) in (0..TILE * TILE).map(|at| (top + at / TILE, left + at % TILE)) {
                let seen = |dy: usize, dx: usize| self.seen(y + dy - 1, x + dx - 1, moved);
                let (w, n, nw, ne) = (self.sample(y, x - 1), self.sample(y - 1, x), self.sample(y - 1, x - 1), self.sample(y - 1, x + 1));
                // All but the mean relative to one neighbour, for matrices that can be solved.
                let row: [f64; BOTH + 1] = [
                    1.0,
                    n - w,
                    nw - w,
                    ne - w,
                    self.sample(y, x - 2) - w,
                    self.sample(y - 2, x) - w,
                    seen(1, 1) - w,
                    seen(1, 0) - w,
                    seen(0, 1) - w,
                    seen(1, 2) - w,
                    seen(2, 1) - w,
                    seen(0, 0) - w,
                    seen(2, 2) - w,
                    self.sample(y, x) - w,
                ];
                rows.push(row);
            }
        }
        let (alone, both) = (errors::<ALONE>(&rows), errors::<BOTH>(&rows));
        let saved = alone.iter().zip(&both).map(|(alone, both)| ((alone + LEAST_ERROR) / (both + LEAST_ERROR)).log2()).sum::<f64>();
        let saved = saved / alone.len().max(1) as f64;
        (Reference { image: number, turn: self.turn, down: moved.0, right: moved.1 }, saved)
    }
}

/// Mean absolute errors of each tile, if the last number of each row is predicted from its first `N` by least squares.
fn errors<const N: usize>(rows: &[[f64; BOTH + 1]]) -> Vec<f64> {
    let (mut products, mut sums) = ([[0.0; N]; N], [0.0; N]);
    for row in rows {
        for i in 0..N {
            sums[i] += row[i] * row[BOTH];
            for j in 0..=i {
                products[i][j] += row[i] * row[j];
            }
        }
    }
    let weights = solve(&mut products, sums);
    let error = |row: &[f64; BOTH + 1]| (row[BOTH] - weights.iter().zip(row).map(|(weight, input)| weight * input).sum::<f64>()).abs();
    rows.chunks(TILE * TILE).map(|tile| tile.iter().map(error).sum::<f64>() / tile.len() as f64).collect()
}

/// Solves symmetric equations, of which the lower half is given, by Cholesky's factors; something is added to the diagonal, so that there are some.
fn solve<const N: usize>(products: &mut [[f64; N]; N], sums: [f64; N]) -> [f64; N] {
    for i in 0..N {
        products[i][i] += 16.0;
        for j in 0..=i {
            let rest = products[i][j] - (0..j).map(|k| products[i][k] * products[j][k]).sum::<f64>();
            products[i][j] = if i == j { rest.max(1e-6).sqrt() } else { rest / products[j][j] };
        }
    }
    let mut solved = sums;
    for i in 0..N {
        solved[i] = (solved[i] - (0..i).map(|k| products[i][k] * solved[k]).sum::<f64>()) / products[i][i];
    }
    for i in (0..N).rev() {
        solved[i] = (solved[i] - (i + 1..N).map(|k| products[k][i] * solved[k]).sum::<f64>()) / products[i][i];
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Smooth at large, rough at small.
    fn scene(y: usize, x: usize) -> u8 {
        let rough = (y.wrapping_mul(2_654_435_761) ^ x.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 24 & 31;
        let smooth = 60.0 + 50.0 * (y as f64 / 23.0).sin() + 40.0 * (x as f64 / 31.0).cos();
        smooth as u8 + rough as u8
    }

    fn image(of: impl Fn(usize, usize) -> u8) -> Image {
        let samples = (0..96 * 96).map(|at| of(at / 96, at % 96)).collect();
        Image::new(96, 96, "gray8".parse().expect("a layout"), samples).expect("an image")
    }

    #[test]
    fn moved_and_turned_images_are_laid_over_each_other() {
        let first = image(|y, x| scene(y + 40, x + 40));
        for turn in 0..8 {
            let second = image(|y, x| {
                let (y, x) = turned(turn, y, x, 96, 96);
                scene(y + 40, x + 40) + 9
            });
            let pair = Pair::new(&second, &first, turn).expect("large enough");
            let (reference, saved) = pair.reference(3);
            assert_eq!(reference, Reference { image: 3, turn, down: 0, right: 0 });
            assert!(pair.alike() && saved > 3.0, "{saved}");
        }
        let moved = image(|y, x| scene(y + 47, x + 29));
        let (reference, saved) = Pair::new(&moved, &first, 0).expect("large enough").reference(0);
        assert_eq!(reference, Reference { image: 0, turn: 0, down: 7, right: -11 });
        assert!(saved > 3.0, "{saved}");
        let other = image(|y, x| scene(3 * x + 500, 2 * y + 900));
        let pair = Pair::new(&other, &first, 0).expect("large enough");
        assert!(pair.reference(0).1 < 0.1, "{}", pair.reference(0).1);
        assert!(Pair::new(&image_of(11), &image_of(11), 0).is_none());
    }

    fn image_of(side: u32) -> Image {
        Image::new(side, side, "gray8".parse().expect("a layout"), vec![0; (side * side) as usize]).expect("an image")
    }
}
