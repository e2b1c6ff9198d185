#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod agent;
mod batch;
mod encode;
mod env;
pub mod envs;
mod error;
mod mdp;
mod merge;
mod multi_step;
mod persist;
mod policy;
mod replay;
pub mod safety;
mod schedule;
mod sum_tree;
mod table;
mod trajectory;

pub use agent::{Agent, AgentConfig, Algorithm, Traces};
pub use encode::{Feature, Field, StateEncoder};
pub use env::{ActionMask, End, Env, Episode, Step, Transition, run_episode, train};
pub use error::{Error, ErrorKind};
pub use mdp::{Mdp, MdpEnv, Outcome};
pub use merge::{Added, Entry, Merge, MergeConfig, MergeRule};
pub use policy::Policy;
pub use replay::{Drawn, PrioritisedReplay, ReplayConfig};
pub use schedule::{Schedule, StepSize};
pub use table::{DenseTable, HashedTable, Rows, Table};
pub use trajectory::{Trajectory, TrajectoryBuffer, TrajectorySummary};
