//! What was extracted before: found by a hash, believed only once the text itself was compared, and
//! forgotten by recency.
//!
//! The text is stored and compared, not a second hash of it. xxh3 can be made to collide by whoever
//! writes the files, and a hash that cannot takes longer over a text than comparing it. It costs
//! little: what a text says takes several times its bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edgekit_constraint_ir::ContentId;
use lru::LruCache;

use crate::size::heap_bytes;
use crate::{Extraction, Language, SourceFile};

/// How much an [`Extractor`](crate::Extractor) keeps. With a limit of 0 it keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files, by default 4096.
    pub max_files: usize,
    /// Bytes of memory, by default 256 MiB: the texts, what they say, and the bookkeeping.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_files: 4096, max_bytes: 256 << 20 }
    }
}

/// What an [`Extractor`](crate::Extractor) keeps, and what it has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files that are kept.
    pub files: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Extractions that were answered with what was kept.
    pub hits: u64,
    /// Extractions that had to parse.
    pub misses: u64,
    /// Files that gave way to others.
    pub evictions: u64,
    /// Files that were not kept, being larger than all that may be kept.
    pub too_large: u64,
}

/// Extractions by file name, language and text. O(text) for a look-up, O(what the text says) for an
/// insertion, and O(1) for each eviction that it causes.
#[derive(Debug)]
pub(crate) struct Kept {
    limits: Limits,
    inner: Mutex<Inner>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    /// No limit of its own: it is emptied from the other end while it is over one of ours.
    entries: LruCache<ContentId, Arc<Entry>>,
    bytes: usize,
    evictions: u64,
    too_large: u64,
}

#[derive(Debug)]
struct Entry {
    file: Box<str>,
    language: Language,
    text: Box<str>,
    extraction: Arc<Extraction>,
    bytes: usize,
}

/// Bytes of an entry in the map and in the list of those before and after it, and of the two counts
/// around each of two `Arc`s.
const BOOKKEEPING: usize = 128;

impl Kept {
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Inner { entries: LruCache::unbounded(), bytes: 0, evictions: 0, too_large: 0 };
        Kept {
            limits,
            inner: Mutex::new(inner),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is kept for this source under its id, which counts as used.
    pub(crate) fn get(&self, id: ContentId, source: &SourceFile<'_>) -> Option<Arc<Extraction>> {
        let entry = self.inner().entries.get(&id).map(Arc::clone);
        // Compared under no lock.
        let found = entry.filter(|entry| entry.is_of(source));
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found.map(|entry| Arc::clone(&entry.extraction))
    }

    /// Keeps an extraction, in the place of what had the same id.
    pub(crate) fn insert(
        &self,
        id: ContentId,
        source: &SourceFile<'_>,
        extraction: &Arc<Extraction>,
    ) {
        let own = source.file.len() + source.text.len();
        let bytes = BOOKKEEPING + size_of::<Entry>() + own + heap_bytes(extraction);
        if bytes > self.limits.max_bytes {
            self.inner().too_large += 1;
            return;
        }
        let entry = Arc::new(Entry {
            file: source.file.into(),
            language: source.language,
            text: source.text.into(),
            extraction: Arc::clone(extraction),
            bytes,
        });
        let mut out = Vec::new();
        let mut inner = self.inner();
        inner.bytes += bytes;
        if let Some(old) = inner.entries.put(id, entry) {
            inner.bytes -= old.bytes;
            out.push(old);
        }
        while inner.bytes > self.limits.max_bytes || inner.entries.len() > self.limits.max_files {
            let Some((_, old)) = inner.entries.pop_lru() else { break };
            inner.bytes -= old.bytes;
            inner.evictions += 1;
            out.push(old);
        }
        // What gave way is dropped under no lock.
        drop(inner);
    }

    pub(crate) fn stats(&self) -> Stats {
        let inner = self.inner();
        Stats {
            files: inner.entries.len(),
            bytes: inner.bytes,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: inner.evictions,
            too_large: inner.too_large,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock can leave it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_of(&self, source: &SourceFile<'_>) -> bool {
        self.language == source.language && *self.file == *source.file && *self.text == *source.text
    }
}

#[cfg(all(test, feature = "rust", feature = "python"))]
mod tests {
    use super::*;

    fn source<'a>(file: &'a str, text: &'a str) -> SourceFile<'a> {
        SourceFile { file, language: Language::Rust, text }
    }

    /// The id alone is not believed.
    #[test]
    fn equal_hashes_are_told_apart() {
        let kept = Kept::new(Limits::default());
        let id = ContentId::of(b"the same for all");
        let (one, two) = (source("a", "fn f() {}"), source("a", "fn g() {}"));
        let found = Arc::new(Extraction::default());
        kept.insert(id, &one, &found);
        assert!(Arc::ptr_eq(&kept.get(id, &one).unwrap(), &found));
        let python = SourceFile { language: Language::Python, ..one.clone() };
        for other in [&two, &source("b", one.text), &python] {
            assert!(kept.get(id, other).is_none(), "{other:?}");
        }
        kept.insert(id, &two, &found);
        assert!(kept.get(id, &one).is_none() && kept.get(id, &two).is_some());
        let stats = kept.stats();
        assert_eq!((stats.files, stats.hits, stats.misses, stats.evictions), (1, 2, 4, 0));
    }
}
