//! What each language yields.

#[cfg(any(feature = "c", feature = "cpp", feature = "zig"))]
mod c;
#[cfg(any(feature = "go", feature = "java"))]
mod go;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "rust")]
mod rust;
#[cfg(any(feature = "typescript", feature = "javascript"))]
mod typescript;

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

pub(crate) use crate::support::*;

const REQUIRED: Presence = Presence::Required;
const OPTIONAL: Presence = Presence::Optional;

fn at_least(n: i64) -> Bound {
    Bound::Inclusive(Number::Integer(n))
}

#[test]
fn paths_have_languages() {
    #[cfg(feature = "rust")]
    assert_eq!(Language::of_path("a/b.rs"), Some(Language::Rust));
    #[cfg(feature = "typescript")]
    assert_eq!(
        ["a.ts", "a.tsx"].map(Language::of_path),
        [Some(Language::TypeScript), Some(Language::Tsx)]
    );
    assert_eq!(Language::of_path("a/b.unknown"), None);
    assert_eq!(Language::of_path("rs"), None);
}
