//! Mappings: as written (`spec`), compiled against both schemas, applied.
//!
//! Pure: no I/O, no clock, no JSON. May import `model` only.

pub(crate) mod spec;
