//! What a method is called on, and what is said of it.

use edgekit_constraint_compile::{Dialect, Goal, NotEnforced};
use edgekit_constraint_ir::*;

use crate::support::*;

/// Found by an audit: methods were called by their path, without what they are called on.
#[test]
fn a_method_is_called_on_a_name_and_not_reported_as_enforced() {
    for (name, dialect) in [("Image::resize", Dialect::Rust), ("Image.resize", Dialect::Python)] {
        let Body::Function(mut f) = function(name, &[("width", u8_type())], Type::Unit) else {
            unreachable!()
        };
        f.receiver = Some(Type::Unknown);
        let method = hard(Body::Function(f));
        let id = method.id();
        let set = [method, hard(range(&format!("{name}.width"), 1, 9))].into_iter().collect();
        let result = compiled(&set, &Goal::Call { function: name.into(), dialect });
        check(
            &result,
            &["image.resize(1)", "self.resize(9)"],
            &["resize(1)", "Image::resize(1)", ".resize(1)", "image.resize(10)", "a.b.resize(1)"],
        );
        assert_eq!(result.enforced().len(), 1);
        assert!(matches!(&result.not_enforced()[&id], NotEnforced::Inexpressible(_)));
    }
}

fn borrowed(name: &str) -> Type {
    Type::Reference(Box::new(Type::named(name)))
}

fn call(name: &str, dialect: Dialect) -> Goal {
    Goal::Call { function: name.into(), dialect }
}

#[test]
fn a_method_is_called_on_what_has_its_type() {
    let all = |receiver| {
        set([
            method("Image::crop", receiver, &[("to", u8_type())], Type::Unit),
            record("Image", &[("w", u8_type())]),
            function("load", &[], Type::named("Image")),
            function("size", &[], u8_type()),
            record("Other", &[("w", u8_type())]),
        ])
    };
    for receiver in [Type::named("Image"), borrowed("Image")] {
        let result = compiled(&all(receiver), &call("Image::crop", Dialect::Rust));
        check(
            &result,
            &["load().crop(1)", "Image { w: 2 }.crop(3)", "load().crop(size())"],
            &[
                "image.crop(1)",
                "size().crop(1)",
                "Other { w: 2 }.crop(3)",
                "load.crop(1)",
                "crop(1)",
            ],
        );
        assert_eq!(result.enforced().len(), 4);
        assert!(result.not_enforced().values().all(|r| *r == NotEnforced::NotConcerned));
    }
    let python = compiled(&all(Type::named("Image")), &call("Image::crop", Dialect::Python));
    check(&python, &["Image(w=2).crop(3)", "load().crop(3)"], &["image.crop(3)", "crop(3)"]);
    // An object that is written down has no methods.
    let typescript =
        compiled(&all(Type::named("Image")), &call("Image::crop", Dialect::TypeScript));
    check(&typescript, &["load().crop(3)"], &["{ w: 2 }.crop(3)", "image.crop(3)"]);
}

/// One overload without a receiver that can be written takes the promise from all.
#[test]
fn what_cannot_be_written_is_any_name_and_reported() {
    let of = |ty| method("m.go", ty, &[("n", u8_type())], Type::Unit);
    let endless = record("Endless", &[("again", Type::named("Endless"))]);
    let twice = [record("Twice", &[]), record("Twice", &[("x", Type::Bool)])];
    let types = ["Nowhere", "Endless", "Twice"].map(Type::named);
    for receiver in types.into_iter().chain([Type::Unknown, u8_type()]) {
        let bodies = [of(receiver), endless.clone(), of(Type::named("P")), record("P", &[])];
        let in_one_file = |body| {
            let mut c = Constraint::new(Kind::TypeSafety, Source::Ast, body);
            c.origin.file = "m.py".into();
            c
        };
        let all: ConstraintSet = bodies.into_iter().chain(twice.clone()).map(in_one_file).collect();
        let result = compiled(&all, &call("m.go", Dialect::Python));
        check(&result, &["x.go(1)", "P().go(1)"], &["x.go(256)", "go(1)"]);
        let methods = all.iter().filter(|(_, c)| matches!(c.body, Body::Function(_)));
        for (id, _) in methods {
            assert!(matches!(&result.not_enforced()[&id], NotEnforced::Inexpressible(_)));
        }
    }
}
