//! Items to constraints: one reader for all languages.

use std::collections::BTreeSet;

use edgekit_constraint_ir::{
    Body, Confidence, Constraint, Enforcement, EnumDef, ErrorType, Field, Function, Hole, Kind,
    Literals, NamedType, Names, Origin, Parameter, Presence, Priority, Range, Shape, Source,
    StructDef, Type, Variant, VisibilityOf,
};
use tree_sitter::Node;

use crate::Language;
use crate::captures::{Item, ItemKind, items};
use crate::ranges::ranges;
use crate::types::{literal, parse};

/// What a part of a file yields. Lines are counted from the part's first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) imports: BTreeSet<String>,
    pub(crate) names: BTreeSet<String>,
}

/// What people write where code is missing. In two pieces, so that a search for such places does not
/// find this one.
const UNFINISHED: &str = concat!("TO", "DO");

/// What the query finds below a node; lines are counted from `first_row`.
pub(crate) fn extract(
    node: Node<'_>,
    first_row: usize,
    text: &str,
    file: &str,
    language: Language,
) -> Found {
    let items = items(node, text, language);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for (i, item) in items.iter().enumerate() {
        if let Some(parent) = item.parent {
            children[parent].push(i);
        }
    }
    let mut reader = Reader {
        items: &items,
        children: &children,
        text,
        file,
        language,
        first_row,
        found: Found::default(),
    };
    (0..items.len()).for_each(|i| reader.item(i));
    reader.found
}

struct Reader<'r, 't> {
    items: &'r [Item<'t>],
    children: &'r [Vec<usize>],
    text: &'r str,
    file: &'r str,
    language: Language,
    first_row: usize,
    found: Found,
}

impl<'r, 't> Reader<'r, 't> {
    fn item(&mut self, i: usize) {
        let item = &self.items[i];
        match item.kind {
            ItemKind::Function | ItemKind::Method => self.function(i),
            ItemKind::Struct if item.is_enum => self.enumeration(i),
            ItemKind::Struct => self.structure(i),
            ItemKind::Enum => self.enumeration(i),
            ItemKind::Import => {
                let path = self.of(item.node).trim_matches(['"', '<', '>']);
                self.found.imports.insert(path.split_whitespace().collect());
            }
            ItemKind::Alias => self.alias(i),
            ItemKind::Hole => self.hole(i),
            ItemKind::Comment => self.comment(i),
            _ => {}
        }
    }

    fn function(&mut self, i: usize) {
        let item = &self.items[i];
        let Some(name) = self.visible_name(i) else { return };
        let modifiers = item.modifiers.map_or("", |node| self.of(node));
        if modifiers.contains("unsafe") {
            return;
        }
        let mut receiver = self.children[i]
            .iter()
            .any(|c| self.items[*c].kind == ItemKind::Receiver)
            .then_some(Type::Unknown);
        if item.kind == ItemKind::Method {
            receiver = Some(Type::Unknown);
        }
        let mut parameters = Vec::new();
        for (at, p) in
            self.children[i].iter().map(|c| &self.items[*c]).filter(|p| is_parameter(p)).enumerate()
        {
            let name = p.name.map_or("", |node| self.of(node)).to_owned();
            let in_class = item.parent.is_some_and(|p| self.items[p].kind == ItemKind::Struct);
            if at == 0
                && in_class
                && self.language.has_explicit_self()
                && matches!(&*name, "self" | "cls")
            {
                receiver = Some(Type::Unknown);
                continue;
            }
            let ty = p.ty.map_or(Type::Unknown, |node| parse(self.of(node), self.language));
            let presence = if p.is_optional { Presence::Optional } else { Presence::Required };
            parameters.push(Parameter { name, ty, presence });
        }
        let mut returns = match item.returns {
            Some(node) => parse(self.of(node), self.language),
            None if self.language.returns_unit_by_default() => Type::Unit,
            None => Type::Unknown,
        };
        if modifiers.contains("async") {
            returns = Type::Named(NamedType { name: "Future".into(), arguments: vec![returns] });
        }
        let node = item.node;
        if let Some(error) = self.error_of(i, &returns) {
            let body = Body::ErrorType(ErrorType { function: name.clone(), error });
            self.emit(Kind::TypeSafety, node, body);
        }
        let names: BTreeSet<String> =
            parameters.iter().map(|p| p.name.clone()).filter(|n| !n.is_empty()).collect();
        self.assertions(i, &name, &names);
        if !names.is_empty() {
            let body = Body::Names(Names { scope: name.clone(), names });
            self.emit(Kind::Semantic, node, body);
        }
        self.visibility(i, &name);
        let body = Body::Function(Function { name, receiver, parameters, returns });
        self.emit(Kind::TypeSafety, node, body);
    }

    /// What a function fails with: the second argument of a `Result`, or what it throws.
    fn error_of(&self, i: usize, returns: &Type) -> Option<Type> {
        if let Type::Named(NamedType { name, arguments }) = returns
            && name.ends_with("Result")
            && let [_, error] = arguments.as_slice()
        {
            return Some(error.clone());
        }
        let raised: BTreeSet<&str> = self.children[i]
            .iter()
            .map(|c| &self.items[*c])
            .filter(|c| c.kind == ItemKind::Raise)
            .map(|c| self.of(c.node).trim_start_matches("throws").trim())
            .collect();
        let mut types: Vec<Type> = raised.into_iter().map(|t| parse(t, self.language)).collect();
        match types.len() {
            0 => None,
            1 => types.pop(),
            _ => Some(Type::Union(types)),
        }
    }

    fn structure(&mut self, i: usize) {
        let Some(name) = self.visible_name(i) else { return };
        let fields = self.fields(i);
        let shape = self.shape(i, &fields);
        self.visibility(i, &name);
        let node = self.items[i].node;
        self.emit(Kind::TypeSafety, node, Body::Struct(StructDef { name, shape, fields }));
    }

    fn fields(&self, i: usize) -> Vec<Field> {
        let mut fields = Vec::new();
        for f in self.children[i].iter().map(|c| &self.items[*c]) {
            let name = match f.kind {
                ItemKind::Field => match f.name {
                    Some(node) => self.of(node).to_owned(),
                    None => continue,
                },
                ItemKind::PositionalField => fields.len().to_string(),
                _ => continue,
            };
            let ty = f.ty.map_or(Type::Unknown, |node| parse(self.of(node), self.language));
            let optional = f.is_optional || f.value.is_some();
            let presence = if optional { Presence::Optional } else { Presence::Required };
            fields.push(Field { name, ty, presence });
        }
        fields
    }

    fn shape(&self, i: usize, fields: &[Field]) -> Shape {
        let positional =
            self.children[i].iter().any(|c| self.items[*c].kind == ItemKind::PositionalField);
        match fields.is_empty() {
            _ if positional => Shape::Positional,
            true if self.language.has_unicode_chars()
                && !self.of(self.items[i].node).contains('{') =>
            {
                Shape::Unit
            }
            _ => Shape::Named,
        }
    }

    fn enumeration(&mut self, i: usize) {
        let Some(name) = self.visible_name(i) else { return };
        let mut variants = Vec::new();
        for c in &self.children[i] {
            let v = &self.items[*c];
            let is_variant = matches!(v.kind, ItemKind::Variant | ItemKind::BareVariant)
                || v.kind == ItemKind::Field;
            let Some(node) = v.name.filter(|_| is_variant) else { continue };
            let fields = self.fields(*c);
            let shape = match self.shape(*c, &fields) {
                Shape::Named if fields.is_empty() => Shape::Unit,
                shape => shape,
            };
            let value = v.value.and_then(|node| literal(self.of(node)));
            variants.push(Variant { name: self.of(node).to_owned(), shape, fields, value });
        }
        self.visibility(i, &name);
        let node = self.items[i].node;
        self.emit(Kind::TypeSafety, node, Body::Enum(EnumDef { name, variants }));
    }

    /// A name for a choice of literals.
    fn alias(&mut self, i: usize) {
        let item = &self.items[i];
        let Some((name, ty)) = self.visible_name(i).zip(item.ty) else { return };
        let ty = parse(self.of(ty), self.language);
        let options = match ty {
            Type::Union(options) => options,
            one => vec![one],
        };
        let values: Option<BTreeSet<_>> = options
            .into_iter()
            .map(|t| match t {
                Type::Literal(value) => Some(value),
                _ => None,
            })
            .collect();
        if let Some(values) = values {
            let body = Body::Literals(Literals { target: name, values });
            self.emit(Kind::TypeSafety, item.node, body);
        }
    }

    /// What assertions demand of a function's parameters. Only those are read that open its body:
    /// behind anything else the line may not be reached, or the name mean something else.
    fn assertions(&mut self, i: usize, owner: &str, parameters: &BTreeSet<String>) {
        let Some(body) = self.items[i].node.child_by_field_name("body") else { return };
        let children = self.children[i].iter().map(|c| &self.items[*c]);
        let mut asserts = children.filter(|c| c.kind == ItemKind::Assert).map(|c| c.node);
        let mut cursor = body.walk();
        for statement in body.named_children(&mut cursor) {
            let first = statement.named_child(0);
            let says_nothing = statement.kind().contains("comment")
                || first.is_some_and(|text| text.kind() == "string");
            if says_nothing {
                continue;
            }
            let Some(condition) = asserts.next().filter(|node| is_all_of(*node, statement)) else {
                return;
            };
            for range in ranges(self.of(condition)) {
                if parameters.contains(&range.target) {
                    let target = format!("{owner}.{}", range.target);
                    self.emit(Kind::Semantic, condition, Body::Range(Range { target, ..range }));
                }
            }
        }
    }

    fn hole(&mut self, i: usize) {
        let node = self.items[i].node;
        let function = self.around(i);
        let returns = function.and_then(|f| self.items[f].returns);
        let declared = node.parent().and_then(|p| p.child_by_field_name("type"));
        let body = function.and_then(|f| self.items[f].node.child_by_field_name("body"));
        let whole = body.is_some_and(|body| ends(body, node));
        let expects = match (whole, declared, returns) {
            (_, Some(declared), _) => parse(self.of(declared), self.language),
            (true, _, Some(returns)) => parse(self.of(returns), self.language),
            (true, _, None) if self.language.returns_unit_by_default() => Type::Unit,
            (true, _, None) => Type::Unknown,
            // A hole in the middle of something: a type that nobody defines promises nothing.
            (false, None, _) => Type::named("_"),
        };
        let function = function.and_then(|f| self.name_of(f)).unwrap_or_default();
        let marker = self.of(node).to_owned();
        self.emit(Kind::Syntactic, node, Body::Hole(Hole { function, marker, expects }));
    }

    /// Comments yield nothing but the places where somebody wrote that code is missing.
    fn comment(&mut self, i: usize) {
        let node = self.items[i].node;
        if self.of(node).contains(UNFINISHED) {
            let function = self.around(i).and_then(|f| self.name_of(f)).unwrap_or_default();
            let marker = UNFINISHED.to_owned();
            let body = Body::Hole(Hole { function, marker, expects: Type::named("_") });
            self.emit(Kind::Syntactic, node, body);
            if let Some(last) = self.found.constraints.last_mut() {
                last.enforcement = Enforcement::Soft;
                last.confidence = Confidence::new(0.5).unwrap_or(Confidence::FULL);
            }
        }
    }

    fn visibility(&mut self, i: usize, name: &str) {
        let item = &self.items[i];
        let parent = item.parent.map(|p| &self.items[p]);
        if parent.is_none_or(|p| p.kind == ItemKind::Scope) {
            self.found.names.insert(name.to_owned());
        }
        // What belongs to a trait is as visible as the trait is.
        if parent.is_some_and(|p| p.of_trait.is_some() || p.node.kind() == "trait_item") {
            return;
        }
        let said = item.visibility.map_or("", |node| self.of(node));
        let own = item.name.map_or("", |node| self.of(node));
        let is_member = parent.is_some_and(|p| p.kind != ItemKind::Scope);
        if let Some(visibility) = self.language.visibility(said, own, is_member) {
            let body = Body::Visibility(VisibilityOf { item: name.to_owned(), visibility });
            self.emit(Kind::Architectural, item.node, body);
        }
    }

    /// The item's qualified name, unless it is local to a function or belongs to tests.
    fn visible_name(&self, i: usize) -> Option<String> {
        self.around(i).is_none().then(|| self.name_of(i)).flatten().filter(|_| !self.in_tests(i))
    }

    fn name_of(&self, i: usize) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = Some(i);
        while let Some(item) = at.map(|i| &self.items[i]) {
            let text = self.of(item.name?);
            // `Type<T>` is called `Type`.
            let own = text.split(['<', ' ']).next().unwrap_or(text).trim_start_matches('&');
            // Two traits may have items of one name, and so may one trait for two arguments.
            parts.push(match item.of_trait.map(|node| self.of(node)) {
                Some(of) => {
                    let of: Vec<&str> = of.split_whitespace().collect();
                    format!("<{own} as {}>", of.join(" "))
                }
                None => own.to_owned(),
            });
            at = item.parent;
        }
        parts.reverse();
        Some(parts.join(self.language.path_separator()))
    }

    fn in_tests(&self, i: usize) -> bool {
        let mut at = Some(i);
        while let Some(item) = at.map(|i| &self.items[i]) {
            let name = item.name.map_or("", |node| self.of(node));
            if item.kind == ItemKind::Scope && matches!(name, "tests" | "test") {
                return true;
            }
            at = item.parent;
        }
        false
    }

    /// The function around an item.
    fn around(&self, i: usize) -> Option<usize> {
        let mut at = self.items[i].parent;
        while let Some(p) = at {
            if matches!(self.items[p].kind, ItemKind::Function | ItemKind::Method) {
                return Some(p);
            }
            at = self.items[p].parent;
        }
        None
    }

    fn of(&self, node: Node<'t>) -> &'r str {
        &self.text[node.byte_range()]
    }

    fn emit(&mut self, kind: Kind, node: Node<'t>, body: Body) {
        let start = node.start_position();
        let mut constraint = Constraint::new(kind, Source::Ast, body);
        constraint.priority = Priority::EXTRACTED;
        if matches!(constraint.body, Body::Range(_)) && is_test_file(self.file) {
            constraint.source = Source::Test;
        }
        constraint.origin = Origin {
            file: self.file.to_owned(),
            line: (start.row - self.first_row) as u32,
            column: start.column as u32 + 1,
        };
        self.found.constraints.push(constraint);
    }
}

/// Whether a node is what a function's body ends with, so that its value is the function's.
fn ends(body: Node<'_>, node: Node<'_>) -> bool {
    // Some grammars put the statements into a node of their own.
    let list = body.named_child(0).filter(|list| list.kind() == "statement_list");
    let body = list.unwrap_or(body);
    let statement = node.parent().filter(|p| p.kind().ends_with("statement")).unwrap_or(node);
    let last = body.named_child_count().checked_sub(1).and_then(|i| body.named_child(i as u32));
    let is = |other: Node<'_>| other.id() == node.id() || other.id() == statement.id();
    is(body) || last.is_some_and(is)
}

/// Whether a statement is an assertion of this condition and nothing else.
fn is_all_of(condition: Node<'_>, statement: Node<'_>) -> bool {
    const AROUND: [&str; 6] = [
        "expression_statement",
        "macro_invocation",
        "assert_statement",
        "call_expression",
        "arguments",
        "argument_list",
    ];
    let mut node = condition;
    while node.id() != statement.id() {
        match node.parent() {
            Some(parent) if AROUND.contains(&parent.kind()) => node = parent,
            _ => return false,
        }
    }
    true
}

fn is_parameter(item: &Item<'_>) -> bool {
    use ItemKind as I;
    matches!(item.kind, I::Parameter | I::OptionalParameter | I::BareParameter)
}

fn is_test_file(file: &str) -> bool {
    file.split(['/', '\\', '.', '_']).any(|part| matches!(part, "test" | "tests" | "spec"))
}
