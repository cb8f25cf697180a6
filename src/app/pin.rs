//! A store belongs to one Dynamics environment and one Campaign instance: what
//! it mirrors says nothing of another.

use crate::app::App;
use crate::app::pass::stops_all;
use crate::http::Failure;
use crate::store::{Store, StoreError, Work};

/// What asking for the environment came to.
#[derive(Debug)]
pub(crate) enum Pin {
    /// It is the store's, or the store had none yet.
    Fits,
    /// Another one; its id and the store's.
    Other(String, String),
    /// We are refused.
    Refused(Failure),
}

/// Refuses a store of another Campaign instance than the configuration names. Asks
/// nobody, and is part of a transaction that is needed anyway.
#[derive(Clone, Debug)]
pub(super) struct CampaignPin(String);

impl CampaignPin {
    /// The tenant in the address is the instance. The host in front of it is Adobe's
    /// gateway, which is the same for all.
    pub(super) fn of(app: &App) -> Self {
        let url = &app.config.campaign.url.0;
        let tenant = url.path().trim_matches('/').to_ascii_lowercase();
        let host = || url.host_str().unwrap_or_default().to_owned();
        Self(if tenant.is_empty() { host() } else { tenant })
    }

    pub(super) fn check(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let known = work.pin_campaign(&self.0)?;
        if known == self.0 {
            return Ok(());
        }
        Err(StoreError::OtherCampaign { found: self.0.clone(), known })
    }
}

/// Asks who we are and compares the environment with the store's.
pub(crate) async fn pin(app: &App, store: &Store) -> Result<Pin, StoreError> {
    let organization = match app.dynamics.who_am_i().await {
        Ok(who) => who.organization_id.to_ascii_lowercase(),
        Err(failure) if stops_all(&failure) => return Ok(Pin::Refused(failure)),
        // Not worth stopping for: the tables will say what is wrong.
        Err(_) => return Ok(Pin::Fits),
    };
    let (asked, campaign) = (organization.clone(), CampaignPin::of(app));
    let known = store
        .call(move |work| {
            campaign.check(work)?;
            work.pin_organization(&asked)
        })
        .await?;
    Ok(if known == organization { Pin::Fits } else { Pin::Other(organization, known) })
}

/// Whether the store is the environment's; a refusal, if we are refused.
pub(super) async fn fits(app: &App, store: &Store) -> Result<Option<Failure>, StoreError> {
    match pin(app, store).await? {
        Pin::Fits => Ok(None),
        Pin::Other(found, known) => Err(StoreError::OtherOrganization { found, known }),
        Pin::Refused(failure) => Ok(Some(failure)),
    }
}
