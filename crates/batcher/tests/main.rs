//! What a batcher promises, on a paused clock; and what it survives.

mod adaptive;
mod cancel;
mod faults;
mod lifecycle;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observe;
mod random;
mod rules;
mod support;
mod timer;
#[cfg(feature = "tower")]
mod tower;
