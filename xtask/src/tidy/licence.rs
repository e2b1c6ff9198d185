//! Licences: only permissive ones in what users build; file-level copyleft for bench rivals alone.

use super::Defect;
use crate::workspace::Package;

/// What may be linked into a user's program.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // For data: Mozilla's list of root certificates, behind coherence-log's feature `s3`.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// What a rival that is only measured may have besides.
const FOR_PEERS: &[&str] = &["MPL-2.0", "LGPL-2.1", "LGPL-3.0", "CDDL-1.0", "OpenSSL"];

/// Checks what is usually built, and what the peers add to it.
pub(super) fn check(usual: &[Package], peers: &[Package]) -> Vec<Defect> {
    let mut defects = Vec::new();
    for package in peers {
        let ours = usual.iter().any(|p| p.name == package.name);
        let licence = package.license.as_deref().unwrap_or("none named");
        let allowed = |name: &str| {
            PERMISSIVE.contains(&name)
                || !ours && FOR_PEERS.iter().any(|peer| name.starts_with(peer))
        };
        if !satisfied(licence, &allowed) {
            let what = format!("{}: its licence, {licence}, is not allowed", package.name);
            defects.push(Defect::new("Cargo.lock", 0, what));
        }
    }
    defects
}

/// Whether an SPDX expression (with the old `/` for `OR`) can be met by allowed licences alone.
fn satisfied(expression: &str, allowed: &impl Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &impl Fn(&str) -> bool) -> bool {
    let mut met = all_of(words, allowed);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut &[&str], allowed: &impl Fn(&str) -> bool) -> bool {
    let mut met = one(words, allowed);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &impl Fn(&str) -> bool) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    if *first == "(" {
        let met = any_of(words, allowed);
        *words = words.get(1..).unwrap_or_default();
        return met;
    }
    // An exception only ever permits more.
    if words.first() == Some(&"WITH") {
        *words = words.get(2..).unwrap_or_default();
    }
    allowed(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, licence: Option<&str>) -> Package {
        Package { name: name.to_owned(), license: licence.map(str::to_owned), ..Package::default() }
    }

    #[test]
    fn reads_expressions() {
        let allowed = |name: &str| PERMISSIVE.contains(&name);
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/GPL-3.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(satisfied(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND MPL-2.0", "MIT MIT"] {
            assert!(!satisfied(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn copyleft_is_for_peers_alone() {
        let rival = package("rival", Some("MPL-2.0"));
        assert!(check(&[], std::slice::from_ref(&rival)).is_empty());
        let ours = std::slice::from_ref(&rival);
        assert_eq!(check(ours, ours).len(), 1);
        assert_eq!(check(&[], &[package("unnamed", None)]).len(), 1);
        assert_eq!(check(&[], &[package("gpl", Some("GPL-3.0-only"))]).len(), 1);
    }
}
