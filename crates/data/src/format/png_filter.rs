//! PNG's row filters, and the rules by which encoders choose them.

use crate::Error;
use crate::recipe::{Reader, Writer};

/// How an encoder chose a filter for each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filters {
    /// All rows have this one.
    Uniform(u8),
    /// The first row has one, all others another.
    First(u8, u8),
    /// Smallest sum of absolute differences.
    Rule(Rule),
    /// One filter a row.
    Rows(Vec<u8>),
}

/// Which filters the smallest sum is taken over, and in which order: of equal sums the first wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// All five in order, as libpng does it for samples of 8 bits (all 2000 files of fashion_mnist).
    Libpng,
    /// "Up" before "sub" and no "average", as Pillow does it (all files of photos100, cifar10 and nuclei).
    Pillow,
    /// Pillow's order with "average", as when it is asked to optimise.
    PillowOptimised,
}

impl Rule {
    const ALL: [Self; 3] = [Self::Pillow, Self::Libpng, Self::PillowOptimised];

    const fn filters(self) -> &'static [u8] {
        match self {
            Self::Libpng => &[0, 1, 2, 3, 4],
            Self::Pillow => &[0, 2, 1, 4],
            Self::PillowOptimised => &[0, 2, 1, 3, 4],
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Libpng => 5,
            Self::Pillow => 6,
            Self::PillowOptimised => 7,
        }
    }
}

/// Codes after those of single filters (0..=4) and rules (5..=7).
const FIRST: u8 = 8;
const ROWS: u8 = 9;

impl Filters {
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Uniform(filter) => writer.byte(*filter),
            Self::Rule(rule) => writer.byte(rule.code()),
            Self::First(first, rest) => writer.raw(&[FIRST, first * 8 + rest]),
            Self::Rows(rows) => {
                writer.byte(ROWS);
                let runs: Vec<u8> = rows.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(31)).map(|run| run[0] | (run.len() as u8) << 3).collect();
                writer.string(&runs);
            }
        }
    }

    /// Reads what [`Filters::write`] wrote, for an image of `height` rows.
    pub(crate) fn read(reader: &mut Reader<'_>, height: usize) -> Result<Self, Error> {
        let corrupt = || Error::corrupt("recipe: PNG row filters");
        match reader.byte("PNG row filters")? {
            filter @ 0..=4 => Ok(Self::Uniform(filter)),
            FIRST => match reader.byte("PNG row filters")? {
                pair if pair < 40 && pair % 8 <= 4 => Ok(Self::First(pair / 8, pair % 8)),
                _ => Err(corrupt()),
            },
            ROWS => {
                let mut rows = Vec::new();
                for run in reader.string("PNG row filters")? {
                    let (filter, n) = (run & 7, usize::from(run >> 3));
                    if filter > 4 || n > height - rows.len() {
                        return Err(corrupt());
                    }
                    rows.resize(rows.len() + n, filter);
                }
                if rows.len() == height { Ok(Self::Rows(rows)) } else { Err(corrupt()) }
            }
            code => Rule::ALL.into_iter().find(|rule| rule.code() == code).map(Self::Rule).ok_or_else(corrupt),
        }
    }

    /// The choice an encoder made, put as generally as possible so that files of a set share a recipe.
    ///
    /// - `used`: one filter a row; `packed`: shape `[used.len(), row_bytes]`; `bpp`: bytes a pixel, at least 1
    /// - `likely`: which rule to take if several explain a small image
    pub(crate) fn detect(used: &[u8], packed: &[u8], bpp: usize, likely: Rule) -> Self {
        let Some((&first, rest)) = used.split_first() else { return Self::Uniform(0) };
        let second = rest.first().copied().unwrap_or(first);
        let uniform_rest = rest.iter().all(|&filter| filter == second);
        if uniform_rest && first == 0 && second == 0 {
            return Self::Uniform(0);
        }
        let row_bytes = packed.len() / used.len();
        let explains = |rule: &Rule| {
            let mut chooser = Chooser::new(row_bytes, bpp);
            rows(packed, row_bytes).zip(used).all(|((row, above), &used)| chooser.choose(*rule, row, above).0 == used)
        };
        let others = Rule::ALL.into_iter().filter(|&rule| rule != likely);
        if let Some(rule) = std::iter::once(likely).chain(others).find(explains) {
            return Self::Rule(rule);
        }
        match (uniform_rest, first == second) {
            (true, true) => Self::Uniform(first),
            (true, false) => Self::First(first, second),
            (false, _) => Self::Rows(used.to_vec()),
        }
    }
}

/// Each row of `packed` with the one above (zeros above the first; shorter slices never arise).
fn rows(packed: &[u8], row_bytes: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let above = std::iter::once(None).chain(packed.chunks_exact(row_bytes).map(Some));
    packed.chunks_exact(row_bytes).zip(above)
}

/// Filters packed rows: shape `[height, row_bytes]` to `[height, 1 + row_bytes]`.
pub(crate) fn filter(packed: &[u8], row_bytes: usize, bpp: usize, filters: &Filters) -> Vec<u8> {
    let mut filtered = Vec::with_capacity(packed.len() + packed.len() / row_bytes);
    let mut chooser = Chooser::new(row_bytes, bpp);
    for (y, (row, above)) in rows(packed, row_bytes).enumerate() {
        let fixed = match filters {
            Filters::Uniform(filter) => *filter,
            Filters::First(first, _) if y == 0 => *first,
            Filters::First(_, rest) => *rest,
            Filters::Rows(rows) => rows[y],
            Filters::Rule(rule) => {
                let (filter, bytes) = chooser.choose(*rule, row, above);
                filtered.push(filter);
                filtered.extend_from_slice(bytes);
                continue;
            }
        };
        filtered.push(fixed);
        filtered.extend_from_slice(chooser.apply(fixed, row, above));
    }
    filtered
}

/// Filters one row at a time, keeping its buffers.
struct Chooser {
    zeros: Vec<u8>,
    best: Vec<u8>,
    trial: Vec<u8>,
    bpp: usize,
}

impl Chooser {
    fn new(row_bytes: usize, bpp: usize) -> Self {
        Self { zeros: vec![0; row_bytes], best: vec![0; row_bytes], trial: vec![0; row_bytes], bpp }
    }

    fn apply(&mut self, filter: u8, row: &[u8], above: Option<&[u8]>) -> &[u8] {
        filter_row(filter, row, above.unwrap_or(&self.zeros), self.bpp, &mut self.best);
        &self.best
    }

    fn choose(&mut self, rule: Rule, row: &[u8], above: Option<&[u8]>) -> (u8, &[u8]) {
        let above = above.unwrap_or(&self.zeros);
        let mut best = (0, u64::MAX);
        for &filter in rule.filters() {
            filter_row(filter, row, above, self.bpp, &mut self.trial);
            let sum = self.trial.chunks(1 << 16).map(|part| u64::from(sum_of_differences(part))).sum();
            if sum < best.1 {
                best = (filter, sum);
                std::mem::swap(&mut self.best, &mut self.trial);
            }
        }
        (best.0, &self.best)
    }
}

/// Sum of the bytes read as signed magnitudes; `part` is at most 64 KiB, so a `u32` holds it.
fn sum_of_differences(part: &[u8]) -> u32 {
    part.iter().map(|&byte| u32::from((byte as i8).unsigned_abs())).sum()
}

/// One filtered row. `row`, `above` and `out` have the same length.
fn filter_row(filter: u8, row: &[u8], above: &[u8], bpp: usize, out: &mut [u8]) {
    let head = bpp.min(row.len());
    match filter {
        0 => out.copy_from_slice(row),
        1 => {
            out[..head].copy_from_slice(&row[..head]);
            for ((out, x), left) in out[head..].iter_mut().zip(&row[head..]).zip(row) {
                *out = x.wrapping_sub(*left);
            }
        }
        2 => {
            for ((out, x), up) in out.iter_mut().zip(row).zip(above) {
                *out = x.wrapping_sub(*up);
            }
        }
        3 => {
            for ((out, x), up) in out.iter_mut().zip(&row[..head]).zip(above) {
                *out = x.wrapping_sub(up / 2);
            }
            for (((out, x), left), up) in out[head..].iter_mut().zip(&row[head..]).zip(row).zip(&above[head..]) {
                *out = x.wrapping_sub(average(*left, *up));
            }
        }
        _ => {
            for ((out, x), up) in out.iter_mut().zip(&row[..head]).zip(above) {
                *out = x.wrapping_sub(*up);
            }
            let rest = out[head..].iter_mut().zip(&row[head..]).zip(row).zip(&above[head..]).zip(above);
            for ((((out, x), left), up), corner) in rest {
                *out = x.wrapping_sub(paeth(*left, *up, *corner));
            }
        }
    }
}

const fn average(left: u8, up: u8) -> u8 {
    ((left as u16 + up as u16) / 2) as u8
}

/// Of left, up and the corner between them, the one closest to `left + up - corner`; in case of a tie the first.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        up
    } else {
        corner
    }
}

/// Takes the filters back: shape `[height, 1 + row_bytes]` to the filters and `[height, row_bytes]`.
///
/// `None` if a row names a filter that does not exist, or the bytes are no whole number of rows.
pub(crate) fn unfilter(filtered: &[u8], row_bytes: usize, bpp: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let height = filtered.len() / (row_bytes + 1);
    if filtered.len() != height * (row_bytes + 1) {
        return None;
    }
    let mut used = Vec::with_capacity(height);
    let mut packed = vec![0; height * row_bytes];
    let zeros = vec![0; row_bytes];
    let mut done: &mut [u8] = &mut [];
    let mut left = packed.as_mut_slice();
    for line in filtered.chunks_exact(row_bytes + 1) {
        let (&filter, bytes) = line.split_first()?;
        let (row, rest) = left.split_at_mut(row_bytes);
        row.copy_from_slice(bytes);
        unfilter_row(filter, row, if done.is_empty() { &zeros } else { done }, bpp)?;
        used.push(filter);
        done = row;
        left = rest;
    }
    Some((used, packed))
}

fn unfilter_row(filter: u8, row: &mut [u8], above: &[u8], bpp: usize) -> Option<()> {
    let head = bpp.min(row.len());
    match filter {
        0 => {}
        1 => {
            for i in head..row.len() {
                row[i] = row[i].wrapping_add(row[i - bpp]);
            }
        }
        2 => {
            for (x, up) in row.iter_mut().zip(above) {
                *x = x.wrapping_add(*up);
            }
        }
        3 => {
            for (x, up) in row[..head].iter_mut().zip(above) {
                *x = x.wrapping_add(up / 2);
            }
            for i in head..row.len() {
                row[i] = row[i].wrapping_add(average(row[i - bpp], above[i]));
            }
        }
        4 => {
            for (x, up) in row[..head].iter_mut().zip(above) {
                *x = x.wrapping_add(*up);
            }
            for i in head..row.len() {
                row[i] = row[i].wrapping_add(paeth(row[i - bpp], above[i], above[i - bpp]));
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bumpy(n: usize) -> Vec<u8> {
        (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 26) as u8 + (i / 7) as u8).collect()
    }

    #[test]
    fn every_filter_is_taken_back() {
        for (row_bytes, height, bpp) in [(1, 1, 1), (2, 3, 3), (3, 2, 3), (28, 28, 1), (30, 5, 3), (64, 9, 4)] {
            let packed = bumpy(row_bytes * height);
            let mixed = (0..height).map(|y| y as u8 % 5).collect();
            let rules = Rule::ALL.map(Filters::Rule);
            for filters in (0..5).map(Filters::Uniform).chain(rules).chain([Filters::Rows(mixed)]) {
                let filtered = filter(&packed, row_bytes, bpp, &filters);
                let (used, back) = unfilter(&filtered, row_bytes, bpp).unwrap();
                assert_eq!(back, packed, "{filters:?}");
                let detected = Filters::detect(&used, &packed, bpp, Rule::Libpng);
                assert_eq!(filter(&packed, row_bytes, bpp, &detected), filtered, "{detected:?}");
            }
        }
    }

    #[test]
    fn filters_are_written_and_read() {
        let mut rows = vec![1; 100];
        rows.extend([0, 4, 4, 3]);
        let all = [
            Filters::Uniform(3),
            Filters::First(1, 4),
            Filters::Rule(Rule::Libpng),
            Filters::Rule(Rule::Pillow),
            Filters::Rule(Rule::PillowOptimised),
            Filters::Rows(rows),
        ];
        for filters in all {
            let mut writer = Writer::default();
            filters.write(&mut writer);
            let bytes = writer.finish();
            assert_eq!(Filters::read(&mut Reader::new(&bytes), 104).unwrap(), filters);
            if matches!(filters, Filters::Rows(_)) {
                assert!(Filters::read(&mut Reader::new(&bytes), 103).is_err());
                assert!(Filters::read(&mut Reader::new(&bytes), 105).is_err());
            }
        }
    }

    #[test]
    fn unknown_filters_and_broken_rows_are_refused() {
        assert!(unfilter(&[5, 0], 1, 1).is_none());
        assert!(unfilter(&[0, 0, 0], 1, 1).is_none());
    }
}
