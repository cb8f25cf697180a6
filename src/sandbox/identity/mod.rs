//! The identity look-alikes: Entra and Adobe IMS.
//!
//! Owns: credentials, issued tokens and their lives. Knows nothing of what a
//! token opens.

pub(crate) mod assertion;
pub(crate) mod entra;
pub(crate) mod ims;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::{Clock, Monotonic};

/// Everything a client needs to be let in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Entra tenant id.
    pub tenant: String,
    /// Client id of the application user.
    pub dynamics_client_id: String,
    /// Its secret.
    pub dynamics_client_secret: String,
    /// A user that may use the password grant.
    pub username: String,
    /// That user's password.
    pub password: String,
    /// Client id of the Adobe credential.
    pub campaign_client_id: String,
    /// Its secret.
    pub campaign_client_secret: String,
    /// The organization, ending in `@AdobeOrg`.
    pub organization_id: String,
    /// The Campaign tenant: its API stands below `{origin}/{campaign_tenant}`.
    pub campaign_tenant: String,
}

impl Credentials {
    /// The fixed credentials of a seed. Not secret: they open a sandbox.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let part = |name: &str| {
            let mut hasher = blake3::Hasher::new_derive_key("cdsync sandbox credentials");
            hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
            *hasher.finalize().as_bytes()
        };
        let guid = |name: &str| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&part(name)[..16]);
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
        };
        let text = |name: &str| URL_SAFE_NO_PAD.encode(&part(name)[..24]);
        Self {
            tenant: guid("tenant"),
            dynamics_client_id: guid("client"),
            dynamics_client_secret: text("secret"),
            username: "sync@contoso.example".to_owned(),
            password: format!("pässword&{}", text("password")),
            campaign_client_id: text("campaign client").to_lowercase(),
            campaign_client_secret: format!("p8e-{}", text("campaign secret")),
            organization_id: format!(
                "{}@AdobeOrg",
                guid("organization").replace('-', "").to_uppercase()
            ),
            campaign_tenant: "contoso-mkt-stage1".to_owned(),
        }
    }
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Audience {
    /// Dataverse.
    Dynamics,
    /// Campaign.
    Campaign,
}

#[derive(Debug)]
struct Grant {
    audience: Audience,
    until: Monotonic,
}

#[derive(Debug, Default)]
struct Book {
    tokens: HashMap<String, Grant>,
    order: VecDeque<String>,
    used_assertions: HashSet<String>,
    certificates: Vec<assertion::Certificate>,
}

/// Issued tokens, registered certificates and used assertions.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    book: Arc<Mutex<Book>>,
    pub(crate) clock: Clock,
    pub(crate) credentials: Arc<Credentials>,
}

/// More tokens than any sane client asks for; the oldest go first.
const MOST_TOKENS: usize = 10_000;

impl Identity {
    /// Nobody holds a token yet.
    pub(crate) fn new(credentials: Credentials, clock: Clock) -> Self {
        Self { book: Arc::default(), clock, credentials: Arc::new(credentials) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new opaque token.
    pub(crate) fn issue(&self, audience: Audience, life: Duration) -> String {
        let mut bytes = Vec::with_capacity(96);
        for _ in 0..12 {
            bytes.extend_from_slice(&self.clock.random().to_le_bytes());
        }
        let token = format!("eyJ{}", URL_SAFE_NO_PAD.encode(bytes));
        let until = self.clock.monotonic().plus(life);
        let mut book = self.book();
        if book.order.len() >= MOST_TOKENS
            && let Some(oldest) = book.order.pop_front()
        {
            book.tokens.remove(&oldest);
        }
        book.order.push_back(token.clone());
        book.tokens.insert(token.clone(), Grant { audience, until });
        token
    }

    /// Whether a token is alive and for this audience.
    pub(crate) fn accepts(&self, token: &str, audience: Audience) -> bool {
        let now = self.clock.monotonic();
        self.book()
            .tokens
            .get(token)
            .is_some_and(|grant| grant.audience == audience && now < grant.until)
    }

    /// Ends one token.
    pub(crate) fn revoke(&self, token: &str) {
        self.book().tokens.remove(token);
    }

    /// Ends all tokens of an audience.
    pub(crate) fn revoke_all(&self, audience: Audience) {
        self.book().tokens.retain(|_, grant| grant.audience != audience);
    }

    /// How many tokens of an audience are alive.
    pub(crate) fn alive(&self, audience: Audience) -> usize {
        let now = self.clock.monotonic();
        self.book()
            .tokens
            .values()
            .filter(|grant| grant.audience == audience && now < grant.until)
            .count()
    }

    /// Registers a certificate on the application.
    pub(crate) fn register(&self, pem: &str) -> Result<(), String> {
        let certificate = assertion::Certificate::from_pem(pem)?;
        self.book().certificates.push(certificate);
        Ok(())
    }

    /// Checks a client assertion; the text says what is wrong with it.
    pub(crate) fn check_assertion(&self, jwt: &str, audiences: &[String]) -> Result<(), String> {
        let now = self.clock.now().as_second();
        let mut book = self.book();
        let jti = assertion::check(
            jwt,
            &book.certificates,
            &self.credentials.dynamics_client_id,
            audiences,
            now,
        )?;
        if !book.used_assertions.insert(jti) {
            return Err("the assertion was used before".to_owned());
        }
        Ok(())
    }
}
