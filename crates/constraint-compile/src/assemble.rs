//! One grammar out of fragments: the rules that the goal reaches and that can end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use edgekit_constraint_ir::{Body, Constraint, ContentId, Function, Limit, Type, Weight};
use serde_json::Value;

use crate::compiled::TokenRules;
use crate::index::{Index, Slot};
use crate::pieces::{Document, Pieces};
use crate::render::fragment::{Alternative, Fragment, RuleId, RuleKey, RuleMap, RuleSet};
use crate::render::pattern::{any_of, lark_regex, lark_text, whole_match};
use crate::render::rules::{Around, Renderer};
use crate::render::spelling;
use crate::{
    Dialect, Error, ErrorKind, Goal, NotEnforced, Options, Part, Relax, UnsupportedKeywords,
    import, refine, schema,
};

/// Rendered rules, kept from one compilation to the next until a slot changes that they consulted.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    rules: RuleMap<Fragment>,
    consulted_by: HashMap<Slot, RuleSet>,
}

impl Fragments {
    /// Forgets the fragments that consulted one of these slots.
    pub(crate) fn forget(&mut self, changed: Vec<Slot>) {
        let stale: RuleSet =
            changed.iter().filter_map(|slot| self.consulted_by.remove(slot)).flatten().collect();
        for id in stale {
            // Rendered anew it is entered with all that it consults then.
            for slot in self.rules.remove(&id).into_iter().flat_map(|rule| rule.consulted) {
                if let Some(rules) = self.consulted_by.get_mut(&slot) {
                    rules.remove(&id);
                    if rules.is_empty() {
                        self.consulted_by.remove(&slot);
                    }
                }
            }
        }
    }

    /// How many slots and rules are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.rules.len() + self.consulted_by.values().map(RuleSet::len).sum::<usize>()
    }

    /// The fragment for a key, rendered if it is not there.
    fn bring(&mut self, key: &RuleKey, renderer: &Renderer<'_>) -> &Fragment {
        self.rules.entry(key.id).or_insert_with(|| {
            let fragment = renderer.render(key);
            for slot in &fragment.consulted {
                self.consulted_by.entry(slot.clone()).or_default().insert(key.id);
            }
            fragment
        })
    }
}

/// What a compiler keeps from one compilation to the next.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) fragments: Fragments,
    document: Document,
    /// Terminals of the patterns for the whole output.
    patterns: Pieces<Option<String>>,
}

/// Everything of a compiled constraint but the report on what was not reached.
#[derive(Default)]
pub(crate) struct Assembled {
    pub(crate) parts: Vec<Part>,
    pub(crate) tokens: TokenRules,
    pub(crate) limit: Limit,
    pub(crate) weights: Vec<Weight>,
    pub(crate) enforced: BTreeSet<ContentId>,
    pub(crate) reasons: BTreeMap<ContentId, NotEnforced>,
    /// Whether types were given up.
    relaxed: bool,
}

/// Builds the parts for a goal. Fragments whose slots have not changed are taken as they are.
pub(crate) fn assemble(
    goal: &Goal,
    options: &Options,
    index: &Index,
    kept: &mut Kept,
) -> Result<Assembled, Error> {
    let fragments = &mut kept.fragments;
    let mut out = Assembled::default();
    let main = match goal {
        Goal::Json { schema } => Some(json(schema, options, index, &mut kept.document, &mut out)?),
        Goal::Text => None,
        Goal::Import { scope, dialect } => {
            Some(import::import(scope, *dialect, options, index, &mut out)?)
        }
        Goal::Value { ty, dialect } => {
            let renderer = Renderer::new(index, options, *dialect, None);
            let root = Alternative::default().rule(RuleKey::new(
                ty.clone(),
                String::new(),
                options.call_depth,
            ));
            Some(expression(&renderer, vec![root], fragments, &mut out)?)
        }
        Goal::Call { function, dialect } => {
            let renderer = Renderer::new(index, options, *dialect, None);
            let functions = functions(&renderer, function)?;
            let (calls, unchecked) =
                call(&renderer, &functions, options.call_depth, &mut kept.fragments);
            let part = expression(&renderer, calls, &mut kept.fragments, &mut out)?;
            // A signature without its receiver is not all of it, and any of the overloads is called.
            for (id, f) in functions.iter().filter(|_| unchecked && !out.relaxed) {
                if out.enforced.remove(id) {
                    let why = format!(
                        "arguments of {:?} hold, but what it is called on may be any name",
                        f.name
                    );
                    out.reasons.insert(*id, NotEnforced::Inexpressible(why));
                }
            }
            Some(part)
        }
        Goal::Hole { function, dialect } => {
            Some(hole(function, *dialect, options, index, fragments, &mut out)?)
        }
    };
    out.parts.extend(main);
    whole(options, index, escaped_in(goal), &mut kept.patterns, &mut out)?;
    Ok(out)
}

fn json(
    name: &str,
    options: &Options,
    index: &Index,
    document: &mut Document,
    out: &mut Assembled,
) -> Result<Part, Error> {
    let mut schemas = Vec::new();
    let mut guidance: Option<(ContentId, &Value)> = None;
    for (id, constraint) in index.get(&Slot::Schema(name.into())) {
        if let Body::Schema(s) = &constraint.body {
            schemas.push(&s.document);
            match (guidance, s.document.get(schema::GUIDANCE)) {
                (Some((other, one)), Some(two)) if one != two => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!(
                            "two schemas of the name {name:?} differ in `{}`: {other} and {id}; \
                             a document is written in one way",
                            schema::GUIDANCE
                        ),
                    )
                    .with_constraints(vec![other, id]));
                }
                (None, Some(found)) => guidance = Some((id, found)),
                _ => {}
            }
        }
    }
    if schemas.is_empty() {
        return Err(Error::new(
            ErrorKind::Infeasible,
            format!("there is no schema of the name {name:?} to generate a document from"),
        ));
    }
    let limits = &options.limits;
    let left_out = |c: &Constraint| {
        let Body::Schema(s) = &c.body else { return Ok(Vec::new()) };
        schema::check_schema(&s.document, limits)?;
        Ok(match options.unsupported {
            // Then the engine refuses what it cannot enforce.
            UnsupportedKeywords::Refuse => Vec::new(),
            UnsupportedKeywords::Report => schema::unsupported(&s.document),
        })
    };
    document.schemas.bring(index.get(&Slot::Schema(name.into())), left_out)?;
    for (id, keywords) in document.schemas.iter() {
        if keywords.is_empty() {
            out.enforced.insert(id);
        } else {
            let why = format!("keywords are left out: {}", schema::listed(keywords));
            out.reasons.insert(id, NotEnforced::Inexpressible(why));
        }
    }
    let refined = |c: &Constraint| refine::as_schema(name, &c.body, limits);
    document.members.bring(index.get(&Slot::Owner(name.into())), refined)?;
    for (id, member) in document.members.iter() {
        match member {
            Ok(_) => {
                out.enforced.insert(id);
            }
            Err(why) => {
                out.reasons.insert(id, NotEnforced::Inexpressible(why.clone()));
            }
        }
    }
    Ok(document.join(|members| {
        let members = members.iter().filter_map(|(_, member)| member.as_ref().ok());
        let all: Vec<&Value> = schemas.into_iter().chain(members).collect();
        schema::join(all.into_iter(), guidance.map(|(_, found)| found))
    }))
}

fn hole(
    function: &str,
    dialect: Dialect,
    options: &Options,
    index: &Index,
    fragments: &mut Fragments,
    out: &mut Assembled,
) -> Result<Part, Error> {
    let finder = Renderer::new(index, options, dialect, None);
    let functions = functions(&finder, function)?;
    let &[(id, f), ref others @ ..] = functions.as_slice() else { return Err(unknown(function)) };
    if let Some((other, _)) = others.iter().find(|(_, other)| *other != f) {
        return Err(ambiguous("functions have the name", function, id, *other));
    }
    let mut known: Option<(ContentId, &Type)> = None;
    for (id, constraint) in index.get(&Slot::Hole(function.into())) {
        let Body::Hole(hole) = &constraint.body else { continue };
        out.enforced.insert(id);
        match known {
            _ if hole.expects == Type::Unknown => {}
            Some((other, expects)) if *expects != hole.expects => {
                return Err(ambiguous("holes of several types are in", function, other, id));
            }
            _ => known = Some((id, &hole.expects)),
        }
    }
    let expects = known.map_or(&f.returns, |(_, expects)| expects);
    let around = Around { id, function: f };
    let renderer = Renderer::new(index, options, dialect, Some(around));
    let root = RuleKey::new(expects.clone(), String::new(), options.call_depth);
    let mut alternatives = vec![Alternative::default().rule(root)];
    // A parameter that cannot be copied can still be moved once, as the whole value.
    for p in f.parameters.iter().filter(|p| p.ty == *expects && dialect == Dialect::Rust) {
        if !p.name.is_empty() && matches!(p.ty, Type::Named(_) | Type::List(_) | Type::Map(_)) {
            alternatives.push(Alternative::default().text(&p.name));
        }
    }
    let signature: BTreeSet<ContentId> = out.enforced.iter().copied().chain([id]).collect();
    let part = expression(&renderer, alternatives, fragments, out)?;
    if out.relaxed {
        out.reasons.extend(signature.into_iter().map(|id| (id, NotEnforced::Relaxed)));
    } else {
        out.enforced.extend(signature);
    }
    Ok(part)
}

/// The calls of functions of one name, and whether any of them is called on what nobody checks:
/// that is where nothing of the receiver's type can be written.
fn call(
    renderer: &Renderer<'_>,
    functions: &[(ContentId, &Function)],
    depth: u8,
    fragments: &mut Fragments,
) -> (Vec<Alternative>, bool) {
    let (mut calls, mut unchecked) = (Vec::new(), false);
    for &(id, f) in functions {
        let Some(receiver) = &f.receiver else {
            calls.push(renderer.call(id, f, depth));
            continue;
        };
        let mut receivers = renderer.receivers(receiver, depth);
        let ending = ending(&reach(renderer, &receivers, fragments), fragments);
        receivers.retain(|on| on.needs.iter().all(|key| ending.contains(&key.id)));
        if receivers.is_empty() {
            unchecked = true;
            receivers.push(renderer.any_name());
        }
        calls.extend(receivers.into_iter().map(|on| renderer.method(id, on, f, depth)));
    }
    (calls, unchecked)
}

/// The functions of a name. Several of one file are overloads.
fn functions<'a>(
    renderer: &Renderer<'a>,
    name: &str,
) -> Result<Vec<(ContentId, &'a Function)>, Error> {
    let mut found: Vec<(ContentId, &Function)> = Vec::new();
    let mut files: Vec<&str> = Vec::new();
    for (id, c) in renderer.consult(Slot::Named(name.into())) {
        let Body::Function(f) = &c.body else { continue };
        let elsewhere = |((_, other), file): &(&(ContentId, &Function), &&str)| {
            *other != f && **file != c.origin.file
        };
        if let Some(((other, _), _)) = found.iter().zip(&files).find(elsewhere) {
            return Err(ambiguous("functions have the name", name, *other, id));
        }
        found.push((id, f));
        files.push(&c.origin.file);
    }
    if found.is_empty() { Err(unknown(name)) } else { Ok(found) }
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::Infeasible, format!("no function of the name {name:?} is known"))
}

fn ambiguous(which: &str, name: &str, one: ContentId, other: ContentId) -> Error {
    Error::new(
        ErrorKind::Ambiguous,
        format!(
            "several {which} {name:?}, among them {one} and {other}; compile with the one that is \
             meant"
        ),
    )
    .with_constraints(vec![one, other])
}

fn expression(
    renderer: &Renderer<'_>,
    roots: Vec<Alternative>,
    fragments: &mut Fragments,
    out: &mut Assembled,
) -> Result<Part, Error> {
    let rules = reach(renderer, &roots, fragments);
    let ending = ending(&rules, fragments);
    let ends = |a: &Alternative| a.needs.iter().all(|key| ending.contains(&key.id));
    let roots: Vec<&Alternative> = roots.iter().filter(|a| ends(a)).collect();
    if roots.is_empty() {
        return relaxed(renderer, &rules, fragments, out);
    }
    let mut text = String::from("start: ");
    line(&mut text, roots.iter().copied());
    // Rules that only alternatives without an end refer to are left out.
    let mut reached: RuleSet = RuleSet::default();
    let mut open: Vec<&Alternative> = roots;
    let mut inexpressible = Vec::new();
    let mut enforced: Vec<ContentId> = Vec::new();
    while let Some(alternative) = open.pop() {
        enforced.extend(&alternative.used);
        for key in &alternative.needs {
            let Some(fragment) = fragments.rules.get(&key.id) else { continue };
            if reached.insert(key.id) {
                enforced.extend(&fragment.used);
                inexpressible.extend(fragment.inexpressible.iter().cloned());
                open.extend(fragment.alternatives.iter().filter(|a| ends(a)));
            }
        }
    }
    out.enforced.extend(enforced);
    let mut terminals = HashSet::new();
    for name in rules.iter().filter(|id| reached.contains(id)) {
        text.push_str(&name.to_string());
        text.push_str(": ");
        line(&mut text, fragments.rules[name].alternatives.iter().filter(|a| ends(a)));
        for terminal in fragments.rules[name].terminals.iter().filter(|t| terminals.insert(*t)) {
            text.push_str(terminal);
        }
    }
    for (id, why) in inexpressible {
        out.enforced.remove(&id);
        out.reasons.insert(id, NotEnforced::Inexpressible(why));
    }
    Ok(Part::Lark(text.into()))
}

/// Brings the fragments of all rules up to date that `roots` reach; their names in that order.
fn reach(renderer: &Renderer<'_>, roots: &[Alternative], fragments: &mut Fragments) -> Vec<RuleId> {
    let mut order = Vec::new();
    let mut seen = RuleSet::default();
    let mut open: Vec<Arc<RuleKey>> =
        roots.iter().rev().flat_map(|a| a.needs.iter().rev()).cloned().collect();
    while let Some(key) = open.pop() {
        if !seen.insert(key.id) {
            continue;
        }
        let needs = fragments.bring(&key, renderer).alternatives.iter().flat_map(|a| &a.needs);
        open.extend(needs.rev().cloned());
        order.push(key.id);
    }
    order
}

/// The rules that derive a finite text, by iteration to a fixed point.
fn ending(rules: &[RuleId], fragments: &Fragments) -> RuleSet {
    let mut ending = RuleSet::default();
    loop {
        let before = ending.len();
        for id in rules.iter().rev() {
            let ends = |a: &Alternative| a.needs.iter().all(|key| ending.contains(&key.id));
            if !ending.contains(id) && fragments.rules[id].alternatives.iter().any(ends) {
                ending.insert(*id);
            }
        }
        if ending.len() == before {
            return ending;
        }
    }
}

/// Gives up types, then syntax, as far as the options allow.
fn relaxed(
    renderer: &Renderer<'_>,
    rules: &[RuleId],
    fragments: &mut Fragments,
    out: &mut Assembled,
) -> Result<Part, Error> {
    let given_up: BTreeSet<ContentId> = rules
        .iter()
        .map(|name| &fragments.rules[name])
        .flat_map(|f| f.used.iter().chain(f.alternatives.iter().flat_map(|a| &a.used)))
        .chain(&out.enforced)
        .copied()
        .collect();
    let relax = renderer.options.relax;
    if relax < Relax::Types {
        return Err(Error::new(
            ErrorKind::Infeasible,
            "no expression of the type can be written: a type is unknown, has no value that ends, \
             or constraints leave none of its values; define it or relax the types",
        )
        .with_constraints(given_up.into_iter().collect()));
    }
    out.relaxed = true;
    out.enforced.clear();
    out.reasons.extend(given_up.into_iter().map(|id| (id, NotEnforced::Relaxed)));
    if relax == Relax::Syntax {
        return Ok(Part::Lark(format!("start: {}\n", lark_regex("(?s:.*)")).into()));
    }
    let simple = [Type::Bool, Type::INTEGER, Type::Float, Type::Text, Type::Unit];
    let mut roots: Vec<Alternative> = simple
        .into_iter()
        .map(|ty| Alternative::default().rule(RuleKey::new(ty, String::new(), 0)))
        .collect();
    let parameters = renderer.around.iter().flat_map(|a| &a.function.parameters);
    let named = parameters.filter(|p| !p.name.is_empty());
    roots.extend(named.map(|p| Alternative::default().text(&p.name)));
    let rules = reach(renderer, &roots, fragments);
    let mut text = String::from("start: ");
    line(&mut text, roots.iter());
    for name in &rules {
        text.push_str(&name.to_string());
        text.push_str(": ");
        line(&mut text, fragments.rules[name].alternatives.iter());
    }
    Ok(Part::Lark(text.into()))
}

fn line<'a>(text: &mut String, alternatives: impl Iterator<Item = &'a Alternative>) {
    let mut seen = HashSet::new();
    for alternative in alternatives {
        let is_first = seen.is_empty();
        if seen.insert(alternative.text.as_str()) {
            text.push_str(if is_first { "" } else { "\n  | " });
            text.push_str(&alternative.text);
        }
    }
    text.push('\n');
}

/// How a text stands inside of the text literals of an output, if it has such.
fn escaped_in(goal: &Goal) -> Option<impl Fn(&str) -> String> {
    let quoted = match goal {
        Goal::Json { .. } => None,
        Goal::Value { dialect, .. } | Goal::Call { dialect, .. } | Goal::Hole { dialect, .. } => {
            Some(*dialect)
        }
        Goal::Text | Goal::Import { .. } => return None,
    };
    Some(move |text: &str| {
        let quoted = quoted.map_or_else(|| lark_text(text), |d| spelling::quoted(text, d));
        quoted[1..quoted.len() - 1].to_owned()
    })
}

/// What holds for the whole output, whatever it is.
fn whole(
    options: &Options,
    index: &Index,
    escaped: Option<impl Fn(&str) -> String>,
    patterns: &mut Pieces<Option<String>>,
    out: &mut Assembled,
) -> Result<(), Error> {
    patterns.bring(index.get(&Slot::Whole), |c| match &c.body {
        Body::Pattern(p) => Ok(Some(lark_regex(&whole_match(&p.regex, &options.limits)?))),
        _ => Ok(None),
    })?;
    let mut patterns: Vec<&str> =
        patterns.iter().filter_map(|(_, pattern)| pattern.as_deref()).collect();
    let mut forbidden = BTreeSet::new();
    let constraints = index.get(&Slot::Whole);
    for (id, constraint) in constraints {
        match &constraint.body {
            Body::Forbidden(f) => {
                for text in f.texts.iter().filter(|t| !t.is_empty()) {
                    forbidden.insert(text.clone());
                    forbidden.extend(escaped.iter().map(|escaped| escaped(text)));
                }
            }
            Body::Tokens(t) => out.tokens.add(t.rule, &t.ids),
            Body::Limit(l) => {
                let least = |a: Option<u32>, b: Option<u32>| a.into_iter().chain(b).min();
                out.limit.max_tokens = least(out.limit.max_tokens, l.max_tokens);
                out.limit.max_bytes = least(out.limit.max_bytes, l.max_bytes);
            }
            Body::Weights(w) => out.weights.extend(w.weights.iter().cloned()),
            _ => {}
        }
        if matches!(&constraint.body, Body::Forbidden(f) if f.texts.contains("")) {
            let why = "every output contains the empty text".into();
            out.reasons.insert(id, NotEnforced::Inexpressible(why));
        } else {
            out.enforced.insert(id);
        }
    }
    if patterns.is_empty() && forbidden.is_empty() {
        if out.parts.is_empty() {
            out.parts.push(Part::Lark(format!("start: {}\n", lark_regex("(?s:.*)")).into()));
        }
        return Ok(());
    }
    let none_of = format!(
        "~{}",
        lark_regex(&format!("(?s:.*){}(?s:.*)", any_of(forbidden.iter().map(String::as_str))))
    );
    if !forbidden.is_empty() {
        patterns.push(&none_of);
    }
    out.parts.push(Part::Lark(format!("start: T\nT: {}\n", patterns.join(" & ")).into()));
    Ok(())
}
