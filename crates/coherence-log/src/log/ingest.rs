//! Taking events in: each rule refuses with its own error, and a refusal changes nothing.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};

use super::commit::{Batch, Receipt, Staged, Ticket};
use super::index::Index;
use super::{Config, Log, Shared};
use crate::body::Body;
use crate::error::{Error, ErrorKind, invalid};
use crate::event::{Event, Id, Kind, PublicKey, Verified};
use crate::store::segment;
use crate::tree::MerkleTree;

/// Everything that is accepted, durable or staged.
pub(super) struct State {
    pub(super) tree: MerkleTree,
    pub(super) ids: HashMap<Id, u64>,
    pub(super) heads: HashMap<PublicKey, Id>,
    pub(super) index: Index,
    pub(super) staged: Staged,
    pub(super) batch: Arc<Batch>,
    /// Why nothing is accepted any more.
    pub(super) failed: Option<Error>,
    pub(super) closing: bool,
    /// The log's own thread knows that something is staged.
    pub(super) watched: bool,
}

impl Log {
    /// Checks the signature of `event` and appends it.
    ///
    /// # Errors
    /// Those of [`Verified::new`] and of [`append_verified`](Self::append_verified).
    pub fn append(&self, event: Event<'static>) -> Result<Ticket, Error> {
        self.append_verified(Verified::new(event)?)
    }

    /// Appends an event. It is in the log for good once the ticket says so.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::ClockSkew`], [`ErrorKind::Duplicate`],
    /// [`ErrorKind::PreviousLink`]: the event is refused and nothing has changed.
    /// [`ErrorKind::Poisoned`]: an earlier commit failed.
    pub fn append_verified(&self, event: Verified) -> Result<Ticket, Error> {
        self.append_all(vec![(event, None)])
    }

    /// Appends events in this order, all of them or, if one is refused, none; they become durable
    /// together.
    ///
    /// # Errors
    /// As [`append_verified`](Self::append_verified), and [`ErrorKind::Invalid`] for none at all.
    pub fn append_batch(&self, events: Vec<Verified>) -> Result<Ticket, Error> {
        self.append_all(events.into_iter().map(|event| (event, None)).collect())
    }

    /// Appends a [`Kind::Record`] and stores its body beside it; the event is not durable before
    /// its body is.
    ///
    /// # Errors
    /// As [`append_verified`](Self::append_verified), and [`ErrorKind::Invalid`] if the event is
    /// no record or commits to another body.
    pub fn append_with_body(&self, event: Verified, body: Body) -> Result<Ticket, Error> {
        match event.event().kind() {
            Kind::Record { body: commitment, .. } if *commitment == body.commitment() => {}
            Kind::Record { .. } => return Err(invalid("the record commits to another body")),
            other => return Err(invalid(format!("a {} event has no body", other.name()))),
        }
        self.append_all(vec![(event, Some(body))])
    }

    fn append_all(&self, events: Vec<(Verified, Option<Body>)>) -> Result<Ticket, Error> {
        let shared = &self.shared;
        let bytes: usize = events.iter().map(|(event, _)| event.encoded().len() + 8).sum();
        if events.is_empty() {
            return Err(invalid("there is nothing to append"));
        }
        if bytes > shared.config.max_staged_bytes {
            let limit = shared.config.max_staged_bytes;
            let message = format!("a batch of {bytes} bytes is above max_staged_bytes, {limit}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let now = shared.config.clock.now_ms();
        let (receipt, batch, unwatched) = {
            let mut state = shared.wait_for_room(bytes);
            state.open()?;
            let receipt = state.stage(&events, now, &shared.config)?;
            (receipt, state.batch.clone(), !std::mem::replace(&mut state.watched, true))
        };
        match &self.committer {
            Some(_) if unwatched => shared.work.notify_one(),
            Some(_) => {}
            None => shared.commit_staged(),
        }
        Ok(Ticket::new(Arc::downgrade(shared), batch, receipt))
    }
}

impl Shared {
    /// Waits for nobody: who finds no room writes what takes it.
    fn wait_for_room(&self, bytes: usize) -> MutexGuard<'_, State> {
        loop {
            let state = self.state();
            let held = state.staged.bytes();
            let full = held > 0 && held + bytes > self.config.max_staged_bytes;
            if !full || state.failed.is_some() {
                return state;
            }
            drop(state);
            self.commit_staged();
        }
    }
}

impl State {
    fn open(&self) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some(cause) => Err(Error::caused(
                ErrorKind::Poisoned,
                "an earlier commit failed; open the log again to see what is durable",
                cause.clone(),
            )),
        }
    }

    /// Takes the events in; if one is refused, takes those before it out again.
    fn stage(
        &mut self,
        events: &[(Verified, Option<Body>)],
        now: u64,
        config: &Config,
    ) -> Result<Receipt, Error> {
        let first = self.tree.size();
        let mark = self.staged.mark();
        let mut heads = Vec::with_capacity(events.len());
        for (number, (event, body)) in events.iter().enumerate() {
            let refused = config.check_size_and_time(event, now).and_then(|()| self.admit(event));
            match refused {
                Ok(head) => heads.push(head),
                Err(error) => {
                    for ((event, _), head) in events[..number].iter().zip(heads).rev() {
                        self.retract(event, head);
                    }
                    self.tree.truncate(first);
                    self.index.truncate(first);
                    self.staged.reset_to(mark);
                    return Err(error);
                }
            }
            self.staged.push(event.encoded(), body.as_ref());
        }
        Ok(Receipt { index: first, count: events.len() as u64 })
    }

    /// Adds one event to tree, ids, heads and index; returns the author's earlier head.
    fn admit(&mut self, verified: &Verified) -> Result<Option<Id>, Error> {
        let event = verified.event();
        let id = verified.id();
        if let Some(index) = self.ids.get(&id) {
            let message = format!("event {id} is in the log already, as number {index}");
            return Err(Error::new(ErrorKind::Duplicate, message));
        }
        let head = self.heads.get(event.author()).copied();
        if let Some(previous) = event.previous()
            && head != Some(previous)
        {
            let latest = head.map_or("none".into(), |id| id.to_string());
            let message =
                format!("the previous link is {previous}, the author's latest event is {latest}");
            return Err(Error::new(ErrorKind::PreviousLink, message));
        }
        self.ids.insert(id, self.tree.size());
        self.heads.insert(*event.author(), id);
        self.tree.push(id);
        self.index.push(event);
        Ok(head)
    }

    fn retract(&mut self, verified: &Verified, head: Option<Id>) {
        self.ids.remove(&verified.id());
        let author = *verified.event().author();
        match head {
            Some(id) => self.heads.insert(author, id),
            None => self.heads.remove(&author),
        };
    }

    /// Takes an event in that the store holds already.
    pub(super) fn restore(&mut self, event: &Event<'_>, id: Id) -> Result<(), Error> {
        let index = self.tree.size();
        if self.ids.insert(id, index).is_some() {
            return Err(super::corrupt(format!("the store holds event {id} twice")));
        }
        self.heads.insert(*event.author(), id);
        self.tree.push(id);
        self.index.push(event);
        Ok(())
    }
}

impl Config {
    fn check_size_and_time(&self, verified: &Verified, now: u64) -> Result<(), Error> {
        let bytes = verified.encoded().len();
        if bytes > self.max_event_bytes {
            let limit = self.max_event_bytes;
            let message = format!("the event has {bytes} bytes, the limit is {limit}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let time = verified.event().time_ms();
        let ahead = time.saturating_sub(now);
        let behind = now.saturating_sub(time);
        let too_old = self.max_behind.is_some_and(|limit| u128::from(behind) > limit.as_millis());
        if u128::from(ahead) > self.max_ahead.as_millis() || too_old {
            let message = format!("the event's time is {time} ms, the clock says {now} ms");
            return Err(Error::new(ErrorKind::ClockSkew, message));
        }
        Ok(())
    }
}

/// How much was staged, to return to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    bytes: usize,
    records: usize,
    body_bytes: usize,
    bodies: usize,
}

impl Staged {
    /// Bytes that wait to be written.
    pub(super) fn bytes(&self) -> usize {
        if self.records.is_empty() { 0 } else { self.buffer.len() + self.body_buffer.len() }
    }

    fn push(&mut self, encoded: &[u8], body: Option<&Body>) {
        if self.buffer.is_empty() {
            segment::begin_commit(&mut self.buffer);
        }
        let offset = segment::put_record(&mut self.buffer, encoded);
        self.records.push((offset as u32, encoded.len() as u32));
        if let Some(body) = body {
            let hash = body.commitment().hash;
            let payload = [&hash.0[..], &body.salt, &body.bytes].concat();
            let offset = segment::put_record(&mut self.body_buffer, &payload);
            self.bodies.push((hash, offset as u64, payload.len() as u64));
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            bytes: self.buffer.len(),
            records: self.records.len(),
            body_bytes: self.body_buffer.len(),
            bodies: self.bodies.len(),
        }
    }

    fn reset_to(&mut self, mark: Mark) {
        self.buffer.truncate(mark.bytes);
        self.records.truncate(mark.records);
        self.body_buffer.truncate(mark.body_bytes);
        self.bodies.truncate(mark.bodies);
    }
}
