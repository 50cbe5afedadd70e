//! Where a row is best cut into runs.

/// A row of places cut into runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuts {
    /// What all runs cost together.
    pub cost: f64,
    /// Where each run ends, rising; the last one ends with the row.
    pub ends: Vec<usize>,
}

impl Cuts {
    /// The runs, each from its first place to the one behind its last.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(self.ends.iter().copied())
    }
}

/// Cuts a row of `places` into runs that cost least in all: entry `k - 1` has `k` runs, up to `most` (and no more than there are places).
///
/// `cost(from, to)` is what places `from..to` cost as one run; infinite for one that must not be. Cuts of infinite cost are left out.
/// Takes `most * places^2 / 2` steps; `cost` is asked once for each run.
#[must_use]
pub fn cheapest_cuts(places: usize, most: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<Cuts> {
    let costs: Vec<Vec<f64>> = (0..places).map(|from| (from + 1..=places).map(|to| cost(from, to)).collect()).collect();
    let cost = |from: usize, to: usize| costs[from][to - from - 1];
    let mut all = Vec::new();
    // What the first `to` places cost at least as one run more each time, and where the last of these begins.
    let mut begins: Vec<Vec<usize>> = Vec::new();
    let mut least: Vec<f64> = (0..=places).map(|to| if to == 0 { 0.0 } else { f64::INFINITY }).collect();
    for _ in 0..most.min(places) {
        let mut next = vec![f64::INFINITY; places + 1];
        let mut begin = vec![0; places + 1];
        for to in 1..=places {
            for (from, least) in least.iter().enumerate().take(to) {
                let sum = least + cost(from, to);
                if sum < next[to] {
                    (next[to], begin[to]) = (sum, from);
                }
            }
        }
        least = next;
        begins.push(begin);
        if least[places].is_finite() {
            let mut ends = vec![places];
            for begin in begins.iter().skip(1).rev() {
                ends.push(begin[ends[ends.len() - 1]]);
            }
            ends.reverse();
            all.push(Cuts { cost: least[places], ends });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every way to cut `places` into `runs` runs.
    fn every_way(places: usize, runs: usize) -> Vec<Vec<usize>> {
        (0..1u32 << (places - 1))
            .filter(|cut| cut.count_ones() as usize == runs - 1)
            .map(|cut| (1..places).filter(|&place| cut >> (place - 1) & 1 == 1).chain([places]).collect())
            .collect()
    }

    proptest! {
        #[test]
        fn no_other_way_costs_less(places in 1..=9usize, most in 1..=5usize, costs in prop::collection::vec(0..1000u32, 100)) {
            let cost = |from: usize, to: usize| f64::from(costs[from * 10 + to]);
            let found = cheapest_cuts(places, most, cost);
            prop_assert_eq!(found.len(), most.min(places));
            for (cuts, runs) in found.iter().zip(1..) {
                let of = |ends: &[usize]| Cuts { cost: 0.0, ends: ends.to_vec() }.runs().map(|(from, to)| cost(from, to)).sum::<f64>();
                let least = every_way(places, runs).iter().map(|ends| of(ends)).fold(f64::INFINITY, f64::min);
                prop_assert_eq!(cuts.ends.len(), runs);
                prop_assert_eq!((cuts.cost, of(&cuts.ends)), (least, least));
            }
        }
    }

    #[test]
    fn runs_that_must_not_be_are_not() {
        let long = |from: usize, to: usize| if to - from < 2 { f64::INFINITY } else { 1.0 };
        let found = cheapest_cuts(5, 4, long);
        assert_eq!(found.iter().map(|cuts| cuts.ends.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found[0].runs().collect::<Vec<_>>(), [(0, 5)]);
        assert!(cheapest_cuts(0, 3, long).is_empty());
    }
}
