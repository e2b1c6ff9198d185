//! Rivals that are libraries of Python, run by the scripts in `benches/peers`.

use std::process::Command;

use crate::{Suite, Unit};

/// Declares what `script WHAT` prints, nanoseconds, unless it fails now.
pub(super) fn time(suite: &mut Suite, id: &str, script: &'static str, what: &str) {
    figure(suite, id, Unit::Nanos, script, vec![what.into()]);
}

/// Declares what `script ARGS` prints, unless it fails now.
///
/// `EDGEKIT_PYTHON` names the interpreter that has the libraries; `python3` is tried otherwise.
pub(super) fn figure(
    suite: &mut Suite,
    id: &str,
    unit: Unit,
    script: &'static str,
    args: Vec<String>,
) {
    if !suite.wants(id) {
        return;
    }
    match run(script, &args) {
        // The first figure is the one measured here; asked again, it is measured again.
        Ok(first) => {
            let mut first = Some(first);
            suite.measure(id, unit, move || {
                first.take().or_else(|| run(script, &args).ok()).unwrap_or(f64::NAN)
            });
        }
        Err(why) => println!("{id} is left out: {why}"),
    }
}

fn run(script: &str, args: &[String]) -> Result<f64, String> {
    let python = std::env::var_os("EDGEKIT_PYTHON").unwrap_or_else(|| "python3".into());
    let script = format!("{}/peers/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python).arg(script).args(args).output();
    let output = output.map_err(|error| error.to_string())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().last().unwrap_or("it printed nothing").to_string()
    })
}
