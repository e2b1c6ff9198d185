//! Made-up camera frames: decoded, made gray and scaled down on several threads, and summed up.

use std::time::Instant;

use edgekit_pipeline::{Options, Pipeline, optimal_threads};

const SIDE: usize = 512;

/// Stands for decoding: a frame of red, green and blue bytes.
fn decode(number: u32) -> Vec<u8> {
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..SIDE * SIDE * 3).map(|_| byte()).collect()
}

fn gray(frame: Vec<u8>) -> Vec<u8> {
    let weigh =
        |p: &[u8]| (77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2])) >> 8;
    frame.chunks_exact(3).map(|pixel| weigh(pixel) as u8).collect()
}

/// The mean of each block of 16 by 16 pixels.
fn scale(frame: Vec<u8>) -> Vec<u8> {
    const BLOCK: usize = 16;
    let mean = |block: usize| {
        let (x, y) = (block % (SIDE / BLOCK) * BLOCK, block / (SIDE / BLOCK) * BLOCK);
        let rows = (y..y + BLOCK).map(|y| &frame[y * SIDE + x..][..BLOCK]);
        let sum: u32 = rows.flatten().map(|&pixel| u32::from(pixel)).sum();
        (sum / (BLOCK * BLOCK) as u32) as u8
    };
    (0..(SIDE / BLOCK).pow(2)).map(mean).collect()
}

fn main() -> Result<(), edgekit_pipeline::Error> {
    const FRAMES: u32 = 200;
    let start = Instant::now();
    let alone: u64 = (0..FRAMES)
        .map(|n| scale(gray(decode(n))).iter().map(|&p| u64::from(p)).sum::<u64>())
        .sum();
    let alone_took = start.elapsed();

    let workers = optimal_threads();
    let start = Instant::now();
    let (mut sum, mut last) = (0, 0);
    Pipeline::source(0..FRAMES)
        .stage_n(workers, decode)
        .stage_n(workers, gray)
        .stage(scale)
        .options(Options { queue_packets: 4, ..Options::default() })
        .progress(|progress| {
            if progress.done / 50 > last {
                last = progress.done / 50;
                println!("{} of {} frames", progress.done, progress.total.unwrap_or_default());
            }
        })
        .for_each(|frame| sum += frame.iter().map(|&p| u64::from(p)).sum::<u64>())?;
    assert_eq!(sum, alone);
    println!("one thread {alone_took:.0?}, pipeline of {workers} workers {:.0?}", start.elapsed());
    Ok(())
}
