//! Languages: a grammar and a query file each. What differs beyond that is in the query files.

use std::path::Path;
use std::sync::OnceLock;

use edgekit_constraint_ir::Visibility;
use tree_sitter::Query;

/// A language whose grammar was compiled in, by feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Rust.
    #[cfg(feature = "rust")]
    Rust,
    /// Python.
    #[cfg(feature = "python")]
    Python,
    /// TypeScript.
    #[cfg(feature = "typescript")]
    TypeScript,
    /// TypeScript with JSX, which takes the place of casts in angle brackets.
    #[cfg(feature = "typescript")]
    Tsx,
    /// JavaScript, with or without JSX.
    #[cfg(feature = "javascript")]
    JavaScript,
    /// Go.
    #[cfg(feature = "go")]
    Go,
    /// Java.
    #[cfg(feature = "java")]
    Java,
    /// C.
    #[cfg(feature = "c")]
    C,
    /// C++.
    #[cfg(feature = "cpp")]
    Cpp,
    /// Zig.
    #[cfg(feature = "zig")]
    Zig,
}

impl Language {
    /// All languages that were compiled in.
    pub const ALL: &[Language] = &[
        #[cfg(feature = "rust")]
        Language::Rust,
        #[cfg(feature = "python")]
        Language::Python,
        #[cfg(feature = "typescript")]
        Language::TypeScript,
        #[cfg(feature = "typescript")]
        Language::Tsx,
        #[cfg(feature = "javascript")]
        Language::JavaScript,
        #[cfg(feature = "go")]
        Language::Go,
        #[cfg(feature = "java")]
        Language::Java,
        #[cfg(feature = "c")]
        Language::C,
        #[cfg(feature = "cpp")]
        Language::Cpp,
        #[cfg(feature = "zig")]
        Language::Zig,
    ];

    /// As many as there can be.
    pub(crate) const MOST: usize = 10;

    /// The language of a file, by its extension.
    pub fn of_path(path: impl AsRef<Path>) -> Option<Language> {
        let extension = path.as_ref().extension()?.to_str()?;
        Self::ALL.iter().copied().find(|language| language.extensions().contains(&extension))
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            #[cfg(feature = "rust")]
            Language::Rust => &["rs"],
            #[cfg(feature = "python")]
            Language::Python => &["py", "pyi"],
            #[cfg(feature = "typescript")]
            Language::TypeScript => &["ts", "mts", "cts"],
            #[cfg(feature = "typescript")]
            Language::Tsx => &["tsx"],
            #[cfg(feature = "javascript")]
            Language::JavaScript => &["js", "jsx", "mjs", "cjs"],
            #[cfg(feature = "go")]
            Language::Go => &["go"],
            #[cfg(feature = "java")]
            Language::Java => &["java"],
            #[cfg(feature = "c")]
            Language::C => &["c", "h"],
            #[cfg(feature = "cpp")]
            Language::Cpp => &["cpp", "cc", "cxx", "hpp", "hh"],
            #[cfg(feature = "zig")]
            Language::Zig => &["zig"],
        }
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            #[cfg(feature = "rust")]
            Language::Rust => tree_sitter_rust::LANGUAGE.into(),
            #[cfg(feature = "python")]
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            #[cfg(feature = "typescript")]
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            #[cfg(feature = "typescript")]
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            #[cfg(feature = "javascript")]
            Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            #[cfg(feature = "go")]
            Language::Go => tree_sitter_go::LANGUAGE.into(),
            #[cfg(feature = "java")]
            Language::Java => tree_sitter_java::LANGUAGE.into(),
            #[cfg(feature = "c")]
            Language::C => tree_sitter_c::LANGUAGE.into(),
            #[cfg(feature = "cpp")]
            Language::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            #[cfg(feature = "zig")]
            Language::Zig => tree_sitter_zig::LANGUAGE.into(),
        }
    }

    fn query_source(self) -> &'static str {
        match self {
            #[cfg(feature = "rust")]
            Language::Rust => include_str!("../queries/rust.scm"),
            #[cfg(feature = "python")]
            Language::Python => include_str!("../queries/python.scm"),
            #[cfg(feature = "typescript")]
            Language::TypeScript | Language::Tsx => include_str!("../queries/typescript.scm"),
            #[cfg(feature = "javascript")]
            Language::JavaScript => include_str!("../queries/javascript.scm"),
            #[cfg(feature = "go")]
            Language::Go => include_str!("../queries/go.scm"),
            #[cfg(feature = "java")]
            Language::Java => include_str!("../queries/java.scm"),
            #[cfg(feature = "c")]
            Language::C => include_str!("../queries/c.scm"),
            #[cfg(feature = "cpp")]
            Language::Cpp => {
                concat!(include_str!("../queries/c.scm"), include_str!("../queries/cpp.scm"))
            }
            #[cfg(feature = "zig")]
            Language::Zig => include_str!("../queries/zig.scm"),
        }
    }

    /// What separates the parts of a qualified name.
    pub(crate) fn path_separator(self) -> &'static str {
        match self {
            #[cfg(feature = "rust")]
            Language::Rust => "::",
            #[cfg(feature = "cpp")]
            Language::Cpp => "::",
            #[allow(unreachable_patterns, reason = "with few features nothing else is left")]
            _ => ".",
        }
    }

    /// The compiled query. Compiled at the first use of the process.
    pub(crate) fn query(self) -> &'static Query {
        static QUERIES: [OnceLock<Query>; Language::MOST] =
            [const { OnceLock::new() }; Language::MOST];
        QUERIES[self as usize].get_or_init(|| {
            // The query files are part of the crate and every one is compiled by its tests.
            Query::new(&self.grammar(), self.query_source())
                .unwrap_or_else(|e| unreachable!("the query for {self:?} is wrong: {e}"))
        })
    }

    /// A type in parentheses is a tuple of one (with its comma), not a group.
    pub(crate) fn has_one_tuples(self) -> bool {
        self.is("rs") || self.is("py")
    }

    /// `[T]` is a list, and `<` opens arguments.
    pub(crate) fn has_array_types(self) -> bool {
        self.is("rs")
    }

    /// A name is declared inside of what makes its type; `T*` is a pointer.
    pub(crate) fn has_declarators(self) -> bool {
        self.is("c") || self.is("cpp")
    }

    /// `char` is a Unicode scalar value.
    pub(crate) fn has_unicode_chars(self) -> bool {
        self.is("rs")
    }

    /// `byte` has no sign.
    pub(crate) fn has_unsigned_bytes(self) -> bool {
        self.is("go")
    }

    /// `int` has no limit.
    pub(crate) fn has_big_integers(self) -> bool {
        self.is("py")
    }

    /// `int` has 64 bits.
    pub(crate) fn has_64_bit_int(self) -> bool {
        self.is("go")
    }

    /// A function that says nothing returns nothing.
    pub(crate) fn returns_unit_by_default(self) -> bool {
        self.is("rs") || self.is("go")
    }

    /// How far an item is visible, where the language has rules for it: by what stands before the
    /// item (`said`, empty for nothing), by its name, and by whether it belongs to a type.
    pub(crate) fn visibility(self, said: &str, name: &str, is_member: bool) -> Option<Visibility> {
        let words = || said.split_whitespace();
        Some(match self.extensions()[0] {
            "rs" => match said.split_once('(') {
                None if said.is_empty() => Visibility::Private,
                None => Visibility::Public,
                Some((_, within)) if within.trim_end_matches(')').trim() == "self" => {
                    Visibility::Private
                }
                Some(_) => Visibility::Package,
            },
            "ts" | "tsx" | "js"
                if is_member
                    && (matches!(said, "private" | "protected") || name.starts_with('#')) =>
            {
                Visibility::Private
            }
            "ts" | "tsx" | "js" if is_member => Visibility::Public,
            "ts" | "tsx" | "js" | "zig" if said.is_empty() => Visibility::Private,
            "ts" | "tsx" | "js" | "zig" => Visibility::Public,
            "go" if name.starts_with(char::is_uppercase) => Visibility::Public,
            "go" => Visibility::Package,
            "java" if words().any(|word| word == "public") => Visibility::Public,
            "java" if words().any(|word| word == "private") => Visibility::Private,
            // Subclasses elsewhere see what is protected; there is no word for that here.
            "java" => Visibility::Package,
            // What is defined outside of its class is as visible as the class declares it.
            "c" | "cpp" if name.contains("::") => return None,
            // The word before the members; where there is none, the one that opens the type.
            "c" | "cpp" if matches!(said, "private" | "protected" | "class" | "static") => {
                Visibility::Private
            }
            "c" | "cpp" => Visibility::Public,
            "py" if name.starts_with('_') && !name.ends_with("__") => Visibility::Private,
            "py" => Visibility::Public,
            _ => return None,
        })
    }

    /// A literal with the members of a class stands for it.
    pub(crate) fn has_structural_types(self) -> bool {
        self.is("ts") || self.is("tsx")
    }

    /// Where methods name what they are called on.
    pub(crate) fn explicit_self(self) -> ExplicitSelf {
        match self.extensions()[0] {
            "py" => ExplicitSelf::First,
            "zig" => ExplicitSelf::Named,
            _ => ExplicitSelf::No,
        }
    }

    pub(crate) fn is(self, extension: &str) -> bool {
        self.extensions().contains(&extension)
    }
}

/// Whether a method's parameters begin with what it is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExplicitSelf {
    /// It is not among them.
    No,
    /// The first one is, whatever it is called.
    First,
    /// The first one is, if it is called `self`.
    Named,
}
