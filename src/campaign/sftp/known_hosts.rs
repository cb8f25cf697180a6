//! Whether the server is the one that the operator knows: `known_hosts`, in the
//! form of OpenSSH (the chapter on its format in `sshd(8)`). russh's own reader
//! leaves out revoked keys, wildcards and negation.
//!
//! There is no first use to be trusted: a key that is not in the file is
//! refused.

use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{Algorithm, HashAlg, PublicKey, parse_public_key_base64};

use crate::model::glob;

/// Largest file.
const MAX_BYTES: u64 = 1024 * 1024;

/// The keys that a server may show.
#[derive(Clone, Debug)]
pub(super) struct KnownHosts {
    path: PathBuf,
    /// As OpenSSH names the server: `host`, or `[host]:port`.
    name: String,
    host: String,
    port: u16,
    entries: Vec<Entry>,
}

/// A line that names the server.
#[derive(Clone, Debug)]
struct Entry {
    line: usize,
    revoked: bool,
    key: PublicKey,
}

/// Why the server is not talked to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostKeyError {
    /// The file cannot be read.
    #[error(
        "`{}` (campaign.sftp.known_hosts) cannot be read: {reason}; write it with `ssh-keyscan -p {port} {host}`, after comparing the key's fingerprint with the server's",
        path.display()
    )]
    Unreadable { path: PathBuf, reason: String, host: String, port: u16 },
    /// A line that names the server holds no key.
    #[error("`{}`, line {line}: this is not a host key; write it as `ssh-keyscan -p {port} {host}` does", path.display())]
    NoKey { path: PathBuf, line: usize, host: String, port: u16 },
    /// No line names the server.
    #[error(
        "the server {name} is not in `{}`; it shows the key {shown}: compare that with the server's, then add the line that `ssh-keyscan -p {port} {host}` prints",
        path.display()
    )]
    Unknown { name: String, path: PathBuf, shown: String, host: String, port: u16 },
    /// It shows another key than the file says.
    #[error(
        "the server {name} shows the key {shown}, which is not the one in `{}`, line {line}: it may be another server; only if its key was changed on purpose, replace the line by what `ssh-keyscan -p {port} {host}` prints",
        path.display()
    )]
    Changed { name: String, path: PathBuf, line: usize, shown: String, host: String, port: u16 },
    /// Somebody has revoked the key that it shows.
    #[error("the server {name} shows a key that `{}`, line {line}, revokes; nothing is sent to it", path.display())]
    Revoked { name: String, path: PathBuf, line: usize },
    /// It proves itself by a certificate.
    #[error("the server {name} shows a certificate in place of a key; only keys of `{}` are trusted", path.display())]
    Certificate { name: String, path: PathBuf },
}

impl KnownHosts {
    /// Reads the file. Blocks on the file system.
    pub(super) fn read(path: &Path, host: &str, port: u16) -> Result<Self, HostKeyError> {
        let unreadable = |reason: String| HostKeyError::Unreadable {
            path: path.to_owned(),
            reason,
            host: host.to_owned(),
            port,
        };
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(unreadable("it is larger than 1 MiB".to_owned()));
        }
        let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        Self::parse(&String::from_utf8_lossy(&text), path, host, port)
    }

    pub(super) fn parse(
        text: &str,
        path: &Path,
        host: &str,
        port: u16,
    ) -> Result<Self, HostKeyError> {
        let bracketed = format!("[{host}]:{port}");
        let name = if port == 22 { host.to_owned() } else { bracketed.clone() };
        let names = [name.as_str(), bracketed.as_str()];
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(first) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let (marker, hosts) = if first.starts_with('@') {
                (Some(first), words.next())
            } else {
                (None, Some(first))
            };
            // An authority's key signs certificates, which are refused.
            if marker.is_some_and(|marker| marker != "@revoked") {
                continue;
            }
            if !hosts.is_some_and(|hosts| names.iter().any(|name| names_host(hosts, name))) {
                continue;
            }
            let line = number + 1;
            let key = words.nth(1).and_then(|key| parse_public_key_base64(key).ok());
            let Some(key) = key else {
                let (path, host) = (path.to_owned(), host.to_owned());
                return Err(HostKeyError::NoKey { path, line, host, port });
            };
            entries.push(Entry { line, revoked: marker.is_some(), key });
        }
        let (path, host) = (path.to_owned(), host.to_owned());
        Ok(Self { path, name, host, port, entries })
    }

    /// The kinds of key that the file has for the server: it is asked for these
    /// first, or it might show one that nobody wrote down.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let mut found = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.revoked) {
            let algorithm = entry.key.algorithm();
            let hashes = if algorithm.clone().is_rsa() {
                vec![
                    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
                    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
                ]
            } else {
                vec![algorithm]
            };
            found.extend(hashes);
        }
        found.dedup();
        found
    }

    /// Whether the server may show this key.
    pub(super) fn judge(&self, key: &PublicKey) -> Result<(), HostKeyError> {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        let (name, path) = (self.name.clone(), self.path.clone());
        if let Some(entry) = self.entries.iter().filter(|entry| entry.revoked).find(same) {
            return Err(HostKeyError::Revoked { name, path, line: entry.line });
        }
        let mut trusted = self.entries.iter().filter(|entry| !entry.revoked);
        let first = trusted.clone().map(|entry| entry.line).next();
        if trusted.any(|entry| same(&entry)) {
            return Ok(());
        }
        let shown = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let (host, port) = (self.host.clone(), self.port);
        Err(match first {
            Some(line) => HostKeyError::Changed { name, path, line, shown, host, port },
            None => HostKeyError::Unknown { name, path, shown, host, port },
        })
    }

    /// A certificate proves nothing here.
    pub(super) fn refuse_certificate(&self) -> HostKeyError {
        HostKeyError::Certificate { name: self.name.clone(), path: self.path.clone() }
    }
}

/// Whether a line's first word names the host: any of its patterns, and none
/// with `!` before it.
fn names_host(hosts: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in hosts.split(',') {
        if let Some(hashed) = pattern.strip_prefix("|1|") {
            found |= is_hash_of(hashed, name);
        } else if let Some(not) = pattern.strip_prefix('!') {
            if glob(&not.to_lowercase(), name) {
                return false;
            }
        } else {
            found |= glob(&pattern.to_lowercase(), name);
        }
    }
    found
}

/// `salt|hash`, both in Base64: an HMAC with SHA-1 of the name.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let decoded = hashed
        .split_once('|')
        .and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
    let Some((salt, hash)) = decoded else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    hmac::verify(&key, name.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const BOB: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G2sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        parse_public_key_base64(text.split_once(' ').unwrap().1).unwrap()
    }

    /// `ok` or the kind of error, for Ann's key.
    fn verdict(text: &str, host: &str, port: u16) -> &'static str {
        let known = KnownHosts::parse(text, Path::new("known_hosts"), host, port);
        match known.and_then(|known| known.judge(&key(ANN))) {
            Ok(()) => "ok",
            Err(HostKeyError::Unknown { .. }) => "unknown",
            Err(HostKeyError::Changed { .. }) => "changed",
            Err(HostKeyError::Revoked { .. }) => "revoked",
            Err(HostKeyError::NoKey { .. }) => "no key",
            Err(HostKeyError::Unreadable { .. } | HostKeyError::Certificate { .. }) => "other",
        }
    }

    /// `HashKnownHosts yes`.
    fn hashed(name: &str) -> String {
        let salt = [7; 20];
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        let hash = hmac::sign(&key, name.as_bytes());
        format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash.as_ref()))
    }

    #[test]
    fn a_server_is_known_by_the_lines_that_name_it_and_no_others() {
        let host = "files.example.com";
        let cases = [
            (format!("{host} {ANN}\n"), 22, "ok"),
            (format!("[{host}]:22 {ANN}"), 22, "ok"),
            (format!("[{host}]:2222 {ANN} a comment"), 2222, "ok"),
            (format!("{host} {ANN}"), 2222, "unknown"),
            (format!("[{host}]:2222 {ANN}"), 22, "unknown"),
            (format!("Files.Example.COM,10.0.0.1 {ANN}"), 22, "ok"),
            (format!("*.example.com {ANN}"), 22, "ok"),
            (format!("*.example.com,!files.* {ANN}"), 22, "unknown"),
            (format!("{} {ANN}", hashed(host)), 22, "ok"),
            (format!("{} {ANN}", hashed("[files.example.com]:2222")), 2222, "ok"),
            (format!("{} {ANN}", hashed("other.example.com")), 22, "unknown"),
            (format!("|1|nonsense {ANN}"), 22, "unknown"),
            (format!("{host} {BOB}"), 22, "changed"),
            (format!("{host} {BOB}\n{host} {ANN}"), 22, "ok"),
            (format!("#{host} {ANN}\n\n"), 22, "unknown"),
            (format!("@revoked {host} {ANN}\n{host} {ANN}"), 22, "revoked"),
            (format!("{host} {ANN}\n@revoked * {ANN}"), 22, "revoked"),
            (format!("@revoked * {BOB}\n{host} {ANN}"), 22, "ok"),
            (format!("@cert-authority * {ANN}"), 22, "unknown"),
            (format!("{host} ssh-ed25519 AAAA"), 22, "no key"),
            (format!("{host} ssh-ed25519"), 22, "no key"),
            (format!("other ssh-ed25519\n{host} {ANN}"), 22, "ok"),
            (String::new(), 22, "unknown"),
        ];
        for (text, port, expected) in cases {
            assert_eq!(verdict(&text, host, port), expected, "{text}");
        }
    }

    #[test]
    fn every_refusal_names_the_file_the_server_and_the_remedy() {
        let told = |text: &str, port| {
            let path = Path::new("/etc/cdsync/known_hosts");
            let known = KnownHosts::parse(text, path, "files.example.com", port);
            known.and_then(|known| known.judge(&key(ANN))).unwrap_err().to_string()
        };
        insta::assert_snapshot!(told("", 22), @r##"the server files.example.com is not in `/etc/cdsync/known_hosts`; it shows the key ssh-ed25519 SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE: compare that with the server's, then add the line that `ssh-keyscan -p 22 files.example.com` prints"##);
        insta::assert_snapshot!(told(&format!("[files.example.com]:2222 {BOB}"), 2222), @r##"the server [files.example.com]:2222 shows the key ssh-ed25519 SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE, which is not the one in `/etc/cdsync/known_hosts`, line 1: it may be another server; only if its key was changed on purpose, replace the line by what `ssh-keyscan -p 2222 files.example.com` prints"##);
        insta::assert_snapshot!(told(&format!("@revoked * {ANN}"), 22), @r##"the server files.example.com shows a key that `/etc/cdsync/known_hosts`, line 1, revokes; nothing is sent to it"##);
        insta::assert_snapshot!(told("files.example.com x y", 22), @r##"`/etc/cdsync/known_hosts`, line 1: this is not a host key; write it as `ssh-keyscan -p 22 files.example.com` does"##);
        let gone = KnownHosts::read(Path::new("/nowhere/known_hosts"), "h", 22).unwrap_err();
        insta::assert_snapshot!(gone, @r##"`/nowhere/known_hosts` (campaign.sftp.known_hosts) cannot be read: No such file or directory (os error 2); write it with `ssh-keyscan -p 22 h`, after comparing the key's fingerprint with the server's"##);
    }
}
