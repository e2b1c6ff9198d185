//! Algorithms that look further than one step: n-step SARSA and Watkins's Q(λ).

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::agent::Traces;
use crate::policy::max_value;
use crate::{ActionMask, Agent, End, Error, ErrorKind, Table, Transition};

/// Traces weaker than this are dropped: what they would still move is below f32's resolution for
/// any sensible reward, and it bounds their number.
const FAINT: f32 = 1e-4;

/// What is remembered of the running episode.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Trail {
    /// Steps whose target is not known yet, oldest first (n-step SARSA).
    pending: VecDeque<Pending>,
    /// How much each recent state and action shares in an error (Q(λ)).
    traces: Vec<Trace>,
    /// Where the episode stands, if it runs on.
    at: Option<(u64, ActionMask)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    row: usize,
    action: usize,
    reward: f32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Trace {
    row: usize,
    action: usize,
    strength: f32,
}

impl Trail {
    /// Whether everything points into a table of `rows` × `actions`; a saved file may lie.
    pub(crate) fn fits(&self, rows: usize, actions: usize) -> bool {
        self.pending.iter().all(|p| p.row < rows && p.action < actions && p.reward.is_finite())
            && self
                .traces
                .iter()
                .all(|t| t.row < rows && t.action < actions && t.strength.is_finite())
    }
}

impl<T: Table> Agent<T> {
    /// Ends the running episode as if it had been truncated. Only needed when an environment is
    /// reset early; a transition that does not start where the last one led does it by itself.
    ///
    /// # Errors
    /// As [`Agent::learn`].
    pub fn cut_episode(&mut self) -> Result<(), Error> {
        if let Some((state, mask)) = self.trail.at.take() {
            let future = self.picked_value(state, mask)?;
            self.flush(future)?;
        }
        self.trail.traces.clear();
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn learn_sarsa(&mut self, t: &Transition, n: usize) -> Result<f32, Error> {
        self.check_step(t)?;
        let row = self.table.row(t.state)?;
        if self.trail.at.is_some_and(|(state, _)| state != t.state) {
            self.cut_episode()?;
        }
        let mut error = 0.0;
        if self.trail.pending.len() >= n {
            let future = self.table.rows().values(row)[t.action];
            error = self.update_oldest(future)?;
        }
        self.trail.pending.push_back(Pending { row, action: t.action, reward: t.reward });
        self.trail.at = None;
        match t.end {
            End::Running => self.trail.at = Some((t.next_state, t.next_mask)),
            End::Terminated => error = self.flush(0.0)?,
            End::Truncated => {
                let future = self.picked_value(t.next_state, t.next_mask)?;
                error = self.flush(future)?;
            }
        }
        Ok(error)
    }

    #[inline(never)]
    pub(crate) fn learn_traces(
        &mut self,
        t: &Transition,
        lambda: f32,
        kind: Traces,
    ) -> Result<f32, Error> {
        self.check_step(t)?;
        let row = self.table.row(t.state)?;
        let target = t.reward + self.config.discount * self.best_next(t)?;
        let error = target - self.table.rows().values(row)[t.action];

        // Earlier steps share in this error only if the best action was taken here.
        let follows = match self.trail.at {
            Some((state, mask)) if state == t.state => {
                let values = self.table.rows().values(row);
                values[t.action] >= max_value(values, self.legal(mask)?)
            }
            _ => false,
        };
        let mut traces = std::mem::take(&mut self.trail.traces);
        if follows {
            let fade = self.config.discount * lambda;
            traces.retain_mut(|trace| {
                trace.strength *= fade;
                trace.strength >= FAINT
            });
        } else {
            traces.clear();
        }
        match traces.iter_mut().find(|e| e.row == row && e.action == t.action) {
            Some(trace) if kind == Traces::Accumulating => trace.strength += 1.0,
            Some(trace) => trace.strength = 1.0,
            None => traces.push(Trace { row, action: t.action, strength: 1.0 }),
        }
        let result = self.spread(&traces, error);
        if result.is_ok() && t.end == End::Running {
            self.trail.traces = traces;
            self.trail.at = Some((t.next_state, t.next_mask));
        } else {
            self.trail.at = None;
        }
        result?;
        let visits = self.table.rows_mut().cell_mut(row, t.action).1;
        *visits = visits.saturating_add(1);
        Ok(error)
    }

    /// Moves every traced value by its share of `error`, or none if one would not be finite.
    fn spread(&mut self, traces: &[Trace], error: f32) -> Result<(), Error> {
        let (step_size, steps) = (self.config.step_size, self.steps);
        let rows = self.table.rows_mut();
        for write in [false, true] {
            for trace in traces {
                let (value, visits) = rows.cell_mut(trace.row, trace.action);
                let moved = *value + step_size.at(steps, *visits) * error * trace.strength;
                if !moved.is_finite() {
                    return Err(Error::new(
                        ErrorKind::Value,
                        format!("an error of {error} would make a value {moved}"),
                    ));
                }
                if write {
                    *value = moved;
                }
            }
        }
        Ok(())
    }

    /// Refuses a transition before anything is remembered of it.
    fn check_step(&self, t: &Transition) -> Result<(), Error> {
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
        Ok(())
    }

    /// The value of the action that the policy picks in `state`.
    fn picked_value(&mut self, state: u64, mask: ActionMask) -> Result<f32, Error> {
        let legal = self.legal(mask)?;
        Ok(match self.table.find(state)? {
            Some(row) => {
                let action = self.pick(row, legal);
                self.table.rows().values(row)[action]
            }
            None => self.table.rows().initial(),
        })
    }

    /// Updates the oldest pending step; `future` is the value of what follows the newest.
    fn update_oldest(&mut self, future: f32) -> Result<f32, Error> {
        let discount = self.config.discount;
        let target =
            self.trail.pending.iter().rev().fold(future, |sum, step| step.reward + discount * sum);
        match self.trail.pending.pop_front() {
            Some(oldest) => self.update(oldest.row, oldest.action, target, 1.0),
            None => Ok(0.0),
        }
    }

    fn flush(&mut self, future: f32) -> Result<f32, Error> {
        let mut error = 0.0;
        while !self.trail.pending.is_empty() {
            error = self.update_oldest(future)?;
        }
        Ok(error)
    }
}
