//! The names of flows on the command line.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::model::Flow;

/// The flows of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FlowName {
    // Dynamics tables to Campaign resources.
    Ingress,
    // Campaign's e-mail events to activities in Dynamics.
    Egress,
    // Opt-out flags, one way or both.
    Optout,
}

impl From<Flow> for FlowName {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Ingress => Self::Ingress,
            Flow::Egress => Self::Egress,
            Flow::Optout => Self::Optout,
        }
    }
}

impl From<FlowName> for Flow {
    fn from(name: FlowName) -> Self {
        match name {
            FlowName::Ingress => Self::Ingress,
            FlowName::Egress => Self::Egress,
            FlowName::Optout => Self::Optout,
        }
    }
}
