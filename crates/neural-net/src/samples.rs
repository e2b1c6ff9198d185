//! Samples out of text, one at a time: FANN's `.data` files and CSV.

use std::io::{BufRead, ErrorKind as Io};
use std::path::Path;

use crate::atomic;
use crate::dataset::Dataset;
use crate::{Error, ErrorKind};

/// Values that one sample may have.
const MOST_VALUES: usize = 1 << 24;
/// Bytes that one number may have.
const LONGEST: usize = 64;

/// One sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// What goes into a network.
    pub input: Vec<f32>,
    /// What should come out.
    pub target: Vec<f32>,
}

/// The samples of a FANN `.data` file: three numbers, how many samples, inputs and targets there are,
/// then all values, separated by whatever white space. Holds one sample at a time.
#[derive(Debug)]
pub struct FannSamples<R> {
    fields: Fields<R>,
    left: u64,
    inputs: usize,
    targets: usize,
}

impl<R: BufRead> FannSamples<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`Format`](ErrorKind::Format) unless it is three positive numbers, [`Io`](ErrorKind::Io).
    pub fn new(reader: R) -> Result<Self, Error> {
        let mut fields = Fields { reader, line: 1, field: Vec::new(), ended: false };
        let mut count = |what: &str| match fields.next_in_file()? {
            Some(text) => text.parse::<u64>().map_err(|_| {
                Error::format(format!(
                    "{text:?} is no number of {what}; a .data file begins with it"
                ))
            }),
            None => Err(Error::format(format!("the file ends before its number of {what}"))),
        };
        let (left, inputs, targets) = (count("samples")?, count("inputs")?, count("targets")?);
        let most = MOST_VALUES as u64;
        if inputs == 0 || targets == 0 || inputs > most || targets > most {
            return Err(Error::format(format!("samples of {inputs} inputs and {targets} targets")));
        }
        Ok(FannSamples { fields, left, inputs: inputs as usize, targets: targets as usize })
    }

    fn sample(&mut self) -> Result<Sample, Error> {
        let (fields, left) = (&mut self.fields, self.left + 1);
        let mut value = |_| {
            let line = fields.line;
            match fields.next_in_file()? {
                Some(text) => finite(text, line),
                None => Err(Error::format(format!(
                    "the file ends in the middle of a sample, {left} samples early"
                ))),
            }
        };
        let mut values = |count| (0..count).map(&mut value).collect::<Result<Vec<f32>, Error>>();
        Ok(Sample { input: values(self.inputs)?, target: values(self.targets)? })
    }
}

impl<R: BufRead> Iterator for FannSamples<R> {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let sample = self.sample();
        if sample.is_err() {
            self.left = 0;
        }
        Some(sample)
    }
}

/// What the columns of a CSV file are: inputs first, then targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csv {
    /// Columns of inputs.
    pub inputs: usize,
    /// What is behind them.
    pub targets: Targets,
    /// Lines to skip, such as a header.
    pub skip: usize,
}

/// What is behind the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// So many numbers.
    Values(usize),
    /// A class, 0 to less than this: it becomes as many targets, all 0 but that of the class, which
    /// is 1.
    Class(usize),
}

/// The samples of a CSV file, a line each: numbers, without quotes. Holds one sample at a time.
#[derive(Debug)]
pub struct CsvSamples<R> {
    fields: Fields<R>,
    csv: Csv,
}

impl<R: BufRead> CsvSamples<R> {
    /// Skips what is to be skipped.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for samples without inputs or targets, [`Io`](ErrorKind::Io).
    pub fn new(mut reader: R, csv: Csv) -> Result<Self, Error> {
        let (Targets::Values(targets) | Targets::Class(targets)) = csv.targets;
        if csv.inputs == 0 || targets == 0 || csv.inputs.max(targets) > MOST_VALUES {
            return Err(Error::config(format!("samples of {csv:?}")));
        }
        for _ in 0..csv.skip {
            reader.skip_until(b'\n')?;
        }
        let line = 1 + csv.skip as u64;
        Ok(CsvSamples { fields: Fields { reader, line, field: Vec::new(), ended: false }, csv })
    }

    fn sample(&mut self) -> Result<Option<Sample>, Error> {
        let line = self.fields.line;
        let columns = match self.csv.targets {
            Targets::Values(targets) => self.csv.inputs + targets,
            Targets::Class(_) => self.csv.inputs + 1,
        };
        let mut values = Vec::new();
        loop {
            let Some((text, end)) = self.fields.next_in_line()? else {
                if values.is_empty() {
                    return Ok(None);
                }
                break;
            };
            if !(text.is_empty() && end && values.is_empty()) {
                values.push(finite(text, line)?);
            }
            if values.len() > columns || (end && !values.is_empty()) {
                break;
            }
        }
        if values.len() != columns {
            return Err(Error::format(format!(
                "line {line} has not {columns} columns but {}{}",
                values.len(),
                if values.len() > columns { " or more" } else { "" }
            )));
        }
        let target = values.split_off(self.csv.inputs);
        let target = match (self.csv.targets, &target[..]) {
            (Targets::Class(classes), &[class]) => {
                if class < 0.0 || class >= classes as f32 || class.fract() != 0.0 {
                    return Err(Error::format(format!(
                        "line {line}: {class} is not a class of 0 to {}",
                        classes - 1
                    )));
                }
                let mut target = vec![0.0; classes];
                target[class as usize] = 1.0;
                target
            }
            _ => target,
        };
        Ok(Some(Sample { input: values, target }))
    }
}

impl<R: BufRead> Iterator for CsvSamples<R> {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fields.ended {
            return None;
        }
        let sample = self.sample();
        if sample.is_err() {
            self.fields.ended = true;
        }
        sample.transpose()
    }
}

fn finite(text: &str, line: u64) -> Result<f32, Error> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => {
            Err(Error::new(ErrorKind::NotFinite, format!("line {line}: {value} is not finite")))
        }
        Err(_) => Err(Error::format(format!("line {line}: {text:?} is not a number"))),
    }
}

/// Cuts text into fields, without ever holding more than one.
#[derive(Debug)]
struct Fields<R> {
    reader: R,
    line: u64,
    field: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> Fields<R> {
    /// The next field between white space.
    fn next_in_file(&mut self) -> Result<Option<&str>, Error> {
        self.field.clear();
        while let Some(byte) = self.byte()? {
            self.line += u64::from(byte == b'\n');
            if !byte.is_ascii_whitespace() {
                self.keep(byte)?;
            } else if !self.field.is_empty() {
                break;
            }
        }
        if self.field.is_empty() {
            return Ok(None);
        }
        self.text().map(Some)
    }

    /// The next field between commas or semicolons, and whether it is the last of its line.
    fn next_in_line(&mut self) -> Result<Option<(&str, bool)>, Error> {
        self.field.clear();
        let mut any = false;
        let end = loop {
            match self.byte()? {
                None => break true,
                Some(b'\n') => {
                    self.line += 1;
                    any = true;
                    break true;
                }
                Some(b',' | b';') => {
                    any = true;
                    break false;
                }
                Some(byte) if byte.is_ascii_whitespace() => {}
                Some(byte) => self.keep(byte)?,
            }
        };
        if !any && self.field.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        self.text().map(|text| Some((text, end)))
    }

    fn keep(&mut self, byte: u8) -> Result<(), Error> {
        if self.field.len() == LONGEST {
            return Err(Error::format(format!("line {}: a number of that length", self.line)));
        }
        self.field.push(byte);
        Ok(())
    }

    fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.field)
            .map_err(|_| Error::format(format!("line {} is not text", self.line)))
    }

    fn byte(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => {
                    let byte = buffer.first().copied();
                    self.reader.consume(usize::from(byte.is_some()));
                    return Ok(byte);
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Dataset {
    /// All samples of a stream.
    ///
    /// # Errors
    /// The stream's; [`Shape`](ErrorKind::Shape) if it has no samples or they differ in size.
    pub fn collect(
        samples: impl IntoIterator<Item = Result<Sample, Error>>,
    ) -> Result<Self, Error> {
        let mut data: Option<Dataset> = None;
        for sample in samples {
            let Sample { input, target } = sample?;
            let data = match &mut data {
                Some(data) => data,
                none => none.insert(Dataset::new(input.len(), target.len())?),
            };
            data.push(&input, &target)?;
        }
        data.ok_or_else(|| Error::shape("the stream has no samples"))
    }

    /// Writes a FANN `.data` file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        atomic::write(path.as_ref(), &[self.to_fann_data().as_bytes()])
    }

    /// Reads a FANN `.data` file whole; [`FannSamples`] reads it sample by sample.
    ///
    /// # Errors
    /// As [`FannSamples::new`], and its samples'.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let file = std::io::BufReader::new(std::fs::File::open(path)?);
        Dataset::collect(FannSamples::new(file)?)
    }

    /// The text of a FANN `.data` file, which libfann's `fann_read_train_from_file` reads. Every value
    /// is read back to the bit.
    pub fn to_fann_data(&self) -> String {
        use std::fmt::Write as _;
        let (inputs, targets) = (self.input_size(), self.target_size());
        let mut text = format!("{} {inputs} {targets}\n", self.len());
        for i in 0..self.len() {
            for row in [self.input(i), self.target(i)] {
                for value in row {
                    let _ = write!(text, "{value} "); // A string takes everything.
                }
                text.push('\n');
            }
        }
        text
    }
}
