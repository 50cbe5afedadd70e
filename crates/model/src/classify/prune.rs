//! Which weights become zero.

use super::arch::Parameters;
use super::graph::{Graph, Role};

/// For each tensor of weights, which of them stay; `None` for other tensors.
pub type Masks = Vec<Option<Vec<bool>>>;

/// Keeps the share `keep` of all weights together.
///
/// The measure is magnitude, made comparable between tensors: a weight's square over the sum of squares of all that are not smaller in its
/// tensor (LAMP, Lee et al. 2021). So every tensor keeps its largest weight.
#[must_use]
pub fn masks(graph: &Graph, parameters: &Parameters, keep: f64) -> Masks {
    let scores: Vec<Option<Vec<f32>>> =
        graph.specs.iter().zip(parameters).map(|(spec, values)| (spec.role == Role::Weight).then(|| lamp(values))).collect();
    let mut all: Vec<f32> = scores.iter().flatten().flatten().copied().collect();
    let kept = ((all.len() as f64 * keep).ceil() as usize).clamp(1, all.len().max(1)).min(all.len());
    if kept == all.len() {
        return scores.into_iter().map(|scores| scores.map(|scores| vec![true; scores.len()])).collect();
    }
    let (_, &mut threshold, _) = all.select_nth_unstable_by(kept, |a, b| b.total_cmp(a));
    scores.into_iter().map(|scores| scores.map(|scores| scores.into_iter().map(|score| score > threshold).collect())).collect()
}

fn lamp(values: &[f32]) -> Vec<f32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| values[b as usize].abs().total_cmp(&values[a as usize].abs()));
    let mut scores = vec![0f32; values.len()];
    let mut sum = 0f64;
    for at in order {
        let square = f64::from(values[at as usize]).powi(2);
        sum += square;
        scores[at as usize] = if sum > 0.0 { (square / sum) as f32 } else { 0.0 };
    }
    scores
}

/// The tensors with zeros where a mask says so.
#[must_use]
pub fn masked(parameters: &Parameters, masks: &Masks) -> Parameters {
    let mut masked = parameters.clone();
    for (values, mask) in masked.iter_mut().zip(masks) {
        if let Some(mask) = mask {
            values.iter_mut().zip(mask).filter(|(_, stays)| !**stays).for_each(|(value, _)| *value = 0.0);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::arch::{Arch, Kind, random};
    use crate::classify::graph::Extent;

    #[test]
    fn the_smallest_go_and_no_tensor_dies() {
        let graph = Arch::new(Kind::Small, Extent { channels: 1, height: 8, width: 8 }, 3).graph();
        let parameters = random(&graph, 1);
        let total: usize = graph.weights().iter().map(|&at| graph.specs[at].count()).sum();
        for keep in [1.0, 0.5, 0.01, 0.0] {
            let masks = masks(&graph, &parameters, keep);
            let kept: usize = masks.iter().flatten().flatten().filter(|stays| **stays).count();
            assert!(kept.abs_diff((keep * total as f64).ceil() as usize) <= 4, "{kept} of {total} at {keep}");
            for (values, mask) in parameters.iter().zip(&masks) {
                let Some(mask) = mask else { continue };
                let of = |stays: bool| values.iter().zip(mask).filter(move |(_, mask)| **mask == stays).map(|(value, _)| value.abs());
                assert!(of(false).fold(0.0, f32::max) <= of(true).fold(f32::INFINITY, f32::min));
                assert!(keep < 0.01 || of(true).count() > 0);
            }
            let masked = masked(&parameters, &masks);
            assert_eq!(graph.weights().iter().map(|&at| masked[at].iter().filter(|value| **value != 0.0).count()).sum::<usize>(), kept);
        }
    }
}
