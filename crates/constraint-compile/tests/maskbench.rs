//! Real schemas: what is compiled and accepted here is what the bare engine compiles and accepts.

use std::path::{Path, PathBuf};
use std::process::Command;

use edgekit_constraint_compile::llguidance::api::TopLevelGrammar;
use edgekit_constraint_compile::llguidance::toktrie::ApproximateTokEnv;
use edgekit_constraint_compile::llguidance::{Matcher, ParserFactory};
use edgekit_constraint_compile::{ErrorKind, Options};
use serde_json::Value;

use crate::support::*;

/// A schema with documents that are marked valid or not.
struct Sample {
    name: String,
    schema: Value,
    documents: Vec<(Value, bool)>,
}

fn sample(name: &str, text: &str) -> Sample {
    let file: Value = serde_json::from_str(text).expect("JSON");
    let tests = file["tests"].as_array().expect("tests");
    Sample {
        name: name.into(),
        schema: file["schema"].clone(),
        documents: tests
            .iter()
            .map(|t| (t["data"].clone(), t["valid"].as_bool().expect("a mark")))
            .collect(),
    }
}

/// Samples that the crate carries.
fn carried() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas");
    read_folder(&folder)
}

/// The MaskBench samples, if they are on this machine.
fn maskbench() -> Option<Vec<Sample>> {
    let root = match std::env::var_os("EDGEKIT_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let archive = root.join("maskbench-dev.tar.xz");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("maskbench-dev");
    if !archive.exists() {
        println!("skipped: {} is not there (set EDGEKIT_DATA)", archive.display());
        return None;
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    let unpacked = Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&folder).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        println!("skipped: `tar` cannot unpack {}", archive.display());
        return None;
    }
    Some(read_folder(&folder.join("maskbench")))
}

fn read_folder(folder: &Path) -> Vec<Sample> {
    let mut samples: Vec<Sample> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            sample(&name, &std::fs::read_to_string(&path).expect("a file"))
        })
        .collect();
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

/// Compares with the bare engine and returns how many schemas compiled.
fn compare(samples: &[Sample]) -> usize {
    let env = ApproximateTokEnv::single_byte_env();
    let mut bare = ParserFactory::new_simple(&env).expect("a factory");
    bare.quiet();
    let mut compiled = 0;
    for sample in samples {
        let theirs = Matcher::new(
            bare.create_parser(TopLevelGrammar::from_json_schema(sample.schema.clone())),
        );
        let ours = match (ENGINE.schema(&sample.schema, &Options::default()), theirs.is_error()) {
            (Ok(ours), false) => ours,
            (Err(e), true) => {
                let typed = [ErrorKind::Unsupported, ErrorKind::Infeasible, ErrorKind::TooLarge];
                assert!(typed.contains(&e.kind()), "{}: {e}", sample.name);
                let listed = !e.unsupported().is_empty();
                assert_eq!(listed, e.kind() == ErrorKind::Unsupported, "{}: {e}", sample.name);
                continue;
            }
            (ours, theirs) => panic!("{}: {:?} against {theirs}", sample.name, ours.err()),
        };
        compiled += 1;
        assert!(ours.not_enforced.is_empty());
        for (i, (document, valid)) in sample.documents.iter().enumerate() {
            let text = document.to_string();
            let accepted = accepts(&ours.parts[0], text.as_bytes());
            assert!(*valid || !accepted, "{} accepts the invalid document {i}", sample.name);
            let bare_accepts = accepts(&theirs, text.as_bytes());
            assert_eq!(accepted, bare_accepts, "{} document {i}: {text}", sample.name);
        }
    }
    compiled
}

#[test]
fn carried_schemas_agree_with_the_bare_engine() {
    let samples = carried();
    assert_eq!(compare(&samples), samples.len());
    for sample in &samples {
        let ours = ENGINE.schema(&sample.schema, &Options::default()).unwrap();
        for (document, valid) in &sample.documents {
            let text = document.to_string();
            assert_eq!(accepts(&ours.parts[0], text.as_bytes()), *valid, "{}: {text}", sample.name);
        }
    }
}

#[test]
fn maskbench_agrees_with_the_bare_engine() {
    if let Some(samples) = maskbench() {
        assert_eq!(samples.len(), 240);
        assert_eq!(compare(&samples), 177);
    }
}
