//! The kernels, each written once as safe code that is generic over a token.

pub(crate) mod bytes;
pub(crate) mod distance;
pub(crate) mod many;
pub(crate) mod reduce;
