//! Many updates in one call, as replay makes them, with the meaning of one after the other.

use crate::agent::move_towards;
use crate::policy::{all_actions, larger};
use crate::{Agent, Algorithm, End, Error, ErrorKind, StepSize, Table, Transition};

/// A transition whose states have been found and whose action and reward are valid.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resolved {
    reward: f32,
    action: u32,
    /// The row of its state.
    row: u32,
    /// The row of the state that follows, or one of the two below.
    next: u32,
}

impl Resolved {
    /// There is no state that follows.
    const NO_FUTURE: u32 = u32::MAX;
    /// Nothing is known of the state that follows.
    const UNKNOWN: u32 = u32::MAX - 1;
}

impl<T: Table> Agent<T> {
    /// Learns from `batch` as if [`Agent::learn`] had been called for each transition in turn: a
    /// state and action that occurs twice is updated twice, the second time from the result of the
    /// first, and a target sees every update before it.
    ///
    /// `weights` multiplies each one's step size (the importance-sampling weights of prioritised
    /// replay); an empty slice stands for all 1. `errors` is cleared and gets each update's
    /// temporal-difference error, which is its new priority. O(batch · actions); allocates nothing
    /// once `errors` has grown.
    ///
    /// # Errors
    /// What [`Agent::learn`] refuses, found before anything is changed, except a value that grows
    /// beyond `f32` on the way: then what comes before it has been learned. Also
    /// [`ErrorKind::Config`] for n-step SARSA and Q(λ), which need episodes in order, and
    /// [`ErrorKind::Value`] for weights that are not as many as the transitions or not within 0 to
    /// 1.
    pub fn learn_batch(
        &mut self,
        batch: &[Transition],
        weights: &[f32],
        errors: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let whole = self.check_batch(batch, weights)?;
        errors.clear();
        errors.resize(batch.len(), 0.0);
        let made = match self.config.algorithm {
            Algorithm::QLearning if whole => match self.table.rows().actions() {
                // With the number of actions known to the compiler a row is a few instructions.
                2 => self.learn_rows::<2>(weights, errors),
                3 => self.learn_rows::<3>(weights, errors),
                4 => self.learn_rows::<4>(weights, errors),
                5 => self.learn_rows::<5>(weights, errors),
                6 => self.learn_rows::<6>(weights, errors),
                7 => self.learn_rows::<7>(weights, errors),
                8 => self.learn_rows::<8>(weights, errors),
                _ => self.learn_each(batch, weights, errors),
            },
            _ => self.learn_each(batch, weights, errors),
        };
        made.map_err(|Refused { made, error }| {
            errors.truncate(made);
            error
        })
    }

    /// Any batch, one transition after the other.
    fn learn_each(
        &mut self,
        batch: &[Transition],
        weights: &[f32],
        errors: &mut [f32],
    ) -> Result<(), Refused> {
        for (at, (t, slot)) in batch.iter().zip(errors).enumerate() {
            let weight = if weights.is_empty() { 1.0 } else { weights[at] };
            let error = match self.config.algorithm {
                Algorithm::ExpectedSarsa => self.learn_expected(t, weight),
                Algorithm::DoubleQ => self.learn_double(t, weight),
                _ => self.learn_best(t, weight),
            };
            *slot = error.map_err(|error| Refused { made: at, error })?;
            self.steps += 1;
        }
        Ok(())
    }

    /// Q-learning over rows of `ACTIONS` actions, all of which are legal everywhere.
    fn learn_rows<const ACTIONS: usize>(
        &mut self,
        weights: &[f32],
        errors: &mut [f32],
    ) -> Result<(), Refused> {
        let (discount, first_step) = (self.config.discount, self.steps);
        // Until it is known, an update's place has its step size, or what that is a multiple of.
        let by_visits = match self.config.step_size {
            StepSize::Scheduled(schedule) => {
                let steps = errors.iter_mut().zip(first_step..);
                steps.for_each(|(alpha, step)| *alpha = schedule.at(step));
                None
            }
            harmonic => {
                errors.fill(1.0);
                Some(harmonic)
            }
        };
        errors.iter_mut().zip(weights).for_each(|(alpha, weight)| *alpha *= weight);

        let rows = self.table.rows_mut();
        let initial = rows.initial();
        let (values, visits) = rows.all_mut();
        let (values, visits) =
            (values.as_chunks_mut::<ACTIONS>().0, visits.as_chunks_mut::<ACTIONS>().0);
        // As many as there are values, which this tells the compiler.
        let visits = &mut visits[..values.len()];
        for (at, (t, slot)) in self.resolved.iter().zip(errors).enumerate() {
            let future = match values.get(t.next as usize) {
                Some(row) => max_of(row),
                None if t.next == Resolved::NO_FUTURE => 0.0,
                None => initial,
            };
            let value = &mut values[t.row as usize][t.action as usize];
            let visits = &mut visits[t.row as usize][t.action as usize];
            let mut alpha = *slot;
            if let Some(harmonic) = by_visits {
                alpha *= harmonic.at(first_step + at as u64, *visits);
            }
            match move_towards(value, t.reward + discount * future, alpha) {
                Ok(error) => *slot = error,
                Err(error) => {
                    self.steps += at as u64;
                    return Err(Refused { made: at, error });
                }
            }
            *visits = visits.saturating_add(1);
        }
        self.steps += self.resolved.len() as u64;
        Ok(())
    }

    /// Resolves every transition, unless one is invalid. Whether [`Agent::learn_rows`] will do: all
    /// actions are legal in all states that follow, and row numbers fit.
    fn check_batch(&mut self, batch: &[Transition], weights: &[f32]) -> Result<bool, Error> {
        if matches!(self.config.algorithm, Algorithm::Sarsa { .. } | Algorithm::QLambda { .. }) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{:?} learns from episodes, not from batches", self.config.algorithm),
            ));
        }
        let fitting = weights.is_empty() || weights.len() == batch.len();
        if !fitting || !weights.iter().all(|w| (0.0..=1.0).contains(w)) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "{} weights for {} transitions: give one within 0 to 1 for each, or none",
                    weights.len(),
                    batch.len()
                ),
            ));
        }
        let actions = self.table.rows().actions();
        let all = all_actions(actions);
        let mut whole = true;
        // Out of the agent, so that the compiler knows it apart from the table.
        let mut resolved = std::mem::take(&mut self.resolved);
        resolved.resize(batch.len(), Resolved::default());
        for (t, slot) in batch.iter().zip(&mut resolved) {
            if t.action >= actions {
                return Err(self.no_such_action(t.action));
            }
            if !t.reward.is_finite() {
                return Err(Error::new(
                    ErrorKind::Value,
                    format!("reward {}: rewards must be finite", t.reward),
                ));
            }
            let mut next = Resolved::NO_FUTURE;
            if t.end != End::Terminated {
                let legal = t.next_mask.0 & all;
                if legal != all {
                    self.legal(t.next_mask)?;
                    whole = false;
                }
                next = self.table.find(t.next_state)?.map_or(Resolved::UNKNOWN, |row| row as u32);
            }
            let row = self.table.row(t.state)? as u32;
            *slot = Resolved { reward: t.reward, action: t.action as u32, row, next };
        }
        self.resolved = resolved;
        Ok(whole && self.table.rows().all_values().len() < Resolved::UNKNOWN as usize)
    }
}

/// Where a batch stopped, and why.
struct Refused {
    made: usize,
    error: Error,
}

#[inline]
fn max_of<const ACTIONS: usize>(row: &[f32; ACTIONS]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |best, &value| larger(best, value))
}
