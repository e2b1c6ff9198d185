//! Files: libfann's own, safetensors, checkpoints; and what is done with damaged ones.

use std::path::{Path, PathBuf};

use edgekit_neural_net::{
    Activation, ErrorKind, Kind, Network, Precision, Schedule, Scratch, Stop, TrainConfig, Trainer,
};
use proptest::prelude::*;

use crate::{algorithms, digits, digits_network, xor};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fann");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut nets: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "net")).collect();
    nets.sort();
    assert_eq!(nets.len(), 22);
    nets
}

#[test]
fn networks_that_libfann_saved_give_its_outputs() {
    for path in fixtures() {
        let network = Network::load(&path).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("out")).unwrap();
        let (width, height) = (network.input_size(), network.output_size());
        let mut scratch = Scratch::default();
        for line in expected.lines() {
            let row: Vec<f32> = line.split_whitespace().map(|v| v.parse().unwrap()).collect();
            let (input, expected) = row.split_at(width);
            let (mut one, mut many) = (vec![0.0; height], vec![0.0; 2 * height]);
            network.run(input, &mut one, &mut scratch).unwrap();
            network.run_batch(&[input, input].concat(), &mut many, &mut scratch).unwrap();
            for i in 0..height {
                for y in [one[i], many[i], many[height + i]] {
                    let off = (y - expected[i]).abs() / expected[i].abs().max(1.0);
                    assert!(off < 2e-5, "{path:?}: {y}, libfann {}", expected[i]);
                }
            }
        }
    }
}

#[test]
fn what_libfann_wrote_is_written_again_to_the_letter() {
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).unwrap();
        let network = Network::from_fann(&text).unwrap();
        let again = network.to_fann();
        for (ours, theirs) in again.lines().zip(text.lines()) {
            // Where libfann is given a function for a layer, it also notes it for the bias.
            let silent = |f: usize| format!("(0, {f}, 0.0");
            let theirs = (1..18).fold(theirs.to_owned(), |t, f| t.replace(&silent(f), &silent(0)));
            assert_eq!(ours, theirs, "{path:?}");
        }
        assert_eq!(Network::from_fann(&again).unwrap(), network);
    }
}

fn any_network() -> impl Strategy<Value = Network> {
    let sizes = proptest::collection::vec(1..9_usize, 2..5);
    let function = (0..18_usize, 1..20_u32).prop_map(|(i, s)| (Activation::ALL[i], s as f32 / 8.0));
    (sizes, function.clone(), function, 0..3, any::<u64>()).prop_map(
        |(sizes, hidden, output, kind, seed)| {
            let builder = Network::builder(&sizes).hidden(hidden).output(output).seed(seed);
            let builder = match kind {
                0 => builder,
                1 => builder.shortcut(),
                _ => builder.connection_rate(0.4),
            };
            let mut network = builder.build().unwrap();
            network.randomize(-3.0, 3.0, seed).unwrap();
            network
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn networks_survive_their_files(network in any_network()) {
        prop_assert_eq!(&Network::from_fann(&network.to_fann()).unwrap(), &network);
        match network.to_safetensors() {
            Ok(bytes) => {
                let again = Network::from_safetensors(&bytes).unwrap();
                prop_assert_eq!(again.weights(), network.weights());
                prop_assert_eq!(again.to_safetensors().unwrap(), bytes);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Unsupported);
                prop_assert!(!network.is_dense());
            }
        }
    }

    #[test]
    fn damaged_fann_files_are_errors_or_networks(
        which in 0..22_usize,
        at in any::<proptest::sample::Index>(),
        with in proptest::sample::select(vec!["", "9", "-1", "(", ")", ",", "=", "1e99", "nan", "\n",
            "99999999999999999999", "4294967295 "]),
        len in 0..30_usize,
    ) {
        let text = std::fs::read_to_string(&fixtures()[which]).unwrap();
        let at = at.index(text.len());
        let end = (at + len).min(text.len());
        let text = [&text[..at], with, &text[end..]].concat();
        if let Ok(network) = Network::from_fann(&text) {
            let mut y = vec![0.0; network.output_size()];
            network.run(&vec![0.5; network.input_size()], &mut y, &mut Scratch::default()).unwrap();
            prop_assert_eq!(Network::from_fann(&network.to_fann()).unwrap(), network);
        }
    }

    #[test]
    fn damaged_checkpoints_are_errors(at in any::<proptest::sample::Index>(), bit in 0..8_u32) {
        let network = Network::builder(&[2, 3, 1]).connection_rate(0.8).build().unwrap();
        let mut bytes = Trainer::new(network, TrainConfig::default()).unwrap().to_bytes().unwrap();
        let cut = at.index(bytes.len());
        let error = Trainer::from_bytes(&bytes[..cut]).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::Format);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(Trainer::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Format);
    }
}

#[test]
fn hostile_files_take_no_memory() {
    let text = std::fs::read_to_string(&fixtures()[0]).unwrap();
    let huge = "4000000000 4000000000 4000000000 ";
    let line = text.lines().find(|line| line.starts_with("layer_sizes=")).unwrap();
    let text = text.replace(line, &format!("layer_sizes={huge}"));
    let error = Network::from_fann(&text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    for (text, part) in [
        ("", "FANN_FLO_2.1"),
        ("FANN_FIX_2.0\n", "FANN_FIX_2.0"),
        ("FANN_FLO_2.1\nnum_layers=2\n", "network_type"),
    ] {
        let error = Network::from_fann(text).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(Network::load("network.txt").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(Network::load("there-is-none.net").unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_neuron_may_not_see_what_comes_later() {
    let network = Network::builder(&[2, 2, 1]).shortcut().build().unwrap();
    assert_eq!(network.kind(), Kind::Shortcut);
    let text = network.to_fann();
    let (head, line) = text.split_once("weight)=").unwrap();
    let later = line.replacen("(0, ", "(4, ", 1);
    let error = Network::from_fann(&format!("{head}weight)={later}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
}

#[test]
fn training_goes_on_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.checkpoint");
    let data = digits().folds(20, 1).unwrap().swap_remove(0).1;
    let plain = algorithms().map(|algorithm| (algorithm, Precision::F32));
    let mixed = algorithms().map(|algorithm| (algorithm, Precision::Bf16));
    for (algorithm, precision) in plain.into_iter().chain(mixed) {
        let incremental = format!("{algorithm:?}").starts_with("Incremental");
        if incremental && precision == Precision::Bf16 {
            continue;
        }
        let adam = format!("{algorithm:?}").starts_with("Adam");
        let config = TrainConfig {
            algorithm,
            precision,
            batch: adam.then_some(16),
            schedule: Schedule::Exponential { factor: 0.9 },
            stop: vec![Stop::Patience(1000)],
            max_epochs: 6,
            seed: 5,
            ..TrainConfig::default()
        };
        let network = digits_network(if incremental { 7 } else { 12 }, 2);
        let mut whole = Trainer::new(network.clone(), config.clone()).unwrap();
        whole.train(&data, None, crate::go_on).unwrap();
        let mut first = Trainer::new(network, config).unwrap();
        let pause = |p: &edgekit_neural_net::Progress| match p.epoch {
            3 => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        };
        first.train(&data, None, pause).unwrap();
        first.save(&path).unwrap();
        let mut second = Trainer::load(&path).unwrap();
        assert_eq!(second.epochs(), 3);
        second.train(&data, None, crate::go_on).unwrap();
        assert_eq!(second.to_bytes().unwrap(), whole.to_bytes().unwrap(), "{algorithm:?}");
        // That test could not fail if nothing but the weights mattered.
        let mut forgetful =
            Trainer::new(Trainer::load(&path).unwrap().into_network(), whole.config().clone());
        let forgetful = forgetful.as_mut().unwrap();
        (0..3).for_each(|_| forgetful.epoch(&data).unwrap());
        assert_ne!(forgetful.network(), whole.network(), "{algorithm:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
}

#[test]
fn sparse_trainers_survive_too() {
    let network = Network::builder(&[2, 6, 1]).connection_rate(0.6).seed(1).build().unwrap();
    let mut trainer = Trainer::new(network, TrainConfig::default()).unwrap();
    trainer.epoch(&xor()).unwrap();
    let mut again = Trainer::from_bytes(&trainer.to_bytes().unwrap()).unwrap();
    trainer.epoch(&xor()).unwrap();
    again.epoch(&xor()).unwrap();
    assert_eq!(again.network(), trainer.network());
}
