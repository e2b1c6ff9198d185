//! Which constraint needs which: by the names that they define and use.

use std::collections::{BTreeSet, HashMap};

use edgekit_constraint_ir::{ConstraintSet, ContentId};

use crate::index::owners;

/// The dependencies among the constraints of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    needs: HashMap<ContentId, BTreeSet<ContentId>>,
}

/// Constraints that need each other in a circle, as recursive types do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// One circle: each needs the next, the last needs the first.
    pub example: Vec<ContentId>,
}

impl Dependencies {
    /// A constraint needs every constraint that defines a name which it uses; a target such as
    /// `api.Config.port` uses `api` and `api.Config`. O(size of the set + edges).
    pub fn of(set: &ConstraintSet) -> Self {
        let mut definers: HashMap<&str, Vec<ContentId>> = HashMap::new();
        for (id, c) in set.iter() {
            if let Some(name) = c.body.defines() {
                definers.entry(name).or_default().push(id);
            }
        }
        let mut needs = HashMap::new();
        for (id, c) in set.iter() {
            let mut needed = BTreeSet::new();
            for name in c.body.uses() {
                for name in owners(name).chain([name]) {
                    needed.extend(definers.get(name).into_iter().flatten().copied());
                }
            }
            needs.insert(id, needed);
        }
        Dependencies { needs }
    }

    /// What a constraint needs directly.
    pub fn needs(&self, id: ContentId) -> impl Iterator<Item = ContentId> {
        self.needs.get(&id).into_iter().flatten().copied()
    }

    /// All constraints, each after those that it needs; among equals the smaller id first.
    /// O((n + edges) log n).
    ///
    /// # Errors
    /// A [`Cycle`] with one example if there is no such order.
    pub fn topological(&self) -> Result<Vec<ContentId>, Cycle> {
        let mut waiting: HashMap<ContentId, usize> = HashMap::new();
        let mut needed_by: HashMap<ContentId, Vec<ContentId>> = HashMap::new();
        for (id, needs) in &self.needs {
            waiting.insert(*id, needs.len());
            needs.iter().for_each(|n| needed_by.entry(*n).or_default().push(*id));
        }
        let mut ready: BTreeSet<ContentId> =
            waiting.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(id) = ready.pop_first() {
            waiting.remove(&id);
            order.push(id);
            for dependent in needed_by.get(&id).into_iter().flatten() {
                if let Some(n) = waiting.get_mut(dependent) {
                    *n -= 1;
                    if *n == 0 {
                        ready.insert(*dependent);
                    }
                }
            }
        }
        // Everything that still waits needs something that waits too: walking on must circle.
        let Some(start) = waiting.keys().min().copied() else { return Ok(order) };
        let (mut path, mut places, mut last) = (Vec::new(), HashMap::new(), start);
        loop {
            if let Some(at) = places.insert(last, path.len()) {
                return Err(Cycle { example: path.split_off(at) });
            }
            path.push(last);
            last = self.needs(last).find(|n| waiting.contains_key(n)).unwrap_or(last);
        }
    }
}
