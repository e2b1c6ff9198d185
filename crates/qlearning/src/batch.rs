//! Many updates in one call, as replay makes them, with the meaning of one after the other.

use crate::{Agent, Algorithm, End, Error, ErrorKind, Table, Transition};

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
        for (at, t) in batch.iter().enumerate() {
            let weight = if weights.is_empty() { 1.0 } else { weights[at] };
            let error = match self.config.algorithm {
                Algorithm::QLearning => self.learn_best(t, weight)?,
                Algorithm::ExpectedSarsa => self.learn_expected(t, weight)?,
                _ => self.learn_double(t, weight)?,
            };
            self.steps += 1;
            errors.push(error);
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
            if t.end != End::Terminated {
                self.legal(t.next_mask)?;
                self.table.find(t.next_state)?;
            }
            self.table.row(t.state)?;
        }
        Ok(())
    }
}
