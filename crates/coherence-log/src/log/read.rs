//! Reading what is durable: entries, events, scans, proofs, bodies.

use std::hash::{BuildHasher, RandomState};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, OnceLock, PoisonError};

use super::index::Query;
use super::{Log, corrupt, lock};
use crate::body::Body;
use crate::error::{Error, ErrorKind, invalid};
use crate::event::{Arena, Event, Id, Kind, entry_of};
use crate::hash::Hash;
use crate::store::segment::{Header, RECORD_BYTES, payload_at};
use crate::store::{Files, Map, StoredFile, io_error};

/// Where the bodies of stubbed entries are published: `large/<hash>`.
pub const LARGE_PREFIX: &str = "large/";

/// One segment file and where its events lie.
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) file: Arc<dyn StoredFile>,
    /// Offset and length of each payload.
    pub(super) records: Vec<(u32, u32)>,
    /// Made once the segment is complete.
    pub(super) map: OnceLock<Arc<Map>>,
}

impl Segment {
    /// The name of the segment that begins with event `first`.
    pub(super) fn name(first: u64) -> String {
        format!("{first:020}.seg")
    }

    /// The first event of the segment with this name.
    pub(super) fn first_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".seg")?;
        if digits.len() == 20 { digits.parse().ok() } else { None }
    }

    /// Begins an empty segment, durably.
    pub(super) fn create(
        files: &dyn Files,
        first: u64,
        root: Hash,
    ) -> Result<(Segment, Header), Error> {
        // Unpredictable is enough: a marker keeps payloads from passing for commits.
        let marker = RandomState::new().hash_one((first, root.0)).to_le_bytes();
        let header = Header { first, root, marker };
        let name = Segment::name(first);
        let create = || {
            let file = files.create(&name)?;
            file.write_at(0, &header.encode())?;
            file.sync()?;
            files.sync_dir()?;
            Ok(file)
        };
        let file = create().map_err(io_error(format!("cannot begin the segment {name}")))?;
        let segment = Segment { first, file, records: Vec::new(), map: OnceLock::new() };
        Ok((segment, header))
    }

    fn map(&self) -> Result<Arc<Map>, Error> {
        if let Some(map) = self.map.get() {
            return Ok(map.clone());
        }
        let map = Arc::new(self.file.map().map_err(io_error("cannot map a segment"))?);
        Ok(self.map.get_or_init(|| map).clone())
    }

    /// The bytes of some records and where their payloads begin in them.
    fn read(&self, records: &[(u32, u32)]) -> Result<(Arc<Map>, Vec<usize>), Error> {
        let (Some((first, _)), Some((last, length))) = (records.first(), records.last()) else {
            return Ok((Arc::new(Map::new(Vec::new())), Vec::new()));
        };
        let start = *first as usize - RECORD_BYTES;
        let mut bytes = vec![0; *last as usize + *length as usize - start];
        self.file.read_at(start as u64, &mut bytes).map_err(io_error("cannot read a segment"))?;
        let offsets = records.iter().map(|(offset, _)| *offset as usize - start).collect();
        Ok((Arc::new(Map::new(bytes)), offsets))
    }
}

impl Log {
    /// The id of event `index`, or `None` if there is none yet.
    pub fn id(&self, index: u64) -> Option<Id> {
        if index >= self.size() {
            return None;
        }
        self.shared.state().tree.leaves().get(index as usize).copied()
    }

    /// The index of an event, or `None` if it is not in the log.
    pub fn index_of(&self, id: &Id) -> Option<u64> {
        let index = self.shared.state().ids.get(id).copied()?;
        (index < self.size()).then_some(index)
    }

    /// The author's latest event, for the previous link of the next one.
    pub fn latest_of(&self, author: &crate::event::PublicKey) -> Option<Id> {
        let id = self.shared.state().heads.get(author).copied()?;
        self.index_of(&id).map(|_| id)
    }

    /// The encoded event `index`, its checksum verified.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub fn encoded(&self, index: u64) -> Result<Vec<u8>, Error> {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let number = segments.partition_point(|segment| segment.first <= index);
        let found = number.checked_sub(1).and_then(|number| {
            let segment = &segments[number];
            let record = segment.records.get((index - segment.first) as usize)?;
            Some((segment.file.clone(), *record))
        });
        drop(segments);
        let (file, (offset, length)) = match found {
            Some(found) if index < self.size() => found,
            _ => {
                let message = format!("there is no event {index}; the log has {}", self.size());
                return Err(Error::new(ErrorKind::NotFound, message));
            }
        };
        let mut bytes = vec![0; RECORD_BYTES + length as usize];
        file.read_at(u64::from(offset) - RECORD_BYTES as u64, &mut bytes)
            .map_err(io_error(format!("cannot read event {index}")))?;
        if payload_at(&bytes, RECORD_BYTES).is_none_or(|payload| payload.len() != length as usize) {
            return Err(corrupt(format!("event {index} does not match its checksum")));
        }
        bytes.drain(..RECORD_BYTES);
        Ok(bytes)
    }

    /// Event `index`.
    ///
    /// # Errors
    /// As [`encoded`](Self::encoded).
    pub fn event(&self, index: u64) -> Result<Event<'static>, Error> {
        Event::decode(&self.encoded(index)?)
    }

    /// The Merkle tree's entry `index`: the encoded event, or a stub with the hash of a large one.
    ///
    /// # Errors
    /// As [`encoded`](Self::encoded).
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        self.encoded(index).map(|bytes| entry_of(&bytes).into_owned())
    }

    /// Reads the events of `range` in order until `visit` breaks. They are decoded from mapped
    /// memory into an arena, a few hundred at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub fn scan(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(u64, &Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        const CHUNK: u64 = 256;
        let end = range.end.min(self.size());
        let mut at = range.start;
        let mut arena = Arena::new();
        while at < end {
            let (map, records) = self.locate(at, end.min(at + CHUNK))?;
            arena.reset();
            for offset in records {
                let payload = payload_at(&map, offset)
                    .ok_or_else(|| corrupt(format!("event {at} does not match its checksum")))?;
                if visit(at, arena.decode(payload)?).is_break() {
                    return Ok(());
                }
                at += 1;
            }
        }
        Ok(())
    }

    /// The indices of the events that `query` describes, in order.
    pub fn query(&self, query: &Query) -> Vec<u64> {
        self.shared.state().index.find(query, self.size())
    }

    /// The proof that event `index` is in the log of `size` events.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] unless `index < size` and `size` is at most the log's.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        let state = self.shared.state();
        let view = state.tree.at(size).filter(|_| size <= self.size());
        view.and_then(|view| view.inclusion(index)).ok_or_else(|| {
            let message = format!("there is no event {index} in a log of {size} events here");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The proof that the log of `new` events begins with the log of `old` events.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] unless `0 < old <= new` and `new` is at most the log's size.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let state = self.shared.state();
        let view = state.tree.at(new).filter(|_| new <= self.size());
        view.and_then(|view| view.consistency(old)).ok_or_else(|| {
            let message = format!("there is no proof from size {old} to size {new} here");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The root that the log had with `size` events.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it never had so many.
    pub fn root_at(&self, size: u64) -> Result<Hash, Error> {
        let state = self.shared.state();
        let view = state.tree.at(size).filter(|_| size <= self.size());
        view.map(|view| view.root()).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("the log never had {size} events"))
        })
    }

    /// Runs `with` on the tree, which may hold staged leaves beyond [`size`](Self::size).
    #[cfg(feature = "publish")]
    pub(crate) fn with_tree<T>(&self, with: impl FnOnce(&crate::tree::MerkleTree) -> T) -> T {
        with(&self.shared.state().tree)
    }

    /// The body of the record `index`, checked against the event.
    ///
    /// # Errors
    /// [`ErrorKind::Erased`] if it was erased on purpose, [`ErrorKind::Lost`] if it is not
    /// stored here, [`ErrorKind::Corrupt`] if it was damaged, [`ErrorKind::Invalid`] if the event is no record; those of
    /// [`encoded`](Self::encoded).
    pub fn body(&self, index: u64) -> Result<Body, Error> {
        let event = self.event(index)?;
        let Kind::Record { body, .. } = event.kind() else {
            return Err(invalid(format!("event {index} is no record, so it has no body")));
        };
        lock(&self.shared.bodies).read(body)
    }

    /// The bytes and the places in them of some events from `at` on, all in one segment.
    fn locate(&self, at: u64, end: u64) -> Result<(Arc<Map>, Vec<usize>), Error> {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let number = segments.partition_point(|segment| segment.first <= at).saturating_sub(1);
        let segment = &segments[number];
        let from = (at - segment.first) as usize;
        let to = segment.records.len().min((end - segment.first) as usize);
        let records = &segment.records[from..to];
        // A segment that still grows would have to be mapped again and again.
        if number + 1 == segments.len() {
            return segment.read(records);
        }
        Ok((segment.map()?, records.iter().map(|(offset, _)| *offset as usize).collect()))
    }
}
