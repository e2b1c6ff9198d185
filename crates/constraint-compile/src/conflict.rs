//! Which constraints exclude each other, and who stays.
//!
//! Two constraints clash if no output satisfies both. Only constraints of one *group* can: the same
//! class of demand on the same subject. Within a group the pairs are found by the field that can
//! clash: a sweep for ranges, buckets for definitions, set algebra for lists. The work is near
//! linear in the number of constraints plus the number of clashes.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use edgekit_constraint_ir::{
    Body, Bound, Constraint, ConstraintSet, ContentId, Literal, Number, Range, Rule,
};

use crate::schema::root_types;

/// Two constraints that exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// The constraint with the smaller id.
    pub first: ContentId,
    /// The other one.
    pub second: ContentId,
    /// On what they disagree.
    pub clash: Clash,
}

/// On what two constraints disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Clash {
    /// Two definitions of one name.
    Definition,
    /// Lists of what may be imported that leave nothing.
    Imports,
    /// Two visibilities of one item.
    Visibility,
    /// Two error types of one function.
    ErrorType,
    /// Ranges or literals that share no value.
    Values,
    /// Schemas of one name whose root types share nothing.
    SchemaType,
    /// Lists of tokens that leave nothing.
    Tokens,
}

/// All conflicts of a set. Near linear in the set's size plus the number of conflicts; quadratic
/// only in the number of *different* lists of literals, imports or tokens on one subject.
pub fn conflicts(set: &ConstraintSet) -> BTreeSet<Conflict> {
    let mut members: Vec<(Class, &str, Member)> = set
        .iter()
        .filter_map(|(id, c)| {
            Some((Class::of(&c.body)?, c.body.subject().unwrap_or_default(), (id, c)))
        })
        .collect();
    members.sort_unstable_by_key(|(class, subject, (id, _))| (*class, *subject, *id));
    let mut found = Vec::new();
    let mut group = Vec::new();
    for chunk in members.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        group.clear();
        group.extend(chunk.iter().map(|(_, _, member)| *member));
        chunk[0].0.conflicts(&group, &mut found);
    }
    found.into_iter().collect()
}

/// The slow twin of [`conflicts`]: looks at every pair. O(n²).
pub fn conflicts_by_pairs(set: &ConstraintSet) -> BTreeSet<Conflict> {
    let all: Vec<Member> = set.iter().collect();
    let mut found = BTreeSet::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            if let Some(clash) = clash(a.1, b.1) {
                found.insert(conflict(a.0, b.0, clash));
            }
        }
    }
    found
}

pub(crate) type Member<'a> = (ContentId, &'a Arc<Constraint>);

/// Constraints that can clash at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    class: Class,
    subject: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Class {
    Function,
    Type,
    Imports,
    Visibility,
    ErrorType,
    Value,
    Schema,
    Tokens,
}

impl Group {
    pub(crate) fn of(body: &Body) -> Option<Group> {
        let class = Class::of(body)?;
        Some(Group { class, subject: body.subject().unwrap_or_default().to_owned() })
    }

    pub(crate) fn conflicts(&self, members: &[Member]) -> Vec<Conflict> {
        let mut found = Vec::new();
        self.class.conflicts(members, &mut found);
        found
    }
}

impl Class {
    fn of(body: &Body) -> Option<Class> {
        Some(match body {
            Body::Function(_) => Class::Function,
            Body::Struct(_) | Body::Enum(_) => Class::Type,
            Body::Imports(_) => Class::Imports,
            Body::Visibility(_) => Class::Visibility,
            Body::ErrorType(_) => Class::ErrorType,
            Body::Range(_) | Body::Literals(_) => Class::Value,
            Body::Schema(_) => Class::Schema,
            Body::Tokens(_) => Class::Tokens,
            _ => return None,
        })
    }

    /// The conflicts among members of one group.
    fn conflicts(self, members: &[Member], found: &mut Vec<Conflict>) {
        if members.len() < 2 {
            return;
        }
        match self {
            Class::Function | Class::Type | Class::Visibility | Class::ErrorType => {
                differing(members, found);
            }
            Class::Value => {
                ranges(members, found);
                // Without a list of literals the sweep has seen everything.
                if members.iter().any(|(_, c)| matches!(c.body, Body::Literals(_))) {
                    in_pairs(members, found, |c| match &c.body {
                        Body::Range(r) => Some(ValueKey::Range(r.lower, r.upper)),
                        Body::Literals(l) => Some(ValueKey::Literals(&l.values)),
                        _ => None,
                    });
                }
            }
            Class::Imports => in_pairs(members, found, |c| match &c.body {
                Body::Imports(i) => Some((i.rule, &i.paths)),
                _ => None,
            }),
            Class::Tokens => in_pairs(members, found, |c| match &c.body {
                Body::Tokens(t) => Some((t.rule, &t.ids)),
                _ => None,
            }),
            Class::Schema => in_pairs(members, found, |c| match &c.body {
                Body::Schema(s) => Some(root_types(&s.document)),
                _ => None,
            }),
        }
    }
}

/// Whether no output satisfies both. Symmetric.
fn clash(a: &Constraint, b: &Constraint) -> Option<Clash> {
    if a.body.subject() != b.body.subject() {
        return None;
    }
    // In one file, functions of one name are overloads; without a file, a rule speaks about all.
    let same_file = a.origin.file == b.origin.file;
    let file_less = a.origin.file.is_empty() || b.origin.file.is_empty();
    let differ = |one_file: bool| a.body != b.body && (file_less || (one_file && same_file));
    match (&a.body, &b.body) {
        (Body::Function(_), Body::Function(_)) => differ(false).then_some(Clash::Definition),
        (Body::Struct(_) | Body::Enum(_), Body::Struct(_) | Body::Enum(_)) => {
            differ(true).then_some(Clash::Definition)
        }
        (Body::Visibility(_), Body::Visibility(_)) => differ(true).then_some(Clash::Visibility),
        (Body::ErrorType(_), Body::ErrorType(_)) => differ(true).then_some(Clash::ErrorType),
        (Body::Imports(x), Body::Imports(y)) => {
            nothing_left((x.rule, &x.paths), (y.rule, &y.paths)).then_some(Clash::Imports)
        }
        (Body::Tokens(x), Body::Tokens(y)) => {
            nothing_left((x.rule, &x.ids), (y.rule, &y.ids)).then_some(Clash::Tokens)
        }
        (Body::Range(x), Body::Range(y)) => disjoint(x, y).then_some(Clash::Values),
        (Body::Literals(x), Body::Literals(y)) => {
            x.values.is_disjoint(&y.values).then_some(Clash::Values)
        }
        (Body::Range(r), Body::Literals(l)) | (Body::Literals(l), Body::Range(r)) => {
            (!l.values.iter().any(|v| fits(v, r.lower, r.upper))).then_some(Clash::Values)
        }
        (Body::Schema(x), Body::Schema(y)) => {
            (root_types(&x.document) & root_types(&y.document) == 0).then_some(Clash::SchemaType)
        }
        _ => None,
    }
}

/// Definitions of one name: bucketed by file and body, so that only unequal pairs are formed.
fn differing(members: &[Member], found: &mut Vec<Conflict>) {
    let mut files: Vec<(&str, Vec<Vec<Member>>)> = Vec::new();
    for (file, members) in grouped(members, |(_, c)| Some(c.origin.file.as_str())) {
        let mut buckets: Vec<Vec<Member>> = Vec::new();
        for member in members {
            match buckets.iter_mut().find(|b| b[0].1.body == member.1.body) {
                Some(bucket) => bucket.push(member),
                None => buckets.push(vec![member]),
            }
        }
        files.push((file, buckets));
    }
    let mut pairs = |a: &[Member], b: &[Member]| {
        let clash = match &a[0].1.body {
            Body::Visibility(_) => Clash::Visibility,
            Body::ErrorType(_) => Clash::ErrorType,
            _ => Clash::Definition,
        };
        for x in a {
            found.extend(b.iter().map(|y| conflict(x.0, y.0, clash)));
        }
    };
    let file_less = files.iter().position(|(file, _)| file.is_empty());
    let anywhere = file_less.map(|at| files.swap_remove(at).1).unwrap_or_default();
    for (i, a) in anywhere.iter().enumerate() {
        anywhere[i + 1..].iter().for_each(|b| pairs(a, b));
    }
    for (_, buckets) in &files {
        for (i, a) in buckets.iter().enumerate() {
            for b in anywhere.iter().filter(|b| b[0].1.body != a[0].1.body) {
                pairs(a, b);
            }
            if !matches!(a[0].1.body, Body::Function(_)) {
                buckets[i + 1..].iter().for_each(|b| pairs(a, b));
            }
        }
    }
}

/// Ranges that share no number: a sweep over their ends.
fn ranges(members: &[Member], found: &mut Vec<Conflict>) {
    let mut by_lower = Vec::new();
    let mut empty = Vec::new();
    for &(id, c) in members {
        if let Body::Range(r) = &c.body {
            let (lower, upper) = (lower_end(r.lower), upper_end(r.upper));
            if upper < lower { empty.push(id) } else { by_lower.push((lower, upper, id)) }
        }
    }
    for (i, &a) in empty.iter().enumerate() {
        found.extend(empty[i + 1..].iter().map(|&b| conflict(a, b, Clash::Values)));
        found.extend(by_lower.iter().map(|&(_, _, b)| conflict(a, b, Clash::Values)));
    }
    let mut by_upper: Vec<_> = by_lower.iter().map(|&(_, upper, id)| (upper, id)).collect();
    by_lower.sort_unstable();
    by_upper.sort_unstable();
    let mut ended = 0;
    for &(lower, _, b) in &by_lower {
        ended += by_upper[ended..].iter().take_while(|(upper, _)| *upper < lower).count();
        found.extend(by_upper[..ended].iter().map(|&(_, a)| conflict(a, b, Clash::Values)));
    }
}

/// Groups members by what they say, and compares what they say in pairs.
fn in_pairs<'a, K: PairKey + Copy + Eq + Hash>(
    members: &[Member<'a>],
    found: &mut Vec<Conflict>,
    key: impl Fn(&'a Constraint) -> Option<K>,
) {
    let distinct = grouped(members, |(_, c)| key(c));
    for (i, (a, ids)) in distinct.iter().enumerate() {
        if a.excludes(a) {
            for (j, x) in ids.iter().enumerate() {
                found.extend(ids[j + 1..].iter().map(|y| conflict(x.0, y.0, a.clash())));
            }
        }
        for (b, others) in distinct[i + 1..].iter().filter(|(b, _)| a.excludes(b)) {
            for x in ids {
                found.extend(others.iter().map(|y| conflict(x.0, y.0, b.clash())));
            }
        }
    }
}

/// Members by what `key` says of them, in the order in which they first say it.
fn grouped<'a, K: Copy + Eq + Hash>(
    members: &[Member<'a>],
    key: impl Fn(Member<'a>) -> Option<K>,
) -> Vec<(K, Vec<Member<'a>>)> {
    let mut at = HashMap::new();
    let mut groups: Vec<(K, Vec<Member<'a>>)> = Vec::new();
    for &member in members {
        let Some(key) = key(member) else { continue };
        let at = *at.entry(key).or_insert(groups.len());
        if at == groups.len() {
            groups.push((key, Vec::new()));
        }
        groups[at].1.push(member);
    }
    groups
}

trait PairKey {
    fn excludes(&self, other: &Self) -> bool;
    fn clash(&self) -> Clash;
}

/// What a constraint says about a value. Ranges among themselves are left to the sweep.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum ValueKey<'a> {
    Literals(&'a BTreeSet<Literal>),
    Range(Bound, Bound),
}

impl PairKey for ValueKey<'_> {
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (ValueKey::Literals(a), ValueKey::Literals(b)) => a.is_disjoint(b),
            (ValueKey::Literals(l), ValueKey::Range(a, b))
            | (ValueKey::Range(a, b), ValueKey::Literals(l)) => !l.iter().any(|v| fits(v, *a, *b)),
            (ValueKey::Range(..), ValueKey::Range(..)) => false,
        }
    }

    fn clash(&self) -> Clash {
        Clash::Values
    }
}

impl PairKey for (Rule, &BTreeSet<String>) {
    fn excludes(&self, other: &Self) -> bool {
        nothing_left(*self, *other)
    }

    fn clash(&self) -> Clash {
        Clash::Imports
    }
}

impl PairKey for (Rule, &BTreeSet<u32>) {
    fn excludes(&self, other: &Self) -> bool {
        nothing_left(*self, *other)
    }

    fn clash(&self) -> Clash {
        Clash::Tokens
    }
}

impl PairKey for u8 {
    fn excludes(&self, other: &Self) -> bool {
        self & other == 0
    }

    fn clash(&self) -> Clash {
        Clash::SchemaType
    }
}

fn nothing_left<T: Ord>(a: (Rule, &BTreeSet<T>), b: (Rule, &BTreeSet<T>)) -> bool {
    match (a, b) {
        ((Rule::Allow, x), (Rule::Allow, y)) => !x.is_empty() && !y.is_empty() && x.is_disjoint(y),
        ((Rule::Allow, x), (Rule::Deny, y)) | ((Rule::Deny, y), (Rule::Allow, x)) => {
            !x.is_empty() && x.is_subset(y)
        }
        ((Rule::Deny, _), (Rule::Deny, _)) => false,
    }
}

fn disjoint(a: &Range, b: &Range) -> bool {
    upper_end(a.upper).min(upper_end(b.upper)) < lower_end(a.lower).max(lower_end(b.lower))
}

/// Whether a literal is a number within the bounds.
pub(crate) fn fits(literal: &Literal, lower: Bound, upper: Bound) -> bool {
    let number = match literal {
        Literal::Integer(n) => Number::Integer(*n),
        Literal::Real(x) => Number::Real(*x),
        _ => return false,
    };
    let end = End::At(number, 1);
    lower_end(lower) <= end && end <= upper_end(upper)
}

/// An end of a range as a point of a total order: a number with a step after it that an exclusive
/// lower end lies above and an exclusive upper end below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Least,
    At(Number, u8),
    Greatest,
}

fn lower_end(bound: Bound) -> End {
    match bound {
        Bound::Open => End::Least,
        Bound::Inclusive(n) => End::At(n, 1),
        Bound::Exclusive(n) => End::At(n, 2),
    }
}

fn upper_end(bound: Bound) -> End {
    match bound {
        Bound::Open => End::Greatest,
        Bound::Inclusive(n) => End::At(n, 1),
        Bound::Exclusive(n) => End::At(n, 0),
    }
}

fn conflict(a: ContentId, b: ContentId, clash: Clash) -> Conflict {
    Conflict { first: a.min(b), second: a.max(b), clash }
}
