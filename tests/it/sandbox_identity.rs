//! The look-alikes of the identity services and the gateway: who is let in.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, form, post_form, send};

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
