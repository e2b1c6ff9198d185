//! Embeddings under a budget of 64 KiB: what does not fit goes to files and comes back from them, and
//! a monitor that sees memory fill up makes the cache smaller.
//!
//! `cargo run --release -p edgekit-adaptive-cache --example embeddings`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig, Spill, Spilled};
use edgekit_mempool::{MemoryMonitor, MemoryUsage};

const DIMENSIONS: usize = 128;

/// One file per text, named by a number: when it expires (nanoseconds, or all ones), then the floats.
struct Directory(PathBuf);

impl Directory {
    fn path(&self, key: &u64) -> PathBuf {
        self.0.join(format!("{key}.embedding"))
    }
}

impl Spill<u64, Arc<[f32]>> for Directory {
    fn save(&self, key: &u64, entry: &Spilled<Arc<[f32]>>) -> bool {
        let expires = entry.expires_at.map_or(u64::MAX, |at| at.as_nanos() as u64);
        let mut bytes = expires.to_le_bytes().to_vec();
        bytes.extend(entry.value.iter().flat_map(|x| x.to_le_bytes()));
        std::fs::write(self.path(key), bytes).is_ok()
    }

    fn load(&self, key: &u64) -> Option<Spilled<Arc<[f32]>>> {
        let bytes = std::fs::read(self.path(key)).ok()?;
        let (expires, floats) = bytes.split_first_chunk::<8>()?;
        let expires = u64::from_le_bytes(*expires);
        let floats = floats.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x));
        Some(Spilled {
            value: floats.collect(),
            bytes: bytes.len() as u64 - 8,
            expires_at: (expires != u64::MAX).then(|| Duration::from_nanos(expires)),
        })
    }

    fn forget(&self, key: &u64) {
        // It may well not be there.
        let _ = std::fs::remove_file(self.path(key));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("embeddings-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let config = CacheConfig { budget_bytes: 64 << 10, ..CacheConfig::default() };
    let cache = AdaptiveCache::new(config)?.with_spill(Directory(directory.clone()));

    let embed = |text: u64| -> Arc<[f32]> {
        (0..DIMENSIONS).map(|i| ((text as usize * 31 + i) % 97) as f32).collect()
    };
    let mut made = 0;
    for round in 0..2000_u64 {
        let text = round * round % 499; // some more often than others
        let vector = cache.get_or_insert_with(text, || {
            made += 1;
            (embed(text), (DIMENSIONS * 4) as u64)
        });
        assert_eq!(vector, embed(text));
    }
    println!("{made} of 2000 had to be made; {:?}", cache.stats());
    assert!(cache.stats().peak_bytes <= 64 << 10);

    // Memory fills up: 60, 75, 90 %. The trend counts, so the tier rises before it is full.
    let mut used_bytes = 45;
    let monitor = MemoryMonitor::new(move || {
        used_bytes += 15;
        Ok(MemoryUsage { process_bytes: 1, used_bytes, limit_bytes: 100 })
    });
    for _ in 0..3 {
        monitor.sample()?;
        let freed = cache.adapt(&monitor);
        println!("{:?} at {}: {freed} bytes freed", monitor.tier(), monitor.pressure());
    }
    std::fs::remove_dir_all(directory)?;
    Ok(())
}
