//! The encoding is canonical: it can be read back, and nothing but it can be read.

use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::values::{constraint, json as any_json};

proptest! {
    #[test]
    fn what_was_written_is_read(set in prop::collection::vec(constraint(), 0..4)) {
        let set: ConstraintSet = set.into_iter().collect();
        let bytes = set.encode();
        let read = ConstraintSet::decode(&bytes).unwrap();
        prop_assert_eq!(&read, &set);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn cut_bytes_are_refused(c in constraint(), cut in any::<prop::sample::Index>()) {
        let bytes = c.encode();
        prop_assert!(Constraint::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(Constraint::decode(&longer).unwrap_err().kind(), ErrorKind::TrailingBytes);
    }

    /// One value, one encoding: whatever can be read is written back as the same bytes.
    #[test]
    fn damaged_bytes_are_refused_or_another_value(
        c in constraint(), at in any::<prop::sample::Index>(), bit in 0..8u32,
    ) {
        let mut bytes = c.encode();
        let i = at.index(bytes.len());
        bytes[i] ^= 1 << bit;
        if let Ok(read) = Constraint::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_safe_to_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ConstraintSet::decode(&bytes);
        let _ = Value::decode(&[b"EKC\x01".as_slice(), &bytes].concat());
    }

    #[test]
    fn json_is_read_as_written(v in any_json()) {
        let bytes = v.encode();
        prop_assert_eq!(Value::decode(&bytes).unwrap().to_string(), v.to_string());
    }
}

#[test]
fn errors_are_typed() {
    let kind = |bytes: &[u8]| Value::decode(bytes).unwrap_err().kind();
    assert_eq!(kind(b"EK"), ErrorKind::Truncated);
    assert_eq!(kind(b"XYZ\x01\x00"), ErrorKind::Malformed);
    assert_eq!(kind(b"EKC\x02\x00"), ErrorKind::UnknownVersion);
    assert_eq!(kind(b"EKC\x01\x63"), ErrorKind::Malformed);
    // A list that claims 2^64 - 1 items takes no memory.
    assert_eq!(kind(b"EKC\x01\x06\xff\xff\xff\xff\xff\xff\xff\xff"), ErrorKind::Truncated);
}

#[test]
fn deep_values_end_in_an_error_and_not_in_a_full_stack() {
    let mut bytes = b"EKC\x01".to_vec();
    for _ in 0..100_000 {
        bytes.push(6);
        bytes.extend_from_slice(&1u64.to_le_bytes());
    }
    bytes.push(0);
    assert_eq!(Value::decode(&bytes).unwrap_err().kind(), ErrorKind::TooDeep);
}

#[test]
fn members_of_one_name_are_refused() {
    let once = json!({"a": 1});
    let mut bytes = once.encode();
    let member = bytes.split_off(4 + 1 + 8);
    bytes[5] = 2;
    let twice = [bytes, member.clone(), member].concat();
    assert_eq!(Value::decode(&twice).unwrap_err().kind(), ErrorKind::Malformed);
}

/// Some crate of a program may make `serde_json` keep the digits of numbers: run with
/// `--features serde_json/arbitrary_precision` as well. Found by an audit: all were encoded as 0.
#[test]
fn numbers_are_told_apart_by_their_digits() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let written = read("1.00").to_string();
    let keeps_digits = written == "1.00";
    let texts =
        ["0.1", "0.10", "1.0000000000000000001", "18446744073709551616", "-0", "1e400", "7"];
    let mut seen = std::collections::BTreeMap::new();
    for text in texts.iter().filter(|text| keeps_digits || **text != "1e400") {
        let value = read(text);
        let bytes = value.encode();
        assert_eq!(Value::decode(&bytes).unwrap().to_string(), value.to_string());
        let first = seen.entry(bytes).or_insert_with(|| value.to_string());
        assert_eq!(*first, value.to_string(), "{text}");
    }
    assert!(!keeps_digits || seen.len() == texts.len());
    // Text is for what no other form can hold.
    for text in ["7", "0.5", "-3", "x", "", "1.00"].iter().take(if keeps_digits { 5 } else { 6 }) {
        let mut bytes = b"EKC\x01\x08".to_vec();
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        assert_eq!(Value::decode(&bytes).unwrap_err().kind(), ErrorKind::Malformed, "{text}");
    }
}
