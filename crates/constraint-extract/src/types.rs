//! Types as source text, read into the types that all languages share.
//!
//! One reader for all: generics in any bracket, unions, references, lists. Names that mean something
//! are looked up in one table; what is not understood stays a name, which promises nothing.

use edgekit_constraint_ir::{Literal, NamedType, Type};

use crate::Language;

/// How deep types are followed.
const MAX_DEPTH: usize = 32;

/// Reads a type. What cannot be read becomes [`Type::Unknown`].
pub(crate) fn parse(text: &str, language: Language) -> Type {
    let text: &str = text.trim().trim_start_matches(':').trim_start_matches("->").trim();
    let mut reader = Reader { rest: text, language, depth: 0 };
    let ty = reader.union();
    match ty {
        Some(ty) if reader.rest.trim().is_empty() => ty,
        _ if text.is_empty() => Type::Unknown,
        _ => Type::named(text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// A type with another one in the place of `Self`.
pub(crate) fn with_self(ty: Type, own: &Type) -> Type {
    let one = |ty: Box<Type>| Box::new(with_self(*ty, own));
    let all = |types: Vec<Type>| types.into_iter().map(|ty| with_self(ty, own)).collect();
    match ty {
        Type::Named(named) if named.name == "Self" => own.clone(),
        Type::Named(NamedType { name, arguments }) => {
            Type::Named(NamedType { name, arguments: all(arguments) })
        }
        Type::Optional(inner) => Type::Optional(one(inner)),
        Type::Reference(inner) => Type::Reference(one(inner)),
        Type::List(inner) => Type::List(one(inner)),
        Type::Tuple(types) => Type::Tuple(all(types)),
        Type::Union(types) => Type::Union(all(types)),
        Type::Map(types) => Type::Map(Box::new((with_self(types.0, own), with_self(types.1, own)))),
        other => other,
    }
}

/// A literal as the source spells it.
pub(crate) fn literal(text: &str) -> Option<Literal> {
    let text = text.trim();
    let plain = text.replace('_', "");
    if let Ok(n) = plain.parse::<i64>() {
        return Some(Literal::Integer(n));
    }
    if plain.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && let Ok(x) = plain.parse::<f64>()
    {
        return edgekit_constraint_ir::Real::new(x).ok().map(Literal::Real);
    }
    match text {
        "true" | "True" => return Some(Literal::Bool(true)),
        "false" | "False" => return Some(Literal::Bool(false)),
        "null" | "None" => return Some(Literal::Null),
        _ => {}
    }
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    // A text with escapes is left to whoever can read the language.
    (!inner.contains(['\\', quote])).then(|| Literal::Text(inner.into()))
}

struct Reader<'a> {
    rest: &'a str,
    language: Language,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn union(&mut self) -> Option<Type> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.eat("|");
        let mut options = vec![self.suffixed()?];
        while self.eat("|") {
            options.push(self.suffixed()?);
        }
        self.depth -= 1;
        Some(join(options))
    }

    fn suffixed(&mut self) -> Option<Type> {
        let any_error = self.language.is("zig") && self.rest.trim_start().starts_with('!');
        let mut ty = if any_error { Type::Unknown } else { self.one()? };
        loop {
            if self.language.is("zig") && self.eat("!") {
                // What follows, or the error in front.
                let arguments = vec![self.one()?, ty];
                ty = Type::Named(NamedType { name: "Result".into(), arguments });
            } else if self.eat("[]") {
                ty = Type::List(Box::new(ty));
            } else if self.language.has_declarators() && (self.eat("*") || self.eat("&")) {
                ty = Type::Reference(Box::new(ty));
            } else {
                return Some(ty);
            }
        }
    }

    fn one(&mut self) -> Option<Type> {
        self.rest = self.rest.trim_start();
        if self.eat("&") {
            self.lifetime();
            self.word("mut");
            // A reference that can be written through is not one that a literal can make.
            return Some(Type::Reference(Box::new(self.one()?)));
        }
        if self.eat("?") {
            return Some(Type::Optional(Box::new(self.one()?)));
        }
        if self.eat("[]") {
            return Some(Type::List(Box::new(self.one()?)));
        }
        if self.eat("(") {
            let items = self.list(")")?;
            return Some(match items.len() {
                0 => Type::Unit,
                1 if !self.language.has_one_tuples() => items.into_iter().next()?,
                _ => Type::Tuple(items),
            });
        }
        if self.eat("[") {
            let mut items = self.list_until(&["]", ";"])?;
            if self.rest.starts_with(';') {
                let close = self.rest.find(']')?;
                self.rest = &self.rest[close + 1..];
                // Arrays of a fixed length have no literal of any other length.
                return None;
            }
            self.eat("]");
            return Some(match (items.len(), self.language.has_array_types()) {
                (1, true) => Type::List(Box::new(items.remove(0))),
                _ => Type::Tuple(items),
            });
        }
        // A type in quotes is one that is defined further down.
        if self.language.is("py") && self.rest.starts_with(['"', '\'']) {
            let Some(Type::Literal(Literal::Text(text))) = self.literal() else { return None };
            let mut inner = Reader { rest: &text, language: self.language, depth: self.depth };
            return inner.union().filter(|_| inner.rest.trim().is_empty());
        }
        if self.rest.starts_with(['"', '\'', '-'])
            || self.rest.starts_with(|c: char| c.is_ascii_digit())
        {
            return self.literal();
        }
        for word in ["dyn", "const", "readonly", "struct", "enum", "class", "union"] {
            self.word(word);
        }
        let name = self.name()?;
        let arguments = match () {
            () if self.eat("<") => self.list(">")?,
            // `[]` behind a name is a list of it.
            () if self.rest.trim_start().starts_with("[]") => Vec::new(),
            // `int[4]` is not one more of the languages whose arguments are in square brackets.
            () if self.language.has_declarators() => Vec::new(),
            () if !self.language.has_array_types() && self.eat("[") => {
                if name == "Literal" || name.ends_with(".Literal") {
                    return Some(join(self.literals("]")?));
                }
                self.list("]")?
            }
            () => Vec::new(),
        };
        Some(known(name, arguments, self.language))
    }

    fn list(&mut self, close: &str) -> Option<Vec<Type>> {
        let items = self.list_until(&[close])?;
        self.eat(close).then_some(items)
    }

    /// Items up to one of the closing brackets, which stays.
    fn list_until(&mut self, close: &[&str]) -> Option<Vec<Type>> {
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if close.iter().any(|c| self.rest.starts_with(c)) {
                return Some(items);
            }
            if self.lifetime() {
                self.eat(",");
                continue;
            }
            items.push(self.union()?);
            if !self.eat(",") && !close.iter().any(|c| self.rest.trim_start().starts_with(c)) {
                return None;
            }
        }
    }

    /// Literals up to a closing bracket.
    fn literals(&mut self, close: &str) -> Option<Vec<Type>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            self.rest = self.rest.trim_start();
            items.push(self.literal()?);
            if !self.eat(",") && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(items)
    }

    fn literal(&mut self) -> Option<Type> {
        let first = self.rest.chars().next()?;
        let end = if matches!(first, '"' | '\'') {
            self.rest[1..].find(first)? + 2
        } else {
            let end = self.rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            end.map_or(self.rest.len(), |end| end + 1)
        };
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        literal(text).map(Type::Literal)
    }

    fn name(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':')))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn lifetime(&mut self) -> bool {
        let rest = self.rest.trim_start();
        let Some(after) = rest.strip_prefix('\'') else { return false };
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        // A quote behind it makes it a literal.
        if end == 0 || after[end..].starts_with('\'') {
            return false;
        }
        self.rest = &after[end..];
        true
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, word: &str) {
        if let Some(rest) = self.rest.trim_start().strip_prefix(word)
            && rest.starts_with(char::is_whitespace)
        {
            self.rest = rest;
        }
    }
}

/// A union, flat; with nothing as one of two it is an optional.
fn join(mut options: Vec<Type>) -> Type {
    if options.len() == 1 {
        return options.remove(0);
    }
    if options.len() == 2
        && let Some(at) = options.iter().position(|t| *t == Type::Unit)
    {
        options.remove(at);
        return Type::Optional(Box::new(options.remove(0)));
    }
    Type::Union(options)
}

fn known(name: &str, mut arguments: Vec<Type>, language: Language) -> Type {
    let last = name.rsplit([':', '.']).next().unwrap_or(name);
    let bits = |bits: u32| {
        let half = 1i128 << (bits - 1);
        Type::integer(-half, half - 1)
    };
    let unsigned = |bits: u32| Type::integer(0, (1i128 << bits) - 1);
    let is = |extensions: &[&str]| extensions.iter().any(|e| language.is(e));
    match (last, arguments.len()) {
        ("bool" | "boolean" | "_Bool", 0) => Type::Bool,
        ("str" | "String" | "string", 0) => Type::Text,
        ("char", 0) if language.has_unicode_chars() => Type::Char,
        ("None" | "void" | "undefined", 0) => Type::Unit,
        ("null", 0) => Type::Literal(Literal::Null),
        ("i8" | "int8" | "int8_t" | "byte", 0)
            if last != "byte" || !language.has_unsigned_bytes() =>
        {
            bits(8)
        }
        ("i16" | "int16" | "int16_t" | "short", 0) => bits(16),
        ("i32" | "int32" | "int32_t" | "rune", 0) => bits(32),
        ("i64" | "int64" | "int64_t" | "isize" | "long", 0) => bits(64),
        ("i128", 0) => Type::integer(i128::MIN, i128::MAX),
        ("u8" | "uint8" | "uint8_t" | "byte", 0) => unsigned(8),
        ("u16" | "uint16" | "uint16_t", 0) => unsigned(16),
        ("u32" | "uint32" | "uint32_t", 0) => unsigned(32),
        ("u64" | "uint64" | "uint64_t" | "usize" | "size_t" | "uint", 0) => unsigned(64),
        ("u128", 0) => Type::integer(0, i128::MAX),
        ("int", 0) if language.has_big_integers() => Type::INTEGER,
        ("int", 0) => bits(if language.has_64_bit_int() { 64 } else { 32 }),
        ("f32" | "f64" | "float" | "double" | "float32" | "float64" | "number", 0) => Type::Float,
        ("any" | "Any" | "unknown" | "object" | "var", 0) => Type::Unknown,
        // A type of one's own may have any of these names elsewhere.
        ("Option", 1) if is(&["rs"]) => Type::Optional(Box::new(arguments.remove(0))),
        ("Optional", 1) if is(&["py"]) => Type::Optional(Box::new(arguments.remove(0))),
        ("Vec", 1) if is(&["rs"]) => Type::List(Box::new(arguments.remove(0))),
        ("List" | "list" | "Sequence", 1) if is(&["py"]) => {
            Type::List(Box::new(arguments.remove(0)))
        }
        ("Array" | "ReadonlyArray", 1) if is(&["ts", "tsx"]) => {
            Type::List(Box::new(arguments.remove(0)))
        }
        ("List", 1) if is(&["java"]) => Type::List(Box::new(arguments.remove(0))),
        ("vector", 1) if is(&["cpp"]) => Type::List(Box::new(arguments.remove(0))),
        ("HashMap" | "BTreeMap", 2) if is(&["rs"]) => map(arguments),
        ("dict" | "Dict" | "Mapping", 2) if is(&["py"]) => map(arguments),
        ("Record", 2) if is(&["ts", "tsx"]) => map(arguments),
        ("tuple" | "Tuple", n) if n > 0 && is(&["py"]) => Type::Tuple(arguments),
        ("Union", n) if n > 0 && is(&["py"]) => join(arguments),
        _ => Type::Named(NamedType { name: name.into(), arguments }),
    }
}

/// A map out of the types of its keys and values.
fn map(mut arguments: Vec<Type>) -> Type {
    let value = arguments.remove(1);
    Type::Map(Box::new((arguments.remove(0), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "rust")]
    #[test]
    fn rust() {
        let parse = |text| parse(text, Language::Rust);
        let list = |t| Type::List(Box::new(t));
        let reference = |t| Type::Reference(Box::new(t));
        assert_eq!(parse("u8"), Type::integer(0, 255));
        assert_eq!(parse("&'a str"), reference(Type::Text));
        assert_eq!(parse("&'static [u8]"), reference(list(Type::integer(0, 255))));
        assert_eq!(parse("Option<Vec<bool>>"), Type::Optional(Box::new(list(Type::Bool))));
        assert_eq!(parse("()"), Type::Unit);
        assert_eq!(parse("(bool, char)"), Type::Tuple(vec![Type::Bool, Type::Char]));
        let map = Type::Map(Box::new((Type::Text, Type::Float)));
        assert_eq!(parse("std::collections::HashMap<String, f64>"), map);
        let Type::Named(result) = parse("Result<(), Error<'_>>") else { panic!() };
        assert_eq!((result.name.as_str(), result.arguments.len()), ("Result", 2));
        assert_eq!(parse("[u8; 4]"), Type::named("[u8; 4]"));
        assert_eq!(parse("impl Fn(u8) -> u8"), Type::named("impl Fn(u8) -> u8"));
    }

    #[cfg(feature = "python")]
    #[test]
    fn python() {
        let parse = |text| parse(text, Language::Python);
        assert_eq!(parse("int"), Type::INTEGER);
        assert_eq!(parse("str | None"), Type::Optional(Box::new(Type::Text)));
        assert_eq!(parse("list[int]"), Type::List(Box::new(Type::INTEGER)));
        let texts = ["a", "b"].map(|t| Type::Literal(Literal::Text(t.into())));
        assert_eq!(parse("Literal['a', \"b\"]"), Type::Union(texts.to_vec()));
        assert_eq!(parse("dict[str, float]"), Type::Map(Box::new((Type::Text, Type::Float))));
    }

    #[cfg(feature = "typescript")]
    #[test]
    fn typescript() {
        let parse = |text| parse(text, Language::TypeScript);
        assert_eq!(parse("number[]"), Type::List(Box::new(Type::Float)));
        assert_eq!(parse("string | undefined"), Type::Optional(Box::new(Type::Text)));
        let union = Type::Union(vec![Type::Text, Type::Literal(Literal::Null)]);
        assert_eq!(parse("string | null"), union);
        assert_eq!(parse("[boolean, string]"), Type::Tuple(vec![Type::Bool, Type::Text]));
        assert_eq!(parse("(x: number) => void"), Type::named("(x: number) => void"));
    }

    #[test]
    fn depth_is_bounded() {
        for language in Language::ALL {
            let text = format!("{}u8{}", "Option<".repeat(10_000), ">".repeat(10_000));
            assert!(matches!(parse(&text, *language), Type::Named(_)));
        }
    }
}
