//! Checking a store from first to last without writing: structure, hashes, signatures, bodies.

use std::num::NonZeroUsize;

use super::recover;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Kind, verify_batch};
use crate::hash::Hash;
use crate::store::Files;
use crate::store::io_error;
use crate::store::segment::payload_at;

/// What [`fsck`] saw.
#[derive(Clone, Debug)]
pub struct FsckReport {
    /// How many whole events there are.
    pub events: u64,
    /// Their Merkle root.
    pub root: Hash,
    /// Bytes that a crash left behind the last whole commit; opening the log cuts them off.
    pub torn_bytes: u64,
    /// Bodies that were erased on purpose.
    pub erased_bodies: u64,
    /// What is wrong, in the order of the log.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The event.
    pub index: u64,
    /// What is wrong with it.
    pub error: Error,
}

/// Checks every checksum, the order and continuity of the segments, every leaf and root, every
/// signature (on up to `threads` threads), and every body against its commitment.
///
/// # Errors
/// [`ErrorKind::Io`] if the files cannot be read; [`ErrorKind::Corrupt`] or [`ErrorKind::Malformed`]
/// if the store is damaged so that a log would refuse to open it.
pub fn fsck(files: &dyn Files, threads: NonZeroUsize) -> Result<FsckReport, Error> {
    let found = recover::read(files)?;
    let tree = &found.state.tree;
    let root = tree.at(tree.size()).map_or(Hash::EMPTY_ROOT, |view| view.root());
    let mut report = FsckReport {
        events: tree.size(),
        root,
        torn_bytes: found.torn_bytes,
        erased_bodies: 0,
        findings: Vec::new(),
    };
    for segment in &found.segments {
        let map = segment.file.map().map_err(io_error("cannot read a segment"))?;
        for (chunk, records) in segment.records.chunks(4096).enumerate() {
            let first = segment.first + chunk as u64 * 4096;
            let mut events = Vec::with_capacity(records.len());
            for (offset, _) in records {
                let payload = payload_at(&map, *offset as usize).unwrap_or_default();
                events.push(Event::decode(payload)?);
            }
            for (index, event) in (first..).zip(&events) {
                if let Kind::Record { body, .. } = event.kind() {
                    match found.bodies.read(body) {
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::Erased => {
                            report.erased_bodies += 1;
                        }
                        Err(error) => report.findings.push(Finding { index, error }),
                    }
                }
            }
            for (index, result) in (first..).zip(verify_batch(events, threads)) {
                if let Err(error) = result {
                    report.findings.push(Finding { index, error });
                }
            }
        }
    }
    report.findings.sort_by_key(|finding| finding.index);
    Ok(report)
}
