//! Captures of a query to a tree of items.
//!
//! A query file names two sorts of captures. *Items* (`@function`, `@parameter`, `@struct`, …) become
//! a tree by containment; *attributes* (`@name`, `@type`, `@returns`, …) belong to the innermost
//! item around them that can have them.

use std::cmp::Reverse;
use std::sync::OnceLock;

use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, QueryCursor};

use crate::Language;
use crate::declarators::Declared;

/// What a capture's name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Item(ItemKind),
    Attribute(Attribute),
    /// Only a predicate looks at it.
    Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ItemKind {
    Scope,
    Struct,
    Enum,
    Variant,
    BareVariant,
    Function,
    Method,
    Parameters,
    EndOfPositions,
    Parameter,
    OptionalParameter,
    BareParameter,
    Receiver,
    Field,
    PositionalField,
    Import,
    Alias,
    Assert,
    Raise,
    Hole,
    Comment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Name,
    Type,
    Returns,
    Value,
    Optional,
    Visibility,
    Trait,
    Modifiers,
    EnumBase,
    Declarator,
    Section,
    Static,
    Foreign,
    AliasType,
    Names,
    Owner,
}

/// An item of the tree with what belongs to it.
pub(crate) struct Item<'t> {
    pub(crate) kind: ItemKind,
    pub(crate) node: Node<'t>,
    pub(crate) parent: Option<usize>,
    pub(crate) name: Option<Node<'t>>,
    pub(crate) ty: Option<Node<'t>>,
    pub(crate) returns: Option<Node<'t>>,
    pub(crate) value: Option<Node<'t>>,
    pub(crate) modifiers: Option<Node<'t>>,
    pub(crate) visibility: Option<Node<'t>>,
    pub(crate) of_trait: Option<Node<'t>>,
    /// The type that this belongs to, where that stands beside it and not around it.
    pub(crate) owner: Option<Node<'t>>,
    /// Further names of the same type.
    pub(crate) more_names: Vec<Node<'t>>,
    /// C's declarators, one for each name.
    pub(crate) declarators: Vec<Node<'t>>,
    /// What the members from here on are as visible as, until the next such word.
    pub(crate) section: Option<Node<'t>>,
    pub(crate) is_static: bool,
    /// Written in another language.
    pub(crate) is_foreign: bool,
    pub(crate) is_optional: bool,
    pub(crate) is_enum: bool,
}

fn roles(language: Language) -> &'static [Role] {
    static ROLES: [OnceLock<Vec<Role>>; Language::MOST] =
        [const { OnceLock::new() }; Language::MOST];
    ROLES[language as usize]
        .get_or_init(|| language.query().capture_names().iter().map(|name| role(name)).collect())
}

fn role(capture: &str) -> Role {
    use Attribute as A;
    use ItemKind as I;
    match capture {
        "scope" => Role::Item(I::Scope),
        "struct" => Role::Item(I::Struct),
        "enum" => Role::Item(I::Enum),
        "variant" => Role::Item(I::Variant),
        "variant.bare" => Role::Item(I::BareVariant),
        "function" => Role::Item(I::Function),
        "function.method" => Role::Item(I::Method),
        "parameters" => Role::Item(I::Parameters),
        "parameter.end" => Role::Item(I::EndOfPositions),
        "parameter" => Role::Item(I::Parameter),
        "parameter.optional" => Role::Item(I::OptionalParameter),
        "parameter.bare" => Role::Item(I::BareParameter),
        "receiver" => Role::Item(I::Receiver),
        "field" => Role::Item(I::Field),
        "field.positional" => Role::Item(I::PositionalField),
        "import" => Role::Item(I::Import),
        "alias" => Role::Item(I::Alias),
        "assert" => Role::Item(I::Assert),
        "raise" => Role::Item(I::Raise),
        "hole" => Role::Item(I::Hole),
        "comment" => Role::Item(I::Comment),
        "name" => Role::Attribute(A::Name),
        "type" => Role::Attribute(A::Type),
        "returns" => Role::Attribute(A::Returns),
        "value" => Role::Attribute(A::Value),
        "optional" => Role::Attribute(A::Optional),
        "visibility" => Role::Attribute(A::Visibility),
        "trait" => Role::Attribute(A::Trait),
        "modifiers" => Role::Attribute(A::Modifiers),
        "enum.base" => Role::Attribute(A::EnumBase),
        "declarator" => Role::Attribute(A::Declarator),
        "section" => Role::Attribute(A::Section),
        "static" => Role::Attribute(A::Static),
        "foreign" => Role::Attribute(A::Foreign),
        "alias.type" => Role::Attribute(A::AliasType),
        "names" => Role::Attribute(A::Names),
        "owner" => Role::Attribute(A::Owner),
        _ => Role::Filter,
    }
}

/// The items below a node in the order of their places, each after the one that it is part of.
pub(crate) fn items<'t>(node: Node<'t>, text: &str, language: Language) -> Vec<Item<'t>> {
    let roles = roles(language);
    let mut marks: Vec<(Role, Node<'t>)> = Vec::new();
    let mut cursor = QueryCursor::new();
    let mut matches = cursor.matches(language.query(), node, text.as_bytes());
    while let Some(found) = matches.next() {
        for capture in found.captures() {
            let role = roles[capture.index as usize];
            if role != Role::Filter {
                marks.push((role, capture.node));
            }
        }
    }
    // Outer before inner, items before the attributes of the same place.
    marks.sort_by_key(|(role, node)| {
        (node.start_byte(), Reverse(node.end_byte()), matches!(role, Role::Attribute(_)))
    });
    let mut items: Vec<Item<'t>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (role, node) in marks {
        while open.last().is_some_and(|i| items[*i].node.end_byte() < node.end_byte()) {
            open.pop();
        }
        match role {
            Role::Item(kind) => {
                let parent = open.last().copied();
                // What is called by a choice of literals inside of something is its own affair.
                let within = parent.is_some_and(|p| items[p].kind != ItemKind::Scope);
                if kind == ItemKind::Alias && within {
                    continue;
                }
                // Two patterns may find the same item.
                if parent.is_some_and(|p| items[p].node.id() == node.id() && items[p].kind == kind)
                {
                    continue;
                }
                open.push(items.len());
                items.push(Item {
                    kind,
                    node,
                    parent,
                    name: matches!(kind, ItemKind::BareParameter | ItemKind::BareVariant)
                        .then_some(node),
                    ty: (kind == ItemKind::PositionalField).then_some(node),
                    returns: None,
                    value: None,
                    modifiers: None,
                    visibility: parent.and_then(|p| items[p].section),
                    of_trait: None,
                    owner: None,
                    more_names: Vec::new(),
                    declarators: Vec::new(),
                    section: None,
                    is_static: false,
                    is_foreign: false,
                    is_optional: kind == ItemKind::OptionalParameter,
                    is_enum: kind == ItemKind::Enum,
                });
            }
            Role::Attribute(attribute) => {
                let innermost = open.iter().rev().find(|i| accepts(items[**i].kind, attribute));
                if let Some(i) = innermost {
                    items[*i].set(attribute, node);
                }
            }
            Role::Filter => {}
        }
    }
    items
}

fn accepts(kind: ItemKind, attribute: Attribute) -> bool {
    use Attribute as A;
    use ItemKind as I;
    match attribute {
        A::Returns | A::Modifiers => matches!(kind, I::Function | I::Method),
        A::EnumBase | A::Section => kind == I::Struct,
        A::Static => matches!(kind, I::Function | I::Method | I::Field),
        A::AliasType => kind == I::Alias,
        A::Foreign | A::Owner => kind == I::Function,
        A::Names => matches!(kind, I::Parameter | I::Field),
        A::Declarator => {
            matches!(kind, I::Function | I::Parameter | I::OptionalParameter | I::Field)
        }
        A::Visibility => matches!(kind, I::Function | I::Method | I::Struct | I::Enum | I::Alias),
        A::Trait => kind == I::Scope,
        A::Value => matches!(kind, I::Variant | I::Field),
        A::Optional => matches!(kind, I::Parameter | I::Field),
        A::Type => {
            matches!(kind, I::Parameter | I::OptionalParameter | I::Field | I::Alias)
        }
        A::Name => !matches!(
            kind,
            I::Import
                | I::Comment
                | I::Hole
                | I::Assert
                | I::Raise
                | I::Parameters
                | I::EndOfPositions
                | I::Receiver
        ),
    }
}

impl<'t> Item<'t> {
    fn set(&mut self, attribute: Attribute, node: Node<'t>) {
        let slot = match attribute {
            Attribute::Name => &mut self.name,
            Attribute::Type | Attribute::AliasType => &mut self.ty,
            Attribute::Returns => &mut self.returns,
            Attribute::Value => &mut self.value,
            Attribute::Modifiers => &mut self.modifiers,
            Attribute::Visibility => &mut self.visibility,
            Attribute::Trait => &mut self.of_trait,
            Attribute::Declarator => {
                self.name = self.name.or(Declared::by(node).name);
                return self.declarators.push(node);
            }
            // The latest counts.
            Attribute::Section => return self.section = Some(node),
            Attribute::Static => return self.is_static = true,
            Attribute::Foreign => return self.is_foreign = true,
            Attribute::Names if self.name.is_some() => return self.more_names.push(node),
            Attribute::Names => &mut self.name,
            Attribute::Owner => &mut self.owner,
            Attribute::Optional => return self.is_optional = true,
            Attribute::EnumBase => return self.is_enum = true,
        };
        // The outermost of several is the item's own.
        slot.get_or_insert(node);
    }
}
