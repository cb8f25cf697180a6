//! The rule against its table, against a model of both systems, and the
//! measurement of the clocks.

mod model;
mod skew;
mod table;
