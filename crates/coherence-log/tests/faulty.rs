//! A disk that fails or loses power at any system call, and forgets what was not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use edgekit_coherence_log::store::{Files, Map, MemoryFiles, StoredFile};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails halfway, and later calls succeed.
    Fail,
    /// The power goes: it stops halfway, and nothing succeeds any more.
    Crash,
}

#[derive(Clone, Default)]
pub(crate) struct FaultyFiles(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending: Vec<Rename>,
    calls: usize,
    fault: Option<(usize, Fault)>,
    crashed: bool,
}

#[derive(Clone, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone)]
enum Rename {
    Put(String, usize),
    Remove(String),
}

impl FaultyFiles {
    pub(crate) fn new(fault: Option<(usize, Fault)>) -> Self {
        let files = FaultyFiles::default();
        files.0.lock().unwrap().fault = fault;
        files
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    /// Only the process ended: a new one finds everything, synced or not, and nothing fails.
    pub(crate) fn next_process(&self) {
        let mut disk = self.0.lock().unwrap();
        disk.crashed = false;
        disk.fault = None;
    }

    /// The files as a running machine sees them.
    pub(crate) fn seen(&self) -> MemoryFiles {
        let disk = self.0.lock().unwrap();
        let files =
            disk.names.iter().map(|(name, node)| (name.clone(), disk.nodes[*node].now.clone()));
        MemoryFiles::with_contents(files)
    }

    /// The files after the power came back: what was synced, and any part of the rest; with
    /// seed 0 nothing of the rest.
    pub(crate) fn after_power_loss(&self, seed: u64) -> MemoryFiles {
        let disk = self.0.lock().unwrap();
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut names = disk.durable_names.clone();
        let kept = if seed == 0 { 0 } else { rng.random_range(0..=disk.pending.len()) };
        for rename in &disk.pending[..kept] {
            match rename.clone() {
                Rename::Put(name, node) => names.insert(name, node),
                Rename::Remove(name) => names.remove(&name),
            };
        }
        let mut content = |node: &Node| {
            let mut bytes = node.durable.clone();
            for change in &node.pending {
                if seed == 0 || rng.random_bool(0.5) {
                    continue;
                }
                match change {
                    Change::Write(at, new) => {
                        let whole = rng.random_bool(0.5);
                        let part = if whole { new.len() } else { rng.random_range(0..=new.len()) };
                        write(&mut bytes, *at, &new[..part]);
                    }
                    Change::Truncate(length) => bytes.truncate(*length as usize),
                }
            }
            bytes
        };
        let files: Vec<_> =
            names.iter().map(|(name, node)| (name.clone(), content(&disk.nodes[*node]))).collect();
        MemoryFiles::with_contents(files)
    }
}

fn write(bytes: &mut Vec<u8>, at: u64, new: &[u8]) {
    let end = at as usize + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at as usize..end].copy_from_slice(new);
}

impl Disk {
    /// Counts a call that changes something; an error is this call's fate.
    fn call(&mut self) -> io::Result<()> {
        let number = self.calls;
        self.calls += 1;
        if self.crashed {
            return Err(io::Error::other("the power is off"));
        }
        match self.fault {
            Some((at, fault)) if at == number => {
                self.crashed = fault == Fault::Crash;
                Err(io::Error::other("injected"))
            }
            _ => Ok(()),
        }
    }
}

impl Files for FaultyFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let node = *self.0.lock().unwrap().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(FaultyFile { disk: self.0.clone(), node }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let mut disk = self.0.lock().unwrap();
        disk.call()?;
        disk.nodes.push(Node::default());
        let node = disk.nodes.len() - 1;
        disk.names.insert(name.into(), node);
        disk.pending.push(Rename::Put(name.into(), node));
        Ok(Arc::new(FaultyFile { disk: self.0.clone(), node }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.call()?;
        let node = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.into(), node);
        disk.pending.extend([Rename::Put(to.into(), node), Rename::Remove(from.into())]);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.call()?;
        disk.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        disk.pending.push(Rename::Remove(name.into()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.call()?;
        disk.durable_names = disk.names.clone();
        disk.pending.clear();
        Ok(())
    }
}

struct FaultyFile {
    disk: Arc<Mutex<Disk>>,
    node: usize,
}

impl StoredFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.lock().unwrap().nodes[self.node].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let disk = self.disk.lock().unwrap();
        let from =
            disk.nodes[self.node].now.get(offset as usize..).and_then(|x| x.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap();
        let alive = !disk.crashed;
        let fate = disk.call();
        let done = if fate.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        if alive {
            let node = &mut disk.nodes[self.node];
            write(&mut node.now, offset, done);
            node.pending.push(Change::Write(offset, done.to_vec()));
        }
        fate
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap();
        disk.call()?;
        let node = &mut disk.nodes[self.node];
        node.now.truncate(length as usize);
        node.pending.push(Change::Truncate(length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap();
        disk.call()?;
        let node = &mut disk.nodes[self.node];
        node.durable = node.now.clone();
        node.pending.clear();
        Ok(())
    }

    fn map(&self) -> io::Result<Map> {
        Ok(Map::new(self.disk.lock().unwrap().nodes[self.node].now.clone()))
    }
}
