//! What users of the crate may rely on.

mod concurrent;
mod model;
mod rules;
mod steady_state;
