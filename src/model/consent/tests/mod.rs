//! The rule against its table, its laws, a model of both systems, and the
//! measurement of the clocks.

mod bound;
mod laws;
mod model;
mod skew;
mod table;
