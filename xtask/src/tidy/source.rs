//! Rust source with comments and literals blanked out, so that rules look at code only.

/// The source with every comment, string and character literal replaced by spaces. Lines and
/// columns (in characters) stay where they were.
pub(super) fn code_only(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let end = skip_end(&text, at);
        if end == at {
            out.push(text[at]);
            at += 1;
        } else {
            out.extend(text[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none starts there.
fn skip_end(text: &[char], at: usize) -> usize {
    let next = |n: usize| text.get(at + n).copied();
    let in_word = at > 0 && is_word(text[at - 1]);
    match text[at] {
        '/' if next(1) == Some('/') => find(text, at, &['\n']),
        '/' if next(1) == Some('*') => block_comment_end(text, at),
        '"' => quoted_end(text, at + 1, '"'),
        'r' | 'b' | 'c' if !in_word => raw_or_byte_end(text, at),
        '\'' => match (next(1), next(2)) {
            (Some('\\'), _) => quoted_end(text, at + 1, '\''),
            (Some(_), Some('\'')) => at + 3,
            // A lifetime.
            _ => at,
        },
        _ => at,
    }
}

fn raw_or_byte_end(text: &[char], at: usize) -> usize {
    let mut here = at;
    while here < text.len() && here - at < 2 && matches!(text[here], 'r' | 'b' | 'c') {
        here += 1;
    }
    let raw = text[at..here].contains(&'r');
    let hashes = text[here..].iter().take_while(|&&c| c == '#').count();
    match text.get(here + hashes) {
        Some('"') if raw => {
            let close: Vec<char> = std::iter::once('"').chain((0..hashes).map(|_| '#')).collect();
            find(text, here + hashes + 1, &close) + close.len()
        }
        Some('"') if hashes == 0 => quoted_end(text, here + 1, '"'),
        Some('\'') if hashes == 0 && text[at] == 'b' => quoted_end(text, here + 1, '\''),
        _ => at,
    }
    .min(text.len())
}

fn quoted_end(text: &[char], mut at: usize, quote: char) -> usize {
    while at < text.len() && text[at] != quote {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

fn block_comment_end(text: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn find(text: &[char], from: usize, what: &[char]) -> usize {
    (from..text.len()).find(|&at| text[at..].starts_with(what)).unwrap_or(text.len())
}

/// The places (line, counted from 1) where `word` stands alone in `code`.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().flat_map(move |(index, line)| {
        line.match_indices(word)
            .filter(move |(at, _)| {
                let before = line[..*at].chars().next_back();
                let after = line[at + word.len()..].chars().next();
                !before.is_some_and(is_word) && !after.is_some_and(is_word)
            })
            .map(move |_| index + 1)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_literals_only() {
        let source = "a // unsafe\nb /* x /* unsafe */ y */ c \"unsafe \\\" unsafe\" d 'u' '\\'' e";
        let code = code_only(source);
        assert!(!code.contains("unsafe"), "{code}");
        for kept in ["a", "b", "c", "d", "e"] {
            assert!(code.contains(kept), "{kept} lost from {code}");
        }
        assert_eq!(code.len(), source.len());
        assert_eq!(code_only("r#\"unsafe \" x\"# y b\"unsafe\" br\"unsafe\" z").trim(), {
            let mut kept = " ".repeat(15) + "y" + &" ".repeat(22) + "z";
            kept = kept.trim().to_owned();
            kept
        });
        assert_eq!(code_only("fn f<'a>(x: &'a str) -> Box<u8> {}"), {
            "fn f<'a>(x: &'a str) -> Box<u8> {}"
        });
        assert_eq!(code_only("\"open"), "     ");
    }

    #[test]
    fn words_stand_alone() {
        let found: Vec<usize> =
            words("unsafe_code\nunsafe {\nmy_unsafe\n(unsafe)", "unsafe").collect();
        assert_eq!(found, [2, 4]);
    }
}
