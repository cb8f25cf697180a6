//! A connection: the server proves who it is, then we do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{
    Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
    decode_secret_key,
};
use russh_sftp::client::{Config as SftpConfig, RawSftpSession};
use tokio::time::timeout;

use super::failure::{Problem, failure, lost, not_connected, refused};
use super::known_hosts::{HostKeyError, KnownHosts};
use super::{Server, Session, Sftp};
use crate::http::{Failure, Outcome, System};

/// Until a connection stands, and until a login is decided.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Until any request is answered.
const ANSWER_WITHIN_SECONDS: u64 = 60;
/// A silent connection is asked whether it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Largest packet taken; a directory's page is the largest there is.
const MAX_PACKET_BYTES: u32 = 256 * 1024;

/// Looks at the server's key. What it found wrong is kept beside: the library
/// may report no more than that the connection is gone.
pub(super) struct Check {
    known: KnownHosts,
    wrong: Arc<Mutex<Option<HostKeyError>>>,
}

impl client::Handler for Check {
    type Error = Problem;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Problem> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.judge(key),
            PublicKeyOrCertificate::Certificate(_) => Err(self.known.refuse_certificate()),
        };
        let Err(error) = verdict else { return Ok(true) };
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Ok(false)
    }
}

impl Sftp {
    /// Connects, checks the server's key, logs in and opens the file service.
    pub(crate) async fn connect(&self) -> Result<Session, Failure> {
        let (server, name) = (&self.server, &*self.name);
        let setup = |text: String| Failure::ours(System::Campaign, Outcome::Setup, text);
        let key = private_key(server).map_err(setup)?;
        let known = KnownHosts::read(&server.known_hosts, &server.host, server.port)
            .map_err(|error| setup(error.to_string()))?;
        let wrong = Arc::new(Mutex::new(None));
        let config = Arc::new(config(&known.algorithms()));
        let check = Check { known, wrong: Arc::clone(&wrong) };
        let address = (server.host.as_str(), server.port);
        let connected = timeout(CONNECT_WITHIN, client::connect(config, address, check)).await;
        let found = wrong.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = found {
            return Err(not_connected(name, &Problem::HostKey(error)));
        }
        let mut handle = match connected {
            Ok(Ok(handle)) => handle,
            Ok(Err(problem)) => return Err(not_connected(name, &problem)),
            Err(_) => {
                let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                return Err(not_connected(name, &Problem::Ssh(late.into())));
            }
        };
        let login = timeout(CONNECT_WITHIN, log_in(&mut handle, server, name, key));
        login.await.unwrap_or_else(|_| Err(lost(name)))?;
        let opening = timeout(CONNECT_WITHIN, open(&handle, name));
        let files = opening.await.unwrap_or_else(|_| Err(lost(name)))?;
        Ok(Session::new(handle, files, self))
    }
}

async fn log_in(
    handle: &mut Handle<Check>,
    server: &Server,
    name: &str,
    key: PrivateKey,
) -> Result<(), Failure> {
    // RSA with SHA-1 is not offered, whatever the server would take.
    let hash = if key.algorithm().is_rsa() {
        let offered = handle.best_supported_rsa_hash().await.map_err(|_| lost(name))?;
        offered.flatten().or(Some(HashAlg::Sha256))
    } else {
        None
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    match handle.authenticate_publickey(server.user.clone(), key).await {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { .. }) => {
            let user = &server.user;
            Err(failure(
                name,
                Outcome::Refused,
                &format!(
                    "refuses the user `{user}` with the key of campaign.sftp.private_key; check in Campaign's Control Panel that its public key is there, that it and the password have not expired, and that this machine's address is allowed"
                ),
            ))
        }
        Err(_) => Err(lost(name)),
    }
}

async fn open(handle: &Handle<Check>, name: &str) -> Result<RawSftpSession, Failure> {
    let channel = handle.channel_open_session().await.map_err(|_| lost(name))?;
    channel.request_subsystem(true, "sftp").await.map_err(|_| lost(name))?;
    let config = SftpConfig {
        max_packet_len: MAX_PACKET_BYTES,
        request_timeout_secs: ANSWER_WITHIN_SECONDS,
        ..SftpConfig::default()
    };
    let files = RawSftpSession::new_with_config(channel.into_stream(), config);
    files.init().await.map_err(|error| refused(name, "the file service", &error))?;
    Ok(files)
}

fn config(known: &[Algorithm]) -> client::Config {
    let mut config = client::Config {
        keepalive_interval: Some(KEEP_ALIVE),
        nodelay: true,
        ..client::Config::default()
    };
    let usual = config.preferred.key.iter().filter(|usual| !known.contains(usual));
    let modern = usual.filter(|usual| !matches!(usual, Algorithm::Rsa { hash: None }));
    config.preferred.key = known.iter().chain(modern).cloned().collect::<Vec<_>>().into();
    config
}

/// The key, or what is wrong with it and what to do.
fn private_key(server: &Server) -> Result<PrivateKey, String> {
    let place = |reason: String| format!("campaign.sftp.private_key: {reason}");
    let text = (server.key)().map_err(place)?;
    let passphrase = match &server.passphrase {
        Some(load) => Some(load().map_err(|reason| format!("campaign.sftp.passphrase: {reason}"))?),
        None => None,
    };
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "this layer may not name the type of a secret"
    )]
    let passphrase = passphrase.as_ref().map(|secret| secret.expose());
    let key = decode_secret_key(text.expose(), passphrase).map_err(|error| {
        place(match (error, passphrase) {
            (russh::keys::Error::KeyIsEncrypted, None) => {
                "the key has a passphrase; name it with `passphrase`".to_owned()
            }
            (_, Some(_)) => "this is not a private key in OpenSSH's form or PEM, or `passphrase` does not open it".to_owned(),
            (_, None) => "this is not a private key in OpenSSH's form or PEM; make one with `ssh-keygen -t rsa -b 2048` and enter its public half in Campaign's Control Panel".to_owned(),
        })
    })?;
    if key.is_encrypted() {
        return Err(place("the key has a passphrase; name it with `passphrase`".to_owned()));
    }
    Ok(key)
}
