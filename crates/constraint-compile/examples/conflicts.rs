//! Three rules about a port: two exclude each other, rank decides, and the report says so.

use edgekit_constraint_compile::{Dialect, Goal, Options, compile};
use edgekit_constraint_ir::{
    Body, Bound, Constraint, ConstraintSet, Field, Kind, Number, Presence, Priority, Range, Shape,
    Source, StructDef, Type,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let range = |from, to| {
        Body::Range(Range {
            target: "Config.port".into(),
            lower: Bound::Inclusive(Number::Integer(from)),
            upper: Bound::Inclusive(Number::Integer(to)),
        })
    };
    let port =
        Field { name: "port".into(), ty: Type::integer(0, 65_535), presence: Presence::Required };
    let config = StructDef { name: "Config".into(), shape: Shape::Named, fields: vec![port] };
    let policy = Constraint::new(Kind::Security, Source::Policy, range(1024, 49_151));
    let set: ConstraintSet = [
        Constraint::new(Kind::TypeSafety, Source::Ast, Body::Struct(config)),
        Constraint { priority: Priority::HIGH, ..policy },
        Constraint::new(Kind::Semantic, Source::Test, range(1, 1023)),
    ]
    .into_iter()
    .collect();

    let goal = Goal::Value { ty: Type::named("Config"), dialect: Dialect::Rust };
    let compiled = compile(&set, &goal, &Options::default())?;
    for part in compiled.parts() {
        println!("{part:#?}");
    }
    for (id, why) in compiled.not_enforced() {
        println!("not enforced: {id}: {why:?}");
    }
    Ok(())
}
