//! Values that constraints on a target leave of its type.

use std::collections::BTreeMap;

use edgekit_constraint_ir::{
    Body, Bound, Constraint, ContentId, IntegerType, Literal, Number, Shape, Type,
};

use crate::Dialect;
use crate::conflict::{fact_of, fits};
use crate::index::Slot;
use crate::pairs::{is_same, shared};
use crate::render::fragment::{Alternative, Fragment, RuleKey};
use crate::render::pattern::{self, lark_regex};
use crate::render::rules::Renderer;
use crate::render::spelling;

/// What the constraints on one target say, taken apart.
#[derive(Default)]
struct Said<'c> {
    /// The values of all lists, if there is a list.
    literals: Option<Vec<&'c Literal>>,
    lower: Vec<Bound>,
    upper: Vec<Bound>,
    patterns: Vec<(ContentId, String)>,
}

impl Renderer<'_> {
    /// Values that the constraints on the target leave. Whether there was any constraint.
    pub(super) fn refinements(&self, key: &RuleKey, out: &mut Fragment) -> bool {
        let (facts, demands): (Vec<_>, Vec<_>) =
            self.consult(Slot::Target(key.target.clone())).partition(|(_, c)| fact_of(c).is_some());
        let mut files: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (id, fact) in facts {
            files.entry(fact_of(fact).unwrap_or_default()).or_default().push((id, fact));
        }
        if files.is_empty() {
            return self.refined(key, &demands, out);
        }
        // One name in two files may be two things: each file's values are an alternative.
        let refined = files.into_values().map(|mut constraints| {
            constraints.extend(&demands);
            self.refined(key, &constraints, out)
        });
        refined.fold(false, |any, one| any | one)
    }

    fn refined(
        &self,
        key: &RuleKey,
        constraints: &[(ContentId, &Constraint)],
        out: &mut Fragment,
    ) -> bool {
        let said = self.taken_apart(constraints, out);
        let ids = constraints.iter().map(|(id, _)| *id);
        let mut expressed: Vec<ContentId> =
            ids.filter(|id| !out.inexpressible.iter().any(|(other, _)| other == id)).collect();
        if let Some(values) = &said.literals {
            // A pattern on top of a list is left to the list's author.
            out.inexpressible.extend(
                said.patterns
                    .iter()
                    .map(|(id, _)| (*id, "a list of literals goes before it".into())),
            );
            expressed.retain(|id| !said.patterns.iter().any(|(other, _)| other == id));
            let values = values.iter().filter(|v| said.lower.is_empty() || said.holds(v));
            let spelled = values.filter_map(|v| self.literal_of(v, &key.ty));
            out.alternatives.extend(spelled.map(|text| Alternative::default().text(&text)));
            out.used.extend(expressed);
            return true;
        }
        if self.refined_type(&key.ty, &said, out) {
            out.used.extend(expressed);
            return true;
        }
        let what = format!("the type {:?} takes no range or pattern", key.ty);
        out.inexpressible.extend(expressed.into_iter().map(|id| (id, what.clone())));
        false
    }

    fn taken_apart<'c>(
        &self,
        constraints: &[(ContentId, &'c Constraint)],
        out: &mut Fragment,
    ) -> Said<'c> {
        let mut said = Said::default();
        for (id, constraint) in constraints {
            match &constraint.body {
                Body::Literals(l) => {
                    said.literals = Some(match said.literals {
                        Some(old) => shared(old, &l.values),
                        None => l.values.iter().collect(),
                    });
                }
                Body::Range(r) => {
                    said.lower.push(r.lower);
                    said.upper.push(r.upper);
                }
                Body::Pattern(p) => match pattern::whole_match(&p.regex, &self.options.limits) {
                    Ok(regex) => said.patterns.push((*id, regex)),
                    Err(e) => out.inexpressible.push((*id, e.to_string())),
                },
                _ => {}
            }
        }
        said
    }

    /// The values of a type within ranges and patterns. Whether the type takes them.
    fn refined_type(&self, ty: &Type, said: &Said<'_>, out: &mut Fragment) -> bool {
        let rust = self.dialect == Dialect::Rust;
        match ty {
            Type::Integer(limits) if !said.lower.is_empty() && said.patterns.is_empty() => {
                let limits = narrow(*limits, &said.lower, &said.upper);
                out.alternatives.extend(
                    pattern::integers(limits.min, limits.max)
                        .map(|regex| Alternative::default().regex(&regex)),
                );
                true
            }
            Type::Text if !said.patterns.is_empty() && said.lower.is_empty() => {
                let text = Alternative::default();
                let name = self.text_of(&said.patterns, out);
                out.alternatives.push(match rust {
                    true => text.text("String::from(").raw(&name).text(")"),
                    false => text.raw(&name),
                });
                true
            }
            Type::Reference(inner) if rust => {
                let is_text = **inner == Type::Text;
                if !is_text || said.patterns.is_empty() || !said.lower.is_empty() {
                    return false;
                }
                let name = self.text_of(&said.patterns, out);
                out.alternatives.push(Alternative::default().raw(&name));
                true
            }
            Type::Reference(inner) => self.refined_type(inner, said, out),
            // A range says what numbers there may be, and not that there is one.
            Type::Optional(inner) => {
                let mut some = Fragment::default();
                if !self.refined_type(inner, said, &mut some) {
                    return false;
                }
                out.terminals.append(&mut some.terminals);
                let none = if rust { "None" } else { spelling::unit(self.dialect) };
                out.alternatives.push(Alternative::default().text(none));
                for value in some.alternatives {
                    out.alternatives.push(match rust {
                        true => Alternative::default().text("Some(").raw(&value.text).text(")"),
                        false => value,
                    });
                }
                true
            }
            _ => false,
        }
    }

    /// The name of a terminal for text literals that match all patterns. Only terminals intersect.
    fn text_of(&self, patterns: &[(ContentId, String)], out: &mut Fragment) -> String {
        let plain = pattern::plain_text_literal(self.options.max_text_chars);
        let mut terminal = lark_regex(&plain);
        for (_, regex) in patterns {
            terminal.push_str(" & ");
            terminal.push_str(&lark_regex(&format!("\"{regex}\"")));
        }
        let name = format!("T{:016X}", ContentId::of(terminal.as_bytes()).get() as u64);
        out.terminals.push(format!("{name}: {terminal}\n"));
        name
    }

    /// How a literal is written where a type is expected, if it is a value of the type.
    fn literal_of(&self, value: &Literal, ty: &Type) -> Option<String> {
        let rust = self.dialect == Dialect::Rust;
        let plain = || spelling::literal(value, self.dialect);
        match (ty, value) {
            (Type::Unknown, _) if !rust => Some(plain()),
            (Type::Unknown, Literal::Null) => None,
            (Type::Unknown, _) => Some(plain()),
            (Type::Unit, Literal::Null) => Some(spelling::unit(self.dialect).into()),
            (Type::Bool, Literal::Bool(_)) => Some(plain()),
            (Type::Integer(limits), _) => {
                let n = i128::from(whole_number(value)?);
                let inside =
                    limits.min.is_none_or(|min| min <= n) && limits.max.is_none_or(|max| n <= max);
                inside.then(|| n.to_string())
            }
            (Type::Float, Literal::Real(_)) => Some(plain()),
            (Type::Float, Literal::Integer(n)) => {
                Some(if rust { format!("{n}.0") } else { n.to_string() })
            }
            (Type::Text, Literal::Text(_)) => {
                Some(if rust { format!("String::from({})", plain()) } else { plain() })
            }
            (Type::Char, Literal::Text(text)) if text.chars().count() == 1 => {
                let c = text.chars().next()?;
                Some(if rust { format!("{c:?}") } else { plain() })
            }
            (Type::Literal(only), _) if is_same(only, value) => Some(plain()),
            (Type::Optional(_), Literal::Null) => {
                Some(if rust { "None" } else { spelling::unit(self.dialect) }.into())
            }
            (Type::Optional(inner), _) => {
                let inner = self.literal_of(value, inner)?;
                Some(if rust { format!("Some({inner})") } else { inner })
            }
            (Type::Reference(inner), Literal::Text(_)) if **inner == Type::Text => Some(plain()),
            (Type::Reference(inner), _) => match (rust, &**inner) {
                (false, inner) => self.literal_of(value, inner),
                (true, Type::Bool | Type::Integer(_) | Type::Float | Type::Char) => {
                    Some(format!("&{}", self.literal_of(value, inner)?))
                }
                (true, _) => None,
            },
            (Type::Union(types), _) => types.iter().find_map(|ty| self.literal_of(value, ty)),
            (Type::Named(named), _) => self.literal_of_name(value, &named.name),
            _ => None,
        }
    }

    /// A literal where a type is expected that is known by its name: a variant of an enum by its
    /// value or name, one of a choice of literals, and for a name that nobody defines the literal
    /// itself, where the language has no types to check.
    fn literal_of_name(&self, value: &Literal, name: &str) -> Option<String> {
        let mut is_defined = false;
        for (_, definition) in self.consult(Slot::Named(name.into())) {
            is_defined = true;
            let Body::Enum(e) = &definition.body else { continue };
            let called = |name: &str| *value == Literal::Text(name.into());
            let variant = e.variants.iter().filter(|v| v.shape == Shape::Unit).find(|v| {
                v.value.as_ref().is_some_and(|other| is_same(other, value)) || called(&v.name)
            });
            if let Some(variant) = variant {
                return Some(spelling::member(&e.name, &variant.name, self.dialect));
            }
        }
        for (_, choice) in self.consult(Slot::Target(name.into())) {
            if let Body::Literals(l) = &choice.body {
                is_defined = true;
                if l.values.iter().any(|other| is_same(other, value)) {
                    return Some(spelling::literal(value, self.dialect));
                }
            }
        }
        let is_checked = is_defined || self.dialect == Dialect::Rust;
        (!is_checked).then(|| spelling::literal(value, self.dialect))
    }
}

impl Said<'_> {
    /// Whether all ranges hold a literal.
    fn holds(&self, literal: &Literal) -> bool {
        self.lower.iter().zip(&self.upper).all(|(lower, upper)| fits(literal, *lower, *upper))
    }
}

/// The integer that a literal is, as `2.0` is 2.
fn whole_number(literal: &Literal) -> Option<i64> {
    match literal {
        Literal::Integer(n) => Some(*n),
        Literal::Real(x) => {
            let n = x.get() as i64;
            (Number::Integer(n) == Number::Real(*x)).then_some(n)
        }
        _ => None,
    }
}

/// The integers that all bounds leave.
fn narrow(limits: IntegerType, lower: &[Bound], upper: &[Bound]) -> IntegerType {
    let ceil = |n: &Number| match n {
        Number::Integer(n) => i128::from(*n),
        Number::Real(x) => x.get().ceil() as i128,
    };
    let floor = |n: &Number| match n {
        Number::Integer(n) => i128::from(*n),
        Number::Real(x) => x.get().floor() as i128,
    };
    let from = lower.iter().filter_map(|bound| match bound {
        Bound::Open => None,
        Bound::Inclusive(n) => Some(ceil(n)),
        Bound::Exclusive(n) => Some(floor(n).saturating_add(1)),
    });
    let to = upper.iter().filter_map(|bound| match bound {
        Bound::Open => None,
        Bound::Inclusive(n) => Some(floor(n)),
        Bound::Exclusive(n) => Some(ceil(n).saturating_sub(1)),
    });
    IntegerType {
        min: limits.min.into_iter().chain(from).max(),
        max: limits.max.into_iter().chain(to).min(),
    }
}
