//! A file under edit: the tree and what each top-level item said are kept from edit to edit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use edgekit_constraint_ir::ContentId;
use tree_sitter::{InputEdit, Point, Tree};

use crate::extractor::{finish, parse};
use crate::items::{Found, extract};
use crate::{Error, ErrorKind, Extraction, Language};

/// An open file. After an edit only the top-level items whose text has changed are looked at again;
/// the result is the same as that of extracting the whole text.
#[derive(Debug)]
pub struct Document {
    file: String,
    language: Language,
    text: String,
    tree: Tree,
    /// What each top-level item says, by its text and its column.
    items: HashMap<(ContentId, usize), Arc<Found>>,
}

impl Document {
    /// Opens a file.
    ///
    /// # Errors
    /// As [`crate::Extractor::extract`].
    pub fn open(file: &str, language: Language, text: &str) -> Result<Self, Error> {
        Ok(Document {
            file: file.to_owned(),
            language,
            text: text.to_owned(),
            tree: parse(text, language, None)?,
            items: HashMap::new(),
        })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces a range of bytes.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range is not one of the text or cuts a character; then
    /// nothing has changed. [`ErrorKind::Parse`] if the parser gave up.
    pub fn edit(&mut self, range: Range<usize>, replacement: &str) -> Result<(), Error> {
        if self.text.get(range.clone()).is_none() {
            return Err(Error::new(
                ErrorKind::OutOfRange,
                format!(
                    "{range:?} is no range of characters in a text of {} bytes",
                    self.text.len()
                ),
            ));
        }
        let start_position = position(&self.text, range.start);
        let old_end_position = position(&self.text, range.end);
        let new_end = range.start + replacement.len();
        let start_byte = range.start;
        let old_end_byte = range.end;
        self.text.replace_range(range, replacement);
        self.tree.edit(&InputEdit {
            start_byte,
            old_end_byte,
            new_end_byte: new_end,
            start_position,
            old_end_position,
            new_end_position: position(&self.text, new_end),
        });
        self.tree = parse(&self.text, self.language, Some(&self.tree))?;
        Ok(())
    }

    /// What the file says now.
    pub fn extraction(&mut self) -> Extraction {
        let root = self.tree.root_node();
        let mut kept = HashMap::with_capacity(self.items.len());
        let mut parts = Vec::new();
        let mut cursor = root.walk();
        for node in root.children(&mut cursor) {
            let Point { row, column } = node.start_position();
            let id = (ContentId::of(&self.text.as_bytes()[node.byte_range()]), column);
            let found = match self.items.get(&id).or_else(|| kept.get(&id)) {
                Some(found) => Arc::clone(found),
                None => Arc::new(extract(node, row, &self.text, &self.file, self.language)),
            };
            kept.insert(id, Arc::clone(&found));
            parts.push((row as u32, found));
        }
        let parts_of = parts.iter().map(|(row, found)| (*row, Cow::Borrowed(&**found)));
        let extraction = finish(&self.file, &self.tree, parts_of);
        self.items = kept;
        extraction
    }
}

fn position(text: &str, byte: usize) -> Point {
    let before = &text.as_bytes()[..byte];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    Point::new(before.iter().filter(|b| **b == b'\n').count(), byte - line_start)
}
