//! `BufferPool`: lends buffers, takes them back when their guard drops, keeps no more than it may.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use thread_local::ThreadLocal;

use crate::free_list::{FreeList, Magazine, Place};
use crate::sync::{Mutex, lock};
use crate::{Buffer, Error, ErrorKind, OnReturn};

/// How a [`BufferPool`] behaves; checked once, by [`BufferPool::new`].
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Buffers made at once, when the pool is built. At most `max_retained`.
    pub initial: usize,
    /// Free buffers kept at any time, over all threads. A buffer that comes back to a full pool is
    /// dropped. 0 keeps none.
    pub max_retained: usize,
    /// A buffer that comes back larger than this, in bytes, is dropped: one giant request must not
    /// hold its memory for ever.
    pub max_buffer_bytes: usize,
    /// What happens to the contents of a buffer that comes back.
    pub on_return: OnReturn,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            initial: 0,
            max_retained: 64,
            max_buffer_bytes: usize::MAX,
            on_return: OnReturn::Clear,
        }
    }
}

/// What a pool has done and holds. Exact while no other thread is inside the pool; otherwise each
/// number is, but not all are of the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Buffers lent out of those retained.
    pub hits: u64,
    /// Buffers that had to be made, or came in by [`BufferPool::adopt`].
    pub misses: u64,
    /// Buffers lent now.
    pub live: usize,
    /// Free buffers kept now.
    pub retained: usize,
    /// Bytes of all buffers now, live and retained; a live one counts as large as it was lent.
    pub bytes: u64,
    /// The largest that `bytes` has been.
    pub peak_bytes: u64,
}

/// A pool of buffers of one kind, shared by reference, by `static` or by `Arc`.
///
/// Get and return are O(1). A thread finds the buffer that it returned last without a lock or an
/// atomic read-modify-write; a buffer returned by another thread costs a short mutex. Dropping the
/// guard returns the buffer from whichever thread it has moved to.
///
/// A thread may sit on a few free buffers (at most `max_retained / 2` over all threads) that other
/// threads do not find; whatever is above that is found by all.
///
/// ```
/// use edgekit_mempool::{BufferPool, PoolConfig};
/// let config = PoolConfig { initial: 2, max_retained: 8, ..PoolConfig::default() };
/// let pool = BufferPool::new(config, || Vec::<u8>::with_capacity(4096))?;
/// {
///     let mut frame = pool.get();
///     frame.extend_from_slice(b"pixels");
/// } // back in the pool, cleared, its capacity kept
/// assert!(pool.get().is_empty());
/// assert_eq!(pool.stats().misses, 0);
/// # Ok::<(), edgekit_mempool::Error>(())
/// ```
pub struct BufferPool<T: Buffer> {
    list: FreeList<T>,
    locals: ThreadLocal<Local<T>>,
    counters: Mutex<Vec<Arc<Counters>>>,
    bytes: AtomicU64,
    peak_bytes: AtomicU64,
    max_buffer_bytes: usize,
    on_return: OnReturn,
    factory: Box<dyn Fn() -> T + Send + Sync>,
}

/// A lent buffer: use it as the `T` that it is; dropped, it goes back.
///
/// `P` is how the pool is held: `&BufferPool<T>` from [`BufferPool::get`], `Arc<BufferPool<T>>`
/// from [`BufferPool::get_arc`].
#[must_use = "the buffer goes back to its pool at once if it is not kept"]
pub struct PooledBuffer<T: Buffer, P: Deref<Target = BufferPool<T>>> {
    pool: P,
    /// `None` only once the guard is being taken apart.
    buffer: Option<T>,
    /// What the pool has on its books for this buffer.
    booked: usize,
}

/// A lent buffer that keeps its pool alive, to be sent to tasks that outlive the borrow.
pub type ArcBuffer<T> = PooledBuffer<T, Arc<BufferPool<T>>>;

impl<T: Buffer> BufferPool<T> {
    /// A pool whose missing buffers are made by `factory`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if more buffers are to be made at once than may be kept.
    pub fn new(
        config: PoolConfig,
        factory: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let PoolConfig { initial, max_retained, max_buffer_bytes, on_return } = config;
        if initial > max_retained {
            let what = format!(
                "a pool of at most {max_retained} buffers cannot start with {initial}; \
                 raise `max_retained` or lower `initial`"
            );
            return Err(Error::new(ErrorKind::InvalidConfig, what));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = BufferPool {
            list: FreeList::new(max_retained, (max_retained / (2 * threads)).clamp(1, 8)),
            locals: ThreadLocal::new(),
            counters: Mutex::new(Vec::new()),
            bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            max_buffer_bytes,
            on_return,
            factory: Box::new(factory),
        };
        for _ in 0..initial {
            let buffer = (pool.factory)();
            pool.book(buffer.bytes());
            if let Err(buffer) = pool.list.push_for_all(buffer) {
                pool.unbook(buffer.bytes());
            }
        }
        Ok(pool)
    }

    /// A buffer, retained or else newly made.
    #[inline]
    pub fn get(&self) -> PooledBuffer<T, &Self> {
        Self::lend(self)
    }

    /// As [`get`](Self::get), with a guard that owns a share of the pool (one atomic increment and
    /// one decrement more).
    #[inline]
    pub fn get_arc(self: &Arc<Self>) -> ArcBuffer<T> {
        Self::lend(Arc::clone(self))
    }

    /// A retained buffer, or `None` where one would have to be made.
    #[inline]
    pub fn try_get(&self) -> Option<PooledBuffer<T, &Self>> {
        let buffer = self.pop()?;
        Some(PooledBuffer::of(self, buffer))
    }

    /// Takes a buffer made elsewhere into the pool's care, as if lent by [`get`](Self::get).
    pub fn adopt(&self, buffer: T) -> PooledBuffer<T, &Self> {
        self.count_made(&buffer);
        PooledBuffer::of(self, buffer)
    }

    /// Frees the buffers that are retained for all threads and for the calling one, as an answer to
    /// memory pressure. Returns how many.
    pub fn trim(&self) -> usize {
        let local = self.local();
        let mut freed = local.magazine.drain();
        local.counters.held.store(0, Relaxed);
        freed.extend(self.list.drain_shared());
        freed.iter().for_each(|buffer| self.unbook(buffer.bytes()));
        freed.len()
    }

    /// The most free buffers this pool keeps.
    pub fn max_retained(&self) -> usize {
        self.list.max()
    }

    /// What the pool has done and holds. O(threads that have used it).
    pub fn stats(&self) -> PoolStats {
        let mut stats = PoolStats {
            bytes: self.bytes.load(Relaxed),
            peak_bytes: self.peak_bytes.load(Relaxed),
            retained: self.list.shared_len(),
            ..PoolStats::default()
        };
        let mut returned = 0;
        for counters in lock(&self.counters).iter() {
            returned += counters.returned.load(Relaxed);
            stats.hits += counters.hits.load(Relaxed);
            stats.misses += counters.misses.load(Relaxed);
            stats.retained += counters.held.load(Relaxed) as usize;
        }
        stats.live = (stats.hits + stats.misses).saturating_sub(returned) as usize;
        stats
    }

    #[inline]
    fn lend<P: Deref<Target = Self>>(pool: P) -> PooledBuffer<T, P> {
        let buffer = match pool.pop() {
            Some(buffer) => buffer,
            None => pool.make(),
        };
        PooledBuffer::of(pool, buffer)
    }

    #[inline]
    fn pop(&self) -> Option<T> {
        let local = self.local();
        let (buffer, place) = self.list.pop(&local.magazine)?;
        if place == Place::Magazine {
            let held = &local.counters.held;
            held.store(held.load(Relaxed) - 1, Relaxed);
        }
        bump(&local.counters.hits);
        Some(buffer)
    }

    #[cold]
    fn make(&self) -> T {
        let buffer = (self.factory)();
        self.count_made(&buffer);
        buffer
    }

    fn count_made(&self, buffer: &T) {
        bump(&self.local().counters.misses);
        self.book(buffer.bytes());
    }

    #[inline]
    fn take_back(&self, mut buffer: T, booked: usize) {
        match self.on_return {
            OnReturn::Clear => buffer.clear(),
            OnReturn::Wipe => buffer.wipe(),
            OnReturn::Keep => {}
        }
        let bytes = buffer.bytes();
        if bytes > booked {
            self.book(bytes - booked);
        } else if bytes < booked {
            self.unbook(booked - bytes);
        }
        let local = self.local();
        bump(&local.counters.returned);
        if bytes > self.max_buffer_bytes {
            self.unbook(bytes);
            return;
        }
        match self.list.push(&local.magazine, buffer) {
            Ok(Place::Magazine) => bump(&local.counters.held),
            Ok(Place::Shared) => {}
            // Dropped at the end of this function, where no borrow and no lock is held: a drop may
            // well come back to this pool.
            Err(surplus) => self.unbook(surplus.bytes()),
        }
    }

    fn give_away(&self, booked: usize) {
        bump(&self.local().counters.returned);
        self.unbook(booked);
    }

    #[cold]
    fn book(&self, bytes: usize) {
        let now = self.bytes.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        self.peak_bytes.fetch_max(now, Relaxed);
    }

    #[cold]
    fn unbook(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Relaxed);
    }

    #[inline]
    fn local(&self) -> &Local<T> {
        self.locals.get_or(|| {
            let counters = Arc::new(Counters::default());
            lock(&self.counters).push(Arc::clone(&counters));
            Local { magazine: Magazine::new(), counters }
        })
    }
}

impl<T: Buffer> fmt::Debug for BufferPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl<T: Buffer, P: Deref<Target = BufferPool<T>>> PooledBuffer<T, P> {
    /// Takes the buffer out of the pool's care, contents and all.
    pub fn into_inner(mut self) -> T {
        self.pool.give_away(self.booked);
        self.buffer.take().expect(TAKEN_APART)
    }

    #[inline]
    fn of(pool: P, buffer: T) -> Self {
        let booked = buffer.bytes();
        PooledBuffer { pool, buffer: Some(buffer), booked }
    }
}

impl<T: Buffer, P: Deref<Target = BufferPool<T>>> Deref for PooledBuffer<T, P> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.buffer.as_ref().expect(TAKEN_APART)
    }
}

impl<T: Buffer, P: Deref<Target = BufferPool<T>>> DerefMut for PooledBuffer<T, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.buffer.as_mut().expect(TAKEN_APART)
    }
}

impl<T: Buffer, P: Deref<Target = BufferPool<T>>> Drop for PooledBuffer<T, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.take_back(buffer, self.booked);
        }
    }
}

impl<T: Buffer + fmt::Debug, P: Deref<Target = BufferPool<T>>> fmt::Debug for PooledBuffer<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.buffer.fmt(f)
    }
}

const TAKEN_APART: &str = "a guard holds its buffer until it is dropped or taken apart";

/// What one thread has of a pool. When the thread ends, the next new thread inherits it. Aligned to
/// two cache lines (they are fetched in pairs), for its neighbours belong to other threads.
#[repr(align(128))]
struct Local<T> {
    magazine: Magazine<T>,
    counters: Arc<Counters>,
}

/// One thread's share of the statistics: only that thread writes.
#[derive(Default)]
#[repr(align(128))]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    returned: AtomicU64,
    held: AtomicU64,
}

/// Adds one without a read-modify-write, which the single writer does not need.
#[inline]
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}
