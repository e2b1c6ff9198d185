//! Pairs that exclude each other, found without looking at every pair.
//!
//! The work is near linear in the members plus the pairs found; only different lists on one subject
//! are compared each with each, at the price of a bit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use edgekit_constraint_ir::{Body, Constraint, Literal, Number, Rule};

use crate::conflict::{Clash, End, Member, Pair, lower_end, pair, upper_end};

/// Ranges and literals that share no value.
pub(crate) fn values_within(members: &[Member], found: &mut Vec<Pair>) {
    let (ranges, lists) = (Ranges::of(members), literals(members));
    let mut emit = |a: Member, b: Member| found.push(pair(a, b, Clash::Values));
    ranges.below(&ranges, &mut emit);
    for (i, a) in ranges.empty.iter().enumerate() {
        ranges.empty[i + 1..].iter().for_each(|b| emit(*a, *b));
        ranges.by_lower.iter().for_each(|b| emit(*a, b.member));
    }
    ranges.without(&lists, &mut emit);
    if lists.len() > 1 || lists.first().is_some_and(|l| l.items.is_empty()) {
        let postings = Postings::of(lists.iter().map(|l| l.items.iter().copied()));
        for (i, list) in lists.iter().enumerate() {
            let mut shared = postings.none();
            list.items.iter().for_each(|item| postings.mark(item, &mut shared));
            each_unmarked(&shared, i, lists.len(), |at| pairs(&lists, i, at, &mut emit));
        }
    }
}

/// The same between two sides.
pub(crate) fn values_across(left: &[Member], right: &[Member], found: &mut Vec<Pair>) {
    let mut emit = |a: Member, b: Member| found.push(pair(a, b, Clash::Values));
    let sides = [(Ranges::of(left), literals(left)), (Ranges::of(right), literals(right))];
    let [(left, left_lists), (right, right_lists)] = &sides;
    for ((a, _), (b, lists)) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        a.below(b, &mut emit);
        a.without(lists, &mut emit);
    }
    for a in &left.empty {
        right.all().for_each(|b| emit(*a, b));
    }
    for b in &right.empty {
        left.by_lower.iter().for_each(|a| emit(a.member, *b));
    }
    if left_lists.is_empty() || right_lists.is_empty() {
        return;
    }
    let postings = Postings::of(right_lists.iter().map(|l| l.items.iter().copied()));
    for list in left_lists {
        let mut shared = postings.none();
        list.items.iter().for_each(|item| postings.mark(item, &mut shared));
        each_unmarked(&shared, 0, right_lists.len(), |at| {
            for a in &list.members {
                right_lists[at].members.iter().for_each(|b| emit(*a, *b));
            }
        });
    }
}

/// Lists of what is allowed or denied that leave nothing.
///
/// `list` takes a constraint apart: its rule, and for each item the item itself and then everything
/// above it, so that an item is covered by any of these keys.
pub(crate) fn lists_within<'a, K: Copy + Eq + Hash>(
    members: &[Member<'a>],
    clash: Clash,
    list: impl Fn(&'a Constraint) -> Option<(Rule, Vec<Vec<K>>)>,
    found: &mut Vec<Pair>,
) {
    let mut emit = |a: Member, b: Member| found.push(pair(a, b, clash));
    let of_rule = |wanted: Rule| {
        distinct(members, |c| list(c).filter(|(rule, _)| *rule == wanted).map(|(_, items)| items))
    };
    let (mut allowing, denying) = (of_rule(Rule::Allow), of_rule(Rule::Deny));
    // An empty list of its own leaves nothing, whatever the other says.
    allowing.retain(|l| !l.items.is_empty());
    let own = |l: &Distinct<'a, Vec<K>>| l.items.iter().map(|keys| keys[0]).collect::<Vec<K>>();
    let denied = Postings::of(denying.iter().map(own));
    for allow in &allowing {
        let mut covered = denied.all();
        for keys in &allow.items {
            let mut by_this = denied.none();
            keys.iter().for_each(|key| denied.mark(key, &mut by_this));
            covered.iter_mut().zip(&by_this).for_each(|(all, this)| *all &= this);
        }
        let uncovered: Vec<u64> = covered.iter().map(|word| !word).collect();
        each_unmarked(&uncovered, 0, denying.len(), |at| {
            for a in &allow.members {
                denying[at].members.iter().for_each(|b| emit(*a, *b));
            }
        });
    }
    if allowing.len() > 1 {
        // Two lists share something if an item of one is an item of the other or above one.
        let own = Postings::of(allowing.iter().map(own));
        let above = Postings::of(allowing.iter().map(|l| l.items.iter().flatten().copied()));
        for (i, allow) in allowing.iter().enumerate() {
            let mut shared = own.none();
            for keys in &allow.items {
                keys.iter().for_each(|key| own.mark(key, &mut shared));
                above.mark(&keys[0], &mut shared);
            }
            each_unmarked(&shared, i, allowing.len(), |at| pairs(&allowing, i, at, &mut emit));
        }
    }
}

/// Members that say the same, and what they say.
struct Distinct<'a, K> {
    items: Vec<K>,
    members: Vec<Member<'a>>,
}

fn distinct<'a, K: Clone + Eq + Hash>(
    members: &[Member<'a>],
    items: impl Fn(&'a Constraint) -> Option<Vec<K>>,
) -> Vec<Distinct<'a, K>> {
    let mut at = HashMap::new();
    let mut out: Vec<Distinct<'a, K>> = Vec::new();
    for &member in members {
        let Some(items) = items(member.1) else { continue };
        match at.get(&items) {
            Some(&at) => {
                let distinct: &mut Distinct<'a, K> = &mut out[at];
                distinct.members.push(member);
            }
            None => {
                at.insert(items.clone(), out.len());
                out.push(Distinct { items, members: vec![member] });
            }
        }
    }
    out
}

/// All pairs of members of two lists, which may be one.
fn pairs<'a, K>(
    lists: &[Distinct<'a, K>],
    i: usize,
    j: usize,
    emit: &mut impl FnMut(Member<'a>, Member<'a>),
) {
    for (n, a) in lists[i].members.iter().enumerate() {
        let others = if i == j { &lists[i].members[n + 1..] } else { &lists[j].members[..] };
        others.iter().for_each(|b| emit(*a, *b));
    }
}

/// A literal as a value: integers and real numbers of one value are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

fn literals<'a>(members: &[Member<'a>]) -> Vec<Distinct<'a, Scalar<'a>>> {
    distinct(members, |c| match &c.body {
        Body::Literals(l) => Some(l.values.iter().map(scalar).collect()),
        _ => None,
    })
}

fn scalar(literal: &Literal) -> Scalar<'_> {
    match literal {
        Literal::Null => Scalar::Null,
        Literal::Bool(b) => Scalar::Bool(*b),
        Literal::Integer(n) => Scalar::Number(Number::Integer(*n)),
        Literal::Real(x) => Scalar::Number(Number::Real(*x)),
        Literal::Text(text) => Scalar::Text(text),
    }
}

/// Those of `one` that are a value of `two`.
pub(crate) fn shared<'c>(one: Vec<&'c Literal>, two: &BTreeSet<Literal>) -> Vec<&'c Literal> {
    let two: HashSet<Scalar> = two.iter().map(scalar).collect();
    one.into_iter().filter(|literal| two.contains(&scalar(literal))).collect()
}

/// Whether two literals are one value.
pub(crate) fn is_same(a: &Literal, b: &Literal) -> bool {
    scalar(a) == scalar(b)
}

struct Interval<'a> {
    lower: End,
    upper: End,
    member: Member<'a>,
}

/// Ranges by their lower ends.
struct Ranges<'a> {
    /// Those that hold a number, in order.
    by_lower: Vec<Interval<'a>>,
    /// Those that hold none.
    empty: Vec<Member<'a>>,
}

impl<'a> Ranges<'a> {
    fn of(members: &[Member<'a>]) -> Self {
        let (mut by_lower, mut empty) = (Vec::with_capacity(members.len()), Vec::new());
        for &member in members {
            if let Body::Range(r) = &member.1.body {
                let (lower, upper) = (lower_end(r.lower), upper_end(r.upper));
                match upper < lower {
                    true => empty.push(member),
                    false => by_lower.push(Interval { lower, upper, member }),
                }
            }
        }
        by_lower.sort_unstable_by_key(|i| i.lower);
        Ranges { by_lower, empty }
    }

    fn all(&self) -> impl Iterator<Item = Member<'a>> {
        self.by_lower.iter().map(|i| i.member).chain(self.empty.iter().copied())
    }

    /// Ranges of these that end before a range of the others begins. O(n log n + pairs).
    fn below(&self, others: &Ranges<'a>, emit: &mut impl FnMut(Member<'a>, Member<'a>)) {
        for range in &self.by_lower {
            let from = others.by_lower.partition_point(|other| other.lower <= range.upper);
            others.by_lower[from..].iter().for_each(|other| emit(range.member, other.member));
        }
    }

    /// Ranges that hold no number of a list: they lie in a gap between two neighbours.
    /// O((ranges + numbers + pairs) log ranges).
    fn without(
        &self,
        lists: &[Distinct<'a, Scalar<'a>>],
        emit: &mut impl FnMut(Member<'a>, Member<'a>),
    ) {
        if lists.is_empty() {
            return;
        }
        let least = self.least_upper();
        let mut inside = Vec::new();
        for list in lists {
            let numbers = list.items.iter().filter_map(|item| match item {
                Scalar::Number(n) => Some(End::At(*n, 1)),
                _ => None,
            });
            let mut ends: Vec<End> = numbers.collect();
            ends.sort_unstable();
            let mut from = 0;
            for at in 0..=ends.len() {
                let to = ends.get(at).copied();
                self.ending_before(to, from, &least, &mut inside);
                // What begins at the number or before holds the number or has been seen.
                from = to.map_or(from, |to| self.by_lower.partition_point(|i| i.lower <= to));
            }
            for range in inside.drain(..).chain(self.empty.iter().copied()) {
                list.members.iter().for_each(|member| emit(*member, range));
            }
        }
    }
    /// A tree over `by_lower`: the least upper end below each node, the root at 1 and the leaves in
    /// the last half.
    fn least_upper(&self) -> Vec<End> {
        let leaves = self.by_lower.len().next_power_of_two();
        let mut least = vec![End::Greatest; 2 * leaves];
        for (at, range) in self.by_lower.iter().enumerate() {
            least[leaves + at] = range.upper;
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        least
    }

    /// The ranges of `by_lower[from..]` that end before `to`, or all. O((1 + found) log ranges).
    fn ending_before(
        &self,
        to: Option<End>,
        from: usize,
        least: &[End],
        out: &mut Vec<Member<'a>>,
    ) {
        let Some(to) = to else {
            return out.extend(self.by_lower[from..].iter().map(|range| range.member));
        };
        let leaves = least.len() / 2;
        let mut open = vec![(1, 0, leaves)];
        while let Some((node, start, width)) = open.pop() {
            if least[node] >= to || start + width <= from {
                continue;
            }
            match self.by_lower.get(start) {
                Some(range) if width == 1 => out.push(range.member),
                Some(_) => {
                    let half = width / 2;
                    open.push((2 * node, start, half));
                    open.push((2 * node + 1, start + half, half));
                }
                None => {}
            }
        }
    }
}

/// Which lists have a key. A key of few lists has their numbers, one of many a bit for each list.
struct Postings<K> {
    lists: usize,
    by_key: HashMap<K, Posting>,
}

enum Posting {
    Few(Vec<usize>),
    Many(Vec<u64>),
}

impl<K: Copy + Eq + Hash> Postings<K> {
    fn of<I: IntoIterator<Item = K>>(lists: impl ExactSizeIterator<Item = I>) -> Self {
        let mut out = Postings { lists: lists.len(), by_key: HashMap::new() };
        for (at, list) in lists.enumerate() {
            for key in list {
                match out.by_key.entry(key).or_insert(Posting::Few(Vec::new())) {
                    Posting::Few(few) => few.push(at),
                    Posting::Many(_) => {}
                }
            }
        }
        let none = out.none();
        for posting in out.by_key.values_mut() {
            if let Posting::Few(few) = posting
                && few.len() > none.len()
            {
                let mut many = none.clone();
                few.iter().for_each(|at| many[at / 64] |= 1 << (at % 64));
                *posting = Posting::Many(many);
            }
        }
        out
    }

    /// A bit for each list, none of them set.
    fn none(&self) -> Vec<u64> {
        vec![0; self.lists.div_ceil(64)]
    }

    /// All of them set.
    fn all(&self) -> Vec<u64> {
        vec![u64::MAX; self.lists.div_ceil(64)]
    }

    /// Sets the bits of the lists that have the key.
    fn mark(&self, key: &K, bits: &mut [u64]) {
        match self.by_key.get(key) {
            Some(Posting::Few(few)) => few.iter().for_each(|at| bits[at / 64] |= 1 << (at % 64)),
            Some(Posting::Many(many)) => {
                bits.iter_mut().zip(many).for_each(|(all, these)| *all |= these);
            }
            None => {}
        }
    }
}

/// The lists from `from` to `to` whose bits are not set.
fn each_unmarked(bits: &[u64], from: usize, to: usize, mut f: impl FnMut(usize)) {
    for (at, word) in bits.iter().enumerate().skip(from / 64) {
        let mut clear = !word;
        while clear != 0 {
            let list = at * 64 + clear.trailing_zeros() as usize;
            if (from..to).contains(&list) {
                f(list);
            }
            clear &= clear - 1;
        }
    }
}
