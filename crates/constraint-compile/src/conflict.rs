//! Which constraints exclude each other.
//!
//! Two constraints clash if no output satisfies both. Only constraints of one *group* can: the same
//! class of demand on the same subject. Within a group the pairs are found by the field that can
//! clash: a sweep for ranges, buckets for definitions, set algebra for lists; in a small group each
//! is compared with each, which costs less than to sort them. The work is near linear in the number
//! of constraints plus the number of clashes; only different lists on one subject are compared each
//! with each, at the price of a bit.

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

/// All conflicts of a set, in their order. Near linear in the set's size plus the number of conflicts;
/// for n *different* lists of literals, imports or tokens on one subject n²/64 words are looked at.
pub fn conflicts(set: &ConstraintSet) -> Vec<Conflict> {
    let hash = |subject: &str| ContentId::of(subject.as_bytes()).get() as u64;
    indexed(set, FEW, hash)
}

/// So many members of a group are compared each with each sooner than they are sorted.
const FEW: usize = 8;

fn indexed(set: &ConstraintSet, few: usize, hash: impl Fn(&str) -> u64) -> Vec<Conflict> {
    let all: Vec<(ContentId, &Constraint)> = set.iter().map(|(id, c)| (id, &**c)).collect();
    // Class, hash and place in one number, which is sorted sooner than three.
    let key = |at: usize| {
        let c = all[at].1;
        let class = Class::of(&c.body)? as u64;
        Some(class << 60 | hash(subject(c)) >> 36 << 32 | at as u64)
    };
    let mut keys = Vec::with_capacity(all.len());
    keys.extend((0..all.len()).filter_map(key));
    keys.sort_unstable();
    let (mut group, mut found) = (Vec::new(), Vec::with_capacity(all.len()));
    for keys in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
        let places = keys.iter().map(|key| *key as u32 as usize);
        group.clear();
        group.extend(places.map(|at| (at, all[at].1)));
        if let Some(class) = Class::of(&group[0].1.body) {
            class.conflicts(&group, few, &mut found);
        }
    }
    // Two subjects can have one hash.
    found.retain(|(a, b, _)| subject(all[*a].1) == subject(all[*b].1));
    found.sort_unstable();
    named(&found, &all).collect()
}

/// The slow twin of [`conflicts`]: looks at every pair. O(n²).
pub fn conflicts_by_pairs(set: &ConstraintSet) -> Vec<Conflict> {
    let all: Vec<(ContentId, &Arc<Constraint>)> = set.iter().collect();
    let mut found = Vec::new();
    for (i, (first, a)) in all.iter().enumerate() {
        for (second, b) in &all[i + 1..] {
            if let Some(clash) = clash(a, b) {
                found.push(Conflict { first: *first, second: *second, clash });
            }
        }
    }
    found
}

/// A constraint and its place in the order of ids, which is compared sooner than the id.
pub(crate) type Member<'a> = (usize, &'a Constraint);

/// Two members that exclude each other, the smaller place first.
pub(crate) type Pair = (usize, usize, Clash);

pub(crate) fn pair(a: Member, b: Member, clash: Clash) -> Pair {
    (a.0.min(b.0), a.0.max(b.0), clash)
}

/// Pairs with the ids of their places.
fn named<'a, T>(
    pairs: &'a [Pair],
    all: &'a [(ContentId, T)],
) -> impl Iterator<Item = Conflict> + use<'a, T> {
    pairs.iter().map(|(a, b, clash)| Conflict {
        first: all[*a].0,
        second: all[*b].0,
        clash: *clash,
    })
}

fn subject(c: &Constraint) -> &str {
    c.body.subject().unwrap_or_default()
}

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

    /// The conflicts among members of the group, which come in the order of their ids.
    pub(crate) fn conflicts(&self, all: &[(ContentId, &Arc<Constraint>)]) -> Vec<Conflict> {
        let members: Vec<Member> = all.iter().enumerate().map(|(at, (_, c))| (at, &***c)).collect();
        let mut found = Vec::new();
        self.class.conflicts(&members, FEW, &mut found);
        named(&found, all).collect()
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
    fn conflicts(self, members: &[Member], few: usize, found: &mut Vec<Pair>) {
        if members.len() <= 1 {
            return;
        }
        if members.len() <= few.min(FEW) && members.iter().all(|(_, c)| is_short(c)) {
            return each_with_each(members, found);
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

/// Whether each item of a list may be compared with each of another one.
fn is_short(c: &Constraint) -> bool {
    let items = match &c.body {
        Body::Imports(i) => i.paths.len(),
        Body::Literals(l) => l.values.len(),
        Body::Tokens(t) => t.ids.len(),
        _ => 0,
    };
    items <= 4 * FEW
}

/// The conflicts among at most [`FEW`] members, none of them a long list.
fn each_with_each(members: &[Member], found: &mut Vec<Pair>) {
    // Rounding keeps the order, so that ranges which overlap when rounded share a number. All that
    // is no range, or may be empty, seems to clash with everything and is looked at.
    const NOTHING: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut rounded = [NOTHING; FEW];
    for ((_, c), rounded) in members.iter().zip(&mut rounded) {
        if let Body::Range(r) = &c.body {
            let (from, to) = (nearest(r.lower, NOTHING.1), nearest(r.upper, NOTHING.0));
            *rounded = if from < to { (from, to) } else { NOTHING };
        }
    }
    for (i, a) in members.iter().enumerate() {
        for (j, b) in members.iter().enumerate().skip(i + 1) {
            if rounded[i].1 <= rounded[j].0 || rounded[j].1 <= rounded[i].0 {
                found.extend(clash_on_one_subject(a.1, b.1).map(|clash| pair(*a, *b, clash)));
            }
        }
    }
}

fn nearest(bound: Bound, open: f64) -> f64 {
    match bound {
        Bound::Open => open,
        Bound::Inclusive(n) | Bound::Exclusive(n) => n.nearest(),
    }
}

/// Whether no output satisfies both. Symmetric.
fn clash(a: &Constraint, b: &Constraint) -> Option<Clash> {
    if a.body.subject() != b.body.subject() {
        return None;
    }
    clash_on_one_subject(a, b)
}

fn clash_on_one_subject(a: &Constraint, b: &Constraint) -> Option<Clash> {
    // In one file, functions of one name are overloads; without a file, a rule speaks about all.
    let differ = |one_file: bool| {
        let file_less = a.origin.file.is_empty() || b.origin.file.is_empty();
        (file_less || (one_file && a.origin.file == b.origin.file)) && a.body != b.body
    };
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
fn values(members: &[Member], found: &mut Vec<Pair>) {
    if members.iter().all(|(_, c)| fact_of(c).is_none()) {
        return values_within(members, found);
    }
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

/// Definitions of one name: side by side if they say the same, so that only unequal pairs are formed.
fn differing<'a>(members: &[Member<'a>], found: &mut Vec<Pair>) {
    let mut bytes = Vec::with_capacity(128);
    let mut content = |body: &Body| {
        bytes.clear();
        body.put(&mut bytes);
        ContentId::of(&bytes)
    };
    // No file is told from another one without looking at the texts.
    let file = |c: &'a Constraint| Some(c.origin.file.as_str()).filter(|file| !file.is_empty());
    let mut all: Vec<(Option<&str>, ContentId, Member)> =
        members.iter().map(|m| (file(m.1), content(&m.1.body), *m)).collect();
    all.sort_unstable_by_key(|(file, content, _)| (*file, *content));
    let buckets: Vec<&[_]> = all.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
    for (i, a) in buckets.iter().enumerate() {
        let (file, content, (_, c)) = a[0];
        let clash = match &c.body {
            Body::Function(_) if file.is_some() => continue,
            Body::Visibility(_) => Clash::Visibility,
            Body::ErrorType(_) => Clash::ErrorType,
            _ => Clash::Definition,
        };
        // What is in no file comes first, and speaks about all files.
        let reach = buckets[i + 1..].iter().take_while(|b| file.is_none() || b[0].0 == file);
        for b in reach.filter(|b| b[0].1 != content) {
            for (.., x) in *a {
                found.extend(b.iter().map(|(.., y)| pair(*x, *y, clash)));
            }
        }
    }
}

/// Schemas whose root types share nothing. There are only so many sets of types.
fn schemas(members: &[Member], found: &mut Vec<Pair>) {
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
            found.extend(rivals.map(|y| pair(*x, *y, Clash::SchemaType)));
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
    let both = [(a, b), (b, a), (a, a), (b, b)];
    both.into_iter().any(|(a, b)| ends_before(a.upper, b.lower))
}

fn ends_before(upper: Bound, lower: Bound) -> bool {
    match (upper, lower) {
        (Bound::Open, _) | (_, Bound::Open) => false,
        (Bound::Inclusive(upper), Bound::Inclusive(lower)) => upper < lower,
        (
            Bound::Inclusive(upper) | Bound::Exclusive(upper),
            Bound::Inclusive(lower) | Bound::Exclusive(lower),
        ) => upper <= lower,
    }
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

#[cfg(test)]
mod tests {
    use edgekit_constraint_ir::{Field, Kind, Presence, Shape, Source, StructDef, Type};

    use super::*;

    /// Groups small and large, by sorting and each with each, with subjects of one hash.
    #[test]
    fn neither_size_nor_hash_of_a_group_changes_what_is_found() {
        let one = |i: i64| {
            let subject = format!("s{}", i % 7 * (i % 3));
            let number = |n| Bound::Inclusive(Number::Integer(n));
            let body = match i % 3 {
                0 => Body::Struct(StructDef {
                    name: subject,
                    shape: Shape::Named,
                    fields: vec![Field {
                        name: format!("f{}", i % 5),
                        ty: Type::Bool,
                        presence: Presence::Required,
                    }],
                }),
                _ => {
                    let from = i * 31 % 50;
                    let to = from + i % 11 - 1;
                    Body::Range(Range { target: subject, lower: number(from), upper: number(to) })
                }
            };
            let mut c = Constraint::new(Kind::Semantic, Source::Ast, body);
            c.origin.file = ["", "x", "y"][(i % 4 % 3) as usize].into();
            c
        };
        let set: ConstraintSet = (0..150).map(one).collect();
        let slow = conflicts_by_pairs(&set);
        assert!(slow.len() > 100);
        let own = |subject: &str| ContentId::of(subject.as_bytes()).get() as u64;
        assert_eq!(indexed(&set, FEW, own), slow);
        assert_eq!(indexed(&set, 0, own), slow);
        assert_eq!(indexed(&set, FEW, |_| 0), slow);
        assert_eq!(indexed(&set, 0, |_| 0), slow);
    }
}
