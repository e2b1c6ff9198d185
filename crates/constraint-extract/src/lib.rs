#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod captures;
mod declarators;
mod document;
mod error;
mod extractor;
mod functions;
mod items;
mod kept;
mod language;
mod ranges;
mod schemas;
mod size;
mod types;

pub use document::Document;
pub use error::{Error, ErrorKind};
pub use extractor::{Diagnostic, Extraction, Extractor, SourceFile};
pub use kept::{Limits, Stats};
pub use language::Language;
pub use schemas::{from_json_schema, from_openapi};
