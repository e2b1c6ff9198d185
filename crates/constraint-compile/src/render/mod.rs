//! Constraints to grammar text: patterns, spellings, rules.

pub(crate) mod fragment;
pub(crate) mod pattern;
mod refined;
pub(crate) mod rules;
pub(crate) mod spelling;
