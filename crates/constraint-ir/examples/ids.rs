//! Shows which changes of a constraint change its id, and which do not.

use edgekit_constraint_ir::{Body, Constraint, Forbidden, Kind, Source};

fn main() {
    let forbid = |text: &str| {
        Constraint::new(
            Kind::Security,
            Source::Policy,
            Body::Forbidden(Forbidden { texts: [text.to_owned()].into() }),
        )
    };
    let mut moved = forbid("unsafe");
    moved.origin.line = 7;
    println!("{}  forbids `unsafe`", forbid("unsafe").id());
    println!("{}  the same, seven lines further down", moved.id());
    println!("{}  forbids `unwrap`", forbid("unwrap").id());
}
