//! libfann itself, through a small C program that is compiled when the suite runs. It reads networks
//! that we saved, so that both sides compute the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use edgekit_neural_net::{Activation, Dataset, Network, Scratch};

use super::network;
use crate::{Suite, Unit};

struct Peer {
    folder: tempfile::TempDir,
    program: PathBuf,
}

pub(super) fn declare(suite: &mut Suite, train: &Rc<Dataset>) {
    let modes = [
        ("train/incremental/libfann", "incremental"),
        ("train/full-batch/libfann", "rprop"),
        ("run/1/libfann", "run"),
    ];
    if !modes.iter().any(|(id, _)| suite.wants(&format!("neural-net/{id}"))) {
        return;
    }
    let peer = match Peer::build(train) {
        Ok(peer) => Rc::new(peer),
        Err(why) => return println!("neural-net: libfann is left out: {why}"),
    };
    peer.agrees(suite, train);
    for (id, mode) in modes {
        let peer = peer.clone();
        suite.measure(format!("neural-net/{id}"), Unit::PerSecond, move || peer.rate(mode));
    }
}

impl Peer {
    fn build(train: &Dataset) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let program = folder.path().join("fann");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/fann.c");
        let output = Command::new("cc")
            .args(["-O2", source, "-o"])
            .arg(&program)
            .args(["-lfloatfann", "-lm"])
            .output()
            .map_err(|error| format!("cc does not start: {error}"))?;
        if !output.status.success() {
            return Err(
                "cc and libfann-dev are needed (Debian: apt-get install libfann-dev)".into()
            );
        }
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).map_err(|error| error.to_string())
        };
        write("digits.data", train.to_fann_data())?;
        write("digits.net", network(128).to_fann())?;
        Ok(Peer { folder, program })
    }

    fn call(&self, mode: &str, net: &Path) -> String {
        let data = self.folder.path().join("digits.data");
        let output = Command::new(&self.program).arg(mode).arg(net).arg(data).output();
        let output = output.unwrap_or_else(|error| panic!("the C program does not start: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn rate(&self, mode: &str) -> f64 {
        let text = self.call(mode, &self.folder.path().join("digits.net"));
        text.trim().parse().unwrap_or_else(|_| panic!("the C program printed {text:?}"))
    }

    /// Networks that we save give the same outputs in libfann.
    fn agrees(&self, suite: &mut Suite, train: &Dataset) {
        let mut networks: Vec<(String, Network)> = vec![("digits".into(), network(128))];
        let hidden = |activation| Network::builder(&[64, 9, 10]).hidden(activation).seed(2);
        for activation in Activation::ALL {
            let net = hidden(activation).output(activation).build().expect("valid");
            networks.push((format!("{activation:?}"), net));
        }
        let sparse = hidden(Activation::Sigmoid).connection_rate(0.3).build().expect("valid");
        networks.push(("sparse".into(), sparse));
        let shortcut = Network::builder(&[64, 5, 3, 10]).shortcut().seed(3).build().expect("valid");
        networks.push(("shortcut".into(), shortcut));
        for (name, net) in networks {
            let path = self.folder.path().join("check.net");
            std::fs::write(&path, net.to_fann()).expect("a temporary file");
            let theirs = self.call("outputs", &path);
            let theirs: Vec<f32> =
                theirs.split_whitespace().map(|y| y.parse().unwrap_or(f32::NAN)).collect();
            let mut ours = vec![0.0; train.targets().len()];
            net.run_batch(train.inputs(), &mut ours, &mut Scratch::default()).expect("it fits");
            let wrong = ours.iter().zip(&theirs).filter(|(a, b)| {
                let off = (*a - *b).abs();
                off.is_nan() || off >= 1e-4
            });
            let wrong = wrong.count();
            // Where a function jumps, a sum near its edge may fall on either side.
            let allowed = if name.starts_with("Threshold") { ours.len() / 100 } else { 0 };
            let right = ours.len() == theirs.len() && wrong <= allowed;
            suite.check(format!("neural-net/libfann/{name}"), right, || {
                format!("{} outputs and {}, {wrong} of them differ", ours.len(), theirs.len())
            });
        }
    }
}
