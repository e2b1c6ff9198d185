//! Many updates in one call, as replay makes them, with the meaning of one after the other.

use crate::agent::move_towards;
use crate::policy::{all_actions, max_value};
use crate::{Agent, Algorithm, End, Error, ErrorKind, Table, Transition};

/// Where a transition's numbers lie in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved {
    /// The value that it moves.
    cell: usize,
    /// The first value of the state that follows; `usize::MAX` if nothing is known of that.
    next: usize,
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
        self.check_batch(batch, weights)?;
        errors.clear();
        errors.reserve(batch.len());
        if self.config.algorithm == Algorithm::QLearning {
            return self.learn_resolved(batch, weights, errors);
        }
        for (at, t) in batch.iter().enumerate() {
            let weight = if weights.is_empty() { 1.0 } else { weights[at] };
            let error = match self.config.algorithm {
                Algorithm::ExpectedSarsa => self.learn_expected(t, weight)?,
                _ => self.learn_double(t, weight)?,
            };
            self.steps += 1;
            errors.push(error);
        }
        Ok(())
    }

    /// Q-learning, once every transition is known to be valid and its rows are known.
    fn learn_resolved(
        &mut self,
        batch: &[Transition],
        weights: &[f32],
        errors: &mut Vec<f32>,
    ) -> Result<(), Error> {
        // With the number of actions known to the compiler the maximum is a few instructions.
        match self.table.rows().actions() {
            2 => self.learn_rows::<2>(batch, weights, errors),
            3 => self.learn_rows::<3>(batch, weights, errors),
            4 => self.learn_rows::<4>(batch, weights, errors),
            5 => self.learn_rows::<5>(batch, weights, errors),
            6 => self.learn_rows::<6>(batch, weights, errors),
            7 => self.learn_rows::<7>(batch, weights, errors),
            8 => self.learn_rows::<8>(batch, weights, errors),
            _ => self.learn_rows::<0>(batch, weights, errors),
        }
    }

    /// `ACTIONS` is the number of actions, or 0 for any.
    fn learn_rows<const ACTIONS: usize>(
        &mut self,
        batch: &[Transition],
        weights: &[f32],
        errors: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let (discount, step_size, first_step) =
            (self.config.discount, self.config.step_size, self.steps);
        let rows = self.table.rows_mut();
        let (actions, initial) = (rows.actions(), rows.initial());
        let all = all_actions(actions);
        let (values, visits) = rows.all_mut();
        for (at, (t, resolved)) in batch.iter().zip(&self.resolved).enumerate() {
            let future = if t.end == End::Terminated {
                0.0
            } else if resolved.next == usize::MAX {
                initial
            } else {
                let legal = t.next_mask.among(actions);
                match values[resolved.next..].first_chunk::<ACTIONS>() {
                    Some(row) if ACTIONS > 0 && legal == all => row
                        .iter()
                        .fold(f32::NEG_INFINITY, |best, &v| if v > best { v } else { best }),
                    _ => max_value(&values[resolved.next..][..actions], legal),
                }
            };
            let (value, visits) = (&mut values[resolved.cell], &mut visits[resolved.cell]);
            let weight = if weights.is_empty() { 1.0 } else { weights[at] };
            let alpha = weight * step_size.at(first_step + at as u64, *visits);
            errors.push(move_towards(value, t.reward + discount * future, alpha)?);
            *visits = visits.saturating_add(1);
            self.steps += 1;
        }
        Ok(())
    }

    fn check_batch(&mut self, batch: &[Transition], weights: &[f32]) -> Result<(), Error> {
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
        self.resolved.clear();
        for t in batch {
            if t.action >= actions {
                return Err(self.no_such_action(t.action));
            }
            if !t.reward.is_finite() {
                return Err(Error::new(
                    ErrorKind::Value,
                    format!("reward {}: rewards must be finite", t.reward),
                ));
            }
            let mut next = usize::MAX;
            if t.end != End::Terminated {
                self.legal(t.next_mask)?;
                next = self.table.find(t.next_state)?.map_or(next, |row| row * actions);
            }
            let row = self.table.row(t.state)?;
            self.resolved.push(Resolved { cell: row * actions + t.action, next });
        }
        Ok(())
    }
}
