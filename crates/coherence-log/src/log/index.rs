//! Finding events by author, context, kind and time: posting lists, rebuilt whenever a log opens.

use std::collections::HashMap;

use crate::event::{Event, KindTag, PublicKey};

/// Which events are looked for. Every field that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Who said it.
    pub author: Option<PublicKey>,
    /// What it belongs to.
    pub context: Option<[u8; 32]>,
    /// What sort of event it is.
    pub kind: Option<KindTag>,
    /// The earliest time, in milliseconds of Unix time.
    pub from_ms: Option<u64>,
    /// The first time that is too late.
    pub until_ms: Option<u64>,
    /// At most so many, the earliest in the log.
    pub limit: Option<usize>,
}

/// 24 bytes an event, and 8 for each of three lists.
#[derive(Default)]
pub(super) struct Index {
    authors: Postings<PublicKey>,
    contexts: Postings<[u8; 32]>,
    kinds: Postings<KindTag>,
    facts: Vec<Facts>,
}

struct Facts {
    time_ms: u64,
    author: u32,
    context: u32,
    kind: u32,
}

impl Index {
    pub(super) fn push(&mut self, event: &Event<'_>) {
        let number = self.facts.len() as u64;
        self.facts.push(Facts {
            time_ms: event.time_ms(),
            author: self.authors.push(*event.author(), number),
            context: self.contexts.push(*event.context(), number),
            kind: self.kinds.push(event.kind().tag(), number),
        });
    }

    pub(super) fn truncate(&mut self, size: u64) {
        while self.facts.len() as u64 > size {
            if let Some(facts) = self.facts.pop() {
                self.authors.pop(facts.author);
                self.contexts.pop(facts.context);
                self.kinds.pop(facts.kind);
            }
        }
    }

    /// Walks the shortest list that applies, and of that only events below `size`.
    pub(super) fn find(&self, query: &Query, size: u64) -> Vec<u64> {
        let author = query.author.map(|key| self.authors.number(&key));
        let context = query.context.map(|context| self.contexts.number(&context));
        let kind = query.kind.map(|kind| self.kinds.number(&kind));
        if [author, context, kind].contains(&Some(None)) {
            return Vec::new();
        }
        let (author, context, kind) = (author.flatten(), context.flatten(), kind.flatten());
        let fits = |number: &u64| {
            let facts = &self.facts[*number as usize];
            author.is_none_or(|author| author == facts.author)
                && context.is_none_or(|context| context == facts.context)
                && kind.is_none_or(|kind| kind == facts.kind)
                && query.from_ms.is_none_or(|from| facts.time_ms >= from)
                && query.until_ms.is_none_or(|until| facts.time_ms < until)
        };
        let limit = query.limit.unwrap_or(usize::MAX);
        let lists = [
            author.map(|author| self.authors.list(author)),
            context.map(|context| self.contexts.list(context)),
            kind.map(|kind| self.kinds.list(kind)),
        ];
        match lists.into_iter().flatten().min_by_key(|list| list.len()) {
            Some(list) => {
                let below = list.partition_point(|number| *number < size);
                list[..below].iter().copied().filter(fits).take(limit).collect()
            }
            None => (0..size).filter(fits).take(limit).collect(),
        }
    }
}

struct Postings<K> {
    numbers: HashMap<K, u32>,
    lists: Vec<Vec<u64>>,
}

impl<K> Default for Postings<K> {
    fn default() -> Self {
        Postings { numbers: HashMap::new(), lists: Vec::new() }
    }
}

impl<K: std::hash::Hash + Eq> Postings<K> {
    fn push(&mut self, key: K, event: u64) -> u32 {
        let number = *self.numbers.entry(key).or_insert(self.lists.len() as u32);
        if number as usize == self.lists.len() {
            self.lists.push(Vec::new());
        }
        self.lists[number as usize].push(event);
        number
    }

    fn pop(&mut self, number: u32) {
        self.lists[number as usize].pop();
    }

    fn number(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    fn list(&self, number: u32) -> &[u64] {
        &self.lists[number as usize]
    }
}
