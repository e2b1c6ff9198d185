//! Bodies beside the log: written before their event, erased in place, told apart from lost ones.
//!
//! Body files hold records of commitment, salt and bytes. To erase one, a tombstone is appended to
//! the file `erased` and synced, and only then salt and bytes are overwritten with zeros: whatever
//! a crash interrupts, the tombstone finishes when the log is opened again.

use std::collections::HashMap;
use std::sync::Arc;

use super::index::Query;
use super::{Log, lock};
use crate::body::{Body, Commitment};
use crate::error::{Error, ErrorKind, invalid};
use crate::event::{Kind, KindTag};
use crate::hash::Hash;
use crate::store::segment::{RECORD_BYTES, payload_at, put_record};
use crate::store::{Files, StoredFile, io_error};

const ERASED: &str = "erased";
/// Commitment and salt come before the bytes.
const PREFIX_BYTES: u64 = 64;

/// That a body was erased on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When, in milliseconds of Unix time.
    pub time_ms: u64,
    /// Why.
    pub reason: String,
}

pub(super) struct Bodies {
    files: Vec<Arc<dyn StoredFile>>,
    /// Where the last file ends, or `None` if the next body begins a file.
    end: Option<u64>,
    /// The number in the next file's name.
    next_file: u64,
    places: HashMap<Hash, Place>,
    erased: HashMap<Hash, Erasure>,
    tombs: Option<(Arc<dyn StoredFile>, u64)>,
}

#[derive(Clone, Copy)]
struct Place {
    file: usize,
    offset: u64,
    length: u64,
}

impl Log {
    /// Erases the bodies of these records. Every proof still verifies; the salt is gone too, so
    /// the commitment says nothing about what was there. Durable when it returns; erasing twice
    /// is no error. Returns how many bodies were there to erase.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if one is no record (then nothing is erased), [`ErrorKind::NotFound`],
    /// [`ErrorKind::Io`].
    pub fn erase_bodies(&self, records: &[u64], reason: &str) -> Result<usize, Error> {
        let mut commitments = Vec::with_capacity(records.len());
        for index in records {
            match self.event(*index)?.kind() {
                Kind::Record { body, .. } => commitments.push(body.hash),
                other => {
                    let name = other.name();
                    return Err(invalid(format!("event {index} is a {name}, it has no body")));
                }
            }
        }
        let erasure = Erasure { time_ms: self.clock().now_ms(), reason: reason.to_owned() };
        let mut bodies = lock(&self.shared.bodies);
        bodies.erase(&*self.shared.files, &commitments, &erasure)
    }

    /// A retention policy: erases the bodies of all records made before `time_ms`.
    ///
    /// # Errors
    /// As [`erase_bodies`](Self::erase_bodies).
    pub fn erase_bodies_before(&self, time_ms: u64, reason: &str) -> Result<usize, Error> {
        let old =
            Query { kind: Some(KindTag::Record), until_ms: Some(time_ms), ..Query::default() };
        self.erase_bodies(&self.query(&old), reason)
    }

    /// When and why the body of this commitment was erased, if it was.
    pub fn erasure(&self, body: &Commitment) -> Option<Erasure> {
        lock(&self.shared.bodies).erased.get(&body.hash).cloned()
    }
}

impl Bodies {
    /// Reads tombstones and body files. Changes nothing; [`repair`](Self::repair) does.
    pub(super) fn read_all(files: &dyn Files, names: &[String]) -> Result<Self, Error> {
        let mut bodies = Bodies {
            files: Vec::new(),
            end: None,
            next_file: 0,
            places: HashMap::new(),
            erased: HashMap::new(),
            tombs: None,
        };
        if names.iter().any(|name| name == ERASED) {
            let file = files.open(ERASED).map_err(io_error("cannot open the tombstones"))?;
            let map = file.map().map_err(io_error("cannot read the tombstones"))?;
            let mut at = 0;
            while let Some(payload) = payload_at(&map, at + RECORD_BYTES) {
                if let Some((hash, erasure)) = Erasure::decode(payload) {
                    bodies.erased.insert(hash, erasure);
                }
                at += RECORD_BYTES + payload.len();
            }
            drop(map);
            bodies.tombs = Some((file, at as u64));
        }
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        for number in numbers {
            bodies.read_file(files, number)?;
        }
        Ok(bodies)
    }

    /// Finishes erasures that a crash interrupted, and cuts off a torn tombstone.
    pub(super) fn repair(&mut self) -> Result<(), Error> {
        if let Some((file, end)) = &self.tombs
            && file.length().map_err(io_error("cannot measure the tombstones"))? > *end
        {
            file.truncate(*end)
                .and_then(|()| file.sync())
                .map_err(io_error("cannot cut off a torn tombstone"))?;
        }
        let left: Vec<Hash> =
            self.erased.keys().filter(|hash| self.places.contains_key(hash)).copied().collect();
        self.wipe(&left)
    }

    /// Writes and syncs the records in `buffer`, which `bodies` describes.
    pub(super) fn append(
        &mut self,
        files: &dyn Files,
        buffer: &[u8],
        bodies: &[(Hash, u64, u64)],
    ) -> Result<(), Error> {
        const FILE_BYTES: u64 = 256 << 20;
        let failed = "cannot store bodies";
        let end = match self.end.filter(|end| *end < FILE_BYTES) {
            Some(end) => end,
            None => {
                let file = files.create(&name_of(self.next_file)).map_err(io_error(failed))?;
                files.sync_dir().map_err(io_error(failed))?;
                self.files.push(file);
                self.next_file += 1;
                0
            }
        };
        let Some(file) = self.files.last() else { return Ok(()) };
        self.end = None; // until it is known to be whole
        file.write_at(end, buffer).and_then(|()| file.sync()).map_err(io_error(failed))?;
        self.end = Some(end + buffer.len() as u64);
        let number = self.files.len() - 1;
        for (hash, offset, length) in bodies {
            let place = Place { file: number, offset: end + offset, length: *length };
            self.places.insert(*hash, place);
        }
        Ok(())
    }

    pub(super) fn read(&self, commitment: &Commitment) -> Result<Body, Error> {
        let hash = &commitment.hash;
        if let Some(erasure) = self.erased.get(hash) {
            let message =
                format!("the body {hash} was erased at {} ms: {}", erasure.time_ms, erasure.reason);
            return Err(Error::new(ErrorKind::Erased, message));
        }
        let lost = |why: &str| Error::new(ErrorKind::Lost, format!("the body {hash} {why}"));
        let place = self.places.get(hash).ok_or_else(|| lost("is not stored here"))?;
        let mut payload = vec![0; place.length as usize];
        self.files[place.file]
            .read_at(place.offset, &mut payload)
            .map_err(io_error(format!("cannot read the body {hash}")))?;
        let mut salt = [0; 32];
        salt.copy_from_slice(&payload[32..PREFIX_BYTES as usize]);
        payload.drain(..PREFIX_BYTES as usize);
        let body = Body { salt, bytes: payload };
        if body.commitment() != *commitment {
            let message = format!("the body {hash} does not match its commitment; it was damaged");
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        Ok(body)
    }

    fn erase(
        &mut self,
        files: &dyn Files,
        hashes: &[Hash],
        erasure: &Erasure,
    ) -> Result<usize, Error> {
        let fresh: Vec<Hash> =
            hashes.iter().filter(|hash| !self.erased.contains_key(hash)).copied().collect();
        if fresh.is_empty() {
            return Ok(0);
        }
        let failed = "cannot write a tombstone";
        let (file, end) = match self.tombs.take() {
            Some(tombs) => tombs,
            None => {
                let file = files.create(ERASED).map_err(io_error(failed))?;
                files.sync_dir().map_err(io_error(failed))?;
                (file, 0)
            }
        };
        let mut buffer = Vec::new();
        for hash in &fresh {
            put_record(&mut buffer, &erasure.encode(hash));
        }
        let written = file.write_at(end, &buffer).and_then(|()| file.sync());
        // Whatever was written after `end` is written over by the next one.
        self.tombs = Some((file, end));
        written.map_err(io_error(failed))?;
        if let Some((_, end)) = &mut self.tombs {
            *end += buffer.len() as u64;
        }
        for hash in &fresh {
            self.erased.insert(*hash, erasure.clone());
        }
        let there: Vec<Hash> =
            fresh.into_iter().filter(|hash| self.places.contains_key(hash)).collect();
        self.wipe(&there)?;
        Ok(there.len())
    }

    /// Overwrites salt and bytes with zeros, unless they are already.
    fn wipe(&mut self, hashes: &[Hash]) -> Result<(), Error> {
        let failed = "cannot overwrite an erased body";
        let mut touched = vec![false; self.files.len()];
        for hash in hashes {
            let Some(place) = self.places.get(hash) else { continue };
            let mut rest = vec![0; place.length.saturating_sub(32) as usize];
            let file = &self.files[place.file];
            file.read_at(place.offset + 32, &mut rest).map_err(io_error(failed))?;
            if rest.iter().any(|byte| *byte != 0) {
                rest.fill(0);
                file.write_at(place.offset + 32, &rest).map_err(io_error(failed))?;
                touched[place.file] = true;
            }
        }
        for (file, _) in self.files.iter().zip(touched).filter(|(_, touched)| *touched) {
            file.sync().map_err(io_error(failed))?;
        }
        Ok(())
    }

    fn read_file(&mut self, files: &dyn Files, number: u64) -> Result<(), Error> {
        let name = name_of(number);
        let failed = || io_error(format!("cannot read {name}"));
        let file = files.open(&name).map_err(failed())?;
        let map = file.map().map_err(failed())?;
        self.files.push(file);
        self.next_file = number + 1;
        let mut at = 0;
        // The checksum is not asked for here: an erased record has none, and a damaged one is
        // found out by its commitment when it is read.
        while let Some(header) = map.get(at..at + RECORD_BYTES) {
            let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let start = at + RECORD_BYTES;
            let Some(payload) = map.get(start..start + length) else { break };
            if payload.len() < PREFIX_BYTES as usize {
                break;
            }
            let mut hash = Hash::default();
            hash.0.copy_from_slice(&payload[..32]);
            let place =
                Place { file: self.files.len() - 1, offset: start as u64, length: length as u64 };
            self.places.insert(hash, place);
            at = start + length;
        }
        // Never written on after a torn tail: the next body begins a new file.
        self.end = (at == map.len()).then_some(at as u64);
        Ok(())
    }
}

impl Erasure {
    fn encode(&self, hash: &Hash) -> Vec<u8> {
        [&hash.0[..], &self.time_ms.to_le_bytes(), self.reason.as_bytes()].concat()
    }

    fn decode(payload: &[u8]) -> Option<(Hash, Erasure)> {
        let (hash, rest) = payload.split_first_chunk::<32>()?;
        let (time, reason) = rest.split_first_chunk::<8>()?;
        let reason = String::from_utf8_lossy(reason).into_owned();
        Some((Hash(*hash), Erasure { time_ms: u64::from_le_bytes(*time), reason }))
    }
}

fn name_of(number: u64) -> String {
    format!("{number:020}.body")
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".body")?.parse().ok()
}
