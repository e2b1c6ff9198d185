//! Functions to constraints: their signatures, what they fail with, what they assert.

use std::collections::BTreeSet;

use edgekit_constraint_ir::{
    Body, ErrorType, Function, Kind, NamedType, Names, Parameter, Presence, Range, Type,
};
use tree_sitter::Node;

use crate::captures::{Item, ItemKind};
use crate::declarators::Declared;
use crate::items::{Reader, body_of};
use crate::language::ExplicitSelf;
use crate::ranges::ranges;

impl<'r, 't> Reader<'r, 't> {
    pub(crate) fn function(&mut self, i: usize) {
        let item = &self.items[i];
        let Some(name) = self.visible_name(i) else { return };
        let modifiers = item.modifiers.map_or("", |node| self.of(node));
        // A constructor of C++ is not called by its name, and has no result.
        let is_constructor = !item.declarators.is_empty() && item.returns.or(item.ty).is_none();
        if modifiers.contains("unsafe") || item.is_foreign || is_constructor {
            return;
        }
        let mut receiver = self.receiver_of(i, &name);
        let mut parameters = Vec::new();
        let mut names = BTreeSet::new();
        let mut by_name = false;
        for (at, p) in self.parameters_of(i).enumerate() {
            let item = &self.items[p];
            if item.kind == ItemKind::EndOfPositions {
                by_name = true;
                continue;
            }
            if at == 0 && self.has_receiver_first(i, p) {
                receiver =
                    if self.items[i].is_static { None } else { self.self_type(i).or(receiver) };
                continue;
            }
            let mut ty = self.declared_type(p, item.declarators.first().copied());
            let presence = if item.is_optional { Presence::Optional } else { Presence::Required };
            let own = item.name.map_or("", |node| self.of(node));
            for name in std::iter::once(own).chain(item.more_names.iter().map(|n| self.of(*n))) {
                names.extend((!name.is_empty()).then(|| name.to_owned()));
                // Calls give arguments by position, and no position reaches this one: it is left
                // out if it may be, or has a type that no expression has.
                if by_name && item.is_optional {
                    continue;
                }
                if by_name {
                    ty = Type::named(format!("{name}={}", item.ty.map_or("", |ty| self.of(ty))));
                }
                parameters.push(Parameter { name: name.to_owned(), ty: ty.clone(), presence });
            }
        }
        let mut returns = self.result_of(i);
        if modifiers.contains("async") {
            returns = Type::Named(NamedType { name: "Future".into(), arguments: vec![returns] });
        }
        let node = item.node;
        if let Some(error) = self.error_of(i, &returns) {
            let body = Body::ErrorType(ErrorType { function: name.clone(), error });
            self.emit(Kind::TypeSafety, node, body);
        }
        self.assertions(i, &name, &names);
        if !names.is_empty() {
            let body = Body::Names(Names { scope: name.clone(), names });
            self.emit(Kind::Semantic, node, body);
        }
        self.visibility(i, &name);
        let body = Body::Function(Function { name, receiver, parameters, returns });
        self.emit(Kind::TypeSafety, node, body);
    }

    /// Whether a member of a type declares a function, as C++ has it.
    pub(crate) fn is_prototype(&self, i: usize) -> bool {
        matches!(self.items[i].declarators[..], [one] if Declared::by(one).is_function)
    }

    /// What a function returns; what its result is once it was waited for.
    pub(crate) fn result_of(&self, i: usize) -> Type {
        let item = &self.items[i];
        match (item.returns.or(item.ty), item.declarators.first()) {
            (Some(node), Some(declarator)) => {
                let text = Declared::by(*declarator).type_text(self.of(node), self.text);
                self.type_of(i, &text)
            }
            (Some(node), None) => self.type_of(i, self.of(node)),
            (None, _) if self.language.returns_unit_by_default() => Type::Unit,
            (None, _) => Type::Unknown,
        }
    }

    /// The places of a function's parameters. Where lists are items, its own is the first: others
    /// belong to its result or are in its body.
    fn parameters_of(&self, i: usize) -> impl Iterator<Item = usize> {
        let is_list = |c: &&usize| self.items[**c].kind == ItemKind::Parameters;
        let list = self.children[i].iter().find(is_list).map_or(i, |list| *list);
        self.children[list].iter().copied().filter(|c| {
            // `f(void)` has none.
            is_parameter(&self.items[*c]) && self.of(self.items[*c].node) != "void"
        })
    }

    /// What a function is called on, if its parameters do not say it.
    fn receiver_of(&self, i: usize, name: &str) -> Option<Type> {
        let item = &self.items[i];
        let of_type = || self.self_type(i).unwrap_or(Type::Unknown);
        let mut children = self.children[i].iter().map(|c| &self.items[*c]);
        if let Some(own) = children.find(|c| c.kind == ItemKind::Receiver) {
            let borrowed = self.of(own.node).starts_with('&');
            return Some(if borrowed { Type::Reference(Box::new(of_type())) } else { of_type() });
        }
        let in_type = item.parent.is_some_and(|p| self.items[p].kind == ItemKind::Struct);
        let declared = !item.declarators.is_empty();
        let is_method = item.kind == ItemKind::Method
            || declared && in_type
            // Defined outside of its class, which may say that it is static.
            || declared && name.ends_with(self.of(item.name?)) && self.of(item.name?).contains("::");
        (is_method && !item.is_static).then(of_type)
    }

    /// Whether the first parameter of a function is what it is called on.
    fn has_receiver_first(&self, i: usize, first: usize) -> bool {
        let in_type = self.items[i].parent.is_some_and(|p| self.items[p].kind == ItemKind::Struct);
        let name = self.items[first].name.map_or("", |node| self.of(node));
        match self.language.explicit_self() {
            _ if !in_type => false,
            // A static method has none, but one of the class has the class.
            ExplicitSelf::First => !self.items[i].is_static || name == "cls",
            ExplicitSelf::Named => name == "self",
            ExplicitSelf::No => false,
        }
    }

    /// What a function fails with: the second argument of a `Result`, or what it throws.
    fn error_of(&self, i: usize, returns: &Type) -> Option<Type> {
        if let Type::Named(NamedType { name, arguments }) = returns
            && name.ends_with("Result")
            && let [_, error] = arguments.as_slice()
        {
            // Zig may leave open which errors there are.
            return Some(error.clone()).filter(|error| *error != Type::Unknown);
        }
        // Go's last result.
        let last = match returns {
            Type::Tuple(types) => types.last(),
            one => Some(one),
        };
        if let Some(error @ Type::Named(NamedType { name, .. })) = last
            && name == "error"
        {
            return Some(error.clone());
        }
        let raised: BTreeSet<&str> = self.children[i]
            .iter()
            .map(|c| &self.items[*c])
            .filter(|c| c.kind == ItemKind::Raise)
            .map(|c| self.of(c.node).trim_start_matches("throws").trim())
            .collect();
        let mut types: Vec<Type> = raised.into_iter().map(|t| self.type_of(i, t)).collect();
        match types.len() {
            0 => None,
            1 => types.pop(),
            _ => Some(Type::Union(types)),
        }
    }

    /// What assertions demand of a function's parameters. Only those are read that open its body:
    /// behind anything else the line may not be reached, or the name mean something else.
    fn assertions(&mut self, i: usize, owner: &str, parameters: &BTreeSet<String>) {
        let Some(body) = body_of(self.items[i].node) else { return };
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
    matches!(item.kind, I::Parameter | I::OptionalParameter | I::BareParameter | I::EndOfPositions)
}
