//! Who stays of constraints that exclude each other.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use edgekit_constraint_ir::{Constraint, ConstraintSet, ContentId, Enforcement};

use crate::{Clash, Conflict, Error, ErrorKind};

/// A constraint that gave way to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The constraint that is not enforced.
    pub constraint: ContentId,
    /// The constraint that stayed: of those that exclude the other one, the one of the highest rank.
    pub because_of: ContentId,
    /// On what they disagree.
    pub clash: Clash,
}

type Member<'a> = (ContentId, &'a Arc<Constraint>);

/// Decides each conflict by rank, then by the smaller id among soft constraints. A constraint that
/// has given way to a higher one excludes nothing any more, so the outcome does not depend on the
/// ids of hard constraints. O((constraints + conflicts) log n).
///
/// # Errors
/// [`ErrorKind::Conflict`] if two hard constraints of equal rank clash and neither has given way
/// to a third.
pub fn resolve(
    set: &ConstraintSet,
    conflicts: impl IntoIterator<Item = Conflict>,
) -> Result<Vec<Dropped>, Error> {
    let decision = decide(set, conflicts);
    match decision.undecided.first() {
        Some(conflict) => Err(undecided(set, conflict)),
        None => Ok(decision.dropped),
    }
}

/// What rank says about a set's conflicts.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// What gives way, in the order of its ids.
    pub(crate) dropped: Vec<Dropped>,
    /// Conflicts of hard constraints of equal rank that both stay, in their order.
    pub(crate) undecided: Vec<Conflict>,
}

pub(crate) fn decide(
    set: &ConstraintSet,
    conflicts: impl IntoIterator<Item = Conflict>,
) -> Decision {
    let mut against: HashMap<ContentId, Vec<(Member, Clash)>> = HashMap::new();
    for c in conflicts {
        let (Some(first), Some(second)) = (set.get(c.first), set.get(c.second)) else { continue };
        against.entry(c.first).or_default().push(((c.second, second), c.clash));
        against.entry(c.second).or_default().push(((c.first, first), c.clash));
    }
    let mut ordered: Vec<Member> =
        against.keys().filter_map(|id| set.get(*id).map(|c| (*id, c))).collect();
    ordered.sort_by_key(|(id, c)| (Reverse(c.rank()), *id));
    let mut kept = HashSet::new();
    let mut out = Decision::default();
    for equals in ordered.chunk_by(|a, b| a.1.rank() == b.1.rank()) {
        // First whoever loses to a higher rank, so that it is no rival among its equals.
        let (mut standing, mut soft) = (Vec::new(), Vec::new());
        for &(id, constraint) in equals {
            match winner(&against[&id], &kept) {
                Some((because_of, clash)) => {
                    out.dropped.push(Dropped { constraint: id, because_of, clash });
                }
                None if constraint.enforcement == Enforcement::Hard => standing.push(id),
                None => soft.push(id),
            }
        }
        kept.extend(standing.iter().copied());
        for id in standing {
            let rivals = against[&id].iter().filter(|((other, c), _)| {
                id < *other && kept.contains(other) && c.rank() == equals[0].1.rank()
            });
            out.undecided.extend(rivals.map(|((other, _), clash)| Conflict {
                first: id,
                second: *other,
                clash: *clash,
            }));
        }
        for id in soft {
            match winner(&against[&id], &kept) {
                Some((because_of, clash)) => {
                    out.dropped.push(Dropped { constraint: id, because_of, clash });
                }
                None => {
                    kept.insert(id);
                }
            }
        }
    }
    out.dropped.sort_by_key(|d| d.constraint);
    out.undecided.sort();
    out
}

/// Of the rivals that stay the one of the highest rank, then of the smallest id.
fn winner(rivals: &[(Member, Clash)], kept: &HashSet<ContentId>) -> Option<(ContentId, Clash)> {
    let staying = rivals.iter().filter(|((id, _), _)| kept.contains(id));
    let winner = staying.min_by_key(|((id, c), _)| (Reverse(c.rank()), *id));
    winner.map(|((id, _), clash)| (*id, *clash))
}

/// The error that names both sides of a conflict.
pub(crate) fn undecided(set: &ConstraintSet, conflict: &Conflict) -> Error {
    let both = [conflict.first, conflict.second];
    let name = |id: &ContentId| {
        set.get(*id).map_or_else(|| id.to_string(), |c| format!("{id} ({} at {})", on(c), c.origin))
    };
    Error::new(
        ErrorKind::Conflict,
        format!(
            "two hard constraints of equal rank exclude each other: {} and {}; give one of them a \
             higher priority or make it soft",
            name(&both[0]),
            name(&both[1])
        ),
    )
    .with_constraints(both.to_vec())
}

fn on(c: &Constraint) -> String {
    match c.body.subject() {
        Some(subject) if !subject.is_empty() => format!("on `{subject}`"),
        _ => "on the whole output".into(),
    }
}
