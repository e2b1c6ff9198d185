//! Vector distances and reductions, safe, on the best instruction set found at run time.
#![deny(unsafe_code)]
