//! The handwritten digits that the project carries: 8 × 8 values from 0 to 16, and what they show.

use std::error::Error;
use std::fmt::Write;
use std::fs;

/// Pixels of a side.
pub(crate) const SIDE: usize = 8;
/// Every so many-th digit is not learned from but asked for.
const HELD_OUT: usize = 5;

pub(crate) struct Digit {
    pub(crate) values: [u8; SIDE * SIDE],
    pub(crate) label: u8,
}

impl Digit {
    /// What a network is given: ink from 0 to 1.
    pub(crate) fn inputs(&self) -> [f32; SIDE * SIDE] {
        self.values.map(|value| f32::from(value) / 16.0)
    }

    /// As a drawing.
    pub(crate) fn picture(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {SIDE} {SIDE}\"><rect width=\"8\" height=\"8\" fill=\"#111\"/>"
        );
        for (at, &value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"1\" height=\"1\" fill=\"#fff\" fill-opacity=\"{:.2}\"/>",
                at % SIDE,
                at / SIDE,
                f32::from(value) / 16.0
            );
        }
        svg + "</svg>"
    }
}

/// The digits to learn from, and those to ask for.
pub(crate) struct Digits {
    pub(crate) known: Vec<Digit>,
    pub(crate) asked: Vec<Digit>,
}

/// Reads `data/digits` of the workspace.
pub(crate) fn load() -> Result<Digits, Box<dyn Error>> {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv"))?;
    let mut digits = Digits { known: Vec::new(), asked: Vec::new() };
    for (row, line) in text.lines().enumerate() {
        let numbers = line.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
        let (label, values) = numbers.split_last().ok_or("an empty line among the digits")?;
        let digit = Digit { values: values.try_into()?, label: *label };
        let part = if row % HELD_OUT == 0 { &mut digits.asked } else { &mut digits.known };
        part.push(digit);
    }
    Ok(digits)
}
