//! Extraction from real code: against the bare parse, after an edit, unchanged, on many threads.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use edgekit_constraint_extract::{Document, Extractor, Language, Limits, SourceFile};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tree_sitter::Parser;

use super::constraint_threads::{bound, cores_to_be_had};
use crate::{Suite, Unit};

/// Declares what is measured.
pub fn declare(suite: &mut Suite) {
    let rust = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates"), "rs", 60);
    corpus(suite, "rust", Language::Rust, tree_sitter_rust::LANGUAGE.into(), &rust);
    match python_library() {
        Some(folder) => {
            let python = files(&folder, "py", 60);
            corpus(suite, "python", Language::Python, tree_sitter_python::LANGUAGE.into(), &python);
        }
        None => println!("constraint-extract: no Python library on this machine, skipped"),
    }
    one_file(suite, &rust);
    threads(suite, &rust);
}

/// Files of the workspace and of Python's library, evenly over the order of their names: the first
/// so many would be those of a few folders.
fn files(folder: &Path, extension: &str, most: usize) -> Rc<[(String, String)]> {
    let mut paths = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).ok().filter(|text| text.len() > 1000)?;
        Some((path.display().to_string(), text))
    };
    let all: Vec<(String, String)> = paths.iter().filter_map(read).collect();
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

/// An extractor for one file, which keeps what it says as any does.
fn fresh() -> Extractor {
    Extractor::new(Limits { max_files: 1, ..Limits::default() })
}

fn python_library() -> Option<PathBuf> {
    let lib = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|e| e.path());
    lib.filter(|p| p.join("os.py").exists()).max()
}

/// Every file once: the bare parse, the extraction, and the median file.
fn corpus(
    suite: &mut Suite,
    name: &str,
    language: Language,
    grammar: tree_sitter::Language,
    files: &Rc<[(String, String)]>,
) {
    let id = format!("constraint-extract/{name}");
    if !suite.wants(&id) || files.is_empty() {
        return;
    }
    let extract = move |(file, text): &(String, String)| {
        fresh().extract(&SourceFile { file, language, text }).map(|e| e.constraints.len())
    };
    let found: usize = files.iter().filter_map(|f| extract(f).ok()).sum();
    let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
    suite.check(&id, found > files.len(), || format!("{found} constraints"));
    println!(
        "constraint-extract: {name}: {} files, {lines} lines, {found} constraints",
        files.len()
    );
    let f = Rc::clone(files);
    suite.time(format!("{id}/parse"), move || {
        let mut parser = Parser::new();
        let ready = parser.set_language(&grammar).is_ok();
        f.iter().filter(|(_, text)| ready && parser.parse(black_box(text), None).is_some()).count()
    });
    let f = Rc::clone(files);
    suite.time(format!("{id}/extract"), move || {
        f.iter().filter_map(|file| extract(black_box(file)).ok()).sum::<usize>()
    });
    let f = Rc::clone(files);
    suite.measure(format!("{id}/median-file"), Unit::Nanos, move || {
        let mut times: Vec<f64> = f
            .iter()
            .map(|file| {
                let start = Instant::now();
                black_box(extract(file).ok());
                start.elapsed().as_nanos() as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
}

/// About two thousand lines of the workspace: from the beginning, after an edit, unchanged.
fn one_file(suite: &mut Suite, files: &Rc<[(String, String)]>) {
    if !suite.wants("constraint-extract/file/") {
        return;
    }
    let mut text = String::new();
    for (_, more) in files.iter() {
        // Inner doc comments and attributes stand at the top of a file only.
        let plain = |line: &&str| !line.starts_with("//!") && !line.starts_with("#![");
        more.lines().filter(plain).for_each(|line| {
            text.push_str(line);
            text.push('\n');
        });
        if text.lines().count() > 2_000 {
            break;
        }
    }
    let Ok(mut document) = Document::open("a.rs", Language::Rust, &text) else { return };
    let source = |text: &str| {
        let source = SourceFile { file: "a.rs", language: Language::Rust, text };
        fresh().extract(&source).map(|e| e.constraints.len()).unwrap_or(0)
    };
    let (kept, whole) = (document.extraction().constraints.len(), source(&text));
    suite.check("constraint-extract/file", kept == whole && whole > 0, || {
        format!("{kept} against {whole}")
    });
    let t = text.clone();
    suite.time("constraint-extract/file/whole", move || source(black_box(&t)));
    let at = text.find("\n}\n").map_or(0, |at| at + 1);
    let mut typed = false;
    suite.time("constraint-extract/file/edit", move || {
        let edited = match typed {
            false => document.edit(at..at, " "),
            true => document.edit(at..at + 1, ""),
        };
        typed = !typed;
        edited.map(|()| document.extraction().constraints.len())
    });
    let extractor = Extractor::default();
    suite.time("constraint-extract/file/unchanged", move || {
        let source = SourceFile { file: "a.rs", language: Language::Rust, text: black_box(&text) };
        extractor.extract(&source).map(|e| e.constraints.len())
    });
}

/// All files on one thread and on all of them.
fn threads(suite: &mut Suite, files: &Rc<[(String, String)]>) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let pool = |n| ThreadPoolBuilder::new().num_threads(n).build();
    let (Ok(one), Ok(all)) = (pool(1), pool(cores)) else { return };
    let (one, all) = (Rc::new(one), Rc::new(all));
    let seconds = |pool: &ThreadPool, files: &[(String, String)]| {
        let source = |(file, text)| SourceFile { file, language: Language::Rust, text };
        let sources: Vec<SourceFile<'_>> = files.iter().map(|(f, t)| source((f, t))).collect();
        let start = Instant::now();
        black_box(pool.install(|| Extractor::default().extract_many(&sources)));
        start.elapsed().as_secs_f64()
    };
    for (name, pool) in [("one", &one), ("all", &all)] {
        let (f, pool) = (Rc::clone(files), Rc::clone(pool));
        suite.measure(format!("constraint-extract/threads/{name}"), Unit::PerSecond, move || {
            f.len() as f64 / seconds(&pool, &f)
        });
    }
    // In turns, so that whatever else the machine does meets all.
    let f = Rc::clone(files);
    suite.measure("constraint-extract/threads/efficiency", Unit::Ratio, move || {
        let mut rounds: Vec<f64> = (0..9)
            .map(|_| {
                let each: Vec<f64> =
                    f.iter().map(|file| seconds(&one, std::slice::from_ref(file))).collect();
                let cores = cores_to_be_had(&all, each.iter().sum());
                bound(&each, cores) / seconds(&all, &f)
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    });
    suite.value("constraint-extract/threads/cores", Unit::Count, cores as f64);
}
