//! Finite Markov decision processes: the exact model behind an environment, solved exactly.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{End, Env, Error, ErrorKind, Step};

/// A finite Markov decision process: for each state and action the possible outcomes.
///
/// Both what an agent experiences ([`MdpEnv`]) and what is solved exactly
/// ([`Mdp::optimal_values`], [`Mdp::policy_values`]) come from the same table, so a learned policy
/// can be judged without sampling.
#[derive(Clone, Debug)]
pub struct Mdp {
    states: usize,
    actions: usize,
    starts: Vec<u32>,
    /// Outcomes of (s, a) are `outcomes[offsets[s * actions + a]..offsets[… + 1]]`.
    offsets: Vec<u32>,
    outcomes: Vec<Outcome>,
}

/// One thing that can come of an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How likely it is, 0 to 1.
    pub probability: f64,
    /// The state it leads to.
    pub state: u32,
    /// The reward it brings.
    pub reward: f32,
    /// Whether the episode is over then.
    pub terminal: bool,
}

impl Mdp {
    /// A process with `states` × `actions` outcome lists given by `outcomes(state, action)`, whose
    /// episodes start in one of `starts`, each equally likely.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there are no states, not 1 to 64 actions, no starts, a state out of
    /// range, or probabilities of a state and action that do not add up to 1 (within 1e-9).
    pub fn new(
        states: usize,
        actions: usize,
        starts: Vec<u32>,
        mut outcomes: impl FnMut(u32, usize) -> Vec<Outcome>,
    ) -> Result<Self, Error> {
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        if states == 0 || u32::try_from(states).is_err() || !(1..=64).contains(&actions) {
            return Err(bad(format!(
                "{states} states × {actions} actions: give 1 to 2^32 - 1 states and 1 to 64 actions"
            )));
        }
        if starts.is_empty() || starts.iter().any(|&s| s as usize >= states) {
            return Err(bad(format!("starts {starts:?}: give at least one state below {states}")));
        }
        let mut mdp = Mdp { states, actions, starts, offsets: vec![0], outcomes: Vec::new() };
        for state in 0..states as u32 {
            for action in 0..actions {
                let list = outcomes(state, action);
                let total: f64 = list.iter().map(|o| o.probability).sum();
                let in_range = list.iter().all(|o| {
                    (o.state as usize) < states && o.reward.is_finite() && o.probability >= 0.0
                });
                if (total - 1.0).abs() > 1e-9 || !in_range {
                    return Err(bad(format!(
                        "outcomes of state {state}, action {action}: probabilities add up to \
                         {total}; they must be 1, lead below {states} and have finite rewards"
                    )));
                }
                mdp.outcomes.extend(list);
                mdp.offsets.push(mdp.outcomes.len() as u32);
            }
        }
        Ok(mdp)
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        self.states
    }

    /// How many actions there are.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// The states that an episode can start in.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// What can come of `action` in `state`.
    ///
    /// # Panics
    /// If either is out of range.
    pub fn outcomes(&self, state: u32, action: usize) -> &[Outcome] {
        assert!(action < self.actions, "action {action} of {}", self.actions);
        let cell = state as usize * self.actions + action;
        &self.outcomes[self.offsets[cell] as usize..self.offsets[cell + 1] as usize]
    }

    /// V*: the value of each state under the best policy, by value iteration (Sutton & Barto 4.4)
    /// until no value moves by more than `tolerance`, or `sweeps` sweeps at most.
    ///
    /// With `discount` 1 this converges for processes whose every policy worth having ends.
    /// O(sweeps × outcomes).
    pub fn optimal_values(&self, discount: f64, tolerance: f64, sweeps: usize) -> Vec<f64> {
        let mut values = vec![0.0; self.states];
        for _ in 0..sweeps {
            let mut moved = 0.0f64;
            for state in 0..self.states {
                let best = (0..self.actions)
                    .map(|a| self.backup(state as u32, a, &values, discount))
                    .fold(f64::NEG_INFINITY, f64::max);
                moved = moved.max((best - values[state]).abs());
                values[state] = best;
            }
            if moved <= tolerance {
                break;
            }
        }
        values
    }

    /// The value of each state under `policy` (an action per state) when at most `horizon` steps
    /// remain. Exact; O(horizon × outcomes).
    ///
    /// With `discount` 1 and rewards that are 1 at the goal only, the value of a start is the
    /// probability of reaching the goal within `horizon` steps.
    ///
    /// # Panics
    /// If `policy` does not name one valid action per state.
    pub fn policy_values(&self, policy: &[usize], discount: f64, horizon: usize) -> Vec<f64> {
        assert_eq!(policy.len(), self.states, "one action per state");
        let mut values = vec![0.0; self.states];
        for _ in 0..horizon {
            values = (0..self.states)
                .map(|s| self.backup(s as u32, policy[s], &values, discount))
                .collect();
        }
        values
    }

    /// The best value that any policy, even one that watches the clock, has with `horizon` steps.
    pub fn horizon_values(&self, discount: f64, horizon: usize) -> Vec<f64> {
        let mut values = vec![0.0; self.states];
        for _ in 0..horizon {
            values = (0..self.states as u32)
                .map(|s| {
                    (0..self.actions)
                        .map(|a| self.backup(s, a, &values, discount))
                        .fold(f64::NEG_INFINITY, f64::max)
                })
                .collect();
        }
        values
    }

    /// The mean of `values` over the start states.
    pub fn mean_over_starts(&self, values: &[f64]) -> f64 {
        self.starts.iter().map(|&s| values[s as usize]).sum::<f64>() / self.starts.len() as f64
    }

    fn backup(&self, state: u32, action: usize, values: &[f64], discount: f64) -> f64 {
        self.outcomes(state, action)
            .iter()
            .map(|o| {
                let future = if o.terminal { 0.0 } else { values[o.state as usize] };
                o.probability * (f64::from(o.reward) + discount * future)
            })
            .sum()
    }
}

/// An environment that samples from an [`Mdp`].
#[derive(Clone, Debug)]
pub struct MdpEnv {
    actions: usize,
    starts: Vec<u32>,
    cells: Vec<Cell>,
    drawn: Vec<Drawn>,
    state: u32,
    left: u64,
    limit: u64,
    rng: Pcg64Mcg,
}

/// The range of a state's and action's outcomes.
#[derive(Clone, Copy, Debug)]
struct Cell {
    first: u32,
    len: u32,
    /// All of them equally likely, which needs no look at their shares.
    uniform: bool,
}

/// An outcome with the share of the 32-bit range up to which it is drawn.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    below: u32,
    state: u32,
    reward: f32,
    terminal: bool,
}

impl MdpEnv {
    /// An environment over `mdp` that truncates episodes after `limit` steps.
    pub fn new(mdp: &Mdp, limit: u64, seed: u64) -> Self {
        let mut cells = Vec::with_capacity(mdp.states * mdp.actions);
        let mut drawn = Vec::with_capacity(mdp.outcomes.len());
        for bounds in mdp.offsets.windows(2) {
            let outcomes = &mdp.outcomes[bounds[0] as usize..bounds[1] as usize];
            let uniform = outcomes.iter().all(|o| o.probability == outcomes[0].probability);
            cells.push(Cell { first: bounds[0], len: bounds[1] - bounds[0], uniform });
            let mut sum = 0.0;
            for o in outcomes {
                sum += o.probability;
                drawn.push(Drawn {
                    below: (sum * 4_294_967_296.0) as u32,
                    state: o.state,
                    reward: o.reward,
                    terminal: o.terminal,
                });
            }
        }
        let mut env = MdpEnv {
            actions: mdp.actions,
            starts: mdp.starts.clone(),
            cells,
            drawn,
            state: 0,
            left: limit,
            limit,
            rng: Pcg64Mcg::seed_from_u64(seed),
        };
        env.reset();
        env
    }

    /// The state that the environment is in.
    pub fn state(&self) -> u64 {
        u64::from(self.state)
    }
}

impl Env for MdpEnv {
    fn actions(&self) -> usize {
        self.actions
    }

    #[inline]
    fn reset(&mut self) -> u64 {
        self.left = self.limit;
        self.state = match self.starts[..] {
            [only] => only,
            _ => self.starts[self.rng.random_range(0..self.starts.len())],
        };
        u64::from(self.state)
    }

    /// # Panics
    /// If there is no such action.
    #[inline]
    fn step(&mut self, action: usize) -> Step {
        assert!(action < self.actions, "action {action} of {}", self.actions);
        let cell = self.cells[self.state as usize * self.actions + action];
        let outcomes = &self.drawn[cell.first as usize..][..cell.len as usize];
        let draw: u32 = self.rng.random();
        let at = if cell.uniform {
            (u64::from(draw) * u64::from(cell.len)) >> 32
        } else {
            // Every share but the last, whose end is 2³² and does not fit.
            let shares = &outcomes[..outcomes.len() - 1];
            shares.iter().filter(|o| draw >= o.below).count() as u64
        };
        let outcome = outcomes[at as usize];
        self.state = outcome.state;
        self.left = self.left.saturating_sub(1);
        let end = if outcome.terminal {
            End::Terminated
        } else if self.left == 0 {
            End::Truncated
        } else {
            End::Running
        };
        Step { state: u64::from(outcome.state), reward: outcome.reward, end }
    }
}
