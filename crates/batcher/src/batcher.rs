//! The batcher as its callers see it, and the state that they share with its tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::adaptive::Controller;
use crate::builder::{Builder, Key, Process};
use crate::config::{Config, Ordering};
use crate::error::{Error, ErrorKind};
use crate::observe;
use crate::order::Reorder;
use crate::queue::{Batch, Queue, Refusal, Terms, Ticket, Wake};
use crate::runner;
use crate::stats::{Recorder, Stats};
use crate::submission::Submission;
use crate::timer::Timer;

/// Collects single requests into batches for a processor and hands each caller its own answer.
///
/// Cloning gives another handle to the same batcher. When the last handle is gone, what was
/// submitted is still processed, without waiting for company.
pub struct Batcher<T: Send + 'static, R: Send + 'static, K: Key = ()> {
    handle: Arc<Owner<T, R, K>>,
}

/// A request with its own terms. Plain items turn into one by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<T> {
    /// What the processor gets.
    pub item: T,
    /// The priority level, from 1 (most urgent); [`Config::default_level`] if `None`.
    pub priority: Option<usize>,
    /// How long the request may wait while every slot for batches is taken. Only shortens what its
    /// level allows. A request is never turned away for time while the processor has a slot free:
    /// then its time only makes its batch leave early.
    pub timeout: Option<Duration>,
}

impl<T> Request<T> {
    /// A request on the default terms.
    pub fn new(item: T) -> Self {
        Request { item, priority: None, timeout: None }
    }

    /// The same request at a priority level, from 1 (most urgent).
    pub fn priority(self, level: usize) -> Self {
        Request { priority: Some(level), ..self }
    }

    /// The same request with at most this long to wait in the queue.
    pub fn timeout(self, timeout: Duration) -> Self {
        Request { timeout: Some(timeout), ..self }
    }
}

impl<T> From<T> for Request<T> {
    fn from(item: T) -> Self {
        Request::new(item)
    }
}

impl<T: Send + 'static> Batcher<T, ()> {
    /// Starts to build a batcher.
    pub fn builder(config: Config) -> Builder<T> {
        Builder::new(config)
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Batcher<T, R, K> {
    /// Queues a request, at once, and returns a future of its answer. Dropping the future takes the
    /// request out of the queue; what is already with the processor is finished and forgotten.
    ///
    /// May be called from anywhere, also outside the runtime.
    ///
    /// # Errors
    ///
    /// Through the future. Every [`ErrorKind`] but [`ErrorKind::Config`] can occur.
    pub fn submit(&self, request: impl Into<Request<T>>) -> Submission<T, R, K> {
        let shared = &self.handle.shared;
        let Request { item, priority, timeout } = request.into();
        let weight = (shared.weigh)(&item);
        let key = (shared.key)(&item);
        let (reply, answer) = oneshot::channel();
        let terms = Terms { priority, timeout, weight };
        let now = shared.timer.now();
        let mut state = shared.lock();
        if state.phase != Phase::Open {
            state.queue.rejects.closed += 1;
            drop(state);
            observe::rejected(shared.name, "closed", 1);
            return Submission::refused(closed());
        }
        let pushed = state.queue.push(now, key.clone(), terms, Pending { item, reply });
        drop(state);
        match pushed {
            Ok((ticket, wake)) => {
                shared.act(wake);
                Submission::waiting(Arc::clone(shared), key, ticket, answer)
            }
            Err((refusal, _)) => Submission::refused(shared.refusal(refusal, &terms)),
        }
    }

    /// What was counted so far. Takes a few microseconds, of which O(keys) under the queue's lock.
    pub fn stats(&self) -> Stats {
        self.handle.shared.stats()
    }

    /// Stops taking requests, has everything that waits processed without holding it back for
    /// company, and returns when every answer is there. Dropping the future does not stop that.
    pub async fn shutdown(&self) {
        let shared = &self.handle.shared;
        shared.close();
        shared.idle().await;
    }

    /// Stops taking requests, refuses everything that waits or is with the processor with
    /// [`ErrorKind::Aborted`], and returns when every answer is there.
    ///
    /// The future of an async processor is dropped; a blocking call cannot be stopped and its
    /// result is thrown away.
    pub async fn abort(&self) {
        let shared = &self.handle.shared;
        shared.end(Phase::Ended, aborted);
        shared.idle().await;
    }

    pub(crate) fn start(shared: Arc<Shared<T, R, K>>) -> Self {
        shared.handle.spawn(runner::keep_time(Arc::clone(&shared)));
        Batcher { handle: Arc::new(Owner { shared }) }
    }

    pub(crate) fn shared(&self) -> &Shared<T, R, K> {
        &self.handle.shared
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Clone for Batcher<T, R, K> {
    fn clone(&self) -> Self {
        Batcher { handle: Arc::clone(&self.handle) }
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> std::fmt::Debug for Batcher<T, R, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher").field("name", &self.handle.shared.name).finish_non_exhaustive()
    }
}

/// What all handles share; the batcher closes when it goes.
struct Owner<T: Send + 'static, R: Send + 'static, K: Key> {
    shared: Arc<Shared<T, R, K>>,
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Drop for Owner<T, R, K> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A request in the queue.
pub(crate) struct Pending<T, R> {
    pub(crate) item: T,
    pub(crate) reply: Reply<R>,
}

/// A batch on its way to the processor.
pub(crate) struct Formed<T, R> {
    pub(crate) batch: Batch<Pending<T, R>>,
    /// Counted from 0 in the order in which batches were formed.
    pub(crate) number: u64,
    /// How many requests stay in the queue.
    pub(crate) queued: usize,
}

/// Where an answer goes.
pub(crate) type Reply<R> = oneshot::Sender<Result<R, Error>>;

/// What handles, submissions, runners and the timekeeper share.
pub(crate) struct Shared<T: Send + 'static, R: Send + 'static, K: Key> {
    state: Mutex<State<T, R, K>>,
    pub(crate) recorder: Mutex<Recorder>,
    pub(crate) controller: Option<Mutex<Controller>>,
    /// Present if answers leave in the order of arrival.
    pub(crate) reorder: Option<Mutex<Reorder<R>>>,
    pub(crate) process: Process<T, R>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) name: &'static str,
    pub(crate) service_timeout: Option<Duration>,
    /// Tells the timekeeper that there is an earlier alarm, or an end.
    pub(crate) rearm: Notify,
    /// Tells runners that their batch is refused.
    pub(crate) aborted: Notify,
    /// Tells those who wait for the end that it may have come.
    ended: Notify,
    weigh: Box<dyn Fn(&T) -> u64 + Send + Sync>,
    key: Box<dyn Fn(&T) -> K + Send + Sync>,
    handle: Handle,
    budget: u64,
}

pub(crate) struct State<T, R, K> {
    pub(crate) queue: Queue<K, Pending<T, R>>,
    pub(crate) phase: Phase,
    /// The number of the next batch.
    pub(crate) formed: u64,
}

impl<T, R, K: Key> State<T, R, K> {
    /// Whether the batcher is closed and every request is answered.
    pub(crate) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing | Phase::Ended => self.queue.is_idle(),
            Phase::Lost => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Nothing comes in; what is there is processed.
    Closing,
    /// Nothing comes in and nothing waits.
    Ended,
    /// The runtime is gone, and the tasks with it.
    Lost,
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Shared<T, R, K> {
    pub(crate) fn new(
        builder: Builder<T, K>,
        process: Process<T, R>,
        controller: Option<Controller>,
        handle: Handle,
    ) -> Arc<Self> {
        let Builder { config, name, weigh, key, timer } = builder;
        let reorder = (config.ordering == Ordering::Arrival).then(|| Mutex::new(Reorder::new()));
        let mut shared = Shared {
            recorder: Mutex::new(Recorder::new(config.max_batch_size)),
            controller: None,
            reorder,
            process,
            timer,
            name,
            service_timeout: config.service_timeout,
            rearm: Notify::new(),
            aborted: Notify::new(),
            ended: Notify::new(),
            weigh,
            key,
            handle,
            budget: config.max_batch_weight.unwrap_or(u64::MAX),
            state: Mutex::new(State { queue: Queue::new(config), phase: Phase::Open, formed: 0 }),
        };
        if let Some(controller) = controller {
            shared.lock().queue.set_limit(controller.limit());
            shared.controller = Some(Mutex::new(controller));
        }
        Arc::new(shared)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<T, R, K>> {
        locked(&self.state)
    }

    /// Does what the queue asked for.
    pub(crate) fn act(self: &Arc<Self>, wake: Wake) {
        if wake.start {
            self.handle.spawn(runner::run(runner::Slot::new(Arc::clone(self))));
        }
        if wake.arm.is_some() {
            self.rearm.notify_one();
        }
    }

    /// A runner is there: its batch, if there is one.
    pub(crate) fn begin(self: &Arc<Self>, now: Instant) -> Option<Formed<T, R>> {
        let mut state = self.lock();
        let (batch, wake) = state.queue.begin(now);
        let number = state.formed;
        state.formed += u64::from(batch.is_some());
        let queued = state.queue.waiting();
        drop(state);
        self.act(wake);
        batch.map(|batch| Formed { batch, number, queued })
    }

    /// A runner has answered its batch. It goes on if it is told to start.
    pub(crate) fn finish(&self, limit: Option<usize>) -> Wake {
        let mut late = Vec::new();
        let now = self.timer.now();
        let mut state = self.lock();
        if let Some(limit) = limit {
            state.queue.set_limit(limit);
        }
        let wake = state.queue.finish(now, &mut late);
        drop(state);
        self.refuse_late(late);
        if wake.arm.is_some() {
            self.rearm.notify_one();
        }
        wake
    }

    /// The queue's alarm rings.
    pub(crate) fn tick(self: &Arc<Self>) {
        let mut late = Vec::new();
        let now = self.timer.now();
        let wake = self.lock().queue.tick(now, &mut late);
        self.refuse_late(late);
        self.act(wake);
    }

    /// When to ring next, if ever; `None` when the batcher is over.
    pub(crate) fn next_alarm(&self) -> Option<Option<Instant>> {
        let state = self.lock();
        (!state.is_over()).then(|| state.queue.armed())
    }

    /// Takes a request whose caller went away out of the queue.
    pub(crate) fn cancel(&self, key: &K, ticket: Ticket) {
        let mut state = self.lock();
        let gone = state.queue.cancel(key, ticket);
        let open = state.phase == Phase::Open;
        drop(state);
        if gone.is_some() {
            observe::rejected(self.name, "cancelled", 1);
        }
        if !open {
            self.may_have_ended();
        }
    }

    /// Refuses requests whose time was over.
    pub(crate) fn refuse_late(&self, late: Vec<Pending<T, R>>) {
        if late.is_empty() {
            return;
        }
        observe::rejected(self.name, "timed_out", late.len() as u64);
        let error = Error::new(
            ErrorKind::QueueTimeout,
            "the request's time in the queue was over before a slot was free; allow more time, \
             more batches in flight or less load",
        );
        for pending in late {
            let _ = pending.reply.send(Err(error.clone()));
        }
    }

    /// Stops taking requests.
    pub(crate) fn close(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return;
        }
        state.phase = Phase::Closing;
        let wake = state.queue.drain(self.timer.now());
        drop(state);
        self.act(wake);
        self.rearm.notify_one();
    }

    /// Stops taking requests and refuses those that are there.
    pub(crate) fn end(&self, phase: Phase, why: fn() -> Error) {
        let mut state = self.lock();
        state.phase = phase;
        let waiting = state.queue.clear();
        state.queue.rejects.closed += waiting.len() as u64;
        drop(state);
        if !waiting.is_empty() {
            observe::rejected(self.name, "closed", waiting.len() as u64);
        }
        for pending in waiting {
            let _ = pending.reply.send(Err(why()));
        }
        self.aborted.notify_waiters();
        self.may_have_ended();
    }

    /// Tells those who wait for the end to look again.
    pub(crate) fn may_have_ended(&self) {
        self.ended.notify_waiters();
        self.rearm.notify_one();
    }

    /// Completes when the batcher is closed and nothing is left.
    async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            if self.lock().is_over() {
                return;
            }
            ended.await;
        }
    }

    fn stats(&self) -> Stats {
        let now: Instant = self.timer.now();
        let mut stats = Stats::default();
        locked(&self.recorder).fill(&mut stats);
        let state = self.lock();
        stats.queued = state.queue.waiting();
        stats.oldest_wait = state.queue.oldest_wait(now);
        stats.in_flight = state.queue.busy();
        stats.batch_size_limit = state.queue.limit();
        stats.rejects = state.queue.rejects;
        stats
    }

    fn refusal(&self, refusal: Refusal, terms: &Terms) -> Error {
        let (kind, reason, message) = match refusal {
            Refusal::Full => (
                ErrorKind::QueueFull,
                "queue_full",
                "the queue is full; slow down, try again later or raise max_queue".into(),
            ),
            Refusal::LevelFull => (
                ErrorKind::QueueFull,
                "queue_full",
                "the queue of this priority level is full; slow down or raise its max_queue".into(),
            ),
            Refusal::TooHeavy => (
                ErrorKind::TooHeavy,
                "too_heavy",
                format!(
                    "the item weighs {} but a whole batch may weigh {}; split it or raise \
                     max_batch_weight",
                    terms.weight, self.budget
                ),
            ),
            Refusal::NoSuchLevel => (
                ErrorKind::Priority,
                "priority",
                format!(
                    "there is no priority level {}; levels count from 1",
                    terms.priority.unwrap_or_default()
                ),
            ),
        };
        observe::rejected(self.name, reason, 1);
        Error::new(kind, message)
    }
}

/// Every critical section leaves its data whole, so that a panic elsewhere poisons nothing.
pub(crate) fn locked<X>(mutex: &Mutex<X>) -> MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the batcher is shut down; build a new one to go on")
}

pub(crate) fn aborted() -> Error {
    Error::new(ErrorKind::Aborted, "the batcher was aborted before the request was answered")
}
