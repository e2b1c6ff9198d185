//! Helpers: what a text yields.

use edgekit_constraint_extract::{Extraction, Extractor, Language, SourceFile};
use edgekit_constraint_ir::*;

pub(crate) fn extract(language: Language, text: &str) -> Extraction {
    let source = SourceFile { file: "src/a.x", language, text };
    Extractor::default().extract(&source).expect("it parses").as_ref().clone()
}

pub(crate) fn bodies(language: Language, text: &str) -> Vec<Body> {
    extract(language, text).constraints.into_iter().map(|c| c.body).collect()
}

#[track_caller]
pub(crate) fn function(bodies: &[Body], name: &str) -> Function {
    let found = bodies.iter().find_map(|b| match b {
        Body::Function(f) if f.name == name => Some(f.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no function {name} in {bodies:#?}"))
}

#[track_caller]
pub(crate) fn record(bodies: &[Body], name: &str) -> StructDef {
    let found = bodies.iter().find_map(|b| match b {
        Body::Struct(s) if s.name == name => Some(s.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no struct {name} in {bodies:#?}"))
}

#[track_caller]
pub(crate) fn choice(bodies: &[Body], name: &str) -> EnumDef {
    let found = bodies.iter().find_map(|b| match b {
        Body::Enum(e) if e.name == name => Some(e.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no enum {name} in {bodies:#?}"))
}

pub(crate) fn parameters(f: &Function) -> Vec<(&str, Type, Presence)> {
    f.parameters.iter().map(|p| (p.name.as_str(), p.ty.clone(), p.presence)).collect()
}

pub(crate) fn imports(bodies: &[Body]) -> Vec<String> {
    let all = bodies.iter().filter_map(|b| match b {
        Body::Imports(i) => Some(i.paths.iter().cloned()),
        _ => None,
    });
    all.flatten().collect()
}

pub(crate) fn holes(bodies: &[Body]) -> Vec<(String, Type)> {
    let all = bodies.iter().filter_map(|b| match b {
        Body::Hole(h) => Some((h.function.clone(), h.expects.clone())),
        _ => None,
    });
    all.collect()
}

pub(crate) fn ranges(bodies: &[Body]) -> Vec<(String, Bound, Bound)> {
    let all = bodies.iter().filter_map(|b| match b {
        Body::Range(r) => Some((r.target.clone(), r.lower, r.upper)),
        _ => None,
    });
    all.collect()
}

pub(crate) fn visibilities(bodies: &[Body]) -> Vec<(&str, Visibility)> {
    let all = bodies.iter().filter_map(|b| match b {
        Body::Visibility(v) => Some((v.item.as_str(), v.visibility)),
        _ => None,
    });
    all.collect()
}
