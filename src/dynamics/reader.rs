//! The reading half of the client.

use std::sync::Arc;

use crate::dynamics::wire::{List, OrganizationRow, WhoAmIReply, parse};
use crate::http::{Client, Failure, Origin, Outcome, RemoteUrl, Request, Response, System};
use crate::model::Stop;

/// The path of the API below the environment's address.
const API: &str = "api/data/v9.2";

/// Who the caller is, for Dynamics.
#[derive(Clone, Debug)]
pub(crate) struct WhoAmI {
    /// The application user's `systemuserid`.
    pub(crate) user_id: String,
    /// The environment's id.
    pub(crate) organization_id: String,
}

/// Reads tables and their metadata. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    client: Client,
    origin: Arc<Origin>,
}

impl Reader {
    /// A reader over a connected client.
    pub(crate) fn new(client: Client, origin: Origin) -> Self {
        Self { client, origin: Arc::new(origin) }
    }

    /// The same reader for work that may be asked to end; see `Client::until`.
    pub(crate) fn until(&self, stop: &Stop) -> Self {
        Self { client: self.client.until(stop.seen()), ..self.clone() }
    }

    /// The same, for requests that may use the whole budget of the day.
    pub(crate) fn urgent(&self) -> Self {
        Self { client: self.client.urgent(), origin: Arc::clone(&self.origin) }
    }

    /// The client's counters.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// GET of a path below the API root.
    pub(super) async fn get(&self, path: &str) -> Result<Response, Failure> {
        self.client.read(Request::get(self.url(path)?)).await
    }

    /// GET of metadata that may just have been changed: never from a server's
    /// cache (Dynamics sheet, 7.1).
    pub(super) async fn get_fresh(&self, path: &str) -> Result<Response, Failure> {
        self.client.read(Request::get(self.url(path)?).header("consistency", "Strong")).await
    }

    /// The address of a path below the API root.
    pub(super) fn url(&self, path: &str) -> Result<RemoteUrl, Failure> {
        self.origin
            .own(&format!("{API}/{path}"))
            .map_err(|error| Failure::new(System::Dynamics, Outcome::Setup, &error.to_string()))
    }

    /// GET of a link the remote gave, with the preference that must be
    /// repeated on each page. The link is checked against the origin first.
    pub(super) async fn follow(&self, link: &str, prefer: &str) -> Result<Response, Failure> {
        let url = self.origin.handed(link).map_err(|error| {
            Failure::new(System::Dynamics, Outcome::Foreign, &error.to_string())
        })?;
        self.client.read(Request::get(url).header("prefer", prefer)).await
    }

    /// The path and query of a link the remote gave: what may be stored.
    pub(super) fn storable(&self, link: &str) -> Result<String, Failure> {
        self.origin
            .handed(link)
            .map(|url| url.path_and_query().to_owned())
            .map_err(|error| Failure::new(System::Dynamics, Outcome::Foreign, &error.to_string()))
    }

    /// A link of our own making: path below the API root, as `storable` gives.
    pub(super) fn link(&self, path: &str) -> Result<String, Failure> {
        self.url(path).map(|url| url.path_and_query().to_owned())
    }

    /// A read whose pages lead nowhere.
    #[expect(clippy::unused_self, reason = "whoever says so has read")]
    pub(crate) fn endless(&self, text: &str) -> Failure {
        Failure::new(System::Dynamics, Outcome::Garbled, text)
    }

    /// The cheapest call: are we known, and as whom?
    pub(crate) async fn who_am_i(&self) -> Result<WhoAmI, Failure> {
        let reply: WhoAmIReply = parse(&self.get("WhoAmI").await?)?;
        Ok(WhoAmI { user_id: reply.user_id, organization_id: reply.organization_id })
    }

    /// Days for which the versions of deleted rows are kept, which is how old
    /// a delta token may grow; none if the environment does not say.
    pub(crate) async fn retention_days(&self) -> Result<Option<u32>, Failure> {
        let response = self.get("organizations?$select=expirechangetrackingindays").await?;
        let rows: List<OrganizationRow> = parse(&response)?;
        Ok(rows.value.first().and_then(|row| row.expirechangetrackingindays))
    }
}
