//! Chooses which images are learned from. Nothing here drops or changes a file: every file is archived.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::layout::Layout;
use crate::open::GeneralReason;
use crate::statistics::Outline;

/// What is known about one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Fingerprint of its bytes, or of its image where only pixels count.
    pub digest: Digest,
    /// What opening it gave.
    pub state: State,
}

/// What opening a file gave.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// An image.
    Image(Outline),
    /// A file for the general way.
    General(GeneralReason),
}

/// Which files are not learned from, and why. Indices are those of the facts; each list is in their order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Copies: (index of the copy, index of the first file with this digest).
    pub duplicates: Vec<(usize, usize)>,
    /// Files that should be images but cannot be read: (index, what is wrong).
    pub unreadable: Vec<(usize, String)>,
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
    /// The images to learn from: indices of images that are no copy and no outlier, ascending.
    #[must_use]
    pub fn learnable(&self, facts: &[Fact]) -> Vec<usize> {
        let mut keep: Vec<bool> = facts.iter().map(|fact| matches!(fact.state, State::Image(_))).collect();
        self.duplicates.iter().for_each(|&(copy, _)| keep[copy] = false);
        self.outliers.iter().for_each(|outlier| keep[outlier.index] = false);
        (0..facts.len()).filter(|&i| keep[i]).collect()
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

/// An image of a group.
struct Member {
    index: usize,
    residual_bpsp: f64,
    noise_bpsp: f64,
}

/// Looks over a dataset.
///
/// - *duplicate*: same digest as an earlier file
/// - *unreadable*: [`GeneralReason::Unreadable`] or [`GeneralReason::TooLarge`]
/// - *outlier*: in a layout of at least 20 distinct images, residual entropy above `median + 6 * 1.4826 * MAD + 0.5` bpsp, or above 98.5 %
///   of what noise of the image's size would have; if more than 2 % of the group are, none is
#[must_use]
pub fn review(facts: &[Fact]) -> Report {
    let mut report = Report { duplicates: duplicates(facts), ..Report::default() };
    let mut groups: BTreeMap<Layout, Vec<Member>> = BTreeMap::new();
    let mut copies = report.duplicates.iter().map(|&(copy, _)| copy).peekable();
    for (i, fact) in facts.iter().enumerate() {
        if copies.next_if_eq(&i).is_some() {
            continue;
        }
        match &fact.state {
            State::Image(image) => {
                groups.entry(image.layout).or_default().push(Member { index: i, residual_bpsp: image.residual_bpsp, noise_bpsp: noise_bpsp(image) });
            }
            State::General(reason @ (GeneralReason::Unreadable(_) | GeneralReason::TooLarge { .. })) => {
                report.unreadable.push((i, reason.to_string()));
            }
            State::General(_) => {}
        }
    }
    report.outliers = groups.values().flat_map(|group| outliers(group)).collect();
    report.outliers.sort_by_key(|outlier| outlier.index);
    report
}

/// Copies, ascending, each with the first of its digest. Facts are put in a row rather than in a map, which would take several times the memory.
fn duplicates(facts: &[Fact]) -> Vec<(usize, usize)> {
    let mut row: Vec<usize> = (0..facts.len()).collect();
    row.sort_unstable_by(|&a, &b| facts[a].digest.cmp(&facts[b].digest).then(a.cmp(&b)));
    let mut duplicates: Vec<(usize, usize)> = Vec::new();
    for same in row.chunk_by(|&a, &b| facts[a].digest == facts[b].digest) {
        duplicates.extend(same[1..].iter().map(|&copy| (copy, same[0])));
    }
    duplicates.sort_unstable();
    duplicates
}

fn outliers(group: &[Member]) -> Vec<Outlier> {
    if group.len() < GROUP_IMAGES {
        return Vec::new();
    }
    let median_bpsp = median(group.iter().map(|image| image.residual_bpsp).collect());
    let deviation = median(group.iter().map(|image| (image.residual_bpsp - median_bpsp).abs()).collect());
    let found: Vec<Outlier> = group
        .iter()
        .map(|image| Outlier {
            index: image.index,
            residual_bpsp: image.residual_bpsp,
            median_bpsp,
            bound_bpsp: (median_bpsp + DEVIATIONS * deviation + MARGIN_BPSP).min(image.noise_bpsp),
        })
        .filter(|image| image.residual_bpsp > image.bound_bpsp)
        .collect();
    if found.len() * MAX_SHARE > group.len() { Vec::new() } else { found }
}

/// The middle value, or the upper of the two middle ones. `values` is not empty.
fn median(mut values: Vec<f64>) -> f64 {
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
        assert_eq!(report.learnable(&facts), (0..99).collect::<Vec<_>>());
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
    fn copies_and_damage_are_told_apart() {
        let mut facts = vec![fact(1, 3.0), fact(2, 3.0), fact(1, 3.0), fact(1, 3.0)];
        let general = |id: u32, reason| Fact { digest: digest::of_bytes(&id.to_le_bytes()), state: State::General(reason) };
        facts.push(general(7, GeneralReason::NotAnImage));
        facts.push(general(8, GeneralReason::Unreadable("PNG: the file ends early".to_owned())));
        facts.push(general(7, GeneralReason::NotAnImage));
        let report = review(&facts);
        assert_eq!(report.duplicates, [(2, 0), (3, 0), (6, 4)]);
        assert_eq!(report.unreadable.len(), 1);
        assert_eq!(report.unreadable[0].0, 5);
        assert_eq!(report.learnable(&facts), [0, 1]);
    }
}
