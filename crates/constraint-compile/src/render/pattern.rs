//! Regular expressions: ranges of integers, escapes, and what users write.

use llguidance::regex_to_lark;
use regex_syntax::hir::HirKind;

use crate::{Dialect, Error, ErrorKind, Limits};

/// A regular expression as a Lark terminal.
pub(crate) fn lark_regex(regex: &str) -> String {
    format!("/{}/", regex_to_lark(regex, ""))
}

/// A text as a Lark terminal, taken literally.
pub(crate) fn lark_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A regular expression that matches one of the texts, taken literally.
pub(crate) fn any_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let escaped: Vec<String> = texts.into_iter().map(regex_syntax::escape).collect();
    format!("(?:{})", escaped.join("|"))
}

/// Checks a pattern that must match a whole text and takes its outer anchors off.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond the limit; [`ErrorKind::InvalidPattern`] if it does not parse or
/// looks around, which no token mask can express.
pub(crate) fn whole_match(pattern: &str, limits: &Limits) -> Result<String, Error> {
    if pattern.len() > limits.max_pattern_bytes {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "a pattern has {} bytes; the limit is {} (see `Limits`)",
                pattern.len(),
                limits.max_pattern_bytes
            ),
        ));
    }
    let parse = |pattern: &str| {
        regex_syntax::parse(pattern).map_err(|e| {
            Error::new(ErrorKind::InvalidPattern, format!("the pattern {pattern:?} is wrong: {e}"))
        })
    };
    let hir = parse(pattern)?;
    let mut inner = pattern;
    // In `^a|b$` each anchor holds for one side only.
    if !matches!(hir.kind(), HirKind::Alternation(_)) {
        inner = inner.strip_prefix('^').unwrap_or(inner);
        inner = match inner.strip_suffix('$') {
            Some(rest) if !ends_escaped(rest) => rest,
            _ => inner,
        };
    }
    // What ends in a comment would take the bracket with it.
    let whole = format!("(?:{inner})");
    if parse(inner)?.properties().look_set().is_empty() {
        parse(&whole).map(|_| whole)
    } else {
        Err(Error::new(
            ErrorKind::InvalidPattern,
            format!("the pattern {pattern:?} has anchors or word boundaries inside; rewrite it"),
        ))
    }
}

/// A regular expression for the integers from `min` to `max`, in decimal without leading zeros.
/// `None` if there is none.
pub(crate) fn integers(min: Option<i128>, max: Option<i128>) -> Option<String> {
    let (low, high) = (min.unwrap_or(i128::MIN), max.unwrap_or(i128::MAX));
    if low > high {
        return None;
    }
    let mut alternatives = Vec::new();
    if low < 0 {
        let top = if high < 0 { high.unsigned_abs() } else { 1 };
        let bottom = min.map(i128::unsigned_abs);
        let mut digits = Vec::new();
        naturals(top, bottom, &mut digits);
        alternatives.push(format!("-(?:{})", digits.join("|")));
    }
    if high >= 0 {
        naturals(low.max(0).unsigned_abs(), max.map(i128::unsigned_abs), &mut alternatives);
    }
    Some(format!("(?:{})", alternatives.join("|")))
}

/// Alternatives for the numbers from `low` to `high`, one or two for each number of digits.
fn naturals(low: u128, high: Option<u128>, out: &mut Vec<String>) {
    let mut low = low;
    loop {
        let digits = low.to_string().len() as u32;
        let Some(next) = 10u128.checked_pow(digits) else {
            fixed_width(&low.to_string(), &high.unwrap_or(u128::MAX).to_string(), out);
            return;
        };
        match high {
            Some(high) if high < next => {
                fixed_width(&low.to_string(), &high.to_string(), out);
                return;
            }
            None if low == next / 10 => {
                out.push(format!("[1-9][0-9]{{{},}}", digits - 1));
                return;
            }
            _ => fixed_width(&low.to_string(), &(next - 1).to_string(), out),
        }
        low = next;
    }
}

/// Alternatives for the numbers from `low` to `high`, both of as many digits.
fn fixed_width(low: &str, high: &str, out: &mut Vec<String>) {
    let same = low.bytes().zip(high.bytes()).take_while(|(a, b)| a == b).count();
    let (prefix, low, high) = (&low[..same], &low[same..], &high[same..]);
    let Some(rest) = low.len().checked_sub(1) else {
        out.push(prefix.to_owned());
        return;
    };
    let (first, last) = (low.as_bytes()[0], high.as_bytes()[0]);
    let low_is_round = low[1..].bytes().all(|b| b == b'0');
    let high_is_round = high[1..].bytes().all(|b| b == b'9');
    let mut inside = Vec::new();
    let from = if low_is_round { first } else { first + 1 };
    let to = if high_is_round { last } else { last - 1 };
    if !low_is_round {
        fixed_width(low, &format!("{}{}", char::from(first), "9".repeat(rest)), &mut inside);
    }
    if from <= to {
        inside.push(format!("{}{}", class(from, to), any_digits(rest)));
    }
    if !high_is_round {
        fixed_width(&format!("{}{}", char::from(last), "0".repeat(rest)), high, &mut inside);
    }
    out.extend(inside.into_iter().map(|part| format!("{prefix}{part}")));
}

fn class(from: u8, to: u8) -> String {
    let (from, to) = (char::from(from), char::from(to));
    if from == to { from.to_string() } else { format!("[{from}-{to}]") }
}

fn any_digits(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => "[0-9]".into(),
        n => format!("[0-9]{{{n}}}"),
    }
}

/// A text literal of at most `max_chars` characters. Control characters are left out, and so are
/// those that reorder text, which compilers refuse.
pub(crate) fn text_literal(max_chars: u16) -> String {
    format!("\"(?:{PLAIN}|\\\\[\"\\\\nrt]){{0,{max_chars}}}\"")
}

/// A text literal whose content needs no escapes.
pub(crate) fn plain_text_literal(max_chars: u16) -> String {
    format!("\"{PLAIN}{{0,{max_chars}}}\"")
}

const PLAIN: &str = r#"[^"\\\x00-\x1F\x7F\x{80}-\x{9F}\x{2028}-\x{202E}\x{2066}-\x{2069}\x{FEFF}]"#;

/// A character literal of Rust.
pub(crate) const CHAR_LITERAL: &str = r"'(?:[ -&(-\[\]-~]|\\[nrt0'\\])'";

/// A floating-point literal that every language here reads as one.
pub(crate) const FLOAT_LITERAL: &str = r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,6}";

/// A name in any of the languages.
pub(crate) const IDENTIFIER: &str = "[A-Za-z_][A-Za-z0-9_]{0,63}";

/// The separator of import paths.
pub(crate) fn path_separator(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Rust => "::",
        Dialect::Python => ".",
        Dialect::TypeScript => "/",
    }
}

/// Any import path.
pub(crate) fn any_path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Rust => "[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*){0,8}",
        Dialect::Python => r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,8}",
        Dialect::TypeScript => "[@.A-Za-z_][-.@A-Za-z0-9_]*(?:/[-.@A-Za-z0-9_]+){0,8}",
    }
}

fn ends_escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(regex: &str, text: &str) -> bool {
        let mut builder = llguidance::derivre::RegexBuilder::new();
        let expr = builder.mk_regex(regex).expect("a regex");
        builder.to_regex_limited(expr, 1_000_000).expect("small").is_match(text)
    }

    #[test]
    fn ranges_of_integers_are_exact() {
        for low in -120..=120i128 {
            for high in [low - 1, low, low + 1, low + 9, low + 37, 115, 1234] {
                let Some(regex) = integers(Some(low), Some(high)) else {
                    assert!(low > high);
                    continue;
                };
                let mut builder = llguidance::derivre::RegexBuilder::new();
                let expr = builder.mk_regex(&regex).expect("a regex");
                let mut compiled = builder.to_regex_limited(expr, 1_000_000).expect("small");
                for n in -130..=1300 {
                    let inside = (low..=high).contains(&n);
                    assert_eq!(compiled.is_match(&n.to_string()), inside, "{n} {low} {high}");
                }
                assert!(!compiled.is_match("-0") && !compiled.is_match("007"));
            }
        }
    }

    #[test]
    fn open_and_large_ranges_end_where_they_should() {
        let any = integers(None, None).unwrap();
        for text in ["0", "-1", "7", "10", "123456789012345678901234567890"] {
            assert!(matches(&any, text), "{text}");
        }
        for text in ["", "-", "-0", "01", "1.0", "+1"] {
            assert!(!matches(&any, text), "{text}");
        }
        let from = integers(Some(42), None).unwrap();
        assert!(matches(&from, "42") && matches(&from, "100") && matches(&from, "99999"));
        assert!(!matches(&from, "41") && !matches(&from, "9") && !matches(&from, "-50"));
        let word = integers(Some(0), Some(i128::from(u64::MAX))).unwrap();
        assert!(matches(&word, "18446744073709551615"));
        assert!(!matches(&word, "18446744073709551616"));
        let wide = integers(Some(i128::MIN), Some(i128::MAX)).unwrap();
        assert!(matches(&wide, &i128::MAX.to_string()) && matches(&wide, &i128::MIN.to_string()));
        assert!(!matches(&wide, "170141183460469231731687303715884105728"));
    }

    #[test]
    fn anchors_outside_are_taken_off_and_anchors_inside_are_refused() {
        let limits = Limits::default();
        let ok = |p: &str| whole_match(p, &limits).unwrap();
        assert_eq!(ok("^a+$"), "(?:a+)");
        assert_eq!(ok(r"a\$"), r"(?:a\$)");
        assert_eq!(ok("a|b"), "(?:a|b)");
        for wrong in ["^a|b$", r"a\b", "a(^b)", "(", "a{2,1}", "(?x)a # b"] {
            let kind = whole_match(wrong, &limits).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidPattern, "{wrong}");
        }
    }

    /// Found elsewhere: names and texts put into a regex as they are.
    #[test]
    fn texts_are_escaped() {
        let regex = any_of(["a.b", "c|d", "(", r"\"]);
        for text in ["a.b", "c|d", "(", r"\"] {
            assert!(matches(&regex, text), "{text}");
        }
        for text in ["axb", "c", "d", ""] {
            assert!(!matches(&regex, text), "{text}");
        }
    }
}
