//! What is to be generated, in which language, and within which limits.

use edgekit_constraint_ir::{Canonical, Error as IrError, Reader, Type};

use crate::{Error, ErrorKind};

/// What the model is about to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A JSON document that obeys all schemas of this name.
    Json {
        /// The schemas' name.
        schema: String,
    },
    /// Text that matches all patterns without a target.
    Text,
    /// An expression of this type.
    Value {
        /// The type.
        ty: Type,
        /// The language.
        dialect: Dialect,
    },
    /// A call of this function, or of any of its overloads: functions of one name in one file. A
    /// method is called on an expression of its receiver's type; where none can be written it is
    /// called on any name, and reported as not enforced.
    Call {
        /// The function's name.
        function: String,
        /// The language.
        dialect: Dialect,
    },
    /// One import statement for this file or module.
    Import {
        /// The file or module.
        scope: String,
        /// The language.
        dialect: Dialect,
    },
    /// The expression that is missing in this function, which must not be overloaded, and whose
    /// holes must not expect different types. Its parameters may be used.
    Hole {
        /// The function's name.
        function: String,
        /// The language.
        dialect: Dialect,
    },
}

/// How values, calls and imports are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// TypeScript, and JavaScript.
    TypeScript,
}

/// What happens to a schema that uses keywords which cannot be enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnsupportedKeywords {
    /// It is refused, and the keywords are listed in the error.
    #[default]
    Refuse,
    /// They are left out of the grammar, and each is listed as not enforced.
    Report,
}

/// Which hard constraints may be given up, in this order, when nothing can be generated otherwise.
/// What was given up is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relax {
    /// None: an error says what is infeasible.
    #[default]
    Nothing,
    /// Limits on imports.
    Imports,
    /// Limits on imports, then types.
    Types,
    /// Limits on imports, then types, then the syntax: whatever is left is free text.
    Syntax,
}

/// Bounds on hostile input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a schema's text.
    pub max_schema_bytes: usize,
    /// JSON values in a schema, all levels together.
    pub max_schema_nodes: usize,
    /// Levels of nesting in a schema.
    pub max_schema_depth: usize,
    /// Different targets of `$ref` in a schema.
    pub max_schema_references: usize,
    /// Bytes of one regular expression.
    pub max_pattern_bytes: usize,
    /// Work that the engine may spend on building a lexer; about 50,000 a millisecond.
    pub lexer_fuel: u64,
    /// Symbols in a grammar's productions.
    pub max_grammar_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_schema_bytes: 8 << 20,
            max_schema_nodes: 400_000,
            max_schema_depth: 128,
            max_schema_references: 4_000,
            max_pattern_bytes: 64 << 10,
            lexer_fuel: 1_000_000,
            max_grammar_size: 500_000,
        }
    }
}

/// How constraints become a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What happens to keywords that cannot be enforced.
    pub unsupported: UnsupportedKeywords,
    /// What may be given up when nothing can be generated otherwise.
    pub relax: Relax,
    /// How deep calls of functions may nest in an expression; 0 is none.
    pub call_depth: u8,
    /// The longest list literal, in items.
    pub max_list_items: u16,
    /// The longest text literal, in characters.
    pub max_text_chars: u16,
    /// Bounds on hostile input.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            unsupported: UnsupportedKeywords::Refuse,
            relax: Relax::Nothing,
            call_depth: 1,
            max_list_items: 8,
            max_text_chars: 64,
            limits: Limits::default(),
        }
    }
}

impl Options {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let at_least_one = [
            ("max_list_items", usize::from(self.max_list_items)),
            ("max_text_chars", usize::from(self.max_text_chars)),
            ("limits.max_schema_bytes", limits.max_schema_bytes),
            ("limits.max_schema_nodes", limits.max_schema_nodes),
            ("limits.max_schema_depth", limits.max_schema_depth),
            ("limits.max_schema_references", limits.max_schema_references),
            ("limits.max_pattern_bytes", limits.max_pattern_bytes),
            ("limits.max_grammar_size", limits.max_grammar_size),
        ];
        if let Some((name, _)) = at_least_one.iter().find(|(_, n)| *n == 0) {
            return Err(Error::new(
                ErrorKind::InvalidOptions,
                format!("{name} is 0; nothing could be compiled. Use at least 1"),
            ));
        }
        if limits.max_schema_depth > MAX_DEPTH {
            return Err(Error::new(
                ErrorKind::InvalidOptions,
                format!(
                    "limits.max_schema_depth is {}; the engine's stack bears {MAX_DEPTH}",
                    limits.max_schema_depth
                ),
            ));
        }
        if self.call_depth > 3 {
            return Err(Error::new(
                ErrorKind::InvalidOptions,
                format!("call_depth is {}; beyond 3 grammars explode", self.call_depth),
            ));
        }
        Ok(())
    }
}

const MAX_DEPTH: usize = 256;

/// Everything in it changes what is compiled, so all of it belongs in a cache's key.
impl Canonical for Options {
    fn put(&self, out: &mut Vec<u8>) {
        (self.unsupported as u8).put(out);
        (self.relax as u8).put(out);
        self.call_depth.put(out);
        self.max_list_items.put(out);
        self.max_text_chars.put(out);
        let l = &self.limits;
        let sizes = [
            l.max_schema_bytes,
            l.max_schema_nodes,
            l.max_schema_depth,
            l.max_schema_references,
            l.max_pattern_bytes,
        ];
        sizes.iter().for_each(|n| (*n as u64).put(out));
        l.lexer_fuel.put(out);
        (l.max_grammar_size as u64).put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, IrError> {
        let unsupported = match u8::take(input)? {
            0 => UnsupportedKeywords::Refuse,
            1 => UnsupportedKeywords::Report,
            n => return Err(IrError::malformed(format!("{n} is no tag of UnsupportedKeywords"))),
        };
        let relax = match u8::take(input)? {
            0 => Relax::Nothing,
            1 => Relax::Imports,
            2 => Relax::Types,
            3 => Relax::Syntax,
            n => return Err(IrError::malformed(format!("{n} is no tag of Relax"))),
        };
        let size = |input: &mut Reader<'_>| u64::take(input).map(|n| n as usize);
        Ok(Options {
            unsupported,
            relax,
            call_depth: u8::take(input)?,
            max_list_items: u16::take(input)?,
            max_text_chars: u16::take(input)?,
            limits: Limits {
                max_schema_bytes: size(input)?,
                max_schema_nodes: size(input)?,
                max_schema_depth: size(input)?,
                max_schema_references: size(input)?,
                max_pattern_bytes: size(input)?,
                lexer_fuel: u64::take(input)?,
                max_grammar_size: size(input)?,
            },
        })
    }
}

impl Canonical for Dialect {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u8).put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, IrError> {
        Ok(match u8::take(input)? {
            0 => Dialect::Rust,
            1 => Dialect::Python,
            2 => Dialect::TypeScript,
            n => return Err(IrError::malformed(format!("{n} is no tag of Dialect"))),
        })
    }
}

impl Canonical for Goal {
    fn put(&self, out: &mut Vec<u8>) {
        let mut spelled = |tag: u8, name: &String, dialect: &Dialect| {
            out.push(tag);
            name.put(out);
            dialect.put(out);
        };
        match self {
            Goal::Call { function, dialect } => spelled(3, function, dialect),
            Goal::Import { scope, dialect } => spelled(4, scope, dialect),
            Goal::Hole { function, dialect } => spelled(5, function, dialect),
            Goal::Json { schema } => {
                out.push(0);
                schema.put(out);
            }
            Goal::Text => out.push(1),
            Goal::Value { ty, dialect } => {
                out.push(2);
                ty.put(out);
                dialect.put(out);
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, IrError> {
        let tag = u8::take(input)?;
        Ok(match tag {
            0 => Goal::Json { schema: String::take(input)? },
            1 => Goal::Text,
            2 => Goal::Value { ty: Type::take(input)?, dialect: Dialect::take(input)? },
            3 => Goal::Call { function: String::take(input)?, dialect: Dialect::take(input)? },
            4 => Goal::Import { scope: String::take(input)?, dialect: Dialect::take(input)? },
            5 => Goal::Hole { function: String::take(input)?, dialect: Dialect::take(input)? },
            n => return Err(IrError::malformed(format!("{n} is no tag of Goal"))),
        })
    }
}
