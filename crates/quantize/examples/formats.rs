//! What each format costs and keeps: a table over one layer of random weights.

use edgekit_quantize::{Error, Format, Group, QuantizedTensor, Scheme};

fn main() -> Result<(), Error> {
    // Sums of uniforms are bell-shaped, as trained weights are.
    let mut state = 1_u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let weights: Vec<f32> = (0..128 * 256).map(|_| (0..6).map(|_| uniform()).sum()).collect();

    println!("{:<28}{:>10}{:>8}{:>12}{:>12}", "format", "bytes", "smaller", "SQNR dB", "max error");
    let scheme = Scheme::Symmetric;
    for (name, format) in [
        ("f16", Format::F16),
        ("bf16", Format::Bf16),
        ("int8 per tensor", Format::Int8(scheme)),
        ("int8 per channel", Format::Int8PerChannel { scheme, axis: 0 }),
        ("int4, groups of 32", Format::Int4 { scheme, group: Group::G32 }),
        ("int4, groups of 128", Format::Int4 { scheme, group: Group::G128 }),
    ] {
        let tensor = QuantizedTensor::quantize(&weights, &[128, 256], format)?;
        let lost = tensor.fidelity(&weights)?;
        println!(
            "{name:<28}{:>10}{:>7.2}×{:>12.1}{:>12.5}",
            tensor.bytes(),
            tensor.compression_ratio(),
            lost.sqnr_db,
            lost.max_error
        );
    }
    Ok(())
}
