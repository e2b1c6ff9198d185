//! The canonical encoding of JSON, which keeps the order of an object's members.

use serde_json::{Map, Number, Value};

use crate::codec::malformed;
use crate::{Canonical, Error, Reader};

/// Members are written in the order of the document. In a schema that order is the order in which
/// a generator emits the properties, so two orders are two values.
impl Canonical for Value {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Bool(b) => out.extend_from_slice(&[1, u8::from(*b)]),
            Value::Number(n) => put_number(n, out),
            Value::String(s) => {
                out.push(5);
                s.put(out);
            }
            Value::Array(items) => {
                out.push(6);
                items.put(out);
            }
            Value::Object(members) => {
                out.push(7);
                (members.len() as u64).put(out);
                for (name, value) in members {
                    name.put(out);
                    value.put(out);
                }
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match u8::take(input)? {
            0 => Value::Null,
            1 => Value::Bool(bool::take(input)?),
            2 => Value::Number(u64::take(input)?.into()),
            3 => match i64::take(input)? {
                n if n < 0 => Value::Number(n.into()),
                n => return Err(malformed(format!("{n} is encoded as if it were negative"))),
            },
            4 => {
                let real = f64::from_bits(u64::take(input)?);
                Value::Number(Number::from_f64(real).ok_or_else(|| {
                    malformed(format!("{real} is not a number that JSON can hold"))
                })?)
            }
            5 => Value::String(String::take(input)?),
            6 => Value::Array(Vec::take(input)?),
            7 => {
                let n = input.count()?;
                input.nested(|input| {
                    let mut members = Map::new();
                    for _ in 0..n {
                        let name = String::take(input)?;
                        let value = <Value as Canonical>::take(input)?;
                        if members.contains_key(&name) {
                            return Err(malformed(format!("member {name:?} is there twice")));
                        }
                        members.insert(name, value);
                    }
                    Ok(Value::Object(members))
                })?
            }
            8 => {
                let text = String::take(input)?;
                let number = serde_json::from_str::<Number>(&text).ok().filter(|n| {
                    let mut bytes = Vec::new();
                    put_number(n, &mut bytes);
                    bytes[0] == 8 && n.to_string() == text
                });
                let wrong = || malformed(format!("{text:?} is no number that is written as text"));
                Value::Number(number.ok_or_else(wrong)?)
            }
            other => return Err(malformed(format!("{other} is no tag of a JSON value"))),
        })
    }
}

fn put_number(n: &Number, out: &mut Vec<u8>) {
    if let Some(n) = n.as_u64() {
        out.push(2);
        n.put(out);
    } else if let Some(n) = n.as_i64().filter(|n| *n < 0) {
        out.push(3);
        n.put(out);
    } else if let Some(x) = n.as_f64().filter(|x| Number::from_f64(*x).as_ref() == Some(n)) {
        out.push(4);
        x.to_bits().put(out);
    } else {
        // With `arbitrary_precision`, which any crate of a program can turn on, `serde_json` keeps
        // the digits that a number was written with.
        out.push(8);
        n.to_string().put(out);
    }
}
