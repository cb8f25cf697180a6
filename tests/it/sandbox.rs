//! The sandbox's promises: a bare client against it, and what holds for all of
//! it.

use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use serde_json::Value;

/// A reply, read in full.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A sandbox with a client that holds both tokens.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) dynamics_token: String,
    pub(crate) campaign_token: String,
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(pairs);
    out.finish()
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, text: response.text().await.unwrap() }
}

pub(crate) async fn post_form(http: &reqwest::Client, url: String, pairs: &[(&str, &str)]) -> Got {
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(form(pairs))).await
}

impl World {
    pub(crate) async fn start(options: SandboxOptions) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let http = client();
        let (known, origin) = (sandbox.credentials(), sandbox.origin());
        let got = post_form(
            &http,
            format!("{origin}/{}/oauth2/v2.0/token", known.tenant),
            &[
                ("client_id", &known.dynamics_client_id),
                ("client_secret", &known.dynamics_client_secret),
                ("scope", &format!("{origin}/.default")),
                ("grant_type", "client_credentials"),
            ],
        )
        .await;
        let dynamics_token = got.json()["access_token"].as_str().unwrap().to_owned();
        let got = post_form(
            &http,
            format!("{origin}/ims/token/v3"),
            &[
                ("client_id", &known.campaign_client_id),
                ("client_secret", &known.campaign_client_secret),
                ("scope", "AdobeID,openid,campaign_sdk"),
                ("grant_type", "client_credentials"),
            ],
        )
        .await;
        let campaign_token = got.json()["access_token"].as_str().unwrap().to_owned();
        Self { sandbox, http, dynamics_token, campaign_token }
    }

    pub(crate) async fn plain() -> Self {
        Self::start(SandboxOptions::default()).await
    }

    /// A Dataverse request; `target` is a path below the API or a full link.
    pub(crate) fn dynamics(&self, method: &str, target: &str) -> reqwest::RequestBuilder {
        let url = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}/api/data/v9.2/{target}", self.sandbox.origin())
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, url).bearer_auth(&self.dynamics_token)
    }

    pub(crate) async fn get(&self, target: &str, prefer: &str) -> Got {
        let request = self.dynamics("GET", target);
        send(if prefer.is_empty() { request } else { request.header("prefer", prefer) }).await
    }

    /// A Campaign request; `target` is a path below `/campaign/` or a full link.
    pub(crate) fn campaign(&self, method: &str, target: &str) -> reqwest::RequestBuilder {
        let url = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}/campaign/{target}", self.sandbox.campaign_url())
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let key = self.sandbox.credentials().campaign_client_id;
        self.http.request(method, url).bearer_auth(&self.campaign_token).header("x-api-key", key)
    }

    pub(crate) async fn read(&self, target: &str) -> Got {
        send(self.campaign("GET", target)).await
    }

    pub(crate) async fn write(&self, method: &str, target: &str, body: &Value) -> Got {
        send(self.campaign(method, target).body(body.to_string())).await
    }
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let options =
        SandboxOptions { listen: "0.0.0.0:0".parse().unwrap(), ..SandboxOptions::default() };
    assert!(Sandbox::start(options).await.is_err());
}

#[tokio::test]
async fn the_request_log_counts_everything_and_keeps_no_secret() {
    let world = World::plain().await;
    let log = world.sandbox.requests();
    let secret = world.sandbox.credentials().campaign_client_secret;
    let url = format!("{}/ims/token/v3?client_secret={secret}", world.sandbox.origin());
    send(world.http.post(url)).await;
    world.get("contacts?$top=1", "").await;
    assert_eq!(log.count_of(System::Dynamics, "GET"), 1);
    assert_eq!((log.count(System::Entra), log.count(System::Ims)), (1, 2));
    let shown = format!("{:?}", log.entries());
    assert!(!shown.contains(&secret) && !shown.contains(&world.dynamics_token));
    log.set_cap(2);
    for _ in 0..5 {
        world.get("WhoAmI", "").await;
    }
    assert_eq!((log.entries().len(), log.count(System::Dynamics)), (2, 6));
    assert_eq!(log.peak(System::Dynamics), 1);
    log.clear();
    assert_eq!((log.entries().len(), log.count(System::Dynamics)), (0, 0));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_credentials_and_contacts() {
    let options = || SandboxOptions { seed: 9, contacts: 20, ..SandboxOptions::default() };
    let (one, two) =
        (Sandbox::start(options()).await.unwrap(), Sandbox::start(options()).await.unwrap());
    assert_eq!(one.credentials().dynamics_client_secret, two.credentials().dynamics_client_secret);
    let (left, right) = (one.dynamics(), two.dynamics());
    assert_eq!(left.ids("contact"), right.ids("contact"));
    let id = left.ids("contact")[0];
    assert_eq!(
        left.get("contact", id).unwrap()["fullname"],
        right.get("contact", id).unwrap()["fullname"]
    );
    one.stop().await;
    two.stop().await;
}
