//! Publishing a log as static files: tiles that never change, then the checkpoint that names them.
//!
//! Any object store will do. A reader needs nothing but the files: the layout is C2SP tlog-tiles,
//! so every client of that reads it. Entries above 65,535 bytes are stubs in the tiles; the event
//! itself is published as `large/<hash>`.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, ErrorKind};
use crate::event::{entry_of, stub_hash};
use crate::hash::Hash;
use crate::log::{LARGE_PREFIX, Log};
use crate::note::{Checkpoint, Note, NoteAlgorithm, NoteSigner};
use crate::proof::verify_extension;
use crate::tile::{Row, Tile, entry_bundle, tiles_between};

const CHECKPOINT: &str = "checkpoint";

/// Publishes one log to one object store.
pub struct Publisher {
    store: Arc<dyn ObjectStore>,
    origin: String,
    signer: NoteSigner,
}

impl Publisher {
    /// Publishes as `origin`, signed by `signer`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the signer makes cosignatures.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        origin: &str,
        signer: NoteSigner,
    ) -> Result<Self, Error> {
        if signer.key().algorithm() != NoteAlgorithm::Ed25519 {
            return Err(crate::error::invalid("a log signs with NoteAlgorithm::Ed25519"));
        }
        Ok(Publisher { store, origin: origin.to_owned(), signer })
    }

    /// Publishes into a directory, each file synced before the next one relies on it.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`ErrorKind::Io`] if the directory cannot be made.
    pub fn directory(path: &FilePath, origin: &str, signer: NoteSigner) -> Result<Self, Error> {
        let failed = format!("cannot publish to {}", path.display());
        std::fs::create_dir_all(path)
            .map_err(|source| Error::caused(ErrorKind::Io, failed.clone(), source))?;
        let store = LocalFileSystem::new_with_prefix(path)
            .map_err(|source| Error::caused(ErrorKind::Io, failed, source))?
            .with_fsync(true);
        Publisher::new(Arc::new(store), origin, signer)
    }

    /// Publishes what is new in `log` and returns the signed checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the store holds a checkpoint that the log does not extend, or a
    /// full tile with another content; [`ErrorKind::Signature`] or [`ErrorKind::Malformed`] if the
    /// checkpoint there is not this signer's; [`ErrorKind::Io`].
    pub async fn publish(&self, log: &Log) -> Result<Note, Error> {
        let (note, checkpoint) = log.checkpoint(&self.origin, &self.signer)?;
        let size = checkpoint.size;
        let (old_size, old_root) = self.published().await?;
        if old_size > size {
            return Err(conflict(format!("the store has {old_size} entries, the log only {size}")));
        }
        let proof = match old_size {
            0 => Vec::new(),
            _ => log.prove_consistency(old_size, size)?,
        };
        verify_extension(old_size, &old_root, size, &checkpoint.root, &proof)
            .map_err(|_| conflict("the store holds another log under this name"))?;
        for tile in tiles_between(old_size, size) {
            let content = match tile.row {
                Row::Entries => self.bundle(log, &tile).await?,
                Row::Hashes(_) => log.with_tree(|tree| tile.hashes(tree)).unwrap_or_default(),
            };
            self.put_once(&tile.to_string(), content).await?;
        }
        let bytes = PutPayload::from(note.to_string().into_bytes());
        self.store.put(&Path::from(CHECKPOINT), bytes).await.map_err(io("cannot publish"))?;
        Ok(note)
    }

    /// Size and root of the checkpoint in the store.
    async fn published(&self) -> Result<(u64, Hash), Error> {
        let note = match self.store.get(&Path::from(CHECKPOINT)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok((0, Hash::EMPTY_ROOT)),
            Err(error) => return Err(io("cannot read the checkpoint")(error)),
            Ok(found) => found.bytes().await.map_err(io("cannot read the checkpoint"))?,
        };
        let checkpoint = Checkpoint::open(&note, self.signer.key())?;
        if checkpoint.origin != self.origin {
            return Err(conflict(format!("the store holds the log {}", checkpoint.origin)));
        }
        Ok((checkpoint.size, checkpoint.root))
    }

    async fn bundle(&self, log: &Log, tile: &Tile) -> Result<Vec<u8>, Error> {
        let mut entries = Vec::new();
        for index in tile.range() {
            let encoded = log.encoded(index)?;
            let entry = entry_of(&encoded).into_owned();
            if let Some(hash) = stub_hash(&entry) {
                self.put_once(&format!("{LARGE_PREFIX}{hash}"), encoded).await?;
            }
            entries.push(entry);
        }
        entry_bundle(entries.iter().map(Vec::as_slice))
    }

    /// Writes a file that never changes; one that is there already must be the same.
    async fn put_once(&self, path: &str, content: Vec<u8>) -> Result<(), Error> {
        let path = Path::parse(path)
            .map_err(|source| Error::caused(ErrorKind::Io, "cannot name a tile", source))?;
        let payload = PutPayload::from(content.clone());
        match self.store.put_opts(&path, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let found = self.store.get(&path).await.map_err(io("cannot read a tile"))?;
                let found = found.bytes().await.map_err(io("cannot read a tile"))?;
                if *found == *content {
                    return Ok(());
                }
                Err(conflict(format!("{path} is published already, with another content")))
            }
            Err(error) => Err(io("cannot publish a tile")(error)),
        }
    }
}

fn conflict(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

fn io(what: &'static str) -> impl FnOnce(object_store::Error) -> Error {
    move |source| Error::caused(ErrorKind::Io, what, source)
}
