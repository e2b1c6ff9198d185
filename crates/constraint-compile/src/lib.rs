#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod assemble;
mod compiled;
mod compiler;
mod conflict;
mod engine;
mod error;
mod graph;
mod import;
mod index;
mod open_text;
mod options;
mod pairs;
mod pieces;
mod refine;
mod render;
mod resolve;
mod schema;

pub use compiled::{CompiledConstraint, NotEnforced, Part, TokenRules};
pub use compiler::{Compiler, compile};
pub use conflict::{Clash, Conflict, conflicts, conflicts_by_pairs};
pub use engine::{ENGINE_VERSION, Engine, Matchers, ran_out_of_fuel};
pub use error::{Error, ErrorKind};
pub use graph::{Cycle, Dependencies};
pub use llguidance;
pub use open_text::compute_mask;
pub use options::{Dialect, Goal, Limits, Options, Relax, UnsupportedKeywords};
pub use resolve::{Dropped, resolve};
pub use schema::{SchemaSize, Unsupported, check_schema, parse_schema, unsupported};
