//! Request limits, for the variant that enforces them.
//!
//! Owns: one fixed window per system (Dynamics sheet 6.1, campaign sheet 1.4).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::variants::Variants;
use crate::clock::{Clock, Monotonic};

#[derive(Debug, Default)]
struct Window {
    start: Option<Monotonic>,
    used: u32,
}

impl Window {
    /// What is left after this request, or the seconds to wait.
    fn take(&mut self, now: Monotonic, length: Duration, limit: u32) -> Result<u32, u64> {
        let start = match self.start {
            Some(start) if now.since(start) < length => start,
            Some(_) | None => {
                self.used = 0;
                self.start = Some(now);
                now
            }
        };
        if self.used >= limit {
            let wait = length.saturating_sub(now.since(start));
            return Err(wait.as_secs() + 1);
        }
        self.used += 1;
        Ok(limit - self.used)
    }
}

/// Both systems' windows.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    dynamics: Mutex<Window>,
    campaign: Mutex<Window>,
}

impl Limits {
    /// Counts a Dataverse request.
    pub(crate) fn dynamics(&self, clock: &Clock, variants: Variants) -> Result<u32, u64> {
        let limit = variants.dynamics_requests;
        if !variants.rate_limits {
            return Ok(limit);
        }
        let length = Duration::from_secs(u64::from(variants.dynamics_window_seconds));
        self.dynamics.lock().unwrap_or_else(PoisonError::into_inner).take(
            clock.monotonic(),
            length,
            limit,
        )
    }

    /// Counts a Campaign request.
    pub(crate) fn campaign(&self, clock: &Clock, variants: Variants) -> Result<u32, u64> {
        if !variants.rate_limits {
            return Ok(0);
        }
        let mut window = self.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        window.take(
            clock.monotonic(),
            Duration::from_secs(1),
            variants.campaign_requests_per_second,
        )
    }
}
