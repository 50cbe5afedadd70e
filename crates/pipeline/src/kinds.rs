//! Kinds of images within one sample layout: each gets a Program of its own where that pays.
//!
//! All images of a group are put in a row, by one or another thing that is known of each of them at once; the row is cut where a static model of context
//! counts would gain most ([`kolmo_data::kinds`]). Such a model loses more by other images than a network does, so what it finds is only looked at: a
//! short training of one Program for all, and of one for each kind.

pub(crate) mod allot;
mod row;

use std::collections::BTreeMap;

use kolmo_data::clean::{self, Fact, State};
use kolmo_data::split::deal;

use crate::choose::{self, Means};
use crate::coding::Way;
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::estimate;
use crate::general;
use crate::learn::FEWEST_TO_SPLIT;
use crate::options::{CompressOptions, LearnOptions};
use crate::summary::{KindsEstimate, KindsSummary};
use crate::work::Crew;
use row::Row;

/// Most kinds that a row is cut into; each may be cut again.
const MOST_KINDS: usize = 4;
/// A kind takes at least so many bytes: it has to pay for a Program.
const LEAST_BYTES: u64 = 30_000;
/// What the counts have to gain to be worth a look. Photographs gain 0.2 to 0.5 % by being cut anywhere, mixtures of two sets 1.3 % and more.
const WORTH_A_LOOK: f64 = 0.01;
/// What looks have to gain: they learn each Program as long as the one for all, in the end the kinds share the time.
const WORTH_IT: f64 = 0.015;
/// Steps of a look, and at efforts so low that it would take longer than learning.
const LOOK_STEPS: u64 = 400;
const SHORT_LOOK_STEPS: u64 = 200;
/// zstd's level for images that no Program is worth.
const QUICK: i32 = 3;

/// Cuts the groups of a dataset into kinds of images, where looks say that this pays, and tells of every group that was looked at.
pub(crate) fn divide(dataset: &mut Dataset, options: &CompressOptions, crew: &mut Crew<'_>) -> Result<Vec<KindsSummary>, Error> {
    let Some(learn) = &options.learn else { return Ok(vec![]) };
    // A look is no training to go on from.
    let learn = LearnOptions { checkpoint: None, resume: false, ..learn.clone() };
    let looker = Looker { dataset, learn: &learn, way: Way::new(options) };
    let (mut groups, mut told) = (Vec::new(), Vec::new());
    for group in &dataset.groups {
        // Each kind may be cut again, along another row.
        let (mut open, mut kinds) = (vec![(group.clone(), None)], Vec::new());
        while let Some((part, bytes)) = open.pop() {
            match looker.kinds(&part, bytes, &mut told, crew)? {
                Some(parts) => open.extend(parts.into_iter().rev().map(|(part, bytes)| (part, Some(bytes)))),
                None => kinds.push(part),
            }
        }
        if kinds.len() > 1 {
            let images: Vec<String> = kinds.iter().map(|kind| kind.items.len().to_string()).collect();
            crew.note(format!("{} {} images are of {} kinds ({})", group.items.len(), group.layout, kinds.len(), images.join(", ")));
            let bytes = |kind: &Group| dataset.expected_bytes(kind) as f64;
            let all: f64 = kinds.iter().map(bytes).sum();
            for (kind, number) in kinds.iter_mut().zip(1..) {
                (kind.kind, kind.share) = (number, bytes(kind) / all);
            }
        }
        groups.extend(kinds);
    }
    dataset.groups = groups;
    Ok(told)
}

/// Some of a group's images, and what a look said they take.
type Looked = (Group, u64);

struct Looker<'a> {
    dataset: &'a Dataset,
    learn: &'a LearnOptions,
    way: Way,
}

impl Looker<'_> {
    /// The kinds of a group's images, if it pays to tell them apart; `bytes` is what a look at the group said, if there was one.
    fn kinds(&self, group: &Group, bytes: Option<u64>, told: &mut Vec<KindsSummary>, crew: &mut Crew<'_>) -> Result<Option<Vec<Looked>>, Error> {
        let large = self.dataset.expected_bytes(group) >= 2 * LEAST_BYTES;
        if !large || group.items.len() < 2 || !choose::worth_learning(self.dataset, group) {
            return Ok(None);
        }
        let Some(row) = crew.pool.install(|| Row::best(self.dataset, group, self.learn.effort))? else { return Ok(None) };
        let estimate = |(cuts, number)| KindsEstimate {
            programs: number,
            images: row.kinds(cuts).iter().map(|kind| kind.len() as u64).collect(),
            estimated_bytes: row.cuts[cuts].cost as u64,
            ..KindsEstimate::default()
        };
        let estimates = (0..row.cuts.len()).zip(1..).map(estimate).collect();
        let mut summary = KindsSummary {
            group: group.layout.to_string(),
            images: group.items.len() as u64,
            order: row.order.into(),
            estimates,
            ..KindsSummary::default()
        };
        let kinds = if row.gain() < WORTH_A_LOOK {
            summary.reason = format!("counts of residuals gain {:.1} % by telling kinds apart: too little for a look", 100.0 * row.gain().max(0.0));
            None
        } else {
            self.look(group, bytes, &row, &mut summary, crew)?
        };
        let chosen = kinds.as_ref().map_or(1, Vec::len);
        if let Some(estimate) = summary.estimates.get_mut(chosen - 1) {
            estimate.chosen = true;
        }
        told.push(summary);
        Ok(kinds)
    }

    /// Looks at ever more kinds, until more do not pay.
    fn look(
        &self,
        group: &Group,
        bytes: Option<u64>,
        row: &Row,
        summary: &mut KindsSummary,
        crew: &mut Crew<'_>,
    ) -> Result<Option<Vec<Looked>>, Error> {
        let whole = bytes.map_or_else(|| self.bytes(group, crew), Ok)?;
        summary.estimates[0].looked_bytes = Some(whole);
        let (mut least, mut best, mut known) = (whole, None, BTreeMap::new());
        let mut reason = String::new();
        for cuts in 1..row.cuts.len() {
            if row.cuts[cuts].cost >= row.cuts[cuts - 1].cost {
                break;
            }
            let mut kinds: Vec<Looked> = Vec::new();
            for (run, numbers) in row.cuts[cuts].runs().zip(row.kinds(cuts)) {
                let kind = self.part(group, numbers);
                let bytes = match known.get(&run) {
                    Some(&bytes) => bytes,
                    None => self.bytes(&kind, crew)?,
                };
                known.insert(run, bytes);
                kinds.push((kind, bytes));
            }
            let together: u64 = kinds.iter().map(|(_, bytes)| bytes).sum();
            summary.estimates[cuts].looked_bytes = Some(together);
            let gain = 1.0 - together as f64 / least.max(1) as f64;
            reason = format!("a look at {} Programs said {:+.1} % of the bytes of fewer", cuts + 1, -100.0 * gain);
            if gain < WORTH_IT {
                break;
            }
            (least, best) = (together, Some(kinds));
        }
        summary.reason = reason;
        Ok(best)
    }

    /// The images `numbers` of a group. What stands out from all of them may be ordinary among these.
    fn part(&self, group: &Group, mut numbers: Vec<usize>) -> Group {
        numbers.sort_unstable();
        let picture = |number: usize| self.dataset.items[number].picture();
        let facts: Vec<Fact> = numbers
            .iter()
            .filter_map(|&number| {
                let state = State::Image(picture(number)?.statistics.clone());
                Some(Fact { digest: self.dataset.items[number].digest, state })
            })
            .collect();
        let learnable = clean::review(&facts).learnable(&facts).into_iter().map(|place| numbers[place]);
        let kept = learnable.filter_map(|number| picture(number).filter(|picture| picture.samples.is_some()).map(|picture| (number, picture)));
        let mut learnable: Vec<_> = kept.map(|(number, picture)| (number, deal(&picture.digest, self.learn.seed))).collect();
        if learnable.len() < FEWEST_TO_SPLIT {
            learnable.iter_mut().for_each(|(_, part)| *part = kolmo_data::split::Part::Train);
        }
        Group { items: numbers, learnable, ..group.clone() }
    }

    /// What the images may take under the best Program for them.
    fn bytes(&self, group: &Group, crew: &mut Crew<'_>) -> Result<u64, Error> {
        let most_steps = Some(if self.learn.effort < 3 { SHORT_LOOK_STEPS } else { LOOK_STEPS });
        let means = Means { learn: self.learn, time_budget: None, most_steps };
        match choose::one(self.dataset, group, &means, crew)? {
            Some(mut chosen) => Ok(estimate::outlook(self.dataset, group, &mut chosen, self.way, crew)?.bytes()),
            None => general::size(&self.dataset.items, &group.items, QUICK, None, crew),
        }
    }
}
