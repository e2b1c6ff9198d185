//! Items to constraints: one reader for all languages.

use std::collections::BTreeSet;

use edgekit_constraint_ir::{
    Body, Confidence, Constraint, Enforcement, EnumDef, Field, Hole, Kind, Literals, Origin,
    Presence, Priority, Shape, Source, StructDef, Type, Variant, VisibilityOf,
};
use tree_sitter::Node;

use crate::Language;
use crate::captures::{Item, ItemKind, items};
use crate::declarators::Declared;
use crate::types::{literal, parse, with_self};

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

pub(crate) struct Reader<'r, 't> {
    pub(crate) items: &'r [Item<'t>],
    pub(crate) children: &'r [Vec<usize>],
    pub(crate) text: &'r str,
    file: &'r str,
    pub(crate) language: Language,
    first_row: usize,
    found: Found,
}

impl<'r, 't> Reader<'r, 't> {
    fn item(&mut self, i: usize) {
        let item = &self.items[i];
        match item.kind {
            ItemKind::Function | ItemKind::Method => self.function(i),
            ItemKind::Field if self.is_prototype(i) => self.function(i),
            ItemKind::Struct if item.is_enum => self.enumeration(i),
            ItemKind::Struct => self.structure(i),
            ItemKind::Enum => self.enumeration(i),
            ItemKind::Import => {
                self.found.imports.insert(import_path(self.of(item.node)));
            }
            ItemKind::Alias => self.alias(i),
            ItemKind::Hole => self.hole(i),
            ItemKind::Comment => self.comment(i),
            _ => {}
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
        for c in &self.children[i] {
            let f = &self.items[*c];
            if f.kind == ItemKind::Method && self.language.has_structural_types() {
                fields.extend(self.method_as_field(f));
                continue;
            }
            let is_field = matches!(f.kind, ItemKind::Field | ItemKind::PositionalField);
            if !is_field || f.is_static || self.is_prototype(*c) {
                continue;
            }
            let optional = f.is_optional || f.value.is_some();
            let presence = if optional { Presence::Optional } else { Presence::Required };
            if f.kind == ItemKind::PositionalField {
                let (name, ty) = (fields.len().to_string(), self.declared_type(*c, None));
                fields.push(Field { name, ty, presence });
            }
            // `int a, *b` are two fields of one item.
            for declarator in &f.declarators {
                let Some(name) = Declared::by(*declarator).name else { continue };
                let (name, ty) =
                    (self.of(name).to_owned(), self.declared_type(*c, Some(*declarator)));
                fields.push(Field { name, ty, presence });
            }
            let names = f.name.iter().chain(&f.more_names);
            for name in names.filter(|_| f.kind == ItemKind::Field && f.declarators.is_empty()) {
                let (name, ty) = (self.of(*name).to_owned(), self.declared_type(*c, None));
                fields.push(Field { name, ty, presence });
            }
        }
        fields
    }

    /// A method is a member that whatever stands for its class must have. Its type is its own text,
    /// which no value can be written for.
    fn method_as_field(&self, method: &Item<'t>) -> Option<Field> {
        let name = self.of(method.name?).to_owned();
        let end = body_of(method.node).map_or(method.node.end_byte(), |body| body.start_byte());
        let signature = self.text[method.node.start_byte()..end].trim();
        (!method.is_static && name != "constructor").then(|| Field {
            name,
            ty: Type::named(signature),
            presence: Presence::Required,
        })
    }

    /// The type that is written at an item, for one of its declarators.
    pub(crate) fn declared_type(&self, i: usize, declarator: Option<Node<'t>>) -> Type {
        match (self.items[i].ty, declarator) {
            (None, _) => Type::Unknown,
            (Some(node), None) => self.type_of(i, self.of(node)),
            (Some(node), Some(declarator)) => {
                let text = Declared::by(declarator).type_text(self.of(node), self.text);
                self.type_of(i, &text)
            }
        }
    }

    /// A type that is written in an item. `Self` is the type around it.
    pub(crate) fn type_of(&self, i: usize, text: &str) -> Type {
        let ty = parse(text, self.language);
        match self.self_type(i).filter(|_| text.contains("Self")) {
            Some(own) => with_self(ty, &own),
            None => ty,
        }
    }

    /// The type that an item belongs to or is. A trait has none of its own.
    pub(crate) fn self_type(&self, i: usize) -> Option<Type> {
        let mut at = Some(i);
        while let Some(i) = at {
            let item = &self.items[i];
            match item.kind {
                ItemKind::Struct | ItemKind::Enum => return self.name_of(i).map(Type::named),
                ItemKind::Scope if item.node.kind() == "impl_item" => {
                    return item.name.map(|node| parse(self.of(node), self.language));
                }
                ItemKind::Scope => return None,
                _ if item.owner.is_some() => return self.owner_of(item).map(Type::named),
                _ => at = item.parent,
            }
        }
        None
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

    fn hole(&mut self, i: usize) {
        let node = self.items[i].node;
        let function = self.around(i);
        let declared = node.parent().and_then(|p| p.child_by_field_name("type"));
        let body = function.and_then(|f| body_of(self.items[f].node));
        let whole = body.is_some_and(|body| ends(body, node));
        let expects = match (declared, function.filter(|_| whole)) {
            (Some(declared), _) => self.type_of(i, self.of(declared)),
            (None, Some(function)) => self.result_of(function),
            // A hole in the middle of something: a type that nobody defines promises nothing.
            (None, None) => Type::named("_"),
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

    pub(crate) fn visibility(&mut self, i: usize, name: &str) {
        let item = &self.items[i];
        let parent = item.parent.map(|p| &self.items[p]);
        if parent.is_none_or(|p| p.kind == ItemKind::Scope) {
            self.found.names.insert(name.to_owned());
        }
        // What belongs to a trait is as visible as the trait is.
        const TRAITS: [&str; 2] = ["trait_item", "interface_declaration"];
        if parent.is_some_and(|p| p.of_trait.is_some() || TRAITS.contains(&p.node.kind())) {
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

    /// The item's qualified name, unless it is local to something else than a type or belongs to tests.
    pub(crate) fn visible_name(&self, i: usize) -> Option<String> {
        let mut at = self.items[i].parent;
        while let Some(p) = at {
            if !matches!(self.items[p].kind, ItemKind::Scope | ItemKind::Struct | ItemKind::Enum) {
                return None;
            }
            at = self.items[p].parent;
        }
        self.name_of(i).filter(|_| !self.in_tests(i))
    }

    pub(crate) fn name_of(&self, i: usize) -> Option<String> {
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
            parts.extend(self.owner_of(item).map(str::to_owned));
            at = item.parent;
        }
        parts.reverse();
        Some(parts.join(self.language.path_separator()))
    }

    /// The type that stands beside an item: `P` of `(p *P[T])`.
    fn owner_of(&self, item: &Item<'t>) -> Option<&'r str> {
        let owner = self.of(item.owner?).trim_start_matches('*');
        owner.split('[').next()
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

    pub(crate) fn of(&self, node: Node<'t>) -> &'r str {
        &self.text[node.byte_range()]
    }

    pub(crate) fn emit(&mut self, kind: Kind, node: Node<'t>, body: Body) {
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

/// A path without what is around it: quotes, the words of Java, spaces but for those around `as`.
fn import_path(text: &str) -> String {
    let mut words = text.trim_matches(['"', '<', '>', ';']).split_whitespace().peekable();
    while words.next_if(|word| matches!(*word, "import" | "static")).is_some() {}
    words.map(|word| if word == "as" { " as " } else { word }).collect()
}

/// What a function does; that of a function behind a variable is its value's.
pub(crate) fn body_of(node: Node<'_>) -> Option<Node<'_>> {
    let function = node.child_by_field_name("value").unwrap_or(node);
    function.child_by_field_name("body")
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

fn is_test_file(file: &str) -> bool {
    file.split(['/', '\\', '.', '_']).any(|part| matches!(part, "test" | "tests" | "spec"))
}
