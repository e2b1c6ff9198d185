//! What a compilation yields: grammars, lists, limits, weights, and an honest report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use edgekit_constraint_ir::{ContentId, Limit, Rule, Weight};
use serde_json::Value;

use crate::{Conflict, Dropped};

/// A grammar in the engine's own terms. The output obeys every part: the masks of the parts are
/// intersected at every token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A JSON Schema.
    Schema(Arc<Value>),
    /// A grammar in the engine's variant of Lark.
    Lark(Arc<str>),
}

/// Which tokens may be used at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// If there is a list, nothing but it.
    pub allow: Option<BTreeSet<u32>>,
    /// None of these.
    pub deny: BTreeSet<u32>,
}

impl TokenRules {
    pub(crate) fn add(&mut self, rule: Rule, ids: &BTreeSet<u32>) {
        match rule {
            Rule::Deny => self.deny.extend(ids),
            Rule::Allow => {
                self.allow = Some(match self.allow.take() {
                    Some(allow) => allow.intersection(ids).copied().collect(),
                    None => ids.clone(),
                });
            }
        }
    }
}

/// Why a constraint is not enforced by the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotEnforced {
    /// It gave way to a constraint of higher rank.
    Dropped(Dropped),
    /// Nothing that is generated here is about it.
    NotConcerned,
    /// It says how code is and bounds no output: visibilities and error types are compared with
    /// each other, and no goal is about them.
    DescribesOnly,
    /// It is soft and says nothing about single tokens.
    SoftWithoutTokens,
    /// No grammar can express it; the text says what.
    Inexpressible(String),
    /// It was given up because nothing could be generated otherwise.
    Relaxed,
}

/// Constraints joined into what a generator needs.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledConstraint {
    pub(crate) parts: Vec<Part>,
    pub(crate) tokens: TokenRules,
    pub(crate) limit: Limit,
    pub(crate) weights: Vec<Weight>,
    pub(crate) enforced: BTreeSet<ContentId>,
    pub(crate) not_enforced: BTreeMap<ContentId, NotEnforced>,
    pub(crate) undecided: Vec<Conflict>,
}

impl CompiledConstraint {
    /// The grammars, all of which hold.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The tokens that may be used at all.
    pub fn tokens(&self) -> &TokenRules {
        &self.tokens
    }

    /// How long the output may be.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Preferences among the tokens that everything else allows.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// The constraints that hold for every output. Of definitions of one name, and of what several
    /// files say about values of one name, each is an alternative, and one of them holds. With
    /// [`crate::UnsupportedKeywords::Report`], whether a schema's `oneOf` had to become `anyOf` is
    /// known once the engine has compiled it ([`crate::Matchers::not_enforced`]).
    pub fn enforced(&self) -> &BTreeSet<ContentId> {
        &self.enforced
    }

    /// The constraints that need not hold, each with the reason. Together with
    /// [`CompiledConstraint::enforced`] these are all constraints of the set.
    pub fn not_enforced(&self) -> &BTreeMap<ContentId, NotEnforced> {
        &self.not_enforced
    }

    /// Pairs of hard facts of equal rank that exclude each other and that this goal does not depend
    /// on, in their order.
    pub fn undecided(&self) -> &[Conflict] {
        &self.undecided
    }
}
