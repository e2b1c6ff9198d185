//! PyTorch on one thread, in a Python of the machine's: `$EDGEKIT_PYTHON` or python3.

use std::cell::RefCell;
use std::collections::HashMap;
use std::process::Command;
use std::rc::Rc;

use crate::{Suite, Unit};

/// What the script prints under these names, and our ids for it.
const RATES: [(&str, &str); 4] = [
    ("full-batch", "neural-net/train/full-batch/torch"),
    ("mini-batch-64", "neural-net/train/mini-batch-64/torch"),
    ("run-64", "neural-net/run/64/torch"),
    ("run-1437", "neural-net/run/1437/torch"),
];

pub(super) fn declare(suite: &mut Suite) {
    if !RATES.iter().any(|(_, id)| suite.wants(id)) {
        return;
    }
    // One start of Python measures everything; a rate that is asked for again is measured again.
    let first = match run() {
        Ok(rates) => Rc::new(RefCell::new(rates)),
        Err(why) => return println!("neural-net: torch is left out: {why}"),
    };
    for (name, id) in RATES {
        let first = first.clone();
        suite.measure(id, Unit::PerSecond, move || {
            let known = first.borrow_mut().remove(name);
            let again = || run().ok().and_then(|rates| rates.get(name).copied());
            known.or_else(again).unwrap_or(f64::NAN)
        });
    }
}

fn run() -> Result<HashMap<String, f64>, String> {
    let python = std::env::var("EDGEKIT_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/neural_net.py");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits/digits.csv");
    let output = Command::new(&python).args([script, data]).output();
    let output = output.map_err(|error| format!("{python} does not start: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("it printed nothing");
        format!("{last} (`pip install numpy torch` for {python})")
    })
}
