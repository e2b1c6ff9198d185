//! What users of the crate may rely on, one module per room of it.

mod image;
mod model;
mod pool;
mod steady_state;
