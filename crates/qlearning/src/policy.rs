//! How an agent picks an action: ε-greedy, softmax, upper confidence bounds.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::{Error, Schedule};

/// How actions are picked from their values. Illegal actions are never picked; equal ones are
/// picked with equal probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Policy {
    /// A random legal action with probability ε, else the best (Sutton & Barto 2.2).
    EpsilonGreedy(Schedule),
    /// Legal action a with probability proportional to exp(Q(a) / temperature) (S&B 2.8). The
    /// schedule is the temperature's; it is kept at 10⁻⁶ or above.
    Softmax(Schedule),
    /// The action with the largest Q(a) + c·√(ln N / n(a)), untried ones first (S&B 2.7).
    UpperConfidence {
        /// c, how much uncertainty counts.
        exploration: f32,
    },
}

impl Policy {
    /// Always the best action.
    pub const GREEDY: Policy = Policy::EpsilonGreedy(Schedule::Constant(0.0));

    pub(crate) fn validate(&self) -> Result<(), Error> {
        match self {
            Policy::EpsilonGreedy(epsilon) => epsilon.validate("epsilon", 0.0, 1.0),
            Policy::Softmax(temperature) => temperature.validate("temperature", 0.0, f32::MAX),
            Policy::UpperConfidence { exploration } => {
                Schedule::Constant(*exploration).validate("exploration", 0.0, f32::MAX)
            }
        }
    }

    /// Picks one of the actions in `legal` (a non-empty set of bits below `values.len()`).
    #[inline]
    pub(crate) fn pick(
        &self,
        values: &[f32],
        visits: &[u32],
        legal: u64,
        step: u64,
        rng: &mut impl Rng,
    ) -> usize {
        match self {
            Policy::EpsilonGreedy(epsilon) => {
                let epsilon = epsilon.at(step);
                // One draw serves both choices: its high half decides, its low half picks.
                let draw = rng.next_u64();
                let chance = (draw >> 40) as f32 * (1.0 / (1 << 24) as f32);
                if chance < epsilon {
                    nth_bit(legal, scale(draw as u32, legal.count_ones()))
                } else {
                    let best = best_actions(values, legal);
                    if best.is_power_of_two() {
                        best.trailing_zeros() as usize
                    } else {
                        nth_bit(best, scale(draw as u32, best.count_ones()))
                    }
                }
            }
            Policy::Softmax(temperature) => {
                let (weights, total) = softmax(values, legal, temperature.at(step));
                let mut left = rng.random::<f32>() * total;
                let mut last = 0;
                for (action, &weight) in weights.iter().enumerate().take(values.len()) {
                    if weight > 0.0 {
                        last = action;
                        if left < weight {
                            break;
                        }
                        left -= weight;
                    }
                }
                last
            }
            Policy::UpperConfidence { exploration } => {
                let bounds = upper_bounds(values, visits, legal, *exploration);
                let best = best_actions(&bounds[..values.len()], legal);
                nth_bit(best, scale(rng.next_u32(), best.count_ones()))
            }
        }
    }

    /// The expected value of the action that [`Policy::pick`] would pick.
    pub(crate) fn expectation(&self, values: &[f32], visits: &[u32], legal: u64, step: u64) -> f32 {
        let mean = |of: u64| bits(of).map(|a| values[a]).sum::<f32>() / of.count_ones() as f32;
        match self {
            Policy::EpsilonGreedy(epsilon) => {
                let epsilon = epsilon.at(step);
                (1.0 - epsilon) * max_value(values, legal) + epsilon * mean(legal)
            }
            Policy::Softmax(temperature) => {
                let (weights, total) = softmax(values, legal, temperature.at(step));
                bits(legal).map(|a| weights[a] * values[a]).sum::<f32>() / total
            }
            Policy::UpperConfidence { exploration } => {
                let bounds = upper_bounds(values, visits, legal, *exploration);
                mean(best_actions(&bounds[..values.len()], legal))
            }
        }
    }
}

/// The largest value among `legal`; −∞ if that is empty.
#[inline]
pub(crate) fn max_value(values: &[f32], legal: u64) -> f32 {
    let mut best = f32::NEG_INFINITY;
    for (action, &value) in values.iter().enumerate() {
        let value = if legal >> action & 1 == 1 { value } else { f32::NEG_INFINITY };
        best = if value > best { value } else { best };
    }
    best
}

/// The set of legal actions with the largest value.
#[inline]
pub(crate) fn best_actions(values: &[f32], legal: u64) -> u64 {
    let max = max_value(values, legal);
    let mut best = 0;
    for (action, &value) in values.iter().enumerate() {
        best |= u64::from(value == max) << action;
    }
    best & legal
}

/// A number below `n` from a uniform 32-bit draw (Lemire's multiply-shift; n is at most 64, so the
/// bias is below 2⁻²⁶).
#[inline]
fn scale(draw: u32, n: u32) -> u32 {
    (u64::from(draw) * u64::from(n) >> 32) as u32
}

/// The position of the `n`-th set bit.
#[inline]
fn nth_bit(mut set: u64, n: u32) -> usize {
    for _ in 0..n {
        set &= set - 1;
    }
    set.trailing_zeros() as usize
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (set != 0).then(|| {
            let bit = set.trailing_zeros() as usize;
            set &= set - 1;
            bit
        })
    })
}

fn softmax(values: &[f32], legal: u64, temperature: f32) -> ([f32; 64], f32) {
    let max = max_value(values, legal);
    let mut weights = [0.0; 64];
    let mut total = 0.0;
    for action in bits(legal) {
        // The largest exponent is 0: nothing overflows and the total is at least 1.
        weights[action] = ((values[action] - max) / temperature.max(1e-6)).exp();
        total += weights[action];
    }
    (weights, total)
}

fn upper_bounds(values: &[f32], visits: &[u32], legal: u64, exploration: f32) -> [f32; 64] {
    let all: f64 = bits(legal).map(|a| f64::from(visits[a])).sum();
    let log = all.max(1.0).ln() as f32;
    let mut bounds = [f32::NEG_INFINITY; 64];
    for action in bits(legal) {
        bounds[action] = match visits[action] {
            0 => f32::INFINITY,
            n => values[action] + exploration * (log / n as f32).sqrt(),
        };
    }
    bounds
}
