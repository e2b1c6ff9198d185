//! Readers beside a writer: no torn views, no stale ids, no lost counts.

use std::sync::atomic::{AtomicBool, Ordering};

use edgekit_reasoning_bank::{Bank, BankConfig, LookupScratch, Readers};

use crate::support::{at, clustered, pattern};

#[test]
fn look_ups_beside_a_writer_see_whole_banks_and_count_every_use() {
    for (readers, scan_limit) in
        [(Readers::NeverWait, 10_000), (Readers::NeverWait, 32), (Readers::Wait, 32)]
    {
        let config = BankConfig { dim: 8, readers, scan_limit, m: 4, ..BankConfig::default() };
        let bank = Bank::new(config).unwrap();
        let vectors = clustered(300, 8, 10, 1);
        // These stay, the others come and go.
        for vector in &vectors[..40] {
            bank.store(pattern(vector, 0.9)).unwrap();
        }
        let done = AtomicBool::new(false);
        let returned: u64 = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut scratch = LookupScratch::default();
                        let mut returned = 0;
                        while !done.load(Ordering::Relaxed) {
                            for query in &vectors[..40] {
                                let found = bank.lookup(query, 5, at(1), &mut scratch).unwrap();
                                assert!(found.iter().all(|m| m.score > 0.0));
                                assert!(found.is_sorted_by(|a, b| a.score >= b.score));
                                returned += found.iter().filter(|m| m.id < 40).count() as u64;
                            }
                        }
                        returned
                    })
                })
                .collect();
            for round in vectors[40..].chunks(20) {
                let ids: Vec<u64> =
                    round.iter().map(|v| bank.store(pattern(v, 0.5)).unwrap()).collect();
                for id in ids {
                    assert!(bank.remove(id).unwrap());
                }
            }
            done.store(true, Ordering::Relaxed);
            readers.into_iter().map(|r| r.join().unwrap()).sum()
        });
        assert_eq!(bank.len(), 40);
        assert_eq!(bank.stats().usage, returned, "{readers:?}");
    }
}
