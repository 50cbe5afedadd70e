//! Kinds of images within one sample layout: each gets a Program of its own where that pays.
//!
//! All images of a group are put in a row, by one or another thing that is known of each of them at once; the row is cut where a static model of context
//! counts would gain most ([`kolmo_data::kinds`]). Such a model loses more by other images than a network does, so what it finds is only looked at: a
//! short training of one Program for all, and of one for each kind.

pub(crate) mod allot;
mod row;

use std::collections::BTreeMap;

use kolmo_data::clean::{self, Fact, State};

use crate::choose::{self, Chosen, Means};
use crate::coding::Way;
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::estimate;
use crate::general;
use crate::learn;
use crate::options::{CompressOptions, LearnOptions};
use crate::summary::{KindsEstimate, KindsSummary};
use crate::work::Crew;
use row::Row;

/// Most kinds that a row is cut into; each may be cut again.
const MOST_KINDS: usize = 4;
/// A kind takes at least so many bytes: it has to pay for a Program.
const LEAST_BYTES: u64 = 30_000;
/// What has to be gained for kinds to be told apart, shares of the bytes.
#[derive(Debug, Clone, Copy)]
struct Bars {
    /// By counts, for a look. Photographs gain 0.2 to 0.5 % by being cut anywhere; photographs with icons 1.0 %, and looks find nothing there; nuclei 10 %.
    look: f64,
    /// By counts, for a look at one kind more.
    further: f64,
    /// By looks, for each further Program. They learn each Program as long as the one for all, in the end the kinds share the time.
    program: f64,
}

impl Bars {
    /// Where networks are kept small by the effort, several of them hold more than one; where they grow with the data, one holds almost as much. nuclei at
    /// effort 2: 5.3 % less in the end; at effort 3 looks say 1.3 % less, in the end it was 0.8. nuclei and emoji at effort 3: looks say 5.7, in the end 3.8.
    const fn of(effort: u8) -> Self {
        Self { look: 0.04, further: 0.005, program: if effort < 3 { 0.015 } else { 0.02 } }
    }
}

/// A look takes this part of the steps of learning, but so many at least and at most. nuclei at effort 2: after a tenth of the steps two Programs seem to
/// take 1.1 % more than one, after half of them 2.1 % less, and in the end 4.5 % less: small networks are full only then.
const LOOK_PART: u64 = 4;
const LOOK_STEPS: (u64, u64) = (400, 800);
/// zstd's level for images that no Program is worth.
const QUICK: i32 = 3;

/// Cuts the groups of a dataset into kinds of images, where looks say that this pays, and tells of every group that was looked at.
pub(crate) fn divide(dataset: &mut Dataset, options: &CompressOptions, crew: &mut Crew<'_>) -> Result<Vec<KindsSummary>, Error> {
    // Looks take time that nobody can foretell: with a bound on it there are none.
    let Some(learn) = options.learn.as_ref().filter(|learn| learn.kinds && learn.time_budget.is_none()) else { return Ok(vec![]) };
    // A look is no training to go on from.
    let learn = LearnOptions { checkpoint: None, resume: false, ..learn.clone() };
    let looker = Looker { dataset, learn: &learn, way: Way::new(options), bars: Bars::of(learn.effort) };
    let (groups, told) = looker.divided(crew)?;
    dataset.groups = groups;
    Ok(told)
}

/// Some images, and what a look at them found.
#[derive(Clone)]
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
    bars: Bars,
}

impl Looker<'_> {
    /// The groups, some of them cut into kinds, and what was looked at.
    fn divided(&self, crew: &mut Crew<'_>) -> Result<(Vec<Group>, Vec<KindsSummary>), Error> {
        let (mut groups, mut told) = (Vec::new(), Vec::new());
        for group in &self.dataset.groups {
            // Each kind may be cut again, along another row.
            let (mut open, mut kinds) = (vec![Looked { group: group.clone(), program: None, bytes: 0 }], Vec::new());
            while let Some(mut part) = open.pop() {
                match self.kinds(&mut part, &mut told, crew)? {
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
        Ok((groups, told))
    }

    /// The kinds of images in `part`, if it pays to tell them apart.
    fn kinds(&self, part: &mut Looked, told: &mut Vec<KindsSummary>, crew: &mut Crew<'_>) -> Result<Option<Vec<Looked>>, Error> {
        let group = &part.group;
        let large = self.dataset.expected_bytes(group)? >= 2 * LEAST_BYTES;
        if !large || group.items.len() < 2 || !choose::worth_learning(self.dataset, group)? {
            return Ok(None);
        }
        let Some(row) = crew.pool.install(|| Row::best(self.dataset, group, self.learn))? else { return Ok(None) };
        let estimate = |cuts: usize| KindsEstimate {
            programs: row.cuts[cuts].ends.len() as u64,
            images: row.kinds(cuts).iter().map(|kind| kind.len() as u64).collect(),
            estimated_bytes: row.cuts[cuts].cost as u64,
            ..KindsEstimate::default()
        };
        let mut summary = KindsSummary {
            group: group.layout.to_string(),
            images: group.items.len() as u64,
            order: row.order.into(),
            estimates: (0..row.cuts.len()).map(estimate).collect(),
            ..KindsSummary::default()
        };
        let kinds = if row.gain() < self.bars.look {
            summary.reason = format!("counts of residuals gain {:.1} % by telling kinds apart: too little for a look", 100.0 * row.gain().max(0.0));
            None
        } else {
            let kinds = self.look(part, &row, &mut summary, crew)?;
            part.group.mixed = kinds.is_none();
            kinds
        };
        if kinds.is_none()
            && let Some(one) = summary.estimates.first_mut()
        {
            one.chosen = true;
        }
        told.push(summary);
        Ok(kinds)
    }

    /// Looks at ever more kinds, until more do not pay.
    fn look(&self, whole: &mut Looked, row: &Row, summary: &mut KindsSummary, crew: &mut Crew<'_>) -> Result<Option<Vec<Looked>>, Error> {
        // As many steps for each.
        let steps = self.steps(&whole.group)?;
        let one = match whole.program.take() {
            Some(one) => one,
            None => self.learned(&whole.group, steps, crew)?,
        };
        let (mut best, mut fewer): (Option<Vec<Looked>>, f64) = (None, 1.0);
        // Kinds that were learned already, and what they take under the one Program.
        let mut known: BTreeMap<Vec<usize>, (Looked, u64)> = BTreeMap::new();
        for cuts in 1..row.cuts.len() {
            if row.cuts[cuts].cost > row.cuts[cuts - 1].cost * (1.0 - self.bars.further) {
                break;
            }
            // The same pieces of the same images are judged under the one Program and under those of the kinds.
            let (mut kinds, mut under_one) = (Vec::new(), self.program_bytes(one.as_ref()));
            let mut gathered = row.gathered(cuts, self.dataset, whole.group.layout, crew)?;
            gathered.retain(|numbers| !numbers.is_empty());
            summary.estimates[cuts].programs = gathered.len() as u64;
            summary.estimates[cuts].images = gathered.iter().map(|numbers| numbers.len() as u64).collect();
            if gathered.len() <= best.as_ref().map_or(1, Vec::len) {
                break;
            }
            for numbers in gathered {
                if let Some((kind, payload)) = known.get(&numbers) {
                    under_one += payload;
                    kinds.push(kind.clone());
                    continue;
                }
                let mut group = self.part(&whole.group, numbers.clone())?;
                let payload = self.payload(&group, one.as_ref(), crew)?;
                under_one += payload;
                // Better known now than by simple residuals: the size of its network follows from it.
                group.looked_bytes = Some(payload);
                let program = self.learned(&group, steps, crew)?;
                let bytes = self.program_bytes(program.as_ref()) + self.payload(&group, program.as_ref(), crew)?;
                let kind = Looked { group, program: Some(program), bytes };
                known.insert(numbers, (kind.clone(), payload));
                kinds.push(kind);
            }
            let together: u64 = kinds.iter().map(|kind| kind.bytes).sum();
            let share = together as f64 / under_one.max(1) as f64;
            // Other kinds mean other pieces, and other bytes of the one Program: shares can be compared.
            let one_bytes = *summary.estimates[0].looked_bytes.get_or_insert(under_one);
            summary.estimates[cuts].looked_bytes = Some((one_bytes as f64 * share) as u64);
            let pays = share <= fewer - self.bars.program;
            let reason = format!("{} Programs take {:.1} % of the bytes of one", kinds.len(), 100.0 * share);
            summary.reason = match (pays, best.is_some()) {
                (false, true) => format!("{}; {reason}, too little for one more", summary.reason),
                (false, false) => format!("looks say that {reason}, too little for one more"),
                (true, _) => format!("looks say that {reason}"),
            };
            if !pays {
                break;
            }
            summary.estimates.iter_mut().enumerate().for_each(|(at, estimate)| estimate.chosen = at == cuts);
            (best, fewer) = (Some(kinds), share);
        }
        whole.program = Some(one);
        Ok(best)
    }

    /// The images `numbers`, ascending, of a group. What stands out from all of them may be ordinary among these.
    fn part(&self, group: &Group, numbers: Vec<usize>) -> Result<Group, Error> {
        let fact = |place: usize| {
            let number = numbers[place];
            let state = self.dataset.picture(number)?.map_or(State::General, |picture| State::Image(picture.outline()));
            Ok::<_, Error>(Fact { digest: self.dataset.digest(number)?, state })
        };
        let left_out = clean::review(numbers.len(), fact)?.left_out();
        let learnable = (0..numbers.len()).filter(|place| left_out.binary_search(place).is_err()).map(|place| numbers[place]);
        let learnable = self.dataset.deal(learnable, self.learn.seed)?;
        Ok(Group { items: numbers, learnable, mixed: false, ..group.clone() })
    }

    /// The best Program for a group after a short training, if one is worth it.
    fn learned(&self, group: &Group, steps: u64, crew: &mut Crew<'_>) -> Result<Option<Chosen>, Error> {
        choose::one(self.dataset, group, &Means { learn: self.learn, time_budget: None, most_steps: Some(steps), way: None, look: true }, crew)
    }

    /// Steps of a look at a group and its kinds.
    fn steps(&self, group: &Group) -> Result<u64, Error> {
        let plan = learn::plan(self.learn, group.layout, self.dataset.subpixels(&group.items)?, self.dataset.expected_bytes(group)?);
        Ok((plan.steps / LOOK_PART).clamp(LOOK_STEPS.0, LOOK_STEPS.1))
    }

    fn program_bytes(&self, program: Option<&Chosen>) -> u64 {
        let candidate = program.and_then(|program| program.summary.candidates.iter().find(|candidate| candidate.chosen));
        candidate.map_or(0, |candidate| candidate.program_bytes)
    }

    /// What the images may take under a Program once it is learned in full, or the general way.
    fn payload(&self, group: &Group, program: Option<&Chosen>, crew: &mut Crew<'_>) -> Result<u64, Error> {
        match program {
            Some(program) => Ok(estimate::outlook(self.dataset, group, &mut program.clone(), self.way, true, crew)?.payload_bytes as u64),
            None => general::size(self.dataset, &group.items, QUICK, None, crew),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Loading, load};
    use crate::files::list;
    use crate::observe::Silent;
    use crate::options::{Fidelity, StopFlag};
    use crate::pages::Aside;

    /// A grey file of 64 x 64: a slope, and on it noise of so many levels, `step` apart.
    fn file(seed: u32, levels: u32, step: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let samples = (0..64 * 64).map(|at: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed % 40 + (at % 64 + at / 64) / 8 * 8 + (state >> 16) % levels * step) as u8
        });
        [b"P5 64 64 255\n".as_slice(), &samples.collect::<Vec<u8>>()].concat()
    }

    /// The kinds of 32 fine images and 32 of another kind, for looks that have to find `bars`.
    fn kinds(levels: u32, step: u32, bars: Bars) -> (Vec<Group>, Vec<KindsSummary>) {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..32 {
            std::fs::write(folder.path().join(format!("{n:02} fine.pgm")), file(n, 29, 1)).unwrap();
            std::fs::write(folder.path().join(format!("{n:02} other.pgm")), file(100 + n, levels, step)).unwrap();
        }
        let (stop, mut observer) = (StopFlag::default(), Silent);
        let crew = &mut Crew::new(0, &stop, &mut observer).unwrap();
        let how = Loading { fidelity: Fidelity::Files, seed: 0, sample_bytes: 1 << 24, memory_bytes: 1 << 30 };
        let aside = Aside::new(&std::env::temp_dir(), 1 << 30);
        let dataset = load(list(folder.path(), &[], true, &aside, crew).unwrap(), &how, crew).unwrap();
        let learn = LearnOptions { effort: 1, priors: false, ..LearnOptions::default() };
        let looker = Looker { dataset: &dataset, learn: &learn, way: Way::Fixed(kolmo_codec::block::Method::Direct), bars };
        looker.divided(crew).unwrap()
    }

    #[test]
    fn images_are_cut_into_their_kinds_where_looks_say_so() {
        let (groups, told) = kinds(2, 28, Bars { look: 0.0, further: 0.0, program: -1.0 });
        let found: Vec<(u64, usize)> = groups.iter().map(|group| (group.kind, group.items.len())).collect();
        assert_eq!(found.iter().map(|(_, images)| images).sum::<usize>(), 64);
        assert!(found.len() >= 2 && found.iter().zip(1..).all(|((kind, _), number)| *kind == number), "{found:?}");
        assert!((groups.iter().map(|group| group.share).sum::<f64>() - 1.0).abs() < 1e-9);
        // Files of the two kinds take turns in the folder; few of the 64 are among the others, for their Programs to claim later.
        let strays = |group: &Group| {
            group.items.iter().filter(|&&number| number % 2 == 0).count().min(group.items.iter().filter(|&&number| number % 2 == 1).count())
        };
        assert!(groups.iter().map(strays).sum::<usize>() <= 6, "{groups:?}");
        assert!(told[0].estimates[0].looked_bytes.is_some() && told[0].estimates.iter().any(|estimate| estimate.chosen && estimate.programs > 1));
    }

    #[test]
    fn images_of_one_kind_are_not_even_looked_at() {
        let (groups, told) = kinds(29, 1, Bars::of(1));
        assert_eq!((groups.len(), groups[0].kind, groups[0].items.len()), (1, 0, 64));
        assert!(told[0].estimates[0].chosen && told[0].estimates.iter().all(|estimate| estimate.looked_bytes.is_none()), "{told:?}");
    }
}
