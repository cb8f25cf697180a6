//! Opt-out flags: what each side holds, who prevails, and why.
//!
//! Owns: the rule and what it needs to know of the two clocks. Must not know
//! how either system is read or written.

mod bound;
mod pair;
mod rule;
mod skew;

#[cfg(test)]
mod tests;

pub(crate) use bound::{BoundPair, modified};
pub(crate) use pair::{ClearingGuard, FlagPair};
pub(crate) use rule::{
    Agreement, CampaignSide, Case, Decision, Direction, DynamicsSide, Mode, OwnWrite, Reason,
};
pub(crate) use skew::{
    SAMPLES, Sample, Sight, Skew, Witness, agreed, borne_out, earliest, is_ahead, is_doubted,
    measure, recent,
};
