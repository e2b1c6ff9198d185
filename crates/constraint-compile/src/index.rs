//! Hard constraints by what they speak about, and what has changed since somebody asked.

use std::collections::HashMap;
use std::sync::Arc;

use edgekit_constraint_ir::{Body, Canonical, Constraint, ConstraintSet, ContentId, Type};

/// A place that constraints speak about and rules ask about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// Definitions of a name.
    Named(String),
    /// Ranges, literals and patterns of a target.
    Target(String),
    /// The same, for an owner and all targets inside of it.
    Owner(String),
    /// Functions that return a type.
    Returns(ContentId),
    /// Import lists of a scope.
    Imports(String),
    /// Schemas of a name.
    Schema(String),
    /// Holes in a function.
    Hole(String),
    /// Identifiers in scope of a function.
    Names(String),
    /// What holds for the whole output.
    Whole,
}

impl Slot {
    pub(crate) fn returns(ty: &Type) -> Slot {
        let mut bytes = Vec::with_capacity(32);
        ty.put(&mut bytes);
        Slot::Returns(ContentId::of(&bytes))
    }

    fn of(body: &Body) -> Vec<Slot> {
        let target = |name: &str| {
            let owners = owners(name).chain([name]).map(|owner| Slot::Owner(owner.into()));
            std::iter::once(Slot::Target(name.into())).chain(owners).collect()
        };
        match body {
            Body::Function(f) => vec![Slot::Named(f.name.clone()), Slot::returns(&f.returns)],
            Body::Struct(s) => vec![Slot::Named(s.name.clone())],
            Body::Enum(e) => vec![Slot::Named(e.name.clone())],
            Body::Imports(i) => vec![Slot::Imports(i.scope.clone())],
            Body::Schema(s) => vec![Slot::Schema(s.name.clone())],
            Body::Hole(h) => vec![Slot::Hole(h.function.clone())],
            Body::Names(n) => vec![Slot::Names(n.scope.clone())],
            Body::Literals(l) => target(&l.target),
            Body::Range(r) => target(&r.target),
            Body::Pattern(p) if !p.target.is_empty() => target(&p.target),
            Body::Pattern(_)
            | Body::Forbidden(_)
            | Body::Tokens(_)
            | Body::Limit(_)
            | Body::Weights(_) => vec![Slot::Whole],
            Body::Visibility(_) | Body::ErrorType(_) => Vec::new(),
        }
    }
}

/// What a target can belong to: everything before one of its dots, since names have dots too.
pub(crate) fn owners(target: &str) -> impl Iterator<Item = &str> {
    target.match_indices('.').map(|(at, _)| &target[..at])
}

/// The constraints that are in force, by slot, and which slots have changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<Slot, ConstraintSet>,
    changed: Vec<Slot>,
}

impl Index {
    pub(crate) fn insert(&mut self, id: ContentId, constraint: &Arc<Constraint>) {
        for slot in Slot::of(&constraint.body) {
            self.entries.entry(slot.clone()).or_default().share(id, constraint);
            self.changed.push(slot);
        }
    }

    pub(crate) fn remove(&mut self, id: ContentId, constraint: &Constraint) {
        for slot in Slot::of(&constraint.body) {
            if let Some(entry) = self.entries.get_mut(&slot) {
                entry.remove(id);
                if entry.is_empty() {
                    self.entries.remove(&slot);
                }
                self.changed.push(slot);
            }
        }
    }

    /// The slots that have changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.changed)
    }

    /// The slot's constraints in the order of their ids.
    pub(crate) fn get<'i>(
        &'i self,
        slot: &Slot,
    ) -> impl Iterator<Item = (ContentId, &'i Constraint)> + use<'i> {
        self.entries.get(slot).into_iter().flat_map(ConstraintSet::iter).map(|(id, c)| (id, &**c))
    }
}
