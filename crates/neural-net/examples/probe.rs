use edgekit_neural_net::*;
use std::time::Instant;
fn main() {
    let text = std::fs::read("data/digits/digits.csv").unwrap();
    let csv = Csv { inputs: 64, targets: Targets::Class(10), skip: 0 };
    let raw = Dataset::collect(CsvSamples::new(&text[..], csv).unwrap()).unwrap();
    let inputs: Vec<f32> = raw.inputs().iter().map(|x| x / 16.0).collect();
    let data = Dataset::from_rows(&inputs, 64, raw.targets(), 10).unwrap();
    let what = std::env::args().nth(1).unwrap_or("rprop".into());
    let algorithm = match &what[..] {
        "rprop" => Algorithm::Rprop(Rprop::default()),
        "rprop-gentle" => Algorithm::Rprop(Rprop { initial: 0.01, max: 1.0, ..Rprop::default() }),
        "batch" => Algorithm::Batch(Backprop { rate: 0.5, momentum: 0.0 }),
        _ => Algorithm::Adam(Adam::default()),
    };
    let net = Network::builder(&[64, 128, 10]).seed(1).build().unwrap();
    if what == "run" {
        let mut y = vec![0.0; 14370];
        let mut s = Scratch::default();
        for _ in 0..5 {
            let t = Instant::now();
            for _ in 0..500 {
                net.run_batch(&data.inputs()[..64 * 1437], &mut y, &mut s).unwrap();
            }
            println!("{:.2}M/s", 500.0 * 1437.0 / t.elapsed().as_secs_f64() / 1e6);
        }
        return;
    }
    let mut trainer =
        Trainer::new(net, TrainConfig { algorithm, ..TrainConfig::default() }).unwrap();
    for _ in 0..8 {
        let t = Instant::now();
        for _ in 0..50 {
            trainer.epoch(&data).unwrap();
        }
        println!("{:.0}k/s", 50.0 * 1797.0 / t.elapsed().as_secs_f64() / 1e3);
    }
}
