//! PyTorch, NumPy, faiss and onnxruntime, run by `benches/peers/quantize.py`.
//!
//! `EDGEKIT_PYTHON` names an interpreter that has torch, numpy, faiss-cpu, onnxruntime and onnx;
//! `python3` is tried otherwise. What is not installed is left out, and said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgekit_kernels_simd::Kernels;
use edgekit_quantize::{Affine, Error, PerChannel};
use half::{bf16, f16};

use crate::{Suite, Unit};

/// The medians of all cases that were asked for, in nanoseconds.
pub(in crate::suites) struct Python {
    medians: BTreeMap<String, f64>,
}

/// Each case with what its ids start with.
const CASES: [(&str, &str); 20] = [
    ("torch/per-tensor", "quantize/per-tensor/1M"),
    ("torch/axis-0", "quantize/per-channel/axis-0"),
    ("torch/axis-1", "quantize/per-channel/axis-1"),
    ("torch/dequantize", "quantize/dequantize/1M"),
    ("torch/f16", "quantize/f16/1M"),
    ("torch/bf16", "quantize/bf16/1M"),
    ("torch/linear/256", "quantize/linear/256"),
    ("torch/linear/512", "quantize/linear/512"),
    ("torch/linear/1024", "quantize/linear/1024"),
    ("onnxruntime/256", "quantize/linear/256"),
    ("onnxruntime/512", "quantize/linear/512"),
    ("onnxruntime/1024", "quantize/linear/1024"),
    ("onnxruntime/values/256", "quantize/linear/256"),
    ("onnxruntime/values/512", "quantize/linear/512"),
    ("onnxruntime/values/1024", "quantize/linear/1024"),
    ("onnxruntime/dynamic/256", "quantize/linear/256"),
    ("onnxruntime/dynamic/512", "quantize/linear/512"),
    ("onnxruntime/dynamic/1024", "quantize/linear/1024"),
    ("numpy/per-tensor", "quantize/per-tensor/1M"),
    ("faiss/sq8", "quantize/sq8/1M"),
];

impl Python {
    /// Measures what is wanted, all in one process.
    pub(super) fn find(suite: &Suite) -> Self {
        let wanted = CASES.iter().filter(|(_, prefix)| suite.wants(prefix));
        Python::of(&wanted.map(|(name, _)| *name).collect::<Vec<_>>())
    }

    /// Measures these.
    pub(in crate::suites) fn of(names: &[&str]) -> Self {
        if names.is_empty() || !cfg!(feature = "peers") {
            return Python { medians: BTreeMap::new() };
        }
        match speeds(names) {
            Ok(medians) => {
                for name in names.iter().filter(|name| !medians.contains_key(**name)) {
                    println!("{name} is left out: it is not installed");
                }
                Python { medians }
            }
            Err(why) => {
                println!("torch, numpy, onnxruntime and faiss are left out: {why}");
                Python { medians: BTreeMap::new() }
            }
        }
    }

    /// Declares a case, if it is installed.
    pub(super) fn time(&self, suite: &mut Suite, id: &str, name: &str) {
        self.measure(suite, id, name, Unit::Nanos, |nanos| nanos);
    }

    /// Declares a case of so many operations by how many it does in a second.
    #[cfg(feature = "peers")]
    pub(in crate::suites) fn rate(&self, suite: &mut Suite, id: &str, name: &str, work: f64) {
        self.measure(suite, id, name, Unit::PerSecond, move |nanos| work / nanos * 1e9);
    }

    fn measure(
        &self,
        suite: &mut Suite,
        id: &str,
        name: &str,
        unit: Unit,
        of: impl Fn(f64) -> f64 + 'static,
    ) {
        let Some(&first) = self.medians.get(name) else { return };
        // The first figure is the one measured above; asked again, it is measured again.
        let (mut measured, name) = (Some(first), name.to_string());
        suite.measure(id, unit, move || {
            let again = || speeds(&[&name]).ok()?.get(&name).copied();
            of(measured.take().or_else(again).unwrap_or(f64::NAN))
        });
    }

    /// Codes and halves must be equal to the last bit.
    pub(super) fn check_codes(&self, suite: &mut Suite) {
        if !cfg!(feature = "peers") {
            return;
        }
        if let Err(why) = compare(suite) {
            println!("quantize/values is left out: {why}");
        }
    }
}

fn command() -> Command {
    let python = std::env::var_os("EDGEKIT_PYTHON").map_or("python3".into(), PathBuf::from);
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/quantize.py"));
    command
}

fn last_line(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().last() {
        Some(line) => Ok(line.to_string()),
        None => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(errors.lines().last().unwrap_or("it printed nothing").to_string())
        }
    }
}

fn speeds(names: &[&str]) -> Result<BTreeMap<String, f64>, String> {
    let mut command = command();
    command.arg("speed").args(names);
    serde_json::from_str(&last_line(command)?).map_err(|error| error.to_string())
}

/// Ties, both signs, both ends and beyond, in channels of many scales.
fn compare(suite: &mut Suite) -> Result<(), String> {
    const CHANNELS: usize = 64;
    const LEN: usize = CHANNELS * 1024;
    let mut scales: Vec<f32> = (0..CHANNELS).map(|c| 0.013 * (1.0 + c as f32 * 0.37)).collect();
    scales[1] = 0.5;
    let zero_points: Vec<i8> = (0..CHANNELS).map(|c| (c as i8 * 4).wrapping_sub(9)).collect();
    // No NaN: what PyTorch makes of it differs between its paths.
    let far = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 1e-40, 1e-45, 3e38];
    let values: Vec<f32> = (0..LEN)
        .map(|i| match i % 3 {
            0 => (i as f32 * 0.37).sin() * 4.0,
            1 => (i % 1021) as f32 * 0.25 - 127.0,
            _ if i % 50 == 2 => far[i % far.len()],
            _ => ((i * 7919 % 65_536) as f32 - 32_768.0) * scales[i / 1024 % CHANNELS] * 0.5,
        })
        .collect();
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let floats = |x: &[f32]| -> Vec<u8> { x.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let bytes = |x: &[i8]| -> Vec<u8> { x.iter().map(|&x| x as u8).collect() };
    for (name, content) in [
        ("values", floats(&values)),
        ("scales", floats(&scales)),
        ("zero_points", bytes(&zero_points)),
    ] {
        std::fs::write(folder.path().join(name), content).map_err(|error| error.to_string())?;
    }
    let mut command = command();
    command.arg("codes").arg(folder.path());
    let made: Vec<String> =
        serde_json::from_str(&last_line(command)?).map_err(|error| error.to_string())?;

    let ours = ours(&values, &scales, &zero_points).map_err(|error| error.to_string())?;
    for (name, got) in ours {
        if made.iter().any(|made| *made == name) {
            check(suite, folder.path(), name, &got);
        }
    }
    Ok(())
}

/// The bytes of what we make, under the names that the script has for its own.
fn ours(
    values: &[f32],
    scales: &[f32],
    zero_points: &[i8],
) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let kernels = Kernels::get();
    let maps = scales
        .iter()
        .zip(zero_points)
        .map(|(&scale, &zero)| Affine::new(scale, zero))
        .collect::<Result<Vec<_>, Error>>()?;
    let len = values.len();
    let bytes = |x: &[i8]| -> Vec<u8> { x.iter().map(|&x| x as u8).collect() };
    let floats = |x: &[f32]| -> Vec<u8> { x.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let (mut codes, mut back, mut unsigned) = (vec![0_i8; len], vec![0.0; len], vec![0_u8; len]);
    let mut made = Vec::new();
    maps[0].quantize(values, &mut codes);
    made.push(("torch-per-tensor", bytes(&codes)));
    made.push(("numpy-per-tensor", bytes(&codes)));
    maps[0].dequantize(&codes, &mut back);
    made.push(("torch-dequantized", floats(&back)));
    let zero = (i32::from(zero_points[0]) + 128) as u8;
    kernels.quantize_u8(values, 1.0 / scales[0], zero, &mut unsigned);
    made.push(("torch-per-tensor-u8", unsigned));
    let axis_0 = PerChannel::new(&maps, len / maps.len())?;
    axis_0.quantize(values, &mut codes);
    made.push(("torch-axis-0", bytes(&codes)));
    axis_0.dequantize(&codes, &mut back);
    made.push(("torch-axis-0-dequantized", floats(&back)));
    PerChannel::new(&maps, 1)?.quantize(values, &mut codes);
    made.push(("torch-axis-1", bytes(&codes)));
    let (mut short, mut brain) = (vec![f16::ZERO; len], vec![bf16::ZERO; len]);
    kernels.narrow_f16(values, &mut short);
    kernels.narrow_bf16(values, &mut brain);
    made.push(("torch-f16", short.iter().flat_map(|x| x.to_le_bytes()).collect()));
    made.push(("torch-bf16", brain.iter().flat_map(|x| x.to_le_bytes()).collect()));
    Ok(made)
}

fn check(suite: &mut Suite, folder: &Path, name: &str, got: &[u8]) {
    let id = format!("quantize/values/{name}");
    let want = std::fs::read(folder.join(name)).unwrap_or_default();
    let off = got.iter().zip(&want).filter(|(got, want)| got != want).count();
    let first = got.iter().zip(&want).position(|(got, want)| got != want);
    suite.check(&id, got == want, || {
        format!("{off} bytes of {} differ from {}, the first is {first:?}", got.len(), want.len())
    });
    suite.value(&id, Unit::Count, off as f64);
}
