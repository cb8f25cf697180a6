//! A store belongs to one Dynamics environment and one Campaign instance: what
//! it mirrors says nothing of another.

use url::Url;

use crate::app::App;
use crate::app::pass::stops_all;
use crate::http::Failure;
use crate::store::{Store, StoreError};

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

/// The name of a Campaign instance: the tenant in its address. The host in front
/// of it is Adobe's gateway, which is the same for all.
fn instance(url: &Url) -> String {
    let path = url.path().trim_matches('/').to_ascii_lowercase();
    if path.is_empty() { url.host_str().unwrap_or_default().to_owned() } else { path }
}

/// Compares the Campaign instance of the configuration with the store's. Asks
/// nobody.
pub(super) async fn pin_campaign(app: &App, store: &Store) -> Result<(), StoreError> {
    let found = instance(&app.config.campaign.url.0);
    let named = found.clone();
    let known = store.call(move |work| work.pin_campaign(&named)).await?;
    if known == found { Ok(()) } else { Err(StoreError::OtherCampaign { found, known }) }
}

/// Asks who we are and compares the environment with the store's.
pub(crate) async fn pin(app: &App, store: &Store) -> Result<Pin, StoreError> {
    pin_campaign(app, store).await?;
    let organization = match app.dynamics.who_am_i().await {
        Ok(who) => who.organization_id.to_ascii_lowercase(),
        Err(failure) if stops_all(&failure) => return Ok(Pin::Refused(failure)),
        // Not worth stopping for: the tables will say what is wrong.
        Err(_) => return Ok(Pin::Fits),
    };
    let asked = organization.clone();
    let known = store.call(move |work| work.pin_organization(&asked)).await?;
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
