#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod agent;
mod env;
pub mod envs;
mod error;
mod mdp;
mod multi_step;
mod policy;
mod schedule;
mod table;

pub use agent::{Agent, AgentConfig, Algorithm, Traces};
pub use env::{ActionMask, End, Env, Episode, Step, Transition, run_episode, train};
pub use error::{Error, ErrorKind};
pub use mdp::{Mdp, MdpEnv, Outcome};
pub use policy::Policy;
pub use schedule::{Schedule, StepSize};
pub use table::{DenseTable, HashedTable, Rows, Table};
