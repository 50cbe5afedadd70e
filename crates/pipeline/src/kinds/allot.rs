//! Which of several Programs of one layout codes which image: the one that takes least for it.

use kolmo_codec::block::Method;
use kolmo_codec::program::Program;
use kolmo_data::layout::Layout;

use crate::choose::Chosen;
use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::rating::{ideal_bits, middle};
use crate::symbols::Symbols;
use crate::work::Crew;

/// Side of the piece of an image by which it is judged.
const SIDE: usize = 160;

/// Gives every image that has a Program to the one, among those of its layout, that codes it in least bits. Kinds that are left without images go,
/// with their Programs.
pub(crate) fn again(dataset: &mut Dataset, chosen: &mut Vec<Option<Chosen>>, crew: &mut Crew<'_>) -> Result<(), Error> {
    let layouts: Vec<Layout> = dataset.groups.iter().map(|group| group.layout).collect();
    for layout in layouts.iter().enumerate().filter(|(at, layout)| !layouts[..*at].contains(layout)).map(|(_, layout)| layout) {
        let places: Vec<usize> = (0..layouts.len()).filter(|&at| layouts[at] == *layout && chosen[at].is_some()).collect();
        if places.len() < 2 {
            continue;
        }
        let programs: Vec<&Program> = places.iter().filter_map(|&at| chosen[at].as_ref().map(|chosen| &chosen.program)).collect();
        let before: Vec<(usize, usize)> =
            places.iter().enumerate().flat_map(|(own, &at)| dataset.groups[at].items.iter().map(move |&number| (number, own))).collect();
        let best = best(dataset, *layout, &before, &programs, crew)?;
        for (own, &at) in places.iter().enumerate() {
            let mine = before.iter().zip(&best).filter(|(_, best)| **best == own).map(|((number, _), _)| *number);
            dataset.groups[at].items = mine.collect();
            dataset.groups[at].items.sort_unstable();
        }
    }
    let mut numbers = std::collections::BTreeMap::new();
    for (group, chosen) in dataset.groups.iter_mut().zip(chosen.iter_mut()).filter(|(group, _)| !group.items.is_empty()) {
        let number = numbers.entry(group.layout).or_insert(0);
        (*number, group.kind) = (*number + 1, if group.kind == 0 { 0 } else { *number + 1 });
        chosen.iter_mut().for_each(|chosen| chosen.summary.kind = group.kind);
    }
    let mut keep = dataset.groups.iter().map(|group| !group.items.is_empty()).collect::<Vec<_>>().into_iter();
    chosen.retain(|_| keep.next().unwrap_or(true));
    dataset.groups.retain(|group| !group.items.is_empty());
    Ok(())
}

/// Makes a group, still without images, for each built-in Program that some images of another group are better coded by.
pub(crate) fn beside(dataset: &mut Dataset, chosen: &mut Vec<Option<Chosen>>) {
    let (mut groups, mut programs) = (Vec::new(), Vec::new());
    for (mut group, mut one) in std::mem::take(&mut dataset.groups).into_iter().zip(std::mem::take(chosen)) {
        let beside = one.as_mut().and_then(|one| one.beside.take());
        // Numbers are given once it is known which kinds are left.
        group.kind = if beside.is_some() { group.kind.max(1) } else { group.kind };
        let empty = beside.as_ref().map(|_| Group { kind: group.kind + 1, items: vec![], learnable: vec![], ..group.clone() });
        groups.extend([group].into_iter().chain(empty));
        programs.extend([one].into_iter().chain(beside.map(|beside| Some(*beside))));
    }
    (dataset.groups, *chosen) = (groups, programs);
}

/// Makes one group for each given Program of a layout that has several: number `kind`, in the order they are given. Those that no image is best
/// coded by are empty.
pub(crate) fn among(dataset: &mut Dataset, given: &[(Layout, Program)], crew: &mut Crew<'_>) -> Result<(), Error> {
    let mut groups = Vec::new();
    for group in &dataset.groups {
        let programs: Vec<&Program> = given.iter().filter(|(layout, _)| *layout == group.layout).map(|(_, program)| program).collect();
        if programs.len() < 2 {
            groups.push(group.clone());
            continue;
        }
        let before: Vec<(usize, usize)> = group.items.iter().map(|&number| (number, 0)).collect();
        let best = best(dataset, group.layout, &before, &programs, crew)?;
        for (own, number) in (0..programs.len()).zip(1..) {
            let mut kind = Group { kind: number, ..group.clone() };
            let is_mine = |item: &usize| group.items.binary_search(item).is_ok_and(|place| best[place] == own);
            kind.items.retain(is_mine);
            kind.learnable.retain(|(item, _)| is_mine(item));
            groups.push(kind);
        }
    }
    dataset.groups = groups;
    Ok(())
}

/// The Program that codes each image in least bits; the one that it has, by its number, where no other does better.
fn best(dataset: &Dataset, layout: Layout, images: &[(usize, usize)], programs: &[&Program], crew: &mut Crew<'_>) -> Result<Vec<usize>, Error> {
    let symbols: Vec<Symbols> = programs.iter().map(|program| Symbols::of(program)).collect();
    crew.map("choosing", images, |&(number, own)| {
        let image = dataset.open(number)?;
        let piece = middle(&image, SIDE, layout)?;
        let colour = dataset.picture(number)?.and_then(|picture| picture.colour);
        let mut best = (own, u64::MAX);
        let others = (0..programs.len()).filter(|&at| at != own);
        for at in std::iter::once(own).chain(others).filter(|&at| symbols[at].suit(colour) && symbols[at].know(&image)) {
            let bits = ideal_bits(Method::Direct, programs[at], std::slice::from_ref(&piece))?;
            // Programs that are the same count as one.
            if bits < best.1 || (bits == best.1 && at < best.0) {
                best = (at, bits);
            }
        }
        Ok(best.0)
    })
}
