//! The extractor: files to constraints, in parallel, cached by content.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use edgekit_constraint_ir::{
    Body, Constraint, ContentId, Imports, Kind, Names, Origin, Rule, Source,
};
use rayon::prelude::*;
use tree_sitter::{Node, Parser, Tree};

use crate::items::{Found, extract};
use crate::kept::Kept;
use crate::{Error, ErrorKind, Language, Limits, Stats};

/// A file to extract from.
#[derive(Clone, Debug)]
pub struct SourceFile<'a> {
    /// The name that goes into the constraints' origins.
    pub file: &'a str,
    /// Its language.
    pub language: Language,
    /// Its text.
    pub text: &'a str,
}

/// Something in a file that the parser did not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Line, from 1; 0 in a document, where the message begins with a JSON pointer.
    pub line: u32,
    /// Column in bytes, from 1; 0 in a document.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// What a file says. Parts of it that could be parsed yield constraints, others diagnostics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// The constraints, in the order of the file; those about the whole file come last.
    pub constraints: Vec<Constraint>,
    /// What was not understood, at most [`Extraction::MAX_DIAGNOSTICS`].
    pub diagnostics: Vec<Diagnostic>,
}

impl Extraction {
    /// After so many, no more diagnostics are listed.
    pub const MAX_DIAGNOSTICS: usize = 100;
}

/// Extracts constraints and keeps what it has extracted, by text, language and file name. What was
/// not asked for the longest time is forgotten first.
#[derive(Debug)]
pub struct Extractor {
    kept: Kept,
}

impl Default for Extractor {
    fn default() -> Self {
        Extractor::new(Limits::default())
    }
}

impl Extractor {
    /// An extractor that keeps so much and no more.
    pub fn new(limits: Limits) -> Self {
        Extractor { kept: Kept::new(limits) }
    }

    /// What is kept, and how often that helped.
    pub fn stats(&self) -> Stats {
        self.kept.stats()
    }

    /// The constraints of a file. For a file that has not changed: a hash of the text and a
    /// comparison with the one that is kept.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] from 4 GiB on; [`ErrorKind::Parse`] if the parser gave up.
    pub fn extract(&self, source: &SourceFile<'_>) -> Result<Arc<Extraction>, Error> {
        let id = content_id(source);
        if let Some(found) = self.kept.get(id, source) {
            return Ok(found);
        }
        let tree = parse(source.text, source.language, None)?;
        let found = extract(tree.root_node(), 0, source.text, source.file, source.language);
        let extraction =
            Arc::new(finish(source.file, &tree, std::iter::once((0, Cow::Owned(found)))));
        self.kept.insert(id, source, &extraction);
        Ok(extraction)
    }

    /// The constraints of many files, on rayon's threads, in their order.
    pub fn extract_many(&self, sources: &[SourceFile<'_>]) -> Vec<Result<Arc<Extraction>, Error>> {
        // The longest file is taken first and the next by whoever is free: a long one taken last
        // would be waited for alone.
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(sources[*i].text.len()));
        let extract = |i: usize| (i, self.extract(&sources[i]));
        let mut found: Vec<_> = order.into_iter().par_bridge().map(extract).collect();
        found.sort_unstable_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, extraction)| extraction).collect()
    }
}

fn content_id(source: &SourceFile<'_>) -> ContentId {
    let text = ContentId::of(source.text.as_bytes());
    let mut bytes = Vec::with_capacity(32 + source.file.len());
    bytes.extend_from_slice(&text.get().to_le_bytes());
    bytes.push(source.language as u8);
    bytes.extend_from_slice(source.file.as_bytes());
    ContentId::of(&bytes)
}

/// Parses, after an edit with the help of the tree before.
pub(crate) fn parse(text: &str, language: Language, old: Option<&Tree>) -> Result<Tree, Error> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("a file of {} bytes is too large for the parser", text.len()),
        ));
    }
    let mut parser = Parser::new();
    parser
        .set_language(&language.grammar())
        .map_err(|e| Error::new(ErrorKind::Parse, format!("{language:?}: {e}")))?;
    parser
        .parse(text, old)
        .ok_or_else(|| Error::new(ErrorKind::Parse, format!("{language:?}: the parser gave up")))
}

/// Puts parts of a file together: lines become absolute, and what is about the whole file is added.
pub(crate) fn finish<'f>(
    file: &str,
    tree: &Tree,
    parts: impl Iterator<Item = (u32, Cow<'f, Found>)>,
) -> Extraction {
    let mut out = Extraction::default();
    let (mut imports, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (first_row, found) in parts {
        let constraints = match found {
            Cow::Owned(found) => {
                imports.extend(found.imports);
                names.extend(found.names);
                found.constraints
            }
            Cow::Borrowed(found) => {
                imports.extend(found.imports.iter().cloned());
                names.extend(found.names.iter().cloned());
                found.constraints.clone()
            }
        };
        // Room for the two about the whole file: one more than there is room for would double it.
        out.constraints.reserve(constraints.len() + 2);
        out.constraints.extend(constraints.into_iter().map(|mut c| {
            c.origin.line += first_row + 1;
            c
        }));
    }
    let origin = || Origin { file: file.to_owned(), ..Origin::default() };
    let mut whole = |kind, body| {
        let origin = origin();
        out.constraints.push(Constraint { origin, ..Constraint::new(kind, Source::Ast, body) });
    };
    if !imports.is_empty() {
        let body = Imports { scope: file.to_owned(), rule: Rule::Allow, paths: imports };
        whole(Kind::Architectural, Body::Imports(body));
    }
    if !names.is_empty() {
        whole(Kind::Semantic, Body::Names(Names { scope: file.to_owned(), names }));
    }
    if tree.root_node().has_error() {
        diagnose(tree.root_node(), &mut out.diagnostics);
    }
    out
}

/// Errors in the tree, without recursion.
fn diagnose(root: Node<'_>, out: &mut Vec<Diagnostic>) {
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        let wrong = node.is_error() || node.is_missing();
        if wrong {
            let start = node.start_position();
            out.push(Diagnostic {
                line: start.row as u32 + 1,
                column: start.column as u32 + 1,
                message: match node.is_missing() {
                    true => format!("`{}` is missing", node.kind()),
                    false => "this is not understood".into(),
                },
            });
        }
        if out.len() >= Extraction::MAX_DIAGNOSTICS {
            return;
        }
        // Only what holds an error is walked, and an error is not walked into.
        if !wrong && node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}
