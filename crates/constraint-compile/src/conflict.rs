//! Which constraints exclude each other.
//!
//! Two constraints clash if no output satisfies both. Only constraints of one *group* can: the same
//! class of demand on the same subject. Within a group the pairs are found by the field that can
//! clash: a sweep for ranges, buckets for definitions, set algebra for lists. The work is near
//! linear in the number of constraints plus the number of clashes; only different lists on one
//! subject are compared each with each, at the price of a bit.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use edgekit_constraint_ir::{
    Body, Bound, Canonical, Constraint, ConstraintSet, ContentId, Literal, Number, Range, Rule,
};

use crate::pairs::{is_same, lists_within, values_across, values_within};
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

/// All conflicts of a set. Near linear in the set's size plus the number of conflicts; for n
/// *different* lists of literals, imports or tokens on one subject n²/64 words are looked at.
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
            Class::Value => values(members, found),
            Class::Imports => lists_within(members, Clash::Imports, import_list, found),
            Class::Tokens => lists_within(members, Clash::Tokens, token_list, found),
            Class::Schema => schemas(members, found),
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
            let part_of = |a: &String, b: &String| is_part_of(a, b);
            nothing_left((x.rule, &x.paths), (y.rule, &y.paths), part_of).then_some(Clash::Imports)
        }
        (Body::Tokens(x), Body::Tokens(y)) => {
            let same = |a: &u32, b: &u32| a == b;
            nothing_left((x.rule, &x.ids), (y.rule, &y.ids), same).then_some(Clash::Tokens)
        }
        _ if speak_of_different_files(a, b) => None,
        (Body::Range(x), Body::Range(y)) => disjoint(x, y).then_some(Clash::Values),
        (Body::Literals(x), Body::Literals(y)) => {
            let shared = |v| y.values.iter().any(|w| is_same(v, w));
            (!x.values.iter().any(shared)).then_some(Clash::Values)
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

/// Whether two facts come from different files, so that one name need not mean one thing.
fn speak_of_different_files(a: &Constraint, b: &Constraint) -> bool {
    matches!((fact_of(a), fact_of(b)), (Some(a), Some(b)) if a != b)
}

/// The file that a constraint on values was read from, if it is a fact about one file. What
/// somebody demands holds wherever it is written down.
pub(crate) fn fact_of(c: &Constraint) -> Option<&str> {
    let values = matches!(c.body, Body::Range(_) | Body::Literals(_) | Body::Pattern(_));
    let is_fact = values && !c.source.is_demand() && !c.origin.file.is_empty();
    is_fact.then_some(c.origin.file.as_str())
}

/// What is said about values: demands among themselves and with all facts, facts within a file.
fn values(members: &[Member], found: &mut Vec<Conflict>) {
    let (facts, demands): (Vec<Member>, Vec<Member>) =
        members.iter().partition(|(_, c)| fact_of(c).is_some());
    values_within(&demands, found);
    if !demands.is_empty() && !facts.is_empty() {
        values_across(&demands, &facts, found);
    }
    for (_, facts) in grouped(&facts, |(_, c)| fact_of(c)) {
        values_within(&facts, found);
    }
}

/// Definitions of one name: bucketed by file and body, so that only unequal pairs are formed.
fn differing(members: &[Member], found: &mut Vec<Conflict>) {
    let files = grouped(members, |(_, c)| Some(c.origin.file.as_str()));
    let mut bytes = Vec::new();
    let mut content = |(_, c): Member| {
        bytes.clear();
        c.body.put(&mut bytes);
        Some(ContentId::of(&bytes))
    };
    let mut files: Vec<(&str, Buckets)> =
        files.into_iter().map(|(file, members)| (file, grouped(&members, &mut content))).collect();
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
    for (i, (_, a)) in anywhere.iter().enumerate() {
        anywhere[i + 1..].iter().for_each(|(_, b)| pairs(a, b));
    }
    for (_, buckets) in &files {
        for (i, (content, a)) in buckets.iter().enumerate() {
            for (_, b) in anywhere.iter().filter(|(other, _)| other != content) {
                pairs(a, b);
            }
            if !matches!(a[0].1.body, Body::Function(_)) {
                buckets[i + 1..].iter().for_each(|(_, b)| pairs(a, b));
            }
        }
    }
}

/// Members by their bodies.
type Buckets<'a> = Vec<(ContentId, Vec<Member<'a>>)>;

/// Schemas whose root types share nothing. There are only so many sets of types.
fn schemas(members: &[Member], found: &mut Vec<Conflict>) {
    let by_types = grouped(members, |(_, c)| match &c.body {
        Body::Schema(s) => Some(root_types(&s.document)),
        _ => None,
    });
    for (i, (types, a)) in by_types.iter().enumerate() {
        for (n, x) in a.iter().enumerate() {
            // Two schemas that allow nothing exclude each other too.
            let alike = if *types == 0 { &a[n + 1..] } else { &[] };
            let others = by_types[i + 1..].iter().filter(|(other, _)| types & other == 0);
            let rivals = alike.iter().chain(others.flat_map(|(_, b)| b));
            found.extend(rivals.map(|y| conflict(x.0, y.0, Clash::SchemaType)));
        }
    }
}

/// Members by what `key` says of them, in the order in which they first say it.
fn grouped<'a, K: Copy + Eq + Hash>(
    members: &[Member<'a>],
    mut key: impl FnMut(Member<'a>) -> Option<K>,
) -> Vec<(K, Vec<Member<'a>>)> {
    // A few groups are found sooner without hashing.
    const FEW: usize = 16;
    let mut places = HashMap::new();
    let mut groups: Vec<(K, Vec<Member<'a>>)> = Vec::new();
    for &member in members {
        let Some(key) = key(member) else { continue };
        let place = match groups.len() {
            ..=FEW => groups.iter().position(|(other, _)| *other == key),
            _ => places.get(&key).copied(),
        };
        let place = place.unwrap_or_else(|| {
            groups.push((key, Vec::new()));
            let all = groups.len();
            let new = if all <= FEW + 1 { 0..all } else { all - 1..all };
            if all > FEW {
                places.extend(new.map(|place| (groups[place].0, place)));
            }
            all - 1
        });
        groups[place].1.push(member);
    }
    groups
}

fn import_list(c: &Constraint) -> Option<(Rule, Vec<Vec<&str>>)> {
    match &c.body {
        Body::Imports(i) => Some((i.rule, i.paths.iter().map(|p| with_above(p)).collect())),
        _ => None,
    }
}

fn token_list(c: &Constraint) -> Option<(Rule, Vec<Vec<u32>>)> {
    match &c.body {
        Body::Tokens(t) => Some((t.rule, t.ids.iter().map(|id| vec![*id]).collect())),
        _ => None,
    }
}

/// An import path and then the paths above it, all of which it is part of.
fn with_above(path: &str) -> Vec<&str> {
    let separator = path_separator(path);
    let above = path.match_indices(separator).map(|(at, _)| &path[..at]);
    std::iter::once(path).chain(above.filter(|p| !p.is_empty())).collect()
}

/// What separates the parts of a path. A constraint does not say its language, the path does: only
/// Rust writes `::`, and where there are slashes a dot is part of a name.
fn path_separator(path: &str) -> &'static str {
    ["::", "/"].into_iter().find(|s| path.contains(s)).unwrap_or(".")
}

fn is_part_of(path: &str, of: &str) -> bool {
    with_above(path).contains(&of)
}

/// Whether two lists leave nothing; `part_of` says whether an item is another one or below it.
fn nothing_left<T>(
    (one, x): (Rule, &BTreeSet<T>),
    (two, y): (Rule, &BTreeSet<T>),
    part_of: impl Fn(&T, &T) -> bool,
) -> bool {
    let covered = |x: &BTreeSet<T>, y: &BTreeSet<T>| {
        !x.is_empty() && x.iter().all(|a| y.iter().any(|b| part_of(a, b)))
    };
    match (one, two) {
        (Rule::Allow, Rule::Allow) => {
            let shared = |a: &T| y.iter().any(|b| part_of(a, b) || part_of(b, a));
            !x.is_empty() && !y.is_empty() && !x.iter().any(shared)
        }
        (Rule::Allow, Rule::Deny) => covered(x, y),
        (Rule::Deny, Rule::Allow) => covered(y, x),
        (Rule::Deny, Rule::Deny) => false,
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
pub(crate) enum End {
    Least,
    At(Number, u8),
    Greatest,
}

pub(crate) fn lower_end(bound: Bound) -> End {
    match bound {
        Bound::Open => End::Least,
        Bound::Inclusive(n) => End::At(n, 1),
        Bound::Exclusive(n) => End::At(n, 2),
    }
}

pub(crate) fn upper_end(bound: Bound) -> End {
    match bound {
        Bound::Open => End::Greatest,
        Bound::Inclusive(n) => End::At(n, 1),
        Bound::Exclusive(n) => End::At(n, 0),
    }
}

pub(crate) fn conflict(a: ContentId, b: ContentId, clash: Clash) -> Conflict {
    Conflict { first: a.min(b), second: a.max(b), clash }
}
