//! Constraints to grammars: full and incremental compilation, conflicts against all pairs.

use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use edgekit_constraint_cache::Tokenizer;
use edgekit_constraint_compile::{
    Compiler, Dialect, Goal, Options, compile, conflicts, conflicts_by_pairs,
};
use edgekit_constraint_ir::{
    Body, Bound, Constraint, ConstraintSet, Enforcement, Field, Kind, Literal, Literals, Number,
    Presence, Priority, Range, Schema, Shape, Source, StructDef, Type,
};
use serde_json::{Value, json};

use super::constraint_cache::schema_files;
use crate::{Suite, Unit};

/// Declares what is measured.
pub fn declare(suite: &mut Suite) {
    let options = Options::default();
    let goal = || Goal::Value { ty: Type::named("T0"), dialect: Dialect::Rust };
    for n in [10, 50, 100] {
        let set: ConstraintSet = linked(n).into_iter().collect();
        let compiled = compile(&set, &goal(), &options);
        let enforced = compiled.as_ref().map_or(0, |c| c.enforced().len());
        suite.check(format!("constraint-compile/full/{n}"), enforced == n, || {
            format!("{enforced} of {n} constraints are enforced: {compiled:?}")
        });
        let whole = set.clone();
        suite.time(format!("constraint-compile/compile/{n}"), move || {
            compile(black_box(&whole), &goal(), &options).map(|c| c.parts().len())
        });
    }
    one_changed(suite, &options);
    one_changed_document(suite, &options);
    one_subject(suite);
    engine(suite, &options);

    let small: ConstraintSet = mixed(50).into_iter().collect();
    let (fast, slow) = (conflicts(&small), conflicts_by_pairs(&small));
    suite.check("constraint-compile/conflicts/50", fast == slow && !fast.is_empty(), || {
        format!("{} conflicts against {}", fast.len(), slow.len())
    });
    let (a, b) = (small.clone(), small);
    suite.time("constraint-compile/conflicts/50/pairs", move || {
        conflicts_by_pairs(black_box(&a)).len()
    });
    suite.time("constraint-compile/conflicts/50/indexed", move || conflicts(black_box(&b)).len());
    if suite.wants("constraint-compile/conflicts/10000") {
        let large: ConstraintSet = mixed(10_000).into_iter().collect();
        let (fast, slow) = (conflicts(&large), conflicts_by_pairs(&large));
        suite.check("constraint-compile/conflicts/10000", fast == slow && !fast.is_empty(), || {
            format!("{} conflicts against {}", fast.len(), slow.len())
        });
        suite.time("constraint-compile/conflicts/10000/indexed", move || {
            conflicts(black_box(&large)).len()
        });
    }
}

/// Ten thousand constraints on one subject: ranges that all meet but for a few, and one list of
/// literals.
fn one_subject(suite: &mut Suite) {
    let id = "constraint-compile/conflicts/one-subject";
    if !suite.wants(id) {
        return;
    }
    let soft = |i: usize, body| Constraint {
        enforcement: Enforcement::Soft,
        priority: Priority((i % 100) as u8),
        ..Constraint::new(Kind::Semantic, Source::User, body)
    };
    let values = (0..100).map(|n| Literal::Integer(n * 1_000)).collect();
    let list = soft(0, Body::Literals(Literals { target: "hot".into(), values }));
    let ranges = (1..10_000).map(|i| {
        let i = i as i64;
        // One in a thousand lies between two literals.
        let from = if i % 1_000 == 0 { 50_001 + i / 1_000 } else { i };
        let to = if i % 1_000 == 0 { 50_900 } else { 50_000 + i };
        soft(i as usize, range("hot", from, to))
    });
    let set: ConstraintSet = std::iter::once(list).chain(ranges).collect();
    let (fast, slow) = (conflicts(&set), conflicts_by_pairs(&set));
    suite.check(id, fast == slow && !fast.is_empty(), || {
        format!("{} conflicts against {}", fast.len(), slow.len())
    });
    suite.time(format!("{id}/indexed"), move || conflicts(black_box(&set)).len());
}

/// One constraint of a hundred changed, against compiling all of them.
fn one_changed(suite: &mut Suite, options: &Options) {
    let goal = Goal::Value { ty: Type::named("T0"), dialect: Dialect::Rust };
    let Ok(mut compiler) = Compiler::new(goal.clone(), *options) else { return };
    let mut constraints = linked(100);
    let last = constraints.remove(99);
    constraints.into_iter().for_each(|c| {
        compiler.insert(c);
    });
    let mut id = compiler.insert(last);
    let mut edit = move |compiler: &mut Compiler, upper: i64| {
        let new = Constraint::new(Kind::Semantic, Source::Test, range("T49.x", 0, upper));
        id = compiler.replace(id, new);
        compiler.compile().map(|c| c.enforced().len())
    };
    let right = edit(&mut compiler, 7).is_ok_and(|n| n == 100)
        && compile(compiler.constraints(), &goal, options).ok() == compiler.compile().ok();
    suite.check("constraint-compile/one-changed", right, || "not the full result".into());
    let mut upper = 10;
    suite.time("constraint-compile/one-changed-of-100", move || {
        upper = 10 + (upper + 1) % 90;
        edit(&mut compiler, upper)
    });
    suite.value("constraint-compile/constraints-in-one-changed", Unit::Count, 100.0);
}

/// The same for a document, whose schema is joined anew with what refines it.
fn one_changed_document(suite: &mut Suite, options: &Options) {
    let goal = Goal::Json { schema: "S".into() };
    let refined = |i: usize, upper| {
        Constraint::new(Kind::Semantic, Source::User, range(&format!("S.m{i}"), 0, upper))
    };
    let member = |i: usize| (format!("m{i}"), json!({"type": "integer"}));
    let document = json!({"type": "object", "properties": (0..99).map(member).collect::<serde_json::Map<_, _>>()});
    let schema = Body::Schema(Schema { name: "S".into(), document });
    let all: Vec<Constraint> = (0..99)
        .map(|i| refined(i, 9))
        .chain([Constraint::new(Kind::Syntactic, Source::Schema, schema)])
        .collect();
    let set: ConstraintSet = all.iter().cloned().collect();
    let Ok(mut compiler) = Compiler::new(goal.clone(), *options) else { return };
    let ids: Vec<_> = all.into_iter().map(|c| compiler.insert(c)).collect();
    let whole = *options;
    suite.time("constraint-compile/json/compile/100", move || {
        compile(black_box(&set), &goal, &whole).map(|c| c.parts().len())
    });
    let (mut id, mut upper) = (ids[50], 10);
    suite.time("constraint-compile/json/one-changed-of-100", move || {
        upper = 10 + (upper + 1) % 90;
        id = compiler.replace(id, refined(50, upper));
        compiler.compile().map(|c| c.enforced().len())
    });
}

/// The engine's own compilation, which is not in the figures above: real schemas to matchers for
/// o200k, from the beginning each time.
fn engine(suite: &mut Suite, options: &Options) {
    let id = "constraint-compile/engine";
    if !suite.wants(id) {
        return;
    }
    let Ok(tokenizer) = Tokenizer::o200k() else { return };
    let tokenizer = Rc::new(tokenizer);
    let (files, source) = schema_files();
    let schema = |file: &PathBuf| {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        Some(file["schema"].clone())
    };
    let compiles = |s: &Value| tokenizer.engine().schema(s, options).is_ok();
    let schemas: Rc<[Value]> = files.iter().filter_map(schema).filter(compiles).collect();
    println!("{id}: {} schemas of {source} compile", schemas.len());
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (tokenizer, schemas, options) = (Rc::clone(&tokenizer), Rc::clone(&schemas), *options);
        suite.measure(format!("{id}/{name}"), Unit::Nanos, move || {
            let time = |schema| {
                let start = Instant::now();
                black_box(tokenizer.engine().schema(schema, &options).is_ok());
                start.elapsed().as_nanos() as f64
            };
            let mut times: Vec<f64> = schemas.iter().map(time).collect();
            times.sort_by(f64::total_cmp);
            times[((times.len() - 1) as f64 * share) as usize]
        });
    }
}

/// Half of them structs, each with a member of the next one's type; half of them ranges on members.
fn linked(n: usize) -> Vec<Constraint> {
    let field = |name: &str, ty| Field { name: name.into(), ty, presence: Presence::Required };
    let half = n / 2;
    let record = |i: usize| {
        let mut fields = vec![field("x", Type::integer(0, 255))];
        if i + 1 < half {
            fields.push(field("next", Type::named(format!("T{}", i + 1))));
        }
        Body::Struct(StructDef { name: format!("T{i}"), shape: Shape::Named, fields })
    };
    let structs = (0..half).map(|i| Constraint::new(Kind::TypeSafety, Source::Ast, record(i)));
    let ranges = (0..half).map(|i| {
        Constraint::new(Kind::Semantic, Source::Test, range(&format!("T{i}.x"), 0, 9 + i as i64))
    });
    structs.chain(ranges).collect()
}

/// Soft ranges and definitions on a tenth as many subjects, of which some clash.
fn mixed(n: usize) -> Vec<Constraint> {
    let one = |i: usize| {
        let subject = format!("s{}", i % (n / 10).max(1));
        let from = (i * 7_919 % 97) as i64;
        let body = if i.is_multiple_of(4) {
            let fields = vec![Field {
                name: format!("f{}", i % 8),
                ty: Type::Bool,
                presence: Presence::Required,
            }];
            Body::Struct(StructDef { name: subject, shape: Shape::Named, fields })
        } else {
            range(&subject, from, from + 60)
        };
        Constraint {
            enforcement: Enforcement::Soft,
            priority: Priority((i % 100) as u8),
            ..Constraint::new(Kind::Semantic, Source::Ast, body)
        }
    };
    (0..n).map(one).collect()
}

fn range(target: &str, from: i64, to: i64) -> Body {
    Body::Range(Range {
        target: target.into(),
        lower: Bound::Inclusive(Number::Integer(from)),
        upper: Bound::Inclusive(Number::Integer(to)),
    })
}
