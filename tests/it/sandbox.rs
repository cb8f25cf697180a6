//! The sandbox's promises: a bare client against it, and who is let in.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use serde_json::{Value, json};

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

fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(pairs);
    out.finish()
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, text: response.text().await.unwrap() }
}

async fn post_form(http: &reqwest::Client, url: String, pairs: &[(&str, &str)]) -> Got {
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

async fn entra(world: &World, pairs: &[(&str, &str)]) -> Got {
    let (known, origin) = (world.sandbox.credentials(), world.sandbox.origin());
    let scope = format!("{origin}/.default");
    let mut all = vec![("client_id", known.dynamics_client_id.as_str()), ("scope", scope.as_str())];
    all.retain(|(name, _)| pairs.iter().all(|(given, _)| given != name));
    all.extend_from_slice(pairs);
    all.retain(|(_, value)| !value.is_empty());
    post_form(&world.http, format!("{origin}/{}/oauth2/v2.0/token", known.tenant), &all).await
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let options =
        SandboxOptions { listen: "0.0.0.0:0".parse().unwrap(), ..SandboxOptions::default() };
    assert!(Sandbox::start(options).await.is_err());
}

#[tokio::test]
async fn entra_refuses_in_its_own_words() {
    let world = World::plain().await;
    let grant = ("grant_type", "client_credentials");
    let cases = [
        (vec![grant, ("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (vec![grant], 401, "invalid_client", 7_000_216),
        (
            vec![grant, ("client_id", "stranger"), ("client_secret", "x")],
            400,
            "unauthorized_client",
            700_016,
        ),
        (
            vec![grant, ("scope", "https://other.example/.default")],
            401,
            "invalid_client",
            7_000_216,
        ),
        (vec![("grant_type", "magic")], 400, "unsupported_grant_type", 70_003),
    ];
    for (pairs, status, error, code) in cases {
        let got = entra(&world, &pairs).await;
        let body = got.json();
        assert_eq!(
            (got.status, body["error"].as_str(), &body["error_codes"]),
            (status, Some(error), &json!([code])),
            "{pairs:?}"
        );
    }
    let secret = world.sandbox.credentials().dynamics_client_secret;
    let got = entra(
        &world,
        &[grant, ("client_secret", &secret), ("scope", "https://other.example/.default")],
    )
    .await;
    assert_eq!((got.status, got.json()["error"].as_str()), (400, Some("invalid_scope")));
}

#[tokio::test]
async fn entra_takes_the_secret_as_basic_and_a_user_with_password() {
    let world = World::plain().await;
    let (known, origin) = (world.sandbox.credentials(), world.sandbox.origin());
    let basic =
        STANDARD.encode(format!("{}:{}", known.dynamics_client_id, known.dynamics_client_secret));
    let request = world.http.post(format!("{origin}/{}/oauth2/v2.0/token", known.tenant));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Basic {basic}"));
    let got = send(request.body(form(&[
        ("grant_type", "client_credentials"),
        ("scope", &format!("{origin}/.default")),
    ])))
    .await;
    assert_eq!(got.status, 200, "{}", got.text);
    let user = [
        ("grant_type", "password"),
        ("username", known.username.as_str()),
        ("password", known.password.as_str()),
    ];
    assert_eq!(entra(&world, &user).await.status, 200);
    let wrong =
        [("grant_type", "password"), ("username", known.username.as_str()), ("password", "no")];
    let got = entra(&world, &wrong).await;
    assert_eq!((got.status, got.json()["error"].as_str()), (400, Some("invalid_grant")));
}

struct Signer {
    pem: String,
    key: jsonwebtoken::EncodingKey,
    print: String,
}

fn signer() -> Signer {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let cert = rcgen::CertificateParams::new(vec!["cdsync".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let print = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, cert.der()).as_ref());
    let private = jsonwebtoken::EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
    Signer { pem: cert.pem(), key: private, print }
}

fn assertion(
    signer: &Signer,
    world: &World,
    change: impl Fn(&mut Value, &mut jsonwebtoken::Header),
) -> String {
    static JTI: AtomicU64 = AtomicU64::new(0);
    let known = world.sandbox.credentials();
    let now = jsonwebtoken::get_current_timestamp().cast_signed();
    let mut claims = json!({
        "aud": format!("{}/{}/oauth2/v2.0/token", world.sandbox.origin(), known.tenant),
        "iss": known.dynamics_client_id, "sub": known.dynamics_client_id,
        "jti": format!("jti-{}", JTI.fetch_add(1, Ordering::Relaxed)), "nbf": now, "iat": now, "exp": now + 600,
    });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::PS256);
    header.x5t_s256 = Some(signer.print.clone());
    change(&mut claims, &mut header);
    jsonwebtoken::encode(&header, &claims, &signer.key).unwrap()
}

#[tokio::test]
async fn a_client_assertion_is_verified_in_every_part_and_taken_once() {
    let world = World::plain().await;
    let (signer, stranger) = (signer(), signer());
    world.sandbox.register_certificate(&signer.pem).unwrap();
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let grant = ("grant_type", "client_credentials");
    let good = assertion(&signer, &world, |_, _| {});
    assert_eq!(entra(&world, &[grant, kind, ("client_assertion", &good)]).await.status, 200);
    let bad = [
        good,
        assertion(&stranger, &world, |_, _| {}),
        assertion(&stranger, &world, |_, header| header.x5t_s256 = Some(signer.print.clone())),
        assertion(&signer, &world, |claims, _| claims["aud"] = json!("https://elsewhere.example")),
        assertion(&signer, &world, |claims, _| claims["sub"] = json!("somebody")),
        assertion(&signer, &world, |claims, _| claims["exp"] = json!(1_000_000)),
        assertion(&signer, &world, |_, header| header.x5t_s256 = None),
    ];
    for (at, jwt) in bad.iter().enumerate() {
        let got = entra(&world, &[grant, kind, ("client_assertion", jwt)]).await;
        assert_eq!(
            (got.status, got.json()["error"].as_str()),
            (401, Some("invalid_client")),
            "case {at}"
        );
    }
}

#[tokio::test]
async fn ims_wants_four_fields_and_scopes_parted_by_commas() {
    let world = World::plain().await;
    let (known, url) =
        (world.sandbox.credentials(), format!("{}/ims/token/v3", world.sandbox.origin()));
    let (id, secret) = (known.campaign_client_id.as_str(), known.campaign_client_secret.as_str());
    let ask = |secret: &str, scope: &str| {
        [
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", id.to_owned()),
            ("client_secret", secret.to_owned()),
            ("scope", scope.to_owned()),
        ]
    };
    for (fields, status, error) in [
        (ask(secret, "AdobeID,openid"), 200, None),
        (ask(secret, "AdobeID openid"), 400, Some("invalid_scope")),
        (ask("wrong", "AdobeID"), 401, Some("invalid_client")),
        (ask(secret, ""), 400, Some("invalid_request")),
    ] {
        let pairs: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let got = post_form(&world.http, url.clone(), &pairs).await;
        assert_eq!((got.status, got.json()["error"].as_str()), (status, error));
        let query = form(&pairs);
        let got = send(world.http.post(format!("{url}?{query}"))).await;
        assert_eq!(got.status, status, "the same fields in the query");
    }
}

#[tokio::test]
async fn tokens_open_one_system_and_can_be_revoked() {
    let world = World::plain().await;
    let got = send(world.dynamics("GET", "WhoAmI")).await;
    assert_eq!(got.status, 200);
    assert!(got.json()["UserId"].is_string());
    assert_eq!(got.header("odata-version"), "4.0");
    let url = format!("{}/api/data/v9.2/WhoAmI", world.sandbox.origin());
    let got = send(world.http.get(&url).bearer_auth(&world.campaign_token)).await;
    assert_eq!(got.status, 401);
    world.sandbox.dynamics().revoke_bearer_tokens();
    let got = send(world.dynamics("GET", "WhoAmI")).await;
    assert_eq!((got.status, got.text.as_str()), (401, ""));
    let wanted = format!("Bearer authorization_uri={}/", world.sandbox.origin());
    assert!(got.header("www-authenticate").starts_with(&wanted));
    world.sandbox.campaign().revoke_bearer_tokens();
    let got = world.read("profileAndServices/profile").await;
    assert_eq!((got.status, got.json()["error_code"].as_str()), (401, Some("401013")));
}

#[tokio::test]
async fn the_gateway_names_what_is_missing() {
    let world = World::plain().await;
    let url = format!("{}/campaign/profileAndServices/profile", world.sandbox.campaign_url());
    let key = world.sandbox.credentials().campaign_client_id;
    let token = &world.campaign_token;
    for (request, status, code) in [
        (world.http.get(&url).bearer_auth(token), 403, "403000"),
        (world.http.get(&url).bearer_auth(token).header("x-api-key", "other"), 403, "403003"),
        (world.http.get(&url).header("x-api-key", &key), 403, "403010"),
        (world.http.get(&url).bearer_auth("bad").header("x-api-key", &key), 401, "401013"),
        (
            world
                .http
                .get(format!(
                    "{}/contoso/campaign/profileAndServices/profile",
                    world.sandbox.origin()
                ))
                .bearer_auth(token)
                .header("x-api-key", &key),
            403,
            "403023",
        ),
    ] {
        let got = send(request).await;
        assert_eq!((got.status, got.json()["error_code"].as_str()), (status, Some(code)));
    }
    let stranger = format!("{}/nobody/campaign/profileAndServices/profile", world.sandbox.origin());
    let got = send(world.http.get(stranger).bearer_auth(token).header("x-api-key", &key)).await;
    assert_eq!((got.status, &got.json()["code"]), (500, &json!(500)));
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
