//! One token request: what is sent, what is granted, what is refused.

use std::time::Duration;

use oauth2::TokenResponse;
use url::Url;

use super::{Auth, ClientProof, ask};
use crate::clock::Clock;
use crate::http::failure::{Outcome, System};
use crate::http::test_support::{Log, TOKEN_URL, entra, granted, ims, local, reply, secret};

async fn form(auth: &Auth) -> Vec<(String, String)> {
    let log = Log::default();
    let seen = log.clone();
    let transport = local(move |request| {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri().to_string(), TOKEN_URL);
        seen.add(String::from_utf8_lossy(request.body()));
        async { granted("t", 3600) }
    });
    let resource = "https://org.test";
    ask(System::Dynamics, auth, resource, &transport, &Clock::seeded(1)).await.unwrap();
    url::form_urlencoded::parse(log.lines()[0].as_bytes()).into_owned().collect()
}

fn has(form: &[(String, String)], name: &str) -> Option<String> {
    form.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
}

#[tokio::test(start_paused = true)]
async fn each_grant_sends_the_fields_its_vendor_documents() {
    let secret_form = form(&entra(TOKEN_URL)).await;
    assert_eq!(secret_form.len(), 4);
    assert_eq!(has(&secret_form, "grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(has(&secret_form, "scope").as_deref(), Some("https://org.test/.default"));
    assert_eq!(has(&secret_form, "client_secret").as_deref(), Some("hunter2"));
    assert_eq!(has(&secret_form, "client_id").as_deref(), Some("app"));

    let ims_form = form(&ims(TOKEN_URL)).await;
    assert_eq!(has(&ims_form, "scope").as_deref(), Some("openid,campaign_sdk"));
    assert_eq!(ims_form.len(), 4);

    let password = Auth::EntraPassword {
        token_url: Url::parse(TOKEN_URL).unwrap(),
        client_id: "app".to_owned(),
        username: "sync@org.test".to_owned(),
        password: secret("pässword&"),
        proof: ClientProof::None,
    };
    let form = form(&password).await;
    assert_eq!(has(&form, "grant_type").as_deref(), Some("password"));
    assert_eq!(has(&form, "username").as_deref(), Some("sync@org.test"));
    assert_eq!(has(&form, "password").as_deref(), Some("pässword&"));
    assert_eq!(has(&form, "client_secret"), None);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_takes_the_place_of_the_secret() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["cdsync".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let pem: &'static str = format!("{}{}", key.serialize_pem(), certificate.pem()).leak();
    let auth = Auth::EntraCertificate {
        token_url: Url::parse(TOKEN_URL).unwrap(),
        client_id: "app".to_owned(),
        pem: secret(pem),
    };
    let form = form(&auth).await;
    assert_eq!(has(&form, "client_secret"), None);
    assert_eq!(
        has(&form, "client_assertion_type").as_deref(),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    assert_eq!(has(&form, "client_assertion").unwrap().split('.').count(), 3);
}

#[tokio::test(start_paused = true)]
async fn any_lifetime_is_read_without_stopping() {
    for (text, want) in [
        (r#","expires_in":3599"#, Some(3599)),
        (r#","expires_in":"3599""#, Some(3599)),
        (r#","expires_in":-1"#, None),
        (r#","expires_in":0"#, None),
        (r#","expires_in":null"#, None),
        (r#","expires_in":{"a":1}"#, None),
        (r#","expires_in":86399992"#, Some(86_399_992)),
        (r#","expires_in":1e400"#, None),
        (r#","ext_expires_in":5,"token_type":"weird""#, None),
        ("", None),
    ] {
        let body = format!(r#"{{"access_token":"t"{text}}}"#);
        let transport = local(move |_| {
            let body = body.clone();
            async move { reply(200, &[("content-type", "application/json; charset=utf-8")], &body) }
        });
        let granted =
            ask(System::Campaign, &ims(TOKEN_URL), "", &transport, &Clock::seeded(1)).await;
        if text.contains("1e400") {
            assert_eq!(granted.unwrap_err().outcome, Outcome::NotSent);
        } else {
            assert_eq!(granted.unwrap().expires_in(), want.map(Duration::from_secs), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_stop_and_trouble_passes() {
    let description = "AADSTS7000222: The provided client secret keys for app 'anna@example.com' are expired.\\r\\nTrace ID: x";
    let json =
        |error: &str| format!(r#"{{"error":"{error}","error_description":"{description}"}}"#);
    for (status, body, outcome) in [
        (400, json("invalid_client"), Outcome::Refused),
        (401, json("invalid_client"), Outcome::Refused),
        (400, json("unauthorized_client"), Outcome::Refused),
        (400, json("invalid_scope"), Outcome::Refused),
        (400, json("invalid_grant"), Outcome::Refused),
        (400, json("invalid_request"), Outcome::Refused),
        (400, json("invalid_resource"), Outcome::Refused),
        (400, json("invalid_token"), Outcome::Refused),
        (400, json("consent_required"), Outcome::Refused),
        (403, String::new(), Outcome::Refused),
        (404, "<html>".to_owned(), Outcome::Refused),
        (302, String::new(), Outcome::Refused),
        (400, json("temporarily_unavailable"), Outcome::NotSent),
        (429, json("slow_down"), Outcome::NotSent),
        (429, String::new(), Outcome::NotSent),
        (408, String::new(), Outcome::NotSent),
        (500, "oops".to_owned(), Outcome::NotSent),
        (503, json("invalid_client"), Outcome::NotSent),
        (200, "<html>login</html>".to_owned(), Outcome::NotSent),
        (200, r#"{"token":"#.to_owned(), Outcome::NotSent),
    ] {
        let answer = body.clone();
        let transport = local(move |_| {
            let answer = answer.clone();
            async move { reply(status, &[("retry-after", "7")], &answer) }
        });
        let failure = ask(System::Dynamics, &entra(TOKEN_URL), "", &transport, &Clock::seeded(1))
            .await
            .unwrap_err();
        assert_eq!(failure.outcome, outcome, "{status} {body}");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
        let shown = format!("{failure} {failure:?}");
        assert!(
            !shown.contains("anna") && !shown.contains("hunter2") && !shown.contains("Trace"),
            "{shown}"
        );
        if body.contains("AADSTS") {
            assert_eq!(failure.code.as_deref(), Some("AADSTS7000222"));
            assert!(shown.contains("the client secret has expired"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_read_is_a_refusal() {
    let auth = Auth::EntraSecret {
        token_url: Url::parse(TOKEN_URL).unwrap(),
        client_id: "app".to_owned(),
        secret: std::sync::Arc::new(|| Err("the file does not exist".to_owned())),
    };
    let transport = local(|_| async { granted("t", 1) });
    let failure =
        ask(System::Dynamics, &auth, "", &transport, &Clock::seeded(1)).await.unwrap_err();
    assert_eq!(
        (failure.outcome, failure.message.as_str()),
        (Outcome::Refused, "the file does not exist")
    );
}
