//! The compiler: keeps what it has compiled and compiles anew only what an edit reaches.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use edgekit_constraint_ir::{Body, Constraint, ConstraintSet, ContentId, Enforcement};

use crate::assemble::{self, Kept};
use crate::conflict::Group;
use crate::index::Index;
use crate::resolve::{decide, undecided};
use crate::{CompiledConstraint, Conflict, Dropped, Error, ErrorKind, Goal, NotEnforced, Options};

/// Compiles a set of constraints for one goal, from the beginning.
///
/// Two hard constraints of equal rank that exclude each other are an error that names both: always
/// if somebody demands one of them ([`Source::is_demand`]), and if both were read from code or
/// documents only if the goal depends on them. Other such pairs are listed by
/// [`CompiledConstraint::undecided`].
///
/// # Errors
/// [`crate::ErrorKind`] says what: conflicts that nobody can decide, goals that leave nothing to
/// generate, schemas and patterns that are wrong or too large.
///
/// [`Source::is_demand`]: edgekit_constraint_ir::Source::is_demand
pub fn compile(
    set: &ConstraintSet,
    goal: &Goal,
    options: &Options,
) -> Result<Arc<CompiledConstraint>, Error> {
    let mut compiler = Compiler::new(goal.clone(), *options)?;
    for (id, constraint) in set.iter() {
        compiler.add(id, constraint);
    }
    compiler.compile()
}

/// An incremental compiler for one goal.
///
/// After an edit it looks again only at the groups in which the edited constraints can clash and
/// at the rules that consulted them. What it yields equals what [`compile`] yields.
#[derive(Debug)]
pub struct Compiler {
    goal: Goal,
    options: Options,
    set: ConstraintSet,
    groups: HashMap<Group, BTreeSet<ContentId>>,
    touched: HashSet<Group>,
    conflicts: HashMap<Group, Vec<Conflict>>,
    dropped: HashMap<ContentId, Dropped>,
    /// Conflicts that rank does not decide.
    undecided: Vec<Conflict>,
    index: Index,
    kept: Kept,
    changed: bool,
    last: Option<Arc<CompiledConstraint>>,
}

impl Compiler {
    /// A compiler without constraints.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOptions`] names the option that is wrong.
    pub fn new(goal: Goal, options: Options) -> Result<Self, Error> {
        options.validate()?;
        Ok(Compiler {
            goal,
            options,
            set: ConstraintSet::new(),
            groups: HashMap::new(),
            touched: HashSet::new(),
            conflicts: HashMap::new(),
            dropped: HashMap::new(),
            undecided: Vec::new(),
            index: Index::default(),
            kept: Kept::default(),
            changed: true,
            last: None,
        })
    }

    /// The constraints as they are now.
    pub fn constraints(&self) -> &ConstraintSet {
        &self.set
    }

    /// Adds a constraint and returns its id. Adding what is there changes nothing.
    pub fn insert(&mut self, constraint: Constraint) -> ContentId {
        let id = constraint.id();
        if !self.set.contains(id) {
            self.add(id, &Arc::new(constraint));
        }
        id
    }

    /// Removes a constraint. Whether it was there.
    pub fn remove(&mut self, id: ContentId) -> bool {
        let Some(constraint) = self.set.remove(id) else { return false };
        if let Some(group) = Group::of(&constraint.body) {
            if let Some(members) = self.groups.get_mut(&group) {
                members.remove(&id);
            }
            self.touched.insert(group);
        }
        if self.dropped.remove(&id).is_none() && in_force(&constraint) {
            self.index.remove(id, &constraint);
        }
        self.changed = true;
        true
    }

    /// Puts one constraint in the place of another and returns the new one's id.
    pub fn replace(&mut self, old: ContentId, new: Constraint) -> ContentId {
        self.remove(old);
        self.insert(new)
    }

    /// The compiled constraints. The same `Arc` as before if nothing has changed.
    ///
    /// # Errors
    /// As [`compile`]. After an error the compiler can be edited and asked again.
    pub fn compile(&mut self) -> Result<Arc<CompiledConstraint>, Error> {
        if !self.changed
            && let Some(last) = &self.last
        {
            return Ok(Arc::clone(last));
        }
        self.settle();
        if let Some(conflict) = self.undecided.iter().find(|c| self.binds(c)) {
            return Err(undecided(&self.set, conflict));
        }
        self.kept.fragments.forget(self.index.take_changed());
        let assembled = assemble::assemble(&self.goal, &self.options, &self.index, &mut self.kept);
        let mut assembled = assembled.map_err(|error| {
            // What excludes each other leaves nothing; then say who does.
            let concerned = |c: &&Conflict| {
                let named = |id| error.constraints().contains(&id);
                error.kind() == ErrorKind::Infeasible && (named(c.first) || named(c.second))
            };
            match self.undecided.iter().find(concerned) {
                Some(conflict) => undecided(&self.set, conflict),
                None => error,
            }
        })?;
        let shapes = |id| assembled.enforced.contains(&id);
        if let Some(conflict) = self.undecided.iter().find(|c| shapes(c.first) || shapes(c.second))
        {
            return Err(undecided(&self.set, conflict));
        }
        let mut not_enforced = BTreeMap::new();
        for (id, constraint) in self.set.iter() {
            if !assembled.enforced.contains(&id) {
                let reason = match assembled.reasons.remove(&id) {
                    Some(reason) => reason,
                    None => self.reason(id, constraint),
                };
                not_enforced.insert(id, reason);
            }
        }
        let new = CompiledConstraint {
            parts: assembled.parts,
            tokens: assembled.tokens,
            limit: assembled.limit,
            weights: assembled.weights,
            enforced: assembled.enforced,
            not_enforced,
            undecided: self.undecided.clone(),
        };
        let result = match self.last.take() {
            Some(last) if *last == new => last,
            _ => Arc::new(new),
        };
        self.changed = false;
        self.last = Some(Arc::clone(&result));
        Ok(result)
    }

    fn add(&mut self, id: ContentId, constraint: &Arc<Constraint>) {
        if let Some(group) = Group::of(&constraint.body) {
            self.groups.entry(group.clone()).or_default().insert(id);
            self.touched.insert(group);
        }
        if in_force(constraint) {
            self.index.insert(id, constraint);
        }
        self.set.share(id, constraint);
        self.changed = true;
    }

    /// Finds the conflicts of the groups that were touched and decides them.
    fn settle(&mut self) {
        let mut again = false;
        for group in std::mem::take(&mut self.touched) {
            let members: Vec<_> = self.groups.get(&group).map_or_else(Vec::new, |ids| {
                ids.iter().filter_map(|id| self.set.get(*id).map(|c| (*id, c))).collect()
            });
            let found = group.conflicts(&members);
            if found.is_empty() {
                again |= self.conflicts.remove(&group).is_some();
            } else {
                again |= self.conflicts.insert(group, found.clone()).is_none_or(|old| old != found);
            }
        }
        if again || !self.dropped.is_empty() || !self.conflicts.is_empty() {
            let decision = decide(&self.set, self.conflicts.values().flatten().copied());
            let dropped: HashMap<ContentId, Dropped> =
                decision.dropped.into_iter().map(|d| (d.constraint, d)).collect();
            self.undecided = decision.undecided;
            for id in self.dropped.keys().filter(|id| !dropped.contains_key(id)) {
                if let Some(c) = self.set.get(*id).filter(|c| in_force(c)) {
                    self.index.insert(*id, c);
                }
            }
            for id in dropped.keys().filter(|id| !self.dropped.contains_key(id)) {
                if let Some(c) = self.set.get(*id).filter(|c| in_force(c)) {
                    self.index.remove(*id, c);
                }
            }
            self.dropped = dropped;
        }
    }

    /// Whether somebody demands one side of a conflict, so that it matters to every goal.
    fn binds(&self, conflict: &Conflict) -> bool {
        let demanded = |id| self.set.get(id).is_some_and(|c| c.source.is_demand());
        demanded(conflict.first) || demanded(conflict.second)
    }

    fn reason(&self, id: ContentId, constraint: &Constraint) -> NotEnforced {
        match self.dropped.get(&id) {
            Some(dropped) => NotEnforced::Dropped(*dropped),
            None if !in_force(constraint) => NotEnforced::SoftWithoutTokens,
            None if matches!(constraint.body, Body::Visibility(_) | Body::ErrorType(_)) => {
                NotEnforced::DescribesOnly
            }
            None => NotEnforced::NotConcerned,
        }
    }
}

/// Soft constraints shape no grammar; they weigh tokens or nothing.
fn in_force(constraint: &Constraint) -> bool {
    constraint.enforcement == Enforcement::Hard || matches!(constraint.body, Body::Weights(_))
}

#[cfg(test)]
mod tests {
    use edgekit_constraint_ir::{
        Bound, Field, Kind, Number, Presence, Range, Shape, Source, StructDef, Type,
    };

    use super::*;
    use crate::Dialect;

    /// Found by an audit: the rules that consulted a slot were remembered once for every edit.
    #[test]
    fn edits_leave_nothing_behind() {
        let hard = |body| Constraint::new(Kind::Semantic, Source::User, body);
        let field = |name: &str| Field {
            name: name.into(),
            ty: Type::integer(0, 255),
            presence: Presence::Required,
        };
        let fields = vec![field("x"), field("y")];
        let goal = Goal::Value { ty: Type::named("A"), dialect: Dialect::Rust };
        let mut compiler = Compiler::new(goal, Options::default()).unwrap();
        compiler.insert(hard(Body::Struct(StructDef {
            name: "A".into(),
            shape: Shape::Named,
            fields,
        })));
        let range = |n| {
            let upper = Bound::Inclusive(Number::Integer(n));
            hard(Body::Range(Range { target: "A.x".into(), lower: Bound::Open, upper }))
        };
        let mut id = compiler.insert(range(7));
        compiler.compile().unwrap();
        let before = compiler.kept.fragments.remembered();
        for n in 0..100 {
            id = compiler.replace(id, range(n));
            compiler.compile().unwrap();
        }
        assert_eq!(compiler.kept.fragments.remembered(), before);
    }
}
