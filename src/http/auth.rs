//! How we prove who we are, and one token request.
//!
//! Must not know when a token is asked for or who uses it (`credentials.rs`).
//! Source: dynamics sheet 1.1–1.3 (entra-docs), campaign sheet 1.1 (adobe-dev-console).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, EndpointNotSet,
    EndpointSet, RefreshToken, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername,
    Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::assertion;
use super::failure::{Failure, Outcome, System};
use super::transport::{Answer, Attempt, Broken, Transport};
use super::{classify, retry_after};
use crate::clock::Clock;
use crate::secret::Secret;

/// A whole token request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer of a token endpoint, in bytes.
const BODY_CAP: usize = 64 * 1024;

/// Reads a secret afresh; asked at each token request, so that secrets can be
/// replaced under way. The error is logged: it must not hold the secret.
pub(crate) type SecretLoader = Arc<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// How a client of Entra proves itself beside a user's password.
#[derive(Clone)]
pub(crate) enum ClientProof {
    /// A public client.
    None,
    /// A client secret.
    Secret(SecretLoader),
    /// One PEM text with the RSA private key and the certificate.
    Certificate(SecretLoader),
}

/// Where tokens come from, and how they are asked for.
#[derive(Clone)]
pub(crate) enum Auth {
    /// Entra, client credentials with a secret.
    EntraSecret { token_url: Url, client_id: String, secret: SecretLoader },
    /// Entra, client credentials with a certificate (PEM: key and certificate).
    EntraCertificate { token_url: Url, client_id: String, pem: SecretLoader },
    /// Entra, user name and password (ROPC).
    EntraPassword {
        token_url: Url,
        client_id: String,
        username: String,
        password: SecretLoader,
        proof: ClientProof,
    },
    /// Adobe IMS, OAuth server-to-server.
    Ims {
        token_url: Url,
        client_id: String,
        secret: SecretLoader,
        scopes: Vec<String>,
        organization_id: String,
    },
}

impl Auth {
    /// The endpoint; from the configuration only, never from an answer.
    pub(super) fn token_url(&self) -> &Url {
        match self {
            Self::EntraSecret { token_url, .. }
            | Self::EntraCertificate { token_url, .. }
            | Self::EntraPassword { token_url, .. }
            | Self::Ims { token_url, .. } => token_url,
        }
    }

    fn client_id(&self) -> &str {
        match self {
            Self::EntraSecret { client_id, .. }
            | Self::EntraCertificate { client_id, .. }
            | Self::EntraPassword { client_id, .. }
            | Self::Ims { client_id, .. } => client_id,
        }
    }

    /// Headers of each call beside `Authorization` (campaign sheet, 1.3 and 9.2).
    pub(super) fn call_headers(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Ims { client_id, organization_id, .. } => {
                vec![("x-api-key", client_id.as_str()), ("x-ims-org-id", organization_id.as_str())]
            }
            Self::EntraSecret { .. }
            | Self::EntraCertificate { .. }
            | Self::EntraPassword { .. } => Vec::new(),
        }
    }

    fn proof(&self) -> ClientProof {
        match self {
            Self::EntraSecret { secret, .. } | Self::Ims { secret, .. } => {
                ClientProof::Secret(Arc::clone(secret))
            }
            Self::EntraCertificate { pem, .. } => ClientProof::Certificate(Arc::clone(pem)),
            Self::EntraPassword { proof, .. } => proof.clone(),
        }
    }

    /// Entra: the environment's origin. IMS wants commas where OAuth has blanks,
    /// so the list goes as one scope.
    fn scope(&self, resource: &str) -> String {
        match self {
            Self::EntraSecret { .. }
            | Self::EntraCertificate { .. }
            | Self::EntraPassword { .. } => {
                format!("{resource}/.default")
            }
            Self::Ims { scopes, .. } => scopes.join(","),
        }
    }
}

/// What a token endpoint grants. Lenient where servers differ: a lifetime that
/// is missing, text, negative or absurd must not stop us.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Granted {
    access_token: AccessToken,
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<u64>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(text.trim().parse::<u64>().ok().filter(|seconds| *seconds > 0))
}

impl TokenResponse for Granted {
    type TokenType = BasicTokenType;
    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }
    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }
    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }
    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

type Endpoint = Client<
    BasicErrorResponse,
    Granted,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;
type TokenError = RequestTokenError<Broken, BasicErrorResponse>;

/// Status and wait of the endpoint's last answer, which the OAuth library drops.
type Seen = Mutex<Option<(u16, Option<Duration>)>>;

/// Asks for a token for `resource` (an origin).
pub(super) async fn ask(
    system: System,
    auth: &Auth,
    resource: &str,
    transport: &Transport,
    clock: &Clock,
) -> Result<Granted, Failure> {
    let local = |problem: String| refused(system, "secret", &problem);
    let mut endpoint: Endpoint = Client::new(ClientId::new(auth.client_id().to_owned()))
        .set_token_uri(TokenUrl::from_url(auth.token_url().clone()))
        .set_auth_type(AuthType::RequestBody);
    let mut extra = Vec::new();
    match auth.proof() {
        ClientProof::None => {}
        ClientProof::Secret(load) => {
            endpoint = endpoint
                .set_client_secret(ClientSecret::new(load().map_err(local)?.expose().to_owned()));
        }
        ClientProof::Certificate(load) => {
            let pem = load().map_err(local)?;
            let jwt =
                assertion::assertion(&pem, auth.client_id(), auth.token_url().as_str(), clock)
                    .map_err(local)?;
            extra = vec![
                ("client_assertion_type", assertion::TYPE.to_owned()),
                ("client_assertion", jwt),
            ];
        }
    }
    let scope = Scope::new(auth.scope(resource));
    let http = Adapter { transport: transport.clone(), clock: clock.clone(), seen: Arc::default() };
    let granted = if let Auth::EntraPassword { username, password, .. } = auth {
        let username = ResourceOwnerUsername::new(username.clone());
        let password = ResourceOwnerPassword::new(password().map_err(local)?.expose().to_owned());
        let mut request = endpoint.exchange_password(&username, &password).add_scope(scope);
        for (name, value) in &extra {
            request = request.add_extra_param(*name, value.as_str());
        }
        request.request_async(&http).await
    } else {
        let mut request = endpoint.exchange_client_credentials().add_scope(scope);
        for (name, value) in &extra {
            request = request.add_extra_param(*name, value.as_str());
        }
        request.request_async(&http).await
    };
    let seen = *http.seen.lock().unwrap_or_else(PoisonError::into_inner);
    granted.map_err(|error| failed(system, &error, seen))
}

/// The OAuth library's HTTP client: our transport, under the endpoint's own caps.
struct Adapter {
    transport: Transport,
    clock: Clock,
    seen: Arc<Seen>,
}

impl<'c> AsyncHttpClient<'c> for Adapter {
    type Error = Broken;
    type Future = BoxFuture<'static, Result<oauth2::HttpResponse, Broken>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(exchange(
            self.transport.clone(),
            self.clock.clone(),
            request,
            Arc::clone(&self.seen),
        ))
    }
}

async fn exchange(
    transport: Transport,
    clock: Clock,
    request: oauth2::HttpRequest,
    seen: Arc<Seen>,
) -> Result<oauth2::HttpResponse, Broken> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string())
        .map_err(|_| Broken::NotSent("the token URL is wrong".to_owned()))?;
    let attempt = Attempt {
        method: parts.method,
        url,
        headers: parts.headers,
        body: Some(body.into()),
        timeout: TIMEOUT,
        body_cap: BODY_CAP,
    };
    let Answer { status, headers, body } = transport.exchange(attempt, &clock).await?;
    let wait = retry_after::relative(&headers, &body);
    *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, wait));
    let mut response = oauth2::HttpResponse::new(body.to_vec());
    *response.headers_mut() = headers;
    *response.status_mut() = ::http::StatusCode::from_u16(status)
        .map_err(|_| Broken::Garbled("a status that is none".to_owned()))?;
    Ok(response)
}

/// A failed token request. Trouble that may pass is [`Outcome::NotSent`]: the
/// request that needed the token was surely not applied.
pub(super) fn failed(
    system: System,
    error: &TokenError,
    seen: Option<(u16, Option<Duration>)>,
) -> Failure {
    let (status, retry_after) = seen.unzip();
    let (name, description, problem) = match error {
        RequestTokenError::ServerResponse(answer) => (
            Some(answer.error().as_ref().to_owned()),
            answer.error_description().cloned(),
            String::new(),
        ),
        RequestTokenError::Request(broken) => (None, None, broken.to_string()),
        RequestTokenError::Parse(..) => (None, None, "an answer that is not OAuth's".to_owned()),
        RequestTokenError::Other(_) => (None, None, "no OAuth answer".to_owned()),
    };
    let name = name.and_then(|name| classify::plain_code(&name));
    let number = description.as_deref().and_then(aadsts);
    let hint = number.as_deref().map(meaning).unwrap_or_default();
    let words = [name.as_deref(), number.as_deref(), Some(hint), Some(problem.as_str())];
    let words: Vec<&str> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    let message = format!("no token from the identity service: {}", words.join(", "));
    let outcome =
        if is_refusal(status, name.as_deref()) { Outcome::Refused } else { Outcome::NotSent };
    Failure {
        status,
        code: number.or(name),
        retry_after: retry_after.flatten(),
        ..Failure::new(system, outcome, &message)
    }
}

/// A refusal found before anything was sent.
fn refused(system: System, code: &str, problem: &str) -> Failure {
    Failure { code: Some(code.to_owned()), ..Failure::new(system, Outcome::Refused, problem) }
}

/// Whether a person must act. Branches on status and `error`, never on text.
pub(super) fn is_refusal(status: Option<u16>, error: Option<&str>) -> bool {
    match (status, error) {
        (None | Some(200..=299 | 408 | 429 | 500..), _)
        | (_, Some("temporarily_unavailable" | "server_error" | "slow_down")) => false,
        (Some(_), _) => true,
    }
}

/// `AADSTS7000215` out of a description; the rest may name users.
fn aadsts(description: &str) -> Option<String> {
    let start = description.find("AADSTS")?;
    let digits = description.get(start + 6..)?.chars().take_while(char::is_ascii_digit).take(9);
    let digits: String = digits.collect();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

/// What the usual numbers mean, in our words.
fn meaning(number: &str) -> &'static str {
    match number {
        "AADSTS7000215" => "the client secret is wrong",
        "AADSTS7000222" => "the client secret has expired",
        "AADSTS700016" => "the application is not in this tenant",
        "AADSTS70011" | "AADSTS500011" => "the environment's address is not known to the tenant",
        "AADSTS90002" => "the tenant does not exist",
        "AADSTS50126" => "user name or password is wrong",
        "AADSTS50076" | "AADSTS50079" => {
            "the user must use multi-factor authentication, which this grant cannot"
        }
        "AADSTS65001" => "consent is missing",
        "AADSTS700024" => "the assertion's time is not accepted; is this machine's clock right?",
        "AADSTS700027" => "the certificate is not registered for the application, or has expired",
        _ => "",
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
