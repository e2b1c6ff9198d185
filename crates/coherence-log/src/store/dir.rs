//! A directory of the file system, held by one process at a time.
#![allow(unsafe_code, reason = "a memory map is only as immutable as its file")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::files::{Files, Map, StoredFile};

/// Files of one directory. While it is open a lock keeps other processes out.
pub struct DirFiles {
    path: PathBuf,
    /// `None` if the files are only looked at.
    lock: Option<File>,
}

impl DirFiles {
    const LOCK: &'static str = "lock";

    /// Opens the directory, making it if it is not there, and locks it.
    ///
    /// # Errors
    /// Those of the file system; `WouldBlock` if another process, or another log of this one, has
    /// the directory open.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        fs::create_dir_all(&path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory(parent)?;
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(Self::LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(DirFiles { path, lock: Some(lock) }),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is open elsewhere; a store has one writer", path.display()),
            )),
        }
    }

    /// Looks at the directory without lock and without writing; everything that would write is
    /// refused. A log that writes there meanwhile may show a torn tail.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn inspect(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        fs::read_dir(&path)?;
        Ok(DirFiles { path, lock: None })
    }

    fn file(&self, name: &str, options: &mut OpenOptions) -> io::Result<Arc<dyn StoredFile>> {
        let file = options.read(true).write(self.lock.is_some()).open(self.path.join(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn writable(&self) -> io::Result<()> {
        if self.lock.is_some() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Files for DirFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string()
                && name != Self::LOCK
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.file(name, &mut OpenOptions::new())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.writable()?;
        self.file(name, OpenOptions::new().create(true).truncate(true))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

struct DiskFile(File);

impl StoredFile for DiskFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => (offset, buffer) = (offset + n as u64, &mut buffer[n..]),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => (offset, bytes) = (offset + n as u64, &bytes[n..]),
            }
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn map(&self) -> io::Result<Map> {
        // SAFETY: the mapped bytes must not change or vanish while the map lives. The directory is
        // locked against other logs, and this one appends to a segment, never rewrites what it
        // holds, and truncates only while it opens the store, before it maps anything for keeps.
        let map = unsafe { Mmap::map(&self.0)? };
        Ok(Map::new(map))
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // Windows offers no handle of a directory to sync; its file systems journal names themselves.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
