//! Grammar rules for expressions of a type: one rule a type, each from the constraints it consults.

use std::cell::RefCell;
use std::sync::Arc;

use edgekit_constraint_ir::{
    Body, Constraint, ContentId, EnumDef, Field, Function, NamedType, Parameter, Presence, Shape,
    Type,
};

use crate::index::{Index, Slot};
use crate::render::fragment::{Alternative, Fragment, RuleKey};
use crate::render::pattern::{self, lark_text};
use crate::render::spelling;
use crate::{Dialect, Options};

/// The function whose body is being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) id: ContentId,
    pub(crate) function: &'a Function,
}

/// Renders rules from what an index holds.
pub(crate) struct Renderer<'a> {
    pub(crate) index: &'a Index,
    pub(crate) options: &'a Options,
    pub(crate) dialect: Dialect,
    pub(crate) around: Option<Around<'a>>,
    looked_at: RefCell<Vec<Slot>>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        index: &'a Index,
        options: &'a Options,
        dialect: Dialect,
        around: Option<Around<'a>>,
    ) -> Self {
        Renderer { index, options, dialect, around, looked_at: RefCell::default() }
    }

    /// The slots that were looked at since the last call.
    fn take_consulted(&self) -> Vec<Slot> {
        self.looked_at.take()
    }

    /// The rule for a key. O(constraints on the type, the target and functions that return it).
    pub(crate) fn render(&self, key: &RuleKey) -> Fragment {
        self.looked_at.borrow_mut().clear();
        let mut out = Fragment::default();
        let refined = !key.target.is_empty() && self.refinements(key, &mut out);
        if !refined {
            self.parameters(key, &mut out);
            self.calls(key, &mut out);
            self.literals(&key.ty, key, &mut out);
        }
        out.consulted = self.take_consulted();
        out
    }

    /// A call of a function by its name.
    pub(crate) fn call(&self, id: ContentId, function: &Function, calls: u8) -> Alternative {
        let call = Alternative::default().using(id).text(&format!("{}(", function.name));
        self.arguments(call, function, calls)
    }

    /// A call of a method on what `on` writes.
    pub(crate) fn method(
        &self,
        id: ContentId,
        on: Alternative,
        function: &Function,
        calls: u8,
    ) -> Alternative {
        let name = function.name.rsplit(['.', ':']).next().unwrap_or_default();
        self.arguments(on.using(id).text(&format!(".{name}(")), function, calls)
    }

    /// What a method may be called on so that its receiver's type holds; nothing if that is unknown.
    pub(crate) fn receivers(&self, receiver: &Type, calls: u8) -> Vec<Alternative> {
        let ty = match receiver {
            // Rust borrows by itself what a method is called on.
            Type::Reference(inner) => inner,
            ty => ty,
        };
        let Type::Named(named) = ty else { return Vec::new() };
        let definitions = self.consult(Slot::Named(named.name.clone()));
        let mut types = definitions
            .map(|(_, c)| &c.body)
            .filter(|body| matches!(body, Body::Struct(_) | Body::Enum(_)));
        // Of several definitions nobody knows which is meant.
        if let Some(one) = types.next()
            && types.any(|other| other != one)
        {
            return Vec::new();
        }
        let key = RuleKey::new(ty.clone(), String::new(), calls);
        if self.dialect != Dialect::TypeScript {
            return vec![Alternative::default().rule(key)];
        }
        // A literal of an object has the members and not the methods.
        let mut made = Fragment::default();
        self.calls(&key, &mut made);
        made.alternatives
    }

    /// A name of which nobody knows the type.
    pub(crate) fn any_name(&self) -> Alternative {
        Alternative::default().regex(pattern::IDENTIFIER)
    }

    /// The arguments of a call in their order, and its end.
    fn arguments(&self, mut call: Alternative, function: &Function, calls: u8) -> Alternative {
        let argument =
            |p: &Parameter| self.key(&p.ty, &format!("{}.{}", function.name, p.name), calls);
        let mut closing = 0;
        for (i, parameter) in function.parameters.iter().enumerate() {
            if parameter.presence == Presence::Optional {
                // Whatever follows an argument that is left out is left out as well.
                call = call.raw("(");
                closing += 1;
            }
            if i > 0 {
                call = call.text(", ");
            }
            call = call.rule(argument(parameter));
        }
        for _ in 0..closing {
            call = call.raw(")?");
        }
        call.text(")")
    }

    fn key(&self, ty: &Type, target: &str, calls: u8) -> Arc<RuleKey> {
        // A target that nothing is said about shares the rule of its type.
        let target = match self.consult(Slot::Target(target.into())).next() {
            Some(_) => target.to_owned(),
            None => String::new(),
        };
        RuleKey::new(ty.clone(), target, calls)
    }

    pub(crate) fn consult(
        &self,
        slot: Slot,
    ) -> impl Iterator<Item = (ContentId, &'a Constraint)> + use<'a> {
        let found = self.index.get(&slot);
        self.looked_at.borrow_mut().push(slot);
        found
    }

    /// Parameters of the surrounding function that have the type.
    fn parameters(&self, key: &RuleKey, out: &mut Fragment) {
        let Some(around) = self.around else { return };
        self.looked_at.borrow_mut().push(Slot::Named(around.function.name.clone()));
        let references = around.function.parameters.iter().map(|p| &p.ty);
        // With one borrowed parameter the lifetimes are elided alike; with more we cannot know.
        let one_reference = references.filter(|ty| matches!(ty, Type::Reference(_))).count() == 1;
        for p in around.function.parameters.iter().filter(|p| p.ty == key.ty) {
            let name = Alternative::default().using(around.id);
            let borrowed = matches!(p.ty, Type::Reference(_)) && self.dialect == Dialect::Rust;
            if p.name.is_empty() || p.presence == Presence::Optional || borrowed && !one_reference {
                continue;
            }
            if spelling::is_copied(&p.ty, self.dialect) {
                out.alternatives.push(name.text(&p.name));
            } else if spelling::is_cloned(&p.ty) {
                out.alternatives.push(name.text(&format!("{}.clone()", p.name)));
            }
        }
    }

    /// Calls of functions that return the type.
    fn calls(&self, key: &RuleKey, out: &mut Fragment) {
        let Some(calls) = key.calls.checked_sub(1) else { return };
        let returning: Vec<_> = self.consult(Slot::returns(&key.ty)).collect();
        for (id, constraint) in returning {
            if let Body::Function(f) = &constraint.body
                && f.receiver.is_none()
                && self.around.is_none_or(|around| around.function.name != f.name)
            {
                out.alternatives.push(self.call(id, f, calls));
            }
        }
    }

    fn literals(&self, ty: &Type, key: &RuleKey, out: &mut Fragment) {
        let one = Alternative::default;
        let item = |ty: &Type| RuleKey::new(ty.clone(), String::new(), key.calls);
        let rust = self.dialect == Dialect::Rust;
        match ty {
            Type::Unknown => {
                if let Some(around) = self.around {
                    let names = self.consult(Slot::Names(around.function.name.clone()));
                    for (id, constraint) in names {
                        if let Body::Names(n) = &constraint.body {
                            let used = |name: &String| one().using(id).text(name);
                            out.alternatives.extend(n.names.iter().map(used));
                        }
                    }
                }
                if !rust {
                    for ty in [Type::INTEGER, Type::Text, Type::Bool] {
                        out.alternatives.push(one().rule(item(&ty)));
                    }
                }
            }
            Type::Unit => out.alternatives.push(one().text(spelling::unit(self.dialect))),
            Type::Bool => {
                for value in [true, false] {
                    out.alternatives.push(one().text(spelling::boolean(value, self.dialect)));
                }
            }
            Type::Integer(limits) => {
                let regex = pattern::integers(limits.min, limits.max);
                out.alternatives.extend(regex.map(|regex| one().regex(&regex)));
            }
            Type::Float => out.alternatives.push(one().regex(pattern::FLOAT_LITERAL)),
            Type::Char if rust => out.alternatives.push(one().regex(pattern::CHAR_LITERAL)),
            Type::Char | Type::Text => {
                let text = pattern::text_literal(self.options.max_text_chars);
                out.alternatives.push(if rust {
                    one().text("String::from(").regex(&text).text(")")
                } else {
                    one().regex(&text)
                });
            }
            Type::Literal(value) => {
                out.alternatives.push(one().text(&spelling::literal(value, self.dialect)));
            }
            Type::Optional(inner) if rust => {
                out.alternatives.push(one().text("None"));
                out.alternatives.push(one().text("Some(").rule(item(inner)).text(")"));
            }
            Type::Optional(inner) => {
                out.alternatives.push(one().text(spelling::unit(self.dialect)));
                out.alternatives.push(one().rule(item(inner)));
            }
            Type::Reference(inner) => self.reference(inner, &item, out),
            Type::List(inner) => {
                let open = if rust { "vec![" } else { "[" };
                out.alternatives.extend(self.list(open, one().rule(item(inner)), "]"));
            }
            Type::Tuple(items) => {
                let (open, close) = match self.dialect {
                    Dialect::TypeScript => ("[", "]"),
                    _ => ("(", ")"),
                };
                let mut tuple = one().text(open);
                for (i, ty) in items.iter().enumerate() {
                    tuple = if i > 0 { tuple.text(", ") } else { tuple }.rule(item(ty));
                }
                let trailing = items.len() == 1 && self.dialect != Dialect::TypeScript;
                out.alternatives.push(if trailing { tuple.text(",") } else { tuple }.text(close));
            }
            Type::Map(types) => {
                let (key, value) = (one().rule(item(&types.0)), item(&types.1));
                out.alternatives.extend(match self.dialect {
                    Dialect::Rust => {
                        let pair = one().text("(").rule(item(&types.0)).text(", ").rule(value);
                        self.list("[", pair.text(")"), "].into()")
                    }
                    Dialect::Python => self.list("{", key.text(": ").rule(value), "}"),
                    Dialect::TypeScript => {
                        let pair = one().text("[").rule(item(&types.0)).text("]: ").rule(value);
                        self.list("{ ", pair, " }")
                    }
                });
            }
            Type::Union(types) => {
                out.alternatives.extend(types.iter().map(|ty| one().rule(item(ty))));
            }
            Type::Named(named) => self.named(named, key, &item, out),
        }
    }

    fn reference(&self, inner: &Type, item: &impl Fn(&Type) -> Arc<RuleKey>, out: &mut Fragment) {
        let one = Alternative::default();
        match inner {
            _ if self.dialect != Dialect::Rust => out.alternatives.push(one.rule(item(inner))),
            Type::Text => {
                let text = pattern::text_literal(self.options.max_text_chars);
                out.alternatives.push(one.regex(&text));
            }
            // Only what is constant lives long enough to be borrowed for any lifetime.
            Type::List(ty) => {
                let items: Vec<String> =
                    self.constants(ty).into_iter().map(|item| item.text).collect();
                if !items.is_empty() {
                    let item = one.raw(&format!("({})", items.join(" | ")));
                    out.alternatives.extend(self.list("&[", item, "]"));
                }
            }
            inner => {
                let borrowed = |item: Alternative| Alternative::default().text("&").raw(&item.text);
                out.alternatives.extend(self.constants(inner).into_iter().map(borrowed));
            }
        }
    }

    /// Literals of a type that need no allocation and name nothing.
    fn constants(&self, ty: &Type) -> Vec<Alternative> {
        let mut out = Fragment::default();
        let nothing = RuleKey::new(Type::Unknown, String::new(), 0);
        match ty {
            Type::Unit | Type::Bool | Type::Integer(_) | Type::Float | Type::Char => {
                self.literals(ty, &nothing, &mut out);
            }
            Type::Reference(inner) if **inner == Type::Text => {
                let text = pattern::text_literal(self.options.max_text_chars);
                out.alternatives.push(Alternative::default().regex(&text));
            }
            _ => {}
        }
        out.alternatives
    }

    fn named(
        &self,
        named: &NamedType,
        key: &RuleKey,
        item: &impl Fn(&Type) -> Arc<RuleKey>,
        out: &mut Fragment,
    ) {
        let one = Alternative::default;
        if self.dialect == Dialect::Rust {
            match (named.name.as_str(), named.arguments.as_slice()) {
                ("Result", [ok, err]) => {
                    out.alternatives.push(one().text("Ok(").rule(item(ok)).text(")"));
                    out.alternatives.push(one().text("Err(").rule(item(err)).text(")"));
                    return;
                }
                ("Box" | "Rc" | "Arc", [inner]) => {
                    let open = format!("{}::new(", named.name);
                    out.alternatives.push(one().text(&open).rule(item(inner)).text(")"));
                    return;
                }
                _ => {}
            }
        }
        let definitions: Vec<_> = self.consult(Slot::Named(named.name.clone())).collect();
        for (id, definition) in definitions {
            match &definition.body {
                Body::Struct(s) => {
                    let open = one().using(id);
                    let literal =
                        self.fields(open, &s.name, &s.name, s.shape, &s.fields, key.calls);
                    out.alternatives.push(literal);
                }
                Body::Enum(e) => self.variants(id, e, key.calls, out),
                _ => {}
            }
        }
        // The name of a choice of literals; its own rule does not come back here.
        let is_choice = |(_, c): (_, &Constraint)| matches!(c.body, Body::Literals(_));
        if key.target != named.name && self.consult(Slot::Target(named.name.clone())).any(is_choice)
        {
            let choice = RuleKey::new(Type::Unknown, named.name.clone(), key.calls);
            out.alternatives.push(one().rule(choice));
        }
    }

    fn variants(&self, id: ContentId, e: &EnumDef, calls: u8, out: &mut Fragment) {
        for variant in &e.variants {
            let path = spelling::member(&e.name, &variant.name, self.dialect);
            let open = Alternative::default().using(id);
            out.alternatives.push(if self.dialect == Dialect::Rust {
                self.fields(open, &path, &path, variant.shape, &variant.fields, calls)
            } else {
                open.text(&path)
            });
        }
    }

    /// `Name { a: …, b: … }` in each language's way.
    fn fields(
        &self,
        open: Alternative,
        name: &str,
        target: &str,
        shape: Shape,
        fields: &[Field],
        calls: u8,
    ) -> Alternative {
        let (before, after, named) = match (self.dialect, shape) {
            (Dialect::Rust, Shape::Unit) => return open.text(name),
            (Dialect::Rust, Shape::Named) => (format!("{name} {{ "), " }", ": "),
            (Dialect::Rust, Shape::Positional) => (format!("{name}("), ")", ""),
            (Dialect::Python, Shape::Positional) => (format!("{name}("), ")", ""),
            (Dialect::Python, _) => (format!("{name}("), ")", "="),
            (Dialect::TypeScript, _) => ("{ ".to_owned(), " }", ": "),
        };
        let field = |out: Alternative, f: &Field| {
            let label = if named.is_empty() { String::new() } else { format!("{}{named}", f.name) };
            let out = if label.is_empty() { out } else { out.text(&label) };
            let target = format!("{target}.{}", f.name);
            let mut key = self.key(&f.ty, &target, calls);
            if self.dialect == Dialect::TypeScript
                && f.presence == Presence::Optional
                && key.target.is_empty()
            {
                // `undefined` is a value of an optional member, which lets a recursive type end.
                key = self.key(&Type::Optional(Box::new(f.ty.clone())), &target, calls);
            }
            out.rule(key)
        };
        let optional =
            |f: &Field| f.presence == Presence::Optional && self.dialect != Dialect::Rust;
        let mut out = open.text(&before);
        // Members that may be left out come after those that may not, so that a comma is never
        // first; order means nothing where members have names.
        let (required, rest): (Vec<&Field>, Vec<&Field>) =
            fields.iter().partition(|f| !optional(f));
        for (i, f) in required.iter().enumerate() {
            out = field(if i > 0 { out.text(", ") } else { out }, f);
        }
        if required.is_empty() && !rest.is_empty() {
            // Any one of them may be the first.
            out = out.raw("(");
            for (i, _) in rest.iter().enumerate() {
                out = if i > 0 { out.raw("|") } else { out };
                for (j, f) in rest[i..].iter().enumerate() {
                    out = if j == 0 {
                        field(out, f)
                    } else {
                        field(out.raw("(").text(", "), f).raw(")?")
                    };
                }
            }
            out = out.raw(")?");
        } else {
            for f in rest {
                out = field(out.raw("(").text(", "), f).raw(")?");
            }
        }
        out.text(after)
    }

    /// `[`, up to `max_list_items` items with commas between, `]`. The empty list is an alternative
    /// of its own, so that a type that contains itself can end.
    fn list(&self, open: &str, item: Alternative, close: &str) -> [Alternative; 2] {
        let more = self.options.max_list_items - 1;
        let mut body = item.text.clone();
        if more > 0 {
            body.push_str(&format!(" ({} {}){{0,{more}}}", lark_text(", "), item.text));
        }
        let list = Alternative { needs: item.needs, used: item.used, text: String::new() };
        [
            Alternative::default().text(&format!("{open}{close}")),
            list.text(open).raw(&body).text(close),
        ]
    }
}
