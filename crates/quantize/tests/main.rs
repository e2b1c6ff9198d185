//! What users rely on: tensors keep what they hold, in memory and in files.
#![deny(unsafe_code)]

mod files;
mod linear;
mod mixed;
mod observers;
mod tensors;
