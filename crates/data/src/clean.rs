//! Chooses which images are learned from. Nothing here drops or changes a file: every file is archived.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::layout::Layout;
use crate::statistics::Outline;

/// What is known about one file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fact {
    /// Fingerprint of its bytes, or of its image where only pixels count.
    pub digest: Digest,
    /// What opening it gave.
    pub state: State,
}

/// What opening a file gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// An image.
    Image(Outline),
    /// A file for the general way.
    General,
}

/// Which files are not learned from, and why. Indices are those of the facts; each list is in their order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Copies: (index of the copy, index of the first file with this digest).
    pub duplicates: Vec<(usize, usize)>,
    /// Images unlike the rest of their layout.
    pub outliers: Vec<Outlier>,
}

/// An image that is much harder to predict than its group.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Outlier {
    /// Index of its fact.
    pub index: usize,
    /// Residual entropy of the image, bpsp.
    pub residual_bpsp: f64,
    /// Median of its group, bpsp.
    pub median_bpsp: f64,
    /// The most that its group allows, bpsp.
    pub bound_bpsp: f64,
}

impl std::fmt::Display for Outlier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { residual_bpsp, median_bpsp, bound_bpsp, .. } = self;
        write!(f, "residual entropy {residual_bpsp:.2} bpsp, above {bound_bpsp:.2} (median of its group {median_bpsp:.2})")
    }
}

impl Report {
    /// The files that no image is learned from because it is a copy or an outlier: indices, ascending.
    #[must_use]
    pub fn left_out(&self) -> Vec<usize> {
        let copies = self.duplicates.iter().map(|&(copy, _)| copy);
        let mut all: Vec<usize> = copies.chain(self.outliers.iter().map(|outlier| outlier.index)).collect();
        all.sort_unstable();
        all
    }
}

/// A group smaller than this has no outliers: its median says too little.
const GROUP_IMAGES: usize = 20;
/// 1.4826 makes the median absolute deviation (MAD) of a normal distribution its standard deviation; six of them and half a
/// bit are beyond any tail. Measured as median, MAD, largest, bound: nuclei 2.15, 0.40, 3.27, 6.23; omniglot 0.08, 0.02, 0.18, 0.80.
const DEVIATIONS: f64 = 6.0 * 1.4826;
const MARGIN_BPSP: f64 = 0.5;
/// Photos spread so widely that the bound above passes 8 bits (photos100 5.33, 0.59, 7.27, 11.10; cifar10 5.56, 0.39, 6.88, 9.51), so
/// an image at this share of what noise of its size would give is an outlier too: nothing can be learned from it.
const NOISE_SHARE: f64 = 0.985;
/// A rule that throws out more than one image in fifty has found a second kind of image, not outliers.
const MAX_SHARE: usize = 50;

/// Residual entropy that marks an image as noise, bpsp; infinite for images too small to tell.
///
/// The order-0 entropy of `n` even draws from `a` values is `log2(a) - (a - 1) / (2 n ln 2)` on average (Miller 1955).
fn noise_bpsp(image: &Outline) -> f64 {
    let n = image.pixels as f64 * image.layout.channels() as f64;
    let bias = f64::from(image.layout.max_sample()) / (2.0 * n * std::f64::consts::LN_2);
    if bias < 0.5 { NOISE_SHARE * (f64::from(image.layout.bit_depth) - bias) } else { f64::INFINITY }
}

/// Files whose digests are compared at a time: 16 MB of the beginnings of these.
const COMPARED: usize = 1 << 20;

/// Looks over a dataset: `count` files, of which `fact` is asked by index, several times; what is held of each is its residual entropy.
///
/// - *duplicate*: same digest as an earlier file
/// - *outlier*: in a layout of at least 20 distinct images, residual entropy above `median + 6 * 1.4826 * MAD + 0.5` bpsp, or above 98.5 %
///   of what noise of the image's size would have; if more than 2 % of the group are, none is
///
/// # Errors
/// Those of `fact`.
pub fn review<E>(count: usize, fact: impl Fn(usize) -> Result<Fact, E>) -> Result<Report, E> {
    let duplicates = duplicates(count, &fact)?;
    let mut residuals: BTreeMap<Layout, Vec<f64>> = BTreeMap::new();
    each_image(count, &fact, &duplicates, &mut |_, image| residuals.entry(image.layout).or_default().push(image.residual_bpsp))?;
    let usual = residuals.into_iter().filter_map(|(layout, residuals)| Some((layout, Group::of(residuals)?)));
    let mut groups: BTreeMap<Layout, Group> = usual.collect();
    let mut outliers: Vec<(Layout, Outlier)> = Vec::new();
    each_image(count, &fact, &duplicates, &mut |index, image| {
        let found = groups.get_mut(&image.layout).and_then(|group| group.outlier(index, image));
        outliers.extend(found.map(|outlier| (image.layout, outlier)));
    })?;
    let rare = outliers.into_iter().filter(|(layout, _)| groups.get(layout).is_some_and(Group::has_few_outliers));
    let outliers = rare.map(|(_, outlier)| outlier).collect();
    Ok(Report { duplicates, outliers })
}

/// Shows all images that are no copies.
fn each_image<E>(
    count: usize,
    fact: &impl Fn(usize) -> Result<Fact, E>,
    duplicates: &[(usize, usize)],
    sink: &mut dyn FnMut(usize, &Outline),
) -> Result<(), E> {
    let mut copies = duplicates.iter().map(|&(copy, _)| copy).peekable();
    for index in 0..count {
        if copies.next_if_eq(&index).is_none()
            && let State::Image(image) = fact(index)?.state
        {
            sink(index, &image);
        }
    }
    Ok(())
}

/// Copies, ascending, each with the first of its digest. Beginnings of digests are put in a row, of millions of files some at a time: those that leave the
/// same rest.
fn duplicates<E>(count: usize, fact: &impl Fn(usize) -> Result<Fact, E>) -> Result<Vec<(usize, usize)>, E> {
    let rests = count.div_ceil(COMPARED) as u64;
    let mut duplicates: Vec<(usize, usize)> = Vec::new();
    for rest in 0..rests {
        let mut row: Vec<(u64, usize)> = Vec::new();
        for index in 0..count {
            let short = u64::from_le_bytes(fact(index)?.digest.0[..8].try_into().unwrap_or_default());
            if short % rests == rest {
                row.push((short, index));
            }
        }
        row.sort_unstable();
        for like in row.chunk_by(|a, b| a.0 == b.0).filter(|like| like.len() > 1) {
            let mut first: BTreeMap<Digest, usize> = BTreeMap::new();
            for &(_, index) in like {
                let earlier = *first.entry(fact(index)?.digest).or_insert(index);
                if earlier != index {
                    duplicates.push((index, earlier));
                }
            }
        }
    }
    duplicates.sort_unstable();
    Ok(duplicates)
}

/// What is usual in a group.
struct Group {
    images: usize,
    outliers: usize,
    median_bpsp: f64,
    deviation: f64,
}

impl Group {
    /// `None` if it is too small to have outliers.
    fn of(mut residuals: Vec<f64>) -> Option<Self> {
        if residuals.len() < GROUP_IMAGES {
            return None;
        }
        let median_bpsp = median(&mut residuals);
        residuals.iter_mut().for_each(|residual| *residual = (*residual - median_bpsp).abs());
        Some(Self { images: residuals.len(), outliers: 0, median_bpsp, deviation: median(&mut residuals) })
    }

    /// What there is to say of an image that is one, while there are few.
    fn outlier(&mut self, index: usize, image: &Outline) -> Option<Outlier> {
        let &mut Self { median_bpsp, deviation, .. } = self;
        let bound_bpsp = (median_bpsp + DEVIATIONS * deviation + MARGIN_BPSP).min(noise_bpsp(image));
        let residual_bpsp = image.residual_bpsp;
        if residual_bpsp <= bound_bpsp {
            return None;
        }
        self.outliers += 1;
        self.has_few_outliers().then_some(Outlier { index, residual_bpsp, median_bpsp, bound_bpsp })
    }

    const fn has_few_outliers(&self) -> bool {
        self.outliers * MAX_SHARE <= self.images
    }
}

/// The middle value, or the upper of the two middle ones. `values` is not empty.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use crate::layout::{Colour, Image};
    use crate::statistics;

    fn fact(id: u32, residual_bpsp: f64) -> Fact {
        let image = Image::new(1, 1, Layout::eight(Colour::Rgb), vec![0; 3]).unwrap();
        let state = State::Image(Outline { residual_bpsp, ..statistics::of_image(&image).outline() });
        Fact { digest: digest::of_bytes(&id.to_le_bytes()), state }
    }

    fn review(facts: &[Fact]) -> Report {
        super::review(facts.len(), |index| Ok::<_, ()>(facts[index])).unwrap()
    }

    fn spread(n: u32) -> Vec<Fact> {
        (0..n).map(|i| fact(i, 3.0 + f64::from(i % 10) / 10.0)).collect()
    }

    #[test]
    fn the_odd_one_out_is_named() {
        let mut facts = spread(99);
        facts.push(fact(99, 7.9));
        let report = review(&facts);
        assert_eq!(report.outliers.len(), 1);
        assert_eq!(report.outliers[0].index, 99);
        assert!(report.outliers[0].to_string().contains("7.90"));
        assert_eq!(report.left_out(), [99]);
    }

    #[test]
    fn noise_among_photos_is_named() {
        // as wide a spread as photos100 has; digests serve as noise
        let mut facts: Vec<Fact> = (0..99).map(|i| fact(i, 3.0 + f64::from(i) / 22.0)).collect();
        let samples = (0..200u32).flat_map(|i| digest::of_bytes(&i.to_le_bytes()).0).take(40 * 40 * 3).collect();
        let noise = Image::new(40, 40, Layout::eight(Colour::Rgb), samples).unwrap();
        facts.push(Fact { digest: digest::of_image(&noise), state: State::Image(statistics::of_image(&noise).outline()) });
        let outliers = review(&facts).outliers;
        assert_eq!(outliers.iter().map(|outlier| outlier.index).collect::<Vec<_>>(), [99]);
        assert!(outliers[0].bound_bpsp > 7.5);
    }

    #[test]
    fn a_second_kind_of_image_and_small_groups_stay() {
        let mut facts = spread(99);
        facts.extend((0..3).map(|i| fact(100 + i, 7.9)));
        assert!(review(&facts).outliers.is_empty());
        let mut facts = spread(18);
        facts.push(fact(99, 7.9));
        assert!(review(&facts).outliers.is_empty());
    }

    #[test]
    fn copies_are_told_apart() {
        let mut facts = vec![fact(1, 3.0), fact(2, 3.0), fact(1, 3.0), fact(1, 3.0)];
        let general = |id: u32| Fact { digest: digest::of_bytes(&id.to_le_bytes()), state: State::General };
        facts.extend([general(7), general(8), general(7)]);
        let report = review(&facts);
        assert_eq!(report.duplicates, [(2, 0), (3, 0), (6, 4)]);
        assert_eq!(report.left_out(), [2, 3, 6]);
    }
}
