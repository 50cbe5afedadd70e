//! How many bits each tensor gets: a choice for every tensor, within bytes, at the least loss.

use std::fmt;

/// How choices are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The same bits for every tensor.
    Fixed,
    /// From the best choice everywhere, step by step to the cheaper choice that loses least for each byte it saves.
    Greedy,
    /// Dynamic programming over the bytes (a multiple-choice knapsack): the least sum of losses.
    #[default]
    Dynamic,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fixed, Self::Greedy, Self::Dynamic];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed",
            Self::Greedy => "greedy",
            Self::Dynamic => "dynamic",
        })
    }
}

/// What a number of bits and a price of bits would mean for a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Of each integer.
    pub bits: u8,
    /// What a bit is worth in rounding, in squares of a step.
    pub lambda: f64,
    /// Coded size.
    pub bytes: u64,
    /// What the network loses if only this tensor is rounded so; at least 0.
    pub loss: f64,
}

/// Units that the bytes are counted in by dynamic programming, about.
const UNITS: u64 = 1 << 12;

/// A choice for every tensor (an index each) that takes at most `bytes`; `None` if there is none. Every tensor has the same bits to choose from.
#[must_use]
pub fn allocate(choices: &[Vec<Choice>], bytes: u64, strategy: Strategy) -> Option<Vec<usize>> {
    match strategy {
        Strategy::Fixed => fixed(choices, bytes),
        Strategy::Greedy => greedy(choices, bytes),
        Strategy::Dynamic => dynamic(choices, bytes, (bytes / UNITS).max(1)),
    }
}

/// Bytes of a choice for every tensor.
#[must_use]
pub fn bytes_of(choices: &[Vec<Choice>], chosen: &[usize]) -> u64 {
    choices.iter().zip(chosen).map(|(choices, &chosen)| choices[chosen].bytes).sum()
}

/// Sum of the losses of a choice for every tensor.
#[must_use]
pub fn loss_of(choices: &[Vec<Choice>], chosen: &[usize]) -> f64 {
    choices.iter().zip(chosen).map(|(choices, &chosen)| choices[chosen].loss).sum()
}

fn fixed(choices: &[Vec<Choice>], bytes: u64) -> Option<Vec<usize>> {
    let most = choices.iter().map(Vec::len).min()?;
    let same = (0..most).map(|choice| vec![choice; choices.len()]).filter(|chosen| bytes_of(choices, chosen) <= bytes);
    same.min_by(|a, b| loss_of(choices, a).total_cmp(&loss_of(choices, b)))
}

fn greedy(choices: &[Vec<Choice>], bytes: u64) -> Option<Vec<usize>> {
    let best = |choices: &Vec<Choice>| (0..choices.len()).min_by(|&a, &b| choices[a].loss.total_cmp(&choices[b].loss));
    let mut chosen: Vec<usize> = choices.iter().map(best).collect::<Option<_>>()?;
    while bytes_of(choices, &chosen) > bytes {
        let steps = choices.iter().enumerate().flat_map(|(tensor, of)| {
            let now = of[chosen[tensor]];
            let cheaper = of.iter().enumerate().filter(move |(_, other)| other.bytes < now.bytes);
            cheaper.map(move |(to, other)| (tensor, to, (other.loss - now.loss) / (now.bytes - other.bytes) as f64))
        });
        let (tensor, to, _) = steps.min_by(|a, b| a.2.total_cmp(&b.2))?;
        chosen[tensor] = to;
    }
    Some(chosen)
}

fn dynamic(choices: &[Vec<Choice>], bytes: u64, unit: u64) -> Option<Vec<usize>> {
    let units = usize::try_from(bytes / unit).ok()?;
    // least[u]: the least loss of the tensors so far that takes at most u units
    let mut least = vec![0f64; units + 1];
    let mut taken: Vec<Vec<u8>> = Vec::with_capacity(choices.len());
    for choices in choices {
        let mut next = vec![f64::INFINITY; units + 1];
        let mut by = vec![u8::MAX; units + 1];
        for (number, choice) in choices.iter().enumerate().take(usize::from(u8::MAX)) {
            let needs = usize::try_from(choice.bytes.div_ceil(unit)).unwrap_or(usize::MAX);
            for at in needs..=units {
                let loss = least[at - needs] + choice.loss;
                if loss < next[at] {
                    (next[at], by[at]) = (loss, number as u8);
                }
            }
        }
        least = next;
        taken.push(by);
    }
    if !least[units].is_finite() {
        return None;
    }
    let mut left = units;
    let mut chosen = vec![0; choices.len()];
    for (tensor, by) in taken.iter().enumerate().rev() {
        chosen[tensor] = usize::from(by[left]);
        left -= choices[tensor][chosen[tensor]].bytes.div_ceil(unit) as usize;
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Dice;

    fn cases() -> impl Iterator<Item = (Vec<Vec<Choice>>, u64)> {
        let mut dice = Dice::new(2);
        (0..200).map(move |_| {
            let tensors = 1 + dice.below(5);
            let choices: Vec<Vec<Choice>> = (0..tensors)
                .map(|_| {
                    (0..4)
                        .map(|bits| Choice { bits: bits + 2, lambda: 0.0, bytes: 1 + dice.below(30), loss: dice.below(1000) as f64 / 16.0 })
                        .collect()
                })
                .collect();
            let bytes = dice.below(30 * tensors);
            (choices, bytes)
        })
    }

    fn brute(choices: &[Vec<Choice>], bytes: u64) -> Option<f64> {
        let all = (0..4usize.pow(choices.len() as u32)).map(|code| (0..choices.len()).map(|t| code >> (2 * t) & 3).collect::<Vec<_>>());
        all.filter(|chosen| bytes_of(choices, chosen) <= bytes).map(|chosen| loss_of(choices, &chosen)).min_by(f64::total_cmp)
    }

    #[test]
    fn dynamic_programming_is_as_good_as_trying_all() {
        for (choices, bytes) in cases() {
            let found = allocate(&choices, bytes, Strategy::Dynamic);
            assert_eq!(found.as_ref().map(|chosen| loss_of(&choices, chosen)), brute(&choices, bytes));
            assert!(found.is_none_or(|chosen| bytes_of(&choices, &chosen) <= bytes));
        }
    }

    #[test]
    fn the_others_keep_within_the_bytes_and_are_never_better() {
        for (choices, bytes) in cases() {
            for strategy in [Strategy::Fixed, Strategy::Greedy] {
                let Some(chosen) = allocate(&choices, bytes, strategy) else { continue };
                assert!(bytes_of(&choices, &chosen) <= bytes);
                assert!(loss_of(&choices, &chosen) >= brute(&choices, bytes).unwrap());
                assert!(strategy != Strategy::Fixed || chosen.iter().all(|choice| *choice == chosen[0]));
            }
        }
    }
}
