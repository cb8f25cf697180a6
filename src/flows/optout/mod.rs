//! Opt-out flags, one way or both: who prevails, and why.
//!
//! Owns: the rule and what it needs to know of the two clocks. Must not know
//! how either system is read or written.

pub(crate) mod rule;
pub(crate) mod skew;

#[cfg(test)]
mod tests;
