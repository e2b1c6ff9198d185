//! The format of a segment file: a header, then commits, each of them whole or not there.
//!
//! ```text
//! header  "EKLOGSEG" version:u32 0:u32 first:u64 root[32] marker[8] crc:u32 0:u32   (72 bytes)
//! commit  "CMT1" first:u64 count:u32 bytes:u32 marker[8] crc:u32                    (32 bytes)
//! record  length:u32 crc:u32 payload                                 (`count` of them)
//! ```
//! Little endian; `crc` is CRC32C of all that precedes it in the header, or of length and payload
//! of a record. The marker is unlike in each segment: what a stranger writes into a payload does
//! not pass for a commit.
//!
//! A crash while a commit is written leaves it incomplete at the end of the last segment. Nobody
//! was told that its events were durable, so it is cut off. Anything incomplete *before* an intact
//! commit was durable once: that is damage, and it is reported, never repaired by forgetting.

use crate::error::{Error, ErrorKind};
use crate::hash::Hash;

pub(crate) const HEADER_BYTES: usize = 72;
pub(crate) const COMMIT_BYTES: usize = 32;
pub(crate) const RECORD_BYTES: usize = 8;

const MAGIC: &[u8; 8] = b"EKLOGSEG";
const VERSION: u32 = 1;
const COMMIT_MAGIC: &[u8; 4] = b"CMT1";

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The index of its first event.
    pub(crate) first: u64,
    /// The root of the log before its first event.
    pub(crate) root: Hash,
    /// What its commits are known by.
    pub(crate) marker: [u8; 8],
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..56].copy_from_slice(&self.root.0);
        out[56..64].copy_from_slice(&self.marker);
        let crc = crc32c::crc32c(&out[..64]);
        out[64..68].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, format!("a segment {what}"));
        let header =
            bytes.first_chunk::<HEADER_BYTES>().ok_or_else(|| corrupt("has no whole header"))?;
        if header[..8] != *MAGIC {
            return Err(corrupt("does not begin with EKLOGSEG"));
        }
        if u32_at(header, 64) != crc32c::crc32c(&header[..64]) {
            return Err(corrupt("header does not match its checksum"));
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            let message = format!("a segment has format version {version}, this build reads 1");
            return Err(Error::new(ErrorKind::Version, message));
        }
        let (mut root, mut marker) = (Hash::default(), [0; 8]);
        root.0.copy_from_slice(&header[24..56]);
        marker.copy_from_slice(&header[56..64]);
        Ok(Header { first: u64_at(header, 16), root, marker })
    }
}

/// Starts a commit in an empty buffer; its header is written by [`finish_commit`].
pub(crate) fn begin_commit(out: &mut Vec<u8>) {
    out.clear();
    out.resize(COMMIT_BYTES, 0);
}

/// Adds a record and returns where its payload begins.
pub(crate) fn put_record(out: &mut Vec<u8>, payload: &[u8]) -> usize {
    let length = (payload.len() as u32).to_le_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&length), payload);
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(payload);
    out.len() - payload.len()
}

/// Writes the header of the commit that `out` holds.
pub(crate) fn finish_commit(out: &mut [u8], first: u64, count: u32, marker: &[u8; 8]) {
    let bytes = (out.len() - COMMIT_BYTES) as u32;
    out[..4].copy_from_slice(COMMIT_MAGIC);
    out[4..12].copy_from_slice(&first.to_le_bytes());
    out[12..16].copy_from_slice(&count.to_le_bytes());
    out[16..20].copy_from_slice(&bytes.to_le_bytes());
    out[20..28].copy_from_slice(marker);
    let crc = crc32c::crc32c(&out[..28]);
    out[28..32].copy_from_slice(&crc.to_le_bytes());
}

/// Where the payload of each intact record lies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Offset and length of each payload.
    pub(crate) records: Vec<(u32, u32)>,
    /// Where the intact commits end.
    pub(crate) end: usize,
}

/// Reads all intact commits of a segment.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if damage is followed by an intact commit.
pub(crate) fn scan(bytes: &[u8], header: &Header) -> Result<Scan, Error> {
    let mut scan = Scan { records: Vec::new(), end: HEADER_BYTES.min(bytes.len()) };
    loop {
        let next = header.first + scan.records.len() as u64;
        let Some(end) = scan_commit(bytes, scan.end, next, header, &mut scan.records) else {
            break;
        };
        scan.end = end;
    }
    let next = header.first + scan.records.len() as u64;
    for at in scan.end + 1..bytes.len().saturating_sub(COMMIT_BYTES - 1) {
        if let Some((first, ..)) = commit_at(bytes, at, &header.marker)
            && first > next
        {
            let end = scan.end;
            let message = format!(
                "event {next} at byte {end} of the segment of event {} is damaged, and event \
                 {first} after it is not; restore the file from a copy",
                header.first
            );
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
    }
    Ok(scan)
}

/// The payload of the record whose payload begins at `offset`, if it is intact.
pub(crate) fn payload_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let start = offset.checked_sub(RECORD_BYTES)?;
    let length = bytes.get(start..start + 4)?;
    let crc = u32_at(bytes.get(..offset)?, start + 4);
    let payload = bytes.get(offset..)?.get(..u32_at(length, 0) as usize)?;
    let actual = crc32c::crc32c_append(crc32c::crc32c(length), payload);
    (actual == crc).then_some(payload)
}

/// Reads the commit at `at` if it is intact, continues at event `next` and is not empty.
fn scan_commit(
    bytes: &[u8],
    at: usize,
    next: u64,
    header: &Header,
    records: &mut Vec<(u32, u32)>,
) -> Option<usize> {
    let (first, count, length) = commit_at(bytes, at, &header.marker)?;
    let start = at + COMMIT_BYTES;
    let end = start.checked_add(length as usize)?;
    let commit = bytes.get(..end)?;
    if first != next || count == 0 {
        return None;
    }
    let known = records.len();
    let mut offset = start;
    for _ in 0..count {
        match payload_at(commit, offset + RECORD_BYTES) {
            Some(payload) => {
                records.push(((offset + RECORD_BYTES) as u32, payload.len() as u32));
                offset += RECORD_BYTES + payload.len();
            }
            None => break,
        }
    }
    if records.len() - known == count as usize && offset == end {
        return Some(end);
    }
    records.truncate(known);
    None
}

/// First index, count and length of the commit header at `at`, if there is one.
fn commit_at(bytes: &[u8], at: usize, marker: &[u8; 8]) -> Option<(u64, u32, u32)> {
    let header = bytes.get(at..)?.first_chunk::<COMMIT_BYTES>()?;
    let intact = header[..4] == *COMMIT_MAGIC
        && header[20..28] == *marker
        && u32_at(header, 28) == crc32c::crc32c(&header[..28]);
    intact.then(|| (u64_at(header, 4), u32_at(header, 12), u32_at(header, 16)))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(commits: &[&[&[u8]]]) -> (Header, Vec<u8>, Vec<usize>) {
        let header = Header { first: 10, root: Hash([3; 32]), marker: *b"markers!" };
        let (mut bytes, mut next) = (header.encode().to_vec(), header.first);
        let mut ends = vec![bytes.len()];
        for payloads in commits {
            let mut commit = Vec::new();
            begin_commit(&mut commit);
            for payload in *payloads {
                put_record(&mut commit, payload);
            }
            finish_commit(&mut commit, next, payloads.len() as u32, &header.marker);
            next += payloads.len() as u64;
            bytes.extend(commit);
            ends.push(bytes.len());
        }
        (header, bytes, ends)
    }

    #[test]
    fn every_truncation_keeps_exactly_the_whole_commits() {
        let (header, bytes, ends) = segment(&[&[b"a", b""], &[b"bcd"], &[b"efg", b"h", b"i"]]);
        assert_eq!(Header::decode(&bytes).unwrap(), header);
        let counts = [0, 2, 3, 6];
        for length in HEADER_BYTES..=bytes.len() {
            let found = scan(&bytes[..length], &header).unwrap();
            let whole = ends.iter().filter(|end| **end <= length).count() - 1;
            assert_eq!((found.records.len(), found.end), (counts[whole], ends[whole]));
        }
    }

    #[test]
    fn every_flipped_bit_is_a_torn_tail_or_damage_and_never_other_data() {
        let (header, bytes, ends) = segment(&[&[b"a", b""], &[b"bcd"], &[b"efg", b"h"]]);
        for at in HEADER_BYTES..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                match scan(&flipped, &header) {
                    Ok(found) => assert_eq!((found.end, found.records.len()), (ends[2], 3)),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt);
                        assert!(at < ends[2], "the last commit is indistinguishable from torn");
                    }
                }
            }
        }
        for at in 0..HEADER_BYTES {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let unused = (12..16).contains(&at) || at >= 68;
            assert!(Header::decode(&flipped).is_err() || unused && at >= 68, "byte {at}");
        }
    }

    #[test]
    fn a_payload_that_looks_like_a_commit_is_none() {
        let mut fake = Vec::new();
        begin_commit(&mut fake);
        put_record(&mut fake, b"x");
        finish_commit(&mut fake, 99, 1, b"guessed!");
        let (header, bytes, ends) = segment(&[&[b"a"], &[&fake]]);
        let torn = &bytes[..bytes.len() - 1];
        assert_eq!(scan(torn, &header).unwrap().end, ends[1]);
    }
}
