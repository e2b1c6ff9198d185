//! Opening a store: read every segment, refuse damage, cut off what a crash left incomplete.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock};

use super::bodies::Bodies;
use super::commit::{Batch, Staged, Writer};
use super::index::Index;
use super::ingest::State;
use super::read::Segment;
use super::{Config, Shared, corrupt};
use crate::error::Error;
use crate::event::{Arena, entry_of};
use crate::hash::{Hash, leaf_hash};
use crate::store::segment::{self, HEADER_BYTES, Header};
use crate::store::{Files, StoredFile, io_error, replace};
use crate::tree::MerkleTree;

const HEAD: &str = "head";
const HEAD_MAGIC: &[u8; 8] = b"EKHEAD\0\x01";

/// A store as it was read, before anything in it is changed.
pub(super) struct Found {
    pub(super) state: State,
    pub(super) segments: Vec<Segment>,
    pub(super) bodies: Bodies,
    /// The last segment, its header and where its whole commits end.
    last: Option<(Arc<dyn StoredFile>, Header, u64)>,
    /// Files that a crash left and that are to be removed.
    leftovers: Vec<String>,
    /// Bytes behind the last whole commit.
    pub(super) torn_bytes: u64,
}

impl Shared {
    pub(super) fn recover(files: Box<dyn Files>, config: Config) -> Result<Shared, Error> {
        config.check()?;
        let mut found = read(&*files)?;
        let failed = || io_error("cannot repair the store after a crash");
        for name in &found.leftovers {
            files.remove(name).map_err(failed())?;
        }
        let (file, header, end) = match found.last.take() {
            Some((file, header, end)) => {
                if found.torn_bytes > 0 {
                    file.truncate(end).map_err(failed())?;
                }
                (file, header, end)
            }
            None => {
                let (segment, header) = Segment::create(&*files, 0, Hash::EMPTY_ROOT)?;
                let file = segment.file.clone();
                found.segments.push(segment);
                (file, header, HEADER_BYTES as u64)
            }
        };
        // What was read may only be in the page cache; from here on it counts as durable.
        file.sync().map_err(failed())?;
        found.bodies.repair()?;
        files.sync_dir().map_err(failed())?;
        let size = found.state.tree.size();
        Ok(Shared {
            files,
            config,
            writer: Mutex::new(Writer { file, header, end, next: size, spare: Vec::new() }),
            state: Mutex::new(found.state),
            segments: RwLock::new(found.segments),
            bodies: Mutex::new(found.bodies),
            durable: AtomicU64::new(size),
            work: Condvar::new(),
            hurry: AtomicBool::new(false),
        })
    }
}

/// Reads a store from first to last and writes nothing.
pub(super) fn read(files: &dyn Files) -> Result<Found, Error> {
    let names = files.list().map_err(io_error("cannot list the store's files"))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| Segment::first_of(name)).collect();
    firsts.sort_unstable();
    let mut found = Found {
        state: State {
            tree: MerkleTree::new(),
            ids: Default::default(),
            heads: Default::default(),
            index: Index::default(),
            staged: Staged::default(),
            batch: Arc::new(Batch::free()),
            failed: None,
            closing: false,
            watched: false,
        },
        segments: Vec::new(),
        bodies: Bodies::read_all(files, &names)?,
        last: None,
        leftovers: names.iter().filter(|name| name.ends_with(".new")).cloned().collect(),
        torn_bytes: 0,
    };
    for (number, first) in firsts.iter().enumerate() {
        read_segment(files, *first, number + 1 == firsts.len(), &mut found)?;
    }
    check_head(files, &names, &found.state.tree)?;
    Ok(found)
}

/// Leaves word that the log had this size and root, durably. A store that later has less is
/// refused: nothing that was signed for can be lost silently.
pub(super) fn write_head(files: &dyn Files, size: u64, root: &Hash) -> Result<(), Error> {
    let mut bytes = HEAD_MAGIC.to_vec();
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&root.0);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    replace(files, HEAD, &bytes).map_err(io_error("cannot record the log's size"))
}

fn read_segment(
    files: &dyn Files,
    first: u64,
    is_last: bool,
    found: &mut Found,
) -> Result<(), Error> {
    let name = Segment::name(first);
    let failed = || io_error(format!("cannot read {name}"));
    let file = files.open(&name).map_err(failed())?;
    let map = file.map().map_err(failed())?;
    let header = match Header::decode(&map) {
        Ok(header) => header,
        // Its header was being written when the crash came; nothing can have followed, and the
        // segment before it goes on being the last.
        Err(_) if is_last && map.len() <= HEADER_BYTES => {
            found.leftovers.push(name);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let tree = &found.state.tree;
    let root = tree.at(tree.size()).map_or(Hash::EMPTY_ROOT, |view| view.root());
    if header.first != first || first != tree.size() || header.root != root {
        return Err(corrupt(format!(
            "{name} does not continue the log: before it there are {} events with root {root}",
            tree.size()
        )));
    }
    let scan = segment::scan(&map, &header)?;
    let torn = (map.len() - scan.end) as u64;
    if torn > 0 && !is_last {
        return Err(corrupt(format!("{name} is damaged from byte {} on", scan.end)));
    }
    let mut arena = Arena::new();
    for chunk in scan.records.chunks(1024) {
        arena.reset();
        for (offset, length) in chunk {
            let payload = &map[*offset as usize..(*offset + *length) as usize];
            let event = arena.decode(payload)?;
            found.state.restore(event, leaf_hash(&entry_of(payload)))?;
        }
    }
    drop(map);
    found.torn_bytes = torn;
    found.last = Some((file.clone(), header, scan.end as u64));
    found.segments.push(Segment { first, file, records: scan.records, map: OnceLock::new() });
    Ok(())
}

fn check_head(files: &dyn Files, names: &[String], tree: &MerkleTree) -> Result<(), Error> {
    if !names.iter().any(|name| name == HEAD) {
        return Ok(());
    }
    let failed = || io_error("cannot read the recorded size");
    let map = files.open(HEAD).and_then(|file| file.map()).map_err(failed())?;
    let body = map.get(..48).filter(|body| {
        map.len() == 52
            && body[..8] == *HEAD_MAGIC
            && map[48..] == crc32c::crc32c(body).to_le_bytes()
    });
    let Some(body) = body else {
        return Err(corrupt("the file `head` is damaged; fsck the store, then remove that file"));
    };
    let (mut size, mut root) = ([0; 8], Hash::default());
    size.copy_from_slice(&body[8..16]);
    root.0.copy_from_slice(&body[16..48]);
    let size = u64::from_le_bytes(size);
    match tree.at(size).map(|view| view.root()) {
        Some(actual) if actual == root => Ok(()),
        Some(actual) => Err(corrupt(format!(
            "the log had root {root} with {size} events, now it has {actual}; its files were changed"
        ))),
        None => Err(corrupt(format!(
            "the log had {size} events and now has {}; its files were cut off",
            tree.size()
        ))),
    }
}
