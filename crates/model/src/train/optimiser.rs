//! From a gradient to moved weights: Muon for the weights of all layers, AdamW for their biases.
//!
//! Muon (K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024) moves a weight matrix along its momentum with all
//! singular values made about 1, so that rare directions learn as fast as common ones. Steps of all matrices have one size, as in J. Liu et
//! al., "Muon is scalable for LLM training" (arXiv 2502.16982), and share AdamW's learning rate. `docs/experiments.md` has what it gains.

use rayon::prelude::*;

use crate::host::matrix::{add_product_of_transposed, product, product_with_transposed};
use crate::net::NetShape;
use crate::weights::{Slot, Slots};

/// Share of the momentum that stays from step to step.
const MOMENTUM: f32 = 0.95;
/// Root mean square of a Muon step before the learning rate.
///
/// The second paper has 0.2, like AdamW's steps. photos100, 1,468 steps, patches of 16: 0.2 / 0.4 / 0.8 end at 3.709 / 3.625 / 3.582 bpsp on
/// test images; patches of 8: 0.8 / 1.6 at 3.569 / 3.565.
const STEP: f32 = 1.0;
/// AdamW's decay of first and second moments, and what keeps its denominator from 0 (Loshchilov and Hutter, arXiv 1711.05101).
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;
/// Share of a weight that a step takes away, before the learning rate.
///
/// photos100, 2,937 steps: 0.0001 / 0.3 / 1 end at 3.538 / 3.525 / 3.537 bpsp on test images.
const DECAY: f32 = 0.3;
/// Largest norm of one parameter's gradient; longer ones are shortened.
const LARGEST_NORM: f32 = 1.0;

/// Moments of every parameter.
#[derive(Debug)]
pub(super) struct Optimiser {
    layers: Vec<Slot>,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Optimiser {
    /// At rest.
    pub(super) fn new(shape: &NetShape) -> Self {
        let slots = Slots::new(shape);
        let moments = vec![0.0; slots.parameters];
        Self { layers: slots.all().copied().collect(), second: moments.clone(), first: moments, steps: 0 }
    }

    /// One step down the gradient.
    pub(super) fn step(&mut self, weights: &mut [f32], gradient: &mut [f32], learning_rate: f32) {
        self.steps += 1;
        for part in self.layers.iter().flat_map(|slot| [slot.at..slot.biases(), slot.biases()..slot.end()]) {
            let part = &mut gradient[part];
            let norm = part.iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt() as f32;
            if norm > LARGEST_NORM {
                part.iter_mut().for_each(|g| *g *= LARGEST_NORM / norm);
            }
        }
        let (beta, beta_second) = BETAS;
        let (share, share_second) = (1.0 - beta.powi(self.steps), 1.0 - beta_second.powi(self.steps));
        for i in self.layers.iter().flat_map(|slot| slot.biases()..slot.end()) {
            let g = gradient[i];
            self.first[i] = beta * self.first[i] + (1.0 - beta) * g;
            self.second[i] = beta_second * self.second[i] + (1.0 - beta_second) * g * g;
            let step = self.first[i] / share / ((self.second[i] / share_second).sqrt() + EPSILON);
            weights[i] -= learning_rate * (step + DECAY * weights[i]);
        }
        let first = &mut self.first;
        let momenta = self.layers.iter().map(|slot| {
            let own = slot.at..slot.biases();
            let ahead = first[own.clone()].iter_mut().zip(&gradient[own]).map(|(momentum, g)| {
                *momentum = MOMENTUM * *momentum + (1.0 - MOMENTUM) * g;
                MOMENTUM * *momentum + (1.0 - MOMENTUM) * g // Nesterov's look ahead
            });
            (*slot, ahead.collect::<Vec<f32>>())
        });
        let mut directions: Vec<(Slot, Vec<f32>)> = momenta.collect();
        directions.par_iter_mut().for_each(|(slot, direction)| orthogonalise(direction, slot.n_in, slot.n_out));
        for (slot, direction) in directions {
            let scale = STEP * (slot.n_in.max(slot.n_out) as f32).sqrt();
            for (weight, part) in weights[slot.at..slot.biases()].iter_mut().zip(direction) {
                *weight -= learning_rate * (scale * part + DECAY * *weight);
            }
        }
    }
}

/// Moves the singular values of a matrix of shape `[n, m]` to about 1 (0.7 to 1.2), by five steps of the Newton-Schulz iteration with Muon's
/// coefficients.
fn orthogonalise(x: &mut Vec<f32>, n: usize, m: usize) {
    let norm = x.iter().map(|x| x * x).sum::<f32>().sqrt() + 1e-12;
    x.iter_mut().for_each(|x| *x /= norm);
    let side = n.min(m);
    for _ in 0..5 {
        let mut square = vec![0f32; side * side];
        if m <= n {
            add_product_of_transposed(x, x, &mut square, n, m, m)
        } else {
            product_with_transposed(x, x, &mut square, n, m, n)
        }
        let mut mixed = vec![0f32; side * side];
        product(&square, &square, &mut mixed, side, side, side);
        mixed.iter_mut().zip(&square).for_each(|(mixed, square)| *mixed = 2.0315 * *mixed - 4.7750 * square);
        let mut next: Vec<f32> = x.iter().map(|x| 3.4445 * x).collect();
        if m <= n {
            product(x, &mixed, &mut next, n, m, m)
        } else {
            product(&mixed, x, &mut next, n, n, m)
        }
        *x = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Plan;
    use crate::sample::Dice;

    fn noise(dice: &mut Dice) -> f32 {
        dice.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0
    }

    #[test]
    fn orthogonalised_matrices_keep_their_directions_and_lose_their_lengths() {
        let mut dice = Dice::new(1);
        for (n, m) in [(40, 12), (12, 40), (16, 16)] {
            let mut x: Vec<f32> = (0..n * m).map(|_| noise(&mut dice)).collect();
            let before = x.clone();
            orthogonalise(&mut x, n, m);
            // Rows (or columns, whichever are fewer) have lengths near 1, and the matrix still points where it did.
            let side = n.min(m);
            for i in 0..side {
                let squares: f32 = (0..n * m / side).map(|j| x[if m <= n { j * m + i } else { i * m + j }].powi(2)).sum();
                assert!((0.3..1.6).contains(&squares), "{n} x {m}: {squares}");
            }
            assert!(x.iter().zip(&before).map(|(a, b)| a * b).sum::<f32>() > 0.0);
        }
    }

    #[test]
    fn every_parameter_finds_its_minimum() {
        let shape = Plan::new(1, 3, 0, 0).shape;
        let mut optimiser = Optimiser::new(&shape);
        let mut dice = Dice::new(2);
        let n = Slots::new(&shape).parameters;
        let aim: Vec<f32> = (0..n).map(|_| noise(&mut dice) * 0.2).collect();
        let mut weights = vec![0f32; n];
        for step in 0..1500 {
            let mut gradient: Vec<f32> = weights.iter().zip(&aim).map(|(weight, aim)| weight - aim).collect();
            optimiser.step(&mut weights, &mut gradient, 0.01 * (1.0 - step as f32 / 1500.0));
        }
        let worst = weights.iter().zip(&aim).fold(0f32, |worst, (weight, aim)| worst.max((weight - aim).abs()));
        assert!(worst < 0.02, "{worst}");
    }
}
