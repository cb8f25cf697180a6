//! How far the systems' clocks are apart, as far as that is known.

use super::Shared;
use crate::model::consent::{Sight, Skew, agreed, borne_out, measure, recent};
use crate::store::consent::{ClockOf, StoredSample};
use crate::store::{StoreError, Work};

impl Shared {
    /// By our own writes, or else by what the answers say; unknown where a clock
    /// was set within the last day.
    pub(super) async fn skew(&self) -> Result<Skew, StoreError> {
        let (dynamics, campaign, earlier) = self
            .store
            .call(|work| {
                Ok((
                    work.clock_samples(ClockOf::Dynamics, true)?,
                    work.clock_samples(ClockOf::Campaign, true)?,
                    sights(work)?,
                ))
            })
            .await?;
        let now = self.clock.now();
        let own = measure(&recent(dynamics, now), &recent(campaign, now));
        let (dynamics, campaign) = (&self.target.writer, &self.target.campaign);
        let dates = measure(&dynamics.clock_samples(), &campaign.clock_samples());
        Ok(borne_out(agreed(own, dates), &earlier, now))
    }

    /// Keeps what the answers of this pass show of both clocks, for the passes to
    /// come.
    pub(super) async fn see_clocks(&self) -> Result<(), StoreError> {
        let (dynamics, campaign) = (&self.target.writer, &self.target.campaign);
        let (dynamics, campaign) = (dynamics.clock_samples(), campaign.clock_samples());
        let Some(sight) = Sight::of(&dynamics, &campaign, self.clock.now()) else { return Ok(()) };
        self.store
            .call(move |work| {
                if sights(work)?.last().is_some_and(|last| !sight.adds_to(last)) {
                    return Ok(());
                }
                for (of, sample) in
                    [(ClockOf::Dynamics, sight.dynamics), (ClockOf::Campaign, sight.campaign)]
                {
                    work.add_clock_sample(&StoredSample { of, own: false, sample })?;
                }
                Ok(())
            })
            .await
    }
}

/// What earlier passes kept, oldest first.
fn sights(work: &Work<'_>) -> Result<Vec<Sight>, StoreError> {
    let dynamics = work.clock_samples(ClockOf::Dynamics, false)?;
    let campaign = work.clock_samples(ClockOf::Campaign, false)?;
    let both = dynamics.into_iter().zip(campaign);
    Ok(both.map(|(dynamics, campaign)| Sight { dynamics, campaign }).collect())
}
