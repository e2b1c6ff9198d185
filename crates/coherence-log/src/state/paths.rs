//! Witness paths: how many independent ways lead from a claim to what somebody else has seen.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::event::{Id, PublicKey};

/// The most events that are followed from one claim.
const MAX_EVENTS: usize = 4096;

/// Independent support of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct WitnessPaths {
    /// Paths from the claim's evidence to an event that rests on nothing further. No event is on
    /// two of them, no two end with one author, and none ends with the claim's own author.
    pub paths: Vec<Vec<Id>>,
    /// The number of paths over twice the minimum, at most 1.
    pub confidence: f64,
}

/// What the graph of evidence needs to know of an event.
pub(super) struct Node {
    pub(super) author: PublicKey,
    pub(super) evidence: Vec<Id>,
}

/// The largest set of paths, by augmenting one path after another (Ford and Fulkerson) in the
/// graph whose nodes are split, so that each event and each last author serves once.
pub(super) fn witness_paths(nodes: &HashMap<Id, Node>, claim: &Id, minimum: usize) -> WitnessPaths {
    let mut flow = Flow::default();
    if let Some(node) = nodes.get(claim) {
        flow.add_claim(nodes, claim, node);
    }
    while flow.augment() {}
    let mut paths = flow.paths();
    paths.sort();
    let confidence = match minimum {
        0 => 1.0,
        _ => (paths.len() as f64 / (2 * minimum) as f64).min(1.0),
    };
    WitnessPaths { paths, confidence }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Vertex {
    Source,
    In(Id),
    Out(Id),
    Author(PublicKey),
    Sink,
}

/// A network with capacity 1 on every edge: what is left of each edge and of its reverse.
#[derive(Default)]
struct Flow {
    edges: BTreeMap<Vertex, BTreeMap<Vertex, bool>>,
}

impl Flow {
    fn add_claim(&mut self, nodes: &HashMap<Id, Node>, claim: &Id, node: &Node) {
        let mut queue: VecDeque<Id> = VecDeque::new();
        let mut seen = BTreeSet::from([*claim]);
        for id in &node.evidence {
            if nodes.contains_key(id) && seen.insert(*id) {
                self.edge(Vertex::Source, Vertex::In(*id));
                queue.push_back(*id);
            }
        }
        while let Some(id) = queue.pop_front() {
            let Some(current) = nodes.get(&id) else { continue };
            self.edge(Vertex::In(id), Vertex::Out(id));
            let known: Vec<&Id> =
                current.evidence.iter().filter(|id| nodes.contains_key(id)).collect();
            if known.is_empty() {
                if current.author != node.author {
                    self.edge(Vertex::Out(id), Vertex::Author(current.author));
                    self.edge(Vertex::Author(current.author), Vertex::Sink);
                }
                continue;
            }
            for next in known {
                if next == claim || seen.len() > MAX_EVENTS {
                    continue;
                }
                self.edge(Vertex::Out(id), Vertex::In(*next));
                if seen.insert(*next) {
                    queue.push_back(*next);
                }
            }
        }
    }

    fn edge(&mut self, from: Vertex, to: Vertex) {
        self.edges.entry(from).or_default().insert(to, true);
        self.edges.entry(to).or_default().entry(from).or_insert(false);
    }

    /// Finds one more path by breadth-first search and turns its edges round.
    fn augment(&mut self) -> bool {
        let mut from: BTreeMap<Vertex, Vertex> = BTreeMap::new();
        let mut queue = VecDeque::from([Vertex::Source]);
        while let Some(vertex) = queue.pop_front() {
            for (next, free) in self.edges.get(&vertex).into_iter().flatten() {
                if *free && *next != Vertex::Source && !from.contains_key(next) {
                    from.insert(*next, vertex);
                    queue.push_back(*next);
                }
            }
        }
        let mut at = Vertex::Sink;
        while at != Vertex::Source {
            let Some(before) = from.get(&at).copied() else { return false };
            self.set(before, at, false);
            self.set(at, before, true);
            at = before;
        }
        true
    }

    fn set(&mut self, from: Vertex, to: Vertex, free: bool) {
        self.edges.entry(from).or_default().insert(to, free);
    }

    /// Follows the turned edges from the source.
    fn paths(&self) -> Vec<Vec<Id>> {
        let used = |from: Vertex, to: &Vertex| {
            self.edges.get(to).and_then(|back| back.get(&from)).copied().unwrap_or(false)
        };
        let mut paths = Vec::new();
        for (first, free) in self.edges.get(&Vertex::Source).into_iter().flatten() {
            if *free {
                continue;
            }
            let (mut path, mut at) = (Vec::new(), *first);
            while at != Vertex::Sink {
                if let Vertex::Out(id) = at {
                    path.push(id);
                }
                let onward = self.edges.get(&at).into_iter().flatten();
                let next = onward.filter(|(to, free)| !**free && forward(at, **to));
                match next.map(|(to, _)| *to).find(|to| used(at, to)) {
                    Some(to) => at = to,
                    None => break,
                }
            }
            paths.push(path);
        }
        paths
    }
}

/// Whether the edge is one of the network and not the reverse of one.
fn forward(from: Vertex, to: Vertex) -> bool {
    matches!(
        (from, to),
        (Vertex::Source, Vertex::In(_))
            | (Vertex::Out(_), Vertex::In(_) | Vertex::Author(_))
            | (Vertex::Author(_), Vertex::Sink)
    ) || matches!((from, to), (Vertex::In(a), Vertex::Out(b)) if a == b)
}
