//! A constraint: a demand with its standing and its origin.

use std::fmt;

use crate::codec::canonical_enum;
use crate::{Body, Canonical, ContentId, Error, ErrorKind, Reader};

/// What class of rule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The form of the text.
    Syntactic,
    /// Types and signatures.
    TypeSafety,
    /// Values and meaning.
    Semantic,
    /// What may depend on what.
    Architectural,
    /// Limits of length and time.
    Operational,
    /// What must not leak or be called.
    Security,
}

canonical_enum!(Kind {
    0 = Syntactic,
    1 = TypeSafety,
    2 = Semantic,
    3 = Architectural,
    4 = Operational,
    5 = Security,
});

/// Where a constraint was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The syntax tree of a source file.
    Ast,
    /// A JSON Schema or an OpenAPI document.
    Schema,
    /// A test.
    Test,
    /// Documentation.
    Doc,
    /// A person.
    User,
    /// A policy of the house.
    Policy,
}

canonical_enum!(Source { 0 = Ast, 1 = Schema, 2 = Test, 3 = Doc, 4 = User, 5 = Policy });

impl Source {
    /// Whether somebody demands it. Everything else was read somewhere: it describes what is there,
    /// and two descriptions that differ are no reason to refuse what neither is about.
    pub fn is_demand(self) -> bool {
        matches!(self, Source::User | Source::Policy)
    }
}

/// Whether a constraint must hold or should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// It weighs among what is allowed and may be dropped for a stronger one, which is reported.
    Soft,
    /// It must hold.
    Hard,
}

canonical_enum!(Enforcement { 0 = Soft, 1 = Hard });

/// How bad a breach is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth avoiding.
    Warning,
    /// Wrong.
    Error,
    /// Dangerous.
    Critical,
}

canonical_enum!(Severity { 0 = Info, 1 = Warning, 2 = Error, 3 = Critical });

/// Who wins among constraints of one enforcement: the larger number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// Gives way to everything else.
    pub const LOW: Priority = Priority(25);
    /// What was read from code and documents: it gives way to what people say.
    pub const EXTRACTED: Priority = Priority(40);
    /// What a constraint has unless somebody says otherwise.
    pub const NORMAL: Priority = Priority(50);
    /// Goes before what is usual.
    pub const HIGH: Priority = Priority(75);
    /// Goes before everything else.
    pub const HIGHEST: Priority = Priority(100);
}

/// How sure its source is of a constraint, in ten-thousandths, so that it can be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confidence(u16);

impl Confidence {
    /// Certain.
    pub const FULL: Confidence = Confidence(10_000);

    /// From a share between 0 and 1, rounded to the nearest ten-thousandth.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] outside of 0 to 1 and for NaN.
    pub fn new(share: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&share) {
            Ok(Confidence((share * 10_000.0).round() as u16))
        } else {
            Err(Error::new(
                ErrorKind::OutOfRange,
                format!("{share} is no confidence; use a share from 0 to 1"),
            ))
        }
    }

    /// The share between 0 and 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// A place in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file's path or another name of the source; empty where there is none.
    pub file: String,
    /// Line, from 1; 0 where there is none.
    pub line: u32,
    /// Column in bytes, from 1; 0 where there is none.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str("(no file)"),
            (file, 0) => f.write_str(file),
            (file, line) => write!(f, "{file}:{line}:{}", self.column),
        }
    }
}

/// A rule that generated text must or should obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// What class of rule it is.
    pub kind: Kind,
    /// Where it was found.
    pub source: Source,
    /// Whether it must hold or should.
    pub enforcement: Enforcement,
    /// Who wins in a conflict.
    pub priority: Priority,
    /// How bad a breach is.
    pub severity: Severity,
    /// How sure its source is.
    pub confidence: Confidence,
    /// Where it stands.
    pub origin: Origin,
    /// What it demands.
    pub body: Body,
}

impl Constraint {
    /// A hard constraint of normal priority, severity [`Severity::Error`] and full confidence,
    /// without an origin. Change the fields for anything else.
    pub fn new(kind: Kind, source: Source, body: Body) -> Self {
        Constraint {
            kind,
            source,
            enforcement: Enforcement::Hard,
            priority: Priority::NORMAL,
            severity: Severity::Error,
            confidence: Confidence::FULL,
            origin: Origin::default(),
            body,
        }
    }

    /// The content id. It covers everything but the line and the column, so that moving a
    /// definition within its file changes no id. O(size), no cache.
    pub fn id(&self) -> ContentId {
        let mut bytes = Vec::with_capacity(128);
        bytes.push(crate::FORMAT_VERSION);
        self.put_content(&mut bytes);
        ContentId::of(&bytes)
    }

    /// What decides a conflict, without the id.
    pub fn rank(&self) -> Rank {
        Rank {
            enforcement: self.enforcement,
            priority: self.priority,
            severity: self.severity,
            confidence: self.confidence,
        }
    }

    fn put_content(&self, out: &mut Vec<u8>) {
        self.kind.put(out);
        self.source.put(out);
        self.enforcement.put(out);
        self.priority.0.put(out);
        self.severity.put(out);
        self.confidence.0.put(out);
        self.origin.file.put(out);
        self.body.put(out);
    }
}

impl Canonical for Constraint {
    fn put(&self, out: &mut Vec<u8>) {
        self.put_content(out);
        self.origin.line.put(out);
        self.origin.column.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = Kind::take(input)?;
        let source = Source::take(input)?;
        let enforcement = Enforcement::take(input)?;
        let priority = Priority(u8::take(input)?);
        let severity = Severity::take(input)?;
        let confidence = match u16::take(input)? {
            n @ 0..=10_000 => Confidence(n),
            n => {
                return Err(Error::new(
                    ErrorKind::OutOfRange,
                    format!("a confidence of {n} ten-thousandths is above 10000"),
                ));
            }
        };
        let file = String::take(input)?;
        let body = Body::take(input)?;
        let origin = Origin { file, line: u32::take(input)?, column: u32::take(input)? };
        Ok(Constraint { kind, source, enforcement, priority, severity, confidence, origin, body })
    }
}

/// The standing of a constraint in a conflict; the greater one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Hard before soft.
    pub enforcement: Enforcement,
    /// Then the higher priority.
    pub priority: Priority,
    /// Then the worse breach.
    pub severity: Severity,
    /// Then the surer source.
    pub confidence: Confidence,
}
