//! The cache: compiled once for all who ask, kept while it is used, told apart by content.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use edgekit_constraint_compile::{Goal, Options, check_schema, compile};
use edgekit_constraint_ir::ConstraintSet;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::Value;

use crate::flight::{Flight, Flights, Landing, Role};
use crate::key::KeyMaker;
use crate::memo::Memo;
use crate::{Asked, Error, ErrorKind, Key, Limits, Store, Template, Tokenizer};

/// How a cache is made.
#[derive(Clone)]
pub struct CacheConfig {
    /// How constraints and schemas are compiled.
    pub options: Options,
    /// How much is kept.
    pub limits: Limits,
    /// Bytes that memoised masks, and matchers kept for coming sessions, of all templates may take
    /// together, half of it each; 0 keeps none.
    pub max_memo_bytes: usize,
    /// Threads that compile for the asynchronous API; `None` is as many as there are cores.
    pub compile_threads: Option<usize>,
    /// The time since some fixed moment. Only looked at if entries have a time to live.
    pub clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// A second tier that several processes share.
    #[cfg(feature = "redis")]
    pub redis: Option<crate::RemoteConfig>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        let start = Instant::now();
        CacheConfig {
            options: Options::default(),
            limits: Limits::default(),
            max_memo_bytes: 256 << 20,
            compile_threads: None,
            clock: Arc::new(move || start.elapsed()),
            #[cfg(feature = "redis")]
            redis: None,
        }
    }
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheConfig")
            .field("options", &self.options)
            .field("limits", &self.limits)
            .field("max_memo_bytes", &self.max_memo_bytes)
            .finish_non_exhaustive()
    }
}

/// What a cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Requests that were answered at once.
    pub hits: u64,
    /// Requests that compiled or waited for somebody who did.
    pub misses: u64,
    /// Compilations that were run.
    pub compilations: u64,
    /// Compilations that failed. Failures are not kept.
    pub failures: u64,
    /// Entries that gave way to others.
    pub evictions: u64,
    /// Entries that were found too old.
    pub expired: u64,
    /// Templates that were not kept, being larger than [`Limits::max_bytes`].
    pub too_large: u64,
    /// Compilations under way.
    pub in_flight: usize,
    /// Templates that are kept.
    pub entries: usize,
    /// Their bytes as guessed from the size of each request, memoised masks and spare matchers apart.
    pub bytes: usize,
    /// Masks that were memoised.
    pub mask_hits: u64,
    /// Masks that were computed.
    pub mask_misses: u64,
    /// Requests to the second tier that failed, or were left out because it did not keep up; each fell
    /// back to local compilation.
    pub remote_failures: u64,
}

/// Compiled constraints by content, for one tokenizer. A clone shares everything.
#[derive(Clone)]
pub struct ConstraintCache(Arc<Shared>);

struct Shared {
    tokenizer: Tokenizer,
    config: CacheConfig,
    keys: KeyMaker,
    store: Store<Arc<Template>>,
    flights: Flights<Arc<Template>>,
    memo: Arc<Memo>,
    threads: ThreadPool,
    hits: AtomicU64,
    misses: AtomicU64,
    compilations: AtomicU64,
    #[cfg(feature = "redis")]
    remote: Option<crate::remote::Remote>,
}

impl ConstraintCache {
    /// An empty cache.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] names what is wrong.
    pub fn new(tokenizer: Tokenizer, config: CacheConfig) -> Result<Self, Error> {
        // The compiler validates its own options.
        edgekit_constraint_compile::Compiler::new(Goal::Text, config.options)?;
        let threads = ThreadPoolBuilder::new()
            .num_threads(config.compile_threads.unwrap_or(0))
            .thread_name(|i| format!("constraint-compile-{i}"))
            .build()
            .map_err(|e| Error::new(ErrorKind::InvalidConfig, format!("compile_threads: {e}")))?;
        Ok(ConstraintCache(Arc::new(Shared {
            keys: KeyMaker::new(tokenizer.id(), &config.options),
            store: Store::new(config.limits)?,
            flights: Flights::new(),
            memo: Memo::new(config.max_memo_bytes),
            threads,
            tokenizer,
            #[cfg(feature = "redis")]
            remote: match &config.redis {
                Some(redis) => Some(crate::remote::Remote::new(redis)?),
                None => None,
            },
            config,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            compilations: AtomicU64::new(0),
        })))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// The key of a schema. The order of its properties counts. O(size), about 1 µs a KiB. Recurses
    /// into the schema, whatever its depth; what compiles looks at that first.
    pub fn schema_key(&self, schema: &Value) -> Key {
        self.0.keys.schema(schema)
    }

    /// The key of constraints and a goal. The order in which constraints came does not count.
    pub fn constraints_key(&self, set: &ConstraintSet, goal: &Goal) -> Key {
        self.0.keys.constraints(set, goal)
    }

    /// What is kept for a key. Never compiles.
    pub fn get(&self, key: &Key) -> Option<Arc<Template>> {
        let found = self.0.look(key);
        if found.is_some() {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// The template of a JSON Schema. Blocks while it is compiled, here or by somebody else.
    ///
    /// # Errors
    /// [`ErrorKind::Compile`] with the compiler's error; [`ErrorKind::Panicked`];
    /// [`ErrorKind::DeadEnd`]. Errors are not kept.
    pub fn schema(&self, schema: &Value) -> Result<Arc<Template>, Error> {
        self.0.check_depth(schema)?;
        let key = self.schema_key(schema);
        self.get_or_compile(&key, || Asked::Schema(schema.clone()))
    }

    /// The template of constraints for a goal. Blocks while it is compiled, here or by somebody
    /// else.
    ///
    /// # Errors
    /// As [`ConstraintCache::schema`].
    pub fn constraints(&self, set: &ConstraintSet, goal: &Goal) -> Result<Arc<Template>, Error> {
        let key = self.constraints_key(set, goal);
        self.get_or_compile(&key, || Asked::Constraints(set.clone(), goal.clone()))
    }

    /// The template of what is asked for, without blocking: compiled on the cache's own threads.
    /// Works with any executor.
    pub fn get_async(&self, asked: Asked) -> Pending {
        let key = match &asked {
            Asked::Schema(schema) => match self.0.check_depth(schema) {
                Ok(()) => self.schema_key(schema),
                Err(e) => return Pending::ready(Err(e)),
            },
            Asked::Constraints(set, goal) => self.constraints_key(set, goal),
        };
        if let Some(found) = self.get(&key) {
            return Pending::ready(Ok(found));
        }
        match self.0.flights.join(&key, || self.0.look(&key)) {
            Role::Found(found) => {
                self.0.hits.fetch_add(1, Ordering::Relaxed);
                Pending::ready(Ok(found))
            }
            Role::Follow(flight) => {
                self.0.misses.fetch_add(1, Ordering::Relaxed);
                Pending(Inner::Waiting(Landing(flight)))
            }
            Role::Lead(flight) => {
                self.0.misses.fetch_add(1, Ordering::Relaxed);
                let (shared, theirs) = (Arc::clone(&self.0), Arc::clone(&flight));
                self.0.threads.spawn(move || {
                    // Whoever waits gets the error.
                    let _ = shared.lead(&key, &theirs, asked);
                });
                Pending(Inner::Waiting(Landing(flight)))
            }
        }
    }

    /// Compiles schemas on the cache's own threads so that later requests hit, and blocks until all
    /// are done; the errors of those that cannot be compiled, by position.
    pub fn warm_up<'a>(&self, schemas: impl IntoIterator<Item = &'a Value>) -> Vec<(usize, Error)> {
        // Whoever waits for somebody else's compilation must not hold a thread that it needs.
        let pending: Vec<Pending> =
            schemas.into_iter().map(|s| self.get_async(Asked::Schema(s.clone()))).collect();
        let one = |(i, pending): (usize, Pending)| Some((i, pending.wait()?.err()?));
        pending.into_iter().enumerate().filter_map(one).collect()
    }

    /// Forgets all templates of which a constraint comes from this file; how many.
    ///
    /// Nothing stale is ever served: a changed constraint has another key. This frees what nobody
    /// will ask for again.
    pub fn invalidate_file(&self, file: &str) -> usize {
        self.0.store.remove_if(|template| template.comes_from(file))
    }

    /// Forgets everything; how many templates that were.
    pub fn clear(&self) -> usize {
        self.0.store.remove_if(|_| true)
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let store = self.0.store.stats();
        Stats {
            hits: load(&self.0.hits),
            misses: load(&self.0.misses),
            compilations: load(&self.0.compilations),
            failures: self.0.flights.failures(),
            evictions: store.evictions,
            expired: store.expired,
            too_large: store.too_large,
            in_flight: self.0.flights.len(),
            entries: store.entries,
            bytes: store.bytes,
            mask_hits: load(&self.0.memo.hits),
            mask_misses: load(&self.0.memo.misses),
            remote_failures: self.0.remote_failures(),
        }
    }

    /// The template of a request by its key's id, which another process may have published. `None` if
    /// it is neither here nor there. What the second tier answers is checked against the id. Looks
    /// through a shard of the cache, which is as nothing beside an exchange with a server.
    ///
    /// # Errors
    /// As [`ConstraintCache::schema`].
    #[cfg(feature = "redis")]
    pub fn published(
        &self,
        id: edgekit_constraint_ir::ContentId,
    ) -> Result<Option<Arc<Template>>, Error> {
        if let Some(found) = self.0.store.key_of(id).and_then(|key| self.get(&key)) {
            return Ok(Some(found));
        }
        let Some((key, request)) = self.0.remote.as_ref().and_then(|r| r.fetch(id)) else {
            return Ok(None);
        };
        if self.0.keys.matches(&request) {
            self.get_or_compile(&key, || request.asked).map(Some)
        } else {
            Ok(None)
        }
    }

    fn get_or_compile(
        &self,
        key: &Key,
        asked: impl FnOnce() -> Asked,
    ) -> Result<Arc<Template>, Error> {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        match self.0.flights.join(key, || self.0.look(key)) {
            Role::Found(found) => {
                self.0.hits.fetch_add(1, Ordering::Relaxed);
                Ok(found)
            }
            Role::Follow(flight) => {
                self.0.misses.fetch_add(1, Ordering::Relaxed);
                flight.wait()
            }
            Role::Lead(flight) => {
                self.0.misses.fetch_add(1, Ordering::Relaxed);
                self.0.lead(key, &flight, asked())
            }
        }
    }
}

impl fmt::Debug for ConstraintCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintCache")
            .field("tokenizer", &self.0.tokenizer)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn look(&self, key: &Key) -> Option<Arc<Template>> {
        self.store.get(key, || (self.config.clock)())
    }

    /// Whether the schema is so deep that encoding and copying it, which recurse, must not be tried.
    fn check_depth(&self, schema: &Value) -> Result<(), Error> {
        let limits = &self.config.options.limits;
        if levels_within(schema, limits.max_schema_depth) {
            return Ok(());
        }
        check_schema(schema, limits)?;
        Ok(())
    }

    fn lead(
        &self,
        key: &Key,
        flight: &Flight<Arc<Template>>,
        asked: Asked,
    ) -> Result<Arc<Template>, Error> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let result = self.flights.land(
            key,
            flight,
            || self.compile(&asked),
            |template| {
                let now = self
                    .config
                    .limits
                    .time_to_live
                    .map_or(Duration::ZERO, |_| (self.config.clock)());
                self.store.insert(key, Arc::clone(template), estimated_bytes(key), now);
            },
        );
        if result.is_ok() {
            self.publish(key);
        }
        result
    }

    fn compile(&self, asked: &Asked) -> Result<Arc<Template>, Error> {
        let engine = self.tokenizer.engine();
        let options = &self.config.options;
        match asked {
            Asked::Schema(schema) => {
                let matchers = engine.schema(schema, options)?;
                Template::new(&self.tokenizer, matchers, None, BTreeSet::new(), &self.memo)
            }
            Asked::Constraints(set, goal) => {
                let compiled = compile(set, goal, options)?;
                let matchers = engine.start(&compiled, options)?;
                let files = set.iter().map(|(_, c)| c.origin.file.clone());
                let files = files.filter(|f| !f.is_empty()).collect();
                Template::new(&self.tokenizer, matchers, Some(compiled), files, &self.memo)
            }
        }
    }

    #[cfg(feature = "redis")]
    fn publish(&self, key: &Key) {
        if let Some(remote) = &self.remote {
            remote.publish(key);
        }
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "the twin with a second tier uses it")]
    fn publish(&self, _: &Key) {}

    #[cfg(feature = "redis")]
    fn remote_failures(&self) -> u64 {
        self.remote.as_ref().map_or(0, |remote| remote.failures())
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "the twin with a second tier uses it")]
    fn remote_failures(&self) -> u64 {
        0
    }
}

/// Whether a value has at most so many levels. Goes no deeper.
fn levels_within(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|v| levels_within(v, below)),
        Value::Object(members) => members.values().all(|v| levels_within(v, below)),
        _ => true,
    }
}

/// A guess at what a template takes, which the engine does not say: something for any grammar, and
/// a grammar's tables grow with its source.
fn estimated_bytes(key: &Key) -> usize {
    (64 << 10) + key.bytes().len() * 32
}

/// A template that is being compiled. Not to be polled again once it is ready.
#[derive(Debug)]
pub struct Pending(Inner);

#[derive(Debug)]
enum Inner {
    Ready(Option<Result<Arc<Template>, Error>>),
    Waiting(Landing<Arc<Template>>),
}

impl Pending {
    fn ready(result: Result<Arc<Template>, Error>) -> Self {
        Pending(Inner::Ready(Some(result)))
    }

    /// Blocks until it is there; `None` if it was polled to its end before.
    fn wait(self) -> Option<Result<Arc<Template>, Error>> {
        match self.0 {
            Inner::Ready(result) => result,
            Inner::Waiting(Landing(flight)) => Some(flight.wait()),
        }
    }
}

impl Future for Pending {
    type Output = Result<Arc<Template>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Ready(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Inner::Waiting(landing) => Pin::new(landing).poll(cx),
        }
    }
}
