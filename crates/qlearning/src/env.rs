//! What an agent interacts with: the `Env` trait, steps, masks and the episode loop.

use serde::{Deserialize, Serialize};

use crate::{Agent, Error, Table};

/// A world with integer-keyed states and at most 64 actions.
///
/// The environment owns its random source, so the trait stays small:
///
/// ```
/// use edgekit_qlearning::{End, Env, Step};
///
/// /// Walk right from 0 to 4.
/// struct Corridor(u64);
/// impl Env for Corridor {
///     fn actions(&self) -> usize { 2 }
///     fn reset(&mut self) -> u64 { self.0 = 0; 0 }
///     fn step(&mut self, action: usize) -> Step {
///         self.0 = if action == 1 { self.0 + 1 } else { self.0.saturating_sub(1) };
///         let end = if self.0 == 4 { End::Terminated } else { End::Running };
///         Step { state: self.0, reward: -1.0, end }
///     }
/// }
/// # assert_eq!(Corridor(0).step(1).state, 1);
/// ```
pub trait Env {
    /// How many actions there are, 1 to 64.
    fn actions(&self) -> usize;
    /// Starts a new episode and returns its first state.
    fn reset(&mut self) -> u64;
    /// Does `action` and says what came of it.
    fn step(&mut self, action: usize) -> Step;
    /// The actions that are legal in the current state; all of them unless overridden.
    fn mask(&self) -> ActionMask {
        ActionMask::ALL
    }
}

/// What came of one action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The state that the environment is in now.
    pub state: u64,
    /// The reward for getting there.
    pub reward: f32,
    /// Whether the episode goes on.
    pub end: End,
}

/// Whether and how an episode ended.
///
/// The difference matters to what is learned: after [`End::Terminated`] there is no future, so its
/// value is 0; [`End::Truncated`] (a time limit) only stops the watching, so the value of the state
/// that was reached still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum End {
    /// The episode goes on.
    #[default]
    Running,
    /// A final state was reached.
    Terminated,
    /// The episode was cut short from outside.
    Truncated,
}

/// A set of legal actions, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActionMask(pub u64);

impl ActionMask {
    /// Every action is legal.
    pub const ALL: ActionMask = ActionMask(u64::MAX);

    /// Whether `action` is legal.
    #[inline]
    pub fn allows(self, action: usize) -> bool {
        action < 64 && self.0 >> action & 1 == 1
    }

    /// The legal ones among the first `actions`.
    #[inline]
    pub fn among(self, actions: usize) -> u64 {
        self.0 & (u64::MAX >> (64 - actions.clamp(1, 64)))
    }
}

impl Default for ActionMask {
    fn default() -> Self {
        ActionMask::ALL
    }
}

/// One step as an agent learns from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Where the action was taken.
    pub state: u64,
    /// The action.
    pub action: usize,
    /// The reward that followed.
    pub reward: f32,
    /// The state that followed.
    pub next_state: u64,
    /// What is legal in `next_state`. Without it a target could lean on an impossible action.
    pub next_mask: ActionMask,
    /// Whether the episode ended with this step.
    pub end: End,
}

/// What happened in one episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The undiscounted sum of rewards.
    pub earned: f64,
    /// How many steps it took.
    pub steps: u64,
    /// How it ended; [`End::Running`] if the step limit of the loop cut it.
    pub end: End,
}

/// Lets `agent` act and learn in `env` until the episode ends or `limit` steps were made.
///
/// # Errors
/// What [`Agent::act`] and [`Agent::learn`] refuse: unknown states, rewards that are not finite.
#[inline]
pub fn run_episode<T: Table, E: Env>(
    agent: &mut Agent<T>,
    env: &mut E,
    limit: u64,
) -> Result<Episode, Error> {
    let mut state = env.reset();
    let mut mask = env.mask();
    let mut episode = Episode { earned: 0.0, steps: 0, end: End::Running };
    while episode.steps < limit && episode.end == End::Running {
        let action = agent.act(state, mask)?;
        let step = env.step(action);
        let next_mask = env.mask();
        agent.learn(&Transition {
            state,
            action,
            reward: step.reward,
            next_state: step.state,
            next_mask,
            end: step.end,
        })?;
        episode.earned += f64::from(step.reward);
        episode.steps += 1;
        episode.end = step.end;
        (state, mask) = (step.state, next_mask);
    }
    Ok(episode)
}

/// Runs whole episodes until at least `steps` steps were learned; returns how many were.
///
/// # Errors
/// As [`run_episode`].
pub fn train<T: Table, E: Env>(
    agent: &mut Agent<T>,
    env: &mut E,
    steps: u64,
) -> Result<u64, Error> {
    let mut done = 0;
    while done < steps {
        done += run_episode(agent, env, u64::MAX)?.steps;
    }
    Ok(done)
}
