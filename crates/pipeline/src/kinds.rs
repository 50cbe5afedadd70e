//! Kinds of images within one sample layout: each gets a Program of its own where that pays.
//!
//! All images of a group are put in a row, by one or another thing that is known of each of them at once; the row is cut where a static model of context
//! counts would gain most ([`kolmo_data::kinds`]). Such a model loses more by other images than a network does, so what it finds is only looked at: a
//! short training of one Program for all, and of one for each kind.

pub(crate) mod allot;
mod row;

use kolmo_data::clean::{self, Fact, State};
use kolmo_data::split::{Part, deal};

use crate::choose::{self, Chosen, Means};
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
/// What the counts have to gain to be worth a look. Photographs gain 0.2 to 0.5 % by being cut anywhere, mixtures that pay 2 % and more.
const WORTH_A_LOOK: f64 = 0.015;
/// What looks have to gain: they learn each Program as long as the one for all, in the end the kinds share the time.
const WORTH_IT: f64 = 0.015;
/// Steps of a look, and at efforts so low that it would take longer than learning.
const LOOK_STEPS: u64 = 400;
const SHORT_LOOK_STEPS: u64 = 200;
/// zstd's level for images that no Program is worth.
const QUICK: i32 = 3;

/// Cuts the groups of a dataset into kinds of images, where looks say that this pays, and tells of every group that was looked at.
pub(crate) fn divide(dataset: &mut Dataset, options: &CompressOptions, crew: &mut Crew<'_>) -> Result<Vec<KindsSummary>, Error> {
    let Some(learn) = options.learn.as_ref().filter(|learn| learn.kinds) else { return Ok(vec![]) };
    // A look is no training to go on from.
    let learn = LearnOptions { checkpoint: None, resume: false, ..learn.clone() };
    let looker = Looker { dataset, learn: &learn, way: Way::new(options) };
    let (mut groups, mut told) = (Vec::new(), Vec::new());
    for group in &dataset.groups {
        // Each kind may be cut again, along another row.
        let (mut open, mut kinds) = (vec![Looked { group: group.clone(), program: None, bytes: 0 }], Vec::new());
        while let Some(mut part) = open.pop() {
            match looker.kinds(&mut part, &mut told, crew)? {
                Some(parts) => open.extend(parts.into_iter().rev()),
                None => kinds.push(part),
            }
        }
        let all: u64 = kinds.iter().map(|kind| kind.bytes).sum();
        let several = kinds.len() > 1;
        if several {
            let images: Vec<String> = kinds.iter().map(|kind| kind.group.items.len().to_string()).collect();
            crew.note(format!("{} {} images are of {} kinds ({})", group.items.len(), group.layout, kinds.len(), images.join(", ")));
        }
        let numbered = |(kind, number): (Looked, u64)| match several {
            true => Group { kind: number, share: kind.bytes as f64 / all.max(1) as f64, ..kind.group },
            false => kind.group,
        };
        groups.extend(kinds.into_iter().zip(1..).map(numbered));
    }
    dataset.groups = groups;
    Ok(told)
}

/// Some images, and what a look at them found.
struct Looked {
    group: Group,
    /// The best Program after a short training; `None` before the look.
    program: Option<Option<Chosen>>,
    /// What images and Program may take.
    bytes: u64,
}

struct Looker<'a> {
    dataset: &'a Dataset,
    learn: &'a LearnOptions,
    way: Way,
}

impl Looker<'_> {
    /// The kinds of images in `part`, if it pays to tell them apart.
    fn kinds(&self, part: &mut Looked, told: &mut Vec<KindsSummary>, crew: &mut Crew<'_>) -> Result<Option<Vec<Looked>>, Error> {
        let group = &part.group;
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
        let mut summary = KindsSummary {
            group: group.layout.to_string(),
            images: group.items.len() as u64,
            order: row.order.into(),
            estimates: (0..row.cuts.len()).zip(1..).map(estimate).collect(),
            ..KindsSummary::default()
        };
        let kinds = if row.gain() < WORTH_A_LOOK {
            summary.reason = format!("counts of residuals gain {:.1} % by telling kinds apart: too little for a look", 100.0 * row.gain().max(0.0));
            None
        } else {
            self.look(part, &row, &mut summary, crew)?
        };
        let chosen = kinds.as_ref().map_or(1, Vec::len);
        if let Some(estimate) = summary.estimates.get_mut(chosen - 1) {
            estimate.chosen = true;
        }
        told.push(summary);
        Ok(kinds)
    }

    /// Looks at ever more kinds, until more do not pay.
    fn look(&self, whole: &mut Looked, row: &Row, summary: &mut KindsSummary, crew: &mut Crew<'_>) -> Result<Option<Vec<Looked>>, Error> {
        let one = match whole.program.take() {
            Some(one) => one,
            None => self.learned(&whole.group, crew)?,
        };
        let (mut best, mut fewer): (Option<Vec<Looked>>, Option<f64>) = (None, None);
        for cuts in 1..row.cuts.len() {
            if row.cuts[cuts].cost >= row.cuts[cuts - 1].cost {
                break;
            }
            // The same pieces of the same images are judged under the one Program and under those of the kinds.
            let (mut kinds, mut under_one) = (Vec::new(), self.program_bytes(one.as_ref()));
            for numbers in row.kinds(cuts) {
                let group = self.part(&whole.group, numbers);
                let program = self.learned(&group, crew)?;
                under_one += self.payload(&group, one.as_ref(), crew)?;
                let bytes = self.program_bytes(program.as_ref()) + self.payload(&group, program.as_ref(), crew)?;
                kinds.push(Looked { group, program: Some(program), bytes });
            }
            let together: u64 = kinds.iter().map(|kind| kind.bytes).sum();
            summary.estimates[0].looked_bytes.get_or_insert(under_one);
            summary.estimates[cuts].looked_bytes = Some(together);
            let share = together as f64 / under_one.max(1) as f64;
            summary.reason = format!("looks say that {} Programs take {:.1} % of the bytes of one", cuts + 1, 100.0 * share);
            if share > fewer.unwrap_or(1.0) - WORTH_IT {
                break;
            }
            (best, fewer) = (Some(kinds), Some(share));
        }
        whole.program = Some(one);
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
            learnable.iter_mut().for_each(|(_, part)| *part = Part::Train);
        }
        Group { items: numbers, learnable, ..group.clone() }
    }

    /// The best Program for a group after a short training, if one is worth it.
    fn learned(&self, group: &Group, crew: &mut Crew<'_>) -> Result<Option<Chosen>, Error> {
        let most_steps = Some(if self.learn.effort < 3 { SHORT_LOOK_STEPS } else { LOOK_STEPS });
        choose::one(self.dataset, group, &Means { learn: self.learn, time_budget: None, most_steps, look: true }, crew)
    }

    fn program_bytes(&self, program: Option<&Chosen>) -> u64 {
        let candidate = program.and_then(|program| program.summary.candidates.iter().find(|candidate| candidate.chosen));
        candidate.map_or(0, |candidate| candidate.program_bytes)
    }

    /// What the images may take under a Program once it is learned in full, or the general way.
    fn payload(&self, group: &Group, program: Option<&Chosen>, crew: &mut Crew<'_>) -> Result<u64, Error> {
        match program {
            Some(program) => Ok(estimate::outlook(self.dataset, group, &mut program.clone(), self.way, true, crew)?.payload_bytes as u64),
            None => general::size(&self.dataset.items, &group.items, QUICK, None, crew),
        }
    }
}
