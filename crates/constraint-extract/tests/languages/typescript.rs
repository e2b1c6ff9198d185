//! TypeScript, with and without JSX, and JavaScript.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use super::*;

#[cfg(feature = "typescript")]
#[test]
fn typescript() {
    let found = bodies(
        Language::TypeScript,
        r#"
import { x } from "./x";
// function commentedOut() {}
type Mode = "fast" | "safe";
enum Colour { Red, Green = "g" }
export interface Options { mode: Mode; retries?: number; tags: string[] }
export class Client { url: string; private hide() {} send(body: string): Promise<void> { throw new SendError("x"); } }
export function connect(url: string, options?: Options, on: (n: number) => void = f): boolean {
    console.assert(url > 3);
    if (url) { console.assert(url > 5); }
    throw new Error("not implemented");
}
"#,
    );
    let connect = function(&found, "connect");
    assert_eq!(connect.parameters.len(), 3, "a callback's parameters are not the function's");
    assert_eq!(
        parameters(&connect)[..2],
        [("url", Type::Text, REQUIRED), ("options", Type::named("Options"), OPTIONAL)]
    );
    assert_eq!(connect.returns, Type::Bool);
    assert!(function(&found, "Client.send").receiver.is_some());
    let options = record(&found, "Options");
    let presence: Vec<Presence> = options.fields.iter().map(|f| f.presence).collect();
    assert_eq!(presence, [REQUIRED, OPTIONAL, REQUIRED]);
    assert_eq!(options.fields[2].ty, Type::List(Box::new(Type::Text)));
    let variants: Vec<_> =
        choice(&found, "Colour").variants.into_iter().map(|v| (v.name, v.value)).collect();
    let green = Some(Literal::Text("g".into()));
    assert_eq!(variants, [("Red".to_owned(), None), ("Green".to_owned(), green)]);
    assert!(
        found
            .iter()
            .any(|b| matches!(b, Body::Literals(l) if l.target == "Mode" && l.values.len() == 2))
    );
    let (public, private) = (Visibility::Public, Visibility::Private);
    let expected = [
        ("Colour", private),
        ("Options", public),
        ("Client", public),
        ("Client.hide", private),
        ("Client.send", public),
        ("connect", public),
    ];
    assert_eq!(visibilities(&found), expected);
    assert_eq!(imports(&found), ["./x"]);
    assert_eq!(holes(&found).len(), 1);
    assert_eq!(ranges(&found).len(), 1);
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e) if e.function == "Client.send")));
}

/// Found by an audit: parameters of callbacks in a body were the function's own, `...rest` had to be
/// given, methods of abstract classes and namespaces had no owner.
#[cfg(feature = "typescript")]
#[test]
fn scopes_of_typescript() {
    let text = r#"
export function f(this: Window, x: number, ...rest: string[]): (z: number) => void {
    xs.map((y: number): string => y);
}
export const arrow = (x: number): boolean => [x].some((y: number) => y > 1);
const one = x => (y: number) => y;
abstract class A { abstract go(n: number): void; static make(): A { return null; } #p: number; static s: number; }
namespace N { export function k(x: number) {} }
interface I { a: string; draw(x: number): void; hide?(): void }
export { q } from "./q";
const r = require("r");
"#;
    for language in [Language::TypeScript, Language::Tsx] {
        let found = bodies(language, text);
        let f = function(&found, "f");
        assert_eq!(parameters(&f), [("x", Type::Float, REQUIRED)]);
        assert_eq!(f.returns, Type::named("(z: number) => void"));
        let arrow = function(&found, "arrow");
        assert_eq!(parameters(&arrow), [("x", Type::Float, REQUIRED)]);
        assert_eq!(arrow.returns, Type::Bool);
        assert_eq!(parameters(&function(&found, "one")), [("x", Type::Unknown, REQUIRED)]);
        assert_eq!(function(&found, "A.go").receiver, Some(Type::named("A")));
        assert_eq!(function(&found, "A.make").receiver, None);
        let members = |name| {
            record(&found, name)
                .fields
                .into_iter()
                .map(|f| (f.name, f.presence))
                .collect::<Vec<_>>()
        };
        // An object without the method is none of the class.
        assert_eq!(members("A"), [("go".to_owned(), REQUIRED), ("#p".to_owned(), REQUIRED)]);
        let expected = [("a", REQUIRED), ("draw", REQUIRED), ("hide", OPTIONAL)];
        assert_eq!(members("I"), expected.map(|(name, presence)| (name.to_owned(), presence)));
        assert_eq!(record(&found, "I").fields[1].ty, Type::named("draw(x: number): void"));
        let (public, private) = (Visibility::Public, Visibility::Private);
        let seen = visibilities(&found);
        for item in [("f", public), ("arrow", public), ("one", private), ("N.k", public)] {
            assert!(seen.contains(&item), "{item:?} in {seen:?}");
        }
        assert_eq!(imports(&found), ["./q", "r"]);
    }
}

/// What stands between tags is text.
#[cfg(feature = "typescript")]
#[test]
fn jsx_yields_nothing() {
    let found = extract(
        Language::Tsx,
        r#"
export const Button = ({ title }: Props): JSX.Element => <b class="type M = 'x'">
    function fake(x: number) class Fake import a from "fake"; // MARK {title}
</b>;
function App(n: number) { return <>{[1].map((m: string) => <i>assert</i>)}</>; }
"#
        .replace("MARK", concat!("TO", "DO"))
        .as_str(),
    );
    assert_eq!(found.diagnostics, []);
    let bodies: Vec<Body> = found.constraints.into_iter().map(|c| c.body).collect();
    let names: Vec<&str> = bodies.iter().filter_map(Body::defines).collect();
    assert_eq!(names, ["Button", "App"]);
    assert_eq!(parameters(&function(&bodies, "App")), [("n", Type::Float, REQUIRED)]);
    assert_eq!((imports(&bodies), holes(&bodies)), (vec![], vec![]));
    assert!(!bodies.iter().any(|b| matches!(b, Body::Literals(_))));
}

/// Found by an audit: see `scopes_of_typescript`; patterns were no parameters at all.
#[cfg(feature = "javascript")]
#[test]
fn scopes_of_javascript() {
    let found = bodies(
        Language::JavaScript,
        "export default function f({ a, b }, c = (z) => z, [d], ...rest) { g(function (y) {}); h((w) => w); }\n\
         const one = x => [1].map((y) => y);\nclass C { #p() {} static s() { throw new Error(\"MARK\"); } }\n\
         const r = require(\"r\"); const t = <b>function no() {}</b>;"
            .replace("MARK", "not implemented")
            .as_str(),
    );
    let expected = [("", REQUIRED), ("c", OPTIONAL), ("", REQUIRED)];
    let f = function(&found, "f");
    assert!(parameters(&f).into_iter().map(|(name, _, presence)| (name, presence)).eq(expected));
    assert_eq!(parameters(&function(&found, "one")), [("x", Type::Unknown, REQUIRED)]);
    assert_eq!(function(&found, "C.s").receiver, None);
    assert!(visibilities(&found).contains(&("C.#p", Visibility::Private)));
    assert_eq!(holes(&found), [("C.s".to_owned(), Type::Unknown)]);
    assert_eq!(imports(&found), ["r"]);
    assert!(!found.iter().any(|b| b.defines() == Some("no")));
}

#[cfg(feature = "javascript")]
#[test]
fn javascript() {
    let found = bodies(
        Language::JavaScript,
        "import a from \"./a\";\nfunction f(x, y = 2) { console.assert(x >= 1); }\nclass C { m() {} }",
    );
    assert_eq!(
        parameters(&function(&found, "f")),
        [("x", Type::Unknown, REQUIRED), ("y", Type::Unknown, OPTIONAL)]
    );
    assert!(function(&found, "C.m").receiver.is_some());
    assert_eq!((imports(&found), ranges(&found).len()), (vec!["./a".to_owned()], 1));
}
