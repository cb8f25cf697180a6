//! How far the systems' clocks are apart, as far as that is known.

use super::Shared;
use super::contact::Now;
use jiff::Timestamp;

use crate::model::consent::{
    Sight, Skew, agreed, borne_out, is_ahead, is_doubted, measure, modified, recent,
};
use crate::store::consent::{ClockOf, StoredSample};
use crate::store::{StoreError, Work};

impl Shared {
    /// As it is now: by our own writes, or else by what the answers say, unless stamps
    /// were seen ahead of that.
    pub(super) async fn skew_now(&self) -> Result<Skew, StoreError> {
        let (dynamics, campaign, ahead) = self
            .store
            .call(|work| {
                Ok((
                    work.clock_samples(ClockOf::Dynamics, true)?,
                    work.clock_samples(ClockOf::Campaign, true)?,
                    work.consent_cursor(AHEAD)?,
                ))
            })
            .await?;
        let now = self.clock.now();
        let own = measure(&recent(dynamics, now), &recent(campaign, now));
        if own == Skew::Unknown && is_doubted(ahead.and_then(|seen| seen.parse().ok()), now) {
            return Ok(own);
        }
        let (dynamics, campaign) = (&self.target.writer, &self.target.campaign);
        Ok(agreed(own, measure(&dynamics.clock_samples(), &campaign.clock_samples())))
    }

    /// Notes where a stamp is ahead of its system's clock, as far as the dates of the
    /// answers show that: a server in front may write them by a clock of its own.
    pub(super) async fn compare_stamps(&self, seen: &Now) -> Result<(), StoreError> {
        let (now, target) = (self.clock.now(), &self.target);
        let of_campaign: Vec<Timestamp> = target
            .pairs
            .iter()
            .filter_map(|pair| pair.campaign_side(&seen.profile.fields).stamp)
            .collect();
        let of_dynamics = seen.dynamics.row.as_ref().and_then(modified);
        let ahead = |stamps: &[Timestamp], dates: &[_]| {
            stamps.iter().any(|stamp| is_ahead(*stamp, dates, now))
        };
        if ahead(of_dynamics.as_slice(), &target.writer.clock_samples())
            || ahead(&of_campaign, &target.campaign.clock_samples())
        {
            self.store.call(move |work| work.set_consent_cursor(AHEAD, &now.to_string())).await?;
        }
        Ok(())
    }

    /// The same as far as stamps can be compared by it: unknown where a clock was
    /// set within the last day.
    pub(super) async fn skew(&self) -> Result<Skew, StoreError> {
        let earlier = self.store.call(|work| sights(work)).await?;
        Ok(borne_out(self.skew_now().await?, &earlier, self.clock.now()))
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

/// When a stamp was last seen that is ahead of the dates of its system's answers.
const AHEAD: &str = "stamps-ahead";

/// What earlier passes kept, oldest first.
fn sights(work: &Work<'_>) -> Result<Vec<Sight>, StoreError> {
    let dynamics = work.clock_samples(ClockOf::Dynamics, false)?;
    let campaign = work.clock_samples(ClockOf::Campaign, false)?;
    let both = dynamics.into_iter().zip(campaign);
    Ok(both.map(|(dynamics, campaign)| Sight { dynamics, campaign }).collect())
}
