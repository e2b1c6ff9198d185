//! A service under bursts of load: an adaptive batcher, two priority levels, and what it measured.

use std::time::Duration;

use edgekit_batcher::{AdaptiveBatcher, Batcher, Config, Error, Level, Objective, Request};

/// Stands for a model: 2 ms for the batch and 0.1 ms for each item of it, of one core.
fn infer(images: Vec<u32>) -> Vec<Result<u32, std::convert::Infallible>> {
    std::thread::sleep(Duration::from_millis(2) + Duration::from_micros(100) * images.len() as u32);
    images.into_iter().map(|pixels| Ok(pixels % 10)).collect()
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let background = Level { timeout: Some(Duration::from_millis(200)), ..Level::default() };
    let config = Config {
        max_batch_size: 128,
        max_queue_delay: Duration::from_micros(500),
        levels: vec![Level::default(), background],
        ..Config::default()
    };
    let objective =
        Objective { p95: Duration::from_millis(20), window: 128, ..Objective::default() };
    let batcher = AdaptiveBatcher::new_blocking(Batcher::builder(config), objective, infer)?;

    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let batcher = batcher.clone();
            tokio::spawn(async move {
                let mut refused = 0;
                for image in 0..100 {
                    let level = 1 + usize::from(caller % 4 == 0);
                    let request = Request::new(caller * 100 + image).priority(level);
                    refused += u32::from(batcher.submit(request).await.is_err());
                }
                refused
            })
        })
        .collect();
    let mut refused = 0;
    for caller in callers {
        refused += caller.await.expect("callers do not panic");
    }
    batcher.shutdown().await;

    let stats = batcher.stats();
    println!("{} images in {} batches, {refused} refused", stats.items, stats.batches);
    println!("wait    p50 {:>9.1?}  p95 {:>9.1?}", stats.wait.p50, stats.wait.p95);
    println!("service p50 {:>9.1?}  p95 {:>9.1?}", stats.service.p50, stats.service.p95);
    for decision in batcher.trajectory().iter().step_by(5) {
        println!(
            "up to {:>3} a batch -> {:>3}, p95 {:>7.1?}, {:>6.0} images/s",
            decision.before, decision.after, decision.p95, decision.rate
        );
    }
    Ok(())
}
