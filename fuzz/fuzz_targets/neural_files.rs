//! What networks and their samples are read from: whatever the bytes, an error or a network that runs
//! and reads back what it writes.
#![no_main]

use edgekit_neural_net::{
    Csv, CsvSamples, Dataset, FannSamples, Network, QuantizedNetwork, QuantizedScratch, Scratch, Targets,
    Trainer,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&reader, bytes)) = bytes.split_first() else { return };
    match reader % 6 {
        0 => {
            let Ok(text) = str::from_utf8(bytes) else { return };
            let Ok(network) = Network::from_fann(text) else { return };
            run(&network);
            Network::from_fann(&network.to_fann()).expect("what is written is read");
        }
        1 => {
            let Ok(network) = Network::from_safetensors(bytes) else { return };
            run(&network);
            let again = network.to_safetensors().expect("it came from there");
            assert_eq!(
                Network::from_safetensors(&again).expect("what is written is read"),
                network
            );
        }
        2 => {
            let Ok(trainer) = Trainer::from_bytes(bytes) else { return };
            run(trainer.network());
            let again = trainer.to_bytes().expect("it came from there");
            Trainer::from_bytes(&again).expect("what is written is read");
        }
        3 => {
            let _ = FannSamples::new(bytes).and_then(Dataset::collect);
        }
        4 => {
            let csv = Csv { inputs: 2, targets: Targets::Class(3), skip: 1 };
            let _ = CsvSamples::new(bytes, csv).and_then(Dataset::collect);
        }
        _ => {
            let Ok(network) = QuantizedNetwork::from_safetensors(bytes) else { return };
            let outputs = |network: &QuantizedNetwork| {
                let inputs = vec![0.5; 2 * network.input_size()];
                let mut outputs = vec![0.0; 2 * network.output_size()];
                let mut scratch = QuantizedScratch::default();
                network.run_batch(&inputs, &mut outputs, &mut scratch).expect("the sizes are its own");
                outputs.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let again = network.to_safetensors().expect("it came from there");
            let again = QuantizedNetwork::from_safetensors(&again).expect("what is written is read");
            assert_eq!(outputs(&again), outputs(&network));
        }
    }
});

fn run(network: &Network) {
    let (input, mut output) = (vec![0.5; network.input_size()], vec![0.0; network.output_size()]);
    network.run(&input, &mut output, &mut Scratch::default()).expect("the sizes are its own");
}
