//! What tests, the command line and the pages do to the systems as a whole.
//!
//! Owns: the handles, and putting faults and variants in force.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::campaign::control::CampaignControl;
use super::dataverse::control::DynamicsControl;
use super::faults::{Fault, FaultPlan};
use super::journal::JournalControl;
use super::log::System;
use super::server::Shared;
use super::variants::Variants;

impl Shared {
    /// Acts on Dataverse.
    pub(crate) fn dynamics_control(&self) -> DynamicsControl {
        DynamicsControl {
            db: Arc::clone(&self.dynamics),
            clock: self.clocks.of(System::Dynamics).clone(),
            identity: self.identity.clone(),
        }
    }

    /// Acts on Campaign.
    pub(crate) fn campaign_control(&self) -> CampaignControl {
        CampaignControl {
            db: Arc::clone(&self.campaign),
            variants: Arc::clone(&self.variants),
            clock: self.clocks.of(System::Campaign).clone(),
            identity: self.identity.clone(),
        }
    }

    /// Acts on the journal of Campaign's events.
    pub(crate) fn journal_control(&self) -> JournalControl {
        JournalControl {
            journal: Arc::clone(&self.journal),
            variants: Arc::clone(&self.variants),
            clock: self.clocks.of(System::Journal).clone(),
            origin: self.origin.clone(),
            seed: self.seed,
        }
    }

    /// Replaces the faults; counters start anew.
    pub(crate) fn set_faults(&self, plan: FaultPlan) {
        let restless = plan.rules.iter().filter(|rule| rule.fault == Fault::DuplicateRows).count();
        self.restless.store(u64::try_from(restless).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.faults.set(plan);
    }

    /// The variants in force.
    pub(crate) fn variants(&self) -> Variants {
        *self.variants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the variants.
    pub(crate) fn set_variants(&self, variants: Variants) {
        *self.variants.lock().unwrap_or_else(PoisonError::into_inner) = variants;
        self.dynamics.lock().unwrap_or_else(PoisonError::into_inner).adopt(variants);
        self.campaign.lock().unwrap_or_else(PoisonError::into_inner).adopt(variants);
    }
}
