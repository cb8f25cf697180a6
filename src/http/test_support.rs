//! A scripted remote in this process and one on a socket, for the tests here.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::auth::{Auth, SecretLoader};
use super::failure::System;
use super::transport::{Broken, Transport};
use super::{Client, Limits, Origin};
use crate::clock::Clock;
use crate::secret::Secret;

pub(super) const TOKEN_URL: &str = "https://login.test/t/oauth2/v2.0/token";
pub(super) const BASE: &str = "https://org.test/api/data/v9.2/";

/// Enough for tests that are not about limits.
pub(super) const LIMITS: Limits =
    Limits { max_in_flight: 16, window: (1_000_000, Duration::from_mins(5)) };

/// What a scripted remote answers.
pub(super) type Reply = Result<::http::Response<Bytes>, Broken>;

/// An answer.
#[expect(clippy::unnecessary_wraps, reason = "scripts answer or break")]
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = ::http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Bytes::from(body.to_owned())).unwrap())
}

/// A token endpoint's answer.
pub(super) fn granted(token: &str, expires_in: u64) -> Reply {
    reply(
        200,
        &[("content-type", "application/json")],
        &format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#),
    )
}

/// A transport that answers by `script`.
pub(super) fn local<F, A>(script: F) -> Transport
where
    F: Fn(::http::Request<Bytes>) -> A + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    Transport::Local(Arc::new(move |request| Box::pin(script(request))))
}

pub(super) fn secret(text: &'static str) -> SecretLoader {
    Arc::new(move || Ok(Secret::new(text)))
}

pub(super) fn entra(token_url: &str) -> Auth {
    Auth::EntraSecret {
        token_url: Url::parse(token_url).unwrap(),
        client_id: "app".to_owned(),
        secret: secret("hunter2"),
    }
}

pub(super) fn ims(token_url: &str) -> Auth {
    Auth::Ims {
        token_url: Url::parse(token_url).unwrap(),
        client_id: "key".to_owned(),
        secret: secret("hunter2"),
        scopes: vec!["openid".to_owned(), "campaign_sdk".to_owned()],
        organization_id: "O@AdobeOrg".to_owned(),
    }
}

/// A Dynamics client over `transport`.
pub(super) fn dynamics(transport: Transport) -> Client {
    let origin = Origin::new(&Url::parse(BASE).unwrap());
    Client::with_transport(
        System::Dynamics,
        origin,
        LIMITS,
        entra(TOKEN_URL),
        Clock::seeded(7),
        transport,
    )
}

/// A Dynamics client over a remote that is `script`; tokens are granted.
pub(crate) fn scripted(
    script: impl Fn(&::http::Request<Bytes>) -> (u16, &'static str, String) + Send + Sync + 'static,
) -> (Client, Origin) {
    let transport = local(move |request: ::http::Request<Bytes>| {
        let answer = if request.uri().path().ends_with("/token") {
            granted("t", 3600)
        } else {
            let (status, content_type, body) = script(&request);
            reply(status, &[("content-type", content_type)], &body)
        };
        std::future::ready(answer)
    });
    let client = dynamics(transport);
    let origin = client.origin().clone();
    (client, origin)
}

/// Records what was asked.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn add(&self, line: impl Into<String>) -> usize {
        let mut lines = self.0.lock().unwrap();
        lines.push(line.into());
        lines.len()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A server on loopback that answers a token to POSTs of `/token` and the given
/// raw bytes to everything else, then closes. Returns its base URL.
pub(super) async fn raw_server(answer: Vec<u8>, hold: bool) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let log = Log::default();
    let seen = log.clone();
    drop(tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            drop(tokio::spawn(serve(socket, answer.clone(), hold, seen.clone())));
        }
    }));
    (base, log)
}

async fn serve(mut socket: TcpStream, answer: Vec<u8>, hold: bool, log: Log) {
    let mut have = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut piece).await {
        have.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&have).into_owned();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text
            .lines()
            .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if have.len() < end + 4 + length.unwrap_or(0) {
            continue;
        }
        let is_token = text.starts_with("POST /token");
        log.add(text);
        let token = br#"{"access_token":"t","expires_in":3600}"#;
        let token_answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
            token.len(),
            String::from_utf8_lossy(token)
        );
        let bytes = if is_token { token_answer.into_bytes() } else { answer };
        let _ = socket.write_all(&bytes).await;
        if hold && !is_token {
            std::future::pending::<()>().await;
        }
        let _ = socket.shutdown().await;
        return;
    }
}

/// A Campaign client of a [`raw_server`].
pub(super) fn networked(base: &str) -> Client {
    let origin = Origin::new(&Url::parse(base).unwrap());
    let auth = ims(&format!("{base}token"));
    Client::new(System::Campaign, origin, LIMITS, auth, Clock::seeded(7)).unwrap()
}
