//! Learns patterns from tasks, merges what is alike, and finds who should do the next task.

use std::time::Duration;

use edgekit_reasoning_bank::{
    Bank, BankConfig, Error, ExtractConfig, Keep, LookupScratch, Trajectory,
};

/// Three kinds of task, each a direction with a little noise.
fn embedding(kind: usize, n: usize) -> Vec<f32> {
    (0..8).map(|i| if i == kind { 1.0 } else { ((n * 31 + i * 17) % 10) as f32 / 50.0 }).collect()
}

fn main() -> Result<(), Error> {
    let bank = Bank::new(BankConfig { dim: 8, ..BankConfig::default() })?;
    let executors = ["cpu", "gpu", "server"].map(|name| bank.executor(name));
    for n in 0..300 {
        let kind = n % 3;
        bank.record(Trajectory {
            vector: embedding(kind, n),
            latency: Duration::from_millis(5 + 20 * kind as u64),
            spent: 1.0,
            earned: 2.0,
            // What goes to the server often fails.
            succeeded: kind < 2 || n % 4 == 0,
            executor: executors[kind],
            at: Duration::from_secs(n as u64),
        })?;
    }
    let learned = bank.extract(&ExtractConfig::default())?;
    let merged = bank.consolidate(0.95)?;
    println!("{} patterns from 300 tasks, {merged} of them merged", learned.len());

    let now = Duration::from_secs(300);
    let mut scratch = LookupScratch::default();
    for found in bank.lookup(&embedding(1, 7), 2, now, &mut scratch)? {
        let Some(stored) = bank.get(found.id) else { continue };
        let shares = stored.pattern.allocation.iter().enumerate();
        let best = shares.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at);
        println!(
            "pattern {}: similarity {:.2}, score {:.2}, {:?}, done by {}",
            found.id,
            found.similarity,
            found.score,
            stored.pattern.mean_latency,
            bank.executor_name(executors[best]).unwrap_or_default()
        );
    }
    let keep = Keep { min_usage: 1, min_confidence: 0.3, max_idle: Duration::from_secs(3600) };
    println!("pruned {:?}; {:?}", bank.prune(&keep, now)?, bank.stats());
    Ok(())
}
