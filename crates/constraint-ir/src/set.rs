//! A set of constraints, whose order does not matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::malformed;
use crate::{Canonical, Constraint, ContentId, Error, Reader};

/// Constraints by content id. Clones share the constraints.
///
/// Two constraints of one id (the same demand twice in a file) are one; the first origin stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConstraintSet {
    by_id: BTreeMap<ContentId, Arc<Constraint>>,
}

impl ConstraintSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a constraint and returns its id. O(size of the constraint + log n).
    pub fn insert(&mut self, constraint: Constraint) -> ContentId {
        let id = constraint.id();
        self.by_id.entry(id).or_insert_with(|| Arc::new(constraint));
        id
    }

    /// Adds a constraint whose id is known from another set, sharing it. The first one of an id
    /// stays.
    pub fn share(&mut self, id: ContentId, constraint: &Arc<Constraint>) {
        debug_assert_eq!(id, constraint.id());
        self.by_id.entry(id).or_insert_with(|| Arc::clone(constraint));
    }

    /// Removes a constraint and returns it, if it was there.
    pub fn remove(&mut self, id: ContentId) -> Option<Arc<Constraint>> {
        self.by_id.remove(&id)
    }

    /// Removes all constraints that come from `file` and returns how many. O(n).
    pub fn remove_file(&mut self, file: &str) -> usize {
        let before = self.by_id.len();
        self.by_id.retain(|_, c| c.origin.file != file);
        before - self.by_id.len()
    }

    /// The constraint with this id.
    pub fn get(&self, id: ContentId) -> Option<&Arc<Constraint>> {
        self.by_id.get(&id)
    }

    /// Whether a constraint is in the set.
    pub fn contains(&self, id: ContentId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// How many constraints there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All constraints in the order of their ids, which is the same on every run.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ContentId, &Arc<Constraint>)> {
        self.by_id.iter().map(|(id, c)| (*id, c))
    }
}

impl Extend<Constraint> for ConstraintSet {
    fn extend<I: IntoIterator<Item = Constraint>>(&mut self, constraints: I) {
        for constraint in constraints {
            self.insert(constraint);
        }
    }
}

impl FromIterator<Constraint> for ConstraintSet {
    fn from_iter<I: IntoIterator<Item = Constraint>>(constraints: I) -> Self {
        let mut set = ConstraintSet::new();
        set.extend(constraints);
        set
    }
}

/// Constraints are written in the order of their ids.
impl Canonical for ConstraintSet {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.by_id.values().for_each(|c| c.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let constraints = Vec::<Constraint>::take(input)?;
        let ids: Vec<ContentId> = constraints.iter().map(Constraint::id).collect();
        if !ids.is_sorted_by(|a, b| a < b) {
            return Err(malformed("the constraints of a set are out of order or there twice"));
        }
        Ok(ConstraintSet {
            by_id: ids.into_iter().zip(constraints.into_iter().map(Arc::new)).collect(),
        })
    }
}
