//! The classic grid worlds, written to their published rules, as exact models.
//!
//! Each function returns an [`Mdp`](crate::Mdp); wrap it in an [`MdpEnv`](crate::MdpEnv) to act in
//! it. The rules are those of Gymnasium's toy-text environments (FrozenLake-v1, CliffWalking-v1
//! without its slippery option, Taxi-v3 without rain and fickle passengers).

mod cliff_walking;
mod frozen_lake;
mod taxi;

pub use cliff_walking::cliff_walking;
pub use frozen_lake::{Lake, Surface, frozen_lake};
pub use taxi::taxi;
