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
    /// The action with the largest Q(a) + c·√(ln N / n(a)), untried ones first (S&B 2.7). The
    /// schedule is that of c, how much uncertainty counts.
    UpperConfidence(Schedule),
}

impl Policy {
    /// Always the best action.
    pub const GREEDY: Policy = Policy::EpsilonGreedy(Schedule::Constant(0.0));

    pub(crate) fn validate(&self) -> Result<(), Error> {
        match self {
            Policy::EpsilonGreedy(epsilon) => epsilon.validate("epsilon", 0.0, 1.0),
            Policy::Softmax(temperature) => temperature.validate("temperature", 0.0, f32::MAX),
            Policy::UpperConfidence(c) => c.validate("c", 0.0, f32::MAX),
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
                // One draw serves both choices: its high part decides, its low part picks.
                let draw = rng.next_u64();
                let chance = (draw >> 40) as f32 * (1.0 / (1 << 24) as f32);
                if chance < epsilon {
                    pick_bit(legal, draw as u32)
                } else {
                    pick_best(values, legal, draw as u32)
                }
            }
            Policy::Softmax(temperature) => {
                pick_softmax(values, legal, temperature.at(step), rng.random())
            }
            Policy::UpperConfidence(c) => {
                let bounds = upper_bounds(values, visits, legal, c.at(step));
                pick_bit(best_actions(&bounds[..values.len()], legal), rng.next_u32())
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
            Policy::UpperConfidence(c) => {
                let bounds = upper_bounds(values, visits, legal, c.at(step));
                mean(best_actions(&bounds[..values.len()], legal))
            }
        }
    }
}

/// The set of all of a row's actions.
#[inline]
pub(crate) fn all_actions(actions: usize) -> u64 {
    u64::MAX >> (64 - actions)
}

/// The largest value among `legal`; −∞ if that is empty.
#[inline]
pub(crate) fn max_value(values: &[f32], legal: u64) -> f32 {
    if legal == all_actions(values.len()) {
        // The usual case, apart because a loop without the mask is a few instructions long.
        return values.iter().fold(f32::NEG_INFINITY, |best, &value| larger(best, value));
    }
    bits(legal).fold(f32::NEG_INFINITY, |best, action| larger(best, values[action]))
}

/// The larger of two finite values, in the one instruction that reads `value` from memory.
#[inline(always)]
pub(crate) fn larger(best: f32, value: f32) -> f32 {
    if best > value { best } else { value }
}

/// The set of legal actions with the largest value.
pub(crate) fn best_actions(values: &[f32], legal: u64) -> u64 {
    let max = max_value(values, legal);
    bits(legal).filter(|&action| values[action] == max).fold(0, |best, action| best | 1 << action)
}

/// One of the best legal actions, by a uniform draw.
#[inline]
fn pick_best(values: &[f32], legal: u64, draw: u32) -> usize {
    if legal == all_actions(values.len()) {
        let (mut best, mut at, mut tie) = (f32::NEG_INFINITY, 0, false);
        for (action, &value) in values.iter().enumerate() {
            tie = value == best || (tie && value < best);
            at = if value > best { action } else { at };
            best = if value > best { value } else { best };
        }
        if !tie {
            return at;
        }
    }
    pick_bit(best_actions(values, legal), draw)
}

/// A set bit by a uniform draw (Lemire's multiply-shift: with at most 64 bits the bias is below
/// 2⁻²⁶).
#[inline]
fn pick_bit(set: u64, draw: u32) -> usize {
    let below = |n: u32| (u64::from(draw) * u64::from(n)) >> 32;
    if set & set.wrapping_add(1) == 0 {
        // All actions from 0 on: no loop whose length depends on the draw.
        return below(set.trailing_ones()) as usize;
    }
    bits(set).nth(below(set.count_ones()) as usize).unwrap_or(0)
}

#[inline(never)]
fn pick_softmax(values: &[f32], legal: u64, temperature: f32, draw: f32) -> usize {
    let (weights, total) = softmax(values, legal, temperature);
    let mut left = draw * total;
    let mut last = 0;
    for action in bits(legal) {
        // A weight can underflow to 0; such an action is not picked.
        if weights[action] > 0.0 {
            last = action;
            if left < weights[action] {
                break;
            }
            left -= weights[action];
        }
    }
    last
}

#[inline]
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (set != 0).then(|| {
            let bit = set.trailing_zeros() as usize;
            set &= set - 1;
            bit
        })
    })
}

#[inline(never)]
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

#[inline(never)]
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
