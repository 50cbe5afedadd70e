//! Patches as rows of bf16, and what their pixels are measured on.
#![allow(unsafe_code, reason = "masked loads; the mask ends where the image's row does")]

use std::arch::x86_64::{
    _mm256_maskz_loadu_epi8, _mm512_castps_si512, _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cvtepi16_epi32, _mm512_cvtepi32_epi16,
    _mm512_cvtepi32_ps, _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_loadu_si512, _mm512_mask_storeu_epi16,
    _mm512_maskz_sub_epi16, _mm512_mul_ps, _mm512_permutexvar_epi16, _mm512_set1_epi64, _mm512_set1_ps, _mm512_srli_epi32,
};

use kolmo_codec::context::Plane;
use kolmo_codec::program::{MOST_HATS, Tap};
use kolmo_codec::sample::Sample;

use super::kernel::{MOST_INPUTS, SLACK};
use super::room;
use crate::loss::lanes::{LANES, Targets};
use crate::net::{NetShape, UNIT};
use crate::sample::{Patch, Sampler, steps_a_value, value};

/// Samples that one load takes.
const LOAD: usize = 32;

/// Most inputs behind the taps: bases, what is near, hats along two axes.
const MOST_BEHIND: usize = 4 + 5 + 2 * MOST_HATS as usize;

/// Neighbouring taps of one row that one load takes.
#[derive(Debug, Clone, Copy)]
struct Run {
    dy: i8,
    dx: i8,
    taps: usize,
}

/// A few patches, gathered.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    runs: Vec<Run>,
    around: usize,
    /// Values of a row of `windows`.
    pub(super) stride: usize,
    /// Inputs of the first stage of every pixel around, one row each.
    pub(super) windows: Vec<u16>,
    /// Shape `[around, channels]`.
    pub(super) residuals: Vec<u16>,
    /// Row of each core pixel.
    pub(super) here: Vec<u32>,
    /// Rows of each core pixel's W, N, NE, NW; the row after the last where outside.
    pub(super) near: Vec<u32>,
    /// For each sixteen core pixels, one a channel.
    pub(super) targets: Vec<Targets>,
}

impl Chunk {
    /// Pixels with windows.
    pub(super) fn around(&self) -> usize {
        self.around
    }

    /// Takes patches in place of what was there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn gather<S: Sample>(&mut self, sampler: &Sampler, planes: &[Plane<S>], patches: &[Patch]) {
        let shape = sampler.shape();
        if self.stride == 0 {
            self.runs = runs(&sampler.window, LOAD / shape.channels);
            self.stride = shape.inputs().next_multiple_of(LOAD);
        }
        let core: usize = patches.iter().map(|patch| patch.height * patch.width).sum();
        self.here.clear();
        self.near.clear();
        self.residuals.clear();
        self.targets.clear();
        self.targets.resize_with(core.div_ceil(LANES) * shape.channels, Targets::default);
        for patch in patches {
            self.patch(sampler, &planes[patch.image], patch);
        }
        // The row of zeros comes after the last.
        self.around = self.residuals.len() / shape.channels;
        self.near.iter_mut().for_each(|row| *row = (*row).min(self.around as u32));
    }

    /// Adds one patch, with the pixels around it that the second stage looks at.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn patch<S: Sample>(&mut self, sampler: &Sampler, plane: &Plane<S>, patch: &Patch) {
        let shape = sampler.shape();
        let (channels, (_, width)) = (shape.channels, plane.shape());
        let halo = usize::from(!shape.second.is_empty());
        let (top, left) = (patch.y.saturating_sub(halo), patch.x.saturating_sub(halo));
        let right = (patch.x + patch.width + halo).min(width);
        let columns = right - left;
        let start = self.residuals.len() / channels;
        let rows = (patch.y + patch.height - top) * columns;
        room(&mut self.windows, (start + rows + SLACK + 1) * self.stride);
        let near = NetShape::near();
        let steps = steps_a_value(plane.alphabet());
        for y in top..patch.y + patch.height {
            for x in left..right {
                let bases = plane.bases(y, x);
                let row = self.residuals.len() / channels;
                if S::DEEP {
                    self.deep_window(sampler, plane, y, x, &bases, row);
                } else {
                    self.window(shape.hats, plane, y, x, &bases, row);
                }
                let pixel = plane.pixel(y, x);
                self.residuals.extend(pixel.iter().zip(&bases).map(|(&sample, &base)| unit(plane.residual(sample, base))));
                if y < patch.y || x < patch.x || x >= patch.x + patch.width {
                    continue;
                }
                let pixel_index = self.here.len();
                self.here.push(row as u32);
                for tap in &near {
                    let inside = y.checked_add_signed(tap.dy.into()).zip(x.checked_add_signed(tap.dx.into()).filter(|&x| x < width));
                    self.near.push(inside.map_or(u32::MAX, |(y, x)| (start + (y - top) * columns + x - left) as u32));
                }
                let lane = pixel_index % LANES;
                for (c, targets) in self.targets[pixel_index / LANES * channels..][..channels].iter_mut().enumerate() {
                    targets.samples[lane] = value(pixel[c]) * steps;
                    targets.references[lane] = sampler.reference(pixel, &bases, c) as f32 * steps;
                    for (hit, &tap) in targets.hits.iter_mut().zip(&sampler.spike_taps) {
                        hit[lane] = f32::from(u8::from(plane.spike(tap, y, x, c, bases[c]) == pixel[c]));
                    }
                }
            }
        }
    }

    /// As [`Plane::gather`], into a row of `windows`: rounded where values have more than eight bits.
    fn deep_window<S: Sample>(&mut self, sampler: &Sampler, plane: &Plane<S>, y: usize, x: usize, bases: &[S::Base; 4], row: usize) {
        let mut inputs = [0i16; MOST_INPUTS];
        let inputs = &mut inputs[..sampler.shape().inputs()];
        plane.gather(&sampler.window, sampler.shape().hats, y, x, bases, inputs);
        self.windows[row * self.stride..].iter_mut().zip(inputs).for_each(|(out, &mut value)| *out = unit(value));
    }

    /// As [`Plane::gather`] of bytes, into a row of `windows`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn window<S: Sample>(&mut self, hats: usize, plane: &Plane<S>, y: usize, x: usize, bases: &[S::Base; 4], row: usize) {
        assert!(!S::DEEP);
        let (height, width) = plane.shape();
        let (samples, channels) = (plane.samples(), plane.samples().len() / (height * width));
        let out = &mut self.windows[row * self.stride..][..self.stride];
        let mut order = [0i16; 32];
        order.iter_mut().enumerate().for_each(|(i, index)| *index = (i % channels) as i16);
        let packed = bases.iter().rev().fold(0i64, |packed, &base| packed << 16 | i64::from(base.into() as u16));
        // SAFETY: an array of 64 bytes.
        let bases_of = _mm512_permutexvar_epi16(unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }, _mm512_set1_epi64(packed));
        let scale = _mm512_set1_ps(UNIT as f32);
        let mut at = 0;
        for run in &self.runs {
            let len = run.taps * channels;
            let first = x as isize + isize::from(run.dx);
            let inside = match y.checked_add_signed(run.dy.into()) {
                Some(_) => {
                    let (low, high) = ((-first).max(0) as usize, (width as isize - first).clamp(0, run.taps as isize) as usize);
                    ones(high * channels) & !ones(low.min(high) * channels)
                }
                None => 0,
            };
            let begin = ((y as isize + isize::from(run.dy)) * width as isize + first) * channels as isize;
            assert!(at + len <= out.len());
            // SAFETY: samples are bytes, and only those of the row's taps inside the image are loaded, the rest is masked off; `len` values fit into the row.
            unsafe {
                let bytes = _mm256_maskz_loadu_epi8(inside, samples.as_ptr().wrapping_offset(begin).cast());
                let differences = _mm512_maskz_sub_epi16(inside, _mm512_cvtepu8_epi16(bytes), bases_of);
                let low = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_castsi512_si256(differences))), scale);
                let high = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(differences))), scale);
                // Eight bits and a sign: the lower half of each is zero.
                let halves = [low, high].map(|floats| _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(_mm512_castps_si512(floats))));
                let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(halves[0]), halves[1]);
                _mm512_mask_storeu_epi16(out.as_mut_ptr().add(at).cast(), ones(len), both);
            }
            at += len;
        }
        let mut place = [0i16; MOST_BEHIND];
        let place = &mut place[..channels + 5 + 2 * hats];
        plane.gather_place(hats, y, x, bases, place);
        out[at..].iter_mut().zip(place).for_each(|(out, &mut value)| *out = unit(value));
    }
}

/// The lowest `n` bits.
const fn ones(n: usize) -> u32 {
    if n == 0 { 0 } else { u32::MAX >> (32 - n) }
}

/// An integer of unit 1/32 as bf16: exact if it has at most eight bits, else rounded, ties away from zero.
fn unit(value: i16) -> u16 {
    (((f32::from(value) * UNIT as f32).to_bits() + 0x8000) >> 16) as u16
}

/// Taps in runs of at most `most`.
fn runs(taps: &[Tap], most: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for tap in taps {
        match runs.last_mut() {
            Some(run) if run.dy == tap.dy && isize::from(run.dx) + run.taps as isize == isize::from(tap.dx) && run.taps < most => run.taps += 1,
            _ => runs.push(Run { dy: tap.dy, dx: tap.dx, taps: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Multiply;
    use super::*;
    use crate::effort::Plan;
    use crate::sample::Dice;
    use crate::train::{coding_order, follows};
    use kolmo_codec::alphabet::Alphabet;

    #[test]
    fn windows_and_targets_are_the_samplers() {
        if Multiply::best().is_none() {
            return;
        }
        let mut dice = Dice::new(6);
        for channels in 1..=4 {
            for (height, width, reach, hats) in [(1, 1, 3, 0), (1, 1, 3, 2), (9, 11, 2, 8), (20, 7, 4, 16), (8, 40, 3, 0), (8, 40, 3, 5)] {
                let samples: Vec<u8> = (0..height * width * channels).map(|_| dice.below(256) as u8).collect();
                let planes = [Plane::new(height, width, &samples, &coding_order(channels), 8).expect("valid")];
                let shape = NetShape { reach, hats, ..Plan::new(5, channels, 0, 0).shape };
                let sampler = Sampler::new(&shape, &follows(channels, None));
                let half = Patch { image: 0, y: height / 2, x: width / 2, height: height - height / 2, width: width - width / 2 };
                let patches = [Patch { image: 0, y: 0, x: 0, height, width }, half];
                let (batch, mut chunk) = (sampler.gather(&planes, &patches), Chunk::default());
                // SAFETY: `best` asked for the instructions.
                unsafe { chunk.gather(&sampler, &planes, &patches) };
                let float = |value: u16| f32::from_bits(u32::from(value) << 16);
                assert_eq!(chunk.around(), batch.residuals.len() / channels);
                for (row, expected) in chunk.windows.chunks_exact(chunk.stride).zip(batch.windows.chunks_exact(shape.inputs())) {
                    assert!(row.iter().zip(expected).all(|(&value, &expected)| float(value) == expected), "{channels} {height} {width} {hats}");
                    assert!(row[shape.inputs()..].iter().all(|&value| value == 0));
                }
                assert!(chunk.residuals.iter().zip(&batch.residuals).all(|(&value, &expected)| float(value) == expected));
                assert!(chunk.here.iter().map(|&row| row as i32).eq(batch.here.iter().copied()));
                assert!(chunk.near.iter().map(|&row| row as i32).eq(batch.near.iter().copied()));
                for (at, (&sample, &reference)) in batch.samples.iter().zip(&batch.references).enumerate() {
                    let (pixel, c) = (at / channels, at % channels);
                    let targets = &chunk.targets[pixel / LANES * channels + c];
                    assert_eq!((targets.samples[pixel % LANES], targets.references[pixel % LANES]), (sample, reference));
                    for (s, &value) in batch.spikes[at * 6..(at + 1) * 6].iter().enumerate() {
                        assert_eq!(targets.hits[s][pixel % LANES], f32::from(u8::from(value == sample)));
                    }
                }
            }
        }
    }

    #[test]
    fn deep_windows_and_targets_are_the_samplers_but_for_rounding() {
        if Multiply::best().is_none() {
            return;
        }
        let mut dice = Dice::new(9);
        for channels in 1..=4 {
            let (height, width) = (13, 11);
            let samples: Vec<u16> = (0..height * width * channels).map(|_| dice.below(1 << 14) as u16).collect();
            let planes = [Plane::new(height, width, &samples, &coding_order(channels), Alphabet::new(14, 2)).expect("valid")];
            let mut shape = Plan::new(5, channels, 0, 0).shape;
            (shape.deep, shape.hats) = (true, if channels == 1 { 8 } else { 0 });
            let sampler = Sampler::new(&shape, &follows(channels, None));
            let patches = [Patch { image: 0, y: 0, x: 0, height, width }];
            let (batch, mut chunk) = (sampler.gather(&planes, &patches), Chunk::default());
            // SAFETY: `best` asked for the instructions.
            unsafe { chunk.gather(&sampler, &planes, &patches) };
            let near = |value: u16, expected: f32| (f32::from_bits(u32::from(value) << 16) - expected).abs() <= expected.abs() / 256.0;
            for (row, expected) in chunk.windows.chunks_exact(chunk.stride).zip(batch.windows.chunks_exact(shape.inputs())) {
                assert!(row.iter().zip(expected).all(|(&value, &expected)| near(value, expected)), "{channels}");
                assert!(row[shape.inputs()..].iter().all(|&value| value == 0));
            }
            assert!(chunk.residuals.iter().zip(&batch.residuals).all(|(&value, &expected)| near(value, expected)));
            for (at, (&sample, &reference)) in batch.samples.iter().zip(&batch.references).enumerate() {
                let targets = &chunk.targets[at / channels / LANES * channels + at % channels];
                let lane = at / channels % LANES;
                assert_eq!((targets.samples[lane], targets.references[lane]), (sample, reference));
            }
        }
    }
}
