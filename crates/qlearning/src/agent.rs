//! The agent: what it knows, how it acts, and the one-step algorithms.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::batch::Before;
use crate::multi_step::Trail;
use crate::policy::{best_actions, max_value};
use crate::{
    ActionMask, DenseTable, End, Error, ErrorKind, Policy, Rows, Schedule, StepSize, Table,
    Transition,
};

/// How values are learned. Chapters are those of Sutton & Barto, 2nd edition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Algorithm {
    /// Target r + γ·max Q(s′, ·): learns the best policy whatever is tried (6.5).
    QLearning,
    /// Two tables, each valuing the other's choice, against Q-learning's over-estimation (6.7).
    DoubleQ,
    /// Target r + γ·E[Q(s′, a′)] under the agent's own policy (6.6).
    ExpectedSarsa,
    /// Target r₁ + … + γⁿ⁻¹·rₙ + γⁿ·Q(sₙ, aₙ) with the action really taken (6.4 and 7.2). An
    /// update is made once the action that it needs is known: n steps later or at the end.
    Sarsa {
        /// Steps looked ahead; 1 is plain SARSA.
        n: usize,
    },
    /// Watkins's Q(λ): errors also reach earlier steps, until an action was not the best (12.10).
    QLambda {
        /// How far errors reach: 0 is Q-learning, 1 the whole episode.
        lambda: f32,
        /// What a repeated visit does to its trace.
        traces: Traces,
    },
}

/// What happens to the trace of a state and action that is visited again (S&B 12.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traces {
    /// It grows by 1.
    Accumulating,
    /// It becomes 1.
    Replacing,
}

/// What an agent is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// How values are learned.
    pub algorithm: Algorithm,
    /// How actions are picked.
    pub policy: Policy,
    /// α.
    pub step_size: StepSize,
    /// γ, what a reward is worth one step later, 0 to 1.
    pub discount: f32,
    /// Seeds all of the agent's choices.
    pub seed: u64,
}

impl Default for AgentConfig {
    /// Q-learning, ε = 0.1, α = 0.1, γ = 0.95.
    fn default() -> Self {
        AgentConfig {
            algorithm: Algorithm::QLearning,
            policy: Policy::EpsilonGreedy(Schedule::Constant(0.1)),
            step_size: StepSize::Scheduled(Schedule::Constant(0.1)),
            discount: 0.95,
            seed: 0,
        }
    }
}

impl AgentConfig {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.policy.validate()?;
        self.step_size.validate()?;
        let share = |name: &str, value: f32| Schedule::Constant(value).validate(name, 0.0, 1.0);
        share("discount", self.discount)?;
        match self.algorithm {
            Algorithm::QLambda { lambda, .. } => share("lambda", lambda),
            Algorithm::Sarsa { n: 0 } => {
                Err(Error::new(ErrorKind::Config, "n-step SARSA with n 0: give 1 or more"))
            }
            _ => Ok(()),
        }
    }
}

/// A tabular agent: ask it to [`act`](Agent::act), tell it what came of it with
/// [`learn`](Agent::learn).
///
/// Given the same configuration, table and transitions it makes the same choices; softmax and
/// exponential schedules as far as the platform's `exp` gives the same bits.
#[derive(Clone, Debug)]
pub struct Agent<T> {
    pub(crate) config: AgentConfig,
    pub(crate) table: T,
    /// Double Q-learning's other values; the visits of `table` count for both.
    pub(crate) second: Option<Rows>,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) steps: u64,
    pub(crate) trail: Trail,
    /// What the running batch changed, kept as working memory of the next.
    pub(crate) changed: Vec<Before>,
}

impl Agent<DenseTable> {
    /// An agent over the states 0 to `states` − 1, all actions worth 0 at first.
    ///
    /// # Errors
    /// As [`Agent::new`] and [`DenseTable::new`].
    pub fn dense(states: usize, actions: usize, config: AgentConfig) -> Result<Self, Error> {
        Agent::new(DenseTable::new(states, actions, 0.0)?, config)
    }
}

impl<T: Table> Agent<T> {
    /// An agent that keeps what it learns in `table`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for rates out of range: ε, α, γ and λ must lie within 0 to 1, n must
    /// not be 0, temperatures and c must be finite and not negative.
    pub fn new(table: T, config: AgentConfig) -> Result<Self, Error> {
        config.validate()?;
        let second = (config.algorithm == Algorithm::DoubleQ).then(|| table.rows().clone());
        Ok(Agent {
            config,
            table,
            second,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            steps: 0,
            trail: Trail::default(),
            changed: Vec::new(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// The table. With double Q-learning its values are one half of what is known; see
    /// [`Agent::values`].
    pub fn table(&self) -> &T {
        &self.table
    }

    /// How many transitions were learned.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Picks an action for `state` among the legal ones. O(actions).
    ///
    /// # Errors
    /// [`ErrorKind::State`] or [`ErrorKind::Full`] for a state that the table cannot hold,
    /// [`ErrorKind::Action`] if no action is legal.
    #[inline]
    pub fn act(&mut self, state: u64, mask: ActionMask) -> Result<usize, Error> {
        let legal = self.legal(mask)?;
        let row = self.table.row(state)?;
        Ok(self.pick(row, legal))
    }

    /// Learns from one step; returns the temporal-difference error of the last value that this call
    /// changed, 0 if none (n-step SARSA waits). O(actions), with traces O(their number), n-step O(n).
    ///
    /// # Errors
    /// [`ErrorKind::State`], [`ErrorKind::Full`] and [`ErrorKind::Action`] for what the table cannot
    /// hold; [`ErrorKind::Value`] if the reward is not finite or would make a value so. Nothing is
    /// changed then, but that n-step SARSA may have made earlier updates and Q(λ) drops its traces.
    #[inline]
    pub fn learn(&mut self, t: &Transition) -> Result<f32, Error> {
        if t.action >= self.table.rows().actions() {
            return Err(self.no_such_action(t.action));
        }
        let error = match self.config.algorithm {
            Algorithm::QLearning => self.learn_best(t)?,
            Algorithm::ExpectedSarsa => self.learn_expected(t)?,
            Algorithm::DoubleQ => self.learn_double(t, 1.0)?,
            Algorithm::Sarsa { n } => self.learn_sarsa(t, n)?,
            Algorithm::QLambda { lambda, traces } => self.learn_traces(t, lambda, traces)?,
        };
        self.steps += 1;
        Ok(error)
    }

    /// The action values of `state`: the mean of both tables with double Q-learning.
    ///
    /// # Errors
    /// [`ErrorKind::State`] for a state that the table can never hold.
    pub fn values(&self, state: u64) -> Result<Vec<f32>, Error> {
        let rows = self.table.rows();
        let actions = rows.actions();
        Ok(match (self.table.find(state)?, &self.second) {
            (None, _) => vec![rows.initial(); actions],
            (Some(row), None) => rows.values(row).to_vec(),
            (Some(row), Some(_)) => self.mean_values(row)[..actions].to_vec(),
        })
    }

    /// The first of the best legal actions in `state`: what the agent would do without exploring.
    ///
    /// # Errors
    /// As [`Agent::act`].
    pub fn best_action(&self, state: u64, mask: ActionMask) -> Result<usize, Error> {
        let legal = self.legal(mask)?;
        Ok(best_actions(&self.values(state)?, legal).trailing_zeros() as usize)
    }

    /// The largest value of a legal action in `state`.
    ///
    /// # Errors
    /// As [`Agent::act`].
    #[inline]
    pub fn best_value(&self, state: u64, mask: ActionMask) -> Result<f32, Error> {
        let legal = self.legal(mask)?;
        let rows = self.table.rows();
        Ok(match (self.table.find(state)?, &self.second) {
            (None, _) => rows.initial(),
            (Some(row), None) => max_value(rows.values(row), legal),
            (Some(row), Some(_)) => max_value(&self.mean_values(row)[..rows.actions()], legal),
        })
    }

    /// The best action of each of the states 0 to `states` − 1, all actions being legal.
    ///
    /// # Errors
    /// As [`Agent::best_action`].
    pub fn greedy_policy(&self, states: usize) -> Result<Vec<usize>, Error> {
        (0..states as u64).map(|s| self.best_action(s, ActionMask::ALL)).collect()
    }

    /// Heap bytes of what was learned, visit counts included.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.second.as_ref().map_or(0, |rows| rows.all_values().len() * 8)
    }

    #[inline]
    pub(crate) fn legal(&self, mask: ActionMask) -> Result<u64, Error> {
        match mask.among(self.table.rows().actions()) {
            0 => Err(nothing_legal(mask)),
            legal => Ok(legal),
        }
    }

    #[cold]
    pub(crate) fn no_such_action(&self, action: usize) -> Error {
        let actions = self.table.rows().actions();
        Error::new(ErrorKind::Action, format!("action {action}: there are 0 to {}", actions - 1))
    }

    #[inline]
    pub(crate) fn pick(&mut self, row: usize, legal: u64) -> usize {
        if self.second.is_some() {
            return self.pick_by_mean(row, legal);
        }
        let rows = self.table.rows();
        let (values, visits) = (rows.values(row), rows.visits(row));
        self.config.policy.pick(values, visits, legal, self.steps, &mut self.rng)
    }

    #[inline(never)]
    fn pick_by_mean(&mut self, row: usize, legal: u64) -> usize {
        let values = self.mean_values(row);
        let rows = self.table.rows();
        let values = &values[..rows.actions()];
        self.config.policy.pick(values, rows.visits(row), legal, self.steps, &mut self.rng)
    }

    /// max Q(s′, ·) over what is legal there; 0 after termination.
    #[inline]
    pub(crate) fn best_next(&self, t: &Transition) -> Result<f32, Error> {
        if t.end == End::Terminated {
            return Ok(0.0);
        }
        let legal = self.legal(t.next_mask)?;
        let rows = self.table.rows();
        Ok(match self.table.find(t.next_state)? {
            Some(row) => max_value(rows.values(row), legal),
            None => rows.initial(),
        })
    }

    pub(crate) fn expected_next(&self, t: &Transition) -> Result<f32, Error> {
        if t.end == End::Terminated {
            return Ok(0.0);
        }
        let legal = self.legal(t.next_mask)?;
        let rows = self.table.rows();
        Ok(match self.table.find(t.next_state)? {
            Some(row) => {
                let (values, visits) = (rows.values(row), rows.visits(row));
                self.config.policy.expectation(values, visits, legal, self.steps)
            }
            None => rows.initial(),
        })
    }

    #[inline(always)]
    fn learn_best(&mut self, t: &Transition) -> Result<f32, Error> {
        let future = self.best_next(t)?;
        let row = self.table.row(t.state)?;
        self.update(row, t.action, t.reward + self.config.discount * future, 1.0)
    }

    // Out of line, so that Q-learning's path through `learn` stays short.
    #[inline(never)]
    fn learn_expected(&mut self, t: &Transition) -> Result<f32, Error> {
        let future = self.expected_next(t)?;
        let row = self.table.row(t.state)?;
        self.update(row, t.action, t.reward + self.config.discount * future, 1.0)
    }

    /// One step of double Q-learning, its step size multiplied by `weight`.
    #[inline(never)]
    pub(crate) fn learn_double(&mut self, t: &Transition, weight: f32) -> Result<f32, Error> {
        let future = if t.end == End::Terminated {
            None
        } else {
            Some((self.legal(t.next_mask)?, self.table.find(t.next_state)?))
        };
        let row = self.table.row(t.state)?;
        let first = self.table.rows_mut();
        let second = self.second.get_or_insert_with(|| first.clone());
        second.grow_to(first.len());
        let update_first = self.rng.random::<bool>();
        let (chooser, judge) = if update_first { (&*first, &*second) } else { (&*second, &*first) };
        let future = match future {
            None => 0.0,
            Some((_, None)) => first.initial(),
            Some((legal, Some(next))) => {
                let action = best_actions(chooser.values(next), legal).trailing_zeros() as usize;
                judge.values(next)[action]
            }
        };
        let target = t.reward + self.config.discount * future;
        if update_first {
            return self.update(row, t.action, target, weight);
        }
        let visits = &mut *first.cell_mut(row, t.action).1;
        let alpha = weight * self.config.step_size.at(self.steps, *visits);
        let error = move_towards(second.cell_mut(row, t.action).0, target, alpha)?;
        *visits = visits.saturating_add(1);
        Ok(error)
    }

    /// Moves one value towards `target`, its step size multiplied by `weight`, and counts the visit.
    #[inline(always)]
    pub(crate) fn update(
        &mut self,
        row: usize,
        action: usize,
        target: f32,
        weight: f32,
    ) -> Result<f32, Error> {
        let (value, visits) = self.table.rows_mut().cell_mut(row, action);
        let alpha = weight * self.config.step_size.at(self.steps, *visits);
        let error = move_towards(value, target, alpha)?;
        *visits = visits.saturating_add(1);
        Ok(error)
    }

    pub(crate) fn mean_values(&self, row: usize) -> [f32; 64] {
        let mut mean = [0.0; 64];
        let first = self.table.rows();
        for (mean, value) in mean.iter_mut().zip(first.values(row)) {
            *mean = *value;
        }
        if let Some(second) = &self.second {
            let initial = first.initial();
            let missing = row >= second.len();
            for (action, mean) in mean[..first.actions()].iter_mut().enumerate() {
                let other = if missing { initial } else { second.values(row)[action] };
                *mean = 0.5 * (*mean + other);
            }
        }
        mean
    }
}

/// value += α·(target − value), refused unless the result is finite; returns target − value.
#[inline(always)]
pub(crate) fn move_towards(value: &mut f32, target: f32, alpha: f32) -> Result<f32, Error> {
    let error = target - *value;
    let moved = *value + alpha * error;
    if !moved.is_finite() {
        return Err(not_finite(target, moved));
    }
    *value = moved;
    Ok(error)
}

#[cold]
fn not_finite(target: f32, moved: f32) -> Error {
    Error::new(
        ErrorKind::Value,
        format!("a target of {target} would make the value {moved}; rewards must be finite"),
    )
}

#[cold]
fn nothing_legal(mask: ActionMask) -> Error {
    Error::new(
        ErrorKind::Action,
        format!("mask {:#x} allows none of the actions; allow one", mask.0),
    )
}
