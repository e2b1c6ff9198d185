//! Import lists to one grammar of an import statement.

use edgekit_constraint_ir::{Body, Rule};

use crate::assemble::Assembled;
use crate::index::{Index, Slot};
use crate::render::pattern::{self, any_of, lark_regex};
use crate::{Dialect, Error, ErrorKind, NotEnforced, Options, Part, Relax};

/// The statements that the lists for a scope leave. O(paths²) in the lists of the scope.
pub(crate) fn import(
    scope: &str,
    dialect: Dialect,
    options: &Options,
    index: &Index,
    out: &mut Assembled,
) -> Result<Part, Error> {
    let separator = pattern::path_separator(dialect);
    let is_part_of = |p: &str, of: &str| {
        p.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
    };
    let mut allow: Option<Vec<&String>> = None;
    let mut deny: Vec<&String> = Vec::new();
    let constraints = index.get(&Slot::Imports(scope.into()));
    for (id, constraint) in constraints {
        out.enforced.insert(id);
        match &constraint.body {
            Body::Imports(i) if i.rule == Rule::Allow => {
                allow = Some(match allow {
                    // Of a path and one above it the narrower stays.
                    Some(old) => {
                        let old_in_new = |p: &&String| i.paths.iter().any(|q| is_part_of(p, q));
                        let new_in_old = |p: &&String| old.iter().any(|q| is_part_of(p, q));
                        let mut both: Vec<&String> = i.paths.iter().filter(new_in_old).collect();
                        both.extend(old.iter().copied().filter(old_in_new));
                        both.sort_unstable();
                        both.dedup();
                        both
                    }
                    None => i.paths.iter().collect(),
                });
            }
            Body::Imports(i) => deny.extend(&i.paths),
            _ => {}
        }
    }
    deny.sort_unstable();
    deny.dedup();
    let below = |paths: &[&String]| {
        let rest = pattern::any_path(dialect);
        format!(
            "{}(?:{}{rest})?",
            any_of(paths.iter().map(|p| p.as_str())),
            regex_syntax::escape(separator)
        )
    };
    let mut path = match &allow {
        Some(paths) if paths.is_empty() => None,
        Some(paths) => Some(format!(
            "{} & {}",
            lark_regex(&below(paths)),
            lark_regex(pattern::any_path(dialect))
        )),
        None => Some(lark_regex(pattern::any_path(dialect))),
    };
    let denied = |p: &String| deny.iter().any(|d| is_part_of(p, d));
    if allow.as_ref().is_some_and(|paths| paths.iter().all(|p| denied(p))) {
        path = None;
    }
    let path = match path {
        Some(path) if deny.is_empty() => path,
        Some(path) => format!("{path} & ~{}", lark_regex(&below(&deny))),
        None if options.relax >= Relax::Imports => {
            for id in std::mem::take(&mut out.enforced) {
                out.reasons.insert(id, NotEnforced::Relaxed);
            }
            lark_regex(pattern::any_path(dialect))
        }
        None => {
            return Err(Error::new(
                ErrorKind::Infeasible,
                format!("the import lists for {scope:?} leave nothing; allow a path or relax them"),
            )
            .with_constraints(out.enforced.iter().copied().collect()));
        }
    };
    let start = match dialect {
        Dialect::Rust => "start: \"use \" PATH \";\"",
        Dialect::Python => "start: \"import \" PATH",
        Dialect::TypeScript => "start: \"import \\\"\" PATH \"\\\";\"",
    };
    Ok(Part::Lark(format!("{start}\nPATH: {path}\n").into()))
}
