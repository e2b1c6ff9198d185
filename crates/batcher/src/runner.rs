//! The tasks: runners, which take batches through the processor, and the timekeeper.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::futures::Notified;

use crate::batcher::{Formed, Phase, Reply, Shared, aborted, closed, locked};
use crate::builder::{Key, Processing};
use crate::error::{BoxError, Error, ErrorKind};
use crate::observe::{self, Done, Span};
use crate::order;
use crate::timer::Sleep;

/// A task's hold on the batcher. If the runtime drops the task in the middle, everybody who waits
/// is told.
pub(crate) struct Slot<T: Send + 'static, R: Send + 'static, K: Key> {
    shared: Arc<Shared<T, R, K>>,
    in_use: bool,
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Slot<T, R, K> {
    pub(crate) fn new(shared: Arc<Shared<T, R, K>>) -> Self {
        Slot { shared, in_use: true }
    }

    fn leave(mut self) {
        self.in_use = false;
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Drop for Slot<T, R, K> {
    fn drop(&mut self) {
        if self.in_use {
            self.shared.end(Phase::Lost, closed);
        }
    }
}

/// Takes batches through the processor for as long as there are any that are worth sending.
pub(crate) async fn run<T: Send + 'static, R: Send + 'static, K: Key>(slot: Slot<T, R, K>) {
    let shared = &slot.shared;
    loop {
        // Made before the batch is, so that no abort is missed.
        let abort = shared.aborted.notified();
        let now = shared.timer.now();
        let Some(formed) = shared.begin(now) else { break };
        let limit = take_through(shared, formed, now, abort).await;
        let wake = shared.finish(limit);
        if !wake.start {
            break;
        }
        // Those who were just answered may want to join the next batch.
        step_back().await;
    }
    if shared.lock().is_over() {
        shared.may_have_ended();
    }
    slot.leave();
}

/// Calls the queue's alarms until the batcher is closed and empty.
pub(crate) async fn keep_time<T: Send + 'static, R: Send + 'static, K: Key>(
    shared: Arc<Shared<T, R, K>>,
) {
    let slot = Slot::new(shared);
    let shared = &slot.shared;
    while let Some(armed) = shared.next_alarm() {
        let mut rearm = pin!(shared.rearm.notified());
        let mut sleep = armed.map(|at| shared.timer.sleep_until(at));
        let rang = poll_fn(|cx| {
            if let Some(sleep) = &mut sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(true);
            }
            rearm.as_mut().poll(cx).map(|()| false)
        });
        if rang.await {
            shared.tick();
        }
    }
    slot.leave();
}

/// Processes one batch, answers its requests and records how it went. The new bound on batches, if
/// there is a controller and it wants another.
async fn take_through<T: Send + 'static, R: Send + 'static, K: Key>(
    shared: &Arc<Shared<T, R, K>>,
    Formed { batch, number, queued }: Formed<T, R>,
    formed: Instant,
    abort: Notified<'_>,
) -> Option<usize> {
    let size = batch.entries.len();
    let mut items = Vec::with_capacity(size);
    let mut replies = Vec::with_capacity(size);
    let mut waits = Vec::with_capacity(size);
    for entry in batch.entries {
        waits.push(formed.saturating_duration_since(entry.arrived));
        items.push(entry.payload.item);
        replies.push(entry.payload.reply);
    }
    let outcome = process(shared, items, formed, abort).await;
    let service = shared.timer.now().saturating_duration_since(formed);

    let mut recorder = locked(&shared.recorder);
    recorder.batch(size);
    recorder.service.record(service);
    for &wait in &waits {
        recorder.wait.record(wait);
    }
    let outcome_name = match outcome.as_ref().err().map(Error::kind) {
        None => "ok",
        Some(ErrorKind::Panicked) => {
            recorder.failures.panicked += 1;
            "panicked"
        }
        Some(ErrorKind::WrongCount) => {
            recorder.failures.wrong_count += 1;
            "wrong_count"
        }
        Some(ErrorKind::ServiceTimeout) => {
            recorder.failures.timed_out += 1;
            "timed_out"
        }
        Some(_) => {
            recorder.failures.aborted += 1;
            "aborted"
        }
    };
    drop(recorder);
    let oldest_wait = waits.iter().copied().max().unwrap_or_default();
    observe::done(shared.name, Done { size, queued, oldest_wait, service, outcome: outcome_name });
    answer(shared, number, replies, outcome);
    let controller = shared.controller.as_ref()?;
    locked(controller).observe(&waits, service, batch.left_behind > 0)
}

/// The processor's results, or why there are none.
async fn process<T: Send + 'static, R: Send + 'static, K: Key>(
    shared: &Arc<Shared<T, R, K>>,
    items: Vec<T>,
    formed: Instant,
    abort: Notified<'_>,
) -> Result<Vec<Result<R, BoxError>>, Error> {
    let size = items.len();
    let span = Span::new(shared.name, size);
    let process = || span.within(|| (shared.process)(items));
    let mut processing: Processing<R> =
        catch_unwind(AssertUnwindSafe(process)).map_err(panicked)?;
    let mut abort = pin!(abort);
    let mut timeout: Option<Sleep> = None;
    let outcome = poll_fn(|cx| {
        let poll = || span.within(|| processing.as_mut().poll(cx));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(results)) if results.len() == size => return Poll::Ready(Ok(results)),
            Ok(Poll::Ready(results)) => return Poll::Ready(Err(miscounted(size, results.len()))),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(panicked(panic))),
        }
        if abort.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(aborted()));
        }
        if let Some(limit) = shared.service_timeout {
            if timeout.is_none() {
                timeout = formed.checked_add(limit).map(|end| shared.timer.sleep_until(end));
            }
            if timeout.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Err(Error::new(
                    ErrorKind::ServiceTimeout,
                    format!(
                        "the processor did not finish a batch of {size} within {limit:?}; allow \
                         more time or make batches smaller"
                    ),
                )));
            }
        }
        Poll::Pending
    })
    .await;
    // An unfinished processor may panic as it is dropped, which is that batch's affair, too.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(processing)));
    outcome
}

fn answer<T: Send + 'static, R: Send + 'static, K: Key>(
    shared: &Shared<T, R, K>,
    number: u64,
    replies: Vec<Reply<R>>,
    outcome: Result<Vec<Result<R, BoxError>>, Error>,
) {
    let answers: order::Answers<R> = match outcome {
        Ok(results) => {
            let results = results.into_iter().map(|result| result.map_err(Error::item));
            replies.into_iter().zip(results).collect()
        }
        Err(error) => replies.into_iter().map(|reply| (reply, Err(error.clone()))).collect(),
    };
    match &shared.reorder {
        Some(reorder) => locked(reorder).send(number, answers),
        None => order::send(answers),
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_string());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    let said = said.unwrap_or_else(|| "no message".into());
    Error::new(ErrorKind::Panicked, format!("the processor panicked on this batch: {said}"))
}

fn miscounted(expected: usize, got: usize) -> Error {
    Error::new(
        ErrorKind::WrongCount,
        format!("the processor returned {got} results for {expected} items; return one for each"),
    )
}

/// Lets the tasks that are ready run first. Unlike `yield_now` it does not make the worker poll
/// its driver.
async fn step_back() {
    let mut stepped = false;
    poll_fn(|cx| {
        if stepped {
            return Poll::Ready(());
        }
        stepped = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
