//! The reading half of the client.

use std::sync::Arc;

use crate::http::{Client, Failure, Origin, Outcome, Request, Response, System};
use crate::model::{ApiRoot, Stop};

/// One line of the list of resources.
#[derive(Clone, Debug)]
pub(crate) struct ResourceSummary {
    /// API name.
    pub(crate) name: String,
    /// Where it lives.
    pub(crate) root: ApiRoot,
    /// What the screen calls it.
    pub(crate) label: String,
}

/// Reads resources and their metadata. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(super) client: Client,
    pub(super) origin: Arc<Origin>,
}

impl Reader {
    /// A reader over a connected client. `origin` is the instance's address
    /// with the tenant, without `/campaign`.
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

    /// A configuration that does not fit what the systems have.
    #[expect(clippy::unused_self, reason = "whoever says so has read")]
    pub(crate) fn unfit(&self, text: String) -> Failure {
        Failure::ours(System::Campaign, Outcome::Setup, text)
    }

    /// A listing whose pages lead nowhere.
    #[expect(clippy::unused_self, reason = "whoever says so has read")]
    pub(crate) fn endless(&self, text: &str) -> Failure {
        Failure::new(System::Campaign, Outcome::Garbled, text)
    }

    /// GET of a path below `/campaign/`.
    pub(super) async fn get(&self, path: &str) -> Result<Response, Failure> {
        let url = self
            .origin
            .own(&format!("campaign/{path}"))
            .map_err(|error| Failure::new(System::Campaign, Outcome::Setup, &error.to_string()))?;
        self.client.read(Request::get(url)).await
    }

    /// GET of a link the remote gave, checked against the origin first.
    pub(super) async fn follow(&self, link: &str) -> Result<Response, Failure> {
        let url = self.origin.handed(link).map_err(|error| foreign(&error.to_string()))?;
        self.client.read(Request::get(url)).await
    }

    /// The path and query of a link the remote gave: what may be stored.
    pub(super) fn storable(&self, link: &str) -> Result<String, Failure> {
        self.origin
            .handed(link)
            .map(|url| url.path_and_query().to_owned())
            .map_err(|error| foreign(&error.to_string()))
    }
}

pub(super) fn foreign(text: &str) -> Failure {
    Failure::new(System::Campaign, Outcome::Foreign, text)
}
