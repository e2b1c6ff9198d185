//! A witness: cosigns a checkpoint only if it extends the last one that it cosigned.
//!
//! What it has seen is on disk before its signature leaves it, so that no crash lets it sign two
//! histories. The requests are those of C2SP tlog-witness; the HTTP around them is the host's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, ErrorKind, invalid, malformed};
use crate::hash::Hash;
use crate::log::Clock;
use crate::note::{Checkpoint, Note, NoteAlgorithm, NoteKey, NoteSignature, NoteSigner};
use crate::proof::verify_extension;
use crate::store::{Files, io_error, replace};

/// The most hashes that a consistency proof can have.
const MAX_PROOF: usize = 63;
const MAGIC: &[u8; 8] = b"EKWITN\0\x01";

/// Watches logs and cosigns their checkpoints.
pub struct Witness {
    files: Box<dyn Files>,
    signer: NoteSigner,
    clock: Clock,
    logs: BTreeMap<String, NoteKey>,
    /// Size and root of the last checkpoint that was cosigned, by origin.
    seen: Mutex<BTreeMap<String, (u64, Hash)>>,
}

/// A request to cosign: the size that the witness is thought to know, the proof from there, and
/// the log's signed checkpoint. [`Display`](fmt::Display) writes the body of a C2SP
/// `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The size that the proof begins at.
    pub old_size: u64,
    /// From there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Note,
}

impl Witness {
    /// A witness that signs as `signer` and keeps what it has seen in `files`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] unless the signer makes cosignatures; [`ErrorKind::Io`];
    /// [`ErrorKind::Corrupt`] if what it had seen is damaged: it then signs nothing.
    pub fn open(files: impl Files, signer: NoteSigner, clock: Clock) -> Result<Self, Error> {
        if signer.key().algorithm() != NoteAlgorithm::Cosignature {
            return Err(invalid("a witness signs with NoteAlgorithm::Cosignature"));
        }
        let mut seen = BTreeMap::new();
        for name in files.list().map_err(io_error("cannot list what the witness has seen"))? {
            if name.ends_with(".seen") {
                let (origin, size, root) = read_seen(&files, &name)?;
                seen.insert(origin, (size, root));
            }
        }
        let logs = BTreeMap::new();
        Ok(Witness { files: Box::new(files), signer, clock, logs, seen: Mutex::new(seen) })
    }

    /// Watches the log `origin`, whose checkpoints `key` signs.
    pub fn watch(&mut self, origin: &str, key: NoteKey) {
        self.logs.insert(origin.to_owned(), key);
    }

    /// The size of the last checkpoint of `origin` that was cosigned; 0 if there was none.
    pub fn seen_size(&self, origin: &str) -> u64 {
        self.seen().get(origin).map_or(0, |(size, _)| *size)
    }

    /// Cosigns a checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a log that is not watched (HTTP 404) or not signed by its key
    /// (403), [`ErrorKind::Signature`] (403), [`ErrorKind::Invalid`] if the old size is above the
    /// new one (400), [`ErrorKind::Conflict`] if the old size is not the one it has seen, or the
    /// root differs at the same size (409, with [`seen_size`](Self::seen_size)),
    /// [`ErrorKind::Proof`] (422), [`ErrorKind::Io`].
    pub fn cosign(&self, submission: &Submission) -> Result<NoteSignature, Error> {
        let Submission { old_size, proof, note } = submission;
        let checkpoint = Checkpoint::parse(note.text())?;
        let origin = &checkpoint.origin;
        let key = self.logs.get(origin).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("the log {origin} is not watched here"))
        })?;
        note.verify(key)?;
        if *old_size > checkpoint.size {
            let message = format!("the old size {old_size} is above the new, {}", checkpoint.size);
            return Err(invalid(message));
        }
        // Held until the new size is on disk: two requests must not both extend the same one.
        let mut seen = self.seen();
        let (size, root) = seen.get(origin).copied().unwrap_or((0, Hash::EMPTY_ROOT));
        if *old_size != size {
            let message = format!("{origin} was last seen with {size} entries, not {old_size}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if size == checkpoint.size && root != checkpoint.root {
            let message = format!("{origin} shows two roots for {size} entries");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        verify_extension(size, &root, checkpoint.size, &checkpoint.root, proof)?;
        write_seen(&*self.files, &checkpoint)?;
        seen.insert(origin.clone(), (checkpoint.size, checkpoint.root));
        Ok(self.signer.sign(note.text(), self.clock.now_ms() / 1000))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (u64, Hash)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Submission {
    /// Reads the body of an `add-checkpoint` request.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let bad = |what: &str| malformed(format!("the request {what}"));
        let split = body.windows(2).position(|two| two == b"\n\n");
        let split = split.ok_or_else(|| bad("holds no checkpoint"))?;
        let head = std::str::from_utf8(&body[..split]).map_err(|_| bad("is not UTF-8"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or_else(|| bad("does not begin with the old size"))?;
        let old_size: u64 = old.parse().map_err(|_| bad("has an old size that is no number"))?;
        if old_size.to_string() != old {
            return Err(bad("writes the old size with more than its digits"));
        }
        let mut proof = Vec::new();
        for line in lines {
            let hash = BASE64_STANDARD.decode(line).map_err(|_| bad("has a hash not in base64"))?;
            proof.push(Hash(hash.try_into().map_err(|_| bad("has a hash not of 32 bytes"))?));
            if proof.len() > MAX_PROOF {
                return Err(bad("has a proof of over 63 hashes"));
            }
        }
        Ok(Submission { old_size, proof, note: Note::parse(&body[split + 2..])? })
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// The origin may hold anything; its hash is a file name.
fn seen_name(origin: &str) -> String {
    format!("{}.seen", Hash::of(&[origin.as_bytes()]))
}

fn write_seen(files: &dyn Files, checkpoint: &Checkpoint) -> Result<(), Error> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&checkpoint.size.to_le_bytes());
    bytes.extend_from_slice(&checkpoint.root.0);
    bytes.extend_from_slice(checkpoint.origin.as_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    replace(files, &seen_name(&checkpoint.origin), &bytes)
        .map_err(io_error("cannot record what the witness has seen; nothing is signed"))
}

fn read_seen(files: &dyn Files, name: &str) -> Result<(String, u64, Hash), Error> {
    let map = files
        .open(name)
        .and_then(|file| file.map())
        .map_err(io_error("cannot read what the witness has seen"))?;
    let damaged =
        || Error::new(ErrorKind::Corrupt, format!("the witness's file {name} is damaged"));
    let (body, crc) = map.split_last_chunk::<4>().ok_or_else(damaged)?;
    let rest = body.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (size, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (root, origin) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
    let origin = std::str::from_utf8(origin).map_err(|_| damaged())?;
    if crc32c::crc32c(body).to_le_bytes() != *crc || name != seen_name(origin) {
        return Err(damaged());
    }
    Ok((origin.to_owned(), u64::from_le_bytes(*size), Hash(*root)))
}
