//! Attends over the same tokens by spikes and by floats, and counts what each had to do.

use edgekit_spike_coding::{
    DenseAttention, Encoder, EncoderConfig, EnergyCosts, Error, SpikeAttention, Tokens,
};

fn main() -> Result<(), Error> {
    let (tokens, width) = (64, 64);
    let bytes: Vec<i8> =
        (0..tokens * width).map(|i| ((i * 2_654_435_761_usize) >> 7) as i8).collect();
    let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 128.0).collect();
    let positions: Vec<u32> = (0..tokens as u32).collect();

    let encoder = Encoder::new(EncoderConfig::default())?;
    let mut trains = encoder.arena(width)?;
    encoder.encode(&bytes, &mut trains)?;
    let stats = trains.stats();
    println!("{} spikes, {:.1} % of what could fire", stats.spikes, 100.0 * stats.mean_rate);

    let mut out = vec![0.0; floats.len()];
    let input = Tokens { queries: &trains, keys: &trains, values: &floats, positions: &positions };
    let spiking = SpikeAttention::new(16.0)?.attend(&input, &mut out)?;
    let dense = DenseAttention::new(width, 4)?.attend(&floats, &floats, &floats, &mut out)?;
    for (name, counted) in [("spiking", spiking), ("dense", dense)] {
        let energy = counted.picojoules(&EnergyCosts::default()) / 1e6;
        println!("{name}: {counted:?}, {energy:.2} µJ");
    }
    Ok(())
}
