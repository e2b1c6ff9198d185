//! Numeric ranges out of asserted conditions: `1 <= x && x < 10`, `0 < x <= 5`.

use edgekit_constraint_ir::{Bound, Literal, Number, Range};

use crate::types::literal;

/// The ranges that a condition demands of names. Only conjunctions of comparisons between a name
/// and a number are read; anything else in the condition makes it yield nothing at all, because an
/// `||` anywhere would change what the rest means. Every operand has to be a bare name or number,
/// so that nothing else (`||`, `!`, a call, a text) needs to be looked for.
pub(crate) fn ranges(condition: &str) -> Vec<Range> {
    let mut condition = condition.trim();
    // The arguments of an `assert!`, the message left out.
    if let Some(inner) = condition.strip_prefix('(').and_then(|c| c.strip_suffix(')')) {
        condition = inner;
    }
    if let Some((first, _)) = condition.split_once(',') {
        condition = first;
    }
    let mut found = Vec::new();
    for part in condition.split("&&").flat_map(|part| part.split(" and ")) {
        match comparisons(part) {
            Some(ranges) => found.extend(ranges),
            None => return Vec::new(),
        }
    }
    found
}

/// One comparison, or a chain of them around a name.
fn comparisons(text: &str) -> Option<Vec<Range>> {
    let mut operands = Vec::new();
    let mut operators = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>']) {
        let length = if rest[at + 1..].starts_with('=') { 2 } else { 1 };
        operands.push(rest[..at].trim());
        operators.push(&rest[at..at + length]);
        rest = &rest[at + length..];
    }
    operands.push(rest.trim());
    let mut found = Vec::new();
    for (i, operator) in operators.iter().enumerate() {
        found.push(comparison(operands[i], operator, operands[i + 1])?);
    }
    (!found.is_empty()).then_some(found)
}

fn comparison(left: &str, operator: &str, right: &str) -> Option<Range> {
    let (name, number, operator) = match (number(left), number(right)) {
        (None, Some(n)) => (left, n, operator.to_owned()),
        (Some(n), None) => {
            (right, n, operator.replace('<', "§").replace('>', "<").replace('§', ">"))
        }
        _ => return None,
    };
    if !is_name(name) {
        return None;
    }
    let (lower, upper) = match operator.as_str() {
        "<" => (Bound::Open, Bound::Exclusive(number)),
        "<=" => (Bound::Open, Bound::Inclusive(number)),
        ">" => (Bound::Exclusive(number), Bound::Open),
        ">=" => (Bound::Inclusive(number), Bound::Open),
        _ => return None,
    };
    Some(Range { target: name.into(), lower, upper })
}

fn number(text: &str) -> Option<Number> {
    match literal(text)? {
        Literal::Integer(n) => Some(Number::Integer(n)),
        Literal::Real(x) => Some(Number::Real(x)),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(condition: &str) -> Vec<(String, Bound, Bound)> {
        ranges(condition).into_iter().map(|r| (r.target, r.lower, r.upper)).collect()
    }

    #[test]
    fn comparisons_are_read_in_both_directions() {
        let n = Number::Integer;
        assert_eq!(read("x < 5"), [("x".into(), Bound::Open, Bound::Exclusive(n(5)))]);
        assert_eq!(read("5 <= x"), [("x".into(), Bound::Inclusive(n(5)), Bound::Open)]);
        let both = [
            ("x".into(), Bound::Exclusive(n(0)), Bound::Open),
            ("x".into(), Bound::Open, Bound::Inclusive(n(10))),
        ];
        assert_eq!(read("0 < x <= 10"), both);
        assert_eq!(read("(x > 0 && x <= 10, \"too large\")"), both);
        assert_eq!(read("x > 0 and x <= 10"), both);
        assert_eq!(read("self.x >= -1_000").len(), 1);
    }

    #[test]
    fn what_is_not_a_conjunction_yields_nothing() {
        for condition in [
            "x < 5 || y",
            "x < 5 && y > 1 || z > 2",
            "x < 5 | y < 3",
            "x < 5 && y || z > 2",
            "x < 5 && c != ' && y < '",
            "x < 5 && !y",
            "x < 5 && s < \"a, b\"",
            "!(x < 5)",
            "x.len() < 5",
            "x < y",
            "f(x) > 1",
            "x",
            "x < 5 && y",
            "1 < 2",
        ] {
            assert_eq!(read(condition), [], "{condition}");
        }
    }
}
