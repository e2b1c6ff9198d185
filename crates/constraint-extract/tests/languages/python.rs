//! Python.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use super::*;

#[test]
fn python() {
    let found = bodies(
        Language::Python,
        r#"
import os.path
from typing import Literal
Mode = Literal["fast", "safe"]

# def commented_out(): pass
"""def in_a_string(): pass"""

class Colour(Enum):
    RED = 1
    GREEN = 2

class Config:
    port: int
    host: str = "localhost"

    def url(self, path: str) -> str:
        ...

def connect(config: Config, retries: int = 3, verbose=False) -> str | None:
    """Connects."""
    # Not too often.
    assert 1 <= retries < 10
    if verbose:
        assert retries < 3
    raise ValueError("no")

def empty():
    pass
"#,
    );
    let connect = function(&found, "connect");
    assert_eq!(
        parameters(&connect),
        [
            ("config", Type::named("Config"), REQUIRED),
            ("retries", Type::INTEGER, OPTIONAL),
            ("verbose", Type::Unknown, OPTIONAL),
        ]
    );
    assert_eq!(connect.returns, Type::Optional(Box::new(Type::Text)));
    let url = function(&found, "Config.url");
    assert_eq!((url.receiver.is_some(), url.parameters.len()), (true, 1));
    let fields: Vec<_> =
        record(&found, "Config").fields.into_iter().map(|f| (f.name, f.presence)).collect();
    assert_eq!(fields, [("port".to_owned(), REQUIRED), ("host".to_owned(), OPTIONAL)]);
    let values: Vec<_> = choice(&found, "Colour").variants.into_iter().map(|v| v.value).collect();
    assert_eq!(values, [Some(Literal::Integer(1)), Some(Literal::Integer(2))]);
    assert!(
        found
            .iter()
            .any(|b| matches!(b, Body::Literals(l) if l.target == "Mode" && l.values.len() == 2))
    );
    assert_eq!(imports(&found), ["os.path", "typing"]);
    assert_eq!(holes(&found), [("Config.url".into(), Type::Text), ("empty".into(), Type::Unknown)]);
    let retries = "connect.retries".to_owned();
    assert_eq!(
        ranges(&found),
        [
            (retries.clone(), at_least(1), Bound::Open),
            (retries, Bound::Open, Bound::Exclusive(Number::Integer(10))),
        ]
    );
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e)
        if e.function == "connect" && e.error == Type::named("ValueError"))));
    let names: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    assert!(!names.contains(&"commented_out") && !names.contains(&"in_a_string"));
}

/// Found by an audit: `*rest` had to be given, what is given by name had a position, a class in
/// quotes was a text, and a re-raised variable was an error type.
#[test]
fn parameters_of_python() {
    let found = bodies(
        Language::Python,
        r#"
def rest(a: int, *rest: int, **named: str): pass
def named(a: int, *, b: str, c: bool = False): pass
class C:
    @staticmethod
    def make(a: int) -> "C": pass
    @classmethod
    def of(cls, a: "list['C']") -> "C": pass
    def method(this, a: int):
        """Says."""
        ...
    def _hidden(self):
        try: pass
        except ValueError as e: raise e
        raise errors.Wrong
    def __len__(self) -> int: return 0
async def later() -> str: pass
type Mode = Literal["a", "b"]
"#,
    );
    assert_eq!(parameters(&function(&found, "rest")), [("a", Type::INTEGER, REQUIRED)]);
    // No argument by position has this type.
    let by_name = Type::named("b=str");
    assert_eq!(
        parameters(&function(&found, "named")),
        [("a", Type::INTEGER, REQUIRED), ("b", by_name, REQUIRED)]
    );
    assert!(found.iter().any(|b| matches!(b, Body::Names(n)
        if n.scope == "named" && n.names.iter().eq(["a", "b", "c"]))));
    let class = Type::named("C");
    let (make, of) = (function(&found, "C.make"), function(&found, "C.of"));
    assert_eq!((make.receiver.clone(), parameters(&make).len()), (None, 1));
    let classes = Type::List(Box::new(class.clone()));
    assert_eq!((of.receiver.clone(), parameters(&of)), (None, vec![("a", classes, REQUIRED)]));
    assert_eq!((&make.returns, &of.returns), (&class, &class));
    let method = function(&found, "C.method");
    assert_eq!((method.receiver.clone(), parameters(&method).len()), (Some(class), 1));
    assert!(holes(&found).iter().any(|(function, _)| function == "C.method"));
    assert!(matches!(function(&found, "later").returns, Type::Named(n) if n.name == "Future"));
    assert!(holes(&found).contains(&("later".to_owned(), Type::Text)));
    let wrong = Type::named("errors.Wrong");
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e) if e.error == wrong)));
    let seen = visibilities(&found);
    assert!(seen.contains(&("C._hidden", Visibility::Private)));
    assert!(seen.contains(&("C.__len__", Visibility::Public)));
    assert!(found.iter().any(|b| matches!(b, Body::Literals(l) if l.target == "Mode")));
}
