//! A camera loop that allocates nothing once it runs: pooled frames, a window into each, features in
//! an arena, names as four-byte handles, and an eye on memory.
//!
//! `cargo run --release -p edgekit-mempool --example frames`

use edgekit_mempool::{
    ByteArena, Channels, GlobalPools, ImageView, Interner, MatrixPool, MatrixPoolConfig,
    MemoryMonitor, SystemSource, Tier,
};

const WIDTH: usize = 160;
const HEIGHT: usize = 120;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pools = GlobalPools::get();
    let shapes = vec![(4, 4)];
    let matrices = MatrixPool::<f32>::new(MatrixPoolConfig { shapes, ..Default::default() })?;
    let mut arena = ByteArena::new();
    let mut cameras = Interner::new();
    let monitor = MemoryMonitor::new(SystemSource::new()?);
    monitor.watch("pools", || GlobalPools::get().bytes());

    let mut brightest = None;
    for number in 0..1000_usize {
        let camera = cameras.intern(if number % 2 == 0 { "front door" } else { "garage" })?;
        let mut frame = pools.medium().get();
        frame.extend((0..WIDTH * HEIGHT * 3).map(|i| ((i * 7 + number * 13) % 251) as u8));

        let image = ImageView::new(&frame, WIDTH, HEIGHT, Channels::Rgb)?;
        let mut means = matrices.get_zeroed(4, 4)?;
        for (tile, mean) in means.iter_mut().enumerate() {
            let window = image.subview(tile % 4 * 40, tile / 4 * 30, 40, 30)?;
            let sums = arena.alloc_zeroed::<u32>(window.height())?;
            for (sum, row) in sums.iter_mut().zip(window.rows()) {
                *sum = row.iter().map(|&b| u32::from(b)).sum();
            }
            *mean = sums.iter().sum::<u32>() as f32 / (40 * 30 * 3) as f32;
        }
        let mean = means.iter().sum::<f32>() / 16.0;
        if brightest.is_none_or(|(_, most)| mean > most) {
            brightest = Some((camera, mean));
        }
        arena.reset();

        if number % 100 == 0 && monitor.sample()?.pressure.tier() >= Tier::High {
            println!("memory is at {}: {} buffers freed", monitor.pressure(), pools.trim());
        }
    }

    let report = monitor.sample()?;
    println!("{:?}", pools.medium().stats());
    println!("process {} KiB, {:?}", report.usage.process_bytes / 1024, report.pools);
    println!("pressure {}, tier {:?}", report.pressure, report.pressure.tier());
    if let Some((camera, mean)) = brightest {
        let name = cameras.resolve(camera).unwrap_or("?");
        println!("brightest: {name}, mean {mean:.2}");
    }
    assert_eq!(pools.medium().stats().misses, 0, "every frame came from the pool");
    Ok(())
}
