//! Labelled samples, batches of them, and what is done to them in training.

use serde::{Deserialize, Serialize};

use super::engine::{GROUP, Input};
use super::graph::Extent;
use crate::error::Error;
use crate::sample::Dice;

/// How samples become inputs: `(sample / 255 - mean) / deviation`, a pair a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divided by.
    pub deviation: Vec<f32>,
}

impl Normalisation {
    /// What torchvision's networks are trained with: ImageNet's means and deviations; for one channel their averages.
    #[must_use]
    pub fn imagenet(channels: usize) -> Self {
        match channels {
            3 => Self { mean: vec![0.485, 0.456, 0.406], deviation: vec![0.229, 0.224, 0.225] },
            _ => Self { mean: vec![0.449; channels], deviation: vec![0.226; channels] },
        }
    }

    /// Mean and deviation of the images of a set.
    #[must_use]
    pub fn of(images: &ImageSet) -> Self {
        let pixels = images.extent.pixels();
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for channel in 0..images.extent.channels {
            let planes = || images.samples.chunks_exact(images.extent.len()).flat_map(|image| &image[channel * pixels..(channel + 1) * pixels]);
            let count = (images.len() * pixels).max(1) as f64;
            let average = planes().map(|&sample| f64::from(sample)).sum::<f64>() / count / 255.0;
            let variance = planes().map(|&sample| (f64::from(sample) / 255.0 - average).powi(2)).sum::<f64>() / count;
            mean.push(average as f32);
            deviation.push(variance.sqrt().max(1.0 / 255.0) as f32);
        }
        Self { mean, deviation }
    }

    /// It has a mean and a deviation above 0 for each of `channels`.
    #[must_use]
    pub fn fits(&self, channels: usize) -> bool {
        let sound = |values: &[f32]| values.len() == channels && values.iter().all(|value| value.is_finite());
        sound(&self.mean) && sound(&self.deviation) && self.deviation.iter().all(|&deviation| deviation > 0.0)
    }
}

/// Images of one extent and their labels.
#[derive(Debug, Clone, Default)]
pub struct ImageSet {
    extent: Extent,
    samples: Vec<u8>,
    labels: Vec<usize>,
}

/// What is done to training images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Augment {
    /// Mirrored left to right, every second time.
    pub flip: bool,
    /// Moved by up to an eighth of the side, black outside.
    pub shift: bool,
}

impl ImageSet {
    /// An empty set.
    #[must_use]
    pub const fn new(extent: Extent) -> Self {
        Self { extent, samples: Vec::new(), labels: Vec::new() }
    }

    /// Adds an image of shape `[channels, rows, columns]`. One grey plane fills any number of channels.
    ///
    /// # Errors
    /// `InvalidArgument` if it has another number of samples.
    pub fn push(&mut self, samples: &[u8], label: usize) -> Result<(), Error> {
        if samples.len() == self.extent.len() {
            self.samples.extend_from_slice(samples);
        } else if samples.len() == self.extent.pixels() {
            (0..self.extent.channels).for_each(|_| self.samples.extend_from_slice(samples));
        } else {
            let what = format!(
                "an image has {} samples, the network takes {} channels of {} pixels",
                samples.len(),
                self.extent.channels,
                self.extent.pixels()
            );
            return Err(Error::InvalidArgument { what });
        }
        self.labels.push(label);
        Ok(())
    }

    /// Images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Their extent.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// Class of each.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// At most `count` of them, evenly chosen.
    #[must_use]
    pub fn some(&self, count: usize) -> Self {
        let count = count.clamp(1, self.len().max(1)).min(self.len());
        let mut chosen = Self::new(self.extent);
        for i in 0..count {
            let at = i * self.len() / count;
            chosen.samples.extend_from_slice(&self.samples[at * self.extent.len()..][..self.extent.len()]);
            chosen.labels.push(self.labels[at]);
        }
        chosen
    }

    /// The chosen images as a network takes them, changed by `augment` if given.
    #[must_use]
    pub fn batch(&self, chosen: &[usize], normalisation: &Normalisation, mut augment: Option<(Augment, &mut Dice)>) -> Input {
        let Extent { channels, height, width } = self.extent;
        let pixels = self.extent.pixels();
        let mut input = Input::default();
        for group in chosen.chunks(GROUP) {
            let count = group.len();
            let mut values = vec![0f32; self.extent.len() * count];
            for (place, &image) in group.iter().enumerate() {
                let (flip, down, right) = match &mut augment {
                    None => (false, 0, 0),
                    Some((augment, dice)) => {
                        let mut shift = |side: usize| if augment.shift { dice.below(side as u64 / 4 + 1) as isize - side as isize / 8 } else { 0 };
                        let (down, right) = (shift(height), shift(width));
                        (augment.flip && dice.below(2) == 1, down, right)
                    }
                };
                let samples = &self.samples[image * self.extent.len()..][..self.extent.len()];
                for channel in 0..channels {
                    let (mean, factor) = (normalisation.mean[channel], 1.0 / normalisation.deviation[channel]);
                    let plane = &samples[channel * pixels..][..pixels];
                    let out = &mut values[(channel * count + place) * pixels..][..pixels];
                    for y in 0..height {
                        for x in 0..width {
                            let column = if flip { width - 1 - x } else { x };
                            let source = y.checked_add_signed(down).zip(column.checked_add_signed(right)).filter(|&(y, x)| y < height && x < width);
                            let sample = source.map_or(0, |(y, x)| plane[y * width + x]);
                            out[y * width + x] = (f32::from(sample) / 255.0 - mean) * factor;
                        }
                    }
                }
            }
            input.groups.push(values);
            input.counts.push(count);
        }
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> ImageSet {
        let mut set = ImageSet::new(Extent { channels: 2, height: 1, width: 3 });
        for image in 0..10u8 {
            set.push(&[image, image + 1, image + 2, 100, 100, 100], usize::from(image % 2)).unwrap();
        }
        set
    }

    const PLAIN: fn(usize) -> Normalisation = |channels| Normalisation { mean: vec![0.0; channels], deviation: vec![1.0 / 255.0; channels] };

    #[test]
    fn groups_hold_channels_first() {
        let input = numbered().batch(&[9, 8, 7, 6, 5, 4, 3, 2, 1], &PLAIN(2), None);
        assert_eq!(input.counts, [8, 1]);
        let rounded: Vec<i32> = input.groups[1].iter().map(|value| value.round() as i32).collect();
        assert_eq!(rounded, [1, 2, 3, 100, 100, 100]);
        assert_eq!(input.groups[0][3].round(), 8.0);
        assert_eq!(input.groups[0][8 * 3].round(), 100.0);
    }

    #[test]
    fn grey_fills_channels_and_wrong_sizes_are_refused() {
        let mut set = ImageSet::new(Extent { channels: 3, height: 1, width: 2 });
        set.push(&[1, 2], 0).unwrap();
        assert_eq!(set.batch(&[0], &PLAIN(3), None).groups[0].iter().map(|value| value.round() as u8).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2]);
        assert!(set.push(&[1, 2, 3], 0).is_err());
    }

    #[test]
    fn changes_are_repeatable_and_keep_what_stays_inside() {
        let set = numbered();
        let flipped = |seed| set.batch(&[4; 16], &PLAIN(2), Some((Augment { flip: true, shift: false }, &mut Dice::new(seed)))).groups.concat();
        assert_eq!(flipped(1), flipped(1));
        let first: Vec<i32> = flipped(1)[..24].chunks(3).map(|row| row[0].round() as i32).collect();
        assert!(first.contains(&4) && first.contains(&6), "{first:?}");
        let chosen = set.some(3);
        assert_eq!((chosen.len(), chosen.labels()), (3, &[0, 1, 0][..]));
        let scale = Normalisation::of(&set);
        assert!((scale.mean[1] - 100.0 / 255.0).abs() < 1e-6 && scale.fits(2) && !scale.fits(3));
    }
}
