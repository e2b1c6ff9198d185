//! Files that live as long as the process: for browsers, tests and logs that need no disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{Files, Map, StoredFile};

/// Files in memory. Clones share them, so a log can be closed and opened again.
#[derive(Clone, Default)]
pub struct MemoryFiles {
    files: Arc<Mutex<BTreeMap<String, Arc<MemoryFile>>>>,
}

impl MemoryFiles {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A directory that holds these files.
    pub fn with_contents(contents: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = contents
            .into_iter()
            .map(|(name, bytes)| (name, Arc::new(MemoryFile(Mutex::new(bytes)))))
            .collect();
        MemoryFiles { files: Arc::new(Mutex::new(files)) }
    }

    /// A copy of all files, by name.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.files).iter().map(|(name, file)| (name.clone(), lock(&file.0).clone())).collect()
    }
}

impl Files for MemoryFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.files).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = lock(&self.files).get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(file)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = Arc::new(MemoryFile::default());
        lock(&self.files).insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.files);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.files).remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl StoredFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = lock(&self.0);
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let from = bytes.get(start..).and_then(|tail| tail.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut bytes = lock(&self.0);
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        lock(&self.0).truncate(usize::try_from(length).map_err(io::Error::other)?);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Map> {
        Ok(Map::new(lock(&self.0).clone()))
    }
}

/// Nothing here can panic halfway through a change, so a poisoned lock guards good data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
