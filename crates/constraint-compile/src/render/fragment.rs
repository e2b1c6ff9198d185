//! Pieces of a grammar: a rule's key, its alternatives, and what they were made from.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use edgekit_constraint_ir::{Canonical, ContentId, Type};

use crate::index::Slot;
use crate::render::pattern::{lark_regex, lark_text};

/// What a rule generates: a value of a type, for a target that may be constrained further.
#[derive(Clone, Debug)]
pub(crate) struct RuleKey {
    pub(crate) ty: Type,
    /// `Config.port`, `connect.timeout`; empty for none.
    pub(crate) target: String,
    /// How deep calls may still nest.
    pub(crate) calls: u8,
    /// Tells rules apart, the same wherever and whenever they are rendered.
    pub(crate) id: RuleId,
}

/// Names a rule by what it generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleId(u64);

/// Rules by id.
pub(crate) type RuleMap<T> = HashMap<RuleId, T, BuildHasherDefault<IdHasher>>;

/// A set of rules.
pub(crate) type RuleSet = HashSet<RuleId, BuildHasherDefault<IdHasher>>;

/// An id is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{:016x}", self.0)
    }
}

impl RuleKey {
    pub(crate) fn new(ty: Type, target: String, calls: u8) -> Arc<Self> {
        let mut bytes = Vec::with_capacity(64);
        ty.put(&mut bytes);
        target.put(&mut bytes);
        calls.put(&mut bytes);
        let id = RuleId(ContentId::of(&bytes).get() as u64);
        Arc::new(RuleKey { ty, target, calls, id })
    }
}

/// The right-hand side of a rule, with what it was made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) alternatives: Vec<Alternative>,
    /// Definitions of terminals that the alternatives refer to.
    pub(crate) terminals: Vec<String>,
    /// The slots that were looked at. A change of any of them makes the fragment stale.
    pub(crate) consulted: Vec<Slot>,
    /// Constraints that shape the rule, whichever alternative is taken.
    pub(crate) used: Vec<ContentId>,
    /// Constraints that no grammar can express here.
    pub(crate) inexpressible: Vec<(ContentId, String)>,
}

/// One alternative of a rule: Lark text and the rules that it refers to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternative {
    pub(crate) text: String,
    pub(crate) needs: Vec<Arc<RuleKey>>,
    /// Constraints that hold if this alternative is taken.
    pub(crate) used: Vec<ContentId>,
}

impl Alternative {
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.item(&lark_text(text));
        self
    }

    pub(super) fn regex(mut self, regex: &str) -> Self {
        self.item(&lark_regex(regex));
        self
    }

    pub(crate) fn rule(mut self, key: Arc<RuleKey>) -> Self {
        self.item(&key.id.to_string());
        self.needs.push(key);
        self
    }

    pub(super) fn using(mut self, id: ContentId) -> Self {
        self.used.push(id);
        self
    }

    pub(super) fn raw(mut self, text: &str) -> Self {
        self.item(text);
        self
    }

    fn item(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }
}
