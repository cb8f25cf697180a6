//! Mappings: as written (`spec`), compiled against both schemas, applied.
//!
//! Pure: no I/O, no clock; no JSON but that of e-mail events (`events`). May import `model` only.
//!
//! # Which column converts to which field
//!
//! | column ↓ · field → | text | integer | float, double | boolean | date | datetime | enumeration |
//! |---|---|---|---|---|---|---|---|
//! | text | as it is | strict number | strict number | `true`/`false`/`1`/`0` | `2024-05-06` | ISO 8601 | name or label |
//! | whole number | digits | range | exact | 0 and 1 | – | – | name or label |
//! | decimal, money | digits | no fraction, range | exact | 0 and 1 | – | – | – |
//! | double | shortest digits | no fraction, range | exact | 0 and 1 | – | – | – |
//! | boolean | `true`/`false` or label | 0 and 1 | 0 and 1 | as it is | – | – | text as name or label |
//! | choice, state, status | label or value | value | value | label or value, read as text | – | – | label or value as name or label |
//! | multi-select choice | labels `; ` or values `,` | – | – | – | – | – | – |
//! | date-time, `UserLocal` | ISO 8601 with `Z` | – | – | – | date in zone | UTC | – |
//! | date, `DateOnly` | `2024-05-06` | – | – | – | as it is | midnight in zone | – |
//! | date-time, `TimeZoneIndependent` | ISO 8601 without zone | – | – | – | its date | as if UTC | – |
//! | id, lookup | GUID, lower case | – | – | – | – | – | – |
//! | other | – | – | – | – | – | – | – |
//!
//! "–" is refused by [`compile()`] with a hint; so are links (which have their
//! own entries), collections, read-only fields and unknown types as targets. "Zone" is the field's
//! `time_zone`, or UTC. Choices reach a boolean only through their text
//! (usually a replacement): `statecode` 0 means active, and 0 read as false
//! would turn that round.

mod affected;
mod apply;
mod compile;
mod convert;
mod dates;
pub(crate) mod events;
mod file_dates;
mod filter;
mod filter_compile;
mod forms;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod links;
pub(crate) mod logs;
mod matrix;
mod names;
mod operand;
mod optout;
mod optout_rows;
mod order;
mod problem;
mod replace;
mod shape;
pub(crate) mod spec;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use affected::{Ask, Sides};
pub(crate) use apply::{Applied, Compiled, MappedField, MappedRecord};
pub(crate) use compile::compile;
pub(crate) use links::{CompiledLink, Pointer};
pub(crate) use matrix::{column_words, field_words};
pub(crate) use optout::{FlagColumns, OptoutFiles};
pub(crate) use optout_rows::FlagReader;
pub(crate) use order::{depth, parents_first};
pub(crate) use problem::{Place, Problem};
pub(crate) use shape::{Domain, FieldShape, Kind};
pub(crate) use target::{canonical, resolve_empty};
