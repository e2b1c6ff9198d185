//! Publishing: another crate reads the tiles; two histories never share a store.

use std::sync::Arc;

use edgekit_coherence_log::event::MAX_ENTRY_BYTES;
use edgekit_coherence_log::hash::leaf_hash;
use edgekit_coherence_log::log::LARGE_PREFIX;
use edgekit_coherence_log::note::{Checkpoint, NoteAlgorithm, NoteSigner};
use edgekit_coherence_log::publish::Publisher;
use edgekit_coherence_log::tile::parse_bundle;
use edgekit_coherence_log::{ErrorKind, Event, Hash, Log, Verified};
use object_store::memory::InMemory;

use crate::support::{author, claim, config};

const ORIGIN: &str = "example.com/log";

fn signer() -> NoteSigner {
    NoteSigner::new(ORIGIN, NoteAlgorithm::Ed25519, author(9)).unwrap()
}

fn grow(log: &Log, value: &str, count: u64) {
    let start = log.size();
    let batch = (start..start + count).map(|i| Verified::new(claim(1, i, "s", value)).unwrap());
    log.append_batch(batch.collect()).unwrap().wait().unwrap();
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Reads tiles from a directory, the way a client would over HTTP.
struct Directory(std::path::PathBuf);

impl tlog_tiles::TileReader for Directory {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(
        &self,
        tiles: &[tlog_tiles::Tile],
    ) -> Result<Vec<Vec<u8>>, tlog_tiles::tlog::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            std::fs::read(self.0.join(path)).unwrap()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn any_tlog_client_can_read_and_prove() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::in_memory(config()).unwrap();
    let publisher = Publisher::directory(dir.path(), ORIGIN, signer()).unwrap();
    for count in [1, 254, 1, 300] {
        grow(&log, "v", count);
        wait(publisher.publish(&log)).unwrap();
    }
    wait(publisher.publish(&log)).unwrap();
    let note = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let checkpoint = Checkpoint::open(&note, signer().key()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), log.head());

    let reader = Directory(dir.path().to_owned());
    let root = tlog_tiles::Hash(checkpoint.root.0);
    let hashes = tlog_tiles::TileHashReader::new(checkpoint.size, root, &reader);
    assert_eq!(tlog_tiles::tree_hash(checkpoint.size, &hashes).unwrap().0, checkpoint.root.0);
    for index in [0, 255, 256, 555] {
        let proof = tlog_tiles::prove_record(checkpoint.size, index, &hashes).unwrap();
        let (tile, within) = (index / 256, index % 256);
        let name = if tile == 2 { "002.p/44".into() } else { format!("{tile:03}") };
        let bundle = std::fs::read(dir.path().join("tile/entries").join(name)).unwrap();
        let entry = parse_bundle(&bundle).unwrap()[within as usize].to_vec();
        let leaf = tlog_tiles::record_hash(&entry);
        tlog_tiles::check_record(&proof, checkpoint.size, root, index, leaf).unwrap();
        assert_eq!(Event::decode(&entry).unwrap(), log.event(index).unwrap());
    }
}

#[test]
fn a_large_event_is_published_beside_its_stub() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::in_memory(config()).unwrap();
    let large = claim(1, 1, "s", &"v".repeat(MAX_ENTRY_BYTES));
    log.append(large.clone()).unwrap().wait().unwrap();
    wait(Publisher::directory(dir.path(), ORIGIN, signer()).unwrap().publish(&log)).unwrap();
    let bundle = std::fs::read(dir.path().join("tile/entries/000.p/1")).unwrap();
    let entry = parse_bundle(&bundle).unwrap()[0];
    assert!(entry.len() < 100);
    assert_eq!(leaf_hash(entry), large.id());
    let name = format!("{LARGE_PREFIX}{}", Hash::of(&[&large.encode()]));
    assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), large.encode());
}

#[test]
fn a_store_holds_one_history() {
    let store = Arc::new(InMemory::new());
    let publisher = Publisher::new(store.clone(), ORIGIN, signer()).unwrap();
    let (log, fork) = (Log::in_memory(config()).unwrap(), Log::in_memory(config()).unwrap());
    grow(&log, "v", 10);
    grow(&fork, "w", 20);
    wait(publisher.publish(&log)).unwrap();
    let kind = |log: &Log| wait(publisher.publish(log)).unwrap_err().kind();
    assert_eq!(kind(&fork), ErrorKind::Conflict);
    let short = Log::in_memory(config()).unwrap();
    grow(&short, "v", 5);
    assert_eq!(kind(&short), ErrorKind::Conflict);
    let other = NoteSigner::new(ORIGIN, NoteAlgorithm::Ed25519, author(3)).unwrap();
    let stranger = Publisher::new(store, ORIGIN, other).unwrap();
    assert!(wait(stranger.publish(&log)).is_err());
    let witness = NoteSigner::new(ORIGIN, NoteAlgorithm::Cosignature, author(3)).unwrap();
    assert!(Publisher::new(Arc::new(InMemory::new()), ORIGIN, witness).is_err());
}

/// Against any server that speaks S3: its address in `EDGEKIT_S3`, and in it an empty bucket
/// `edgekit`. `docs/coherence-log.md` says how to start one. Without the variable it is an empty test.
#[cfg(feature = "s3")]
#[test]
fn an_s3_bucket_holds_one_history() {
    use object_store::aws::AmazonS3Builder;
    use object_store::{ObjectStoreExt, path::Path};

    let Ok(server) = std::env::var("EDGEKIT_S3") else { return };
    let store = AmazonS3Builder::new()
        .with_endpoint(server)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("edgekit")
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .build()
        .unwrap();
    let store = Arc::new(store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let publisher = Publisher::new(store.clone(), ORIGIN, signer()).unwrap();
    let (log, fork) = (Log::in_memory(config()).unwrap(), Log::in_memory(config()).unwrap());
    for count in [10, 246, 300] {
        grow(&log, "v", count);
        runtime.block_on(publisher.publish(&log)).unwrap();
    }
    runtime.block_on(publisher.publish(&log)).unwrap();
    let read = |path: &str| {
        let path = Path::parse(path).unwrap();
        runtime.block_on(async { store.get(&path).await.unwrap().bytes().await.unwrap() })
    };
    let checkpoint = Checkpoint::open(&read("checkpoint"), signer().key()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), log.head());
    let bundle = read("tile/entries/002.p/44");
    assert_eq!(leaf_hash(parse_bundle(&bundle).unwrap()[43]), log.event(555).unwrap().id());
    // A history of its own, and a tile that is there already with another content.
    grow(&fork, "w", 600);
    let kind = |log: &Log| runtime.block_on(publisher.publish(log)).unwrap_err().kind();
    assert_eq!(kind(&fork), ErrorKind::Conflict);
    runtime.block_on(store.delete(&Path::from("checkpoint"))).unwrap();
    assert_eq!(kind(&fork), ErrorKind::Conflict, "tiles are written once");
}
