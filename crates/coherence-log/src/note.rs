//! Signed notes, checkpoints and cosignatures in the formats of C2SP.
//!
//! signed-note: a text, a blank line, and lines `— name base64(key id, signature)`. A checkpoint
//! (tlog-checkpoint) is the text `origin`, `size`, `base64(root)`. A witness's cosignature
//! (tlog-cosignature, v1) signs the text behind the time at which it saw it.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, ErrorKind, invalid, malformed};
use crate::event::{Author, PublicKey, Signature, verify};
use crate::hash::Hash;

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1 << 16;

/// The most signatures that a note may have.
const MAX_SIGNATURES: usize = 100;

/// What a key of a note signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteAlgorithm {
    /// The text itself: a log's own signature. Algorithm byte 0x01.
    Ed25519,
    /// The text with a time before it: a witness's cosignature/v1. Algorithm byte 0x04.
    Cosignature,
}

/// A named public key, as in the C2SP vkey `name+id+base64(algorithm, key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    algorithm: NoteAlgorithm,
    key: PublicKey,
}

/// Somebody who signs notes.
#[derive(Clone, Debug)]
pub struct NoteSigner {
    key: NoteKey,
    author: Author,
}

/// A text and the signatures under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// What a log says of itself: so many entries, with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name that never changes, in the form of a URL without scheme.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Their Merkle root.
    pub root: Hash,
    /// Further lines, usually none.
    pub extensions: Vec<String>,
}

impl NoteKey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is empty or holds a space or a plus sign.
    pub fn new(name: &str, algorithm: NoteAlgorithm, key: PublicKey) -> Result<Self, Error> {
        check_name(name)?;
        Ok(NoteKey { name: name.to_owned(), algorithm, key })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if it is none, or the id is not that of the key.
    pub fn parse(vkey: &str) -> Result<Self, Error> {
        let bad = || malformed(format!("{vkey:?} is no verifier key"));
        let mut parts = vkey.splitn(3, '+');
        let (name, id, data) = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(id), Some(data)) => (name, id, data),
            _ => return Err(bad()),
        };
        let data = BASE64_STANDARD.decode(data).map_err(|_| bad())?;
        let (algorithm, key) = data.split_first().ok_or_else(bad)?;
        let algorithm = match algorithm {
            1 => NoteAlgorithm::Ed25519,
            4 => NoteAlgorithm::Cosignature,
            _ => return Err(bad()),
        };
        let key = NoteKey::new(name, algorithm, PublicKey(key.try_into().map_err(|_| bad())?))?;
        if key.to_string() != vkey {
            return Err(malformed(format!(
                "{vkey:?} has the id {id}, which is not that of its key"
            )));
        }
        Ok(key)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn algorithm(&self) -> NoteAlgorithm {
        self.algorithm
    }

    /// The first four bytes of SHA-256 of name, newline, algorithm and key.
    pub fn id(&self) -> [u8; 4] {
        let hash = Hash::of(&[self.name.as_bytes(), b"\n", &[self.algorithm.byte()], &self.key.0]);
        [hash.0[0], hash.0[1], hash.0[2], hash.0[3]]
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [&[self.algorithm.byte()][..], &self.key.0].concat();
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(data))
    }
}

impl NoteSigner {
    /// `author` signs under `name`.
    ///
    /// # Errors
    /// As [`NoteKey::new`].
    pub fn new(name: &str, algorithm: NoteAlgorithm, author: Author) -> Result<Self, Error> {
        Ok(NoteSigner { key: NoteKey::new(name, algorithm, author.key())?, author })
    }

    /// What others verify with.
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Signs `text`. The time only enters a cosignature.
    pub fn sign(&self, text: &str, time_secs: u64) -> NoteSignature {
        let bytes = match self.key.algorithm {
            NoteAlgorithm::Ed25519 => self.author.sign(text.as_bytes()).0.to_vec(),
            NoteAlgorithm::Cosignature => {
                let signature = self.author.sign(cosigned(text, time_secs).as_bytes());
                [&time_secs.to_be_bytes()[..], &signature.0].concat()
            }
        };
        NoteSignature { name: self.key.name.clone(), key_id: self.key.id(), bytes }
    }
}

impl NoteSignature {
    /// Who signed, by their own word.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [&self.key_id[..], &self.bytes].concat();
        writeln!(f, "\u{2014} {} {}", self.name, BASE64_STANDARD.encode(data))
    }
}

impl Note {
    /// A note without signatures.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if the text does not end with a newline or holds control
    /// characters.
    pub fn new(text: String) -> Result<Self, Error> {
        if !text.ends_with('\n') || text.chars().any(|c| c < ' ' && c != '\n') {
            return Err(malformed(
                "a note's text ends with a newline and holds no other control characters",
            ));
        }
        Ok(Note { text, signatures: Vec::new() })
    }

    /// Reads a note and verifies nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`], [`ErrorKind::TooLarge`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_NOTE_BYTES {
            let message =
                format!("the note has {} bytes, the limit is {MAX_NOTE_BYTES}", bytes.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let all = std::str::from_utf8(bytes).map_err(|_| malformed("the note is not UTF-8"))?;
        let split = all.rfind("\n\n").ok_or_else(|| malformed("the note has no signatures"))?;
        let mut note = Note::new(all[..=split].to_owned())?;
        let lines = all[split + 2..]
            .strip_suffix('\n')
            .ok_or_else(|| malformed("the note does not end with a newline"))?;
        for line in lines.split('\n') {
            if note.signatures.len() == MAX_SIGNATURES {
                return Err(malformed(format!("the note has over {MAX_SIGNATURES} signatures")));
            }
            note.signatures.push(parse_signature(line)?);
        }
        Ok(note)
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, of known and unknown keys.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, in place of one by the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures
            .retain(|old| (&old.name, old.key_id) != (&signature.name, signature.key_id));
        self.signatures.push(signature);
    }

    /// Verifies that `key` signed the text. For a cosignature, returns the time in seconds.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no signature by that name and id;
    /// [`ErrorKind::Signature`] if there is one and it is wrong.
    pub fn verify(&self, key: &NoteKey) -> Result<Option<u64>, Error> {
        let id = key.id();
        let mut signed = None;
        for line in self.signatures.iter().filter(|s| s.name == key.name && s.key_id == id) {
            signed = Some(key.check(&self.text, &line.bytes)?);
        }
        signed.ok_or_else(|| {
            let message = format!("the note carries no signature by {key}");
            Error::new(ErrorKind::NotFound, message)
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

impl Checkpoint {
    /// The text of the checkpoint, to be signed.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if origin or an extension is empty or holds control characters.
    pub fn to_note(&self) -> Result<Note, Error> {
        let root = BASE64_STANDARD.encode(self.root.0);
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        // Whatever does not read back is not written.
        match Checkpoint::parse(&text) {
            Ok(read) if read == *self => Note::new(text),
            _ => Err(malformed("the checkpoint's origin or an extension is not one line of text")),
        }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] unless it is exactly what [`to_note`](Self::to_note) writes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| malformed(format!("the checkpoint {what}"));
        let body = text.strip_suffix('\n').ok_or_else(|| bad("does not end with a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().unwrap_or_default().to_owned();
        let size = lines.next().ok_or_else(|| bad("has no size"))?;
        let root = lines.next().ok_or_else(|| bad("has no root"))?;
        let number: u64 = size.parse().map_err(|_| bad("has a size that is no number"))?;
        if number.to_string() != size {
            return Err(bad("writes its size with more than its digits"));
        }
        let root = BASE64_STANDARD.decode(root).map_err(|_| bad("has a root that is no base64"))?;
        let root = root.try_into().map_err(|_| bad("has a root that is not of 32 bytes"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let control = |line: &String| line.chars().any(|c| c < ' ');
        if origin.is_empty() || control(&origin) {
            return Err(bad("has no origin"));
        }
        if extensions.iter().any(|line| line.is_empty() || control(line)) {
            return Err(bad("has an extension line that is not one"));
        }
        Ok(Checkpoint { origin, size: number, root: Hash(root), extensions })
    }

    /// Reads a note that `key` has signed.
    ///
    /// # Errors
    /// As [`Note::parse`], [`Note::verify`] and [`parse`](Self::parse).
    pub fn open(note: &[u8], key: &NoteKey) -> Result<Self, Error> {
        let note = Note::parse(note)?;
        note.verify(key)?;
        Checkpoint::parse(&note.text)
    }
}

impl NoteAlgorithm {
    fn byte(self) -> u8 {
        match self {
            NoteAlgorithm::Ed25519 => 1,
            NoteAlgorithm::Cosignature => 4,
        }
    }
}

impl NoteKey {
    fn check(&self, text: &str, bytes: &[u8]) -> Result<Option<u64>, Error> {
        let wrong = || {
            let message = format!("the note's signature by {} is malformed", self.name);
            Error::new(ErrorKind::Signature, message)
        };
        match self.algorithm {
            NoteAlgorithm::Ed25519 => {
                let signature = Signature(bytes.try_into().map_err(|_| wrong())?);
                verify(&self.key, text.as_bytes(), &signature)?;
                Ok(None)
            }
            NoteAlgorithm::Cosignature => {
                let (time, signature) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
                let time = u64::from_be_bytes(*time);
                let signature = Signature(signature.try_into().map_err(|_| wrong())?);
                verify(&self.key, cosigned(text, time).as_bytes(), &signature)?;
                Ok(Some(time))
            }
        }
    }
}

fn cosigned(text: &str, time_secs: u64) -> String {
    format!("cosignature/v1\ntime {time_secs}\n{text}")
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ') {
        return Err(invalid(format!("{name:?} names no key; spaces and plus signs are reserved")));
    }
    Ok(())
}

fn parse_signature(line: &str) -> Result<NoteSignature, Error> {
    let bad = || malformed(format!("{line:?} is no signature line"));
    let (name, data) =
        line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or_else(bad)?;
    check_name(name).map_err(|_| bad())?;
    let data = BASE64_STANDARD.decode(data).map_err(|_| bad())?;
    let (key_id, bytes) = data.split_first_chunk::<4>().ok_or_else(bad)?;
    if bytes.is_empty() {
        return Err(bad());
    }
    Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
}
